// Networks in files: the safetensors format, which Python's `safetensors` reads and writes too.
//
//   struct MLP { ... template <class Ar> void io(Ar& ar) { ar("layers", layers); } };   // every member by name
//   save_networks(opt.save, agent, {{"program", opt.program}, {"env", opt.env}});  // pi.layers.0.W, ...
//   load_networks(opt.load, agent);
//
// An archive takes matrices, numbers, texts, vectors and arrays of these, and structs with an io member.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/tape.h"  // NotFinite

struct Tensor {
  std::string dtype;                 // the format's own word: F32, F64, I32, I64, U8, U32, U64, BOOL
  std::vector<size_t> shape;         // empty for a single number
  std::vector<unsigned char> bytes;  // row-major, little-endian
};
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

// Bytes of one element, 0 for a dtype that is not known here.
size_t element_size(const std::string& dtype);
// "64 x 3", "a single number".
std::string shape_text(const std::vector<size_t>& shape);

// The file as bytes and back. `name` is for the message. Throws BadInput, one line with the file and what is wrong.
std::string encode(const TensorFile& file);
TensorFile decode(const std::string& bytes, const std::string& name);

// Writes beside the file, then renames: a reader sees the old file or the new one, never a half. Throws LostOutput.
void write_safetensors(const std::string& path, const TensorFile& file);
TensorFile read_safetensors(const std::string& path);

// --- archives --------------------------------------------------------------------------------------------------

template <class T>
concept Number = std::is_arithmetic_v<T>;
template <class T>
concept Dense = std::is_base_of_v<Eigen::PlainObjectBase<T>, T>;  // Mat and any other Eigen array or matrix

// A matrix whose number of columns may be another in the file: a store that grows. Loading resizes it.
template <class M>
struct AnyColumns {
  M& matrix;
};

template <Number T>
constexpr const char* dtype_of() {
  if constexpr (std::same_as<T, bool>) return "BOOL";
  else if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? "F32" : "F64";
  else if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 1 ? "I8" : sizeof(T) == 2 ? "I16" : sizeof(T) == 4 ? "I32" : "I64";
  else return sizeof(T) == 1 ? "U8" : sizeof(T) == 2 ? "U16" : sizeof(T) == 4 ? "U32" : "U64";
}

// Walks through x and hands every block of numbers to ar.numbers(name, shape, values in row-major order).
template <class Ar, class T>
void walk(Ar& ar, const std::string& name, T& x) {
  if constexpr (Number<T>) {
    ar.numbers(name, {}, std::span<T>(&x, 1));
  } else if constexpr (requires { x.matrix.cols(); }) {
    if constexpr (Ar::loads) {
      auto loaded = x.matrix;
      loaded.resize(loaded.rows(), ar.columns(name));
      walk(ar, name, loaded);
      if (ar.writes) x.matrix = loaded;
    } else {
      walk(ar, name, x.matrix);
    }
  } else if constexpr (Dense<T>) {
    using RowMajor = Eigen::Array<typename T::Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    RowMajor rows = x.array();  // numpy sees W[i, j] as we do
    ar.numbers(name, {static_cast<size_t>(x.rows()), static_cast<size_t>(x.cols())},
               std::span(rows.data(), rows.size()));
    if constexpr (Ar::loads) x.array() = rows;
  } else if constexpr (std::same_as<T, std::string>) {
    ar.text(name, x);
  } else if constexpr (std::same_as<T, std::vector<bool>>) {
    Eigen::Array<bool, Eigen::Dynamic, 1> bits(x.size());
    std::copy(x.begin(), x.end(), bits.data());
    ar.numbers(name, {x.size()}, std::span(bits.data(), x.size()));
    if constexpr (Ar::loads) std::copy(bits.data(), bits.data() + x.size(), x.begin());
  } else if constexpr (requires { x.io(ar); }) {
    ar.nested(name, x);
  } else if constexpr (Number<std::remove_reference_t<decltype(*std::begin(x))>>) {
    ar.numbers(name, {std::size(x)}, std::span(std::data(x), std::size(x)));
  } else {
    size_t i = 0;
    for (auto& item : x) walk(ar, name + "." + std::to_string(i++), item);
  }
}

// What both directions share: the names of nested members are joined by dots. A member without a name has its parent's:
// a Param in a file is layers.0.W, not layers.0.W.value.
template <class Ar>
struct Archive {
  template <class T>
  void operator()(const std::string& name, T& x) {
    const bool unnamed = name.empty() && !prefix.empty();
    walk(static_cast<Ar&>(*this), unnamed ? prefix.substr(0, prefix.size() - 1) : prefix + name, x);
  }
  template <class T>
  void nested(const std::string& name, T& x) {
    const std::string outer = std::exchange(prefix, name + ".");
    x.io(static_cast<Ar&>(*this));
    prefix = outer;
  }

 private:
  std::string prefix;
};

struct SaveArchive : Archive<SaveArchive> {
  static constexpr bool loads = false;
  TensorFile file;

  // Only reads its values: const objects may pass through a non-const io.
  template <Number T>
  void numbers(const std::string& name, const std::vector<size_t>& shape, std::span<const T> values) {
    put(name, {dtype_of<T>(), shape, bytes_of(values)});
  }
  template <Number T>
  void numbers(const std::string& name, const std::vector<size_t>& shape, std::span<T> values) {
    numbers(name, shape, std::span<const T>(values));
  }
  void text(const std::string& name, const std::string& x) { put(name, {"U8", {x.size()}, {x.begin(), x.end()}}); }

 private:
  template <class T>
  static std::vector<unsigned char> bytes_of(std::span<const T> values) {
    const unsigned char* first = reinterpret_cast<const unsigned char*>(values.data());
    return {first, first + values.size_bytes()};
  }
  void put(const std::string& name, Tensor tensor);  // two members of one name are a mistake in io: std::logic_error
};

// Compares the file with the objects (writes = false), or copies it into them (writes = true).
struct LoadArchive : Archive<LoadArchive> {
  static constexpr bool loads = true;
  LoadArchive(const std::string& path, const TensorFile& file, bool writes) : writes(writes), path(path), file(file) {}

  // The shape has to agree; F32 and F64 are converted into each other, every other dtype has to agree too.
  template <Number T>
  void numbers(const std::string& name, const std::vector<size_t>& shape, std::span<T> values) {
    const Tensor& tensor = find(name, dtype_of<T>(), shape);
    if constexpr (std::same_as<T, float>) {
      if (tensor.dtype == "F64") return convert<double>(name, tensor, values);
    } else if constexpr (std::same_as<T, double>) {
      if (tensor.dtype == "F32") return convert<float>(name, tensor, values);
    }
    if (writes) std::copy(tensor.bytes.begin(), tensor.bytes.end(), reinterpret_cast<unsigned char*>(values.data()));
  }
  void text(const std::string& name, std::string& x);
  void check_left_over() const;  // every tensor of the file was asked for
  Eigen::Index columns(const std::string& name) const;  // of a matrix in the file; 0 if there is none of this name

  const bool writes;

 private:
  std::string path;
  const TensorFile& file;
  std::set<std::string> seen;
  const Tensor& find(const std::string& name, const std::string& dtype, const std::vector<size_t>& shape);
  const Tensor& find(const std::string& name);
  [[noreturn]] void refuse(const std::string& name, const std::string& reason) const;

  template <class From, class To>
  void convert(const std::string& name, const Tensor& tensor, std::span<To> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      From from;
      std::copy_n(tensor.bytes.data() + i * sizeof from, sizeof from, reinterpret_cast<unsigned char*>(&from));
      const To to = static_cast<To>(from);
      if (std::isfinite(from) && !std::isfinite(to))
        refuse(name, "holds a number beyond the range of " + std::string(dtype_of<To>()));
      if (writes) values[i] = to;
    }
  }
};

// Writes every member that object.io lists. Throws LostOutput.
template <class T>
void save_networks(const std::string& path, const T& object, const std::map<std::string, std::string>& metadata = {}) {
  SaveArchive archive;
  archive.file.metadata = metadata;
  const_cast<T&>(object).io(archive);  // one io for both directions; a SaveArchive writes to nothing
  write_safetensors(path, archive.file);
}

// Copies a file into the object. Throws BadInput, one line that names the file and the mismatch; the object is then as
// it was. An io that refuses the numbers themselves throws std::invalid_argument, and gets the file's name.
template <class T>
void load_members(const std::string& path, const TensorFile& file, T& object) {
  LoadArchive check(path, file, false), load(path, file, true);
  object.io(check);
  check.check_left_over();
  try {
    object.io(load);
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(path + ": " + e.what());
  }
}

// Reads back what save_networks wrote. Throws BadInput as load_members does.
template <class T>
void load_networks(const std::string& path, T& object) {
  load_members(path, read_safetensors(path), object);
}

struct FiniteArchive : Archive<FiniteArchive> {
  static constexpr bool loads = false;
  template <Number T>
  void numbers(const std::string& name, const std::vector<size_t>&, std::span<T> values) {
    for (const T x : values)
      if (!std::isfinite(double(x))) throw NotFinite(name + " holds a NaN or an infinity: another --load?");
  }
  void text(const std::string&, const std::string&) {}
};

// Throws NotFinite with the name of a member that object.io lists and that is not finite.
template <class T>
void check_all_finite(T& object) {
  FiniteArchive archive;
  object.io(archive);
}

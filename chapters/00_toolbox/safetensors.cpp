// The only file that sees nlohmann-json.
//
// A file is: the header's length (8 bytes, little-endian), the header (JSON), the data.
//   {"__metadata__": {"env": "cartpole"}, "pi.0.W": {"dtype": "F32", "shape": [64, 3], "data_offsets": [0, 768]}}
#include "chapters/00_toolbox/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "chapters/00_toolbox/errors.h"  // BadInput
#include "chapters/00_toolbox/files.h"   // read_bytes, write_beside, put_in_place

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");

namespace {

using Json = nlohmann::json;
constexpr size_t longest_header = 100'000'000;  // as in the reference implementation

}  // namespace

size_t element_size(const std::string& dtype) {
  static const std::map<std::string, size_t> sizes = {{"F64", 8}, {"F32", 4}, {"I64", 8}, {"I32", 4},
                                                      {"I16", 2}, {"I8", 1},  {"U64", 8}, {"U32", 4},
                                                      {"U16", 2}, {"U8", 1},  {"BOOL", 1}};
  const auto known = sizes.find(dtype);
  return known == sizes.end() ? 0 : known->second;
}

std::string shape_text(const std::vector<size_t>& shape) {
  return shape.empty() ? "a single number" : shape.size() == 1 ? "of length " + to_text(shape[0]) : join(shape, " x ");
}

// --- writing ---------------------------------------------------------------------------------------------------

std::string encode(const TensorFile& file) {
  Json header = Json::object();
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const size_t begin = data.size();
    data.append(tensor.bytes.begin(), tensor.bytes.end());
    header[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of 8 bytes
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text + data;
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  const std::string beside = path + "." + to_text(getpid()) + ".tmp";
  write_beside(path, beside, encode(file));
  put_in_place(path, beside);
}

// --- reading ---------------------------------------------------------------------------------------------------

namespace {

// Parses the header; a name that occurs twice and deep nesting are refused, which plain parsing lets through.
Json parse_header(const std::string& text) {
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const Json::parser_callback_t watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > 8) throw BadInput("the header is nested too deeply");
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
      throw BadInput("the header names '" + value.get<std::string>() + "' twice");
    return true;
  };
  if (text.empty() || text[0] != '{') throw BadInput("the header is not a JSON object");
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception&) {
    throw BadInput("the header is not valid JSON");
  }
}

std::vector<size_t> whole_numbers(const Json& entry, const char* key, const std::string& name) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) throw BadInput(name + " has no " + key);
  std::vector<size_t> numbers;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned()) throw BadInput(name + ": " + key + " holds something that is not a whole number");
    numbers.push_back(item.get<size_t>());
  }
  return numbers;
}

struct Placed {
  size_t begin, end;
  Tensor tensor;
};

// One entry of the header. Its size is checked against its offsets, not yet against the other entries.
Placed read_entry(const Json& entry, const std::string& name) {
  if (!entry.is_object()) throw BadInput(name + " is not described by an object");
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) throw BadInput(name + " has no dtype");
  const std::vector<size_t> offsets = whole_numbers(entry, "data_offsets", name);
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    throw BadInput(name + ": data_offsets are not a begin and an end");

  Placed placed{offsets[0], offsets[1], {*dtype, whole_numbers(entry, "shape", name), {}}};
  size_t size = element_size(placed.tensor.dtype);
  if (size == 0) throw BadInput(name + " has the dtype " + placed.tensor.dtype + ", which is not supported");
  for (const size_t side : placed.tensor.shape)
    if (__builtin_mul_overflow(size, side, &size)) throw BadInput(name + ": the shape is too large");
  if (size != placed.end - placed.begin)
    throw BadInput(name + ": " + placed.tensor.dtype + " " + shape_text(placed.tensor.shape) + " needs " +
                   to_text(size) + " bytes, data_offsets give " + to_text(placed.end - placed.begin));
  return placed;
}

void read_metadata(const Json& entry, TensorFile& file) {
  if (!entry.is_object()) throw BadInput("__metadata__ is not an object");
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) throw BadInput("__metadata__ holds something that is not a text");
    file.metadata[key] = value;
  }
}

TensorFile decode_or_throw(const std::string& bytes) {
  uint64_t length = 0;
  if (bytes.size() < 8) throw BadInput("the file ends within the header's length");
  std::memcpy(&length, bytes.data(), 8);
  if (length > longest_header) throw BadInput("a header of " + to_text(length) + " bytes is not believable");
  if (length > bytes.size() - 8) throw BadInput("the file ends within the header");
  const Json header = parse_header(bytes.substr(8, length));
  const size_t data = 8 + length, data_size = bytes.size() - data;

  TensorFile file;
  std::map<std::pair<size_t, size_t>, std::string> order;  // where a tensor lies -> its name
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      read_metadata(entry, file);
      continue;
    }
    Placed placed = read_entry(entry, name);
    if (placed.end > data_size) throw BadInput(name + " lies beyond the end of the file");
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(data + placed.begin);
    placed.tensor.bytes.assign(at, at + static_cast<std::ptrdiff_t>(placed.end - placed.begin));
    const bool truth = placed.tensor.dtype == "BOOL";
    if (truth && std::any_of(placed.tensor.bytes.begin(), placed.tensor.bytes.end(), [](auto b) { return b > 1; }))
      throw BadInput(name + ": a BOOL is neither 0 nor 1");
    if (!order.emplace(std::pair(placed.begin, placed.end), name).second && placed.begin != placed.end)
      throw BadInput(name + " overlaps " + order[{placed.begin, placed.end}]);
    file.tensors[name] = std::move(placed.tensor);
  }
  size_t end = 0;
  for (const auto& [place, name] : order) {
    if (place.first < end) throw BadInput(name + " overlaps another tensor");
    if (place.first > end) throw BadInput("there is a gap before " + name);
    end = place.second;
  }
  if (end != data_size) throw BadInput(to_text(data_size - end) + " bytes after the last tensor");
  return file;
}

}  // namespace

TensorFile decode(const std::string& bytes, const std::string& name) {
  try {
    return decode_or_throw(bytes);
  } catch (const BadInput& e) {
    throw BadInput(one_line(name + ": not a safetensors file: " + e.what()));
  }
}

TensorFile read_safetensors(const std::string& path) { return decode(read_bytes(path), path); }

// --- archives --------------------------------------------------------------------------------------------------

void SaveArchive::put(const std::string& name, Tensor tensor) {
  if (!file.tensors.emplace(name, std::move(tensor)).second) throw std::logic_error("io names " + name + " twice");
}

void LoadArchive::refuse(const std::string& name, const std::string& reason) const {
  throw BadInput(one_line(path + ": " + name + " " + reason));
}

const Tensor& LoadArchive::find(const std::string& name) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) refuse(name, "is missing");
  seen.insert(name);
  return found->second;
}

const Tensor& LoadArchive::find(const std::string& name, const std::string& dtype, const std::vector<size_t>& shape) {
  const Tensor& tensor = find(name);
  const bool floats = (dtype == "F32" || dtype == "F64") && (tensor.dtype == "F32" || tensor.dtype == "F64");
  if (tensor.dtype != dtype && !floats) refuse(name, "is " + tensor.dtype + " in the file, " + dtype + " here");
  if (tensor.shape != shape)
    refuse(name, "is " + shape_text(tensor.shape) + " in the file, " + shape_text(shape) + " here");
  return tensor;
}

void LoadArchive::text(const std::string& name, std::string& x) {
  const Tensor& tensor = find(name);
  if (tensor.dtype != "U8" || tensor.shape.size() != 1) refuse(name, "is not a text in the file");
  if (writes) x.assign(tensor.bytes.begin(), tensor.bytes.end());
}

Eigen::Index LoadArchive::columns(const std::string& name) const {
  const auto found = file.tensors.find(name);
  return found == file.tensors.end() || found->second.shape.size() != 2 ? 0 : Eigen::Index(found->second.shape[1]);
}

void LoadArchive::check_left_over() const {
  for (const auto& [name, tensor] : file.tensors)
    if (!seen.contains(name)) refuse(name, "is in the file, but not here");
}

// What tests of files and messages share.
#pragma once

#include "tests/catch.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <unistd.h>

namespace fs = std::filesystem;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

inline bool same_to(double a, double b, double relative = 1e-12) { return std::abs(a - b) <= relative * std::abs(b); }
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A directory of its own for each test, gone afterwards.
struct Scratch {
  fs::path path;
  explicit Scratch(const fs::path& parent = fs::temp_directory_path()) {
    std::string pattern = (parent / "toolbox-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Scratch() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
  size_t files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(path), {})); }
};

inline std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
inline void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// What goes to a standard stream while this lives.
struct Capture {
  int stream, before;
  std::FILE* file = std::tmpfile();
  explicit Capture(int stream) : stream(stream), before(dup(stream)) {
    std::fflush(nullptr);
    dup2(fileno(file), stream);
  }
  std::string text() const {
    std::fflush(nullptr);
    std::string all(static_cast<size_t>(lseek(fileno(file), 0, SEEK_END)), ' ');
    CHECK(pread(fileno(file), all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
    return all;
  }
  ~Capture() {
    std::fflush(nullptr);
    dup2(before, stream);
    close(before);
    std::fclose(file);
  }
};

// The text of the E that `body` throws, "" if it throws nothing; it has to be one line.
template <class E, class Body>
std::string message(Body body) {
  try {
    body();
  } catch (const E& e) {
    CHECK_FALSE(contains(e.what(), "\n"));
    return e.what();
  }
  return "";
}

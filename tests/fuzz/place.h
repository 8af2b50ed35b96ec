// What fuzzers share: a directory, in memory where that is possible, and what a message has to be.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

struct Place {
  std::string path;
  Place() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    path = (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/fuzz-XXXXXX";
    if (!mkdtemp(path.data())) std::abort();
  }
  ~Place() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
  }
};

// A good example for the fuzzer to begin with, into the corpus that the command line names last.
inline void add_to_corpus(int argc, char** argv, const std::string& name, const std::string& bytes) {
  if (std::filesystem::is_directory(argv[argc - 1]))
    std::ofstream(argv[argc - 1] + ("/" + name), std::ios::binary) << bytes;
}

inline void check_one_line(const std::exception& e) {
  if (std::strchr(e.what(), '\n')) std::abort();
}

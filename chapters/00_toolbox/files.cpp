#include "chapters/00_toolbox/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "chapters/00_toolbox/errors.h"  // BadInput, LostOutput

namespace fs = std::filesystem;

std::string read_bytes(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw BadInput(path + ": there is no such file");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!fs::is_regular_file(path, ignored) || !file) throw BadInput(path + ": cannot be read");
  bytes << file.rdbuf();
  return bytes.str();
}

void write_beside(const std::string& path, const std::string& beside, const std::string& bytes) {
  const int out = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  bool written = out >= 0;
  for (size_t at = 0; written && at < bytes.size();) {
    const ssize_t n = write(out, bytes.data() + at, bytes.size() - at);
    if (n > 0) at += static_cast<size_t>(n);
    else if (n == 0 || errno != EINTR) written = false;
  }
  written = written && fsync(out) == 0;
  int error = errno;
  if (out >= 0 && close(out) != 0 && written) written = false, error = errno;
  if (written) return;
  if (out >= 0) unlink(beside.c_str());
  throw LostOutput(path + ": cannot be written: " + std::strerror(error));
}

void put_in_place(const std::string& path, const std::string& beside) {
  if (std::rename(beside.c_str(), path.c_str()) == 0) return sync_directory_of(path);
  const int error = errno;
  unlink(beside.c_str());
  throw LostOutput(path + ": cannot be written: " + std::strerror(error));
}

void sync_directory_of(const std::string& path) {
  const int directory = open(fs::absolute(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  fsync(directory);
  close(directory);
}

std::string hex16(std::uint64_t x) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(x));
  return digits;
}

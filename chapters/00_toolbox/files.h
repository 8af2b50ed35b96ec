// Whole files: read, and replaced so that a crash leaves the old one or the new one; checksums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Throws BadInput, one line that names the file.
std::string read_bytes(const std::string& path);

// Puts `bytes` on the disk as the file `beside`, which is to become `path` by put_in_place. A reader of `path` sees the
// old file or the new one, never a half. Both throw LostOutput; `beside` is then gone, `path` as it was.
void write_beside(const std::string& path, const std::string& beside, const std::string& bytes);
void put_in_place(const std::string& path, const std::string& beside);

// Puts the names in the file's directory on the disk, where the file system can.
void sync_directory_of(const std::string& path);

// FNV-1a, 64 bits, of `bytes` behind those that gave `before`. Every changed byte changes it, if it is the only one.
constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t before = 0xcbf29ce484222325) {
  for (const unsigned char byte : bytes) before = (before ^ byte) * 0x100000001b3;
  return before;
}
std::string hex16(std::uint64_t x);  // 16 digits

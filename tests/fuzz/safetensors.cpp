// make fuzz: whatever the bytes, decode() throws BadInput in one line or returns tensors that encode() writes again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "chapters/00_toolbox/errors.h"       // BadInput
#include "chapters/00_toolbox/safetensors.h"  // decode, encode

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const TensorFile file = decode(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    const TensorFile again = decode(encode(file), "again");
    if (again.tensors.size() != file.tensors.size() || again.metadata != file.metadata) std::abort();
    for (const auto& [name, tensor] : file.tensors)
      if (again.tensors.at(name).bytes != tensor.bytes || again.tensors.at(name).shape != tensor.shape) std::abort();
  } catch (const BadInput& e) {
    if (std::string(e.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}

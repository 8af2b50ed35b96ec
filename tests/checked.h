// The checks of a .cu file as assertions of a test.
#pragma once
#include "chapters/15_cuda/cuda.h"  // Checked
#include "tests/catch.h"

inline void check_each(const std::vector<Checked>& checks) {
  for (const Checked& c : checks) {
    INFO(c.what);
    CHECK(c.error < c.bound);
  }
}

#include "chapters/15_cuda/planner.cu"
#include "tests/catch.h"

TEST_CASE("the planner's kernels on the CPU: returns, elites and refit are those of chapters 03 and 04", "[15]") {
  for (const Checked& c : check()) {
    INFO(c.what);
    CHECK(c.error < c.bound);
  }
}

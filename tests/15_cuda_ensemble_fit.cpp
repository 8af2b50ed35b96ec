// The kernels of the ensemble's training against chapter 04, run by the emulation of chapters/15_cuda/on_cpu.h.
#include "chapters/15_cuda/ensemble_fit.cu"
#include "tests/catch.h"

namespace {

template <class P, class S> void check_all(const std::string& product, const FitSizes& sizes) {
  for (const Checked& c : check_fit<P, S>(product, sizes)) {
    INFO(c.what);
    CHECK(c.error < c.bound);
  }
}

}  // namespace

// Sizes that fill no tile, and a last batch that is smaller than the others.
TEST_CASE("An epoch of the ensemble on the device is that of chapter 04: loss, moments, parameters", "[15]") {
  const FitSizes odd{2, 5, 3, 45, 2, 37, 90, 64}, small{3, 2, 1, 9, 1, 70, 90, 32};
  check_all<Naive, Naive>("naive", small);
  check_all<Tiled<40, 64, 4, 4>, Step>("tiled 40 x 64", odd);
  check_all<Tiled<40, 64, 8, 8>, Step>("8 x 8 a thread", small);
}

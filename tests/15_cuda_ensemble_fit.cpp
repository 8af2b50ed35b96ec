// The kernels of the ensemble's training against chapter 04, run by the emulation of chapters/15_cuda/on_cpu.h.
#include "chapters/15_cuda/ensemble_fit.cu"
#include "tests/checked.h"  // check_each

// Sizes that fill no tile, and a last batch that is smaller than the others.
TEST_CASE("An epoch of the ensemble on the device is that of chapter 04: loss, moments, parameters", "[15]") {
  const FitSizes odd{2, 5, 3, 45, 2, 37, 90, 64}, small{3, 2, 1, 9, 1, 70, 90, 32};
  check_each(check_fit<Naive, Naive>("naive", small));
  check_each(check_fit<Tiled<40, 64, 4, 4>, Step>("tiled 40 x 64", odd));
  check_each(check_fit<Tiled<40, 64, 8, 8>, Step>("8 x 8 a thread", small));
}

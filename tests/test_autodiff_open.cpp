// Claims of the declarations that do not hold yet.
#include "tests/gradient_check.h"

TEST_CASE("a number behind the loss has zero gradient, even after the backward of a later loss", "[autodiff]") {
  Tape tape;
  const Var x = tape.input(Mat::Constant(1, 1, 3)), a = square(x), b = 5 * a, c = 2 * b;
  tape.backward(c);
  CHECK(b.grad()(0, 0) == 2);
  tape.backward(a);
  CHECK(x.grad()(0, 0) == 6);
  CHECK(b.grad()(0, 0) == 0);
}

TEST_CASE("uniform draws of [low, high) stay below high", "[autodiff]") {
  Rng rng;
  const std::array<std::uint64_t, 4> largest_bits = {~0ull, 0, 0, 1};  // the next bits() is 2^64 - 1
  rng.state = largest_bits;
  CHECK(rng.uniform(1.0, 2.0) < 2);
  rng.state = largest_bits;
  CHECK(rng.uniform(1, 1, 1, 2)(0) < 2);
}

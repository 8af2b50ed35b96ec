// The one random number generator: xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64.
// Plain state, splittable. Bits and uniform draws are the same on every machine; normal ones to rounding, which depends
// on the processor that is compiled for.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>
#include "autodiff/mat.h"

struct Rng {
  std::array<std::uint64_t, 4> state;

  explicit Rng(std::uint64_t seed = 0) {
    for (std::uint64_t& word : state) word = splitmix(seed);
  }

  // 64 random bits.
  std::uint64_t bits() {
    const std::uint64_t result = std::rotl(state[0] + state[3], 23) + state[0], t = state[1] << 17;
    state[2] ^= state[0], state[3] ^= state[1], state[1] ^= state[2], state[0] ^= state[3];
    state[2] ^= t, state[3] = std::rotl(state[3], 45);
    return result;
  }

  // A generator of its own for a member, a thread or a worker; what follows here is another stream.
  Rng split() { return Rng(bits()); }

  // Uniform in [0, 1), 53 bits.
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  // Uniform between low and high; rounding may return high itself.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // Uniform in {0, ..., n - 1}, n >= 1, without bias (Lemire 2019: multiply, and draw again in the uneven part).
  std::uint64_t below(std::uint64_t n) {
    unsigned __int128 product = static_cast<unsigned __int128>(bits()) * n;
    if (std::uint64_t(product) < n)
      for (const std::uint64_t uneven = -n % n; std::uint64_t(product) < uneven;)
        product = static_cast<unsigned __int128>(bits()) * n;
    return std::uint64_t(product >> 64);
  }

  // One draw of N(0, 1): Box-Muller. 1 - uniform() lies in (0, 1], so the logarithm is finite.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  // One draw of N(0, 1) cut to [-bound, bound], by drawing again.
  double truncated_normal(double bound) {
    for (;;)
      if (const double z = normal(); std::abs(z) <= bound) return z;
  }

  // Fills x with independent draws: uniform between low and high, or N(0, 1).
  void fill_uniform(Mat& x, Real low, Real high) {
    for (Real& v : x.reshaped()) v = low + (high - low) * unit();
  }
  void fill_normal(Mat& x) {
    constexpr int block = 64;  // pairs at a time, so that the logarithms and cosines are vectorised
    Eigen::Array<Real, block, 1> u1, u2;
    for (Eigen::Index i = 0; i < x.size(); i += 2 * block) {
      for (int j = 0; j < block; ++j) u1[j] = 1 - unit(), u2[j] = unit();
      const Eigen::Array<Real, block, 1> radius = (-2 * u1.log()).sqrt(), angle = Real(2 * std::numbers::pi) * u2;
      const Eigen::Array<Real, block, 1> z1 = radius * angle.cos(), z2 = radius * angle.sin();
      const Eigen::Index n1 = std::min<Eigen::Index>(block, x.size() - i);
      const Eigen::Index n2 = std::min<Eigen::Index>(block, x.size() - i - n1);
      x.reshaped().segment(i, n1) = z1.head(n1);
      x.reshaped().segment(i + n1, n2) = z2.head(n2);
    }
  }
  Mat uniform(Eigen::Index rows, Eigen::Index cols, Real low, Real high) {
    Mat x(rows, cols);
    fill_uniform(x, low, high);
    return x;
  }
  Mat normal(Eigen::Index rows, Eigen::Index cols) {
    Mat x(rows, cols);
    fill_normal(x);
    return x;
  }

  // Puts the elements of x into a random order (Fisher and Yates).
  template <class T> void shuffle(std::vector<T>& x) {
    for (std::size_t i = x.size(); i > 1; --i) std::swap(x[i - 1], x[below(i)]);
  }

  template <class Ar> void io(Ar& ar) { ar("state", state); }

 private:
  static std::uint64_t splitmix(std::uint64_t& seed) {
    std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  Real unit() {  // [0, 1), as many bits as a Real holds: a double cast to float could round up to 1
    if constexpr (sizeof(Real) == 4) return Real(bits() >> 40) * 0x1p-24f;
    else return Real(uniform());
  }
};

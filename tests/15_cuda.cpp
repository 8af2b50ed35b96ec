// Random numbers by counter, the emulation of kernels on the CPU, and a layer's kernels against Eigen and the tape.
#include <set>
#include "autodiff/ops.h"
#include "chapters/15_cuda/affine.cu"
#include "tests/catch.h"
#include "tests/checked.h"  // check_each
#include "tests/statistics.h"

namespace {

bool same(const Words& a, const Words& b) { return std::equal(a.v, a.v + 4, b.v); }

template <class Draw> std::vector<double> draws(int n, const Draw& draw) {
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(draw(i));
  return x;
}

// ---- small kernels for the emulation ----

__global__ void reverse_block(const int* x, int* y, bool wait) {
  __shared__ int shared[64];
  shared[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  if (wait) __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
  __syncthreads();
}

__global__ void sum_block(const float* x, float* sum, float* total) {
  float* part = shared_memory<float>();
  float s = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) s += __shfl_down_sync(~0u, s, d);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x > 0) return;
  s = 0;
  for (int w = 0; w < int(blockDim.x) / 32; ++w) s += part[w];
  sum[blockIdx.x] = s;
  atomicAdd(total, s);
}

__global__ void read_dynamic(float* y) { y[threadIdx.x] = shared_memory<float>()[threadIdx.x]; }

__global__ void where(unsigned* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}

// A product whose last row reads one number too early: what a check has to find.
struct Misplaced : Separate<Naive> {
  template <class A, class B> static void product(A a, B b, float* c, int M, int N, int K) {
    launch(wrong<A, B>, tiles_of(M, N, 16), dim3(16, 16), 0, a, b, c, M, N, K);
  }
  template <class A, class B> static __global__ void wrong(A a, B b, float* c, int M, int N, int K) {
    const int m = blockIdx.x * blockDim.x + threadIdx.x, n = blockIdx.y * blockDim.y + threadIdx.y;
    if (m >= M || n >= N) return;
    float sum = 0;
    for (int k = 0; k < K; ++k) sum += a(m, k) * b(m == M - 1 && k > 0 ? k - 1 : k, n);
    c[n * M + m] = sum;
  }
};
// One that leaves the last column as it was.
struct Unfinished : Separate<Naive> {
  template <class A, class B> static void product(A a, B b, float* c, int M, int N, int K) {
    Separate<Naive>::product(a, b, c, M, N - 1, K);
  }
};

int failures(const std::vector<Checked>& checks) {
  return int(std::count_if(checks.begin(), checks.end(), [](const Checked& c) { return !c.ok(); }));
}

}  // namespace

// ---- Philox ----

TEST_CASE("Philox4x32-10 gives its published answers", "[15]") {
  CHECK(same(philox(Words{{0, 0, 0, 0}}, 0, 0), {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
  const std::uint32_t all = 0xffffffff;
  CHECK(same(philox(Words{{all, all, all, all}}, all, all), {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
  CHECK(same(philox(Words{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0),
             {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST_CASE("seed, stream and block have all their bits in Philox's key and counter", "[15]") {
  CHECK(same(philox(0x299f31d0a4093822ull, 0x0370734413198a2eull, 0x85a308d3243f6a88ull),
             {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST_CASE("a number at a position is the one in its block of four", "[15]") {
  for (int i = 0; i < 12; ++i) {
    CHECK(uniform_at(100, 3, i) == uniform4(100, 3, i / 4).v[i % 4]);
    CHECK(normal_at(100, 3, i) == normal4(100, 3, i / 4).v[i % 4]);
  }
}

TEST_CASE("Philox's uniform numbers are uniform in [0, 1), its normal ones normal", "[15]") {
  const int n = 200000;
  const std::vector<double> u = draws(n, [](int i) { return uniform_at(100, 0, i); });
  CHECK(*std::min_element(u.begin(), u.end()) >= 0);
  CHECK(*std::max_element(u.begin(), u.end()) < 1);
  CHECK(kolmogorov_smirnov(u, [](double x) { return x; }) < 2);
  const std::vector<double> z = draws(n, [](int i) { return normal_at(100, 1, i); });
  const SampleMoments m(z);
  CHECK(std::abs(m.mean) < 4 / std::sqrt(n));
  CHECK(std::abs(m.variance - 1) < 4 * std::sqrt(2.0 / n));
  CHECK(std::abs(m.skewness) < 4 * std::sqrt(6.0 / n));
  CHECK(std::abs(m.kurtosis - 3) < 4 * std::sqrt(24.0 / n));
  CHECK(kolmogorov_smirnov(z, normal_cdf) < 2);
}

TEST_CASE("neighbours in position, stream and seed are not correlated", "[15]") {
  const int n = 100000;
  for (const bool normal : {false, true}) {
    const auto at = [&](int seed, int stream, int shift) {
      return draws(n, [=](int i) {
        return normal ? normal_at(seed, stream, i + shift) : uniform_at(seed, stream, i + shift);
      });
    };
    const std::vector<double> x = at(100, 0, 0);
    for (int shift : {1, 2, 3, 4, 5}) CHECK(std::abs(correlation(x, at(100, 0, shift))) < 4);
    CHECK(std::abs(correlation(x, at(100, 1, 0))) < 4);
    CHECK(std::abs(correlation(x, at(101, 0, 0))) < 4);
  }
}

TEST_CASE("Box-Muller is finite for every word", "[15]") {
  for (const std::uint32_t w : {0u, 255u, 256u, 0x7fffffffu, 0xffffff00u, 0xffffffffu}) {
    float z1, z2;
    box_muller(w, 0xffffffffu, z1, z2);
    CHECK((std::isfinite(z1) && std::isfinite(z2)));
    CHECK(std::hypot(z1, z2) < 6);
  }
}

// ---- the emulation ----

TEST_CASE("every thread of every block runs once, in three dimensions", "[15]") {
  DeviceArray<unsigned> y(2 * 3 * 4 * 5 * 3 * 2);
  y.zero();
  launch(where, dim3(2, 3, 4), dim3(5, 3, 2), 0, y);
  CHECK(y.to_vector() == std::vector<unsigned>(y.size, 1));
}

TEST_CASE("threads wait for each other at a barrier; without one the result is wrong", "[15]") {
  std::vector<int> numbers(4 * 64), expected;
  std::iota(numbers.begin(), numbers.end(), 0);
  for (int b = 0; b < 4; ++b)
    for (int i = 63; i >= 0; --i) expected.push_back(64 * b + i);
  DeviceArray<int> x(numbers), y(numbers.size());
  launch(reverse_block, 4, 64, 0, x, y, true);
  CHECK(y.to_vector() == expected);
  launch(reverse_block, 4, 64, 0, x, y, false);
  CHECK(y.to_vector() != expected);
}

TEST_CASE("shuffles, dynamic shared memory and atomic sums", "[15]") {
  Rng rng(100);
  const Mat x = rng.uniform(128, 3, 0, 1);
  DeviceArray<float> on_device(x), sum(3), total(1);
  total.zero();
  launch(sum_block, 3, 128, 4 * sizeof(float), on_device, sum, total);
  CHECK(error_of(sum.to_mat(1, 3), x.colwise().sum()) < product_bound);
  CHECK(error_of(total.to_mat(1, 1), Mat::Constant(1, 1, x.sum())) < product_bound);
}

TEST_CASE("memory that nobody wrote is NaN, and a check says so", "[15]") {
  DeviceArray<float> y(32);
  CHECK(y.to_mat(8, 4).isNaN().all());
  CHECK(std::isinf(error_of(y.to_mat(8, 4), Mat::Ones(8, 4))));
  y.zero();
  launch(read_dynamic, 1, 32, 32 * sizeof(float), y);
  CHECK(y.to_mat(32, 1).isNaN().all());
}

TEST_CASE("a graph does again what was recorded", "[15]") {
  DeviceArray<unsigned> y(8);
  y.zero();
  Graph graph([&] { launch(where, 2, 4, 0, y), launch(where, 2, 4, 0, y); });
  graph.run(), graph.run();
  CHECK(y.to_vector() == std::vector<unsigned>(8, 4));
}

// ---- affine.cu ----

TEST_CASE("the CPU reference of a layer is the tape's value and gradient", "[15]") {
  Rng rng(100);
  for (const Act f : {Act::identity, Act::relu, Act::swish, Act::tanh}) {
    const Layer ref(7, 5, 9, f, rng);
    Tape tape;
    Param W, b, x;
    for (auto [p, value] : {std::pair{&W, &ref.W}, {&b, &ref.b}, {&x, &ref.x}})
      p->value = *value, p->grad.setZero(value->rows(), value->cols());
    const Var z = affine(W, tape.param(x), b);
    const Var y = f == Act::relu ? relu(z) : f == Act::swish ? swish(z) : f == Act::tanh ? tanh(z) : z;
    CHECK(error_of(ref.y, y.value()) < 1e-6);
    tape.backward(sum(y * ref.dy));
    CHECK(error_of(ref.dW, W.grad) < 1e-6);
    CHECK(error_of(ref.db, b.grad) < 1e-6);
    CHECK(error_of(ref.dx, x.grad) < 1e-6);
  }
}

TEST_CASE("each version of a layer computes what Eigen does, at odd sizes too", "[15]") {
  const std::vector<Checked> checks =
      check({{1, 1, 1}, {5, 3, 7}, {16, 16, 16}, {33, 17, 65}, {3, 130, 2}, {129, 9, 131}, {64, 8, 64}}, 100);
  CHECK(checks.size() == 7 * 4 * 8);
  check_each(checks);
}

TEST_CASE("a wrong index and an output that is left out are found", "[15]") {
  Rng rng(100);
  std::vector<Checked> checks;
  check_version<Misplaced>({5, 4, 3}, Act::relu, rng, checks);
  CHECK(failures(checks) >= 3);
  checks.clear();
  check_version<Unfinished>({5, 4, 3}, Act::relu, rng, checks);
  CHECK(failures(checks) >= 3);
}

TEST_CASE("a layer's versions keep NaN: a broken network does not look sound", "[15]") {
  Rng rng(100);
  Layer ref(5, 4, 3, Act::relu, rng);
  ref.x(2, 1) = std::numeric_limits<Real>::quiet_NaN();
  DeviceLayer l(ref);
  for (const auto forward :
       {Separate<Naive>::forward, Separate<Tiled>::forward, Fused<4>::forward, Fused<8>::forward}) {
    l.y.poison();
    forward(l);
    const Mat y = l.y.to_mat(5, 3);
    CHECK(y.col(1).isNaN().all());
    CHECK((y.col(0).isFinite().all() && y.col(2).isFinite().all()));
  }
}

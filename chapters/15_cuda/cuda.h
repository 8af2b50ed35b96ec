// What every .cu file of the chapter needs: arrays on the device, checks against the CPU, timing. A .cu file is written
// once and read by two compilers: nvcc makes the program, and a plain C++ compiler its test (on_cpu.h).
#pragma once
#ifdef __CUDACC__
#include "chapters/15_cuda/on_gpu.h"
#else
#include "chapters/15_cuda/on_cpu.h"
#endif
#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include "autodiff/mat.h"
#include "chapters/15_cuda/philox.h"

static_assert(std::is_same_v<Real, float>, "the kernels compute in float");

// n numbers in the device's memory. A new array is poisoned, so that no kernel passes by luck. A Mat lies in it column
// by column: element (i, j) is data[j * rows + i], and a sample is contiguous.
template <class T> struct DeviceArray {
  T* data = nullptr;
  std::size_t size = 0;

  DeviceArray() = default;
  explicit DeviceArray(std::size_t n) : data(static_cast<T*>(device_malloc(n * sizeof(T)))), size(n) { poison(); }
  explicit DeviceArray(const std::vector<T>& x) : DeviceArray(x.size()) { upload(x.data()); }
  explicit DeviceArray(const Mat& x) requires std::is_same_v<T, float> : DeviceArray(x.size()) { upload(x.data()); }
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data, other.data), std::swap(size, other.size);
    return *this;
  }
  ~DeviceArray() {
    if (data) device_free(data);
  }
  operator T*() const { return data; }

  void poison() { device_fill(data, 0xFF, size * sizeof(T)); }  // NaN in every float
  void zero() { device_fill(data, 0, size * sizeof(T)); }
  void upload(const T* from) { ::upload(data, from, size * sizeof(T)); }
  void upload(const Mat& from) {
    eigen_assert(std::size_t(from.size()) == size);
    upload(from.data());
  }
  std::vector<T> to_vector() const {
    std::vector<T> x(size);
    download(x.data(), data, size * sizeof(T));
    return x;
  }
  Mat to_mat(Eigen::Index rows, Eigen::Index cols) const {
    eigen_assert(std::size_t(rows * cols) == size);
    Mat x(rows, cols);
    download(x.data(), data, size * sizeof(T));
    return x;
  }
};

HOST_DEVICE inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

// ---- Checks: a kernel's result against the CPU's ----

// max|x - ref| / max|ref|; infinity if any element of x is NaN or infinite, which poison shows.
inline double error_of(const Mat& x, const Mat& ref) {
  if (x.rows() != ref.rows() || x.cols() != ref.cols() || !x.isFinite().all())
    return std::numeric_limits<double>::infinity();
  return double((x - ref).abs().maxCoeff()) / std::max(double(ref.abs().maxCoeff()), 1e-30);
}

struct Checked {
  std::string what;
  double error, bound;
  bool ok() const { return error < bound; }
};

constexpr double product_bound = 1e-5, pass_bound = 1e-4;  // of one product; of a forward or backward pass

// One line for each; true if all are within their bounds. For main: `if (!report(check())) return 1;`.
inline bool report(const std::vector<Checked>& checks) {
  bool all = true;
  for (const Checked& c : checks) {
    std::printf("%s %-60s error %.1e, allowed %.0e\n", c.ok() ? "✓" : "✗", c.what.c_str(), c.error, c.bound);
    all = all && c.ok();
  }
  return all;
}

// ---- Timing ----

// The median time of `run` in ms, launches included, after warming up. Each repetition is `inner` runs, which should
// take a few ms together.
template <class F> float median_ms(const F& run, int repetitions = 21, int inner = 10) {
  DeviceTimer watch;
  std::vector<float> ms;
  for (int r = -2; r < repetitions; ++r) {
    watch.start();
    for (int i = 0; i < inner; ++i) run();
    const float elapsed = watch.stop_ms();
    if (r >= 0) ms.push_back(elapsed / inner);
  }
  std::nth_element(ms.begin(), ms.begin() + ms.size() / 2, ms.end());
  return ms[ms.size() / 2];
}

#ifdef __CUDACC__
// name, ms, and the share of what the device can do: of its float32 rate for `flop` operations, of its memory's for
// `bytes`.
inline void print_time(const Device& device, const std::string& name, double ms, double flop, double bytes) {
  std::printf("%-40s %9.4f ms %7.2f TFLOP/s %5.1f %% of float32 %6.0f GB/s %5.1f %% of memory\n", name.c_str(), ms,
              flop / ms / 1e9, 100 * flop / ms * 1e3 / device.float_rate, bytes / ms / 1e6,
              100 * bytes / ms * 1e3 / device.bandwidth);
}
#endif

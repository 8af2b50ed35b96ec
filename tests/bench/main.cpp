// make bench: speed, printed as a table. Nothing is judged here, and no test depends on time.
// `build/bench pets` prints one group only.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include "tests/bench/bench.h"
#ifdef _OPENMP
#include <omp.h>
#endif

void use_threads([[maybe_unused]] int n) {
#ifdef _OPENMP
  omp_set_num_threads(n);
#endif
}

static double seconds(const std::function<void()>& f, long calls) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < calls; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<double> time_in_turn(const std::vector<std::function<void()>>& functions) {
  constexpr int blocks = 5;
  constexpr double block_seconds = 0.5;
  std::vector<long> calls;
  for (const auto& f : functions) {  // warm up, and find how many calls fill a block
    long n = 1;
    double t = seconds(f, n);
    while (t < block_seconds / 4) t = seconds(f, n *= 2);
    calls.push_back(long(n * block_seconds / t * 1.1) + 1);
  }
  std::vector<std::vector<double>> ms(functions.size());
  for (int block = 0; block < blocks; ++block)
    for (std::size_t i = 0; i < functions.size(); ++i)
      ms[i].push_back(1e3 * seconds(functions[i], calls[i]) / calls[i]);
  std::vector<double> medians;
  for (auto& times : ms) {
    std::sort(times.begin(), times.end());
    medians.push_back(times[blocks / 2]);
  }
  return medians;
}

void print_header() { std::puts("name,threads,median_ms,gemm_ms,ratio,libtorch_ms,steps_per_s,mujoco_steps_per_s"); }

void print(const BenchRow& row) {
  const auto cell = [](std::optional<double> x) {
    char text[32] = "";
    if (x) std::snprintf(text, sizeof text, "%.4g", *x);
    return std::string(text);
  };
  const std::optional<double> ratio = row.gemm_ms ? std::optional(row.median_ms / *row.gemm_ms) : std::nullopt;
  std::printf("%s,%d,%s,%s,%s,%s,%s,%s\n", row.name.c_str(), row.threads, cell(row.median_ms).c_str(),
              cell(row.gemm_ms).c_str(), cell(ratio).c_str(), cell(row.libtorch_ms).c_str(),
              cell(row.steps_per_s).c_str(), cell(row.mujoco_steps_per_s).c_str());
  std::fflush(stdout);
}

int main(int argc, char** argv) {
  const std::string group = argc > 1 ? argv[1] : "";
  print_header();
  if (group.empty() || group == "autodiff") bench_autodiff();
  if (group.empty() || group == "envs") bench_envs();
  if (group.empty() || group == "pets") bench_pets();
  if (group.empty() || group == "sac") bench_sac();
  if (group.empty() || group == "mbpo") bench_mbpo();
  if (group.empty() || group == "maac") bench_maac();
}

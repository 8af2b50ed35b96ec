// Timing for `make bench`. The measure is the ratio of a training step to its matrix products alone, timed in turn.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

// The median time of one call of each function in ms, from 5 blocks of at least 0.5 s each, the functions in turn so
// that a change of the machine's speed meets all of them.
std::vector<double> time_in_turn(const std::vector<std::function<void()>>& functions);

// One line of the table; what does not apply stays empty.
struct BenchRow {
  std::string name;
  int threads = 1;
  double median_ms = 0;
  std::optional<double> gemm_ms, libtorch_ms, steps_per_s, mujoco_steps_per_s;
};
void print_header();
void print(const BenchRow& row);

// One training step (forward, backward, Adam, mean squared error) of an MLP in LibTorch, eager, one thread.
// Empty where LibTorch is not installed.
std::function<void()> libtorch_mlp_step(const std::vector<int>& sizes, bool swish, int batch);

void bench_autodiff();
void bench_envs();

// Timing for `make bench`. The measure is the ratio of a training step to its matrix products alone, timed in turn.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include "autodiff/rng.h"

// The median time of one call of each function in ms, from 5 blocks of at least 0.5 s each, the functions in turn so
// that a change of the machine's speed meets all of them.
std::vector<double> time_in_turn(const std::vector<std::function<void()>>& functions);

void use_threads(int n);

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

// The same for `members` networks one after another, and the forward pass of `steps` batches through each.
std::function<void()> libtorch_ensemble_plan(const std::vector<int>& sizes, int members, int batch, int steps);

// The matrix products that an MLP cannot do without.
struct Products {
  struct Layer {
    Mat W, dW, x, dx, dy, y;
  };
  std::vector<Layer> layers;

  Products(const std::vector<int>& sizes, int batch) {
    Rng rng(1);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const int in = sizes[i], out = sizes[i + 1];
      layers.push_back({rng.normal(out, in), Mat(out, in), rng.normal(in, batch), Mat(in, batch),
                        rng.normal(out, batch), Mat(out, batch)});
    }
  }
  void forward() {  // y = W x
    for (Layer& l : layers) l.y.matrix().noalias() = l.W.matrix() * l.x.matrix();
  }
  void backward() {  // dW = dy x^T, and dx = W^T dy except for the input
    for (std::size_t i = layers.size(); i-- > 0;) {
      Layer& l = layers[i];
      l.dW.matrix().noalias() = l.dy.matrix() * l.x.matrix().transpose();
      if (i > 0) l.dx.matrix().noalias() = l.W.matrix().transpose() * l.dy.matrix();
    }
  }
  void training_step() { forward(), backward(); }
  void input_gradient() {  // dx = W^T dy down to the input, the weights frozen
    for (std::size_t i = layers.size(); i-- > 0;)
      layers[i].dx.matrix().noalias() = layers[i].W.matrix().transpose() * layers[i].dy.matrix();
  }
};

void bench_autodiff();
void bench_envs();
void bench_pets();
void bench_sac();
void bench_mbpo();
void bench_maac();

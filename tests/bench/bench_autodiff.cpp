// The tape against its own matrix products: forward, backward and one Adam step of an MLP on a mean squared error.
#include <memory>
#include "autodiff/adam.h"
#include "tests/bench/bench.h"

namespace {

struct TrainingStep {
  Rng rng{1};
  MLP net;
  Adam opt;
  Tape tape;
  Mat x, target;

  TrainingStep(const std::vector<int>& sizes, Activation f, int batch)
      : net(sizes, f, Init::kaiming_uniform, rng), opt(params(net), Real(1e-3)),
        x(rng.normal(sizes.front(), batch)), target(rng.normal(sizes.back(), batch)) {}
  void operator()() { opt.minimize(mean(square(net(tape.constant(x)) - target))); }
};

void row(const std::string& name, const std::vector<int>& sizes, Activation f, int batch) {
  auto step = std::make_shared<TrainingStep>(sizes, f, batch);
  auto products = std::make_shared<Products>(sizes, batch);
  std::vector<std::function<void()>> functions = {[step] { (*step)(); }, [products] { products->training_step(); }};
  const auto libtorch = libtorch_mlp_step(sizes, f == Activation::swish, batch);
  if (libtorch) functions.push_back(libtorch);
  const std::vector<double> ms = time_in_turn(functions);
  BenchRow result{name, 1, ms[0], ms[1], {}, {}, {}};
  if (libtorch) result.libtorch_ms = ms[2];
  print(result);
}

}  // namespace

void bench_autodiff() {
  row("mlp_64x64_b100", {3, 64, 64, 1}, Activation::relu, 100);
  row("mlp_256x256_b256", {17, 256, 256, 1}, Activation::relu, 256);
  row("mlp_200x4_b256", {24, 200, 200, 200, 200, 36}, Activation::swish, 256);
}

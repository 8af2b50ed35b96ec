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

// The products that the step cannot do without: y = W x, dW = dy x^T, and dx = W^T dy except for the input.
struct ProductsOnly {
  struct Layer {
    Mat W, dW, x, dx, dy, y;
  };
  std::vector<Layer> layers;

  ProductsOnly(const std::vector<int>& sizes, int batch) {
    Rng rng(1);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const int in = sizes[i], out = sizes[i + 1];
      layers.push_back({rng.normal(out, in), Mat(out, in), rng.normal(in, batch), Mat(in, batch),
                        rng.normal(out, batch), Mat(out, batch)});
    }
  }
  void operator()() {
    for (Layer& l : layers) l.y.matrix().noalias() = l.W.matrix() * l.x.matrix();
    for (std::size_t i = layers.size(); i-- > 0;) {
      Layer& l = layers[i];
      l.dW.matrix().noalias() = l.dy.matrix() * l.x.matrix().transpose();
      if (i > 0) l.dx.matrix().noalias() = l.W.matrix().transpose() * l.dy.matrix();
    }
  }
};

void row(const std::string& name, const std::vector<int>& sizes, Activation f, int batch) {
  auto step = std::make_shared<TrainingStep>(sizes, f, batch);
  auto products = std::make_shared<ProductsOnly>(sizes, batch);
  std::vector<std::function<void()>> functions = {[step] { (*step)(); }, [products] { (*products)(); }};
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

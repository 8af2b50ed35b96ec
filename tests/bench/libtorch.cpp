// The same training step in LibTorch, for comparison only. HAVE_LIBTORCH: found by the Makefile's probe.
#include "tests/bench/bench.h"

#ifdef HAVE_LIBTORCH
#include <torch/torch.h>

static torch::nn::Sequential network(const std::vector<int>& sizes, bool swish) {
  torch::set_num_threads(1);
  torch::nn::Sequential net;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    net->push_back(torch::nn::Linear(sizes[i], sizes[i + 1]));
    if (i + 2 == sizes.size()) break;
    if (swish) net->push_back(torch::nn::SiLU());
    else net->push_back(torch::nn::ReLU());
  }
  return net;
}

std::function<void()> libtorch_mlp_step(const std::vector<int>& sizes, bool swish, int batch) {
  torch::nn::Sequential net = network(sizes, swish);
  auto opt = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(1e-3));
  const torch::Tensor x = torch::randn({batch, sizes.front()}), target = torch::randn({batch, sizes.back()});
  return [net, opt, x, target]() mutable {
    opt->zero_grad();
    torch::mse_loss(net->forward(x), target).backward();
    opt->step();
  };
}

std::function<void()> libtorch_ensemble_plan(const std::vector<int>& sizes, int members, int batch, int steps) {
  std::vector<torch::nn::Sequential> nets;
  for (int m = 0; m < members; ++m) nets.push_back(network(sizes, true));
  const torch::Tensor x = torch::randn({batch, sizes.front()});
  return [=]() mutable {
    const torch::NoGradGuard no_grad;
    for (int t = 0; t < steps; ++t)
      for (torch::nn::Sequential& net : nets) net->forward(x);
  };
}
#else
std::function<void()> libtorch_mlp_step(const std::vector<int>&, bool, int) { return {}; }
std::function<void()> libtorch_ensemble_plan(const std::vector<int>&, int, int, int) { return {}; }
#endif

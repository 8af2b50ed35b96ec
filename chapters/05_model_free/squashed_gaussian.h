// SAC's policy: a Gaussian whose mean and deviation a network computes, squashed by tanh into [-1, 1] (Haarnoja et al.
// 2018, appendix C).
#pragma once
#include <numbers>
#include "autodiff/nn.h"

// An action and the logarithm of its density under the policy that drew it.
template <class T> struct Sampled {
  T a, logp;  // (action_dim, batch), (1, batch)
};

struct SquashedGaussian {
  MLP net;  // s -> (mu, log std) of u; a = tanh(u)
  static constexpr Real min_log_std = -5, max_log_std = 2;

  // The last layer starts small, so that the first policy is near N(0, 1) squashed in every state.
  SquashedGaussian(int state_dim, int action_dim, const std::vector<int>& hidden, Rng& rng)
      : net(mlp_sizes(state_dim, hidden, 2 * action_dim), Activation::relu, Init::glorot, rng) {
    net.layers.back().W.value *= Real(0.1);
  }
  int action_dim() const { return int(net.layers.back().b.value.rows()) / 2; }

  // a ~ pi(.|s) as a function of s (state_dim, batch) and the noise xi ~ N(0, 1), (action_dim, batch). Numbers in,
  // numbers out; recorded in, recorded out, and on a const policy the weights are frozen.
  Sampled<Mat> sample(const Mat& s, const Mat& xi) const { return squash(net(s), xi); }
  Sampled<Var> sample(Var s, const Mat& xi) { return squash(net(s), xi); }
  Sampled<Var> sample(Var s, const Mat& xi) const { return squash(net(s), xi); }

  // tanh(mu(s)), the action of an evaluation.
  Mat mean_action(const Mat& s) const { return rows(net(s), 0, action_dim()).tanh(); }

  template <class Ar> void io(Ar& ar) { ar("net", net); }

  static std::vector<int> mlp_sizes(int in, std::vector<int> hidden, int out) {
    hidden.insert(hidden.begin(), in), hidden.push_back(out);
    return hidden;
  }

 private:
  // u = mu + std xi,   a = tanh(u)
  // log pi(a|s) = sum_i [ log N(u_i; mu_i, std_i) - log(1 - tanh(u_i)^2) ],
  // log N = -xi^2 / 2 - log std - log(2 pi) / 2
  // log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), finite for every u
  template <class T> T static log_density(const T& u, const T& log_std, const Mat& xi) {
    const Real constant = Real(std::log(2 * std::numbers::pi) / 2 + 2 * std::numbers::ln2);
    const T softplus_2u = softplus(T(Real(-2) * u));
    return colwise_sum(T(Real(2) * (u + softplus_2u) - log_std - (xi.square() / 2 + constant)));
  }
  template <class T> Sampled<T> squash(const T& out, const Mat& xi) const {
    const T mu = rows(out, 0, action_dim());
    const T log_std = clamp(T(rows(out, action_dim(), action_dim())), min_log_std, max_log_std);
    const T u = mu + exp(log_std) * xi;
    return {tanh(u), log_density(u, log_std, xi)};
  }
};

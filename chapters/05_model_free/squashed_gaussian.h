// SAC's policy: a Gaussian whose mean and deviation a network computes, squashed by tanh into [-1, 1] (Haarnoja et al.
// 2018, appendix C).
#pragma once
#include "autodiff/nn.h"

// An action and the logarithm of its density under the policy that drew it.
template <class T> struct Sampled {
  T a, logp;  // (action_dim, batch), (1, batch)
};

struct SquashedGaussian {
  MLP net;  // s -> (mu, log std) of u; a = tanh(u)
  static constexpr Real min_log_std = -5, max_log_std = 2;

  // The last layer starts small, so that the first policy is near N(0, 1) squashed in every state.
  SquashedGaussian(int state_dim, int action_dim, const std::vector<int>& hidden, Rng& rng);
  int action_dim() const { return int(net.layers.back().b.value.rows()) / 2; }

  // a ~ pi(.|s) as a function of s (state_dim, batch) and the noise xi ~ N(0, 1), (action_dim, batch). Numbers in,
  // numbers out; recorded in, recorded out, and on a const policy the weights are frozen.
  Sampled<Mat> sample(const Mat& s, const Mat& xi) const;
  Sampled<Var> sample(Var s, const Mat& xi);
  Sampled<Var> sample(Var s, const Mat& xi) const;

  // tanh(mu(s)), the action of an evaluation.
  Mat mean_action(const Mat& s) const;

  template <class Ar> void io(Ar& ar) { ar("net", net); }

  static std::vector<int> mlp_sizes(int in, std::vector<int> hidden, int out) {
    hidden.insert(hidden.begin(), in), hidden.push_back(out);
    return hidden;
  }
};

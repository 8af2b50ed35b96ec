// The reparameterised policy of the slides "From Deterministic to Stochastic": a = pi(s, eta; theta), a deterministic
// function of the state and of noise. Without the noise it is the actor of DPG.
#pragma once
#include <cmath>
#include <numbers>
#include "autodiff/nn.h"

//(b7) y = mu(x) + sigma(x) xi, xi ~ N(0, 1): here a = mu(s) + sigma eta with mu = tanh(net(s)), within the bounds, and
// a sigma that is the same in every state. The sum may leave [-1, 1]: there it acts as the bound.
struct Policy {
  MLP net;
  Param log_std;  // (action_dim, 1), sigma = min_std + exp(log_std)

  // A floor: where the task itself is deterministic the policy's noise only costs, so sigma would go to 0, and with it
  // the weight of all that older policies have tried.
  static constexpr Real min_std = 0.1;

  // The last layer starts small: no action is near its bounds, where tanh has no slope left. std: sigma, > min_std.
  Policy(int state_dim, int action_dim, std::vector<int> sizes, Real std, Rng& rng)
      : net((sizes.insert(sizes.begin(), state_dim), sizes.push_back(action_dim), sizes), Activation::relu,
            Init::glorot, rng),
        log_std{Mat::Constant(action_dim, 1, std::log(std - min_std)), Mat::Zero(action_dim, 1)} {
    net.layers.back().W.value *= Real(0.1);
  }
  int action_dim() const { return int(log_std.value.rows()); }
  Real std() const { return min_std + log_std.value.exp().mean(); }  // sigma, the mean over actions

  // s (state_dim, n) -> (action_dim, n): pi_theta(s) of DPG, and the action of an evaluation.
  Mat mean(const Mat& s) const { return net(s).tanh(); }
  Var mean(Var s) { return tanh(net(s)); }

  // a = pi(s, eta; theta), eta ~ N(0, 1), (action_dim, n).
  Mat sample(const Mat& s, const Mat& eta) const { return mean(s) + std_like(eta) * eta; }
  Var sample(Var s, const Mat& eta) { return mean(s) + (min_std + exp(s.tape->param(log_std))) * eta; }

  // eta|(s, a): the noise with which the policy as it is now acts as was recorded. (action_dim, n)
  Mat infer(const Mat& s, const Mat& a) const { return (a - mean(s)) / std_like(a); }

  // log pi(a|s) = sum_i [-eta_i^2 / 2 - log sigma_i - log(2 pi) / 2],   (1, n)
  Mat log_prob(const Mat& s, const Mat& a) const {
    const Real log_2pi = Real(std::log(2 * std::numbers::pi));
    return -(infer(s, a).square() / 2 + std_like(a).log() + log_2pi / 2).colwise().sum();
  }

  template <class Ar> void io(Ar& ar) { ar("net", net), ar("log_std", log_std); }

 private:
  Mat std_like(const Mat& x) const { return broadcast(min_std + log_std.value.exp(), x.rows(), x.cols()); }
};

// The generative model of the slide "SVG Algorithm and Experiments": s' = f_hat(s, a, xi), and the reward of that step.
#pragma once
#include "chapters/04_pets/ensemble.h"     // Ensemble, of one member here
#include "chapters/04_pets/transitions.h"  // Batch
#include "envs/env.h"

// A step of the model, or of reality.
template <class T> struct Step {
  T r, s_next;  // (1, n), (state_dim, n)
};

// One Gaussian network predicts [r, net_target(s, s')] from [net_input(s), a]. The reward is the environment's own
// formula, which is known and differentiable, or what the network says.
struct SvgModel {
  const Env& env;
  bool learned_reward;
  Ensemble net;

  // Throws std::invalid_argument as EnsembleOptions::check.
  SvgModel(const Env& env, bool learned_reward, EnsembleOptions how, Rng& rng)
      : env(env), learned_reward(learned_reward), net(inputs(env), outputs(env), how, rng) {}

  //(b9) s' = f_hat(s, a, xi), xi ~ rho(xi) = N(0, 1), and r(s, a). s (state_dim, n), a (action_dim, n), xi as infer
  // returns it. Numbers, or recorded with frozen weights.
  template <class T> Step<T> operator()(const T& s, const T& a, const Mat& xi) const {
    const T y = net.members[0].sample(x(s, a), xi);
    const T s_next = env.net_apply(s, T(rows(y, 1, y.rows() - 1)));
    return {learned_reward ? T(rows(y, 0, 1)) : T(env.reward(s, a, s_next)), s_next};
  }
  // xi|(s, a, r, s'): the noise with which the model gives what was recorded.
  //   xi = (y - mu(s, a)) / sigma(s, a)
  // Trap: sigma = exp(log_var / 2). meta-mb multiplies by the logarithm of sigma instead: then s' does not come back.
  Mat infer(const Batch& b) const {
    const Gaussian<Mat> y = net.members[0].predict(x<Mat>(b.s, b.a));
    return (concat(b.r, env.net_target(b.s, b.s_next)) - y.mu) * (Real(-0.5) * y.log_var).exp();
  }

  // Maximum likelihood, from where the model is. Throws as Ensemble::fit.
  void fit(const Batch& data, Rng& rng) {
    net.fit(x<Mat>(data.s, data.a), concat(data.r, env.net_target(data.s, data.s_next)), rng);
  }
  double holdout_mse() const { return net.holdout_mse[0]; }

  template <class Ar> void io(Ar& ar) { ar("net", net); }

 private:
  // Beyond its bounds an action is its bound, to the environment and so to the model.
  template <class T> T x(const T& s, const T& a) const { return concat(T(env.net_input(s)), T(clamp(a, -1, 1))); }
  static int inputs(const Env& env) {
    return int(env.net_input(Mat::Zero(env.state_dim, 1)).rows()) + env.action_dim;
  }
  static int outputs(const Env& env) {
    const Mat s = Mat::Zero(env.state_dim, 1);
    return 1 + int(env.net_target(s, s).rows());
  }
};

// V(s), the baseline of PPO's advantages.
#pragma once
#include "chapters/05_model_free/ppo.h"

struct ValueFunction {
  MLP V;
  Adam opt;
  Tape tape;

  ValueFunction(int state_dim, const std::vector<int>& hidden, Real lr, Rng& rng)
      : V(small_start(state_dim, hidden, 1, 1, rng)), opt(params(V), lr) {
    opt.eps = Real(1e-5);  // as CleanRL
  }
  Mat operator()(const Mat& s) const { return V(s); }  // (1, batch)
  template <class Ar> void io(Ar& ar) { ar("V", V), ar("opt", opt); }
};

// Least squares, V(s) to the returns (1, n), in the same minibatches as ppo_update: L_V = E[(V(s) - G)^2] / 2. Throws
// NotFinite as Adam::minimize.
inline void fit_value(ValueFunction& V, const Mat& s, const Mat& returns, const PpoOptions& how, Rng& rng) {
  for_minibatches(s.cols(), how.minibatch, how.epochs, rng, [&](std::span<const int> columns) {
    const Var error = V.V(V.tape.constant(s(Eigen::all, columns))) - Mat(returns(Eigen::all, columns));
    V.opt.minimize(Real(0.5) * mean(square(error)), how.max_norm);
  });
}

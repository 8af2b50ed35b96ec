// SVG(1): one step of the model, then a value function; data of older policies by importance weights (Heess et al.
// 2015).
#pragma once
#include "chapters/05_model_free/sac.h"                // named
#include "chapters/05_model_free/squashed_gaussian.h"  // mlp_sizes
#include "chapters/12_svg/model.h"
#include "chapters/12_svg/policy.h"

// Transitions, and how likely each action was to the policy that chose it.
struct Replay {
  Transitions D;
  Mat logp;  // (1, capacity)

  Replay(int state_dim, int action_dim, Eigen::Index capacity)
      : D(state_dim, action_dim, capacity), logp(Mat::Zero(1, capacity)) {}
  void add(const Transition& t, const Policy& pi) {
    logp(0, D.next) = pi.log_prob(t.s, t.a)(0, 0);
    D.add(t);
  }
};

struct Svg1Options {
  std::vector<int> hidden = {64, 64};  // of policy and value function
  Real std = 0.5;                      // sigma of the policy at the start
  Real policy_lr = 1e-3, value_lr = 1e-3, gamma = 0.98, tau = 0.005;
  Real max_weight = 5, max_norm = 10;
  int batch = 128;
};

struct Svg1 {
  Svg1Options options;
  Policy pi;
  SvgModel f_hat;
  MLP V, V_targ;  // V(s) and its lagged copy
  Adam pi_opt, V_opt;
  Tape pi_tape, V_tape;

  Svg1(const Env& env, const Svg1Options& o, bool learned_reward, const EnsembleOptions& model, Rng& rng)
      : options(o), pi(env.state_dim, env.action_dim, o.hidden, o.std, rng), f_hat(env, learned_reward, model, rng),
        V(SquashedGaussian::mlp_sizes(env.state_dim, o.hidden, 1), Activation::relu, Init::glorot, rng), V_targ(V),
        pi_opt(params(pi), o.policy_lr), V_opt(params(V), o.value_lr) {}
  Svg1(const Svg1&) = delete;  // the optimisers refer to the weights

  template <class Ar> void io(Ar& ar) {
    ar("pi", pi), ar("f_hat", f_hat), ar("V", V), ar("V_targ", V_targ), ar("pi_opt", pi_opt), ar("V_opt", V_opt);
  }
};

// w = pi(a|s) / pi_old(a|s), cut off at `most`: what an average over old actions lacks to be one over new ones. (1, n)
inline Mat importance_weights(const Policy& pi, const Batch& b, const Mat& logp_old, Real most) {
  return (pi.log_prob(b.s, b.a) - logp_old).exp().min(most);
}

// J = E[w (r(s, a) + gamma (1 - d) V(s'))],   a = pi(s, eta; theta), s' = f_hat(s, a, xi), eta and xi inferred.
// s' as a function of theta: V_theta = w (r_a + gamma V_s' f_a) pi_theta. w is a constant.
template <class Policy, class Model, class Value>
Var svg1_objective(Policy& pi, const Model& f_hat, const Value& V, const Batch& b, const Mat& w, Real gamma,
                   Tape& tape) {
  const Mat eta = pi.infer(b.s, b.a), xi = f_hat.infer(b);
  const Var s = tape.constant(b.s), a = pi.sample(s, eta);
  const auto [r, s_next] = f_hat(s, a, xi);
  return mean((r + V(s_next) * Mat(gamma * b.not_done)) * w);
}

// L_V = E[w (V(s) - y)^2],   y = r + gamma (1 - d) V'(s'): one step down. Returns L_V; throws NotFinite.
inline Real value_step(Svg1& x, const Batch& b, const Mat& w) {
  const Mat y = b.r + x.options.gamma * b.not_done * x.V_targ(b.s_next);
  const Var L = mean(square(x.V(x.V_tape.constant(b.s)) - y) * w);
  const Real loss = L.item();
  named("value", [&] { x.V_opt.minimize(L); });
  soft_update(x.V_targ, x.V, x.options.tau);
  return loss;
}

// One step of value function and policy on a batch of the replay. Returns the mean weight; throws NotFinite.
inline Real svg1_update(Svg1& x, const Replay& replay, Rng& rng) {
  const Svg1Options& o = x.options;
  std::vector<int> columns(o.batch);
  for (int& j : columns) j = int(rng.below(replay.D.size));
  const Batch b = replay.D.at(columns);
  const Mat w = importance_weights(x.pi, b, replay.logp(Eigen::all, columns), o.max_weight);
  value_step(x, b, w);
  named("policy", [&] {
    x.pi_opt.minimize(-svg1_objective(x.pi, x.f_hat, frozen(x.V), b, w, o.gamma, x.pi_tape), o.max_norm);
  });
  return w.mean();
}

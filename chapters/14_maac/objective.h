// MAAC's objective: a return that the policy's parameters can be differentiated through, H steps of reward in the model
// and a critic at the end (slides "Model-Augmented Actor Critic" and "MAAC Algorithm"; Clavera, Fu, Abbeel 2020).
//
//   paths.draw(H, action_dim, outputs, batch, rng);
//   const auto [J, logp] = objective(pi, f_hat, Q, s_0, paths, gamma, beta);
//   pi_opt.minimize(-J, max_norm);
#pragma once
#include <vector>
#include "chapters/05_model_free/sac.h"   // Sac, critic_targets, critic_step
#include "chapters/06_mbpo/rollout.h"     // LearnedModel

// The noise of H steps, drawn beforehand, and the tape of the graph: memory that is there before the loop.
struct Paths {
  std::vector<Mat> xi_a, xi_s;  // of actions 0, ..., H: (action_dim, batch); of steps 0, ..., H - 1: (outputs, batch)
  Tape tape;

  void draw(int H, int action_dim, int outputs, Eigen::Index batch, Rng& rng) {
    xi_a.resize(H + 1), xi_s.resize(H);
    for (Mat& xi : xi_a) xi.resize(action_dim, batch), rng.fill_normal(xi);
    for (Mat& xi : xi_s) xi.resize(outputs, batch), rng.fill_normal(xi);
  }
};

// A step of a model that can be differentiated.
struct PathStep {
  Var r, s_next;  // (1, batch), (state_dim, batch)
};

// One member of the ensemble with frozen weights: [r, net_target(s, s')] = mu(s, a) + sigma(s, a) xi.
struct PathModel {
  const Env& env;
  const Member& f;

  PathStep sample(Var s, Var a, const Mat& xi) const {
    const Var y = f.sample(concat(env.net_input(s), a), xi);
    return {rows(y, 0, 1), env.net_apply(s, rows(y, 1, y.rows() - 1))};
  }
  Mat terminated(const Mat& s_next) const { return env.terminated(s_next); }
};

struct Objective {
  Var J;     // (1, 1)
  Var logp;  // log pi(a_0|s_0), (1, batch)
};

//(b1) J_pi(theta) = E[ sum_{t=0}^{H-1} gamma^t r(s_t) + gamma^H Q(s_H, a_H) ],  s_{t+1} ~ f_hat(s_t, a_t),
// a_t ~ pi_theta(s_t), with the entropy bonus -beta log pi(a_t|s_t) at each t <= H. From s_0 (state_dim, batch), as the
// mean over the batch; H and the noise are those of `paths`. The gradient reaches the parameters of pi alone. A Policy
// has sample(s, xi), a Model sample(s, a, xi) and terminated(s_next); Q(s, a) is (1, batch).
template <class Policy, class Model, class Critic>
Objective objective(Policy& pi, const Model& f_hat, const Critic& Q, const Mat& s_0, Paths& paths, Real gamma,
                    Real beta) {
  const int H = int(paths.xi_s.size());
  Tape& tape = paths.tape;
  tape.clear();
  Var s = tape.constant(s_0), J = tape.zero(), logp_0;
  Var alive = tape.constant(Mat::Ones(1, s_0.cols()));  // 0 once a branch has ended
  Real discount = 1;
  for (int t = 0; t < H; ++t, discount *= gamma) {
    const auto [a, logp] = pi.sample(s, paths.xi_a[t]);
    const auto [r, s_next] = f_hat.sample(s, a, paths.xi_s[t]);
    J = J + discount * mean(alive * (r - beta * logp));
    alive = tape.constant(alive.value() * (1 - f_hat.terminated(s_next.value())));
    s = s_next;
    if (t == 0) logp_0 = logp;
  }
  const auto [a_H, logp_H] = pi.sample(s, paths.xi_a[H]);
  J = J + discount * mean(alive * (Q(s, a_H) - beta * logp_H));
  return {J, H == 0 ? logp_H : logp_0};
}

// What an update tells a log: means over its batch, before the step.
struct MaacNumbers {
  Real J = NAN, grad_norm = NAN;  // the objective; the norm of its gradient before clipping
  Real entropy = NAN, Q_loss = NAN;
};

//(b9) Policy Optimization: J_pi with Q_psi = min_j Q_j, + beta H(pi_theta): one step of pi_opt up its gradient, which
// is clipped to max_norm; beta = alpha is learned as SAC does. From s_0 (state_dim, batch) through an elite that is
// drawn. With H = 0 this is SAC's policy_step. Throws NotFinite.
inline MaacNumbers ascend(Sac& agent, const LearnedModel& model, const Mat& s_0, int H, Real max_norm, Paths& paths,
                          Rng& rng) {
  const PathModel f_hat{model.env, model.p.elite(int(rng.below(model.p.elites.size())))};
  const auto Q = [&](Var s, Var a) {
    const Var s_a = concat(s, a);
    return min(frozen(agent.Q[0])(s_a), frozen(agent.Q[1])(s_a));
  };
  paths.draw(H, agent.pi.action_dim(), int(f_hat.f.head.target.mean.rows()), s_0.cols(), rng);
  const Objective now = objective(agent.pi, f_hat, Q, s_0, paths, agent.options.gamma, agent.alpha());
  MaacNumbers numbers{.J = now.J.item(), .entropy = -now.logp.value().mean()};  // read before the tape is cleared
  named("policy", [&] { numbers.grad_norm = agent.pi_opt.minimize(-now.J, max_norm); });
  // J_alpha = -log alpha (log pi + H_bar):   dJ/dlog alpha = -(mean log pi + H_bar)
  agent.alpha_opt.step(agent.log_alpha, numbers.entropy - agent.target_entropy);
  return numbers;
}

//(b10*) Q-function Learning: J_Q(psi) = E[(Q_psi(s, a) - (r + gamma Q_psi(s', a')))^2], as SAC: two critics, lagged
// copies in the target, which has its entropy. Returns the sum of both losses. Throws NotFinite.
inline Real learn_Q(Sac& agent, const Batch& b, Rng& rng) {
  agent.xi_next.resize(agent.pi.action_dim(), b.size());
  rng.fill_normal(agent.xi_next);
  agent.next_tape.clear();
  critic_targets(agent, b, frozen(agent.pi).sample(agent.next_tape.constant(b.s_next), agent.xi_next));
  return critic_step(agent, b);
}

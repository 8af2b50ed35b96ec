// The deterministic policy gradient, and its use off-policy (slide "Deterministic Policy Gradient"; Silver et al. 2014,
// Lillicrap et al. 2016).
#pragma once
#include "autodiff/adam.h"
#include "chapters/04_pets/transitions.h"              // Batch
#include "chapters/05_model_free/sac.h"                // named
#include "chapters/05_model_free/squashed_gaussian.h"  // mlp_sizes
#include "chapters/12_svg/policy.h"

struct DpgOptions {
  std::vector<int> actor = {64}, critic = {64, 64};  // hidden layers
  Real actor_lr = 3e-4, critic_lr = 3e-3, gamma = 0.98, tau = 0.005;
  Real std = 0.5;                                    // of the policy at the start; DDPG does not use it
};

// Actor and critic with their lagged copies: DDPG, and SVG(0).
struct ActorCritic {
  DpgOptions options;
  Policy pi, pi_targ;
  MLP Q, Q_targ;  //(b1) Q^w(s, a) ~ Q^pi(s, a)
  Adam pi_opt, Q_opt;
  Tape pi_tape, Q_tape;

  ActorCritic(int state_dim, int action_dim, const DpgOptions& o, Rng& rng)
      : options(o), pi(state_dim, action_dim, o.actor, o.std, rng), pi_targ(pi),
        Q(SquashedGaussian::mlp_sizes(state_dim + action_dim, o.critic, 1), Activation::relu, Init::glorot, rng),
        Q_targ(Q), pi_opt(params(pi), o.actor_lr), Q_opt(params(Q), o.critic_lr) {}
  ActorCritic(const ActorCritic&) = delete;  // the optimisers refer to the weights

  template <class Ar> void io(Ar& ar) {
    ar("pi", pi), ar("pi_targ", pi_targ), ar("Q", Q), ar("Q_targ", Q_targ), ar("pi_opt", pi_opt), ar("Q_opt", Q_opt);
  }
};

//(b2*) L(w) = E[(Q^w(s, a) - Q^pi(s, a))^2]. Q^pi is not known: y = r + gamma (1 - d) Q'(s', a') stands for it, a' the
// action of the lagged policy in s'. Returns the loss; throws NotFinite.
inline Real critic_step(ActorCritic& x, const Batch& b, const Mat& a_next) {
  const Mat y = b.r + x.options.gamma * b.not_done * x.Q_targ(concat(b.s_next, a_next));
  const Var L = mean(square(x.Q(x.Q_tape.constant(concat(b.s, b.a))) - y));
  const Real loss = L.item();
  named("critic", [&] { x.Q_opt.minimize(L); });
  return loss;
}

//(b3) J(pi_theta) = E_s[Q^pi(s, a)] at a = pi_theta(s), as a loss whose gradient is that of -J by the theorem:
//(b4*) grad_theta J = E_s[grad_theta pi_theta(s) grad_a Q^pi(s, a)|_{a = pi_theta(s)}], the chain rule.
// a: the actions pi_theta(s) on a tape of their own, (action_dim, n). The mean over s is in Q_a.
template <class Critic> Var dpg_loss(const Mat& s, Var a, const Critic& Q) {
  Tape tape;
  const Var a_here = tape.input(a.value());
  tape.backward(mean(Q(concat(tape.constant(s), a_here))));
  const Mat Q_a = a_here.grad();  // grad_a Q(s, a)|_{a = pi_theta(s)} / n
  return -sum(a * Q_a);
}

// One step of critic, policy and lagged copies: a = pi(s) on pi_tape, a_next of the lagged policy in s'. Returns the
// critic's loss; throws NotFinite.
inline Real actor_critic_step(ActorCritic& x, const Batch& b, Var a, const Mat& a_next) {
  const Real loss = critic_step(x, b, a_next);
  named("policy", [&] { x.pi_opt.minimize(dpg_loss(b.s, a, frozen(x.Q))); });
  soft_update(x.Q_targ, x.Q, x.options.tau), soft_update(x.pi_targ, x.pi, x.options.tau);
  return loss;
}
// DDPG: a = pi_theta(s).
inline Real ddpg_update(ActorCritic& x, const Batch& b) {
  return actor_critic_step(x, b, x.pi.mean(x.pi_tape.constant(b.s)), x.pi_targ.mean(b.s_next));
}
// SVG(0): a = pi(s, eta; theta), eta, eta_next ~ N(0, 1), (action_dim, n). DPG is the case sigma = 0:
//   grad_theta J = E_s E_eta[grad_theta pi(s, eta; theta) grad_a Q(s, a)|_{a = pi(s, eta; theta)}]
inline Real svg0_update(ActorCritic& x, const Batch& b, const Mat& eta, const Mat& eta_next) {
  return actor_critic_step(x, b, x.pi.sample(x.pi_tape.constant(b.s), eta), x.pi_targ.sample(b.s_next, eta_next));
}

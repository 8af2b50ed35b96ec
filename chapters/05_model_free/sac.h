// Soft actor-critic with two critics and a learned temperature (Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and
// Applications", algorithm 1).
//
//   Sac agent(env.state_dim, env.action_dim, {.hidden = {64, 64}}, rng);
//   D.sample(256, rng, batch);
//   sac_update(agent, batch, rng);
#pragma once
#include <array>
#include <string>
#include "autodiff/adam.h"
#include "chapters/04_pets/transitions.h"   // Batch
#include "chapters/05_model_free/squashed_gaussian.h"

struct SacOptions {
  std::vector<int> hidden = {64, 64};  // of policy and critics
  Real lr = 1e-3;                      // of policy, critics and temperature
  Real gamma = 0.99, tau = 0.005;      // discount; step of the lagged critics
  Real alpha = 1;                      // temperature at the start

  void check() const;  // throws std::invalid_argument, one line with the rule
};

struct Sac {
  SacOptions options;
  Real target_entropy;  // H_bar = -action_dim
  SquashedGaussian pi;
  std::array<MLP, 2> Q, Q_targ;  // Q_j(s, a), j = 1, 2, and their lagged copies Q'_j
  Param log_alpha;               // the variable is log alpha: alpha stays positive
  Adam pi_opt, alpha_opt;
  std::array<Adam, 2> Q_opt;

  // Throws std::invalid_argument as SacOptions::check.
  Sac(int state_dim, int action_dim, const SacOptions& o, Rng& rng);
  Sac(const Sac&) = delete;  // the optimisers refer to the weights
  Sac& operator=(const Sac&) = delete;

  Real alpha() const { return std::exp(log_alpha.value(0, 0)); }
  // Whether a batch of n is work enough for two threads.
  bool large(Eigen::Index n) const { return n * options.hidden.front() * options.hidden.back() >= 1 << 22; }

  template <class Ar> void io(Ar& ar) {
    ar("pi", pi), ar("Q1", Q[0]), ar("Q2", Q[1]), ar("Q1_targ", Q_targ[0]), ar("Q2_targ", Q_targ[1]);
    ar("log_alpha", log_alpha), ar("pi_opt", pi_opt), ar("Q1_opt", Q_opt[0]), ar("Q2_opt", Q_opt[1]);
    ar("alpha_opt", alpha_opt);
  }

  // What an update writes into: memory that is there before the loop. One tape per loss and critic, so that both
  // critics can be computed at once.
  Tape next_tape, pi_tape;
  std::array<Tape, 2> targ_tape, Q_tape, Q_pi_tape;
  Mat xi_next, xi, y, dJ_da;
};

// What an update tells a log: means over its batch, before the step.
struct SacNumbers {
  Real Q_loss;   // of both critics together
  Real Q;        // min_j Q_j(s, a) and
  Real entropy;  // -log pi(a|s), at a ~ pi(.|s)
  Real alpha;
};

// Runs f; a NotFinite that leaves it names the quantity.
template <class F> void named(const char* quantity, F f) {
  try {
    f();
  } catch (const NotFinite& e) {
    throw NotFinite(std::string(quantity) + ": " + e.what());
  }
}

// The parts of an update, each on a batch b of at least one transition.
// y of each transition, into agent.y, (1, batch); next: a' ~ pi(.|s').
void critic_targets(Sac& agent, const Batch& b, const Sampled<Var>& next);
// A step of both critics towards agent.y, and of their lagged copies. Returns the sum of J_Q.
Real critic_step(Sac& agent, const Batch& b);
// A step of the policy; now: a ~ pi(.|s), recorded on agent.pi_tape. Returns the mean of min_j Q_j.
Real policy_step(Sac& agent, const Mat& s, const Sampled<Var>& now);

// One step of critics, policy and temperature on a batch of at least one transition, the targets' critics last. The
// numbers do not depend on the number of threads. Throws NotFinite that names the quantity if a loss or a gradient is
// not finite.
SacNumbers sac_update(Sac& agent, const Batch& b, Rng& rng);

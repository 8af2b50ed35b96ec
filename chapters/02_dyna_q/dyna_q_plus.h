// Dyna-Q+ (Sutton and Barto, 2nd edition, section 8.3): trust the model less the longer it has not been checked.
#pragma once
#include <cmath>
#include "chapters/02_dyna_q/dyna_q.h"  // epsilon_greedy, DeterministicModel

// Dyna-Q with two changes, both in planning: the reward is R + kappa sqrt(tau), tau = real steps since the pair was
// last tried, and every action of a visited state may be planned with: one never tried is modelled as "stay, R = 0".
struct DynaQPlus {
  Mat Q, last_tried;         // (states, actions); last_tried: the real step of the last trial (exact up to 2^24)
  DeterministicModel Model;
  int n;
  Real alpha, gamma, epsilon, kappa;
  long now = 0;              // real steps. Trap: never reset it between episodes, or tau turns negative and sqrt NaN

  DynaQPlus(int n_states, int n_actions, int n, Real alpha, Real gamma, Real epsilon, Real kappa)
      : Q(Mat::Zero(n_states, n_actions)), last_tried(Q), Model(n_states, n_actions), n(n), alpha(alpha), gamma(gamma),
        epsilon(epsilon), kappa(kappa) {}

  Maze::Outcome step(Maze& maze, Rng& rng) {
    const int S = maze.state;
    const int A = epsilon_greedy(S, Q, epsilon, rng);
    const Maze::Outcome real = maze.step(A, rng);
    const auto [R, S_next] = real;
    Q(S, A) += alpha * (R + gamma * max_a(Q, S_next) - Q(S, A));
    if (Model.tried.actions[S].empty())
      for (int a = 0; a < Q.cols(); ++a) Model.learn(S, a, 0, S), last_tried(S, a) = 1;
    Model.learn(S, A, R, S_next);
    last_tried(S, A) = Real(++now);
    for (int i = 0; i < n; ++i) {
      const auto [S, A] = Model.tried.draw(rng);
      const auto [R, S_next] = Model.sample(S, A);
      const Real bonus = kappa * std::sqrt(Real(now) - last_tried(S, A));
      Q(S, A) += alpha * (R + bonus + gamma * max_a(Q, S_next) - Q(S, A));
    }
    return real;
  }

  template <class Ar> void io(Ar& ar) { ar("Q", Q); }
};

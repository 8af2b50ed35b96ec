// Random-sample one-step tabular Q-planning (slide "Q-Planning"), and the answer it should come to.
#pragma once
#include <algorithm>
#include <cmath>
#include "chapters/01_q_planning/table.h"  // max_a, CountModel

// Applies `updates` planning updates to Q, (states, actions), with the step size alpha / N(S, A)^omega, N(S, A) the
// number of updates of the pair so far (kept in `N`, shaped like Q, zero at the start). omega = 0: a constant step,
// right for a deterministic model; 1/2 < omega <= 1: on a stochastic model the noise averages out and Q converges.
inline void q_planning(Mat& Q, Mat& N, const CountModel& model, long updates, Real alpha, Real omega, Real gamma,
                       Rng& rng) {
  for (long i = 0; i < updates; ++i) {                           // Do forever:
    const auto [S, A] = model.tried.draw(rng);                   //(1*) select a state, S, and an action, A, at random
    const auto [R, S_next] = model.sample(S, A, rng);            //(2) send S, A to a sample model
    N(S, A) += 1;
    const Real step = alpha / std::pow(N(S, A), omega);
    Q(S, A) += step * (R + gamma * max_a(Q, S_next) - Q(S, A));  //(3*) one-step tabular Q-learning
  }
}

// Q* of a known p(s', r | s, a): repeats Q(s, a) <- sum p(s', r | s, a) [r + gamma max_a' Q(s', a')] until nothing
// changes by more than `tolerance` of its size. world.chances(S, A) lists the outcomes; where it lists none, Q stays 0.
// gamma < 1.
template <class World>
Mat value_iteration(const World& world, int n_states, int n_actions, Real gamma, Real tolerance = Real(1e-6)) {
  Mat Q = Mat::Zero(n_states, n_actions);
  for (Real change = 1; change > tolerance;) {
    change = 0;
    for (int S = 0; S < n_states; ++S)
      for (int A = 0; A < n_actions; ++A) {
        Real q = 0;
        for (const auto& [p, outcome] : world.chances(S, A))
          q += Real(p) * (outcome.R + gamma * max_a(Q, outcome.S_next));
        change = std::max(change, std::abs(q - Q(S, A)) / std::max(Real(1), std::abs(q)));
        Q(S, A) = q;
      }
  }
  return Q;
}
inline Mat value_iteration(const Maze& maze, Real gamma) {
  return value_iteration(maze, maze.states(), Maze::actions, gamma);
}

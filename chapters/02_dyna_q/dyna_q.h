// Dyna-Q (slide "Dyna-Q"): act, learn from the step, remember it in the model, and learn n times from the model.
#pragma once
#include "chapters/01_q_planning/table.h"  // max_a, argmax_a, DeterministicModel

// epsilon-greedy(S, Q): a random action with probability epsilon, else a greedy one.
inline int epsilon_greedy(int S, const Mat& Q, Real epsilon, Rng& rng) {
  if (rng.uniform() < epsilon) return int(rng.below(Q.cols()));
  return argmax_a(Q, S, rng);
}

struct DynaQ {
  Mat Q;                     // (states, actions), 0 at the start: optimism would hide what planning does
  DeterministicModel Model;
  int n;                     // planning updates per real step; 0 is direct RL only, one-step Q-learning
  Real alpha, gamma, epsilon;

  DynaQ(int n_states, int n_actions, int n, Real alpha, Real gamma, Real epsilon)
      : Q(Mat::Zero(n_states, n_actions)), Model(n_states, n_actions), n(n), alpha(alpha), gamma(gamma),
        epsilon(epsilon) {}

  // One round of "Do forever", from the maze's current state. Returns what really happened.
  Maze::Outcome step(Maze& maze, Rng& rng) {
    const int S = maze.state;                                             //(a) S <- current (nonterminal) state
    const int A = epsilon_greedy(S, Q, epsilon, rng);                     //(b) A <- epsilon-greedy(S, Q)
    const Maze::Outcome real = maze.step(A, rng);                         //(c) execute A; observe R and S'
    const auto [R, S_next] = real;
    Q(S, A) += alpha * (R + gamma * max_a(Q, S_next) - Q(S, A));          //(d)
    Model.learn(S, A, R, S_next);                                         //(e) Model(S, A) <- R, S'
    for (int i = 0; i < n; ++i) {                                         //(f) repeat n times:
      const auto [S, A] = Model.tried.draw(rng);                          // a state seen, an action taken in it
      const auto [R, S_next] = Model.sample(S, A);
      Q(S, A) += alpha * (R + gamma * max_a(Q, S_next) - Q(S, A));
    }
    return real;
  }

  template <class Ar> void io(Ar& ar) { ar("Q", Q); }
};

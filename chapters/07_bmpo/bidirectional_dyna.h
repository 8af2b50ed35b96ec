// Dyna with a table in place of each network: a model, a backward model, and planning that begins at states of high
// value (slides "Bidirectional Model" and "Other Components of BMPO").
#pragma once
#include "chapters/02_dyna_q/dyna_q.h"  // epsilon_greedy, max_a, DeterministicModel
#include "chapters/07_bmpo/boltzmann.h"

struct BidirectionalDyna {
  Mat Q;                                        // (states, actions)
  DeterministicModel Model;                     // forwards: (S, A) -> R, S'
  std::vector<std::vector<StateAction>> Model_back;  // backwards: S' -> the pairs (S, A) that were seen to lead there
  int goal;                                     // a state to begin at whose value is 1, though nothing is tried there
  Real alpha, gamma, epsilon;
  long updates = 0;                             // so far

  BidirectionalDyna(int n_states, int n_actions, int goal, Real alpha, Real gamma, Real epsilon)
      : Q(Mat::Zero(n_states, n_actions)), Model(n_states, n_actions), Model_back(n_states), goal(goal), alpha(alpha),
        gamma(gamma), epsilon(epsilon) {}

  // A transition that was seen. The backward model keeps each pair once, however often it is tried.
  void learn(int S, int A, Real R, int S_next) {
    const auto& known = Model.tried.actions[S];
    if (std::find(known.begin(), known.end(), A) == known.end()) Model_back[S_next].push_back({S, A});
    Model.learn(S, A, R, S_next);
  }

  // V(S) of the states to begin at: all that were seen, as in Model.tried.states, and last the goal.
  std::vector<Real> start_values() const {
    std::vector<Real> V;
    for (const int S : Model.tried.states) V.push_back(max_a(Q, S));
    V.push_back(1);
    return V;
  }
  int draw_start(double beta, Rng& rng) const {
    const int i = Boltzmann(start_values(), beta).draw(rng);  //(b6) p(s) ~ exp(beta V(s))
    return i < int(Model.tried.states.size()) ? Model.tried.states[i] : goal;
  }

  // From one start, k1 steps backwards and k2 forwards; each step is a planning update. updated(S, A) is called after
  // each and says whether to go on. Backwards: one of the pairs that led here, so S learns from a state that has just
  // learned itself. Forwards: epsilon-greedy, and S learns from a state that will learn next; the goal ends it.
  template <class Updated> void plan(int start, int k1, int k2, Rng& rng, const Updated& updated) {
    bool go_on = true;
    int S_next = start;
    for (int i = 0; i < k1 && go_on && !Model_back[S_next].empty(); ++i) {
      const auto [S, A] = Model_back[S_next][rng.below(Model_back[S_next].size())];
      go_on = update(S, A, updated);
      S_next = S;
    }
    int S = start;
    for (int i = 0; i < k2 && go_on && !Model.tried.actions[S].empty(); ++i) {
      const int A = epsilon_greedy(S, Q, epsilon, rng);
      go_on = update(S, A, updated);
      S = Model.sample(S, A).S_next;
    }
  }

 private:
  template <class Updated> bool update(int S, int A, const Updated& updated) {
    const auto [R, S_next] = Model.sample(S, A);
    Q(S, A) += alpha * (R + gamma * max_a(Q, S_next) - Q(S, A));
    ++updates;
    return updated(S, A);
  }
};

// Steps to the goal by the shortest path; -1 where there is none, and in walls. By state.
inline std::vector<int> distances(const Maze& maze) {
  std::vector<int> steps(maze.states(), -1), reached;
  for (int S = 0; S < maze.states(); ++S)
    if (maze.terminal(S)) steps[S] = 0, reached.push_back(S);
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (int S = 0; S < maze.states(); ++S)
      for (int A = 0; A < Maze::actions; ++A)
        for (const Maze::Chance& c : maze.chances(S, A))
          if (c.outcome.S_next == reached[i] && steps[S] < 0) steps[S] = steps[reached[i]] + 1, reached.push_back(S);
  return steps;
}

// Whether every greedy action in S, ties included, is on a shortest path.
inline bool greedy_is_shortest(const Mat& Q, int S, const Maze& maze, const std::vector<int>& steps) {
  for (int A = 0; A < Maze::actions; ++A)
    if (Q(S, A) == max_a(Q, S) && steps[maze.chances(S, A)[0].outcome.S_next] != steps[S] - 1) return false;
  return true;
}

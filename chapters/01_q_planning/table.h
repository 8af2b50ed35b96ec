// A table Q(s, a), and the sample models that are learned from experience.
#pragma once
#include <algorithm>
#include <cassert>
#include <vector>
#include "autodiff/rng.h"   // Mat, Rng
#include "autodiff/tape.h"  // NotFinite
#include "envs/maze.h"      // Maze::Outcome

// max_a Q(S, a). Q: (states, actions). At a terminal state no action is ever taken, so Q(S, .) stays 0.
inline Real max_a(const Mat& Q, int S) { return Q.row(S).maxCoeff(); }

// argmax_a Q(S, a). Trap: ties break at random; always taking the first would march into one wall.
inline int argmax_a(const Mat& Q, int S, Rng& rng) {
  const Real best = max_a(Q, S);
  int count = 0, choice = 0;
  for (int a = 0; a < Q.cols(); ++a)
    if (Q(S, a) == best && rng.below(++count) == 0) choice = a;
  return choice;
}

// Stops the run (NotFinite) if a value is NaN or infinite: a step size that diverges, or a --load file that holds one.
inline void check_finite(const Mat& Q) {
  if (!Q.isFinite().all()) throw NotFinite("the table Q holds a NaN or an infinity: another --alpha or --load?");
}

// A table as --save and --load see it.
struct SavedTable {
  Mat Q;  // (states, actions)
  template <class Ar> void io(Ar& ar) { ar("Q", Q); }
};

struct StateAction {
  int S, A;
};

// What has been tried so far: the states that were seen and, for each, the actions taken there.
struct Tried {
  std::vector<int> states;
  std::vector<std::vector<int>> actions;  // by state

  explicit Tried(int n_states) : actions(n_states) {}

  void add(int S, int A) {
    if (actions[S].empty()) states.push_back(S);
    if (std::find(actions[S].begin(), actions[S].end(), A) == actions[S].end()) actions[S].push_back(A);
  }
  // First a state, then one of its actions, each uniformly: not the same as uniformly over the pairs.
  // Something has been tried (debug assertion).
  StateAction draw(Rng& rng) const {
    assert(!states.empty());
    const int S = states[rng.below(states.size())];
    return {S, actions[S][rng.below(actions[S].size())]};
  }
};

// Model(S, A) <- R, S': the last outcome. Exact as soon as a pair has been tried, if the environment is deterministic.
struct DeterministicModel {
  Tried tried;
  int n_actions;
  std::vector<Maze::Outcome> last;  // by S * n_actions + A

  DeterministicModel(int n_states, int n_actions)
      : tried(n_states), n_actions(n_actions), last(n_states * n_actions) {}

  void learn(int S, int A, Real R, int S_next) {
    tried.add(S, A);
    last[S * n_actions + A] = {R, S_next};
  }
  Maze::Outcome sample(int S, int A) const { return last[S * n_actions + A]; }
};

// p(s', r | s, a) by counts: every outcome seen, sampled in proportion to how often it was seen.
struct CountModel {
  Tried tried;
  int n_actions;
  struct Count {
    Maze::Outcome outcome;
    int n;
  };
  std::vector<std::vector<Count>> counts;  // by S * n_actions + A

  CountModel(int n_states, int n_actions) : tried(n_states), n_actions(n_actions), counts(n_states * n_actions) {}

  void learn(int S, int A, Real R, int S_next) {
    tried.add(S, A);
    for (Count& c : counts[S * n_actions + A])
      if (c.outcome.R == R && c.outcome.S_next == S_next) {
        ++c.n;
        return;
      }
    counts[S * n_actions + A].push_back({{R, S_next}, 1});
  }
  Maze::Outcome sample(int S, int A, Rng& rng) const {
    long k = rng.below(total(S, A));
    for (const Count& c : counts[S * n_actions + A])
      if ((k -= c.n) < 0) return c.outcome;
    return {};  // not reached: the counts add up to the total
  }
  // The learned p(s', r | s, a); of a pair that was never tried, nothing.
  std::vector<Maze::Chance> chances(int S, int A) const {
    std::vector<Maze::Chance> result;
    for (const Count& c : counts[S * n_actions + A]) result.push_back({double(c.n) / total(S, A), c.outcome});
    return result;
  }

 private:
  long total(int S, int A) const {
    long n = 0;
    for (const Count& c : counts[S * n_actions + A]) n += c.n;
    return n;
  }
};

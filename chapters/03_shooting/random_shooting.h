// Random shooting (slide "Random Shooting (RS)").
#pragma once
#include "chapters/03_shooting/shooting.h"

struct RandomShooting {
  int action_dim, T, N;  // T: horizon, N: sequences per step

  // Throws std::invalid_argument unless T and N are at least 1.
  RandomShooting(int action_dim, int T, int N) : action_dim(action_dim), T(T), N(N) {
    if (T < 1 || N < 1) throw std::invalid_argument("random shooting: horizon and samples must be at least 1");
  }
  void reset() {}  // nothing is kept from one step to the next

  // The action for the current state, (action_dim, 1): the first of the best of N sequences; the rest is thrown away.
  template <class Return> Mat act(const Return& Q_hat, Rng& rng) {
    const Mat plans = rng.uniform(action_dim * T, N, -1, 1);  //(b4) the action sequences are randomly sampled
    const int best = best_first(Q_hat(plans), 1).front();     //(b3) argmax_a Q_hat(s, a)
    return plans.col(best).head(action_dim);
  }
};

// The matrix products of an update of SAC.
#pragma once
#include <array>
#include "chapters/00_toolbox/parallel.h"  // parallel_pair
#include "chapters/05_model_free/squashed_gaussian.h"
#include "tests/bench/bench.h"

// In its order and on its threads.
struct SacProducts {
  std::array<Products, 2> pi, Q, Q_targ, Q_pi;
  bool large;
  SacProducts(int state_dim, int action_dim, const std::vector<int>& hidden, int batch, bool large)
      : pi(twice(SquashedGaussian::mlp_sizes(state_dim, hidden, 2 * action_dim), batch)),
        Q(twice(SquashedGaussian::mlp_sizes(state_dim + action_dim, hidden, 1), batch)), Q_targ(Q), Q_pi(Q),
        large(large) {}
  static std::array<Products, 2> twice(const std::vector<int>& sizes, int batch) {
    return {Products(sizes, batch), Products(sizes, batch)};
  }
  void update() {
    parallel_pair(large, [&](int j) { pi[j].forward(); });
    parallel_pair(large, [&](int j) { Q_targ[j].forward(); });
    parallel_pair(large, [&](int j) { Q[j].training_step(); });
    parallel_pair(large, [&](int j) { Q_pi[j].forward(); });
    parallel_pair(large, [&](int j) { Q_pi[j].input_gradient(); });
    pi[1].backward();
  }
};

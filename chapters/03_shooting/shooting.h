// Shooting methods (slide "Shooting Methods"): try action sequences in a model, and act on the best.
//
// A plan is a column (action_dim T, 1): a_0 above a_1 above ... a_{T-1}, each in [-1, 1]. What a planner is given is
// Q_hat, any function from N plans (action_dim T, N) to their returns (1, N).
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>
#include "envs/env.h"

// Q_hat in the true model: the ceiling of what planning with a learned one can reach.
struct TrueModel {
  const Env& env;
  const Sim start;  // (sim_dim, 1), where all trajectories begin
  Real gamma = 1;

  // Q_hat(s, a) = sum_t gamma^t r_t, nothing after a terminal state. (action_dim T, N) -> (1, N)
  Mat operator()(const Mat& plans) const {                                       //(b1) given action sequences of length T
    const Eigen::Index T = plans.rows() / env.action_dim, N = plans.cols();
    Sim sim = start.replicate(1, N), Q_hat = Sim::Zero(1, N), alive = Sim::Ones(1, N);
    for (Eigen::Index t = 0; t < T; ++t) {                                       //(b2) sample trajectories from the model
      const Sim a = plans.middleRows(t * env.action_dim, env.action_dim).cast<double>();
      const Sim next = env.advance(sim, a);
      Q_hat += std::pow(gamma, double(t)) * alive * env.rewards(sim, a, next);
      alive *= 1 - env.ended(next);
      sim = next;
    }
    return Q_hat.cast<Real>();
  }
};

// The n best plans by return, best first; those whose return is NaN or infinite never win, so it may be fewer. Throws
// NotFinite if none is left.
inline std::vector<int> best_first(const Mat& Q_hat, int n) {
  std::vector<int> finite;
  for (int i = 0; i < Q_hat.cols(); ++i)
    if (std::isfinite(Q_hat(0, i))) finite.push_back(i);
  if (finite.empty()) throw NotFinite("planning: the return of every candidate is NaN or infinite; has the model diverged?");
  n = std::min(n, int(finite.size()));
  std::partial_sort(finite.begin(), finite.begin() + n, finite.end(),
                    [&](int i, int j) { return Q_hat(0, i) > Q_hat(0, j); });
  finite.resize(n);
  return finite;
}

// The next step's first guess: the plan without its first action, zeros at its end.
inline Mat shifted(const Mat& plan, int action_dim) {
  Mat next = Mat::Zero(plan.rows(), plan.cols());
  next.topRows(plan.rows() - action_dim) = plan.bottomRows(plan.rows() - action_dim);
  return next;
}

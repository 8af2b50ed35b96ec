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
#include "chapters/00_toolbox/errors.h"    // interrupted
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "envs/env.h"

// The returns of many plans, (1, N), a block at a time and the blocks on several cores. A block is small enough for the
// cache, and the same whatever the number of threads. returns(i, plans of block i) -> (1, their number)
constexpr int block_size = 50;
inline int blocks_of(Eigen::Index plans) { return int(plans + block_size - 1) / block_size; }
template <class F> Mat in_blocks(const Mat& plans, F returns) {
  Mat Q_hat(1, plans.cols());
  parallel_for(blocks_of(plans.cols()), [&](int i, int) {
    const Eigen::Index first = i * block_size, n = std::min<Eigen::Index>(block_size, plans.cols() - first);
    Q_hat.middleCols(first, n) = returns(i, Mat(plans.middleCols(first, n)));
  });
  return Q_hat;
}

// Q_hat in the true model: the ceiling of what planning with a learned one can reach.
struct TrueModel {
  const Env& env;
  const Sim start;  // (sim_dim, 1), where all trajectories begin
  Real gamma = 1;

  // (action_dim T, N) -> (1, N)
  Mat operator()(const Mat& plans) const {
    return in_blocks(plans, [this](int, const Mat& block) { return of_block(block); });
  }

 private:
  // Q_hat(s, a) = sum_t gamma^t r_t, nothing after a terminal state
  Mat of_block(const Mat& plans) const {                                   //(b1*) given an action sequence of length T
    const Eigen::Index T = plans.rows() / env.action_dim, N = plans.cols();
    Sim sim = start.replicate(1, N), Q_hat = Sim::Zero(1, N), ended = Sim::Zero(1, N);
    for (Eigen::Index t = 0; t < T; ++t) {                                 //(b2) sample the trajectory from the model
      const Sim a = plans.middleRows(t * env.action_dim, env.action_dim).cast<double>();
      const Sim next = env.advance(sim, a);
      Q_hat += (ended > 0).select(0, std::pow(gamma, double(t)) * env.rewards(sim, a, next));
      ended = (ended > 0).select(ended, env.ended(next));
      sim = next;
    }
    return Q_hat.cast<Real>();
  }
};

//(b3) choose the action sequence with the highest estimated return: the n best, best first. A return that is NaN or
// infinite never wins, so there may be fewer. Throws NotFinite if none is left.
inline std::vector<int> best_first(const Mat& Q_hat, int n) {
  std::vector<int> finite;
  for (int i = 0; i < Q_hat.cols(); ++i)
    if (std::isfinite(Q_hat(0, i))) finite.push_back(i);
  if (finite.empty())
    throw NotFinite("planning: the return of every candidate is NaN or infinite; has the model diverged?");
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

// Model-predictive control in the true model for `steps` steps, fewer after a terminal state or Ctrl-C: plan, execute
// the first action, plan again. Returns the sum of rewards; every state on the way goes to `film`.
template <class Planner>
Real control_episode(Env& env, int steps, Real gamma, Planner& planner, Rng& rng, std::vector<Sim>& film) {
  Real eval_return = 0;
  env.reset(rng), planner.reset(), film.clear();
  for (bool over = false; env.steps() < steps && !over && !interrupted();) {
    film.push_back(env.sim);
    const Transition step = env.step(planner.act(TrueModel{env, env.sim, gamma}, rng));
    eval_return += step.r, over = step.terminated;
  }
  return eval_return;
}

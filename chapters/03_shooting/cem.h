// The cross-entropy method (slide "Random Shooting (RS)": "A refinement"), as PETS plans with it: Chua et al. 2018.
#pragma once
#include "chapters/03_shooting/shooting.h"

struct CemOptions {
  int T = 25;           // horizon
  int candidates = 400, elites = 40, iterations = 5;
  Real alpha = 0.1;     // weight of the old mean and variance
  Real epsilon = 1e-3;  // stop when no variance is larger

  // Throws std::invalid_argument, one line with the rule.
  void check() const {
    if (T < 1) throw std::invalid_argument("CEM: the horizon must be at least 1");
    if (elites < 1) throw std::invalid_argument("CEM: elites must be at least 1");
    if (candidates < elites) throw std::invalid_argument("CEM: there must be at least as many candidates as elites");
    if (iterations < 1) throw std::invalid_argument("CEM: iterations must be at least 1");
    if (!(0 <= alpha && alpha <= 1)) throw std::invalid_argument("CEM: alpha must be between 0 and 1");
    if (!(epsilon >= 0)) throw std::invalid_argument("CEM: epsilon must be at least 0");
  }
};

// N plans a step, shared out over the iterations. A tenth are elites, but where that is less than 10, up to two fifths.
inline CemOptions cem_options(int N, int T, int iterations) {
  const int candidates = N / iterations, elites = std::max(candidates / 10, std::min(10, candidates * 2 / 5));
  return {.T = T, .candidates = candidates, .elites = elites, .iterations = iterations};
}

struct Cem : CemOptions {
  int action_dim;
  Mat mu, var;    // (action_dim T, 1), mean and variance of the plans; mu is the plan itself
  Mat plans;      // (action_dim T, candidates), the last iteration's
  std::vector<int> best;  // its elites, best first

  // Throws std::invalid_argument as CemOptions::check.
  Cem(int action_dim, const CemOptions& options) : CemOptions(options), action_dim(action_dim) {
    check();
    reset();
  }
  void reset() { mu = Mat::Zero(action_dim * T, 1); }  // before an episode

  // The action for the current state, (action_dim, 1). The search begins at the last plan, shifted.
  template <class Return> Mat act(const Return& Q_hat, Rng& rng) {
    search(shifted(mu, action_dim), Q_hat, rng);
    return mu.topRows(action_dim);  // of the mean, not of the best sample, which owes much to luck
  }

  // Leaves the best plan in mu. The variance begins anew: ((upper - lower) / 4)^2.
  template <class Return> void search(const Mat& start, const Return& Q_hat, Rng& rng) {
    mu = start, var.setConstant(mu.rows(), 1, Real(0.25));
    for (int i = 0; i < iterations && var.maxCoeff() > epsilon; ++i) refine(Q_hat, rng);
  }

  //(b5) CEM samples actions from a distribution closer to previous action samples that yield high reward
  template <class Return> void refine(const Return& Q_hat, Rng& rng) {
    // sigma^2 <= ((mu - lower) / 2)^2, ((upper - mu) / 2)^2: the bounds -1 and 1 are two sigma away or more, and z
    // is cut at two, so that no plan leaves them.
    const Mat sigma = min(var, min(square((1 + mu) / 2), square((1 - mu) / 2))).sqrt();
    plans = truncated_normal(mu.rows(), candidates, rng);
    plans = (plans.colwise() * sigma.col(0)).colwise() + mu.col(0);

    best = best_first(Q_hat(plans), elites);
    Mat mean = Mat::Zero(mu.rows(), 1), variance = mean;
    for (int i : best) mean += plans.col(i) / Real(best.size());
    for (int i : best) variance += (plans.col(i) - mean).square() / Real(best.size());
    mu = alpha * mu + (1 - alpha) * mean;
    var = alpha * var + (1 - alpha) * variance;
  }

  // N(0, 1) cut to [-2, 2] by drawing again.
  static Mat truncated_normal(Eigen::Index rows, Eigen::Index cols, Rng& rng) {
    Mat z = rng.normal(rows, cols);
    for (Real& v : z.reshaped())
      if (std::abs(v) > 2) v = Real(rng.truncated_normal(2));
    return z;
  }
};

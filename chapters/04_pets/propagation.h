// Trajectory sampling (slide "PETS: Probabilistic Ensembles with Trajectory Sampling", "Trajectory Propagation"): state
// particles are carried through the learned model, and a plan is worth the mean return of its particles.
#pragma once
#include "chapters/03_shooting/shooting.h"  // in_blocks
#include "chapters/04_pets/ensemble.h"
#include "envs/env.h"

// How a particle gets its next state, in the names of Chua et al. 2018.
enum class Propagation {
  E,      // the mean of all members' means, no noise
  DS,     // a draw from the Gaussian with the ensemble's mean and variance
  MM,     // DS, then all particles of a plan are drawn anew from a Gaussian with their mean and variance
  TS1,    // a draw from a member, which is chosen anew in each step
  TSinf,  // a draw from the member that the particle is bound to
};

// The mean and variance of an ensemble's prediction, in two parts:
//(b4) bootstrap disagreement far from data captures epistemic uncertainty,
//(b5) each network's variance the aleatoric uncertainty of a stochastic environment.
struct Moments {
  Mat mean, aleatoric, epistemic;  // (dim, batch): the mean of means, the mean of variances, the variance of the means
};
inline Moments moments(const Ensemble& f, const Mat& x) {
  Moments m{Mat::Zero(f.members[0].head.target.mean.rows(), x.cols()), {}, {}};
  m.aleatoric = m.epistemic = m.mean;
  const Real n = Real(f.elites.size());
  std::vector<Mat> mu;
  for (std::size_t i = 0; i < f.elites.size(); ++i) {
    const Gaussian<Mat> y = f.elite(i).predict(x);
    m.mean += y.mu / n;
    if (f.options.probabilistic) m.aleatoric += exp(y.log_var) / n;
    mu.push_back(y.mu);
  }
  for (const Mat& y : mu) m.epistemic += square(y - m.mean) / n;
  return m;
}

// Each member gets as many particles as the others. Throws std::invalid_argument, one line with the rule.
inline void check_particles(Propagation mode, int P, int members) {
  const bool bound = mode == Propagation::TS1 || mode == Propagation::TSinf;
  if (P < 1) throw std::invalid_argument("trajectory sampling: there must be at least one particle");
  if (bound && P % members != 0)
    throw std::invalid_argument("trajectory sampling: " + std::to_string(P) + " particles are no multiple of " +
                                std::to_string(members) + " members");
}

// x (rows, N), P times side by side.
inline Mat repeat(const Mat& x, int P) {
  Mat y(x.rows(), x.cols() * P);
  for (int p = 0; p < P; ++p) y.middleCols(p * x.cols(), x.cols()) = x;
  return y;
}

// TS1: an order of the columns in which the P particles of each of N plans have changed places. They stand in it while
// the members predict, so that each member gets P / B of them, others in each step.
inline std::vector<int> permuted(int N, int P, Rng& rng) {
  std::vector<int> order(N * P);
  std::iota(order.begin(), order.end(), 0);
  for (int n = 0; n < N; ++n)
    for (int p = P; p > 1; --p) std::swap(order[(p - 1) * N + n], order[int(rng.below(p)) * N + n]);
  return order;
}

// The learned dynamics of an environment, for P particles of each of N plans at once.
struct Particles {
  const Ensemble& model;
  const Env& env;
  Propagation mode;
  int P;

  // Throws std::invalid_argument as check_particles.
  Particles(const Ensemble& model, const Env& env, Propagation mode, int P) : model(model), env(env), mode(mode), P(P) {
    check_particles(mode, P, int(model.elites.size()));
  }

  // s_{t+1}^p from s_t^p. s (state_dim, N P), a (action_dim, N): column p N + n is particle p of plan n, and particles
  // p B / P = b for b = 0, ..., B - 1 belong to elite b.
  //(b6) re-sample each particle (with associated bootstrap) according to its probabilistic prediction
  Mat step(const Mat& s, const Mat& a, Rng& rng) const {             //(6) propagate state particles s^p using TS and f~
    const int N = int(a.cols());
    const Mat x = concat(env.net_input(s), repeat(a, P));
    Mat y;
    if (mode == Propagation::TS1) {
      const std::vector<int> order = permuted(N, P, rng);
      y = target(x(Eigen::all, order), rng);
      y(Eigen::all, order) = Mat(y);  // back to their places
    } else {
      y = target(x, rng);
    }
    Mat next = env.net_apply(s, y);
    if (mode == Propagation::MM) redraw(next, N, rng);
    return next;
  }

 private:
  Mat target(const Mat& x, Rng& rng) const {
    if (mode == Propagation::E) return moments(model, x).mean;
    const Eigen::Index dim = model.members[0].head.target.mean.rows();
    if (mode == Propagation::DS || mode == Propagation::MM) {
      const Moments m = moments(model, x);
      return m.mean + sqrt(m.aleatoric + m.epistemic) * rng.normal(dim, x.cols());
    }
    Mat y(dim, x.cols());  // only the member that a particle is bound to is evaluated
    const Eigen::Index B = model.elites.size(), n = x.cols() / B;
    for (Eigen::Index b = 0; b < B; ++b) {
      const Mat mine = x.middleCols(b * n, n);
      y.middleCols(b * n, n) = model.options.probabilistic ? model.elite(b).sample(mine, rng.normal(dim, n))
                                                           : model.elite(b).predict(mine).mu;
    }
    return y;
  }

  // MM: a Gaussian in place of the particles.
  void redraw(Mat& s, Eigen::Index N, Rng& rng) const {
    Mat mean = Mat::Zero(s.rows(), N), var = mean;
    for (int p = 0; p < P; ++p) mean += s.middleCols(p * N, N) / Real(P);
    for (int p = 0; p < P; ++p) var += square(s.middleCols(p * N, N) - mean) / Real(P);
    s = repeat(mean, P) + repeat(sqrt(var), P) * rng.normal(s.rows(), s.cols());
  }
};

// Q_hat in the learned model, for a planner of chapter 03.
struct ModelReturn {
  const Particles& particles;
  Mat s;  // (state_dim, 1), where all particles begin
  Rng& rng;

  // (action_dim T, N) -> (1, N)
  Mat operator()(const Mat& plans) const {
    std::vector<Rng> rngs;  // one a block, so that the numbers do not depend on the threads
    for (int i = 0; i < blocks_of(plans.cols()); ++i) rngs.push_back(rng.split());
    return in_blocks(plans, [&](int i, const Mat& block) { return of_block(block, rngs[i]); });
  }

 private:
  Mat of_block(const Mat& plans, Rng& rng) const {
    const Env& env = particles.env;
    const int P = particles.P;
    const Eigen::Index N = plans.cols(), T = plans.rows() / env.action_dim;
    Mat s_tau = s.replicate(1, N * P), sum = Mat::Zero(1, N * P), ended = sum;
    for (Eigen::Index tau = 0; tau < T; ++tau) {
      const Mat a = plans.middleRows(tau * env.action_dim, env.action_dim);
      const Mat s_next = particles.step(s_tau, a, rng);
      //(7) evaluate actions as sum_tau 1/P sum_p r(s_tau^p, a_tau), nothing after a terminal state
      sum += (ended > 0).select(Real(0), env.reward(s_tau, repeat(a, P), s_next));
      ended = (ended > 0).select(ended, env.terminated(s_next));
      s_tau = s_next;
    }
    Mat Q_hat = Mat::Zero(1, N);
    for (int p = 0; p < P; ++p) Q_hat += sum.middleCols(p * N, N) / Real(P);
    return Q_hat;
  }
};

// iCEM (Pinneri et al. 2020): CEM with four changes that save samples, numbered below. Not on the slide.
#pragma once
#include "chapters/03_shooting/cem.h"

struct IcemOptions : CemOptions {
  Real decay = 1.3;   // candidates shrink by this factor in each iteration, to no fewer than 2 elites
  Real colour = 2;    // the noise's power falls with frequency^-colour; 0 is white
  Real kept = 0.3;    // share of the elites that come back

  int candidates_of(int iteration) const {
    return std::max(int(candidates * std::pow(decay, -Real(iteration))), 2 * elites);
  }
  int kept_elites() const { return int(kept * Real(elites)); }
  int samples() const {  // of one real step, at most
    int n = iterations * kept_elites() + 1;
    for (int i = 0; i < iterations; ++i) n += candidates_of(i);
    return n;
  }
};

// As cem_options: N plans a step. It begins with more candidates, because they become fewer.
inline IcemOptions icem_options(int N, int T, int iterations) {
  IcemOptions icem{cem_options(N, T, iterations)};
  for (icem.candidates = N; icem.samples() > N && icem.candidates > 2 * icem.elites;) --icem.candidates;
  return icem;
}

struct Icem : IcemOptions {
  int action_dim;
  Mat mu, var;            // (action_dim T, 1), as in Cem
  Mat plans;              // (action_dim T, candidates of the last iteration)
  std::vector<int> best;  // its elites, best first

  // Throws std::invalid_argument as CemOptions::check.
  Icem(int action_dim, const IcemOptions& options) : IcemOptions(options), action_dim(action_dim) {
    check();
    reset();
  }
  void reset() { mu = Mat::Zero(action_dim * T, 1), plans.resize(mu.rows(), 0), best.clear(); }  // before an episode

  // The action for the current state, (action_dim, 1).
  template <class Return> Mat act(const Return& Q_hat, Rng& rng) {
    Mat back = shifted(elite_plans(), action_dim);
    mu = shifted(mu, action_dim), var.setConstant(mu.rows(), 1, Real(0.25));
    for (int i = 0; i < iterations && var.maxCoeff() > epsilon; ++i) {
      const Mat noise = coloured(candidates_of(i), rng);        // 1. fewer and fewer candidates, 2. smooth in time
      plans = clamp(Mat((noise.colwise() * sqrt(var).col(0)).colwise() + mu.col(0)), -1, 1);
      plans = append_cols(plans, back);                         // 3. a few elites come back, also from the last step
      if (i + 1 == iterations) plans = append_cols(plans, mu);  // 4. the mean is a candidate; the best one is executed
      best = best_first(Q_hat(plans), elites);
      back = elite_plans();
      Mat mean = Mat::Zero(mu.rows(), 1), variance = mean;
      for (int j : best) mean += plans.col(j) / Real(best.size());
      for (int j : best) variance += (plans.col(j) - mean).square() / Real(best.size());
      mu = alpha * mu + (1 - alpha) * mean;
      var = alpha * var + (1 - alpha) * variance;
    }
    return plans.col(best.front()).head(action_dim);
  }

  // n plans of noise with mean 0, variance 1 and the spectrum frequency^-colour along time, (action_dim T, n).
  Mat coloured(int n, Rng& rng) const {
    // x_t = sum_f c_f (z_f cos(pi f t / T) + z'_f sin(pi f t / T)), f = 1, ..., T, c_f^2 ~ f^-colour, sum_f c_f^2 = 1
    Mat wave(T, 2 * T);  // c_f cos and c_f sin, side by side
    for (int f = 0; f < T; ++f)
      for (int t = 0; t < T; ++t) {
        const double angle = std::numbers::pi * (f + 1) * t / T, c = std::pow(f + 1.0, -colour / 2.0);
        wave(t, 2 * f) = Real(c * std::cos(angle)), wave(t, 2 * f + 1) = Real(c * std::sin(angle));
      }
    wave /= std::sqrt(wave.row(0).square().sum());
    const Mat x = matmul(wave, rng.normal(2 * T, n * action_dim));  // (T, n action_dim)
    Mat noise(action_dim * T, n);
    for (int j = 0; j < n; ++j)
      for (int t = 0; t < T; ++t)
        for (int k = 0; k < action_dim; ++k) noise(t * action_dim + k, j) = x(t, j * action_dim + k);
    return noise;
  }

 private:
  Mat elite_plans() const {  // (action_dim T, kept_elites()), none before the first step
    const int n = std::min(kept_elites(), int(best.size()));
    return plans(Eigen::all, std::vector<int>(best.begin(), best.begin() + n));
  }
};

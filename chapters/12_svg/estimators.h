// Two estimates of the same gradient, on a task that is small enough for millions of samples: whitebox and blackbox.
#pragma once
#include "autodiff/ops.h"
#include "autodiff/rng.h"

// dJ/dtheta of J = sum_{t < T} r_t, one estimate a sample, (1, n) each.
struct Estimates {
  Mat pathwise, score;
};

//   s' = 0.9 s + a + 0.1 xi,   a = theta s + 0.5 eta,   r = -s^2 - 0.1 a^2,   s_0 = 1, theta = -0.5
//(b8) pathwise: y = f(x, xi) is a deterministic function of noise, so dE[g(y)]/dx = E[g_y f_x]: derivatives of reward
// and dynamics are used. score: d log pi(a_t|s_t)/dtheta times the rewards from t on; rewards are only sampled.
inline Estimates estimate(int T, int n, Rng& rng) {
  const Real sigma = 0.5;
  Tape tape;
  const Var theta = tape.input(Mat::Constant(1, n, Real(-0.5)));  // each sample its own, so that each has a gradient
  Var s = tape.constant(Mat::Ones(1, n)), J = tape.zero();
  Mat score_so_far = Mat::Zero(1, n), score = Mat::Zero(1, n);
  for (int t = 0; t < T; ++t) {
    const Mat eta = rng.normal(1, n), xi = rng.normal(1, n);
    const Var a = theta * s + sigma * eta;
    const Var r = -square(s) - Real(0.1) * square(a);
    J = J + sum(r);
    score_so_far += eta * s.value() / sigma;  // d log pi(a|s) / dtheta = (a - theta s) s / sigma^2
    score += score_so_far * r.value();        // causal: r_t is multiplied with the scores up to t
    s = Real(0.9) * s + a + Real(0.1) * xi;
  }
  tape.backward(J);
  return {theta.grad(), score};
}

struct SampleMoments {
  double mean, variance;
};
inline SampleMoments moments(const Mat& x) {
  const Eigen::ArrayXXd wide = x.cast<double>();
  return {wide.mean(), (wide - wide.mean()).square().sum() / double(wide.size() - 1)};
}

// How far a learned Gaussian is from the true one, and what a model's error and its slope mean for k.
#pragma once
#include <cmath>
#include <vector>
#include "chapters/04_pets/gaussian.h"  // Gaussian
#include "chapters/06_mbpo/bound.h"

// D_KL(p || q) of two diagonal Gaussians, in double: (dim, n) -> (1, n).
//   KL = 1/2 sum_i [ (mu_q - mu_p)^2 / sigma_q^2 + sigma_p^2 / sigma_q^2 - 1 - log(sigma_p^2 / sigma_q^2) ]
inline Eigen::ArrayXXd kl(const Gaussian<Mat>& p, const Gaussian<Mat>& q) {
  const Eigen::ArrayXXd mu_p = p.mu.cast<double>(), mu_q = q.mu.cast<double>();
  const Eigen::ArrayXXd log_ratio = p.log_var.cast<double>() - q.log_var.cast<double>();
  const Eigen::ArrayXXd square = (mu_q - mu_p).square() * (-q.log_var.cast<double>()).exp();
  return (square + log_ratio.exp() - 1 - log_ratio).colwise().sum() / 2;
}

// An upper bound of D_TV: Pinsker's sqrt(KL / 2), and never above 1. Rounding may leave a KL of -1e-17.
inline Eigen::ArrayXXd pinsker(const Eigen::ArrayXXd& kl) { return (kl.max(0) / 2).sqrt().min(1); }

// y = at_0 + slope x, by least squares.
struct Line {
  double at_0, slope;
};
inline Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const Eigen::Map<const Eigen::ArrayXd> X(x.data(), Eigen::Index(x.size())), Y(y.data(), Eigen::Index(y.size()));
  const double slope = ((X - X.mean()) * (Y - Y.mean())).sum() / (X - X.mean()).square().sum();
  return {Y.mean() - slope * X.mean(), slope};
}

// The k that the bound suggests with the error of the shifted policy put in, eps_m'(eps_pi) = eps_m + slope eps_pi.
inline double suggested_k(const Line& error, double eps_pi, double gamma) {
  const double eps_m = std::max(error.at_0 + error.slope * eps_pi, 1e-6);  // a line may cross 0, no model is perfect
  return optimal_whole_k(eps_m, eps_pi, gamma);
}

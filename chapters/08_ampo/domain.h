// Theorem 1 of slide "Review: Domain Adaptation" (Shen et al. 2018) on a line: a hypothesis learned on a source mu_s is
// used on a target mu_t. Measures have finitely many points, a fine grid for a density. In double.
#pragma once
#include <cmath>
#include <limits>
#include <vector>
#include "chapters/06_mbpo/finite_mdp.h"  // Vector, Rng

// Two measures on the points x (ascending, the same for both), with what is to be predicted in each domain: (points).
struct TwoDomains {
  Vector x, mu_s, mu_t, y_s, y_t;

  // eps(h) = E_mu |h(x) - y(x)|
  double source_error(const Vector& h) const { return mu_s.dot((h - y_s).cwiseAbs()); }
  double target_error(const Vector& h) const { return mu_t.dot((h - y_t).cwiseAbs()); }

  // W1(mu_s, mu_t) = int |F_s - F_t| dx, exact between points.
  double w1() const {
    double sum = 0, flow = 0;  // flow: F_s - F_t, the mass that has to pass from here to the right
    for (Eigen::Index i = 0; i + 1 < x.size(); ++i) {
      flow += mu_s[i] - mu_t[i];
      sum += std::abs(flow) * (x[i + 1] - x[i]);
    }
    return sum;
  }

  // lambda = min_{h in H} [eps_s(h) + eps_t(h)]: what no hypothesis can avoid. Infinite for an empty H.
  double lambda(const std::vector<Vector>& H) const {
    double least = std::numeric_limits<double>::infinity();
    for (const Vector& h : H) least = std::min(least, source_error(h) + target_error(h));
    return least;
  }
};

//(b12) eps_t(h) <= eps_s(h) + 2 K W1(mu_s, mu_t) + lambda   for every h in H, if all of H are K-Lipschitz
// The proof: |h - h*| is 2K-Lipschitz, so that its means differ by at most 2 K W1; the rest is the triangle inequality
// by way of h*, the hypothesis of lambda.
inline double target_bound(const TwoDomains& D, const Vector& h, const std::vector<Vector>& H, double K) {
  return D.source_error(h) + 2 * K * D.w1() + D.lambda(H);
}

// The largest |h(x_i+1) - h(x_i)| / (x_i+1 - x_i).
inline double lipschitz(const Vector& x, const Vector& h) {
  double most = 0;
  for (Eigen::Index i = 0; i + 1 < x.size(); ++i)
    most = std::max(most, std::abs(h[i + 1] - h[i]) / (x[i + 1] - x[i]));
  return most;
}

// A walk of slopes, uniform in [-K, K], from a value uniform in [-1, 1].
inline Vector random_lipschitz(const Vector& x, double K, Rng& rng) {
  Vector h(x.size());
  h[0] = rng.uniform(-1, 1);
  for (Eigen::Index i = 1; i < x.size(); ++i) h[i] = h[i - 1] + K * rng.uniform(-1, 1) * (x[i] - x[i - 1]);
  return h;
}

// Measures and K-Lipschitz labels at random; in half of the cases the labels of both domains are the same.
inline TwoDomains random_domains(int points, double K, Rng& rng) {
  Vector x(points);
  double at = 0;
  for (double& here : x) here = at += rng.uniform(0.01, 0.2);
  const Vector y = random_lipschitz(x, K, rng), other = random_lipschitz(x, K, rng);
  const double differ = std::max(0.0, rng.uniform(-1, 1));  // how much of a label is the target's own
  return {x, random_distribution(points, rng), random_distribution(points, rng), y, (1 - differ) * y + differ * other};
}

// N(mean, 1) on the grid x, its weights adding up to 1.
inline Vector normal_on(const Vector& x, double mean) {
  const Vector weight = (-(x.array() - mean).square() / 2).exp().matrix();
  return weight / weight.sum();
}

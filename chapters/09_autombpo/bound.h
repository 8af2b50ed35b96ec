// The bound of slide "Analysis of real ratio schedule" (Lai et al. 2021), every O(x) read as x. In double.
#pragma once
#include <cmath>
#include <numbers>

// z with P(N(0, 1) > z) = x, that is Phi^-1(1 - x), by Newton's method on log P: in the tail 1 - x would be 1.
// 0 < x <= 1/2.
inline double upper_quantile(double x) {
  double z = std::sqrt(-2 * std::log(2 * x));  // P <= exp(-z^2 / 2) / 2: too large, and log P is concave: steps go left
  for (int i = 0; i < 8; ++i) {
    const double P = std::erfc(z / std::numbers::sqrt2) / 2;
    z += std::log(P / x) * P * std::sqrt(2 * std::numbers::pi) * std::exp(z * z / 2);
  }
  return z;
}

//(b3*) || V* - V^{pi_K} ||_{p,rho} <= the sum of four terms; beta: real ratio, N: number of real data
// 0 < beta <= 1, beta |A| < N. Two of the terms do not depend on beta.
struct RealRatioBound {
  double sigma;                              // deviation of the model's error
  double actions = 2, K = 50, delta = 0.1;   // |A|; iterations; the bound holds with the chance 1 - delta
  double p = 1, gamma = 0.9, V_max = 1;
  double C = 1, d = 2e-4;                    // C_{rho,mu}; d_{p,mu}(BF, F), what the function class cannot fit

  // 2 gamma / (1 - gamma)^2 C^(1/p) d
  double approximation() const { return 2 * gamma / ((1 - gamma) * (1 - gamma)) * std::pow(C, 1 / p) * d; }

  // [beta |A| / N (log(N / (beta |A|)) + log(K / delta))]^(1 / 2p)
  double estimation(double beta, double N) const {
    const double share = beta * actions / N;
    return std::pow(share * (std::log(1 / share) + std::log(K / delta)), 1 / (2 * p));
  }

  // Phi^-1(1 - beta delta / (8 K N (1 - beta))) sigma. It reaches 0 just below beta = 1 and stays there: no model data.
  double model(double beta, double N) const {
    const double x = beta * delta / (8 * K * N * (1 - beta));
    return x < 0.5 ? upper_quantile(x) * sigma : 0;
  }

  // gamma^(K/p) V_max
  double iteration() const { return std::pow(gamma, K / p) * V_max; }

  double operator()(double beta, double N) const {
    return approximation() + estimation(beta, N) + model(beta, N) + iteration();
  }

  // argmin over beta, to 1 %, at least 1e-8. A search, because the sum has two minima, one inside and one at 1.
  double best(double N) const {
    double beta_star = 1;
    for (double beta = 1; beta > 1e-8; beta *= 0.99)
      if ((*this)(beta, N) < (*this)(beta_star, N)) beta_star = beta;
    return beta_star;
  }
};

// The bounds of slide "Theoretical Analysis" (Lai et al. 2020), and where they are least. In double.
#pragma once
#include "chapters/06_mbpo/bound.h"  // bound, optimal_k: of forward branches

//(b8) |eta[pi] - eta_branch[pi]| <= 2 r_max [gamma^(k1+k2+1) eps_pi / (1-gamma)^2 + gamma^(k1+k2) eps_pi / (1-gamma)
//                                            + max(k1, k2) eps_m / (1-gamma)]
// k1 steps backwards and k2 forwards from a real state; 0 <= gamma < 1, k1, k2 >= 0 (real numbers are allowed). No
// state of such a branch is more than max(k1, k2) steps of a model away from a real one.
inline double bidirectional_bound(double k1, double k2, double eps_m, double eps_pi, double gamma, double r_max) {
  return 2 * r_max * (std::pow(gamma, k1 + k2 + 1) * eps_pi / ((1 - gamma) * (1 - gamma)) +
                      std::pow(gamma, k1 + k2) * eps_pi / (1 - gamma) + std::max(k1, k2) * eps_m / (1 - gamma));
}

//(b9) The same with (k1 + k2) eps_m / (1-gamma): k1 + k2 steps forwards, the bound of chapter 06 at k = k1 + k2.
inline double forward_bound(double k1, double k2, double eps_m, double eps_pi, double gamma, double r_max) {
  return bound(k1 + k2, eps_m, eps_pi, gamma, r_max);
}

// argmin over K = k1 + k2. For a given K the best split is k1 = k2 = K / 2, so that the model's error counts half:
//   K* = ln(2 rho) / ln(1/gamma),   rho as in optimal_k; 0 if 2 rho <= 1
// ln 2 / ln(1/gamma) steps more than forwards, if forwards are worth a step at all (rho > 1).
inline double optimal_total(double eps_m, double eps_pi, double gamma) {
  return optimal_k(eps_m / 2, eps_pi, gamma);
}

// The least bidirectional bound over the least forward one, rho > 1:
//   1/2 (1 + ln 2 rho) / (1 + ln rho)
// since at k* gamma^k* = 1 / rho, and the bound there is 2 r_max eps_m / ((1-gamma) ln(1/gamma)) (1 + ln rho).
inline double least_bounds_ratio(double eps_m, double eps_pi, double gamma) {
  const double rho = eps_pi * std::log(1 / gamma) / ((1 - gamma) * eps_m);
  return 0.5 * (1 + std::log(2 * rho)) / (1 + std::log(rho));
}

// A convex function's minimum between low and high, by golden-section search. more(x, y) = f(x) - f(y): the difference
// rather than the values, because near its minimum f itself is flat to half of its digits.
template <class Difference> double golden_section(double low, double high, const Difference& more) {
  const double golden = (std::sqrt(5) - 1) / 2;
  for (int i = 0; i < 200 && high - low > 1e-13 * (1 + high); ++i) {
    const double left = high - golden * (high - low), right = low + golden * (high - low);
    if (more(left, right) > 0) low = left;
    else high = right;
  }
  return (low + high) / 2;
}

// C(K) - C(K') at trajectories of K and K' steps, `share` of which count as the model's: 1 forwards, 1/2 in both
// directions. Term by term, r_max = 1: gamma^K - gamma^K' = gamma^K' (gamma^(K - K') - 1) without cancellation.
inline double bound_difference(double K, double other, double share, double eps_m, double eps_pi, double gamma) {
  const double power = std::pow(gamma, other) * std::expm1((K - other) * std::log(gamma));
  return 2 * (gamma * power * eps_pi / ((1 - gamma) * (1 - gamma)) + power * eps_pi / (1 - gamma) +
              share * (K - other) * eps_m / (1 - gamma));
}

// argmin C(K) over real K >= 0 by search alone.
inline double search_total(double share, double eps_m, double eps_pi, double gamma) {
  double high = 1;
  const auto more = [&](double K, double other) { return bound_difference(K, other, share, eps_m, eps_pi, gamma); };
  while (more(2 * high, high) < 0) high *= 2;
  return golden_section(0, 2 * high, more);
}

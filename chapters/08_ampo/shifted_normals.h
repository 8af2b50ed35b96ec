// N(0, 1) and N(d, 1): how far apart they are, in each distance, known without a sample. In double.
#pragma once
#include <cmath>
#include <numbers>
#include <vector>

struct ShiftedNormals {
  double d;

  // Moving all of the mass by d is the best plan.
  double w1() const { return std::abs(d); }

  // x - y is N(-d, 2) and x - x' is N(0, 2). For z ~ N(m, 2) and v^2 = sigma^2 + 2
  //   E exp(-z^2 / (2 sigma^2)) = sigma / v exp(-m^2 / (2 v^2)), so that
  //   MMD^2 = 2 sum_i sigma_i / v_i (1 - exp(-d^2 / (2 v_i^2)))
  template <class Number> double mmd2(const std::vector<Number>& sigmas) const {
    double sum = 0;
    for (const double sigma : sigmas) {
      const double v2 = sigma * sigma + 2;
      sum += 2 * sigma / std::sqrt(v2) * -std::expm1(-d * d / (2 * v2));
    }
    return sum;
  }

  // F_src - F_tgt, the mass that has to pass x from left to right.
  double flow(double x) const { return (std::erfc(-x / std::sqrt(2.0)) - std::erfc(-(x - d) / std::sqrt(2.0))) / 2; }

  // The density of u x_src + (1 - u) x_tgt, u uniform: where the gradient penalty is measured. Of N((1-u) d, u^2 +
  // (1-u)^2) the mean over u, by the midpoint rule.
  double between(double x) const {
    constexpr int n = 200;
    double sum = 0;
    for (int i = 0; i < n; ++i) {
      const double u = (i + 0.5) / n, variance = u * u + (1 - u) * (1 - u), z = x - (1 - u) * d;
      sum += std::exp(-z * z / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
    }
    return sum / n;
  }

  // What a critic that has converged says, d >= 0. Integrated by parts, E_src[f] - E_tgt[f] = - int f' flow, and with
  // slope f' = -t, where `between` is r, its loss is int [- t flow + weight r (t - 1)^2], least at each x by itself:
  //   t = 1 + flow / (2 weight r)       estimate = int t flow = W1 + 1 / (2 weight) int flow^2 / r
  // In the middle of two distant ones flow = 1 and r = 1 / d: too much by d^2 / (2 weight), or d / (2 weight) of W1.
  double slope(double x, double weight) const { return -1 - flow(x) / (2 * weight * between(x)); }
  double critic(double weight) const { return w1() + excess() / (2 * weight); }

  // int flow^2 / r, by the trapezoidal rule; beyond 8 deviations nothing is left.
  double excess() const {
    constexpr double step = 0.02;
    double sum = 0;
    for (double x = -8; x < d + 8; x += step) sum += flow(x) * flow(x) / between(x);
    return sum * step;
  }
};

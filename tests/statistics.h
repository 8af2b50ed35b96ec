// What the tests of random numbers share: moments, and distances between samples and distributions.
// Seeds are fixed, so a test passes or fails always; the bounds are some four standard errors.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

struct SampleMoments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
  explicit SampleMoments(const std::vector<double>& x) {
    const double n = double(x.size());
    double third = 0, fourth = 0;
    for (double v : x) mean += v / n;
    for (double v : x) {
      const double d = v - mean;
      variance += d * d / n, third += d * d * d / n, fourth += d * d * d * d / n;
    }
    skewness = third / std::pow(variance, 1.5), kurtosis = fourth / (variance * variance);
  }
};

// The correlation of x[i] with y[i], times sqrt(n): about N(0, 1) for independent numbers.
inline double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const SampleMoments mx(x), my(y);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - mx.mean) * (y[i] - my.mean);
  return sum / std::sqrt(mx.variance * my.variance * double(x.size()));
}

// The largest difference between the samples' distribution function and cdf, times sqrt(n) (Kolmogorov and Smirnov):
// above 2 for one in 1500 samples that do follow cdf.
inline double kolmogorov_smirnov(std::vector<double> x, const std::function<double(double)>& cdf) {
  std::sort(x.begin(), x.end());
  double worst = 0;
  const double n = double(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double f = cdf(x[i]);
    worst = std::max({worst, std::abs(f - double(i) / n), std::abs(f - double(i + 1) / n)});
  }
  return worst * std::sqrt(n);
}

// Counts against equal expectation, in standard deviations of the chi-square distribution: about N(0, 1).
inline double chi_square(const std::vector<long>& counts) {
  double total = 0, sum = 0;
  for (long c : counts) total += double(c);
  const double expected = total / double(counts.size()), freedom = double(counts.size() - 1);
  for (long c : counts) sum += (double(c) - expected) * (double(c) - expected) / expected;
  return (sum - freedom) / std::sqrt(2 * freedom);
}

inline double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }
// N(0, 1) cut to [-bound, bound]
inline double truncated_normal_cdf(double z, double bound) {
  return (normal_cdf(z) - normal_cdf(-bound)) / (normal_cdf(bound) - normal_cdf(-bound));
}
inline double truncated_normal_variance(double bound) {  // 1 - 2 b phi(b) / (2 Phi(b) - 1)
  const double density = std::exp(-bound * bound / 2) / std::sqrt(2 * M_PI);
  return 1 - 2 * bound * density / (2 * normal_cdf(bound) - 1);
}

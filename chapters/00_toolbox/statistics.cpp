#include "chapters/00_toolbox/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

double mean(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0) / double(x.size()); }

double quantile(std::vector<double> x, double q) {
  std::sort(x.begin(), x.end());
  return x.empty() ? std::numeric_limits<double>::quiet_NaN() : x[size_t(q * double(x.size() - 1) + 0.5)];
}

namespace {

// How many values are smaller, and half of those that are equal, less the mean of this number.
std::vector<double> centred_ranks(const std::vector<double>& x) {
  std::vector<double> rank(x.size(), -double(x.size()) / 2);
  for (size_t i = 0; i < x.size(); ++i)
    for (const double other : x) rank[i] += other < x[i] ? 1 : other == x[i] ? 0.5 : 0;
  return rank;
}

}  // namespace

double rank_correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const std::vector<double> a = centred_ranks(x), b = centred_ranks(y);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

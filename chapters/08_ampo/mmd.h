// Distances between two samples without a critic: Maximum Mean Discrepancy (slide "Notations"; Gretton et al. 2012)
// and, in one dimension, Wasserstein-1 by sorting. One sample per column.
#pragma once
#include <algorithm>
#include <stdexcept>
#include <vector>
#include "autodiff/ops.h"

// k(x, y) = sum_i exp(-|x - y|^2 / (2 sigma_i^2)): a list holds the sigma_i, NOT their squares. The paper's, for
// features of swish units: its code too squares them.
inline const std::vector<Real> ampo_bandwidths = {1e-3, 5e-3, 1e-2, 5e-2, 0.1, 1, 5, 10};

// The mean over samples, a number for either: (dim, 1).
inline Mat centre(const Mat& x) { return x.rowwise().mean(); }
inline Mat centre(Var x) { return centre(x.value()); }

// |x_i - y_j|^2: (n, m), from x (dim, n) and y (dim, m). By the product rather than by differences, which is ten times
// faster. The caller moves both near the origin; rounding may still leave a little less than 0, which a small sigma
// would turn into an enormous kernel: cut off. NaN stays NaN.
template <class T> T squared_distances(const T& x, const T& y) {
  const Eigen::Index n = x.cols(), m = y.cols();
  const T xx = transpose(T(colwise_sum(T(square(x))))), yy = colwise_sum(T(square(y)));
  return relu(T(broadcast(xx, n, m) + broadcast(yy, n, m) - 2 * T(matmul(T(transpose(x)), y))));
}

// k of all pairs: (n, m), from their squared distances.
template <class T> T gaussian_kernels(const T& squared_distance, const std::vector<Real>& sigmas) {
  if (sigmas.empty()) throw std::invalid_argument("mmd: there must be at least one bandwidth");
  const auto kernel = [&](Real sigma) -> T {
    if (!(sigma > 0)) throw std::invalid_argument("mmd: a bandwidth must be above 0");
    return exp(T(squared_distance * (-1 / (2 * sigma * sigma))));
  };
  T sum = kernel(sigmas[0]);
  for (std::size_t i = 1; i < sigmas.size(); ++i) sum = sum + kernel(sigmas[i]);
  return sum;
}

//(b17) Variants: use other distribution divergence, e.g. MMD.
// MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)
// Unbiased (Gretton et al. 2012, lemma 6): its mean is the distributions' MMD^2, and so it may be negative. Of x (dim,
// n) and y (dim, m): a number for Mats, a (1, 1) Var for Vars. Throws std::invalid_argument for less than two columns.
template <class T> auto mmd2(const T& x, const T& y, const std::vector<Real>& sigmas) {
  const Eigen::Index n = x.cols(), m = y.cols();
  if (n < 2 || m < 2) throw std::invalid_argument("mmd: both samples need at least two columns");
  const T x_near = x - broadcast(centre(x), x.rows(), n), y_near = y - broadcast(centre(x), y.rows(), m);
  // The diagonal is left out by a mask: to subtract its known value would leave its rounding behind.
  const auto others = [&](const T& z) {
    const Eigen::Index size = z.cols();
    const Mat off_diagonal = 1 - Mat(Eigen::Matrix<Real, -1, -1>::Identity(size, size).array());
    return sum(T(gaussian_kernels<T>(squared_distances(z, z), sigmas) * off_diagonal)) *
           (1 / (Real(size) * Real(size - 1)));
  };
  return others(x_near) + others(y_near) -
         2 * mean(T(gaussian_kernels<T>(squared_distances(x_near, y_near), sigmas)));
}

// The median heuristic: sigma = the median distance of two different points of both samples together. 1 if they all
// coincide, when any will do.
inline Real median_heuristic(const Mat& x, const Mat& y) {
  const Mat all = append_cols(x, y), near = all.colwise() - centre(all).col(0);
  const Mat d2 = squared_distances(near, near);
  std::vector<Real> d;
  for (Eigen::Index j = 0; j < d2.cols(); ++j)
    for (Eigen::Index i = 0; i < j; ++i) d.push_back(d2(i, j));
  if (d.empty()) throw std::invalid_argument("mmd: the median heuristic needs at least two points");
  std::nth_element(d.begin(), d.begin() + d.size() / 2, d.end());
  return d[d.size() / 2] > 0 ? std::sqrt(d[d.size() / 2]) : 1;
}

// W1 of two samples on a line, exactly: the best plan moves the smallest to the smallest, and so on.
//   W1 = mean_i |x_(i) - y_(i)|
// Throws std::invalid_argument unless both have the same number of points, at least one.
inline double sorted_w1(std::vector<double> x, std::vector<double> y) {
  if (x.empty() || x.size() != y.size())
    throw std::invalid_argument("W1 by sorting: wanted two samples of the same size, not empty");
  std::sort(x.begin(), x.end()), std::sort(y.begin(), y.end());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::abs(x[i] - y[i]);
  return sum / double(x.size());
}

// Mean and deviation of what has been seen so far, for observations and rewards whose scale nobody knows beforehand.
#pragma once
#include "autodiff/mat.h"

// Moments of a stream of columns (Welford's recursion), in double.
struct RunningMoments {
  Eigen::ArrayXXd mean, squares;  // (dim, 1): squares = sum of (x - mean)^2
  double count = 0;
  static constexpr Real limit = 10;  // what is normalised is cut to [-limit, limit]

  explicit RunningMoments(int dim)
      : mean(Eigen::ArrayXXd::Zero(dim, 1)), squares(Eigen::ArrayXXd::Zero(dim, 1)) {}

  // x (dim, 1).
  void add(const Mat& x) {
    count += 1;
    const Eigen::ArrayXXd before = x.cast<double>() - mean;
    mean += before / count;
    squares += before * (x.cast<double>() - mean);
  }
  // The standard deviation, 1 as long as there are fewer than two or they are all the same.
  Mat std() const {
    if (count < 2) return Mat::Ones(mean.rows(), 1);
    const Eigen::ArrayXXd s = (squares / count).sqrt();
    return (s < 1e-6).select(1, s).cast<Real>();
  }
  // (x - mean) / std, and x / std, both cut.
  Mat normalise(const Mat& x) const {
    const Mat centred = x.colwise() - mean.cast<Real>().col(0);
    return cut(centred.colwise() / std().col(0));
  }
  Mat scale(const Mat& x) const { return cut(x.colwise() / std().col(0)); }

  template <class Ar> void io(Ar& ar) { ar("mean", mean), ar("squares", squares), ar("count", count); }

 private:
  static Mat cut(const Mat& x) { return x.max(-limit).min(limit); }
};

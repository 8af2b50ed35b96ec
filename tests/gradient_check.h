// Gradients against central differences, and what the tests of the tape share.
#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>
#include "autodiff/nn.h"
#include "tests/catch.h"

inline constexpr bool is_double = sizeof(Real) == 8;

// Relative error of a rounded result; relative error of a gradient against central differences.
inline constexpr double rounding = is_double ? 1e-12 : 2e-5, gradient_tolerance = is_double ? 1e-6 : 0.05;
inline constexpr double difference_step = is_double ? 0x1p-17 : 0x1p-8;

inline const std::vector<std::pair<int, int>> shapes = {{1, 1}, {1, 5}, {5, 1}, {3, 3}, {3, 4}, {17, 9}};

// An element of x, which is repeated where it has one row or one column.
inline double at(const Mat& x, Eigen::Index i, Eigen::Index j) {
  return x(x.rows() == 1 ? 0 : i, x.cols() == 1 ? 0 : j);
}

// Numbers between low and high, none within a difference step of a kink of the tested functions.
inline Mat away_from_kinks(Eigen::Index rows, Eigen::Index cols, double low, double high, Rng& rng) {
  Mat x(rows, cols);
  for (Real& v : x.reshaped()) {
    double u = rng.uniform(low, high);
    for (double kink : {-0.75, 0.0, 0.875})
      if (std::abs(u - kink) < 0.03) u = kink + 0.03;
    v = Real(u);
  }
  return x;
}

// max |a - b| over the elements, relative to 1 + max |b|; infinite where the shapes differ or a number is not finite.
template <class A, class B>
double distance(const A& a, const B& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return INFINITY;
  double worst = 0, scale = 1;
  for (Eigen::Index j = 0; j < a.cols(); ++j)
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
      if (!std::isfinite(a(i, j)) || !std::isfinite(b(i, j))) return INFINITY;
      worst = std::max(worst, std::abs(double(a(i, j)) - double(b(i, j))));
      scale = std::max(scale, 1 + std::abs(double(b(i, j))));
    }
  return worst / scale;
}

// |a - b| <= tolerance (1 + |b|); false for a NaN.
inline bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance * (1 + std::abs(b)); }

inline std::vector<double> elements(const Mat& x) { return std::vector<double>(x.data(), x.data() + x.size()); }

// sum(weights * y) with a rule of its own, so that no operation is tested with the help of another.
inline Var weighted_sum(Var y, const Mat& weights) {
  return record(
      {y}, [&](Mat& sum) { sum = Mat::Constant(1, 1, (weights * y.value()).sum()); },
      [y, &weights](const Node& sum) { y.grad() += sum.grad(0, 0) * weights; });
}

// The relative error of gradient against (loss(x + h) - loss(x - h)) / 2h, element by element; x is left as it was.
inline double difference_error(Mat& x, const Mat& gradient, const std::function<double()>& loss) {
  if (gradient.rows() != x.rows() || gradient.cols() != x.cols() || !gradient.allFinite()) return INFINITY;
  Eigen::ArrayXXd difference(x.rows(), x.cols());
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const Real here = x.data()[i];
    x.data()[i] = here + Real(difference_step);
    const double above = loss(), right = x.data()[i];
    x.data()[i] = here - Real(difference_step);
    const double below = loss(), left = x.data()[i];
    x.data()[i] = here;
    difference.data()[i] = (above - below) / (right - left);
  }
  const double largest = difference.abs().maxCoeff(), floor = is_double ? 0.01 * largest + 1e-3 : largest + 0.01;
  double worst = 0;
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const double d = difference.data()[i], error = std::abs(gradient.data()[i] - d) / (std::abs(d) + floor);
    worst = std::max(worst, std::isfinite(error) ? error : INFINITY);
  }
  return worst;
}

using Function = std::function<Var(const std::vector<Var>&)>;

// The worst relative error of the gradients of f with respect to all x, for random weights of f's elements.
inline double gradient_error(const Function& f, std::vector<Mat> x, Rng& rng) {
  Tape tape;
  std::vector<Var> inputs;
  for (const Mat& m : x) inputs.push_back(tape.input(m));
  const Var y = f(inputs);
  const Mat weights = rng.normal(y.rows(), y.cols());
  tape.backward(weighted_sum(y, weights));
  const auto loss = [&] {
    Tape numbers;
    std::vector<Var> constants;
    for (const Mat& m : x) constants.push_back(numbers.constant(m));
    return (weights.cast<double>() * f(constants).value().cast<double>()).sum();
  };
  double worst = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Mat gradient = inputs[k].grad();
    worst = std::max(worst, difference_error(x[k], gradient, loss));
  }
  return worst;
}

// The worst relative error of the grad of all Params, after backward of a tape whose loss is loss().
inline double param_error(const std::vector<Param*>& parameters, const std::function<double()>& loss) {
  double worst = 0;
  for (Param* p : parameters) worst = std::max(worst, difference_error(p->value, p->grad, loss));
  return worst;
}

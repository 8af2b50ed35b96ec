#include "chapters/04_pets/gaussian.h"

//(b1*) loss_P(theta) = - sum_n log f~(s_{n+1} | s_n, a_n)
Var nll(const Gaussian<Var>& f, Var y) {
  return mean(square(f.mu - y) * exp(-f.log_var) + f.log_var);
}

// ---- Normaliser ----

void Normaliser::fit(const Mat& x) {
  const Eigen::ArrayXXd wide = x.cast<double>();
  const Eigen::ArrayXd m = wide.rowwise().mean(), s = (wide.colwise() - m).square().rowwise().mean().sqrt();
  mean = m.cast<Real>(), std = (s < 1e-5).select(1, s).cast<Real>();
}

// y = (x - mean) / std:   dx += dy / std
Mat Normaliser::operator()(const Mat& x) const { return (x.colwise() - mean.col(0)).colwise() / std.col(0); }
Var Normaliser::operator()(Var x) const {
  return record({x}, (x.value().colwise() - mean.col(0)).colwise() / std.col(0), [x, this](const Node& y) {
    x.grad() += y.grad.colwise() / std.col(0);
  });
}

// x = mean + std y:   dy += dx std
Mat Normaliser::inverse(const Mat& y) const { return (y.colwise() * std.col(0)).colwise() + mean.col(0); }
Var Normaliser::inverse(Var y) const {
  return record({y}, (y.value().colwise() * std.col(0)).colwise() + mean.col(0), [y, this](const Node& x) {
    y.grad() += x.grad.colwise() * std.col(0);
  });
}

Gaussian<Mat> Normaliser::inverse(const Gaussian<Mat>& y) const {
  return {inverse(y.mu), y.log_var + broadcast(2 * std.log(), y.log_var.rows(), y.log_var.cols())};
}
Gaussian<Var> Normaliser::inverse(const Gaussian<Var>& y) const {
  const Var log_var = y.log_var.tape->constant([&](Mat& x) {  // straight into the tape's memory
    x.resize(y.log_var.rows(), y.log_var.cols());
    x.col(0) = 2 * std.col(0).log(), x.rightCols(x.cols() - 1).colwise() = x.col(0);
  });
  return {inverse(y.mu), y.log_var + log_var};
}

// ---- Gaussian head ----

GaussianHead::GaussianHead(int hidden, int dim, Rng& rng)
    : out(hidden, 2 * dim, Init::truncated_normal, rng), target(dim) {
  max_log_var.value.setConstant(dim, 1, 0.5), min_log_var.value.setConstant(dim, 1, -10);
  max_log_var.grad.setZero(dim, 1), min_log_var.grad.setZero(dim, 1);
}

//(b2) Gaussian NN: mu and log Sigma are the two halves of the last layer.
template <class Head, class T>
static Gaussian<T> forward(Head& head, const T& h, const T& max_lv, const T& min_lv) {
  const T y = head.out(h);
  const Eigen::Index dim = y.rows() / 2;
  const T most = broadcast(max_lv, dim, y.cols()), least = broadcast(min_lv, dim, y.cols());
  const T below = most - softplus(T(most - rows(y, dim, dim)));
  return head.target.inverse(Gaussian<T>{rows(y, 0, dim), T(least + softplus(T(below - least)))});
}

Gaussian<Mat> GaussianHead::operator()(const Mat& h) const {
  return forward(*this, h, max_log_var.value, min_log_var.value);
}
Gaussian<Var> GaussianHead::operator()(Var h) {
  return forward(*this, h, h.tape->param(max_log_var), h.tape->param(min_log_var));
}
Gaussian<Var> GaussianHead::operator()(Var h) const {
  const auto repeated = [h](const Param& p) { return h.tape->constant(p.value.replicate(1, h.cols())); };
  return forward(*this, h, repeated(max_log_var), repeated(min_log_var));
}

// A Gaussian whose mean and variance are learned: f~ = Pr(s_{t+1} | s_t, a_t) = N(mu_theta(s_t, a_t),
// Sigma_theta(s_t, a_t)).
#pragma once
#include <cmath>
#include "autodiff/nn.h"

// N(mu, diag(exp(log_var))), one per column.
template <class T> struct Gaussian {
  T mu, log_var;  // (dim, batch)
};

//(b1*) loss_P(theta) = - sum_n log f~(s_{n+1} | s_n, a_n), or
// L_f(theta) = sum_n [mu - y]^T Sigma^-1 [mu - y] + log det Sigma, as the mean over samples AND dimensions: weight
// decay and the log-variance's bounds are tuned for it. It is 2 (- log density) / dim - log 2 pi.
inline Var nll(const Gaussian<Var>& f, Var y) {
  return mean(square(f.mu - y) * exp(-f.log_var) + f.log_var);
}

// Shifts and scales each dimension to mean 0 and standard deviation 1.
struct Normaliser {
  Mat mean, std;  // (dim, 1)

  explicit Normaliser(int dim) : mean(Mat::Zero(dim, 1)), std(Mat::Ones(dim, 1)) {}

  // A dimension that never changes keeps the deviation 1: no division by 0.
  void fit(const Mat& x) {
    const Eigen::ArrayXXd wide = x.cast<double>();
    const Eigen::ArrayXd m = wide.rowwise().mean(), s = (wide.colwise() - m).square().rowwise().mean().sqrt();
    mean = m.cast<Real>(), std = (s < 1e-5).select(1, s).cast<Real>();
  }

  // y = (x - mean) / std:   dx += dy / std
  Mat operator()(const Mat& x) const { return (x.colwise() - mean.col(0)).colwise() / std.col(0); }
  Var operator()(Var x) const {
    return record({x}, (x.value().colwise() - mean.col(0)).colwise() / std.col(0), [x, this](const Node& y) {
      x.grad() += y.grad.colwise() / std.col(0);
    });
  }
  // x = mean + std y:   dy += dx std
  Mat inverse(const Mat& y) const { return (y.colwise() * std.col(0)).colwise() + mean.col(0); }
  Var inverse(Var y) const {
    return record({y}, (y.value().colwise() * std.col(0)).colwise() + mean.col(0), [y, this](const Node& x) {
      y.grad() += x.grad.colwise() * std.col(0);
    });
  }
  // The same Gaussian in the units of x.
  template <class T> Gaussian<T> inverse(const Gaussian<T>& y) const {
    return {inverse(y.mu), y.log_var + broadcast_to(y.log_var, 2 * std.log())};
  }

  template <class Ar> void io(Ar& ar) { ar("mean", mean), ar("std", std); }

 private:
  static Mat broadcast_to(const Mat& like, const Mat& x) { return broadcast(x, like.rows(), like.cols()); }
  template <class E> static Var broadcast_to(Var like, const E& x) {  // straight into the tape's memory
    return like.tape->constant([&](Mat& y) {
      y.resize(like.rows(), like.cols());
      y.col(0) = x.col(0), y.rightCols(y.cols() - 1).colwise() = y.col(0);
    });
  }
};

//(b2) Gaussian NN. The last layer: a hidden vector h becomes mean and log-variance, the latter kept between two learned
// bounds by a soft clamp, so that neither a variance of 0 nor an enormous one can come out where there is no data.
struct GaussianHead {
  Linear out;                       // (2 dim, hidden)
  Param max_log_var, min_log_var;   // (dim, 1)
  Normaliser target;                // the head answers in the target's own units

  GaussianHead(int hidden, int dim, Rng& rng) : out(hidden, 2 * dim, Init::truncated_normal, rng), target(dim) {
    max_log_var.value.setConstant(dim, 1, 0.5), min_log_var.value.setConstant(dim, 1, -10);
    max_log_var.grad.setZero(dim, 1), min_log_var.grad.setZero(dim, 1);
  }

  Gaussian<Mat> operator()(const Mat& h) const { return forward(*this, h, max_log_var.value, min_log_var.value); }
  Gaussian<Var> operator()(Var h) { return forward(*this, h, h.tape->param(max_log_var), h.tape->param(min_log_var)); }
  Gaussian<Var> operator()(Var h) const {
    const auto repeated = [h](const Param& p) { return h.tape->constant(p.value.replicate(1, h.cols())); };
    return forward(*this, h, repeated(max_log_var), repeated(min_log_var));
  }

  template <class Ar> void io(Ar& ar) {
    ar("out", out), ar("max_log_var", max_log_var), ar("min_log_var", min_log_var), ar("target", target);
  }

 private:
  template <class Head, class T> static Gaussian<T> forward(Head& head, const T& h, const T& max_lv, const T& min_lv) {
    const T y = head.out(h);
    const Eigen::Index dim = y.rows() / 2;
    const T most = broadcast(max_lv, dim, y.cols()), least = broadcast(min_lv, dim, y.cols());
    const T below = most - softplus(T(most - rows(y, dim, dim)));
    return head.target.inverse(Gaussian<T>{rows(y, 0, dim), T(least + softplus(T(below - least)))});
  }
};

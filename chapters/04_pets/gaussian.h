// A Gaussian whose mean and variance are learned: f~ = Pr(s_{t+1} | s_t, a_t) = N(mu_theta(s_t, a_t),
// Sigma_theta(s_t, a_t)).
#pragma once
#include "autodiff/nn.h"

// N(mu, diag(exp(log_var))), one per column.
template <class T> struct Gaussian {
  T mu, log_var;  // (dim, batch)
};

// loss_P(theta) = - sum_n log f~(s_{n+1} | s_n, a_n), or
// L_f(theta) = sum_n [mu - y]^T Sigma^-1 [mu - y] + log det Sigma, as the mean over samples AND dimensions: weight
// decay and the log-variance's bounds are tuned for it. It is 2 (- log density) / dim - log 2 pi.
Var nll(const Gaussian<Var>& f, Var y);

// Shifts and scales each dimension to mean 0 and standard deviation 1.
struct Normaliser {
  Mat mean, std;  // (dim, 1)

  explicit Normaliser(int dim) : mean(Mat::Zero(dim, 1)), std(Mat::Ones(dim, 1)) {}

  // A dimension that never changes keeps the deviation 1: no division by 0.
  void fit(const Mat& x);

  // y = (x - mean) / std, and back.
  Mat operator()(const Mat& x) const;
  Var operator()(Var x) const;
  Mat inverse(const Mat& y) const;
  Var inverse(Var y) const;
  // The same Gaussian in the units of x.
  Gaussian<Mat> inverse(const Gaussian<Mat>& y) const;
  Gaussian<Var> inverse(const Gaussian<Var>& y) const;

  template <class Ar> void io(Ar& ar) { ar("mean", mean), ar("std", std); }
};

// The last layer: a hidden vector h becomes mean and log-variance, the latter kept between two learned
// bounds by a soft clamp, so that neither a variance of 0 nor an enormous one can come out where there is no data.
struct GaussianHead {
  Linear out;                       // (2 dim, hidden)
  Param max_log_var, min_log_var;   // (dim, 1)
  Normaliser target;                // the head answers in the target's own units

  GaussianHead(int hidden, int dim, Rng& rng);

  // h (hidden, batch) -> Gaussian (dim, batch).
  Gaussian<Mat> operator()(const Mat& h) const;
  Gaussian<Var> operator()(Var h);
  Gaussian<Var> operator()(Var h) const;

  template <class Ar> void io(Ar& ar) {
    ar("out", out), ar("max_log_var", max_log_var), ar("min_log_var", min_log_var), ar("target", target);
  }
};

// The Wasserstein-1 critic with a gradient penalty (slide "AMPO"; Arjovsky et al. 2017, Gulrajani et al. 2017): a
// function whose mean differs as much as it can between two sets of features, while its slope stays near 1.
//
//   Critic critic(200, {}, rng);
//   for (int i = 0; i < 5; ++i) critic.step(h_src, h_tgt, rng);  // one sample per column, as many in each
//   const Real W1 = critic.estimate(h_src, h_tgt);
#pragma once
#include <stdexcept>
#include <string>
#include "autodiff/adam.h"

// The paper's code: L2 of 1e-5 on the weights, Adam with 1e-4.
struct CriticOptions {
  int hidden = 100;
  Real penalty = 10;  // weight of the gradient penalty; see estimators.cpp for what it does to the estimate
  Real decay = 1e-5;  // lambda of both layers' W
  Real lr = 1e-4;

  // Throws std::invalid_argument, one line with the rule.
  void check() const {
    const auto rule = [](bool holds, const char* text) {
      if (!holds) throw std::invalid_argument(std::string("critic: ") + text);
    };
    rule(hidden >= 1, "there must be at least one hidden unit");
    rule(std::isfinite(penalty) && penalty >= 0, "the penalty's weight must be finite and not negative");
    rule(std::isfinite(decay) && decay >= 0, "weight decay must be finite and not negative");
    rule(std::isfinite(lr) && lr > 0, "the learning rate must be finite and above 0");
  }
};

// sqrt(sum_i g_i^2) of each column: (1, batch). The 1e-12 keeps the derivative finite where all of g is 0.
template <class T> T norm_per_sample(const T& g) { return sqrt(T(colwise_sum(T(square(g))) + Real(1e-12))); }

// f(h) = w2 relu(W1 h + b1) + b2: features -> hidden -> 1.
struct Critic {
  CriticOptions options;
  MLP f;
  Adam optimiser;

  // Of h with `features` rows. Throws std::invalid_argument as CriticOptions::check.
  Critic(int features, const CriticOptions& options, Rng& rng)
      : options(checked(options)), f({features, options.hidden, 1}, Activation::relu, Init::kaiming_uniform, rng),
        optimiser(params(f), options.lr) {
    set_decay(f, {options.decay, options.decay});
  }

  //(b16) Wasserstein-1: sup over |grad f| <= 1 of E_src[f] - E_tgt[f], here of the critic as it is. As Var it is
  // frozen and the gradient goes to the features: what an extractor makes small.
  template <class T> auto estimate(const T& h_src, const T& h_tgt) const { return mean(f(h_src)) - mean(f(h_tgt)); }

  // grad_h f = W1^T (active * w2), active = 1 where a hidden unit is on: (features, batch).
  Mat slope(const Mat& h) const {
    return matmul(W1().value.transpose(), Mat(active(h).colwise() * w2().value.row(0).transpose()));
  }
  // Recorded: a product of the weights, which ordinary reverse mode differentiates. No second derivative is needed,
  // since `active` jumps and is constant in between.
  Var slope(Tape& tape, const Mat& h) {
    return matmul(transpose(tape.param(f.layers[0].W)), transpose(tape.param(f.layers[1].W)) * active(h));
  }

  // mean_j (|grad_h f(h_j)| - 1)^2, the norm of each SAMPLE over all its features, the mean over samples.
  Var gradient_penalty(Tape& tape, const Mat& h) { return mean(square(norm_per_sample(slope(tape, h)) - 1)); }

  // -(E_src[f] - E_tgt[f]) + weight * penalty at h = u h_src + (1 - u) h_tgt, where u in [0, 1], (1, batch), is ONE
  // number per sample: a point between a pair of features. The two have the same shape.
  struct Loss {
    Var W1, total;
  };
  Loss loss(Tape& tape, const Mat& h_src, const Mat& h_tgt, const Mat& u) {
    const Var W1 = mean(f(tape.constant(h_src))) - mean(f(tape.constant(h_tgt)));
    const Mat share = broadcast(u, h_src.rows(), h_src.cols()), between = share * h_src + (1 - share) * h_tgt;
    return {W1, options.penalty * gradient_penalty(tape, between) - W1};
  }

  // One step of Adam. Returns the estimate before it. Throws std::invalid_argument for no samples or two shapes,
  // NotFinite for a NaN in the features.
  Real step(const Mat& h_src, const Mat& h_tgt, Rng& rng) {
    if (h_src.cols() == 0 || h_src.cols() != h_tgt.cols() || h_src.rows() != h_tgt.rows())
      throw std::invalid_argument("critic: source and target need the same number of samples, and at least one");
    u.resize(1, h_src.cols());
    rng.fill_uniform(u, 0, 1);
    const auto [W1, total] = loss(tape, h_src, h_tgt, u);
    const Real estimate = W1.item();  // read before minimize clears the tape
    optimiser.minimize(total);
    return estimate;
  }

  template <class Ar> void io(Ar& ar) { ar("f", f), ar("optimiser", optimiser); }

 private:
  Tape tape;
  Mat u;

  const Param& W1() const { return f.layers[0].W; }
  const Param& w2() const { return f.layers[1].W; }
  Mat active(const Mat& h) const { return (affine(W1(), h, f.layers[0].b) > 0).cast<Real>(); }
  static const CriticOptions& checked(const CriticOptions& options) {
    options.check();
    return options;
  }
};

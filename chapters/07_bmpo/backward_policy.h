// The backward policy (slide "Backward Policy"; Lai et al. 2020): which action may have led here?
//
//   BackwardPolicy pi_back(env.state_dim, env.action_dim, {.hidden = {64, 64}}, rng);
//   pi_back.learn(sample_newest(D_env, 1000, 256, rng), rng);
//   const Mat a = pi_back.sample(s_next, rng);
#pragma once
#include "autodiff/adam.h"
#include "chapters/03_shooting/cem.h"                  // Cem::truncated_normal
#include "chapters/04_pets/gaussian.h"                 // Gaussian, nll
#include "chapters/04_pets/transitions.h"              // Batch
#include "chapters/05_model_free/squashed_gaussian.h"  // mlp_sizes

struct BackwardPolicyOptions {
  std::vector<int> hidden = {64, 64};  // of policy and discriminator
  Real lr = 3e-4;                      // of both
  bool gan = false;                    // learn as a conditional GAN, not by maximum likelihood
  Real std = 0;                        // > 0: deviation of its actions instead of the learned one

  void check() const {  // throws std::invalid_argument, one line with the rule
    if (hidden.empty() || *std::min_element(hidden.begin(), hidden.end()) < 1 || !(lr > 0) || !(std >= 0))
      throw std::invalid_argument("backward policy: layers and lr must be positive, std at least 0");
  }
};

// pi_back_phi'(a | s'): a Gaussian whose mean lies in (-1, 1). Unlike pi it is not squashed after the draw but cut: two
// deviations are as far as it goes from the mean, and -1 and 1 are the ends.
// Trap: which action led here depends on who acted. It has to learn from what the current policy has done lately.
struct BackwardPolicy {
  BackwardPolicyOptions options;
  MLP net;  // s' -> mean before tanh, log-variance before its clamp
  MLP D;    // (a, s') -> the logit of D(a, s'), the chance that a is a real action
  Adam opt, D_opt;
  static constexpr Real min_log_var = -10, max_log_var = 1;

  // Throws std::invalid_argument as BackwardPolicyOptions::check.
  BackwardPolicy(int state_dim, int action_dim, const BackwardPolicyOptions& o, Rng& rng)
      : options((o.check(), o)),
        net(SquashedGaussian::mlp_sizes(state_dim, o.hidden, 2 * action_dim), Activation::relu, Init::glorot, rng),
        D(SquashedGaussian::mlp_sizes(action_dim + state_dim, o.hidden, 1), Activation::relu, Init::glorot, rng),
        opt(params(net), o.lr), D_opt(params(D), o.lr) {}
  BackwardPolicy(const BackwardPolicy&) = delete;  // the optimisers refer to the weights
  BackwardPolicy& operator=(const BackwardPolicy&) = delete;

  int action_dim() const { return int(net.layers.back().b.value.rows()) / 2; }
  Gaussian<Mat> predict(const Mat& s_next) const { return gaussian(net(s_next)); }
  Gaussian<Var> predict(Var s_next) { return gaussian(net(s_next)); }

  // s' (state_dim, n) -> a (action_dim, n).
  Mat sample(const Mat& s_next, Rng& rng) const {
    Gaussian<Mat> f = predict(s_next);
    if (options.std > 0) f.log_var.setConstant(2 * std::log(options.std));
    return draw(f, Cem::truncated_normal(action_dim(), s_next.cols(), rng));
  }

  // One step on real transitions, in the way of the options. Throws NotFinite if a loss or a gradient is not finite.
  void learn(const Batch& b, Rng& rng) { options.gan ? learn_by_gan(b, rng) : learn_by_likelihood(b); }

  //(b4*) L_MLE(phi') = - sum_t log pi_back(a_t | s_{t+1}), as nll() has it: a mean, and twice as large
  void learn_by_likelihood(const Batch& b) {
    tape.clear();
    opt.minimize(nll(predict(tape.constant(b.s_next)), tape.constant(b.a)));
  }

  //(b5*) min_pi_back max_D V = E[log D(a, s')] + E[log(1 - D(a_back, s'))],   a_back ~ pi_back(.|s')
  // In terms of the logit l: -log D = softplus(-l), -log(1 - D) = softplus(l). The policy goes down -log D, not down
  // log(1 - D): the same fixed point, but a gradient also where D is sure.
  void learn_by_gan(const Batch& b, Rng& rng) {
    tape.clear();
    const Var s_next = tape.constant(b.s_next);
    const Var a_back = draw(predict(s_next), Cem::truncated_normal(action_dim(), b.size(), rng));
    D_tape.clear();
    const Var real = D(D_tape.constant(concat(b.a, b.s_next)));
    const Var fake = D(D_tape.constant(concat(a_back.value(), b.s_next)));
    D_opt.minimize(mean(softplus(-real)) + mean(softplus(fake)));
    opt.minimize(mean(softplus(-frozen(D)(concat(a_back, s_next)))));
  }

  template <class Ar> void io(Ar& ar) { ar("net", net), ar("D", D), ar("opt", opt), ar("D_opt", D_opt); }

 private:
  Tape tape, D_tape;

  template <class T> Gaussian<T> gaussian(const T& y) const {
    const T below = max_log_var - softplus(T(max_log_var - rows(y, action_dim(), action_dim())));
    return {tanh(rows(y, 0, action_dim())), T(min_log_var + softplus(T(below - min_log_var)))};
  }
  template <class T> static T draw(const Gaussian<T>& f, const Mat& z) {
    return clamp(T(f.mu + exp(T(0.5 * f.log_var)) * z), -1, 1);
  }
};

// n transitions, uniformly with replacement from the newest `recent` of D. Throws std::invalid_argument if it is empty.
inline Batch sample_newest(const Transitions& D, Eigen::Index recent, Eigen::Index n, Rng& rng) {
  if (D.size == 0 || recent < 1) throw std::invalid_argument("sample_newest: nothing to sample from");
  std::vector<int> columns(n);
  for (int& j : columns)
    j = int((D.next + D.size - 1 - Eigen::Index(rng.below(std::min(recent, D.size)))) % D.size);
  return D.at(columns);
}

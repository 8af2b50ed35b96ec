// Proximal policy optimisation (Schulman et al. 2017): improve a policy on data of the policy before, and stop where
// the two differ too much.
//
//   Ppo<GaussianPolicy> agent({}, state_dim, action_dim, std::vector<int>{64, 64}, rng);
//   ppo_update(agent, {s, a, logp_old, advantage}, rng);      // advantage: from gae.h, or any other estimate
#pragma once
#include <numbers>
#include <numeric>
#include <span>
#include <stdexcept>
#include "autodiff/adam.h"

// log pi(a|s) and the entropy of pi(.|s), one per column.
template <class T> struct LogProb {
  T logp, entropy;  // (1, batch)
};

// A network of tanh units from `in` to `out` numbers; the weights of its last layer are `last` times as large as usual.
inline MLP small_start(int in, std::vector<int> sizes, int out, Real last, Rng& rng) {
  sizes.insert(sizes.begin(), in), sizes.push_back(out);
  MLP net(sizes, Activation::tanh, Init::glorot, rng);
  net.layers.back().W.value *= last;
  return net;
}

// a ~ N(mu(s), diag(exp(2 log_std))), the deviation the same in every state. Not squashed: the environment cuts it.
struct GaussianPolicy {
  MLP mu;
  Param log_std;  // (action_dim, 1)

  GaussianPolicy(int state_dim, int action_dim, const std::vector<int>& hidden, Rng& rng)
      : mu(small_start(state_dim, hidden, action_dim, Real(0.01), rng)), log_std{Mat::Zero(action_dim, 1), {}} {}

  // s (state_dim, batch) -> (action_dim, batch): an action drawn, and the most likely one, as in an evaluation.
  Mat sample(const Mat& s, Rng& rng) const {
    const Mat mean = mu(s);
    return mean + broadcast(log_std.value.exp(), mean.rows(), mean.cols()) * rng.normal(mean.rows(), mean.cols());
  }
  Mat mode(const Mat& s) const { return mu(s); }
  LogProb<Mat> log_prob(const Mat& s, const Mat& a) const { return density(mu(s), log_std.value, a); }
  LogProb<Var> log_prob(Var s, const Mat& a) { return density(mu(s), s.tape->param(log_std), a); }

  template <class Ar> void io(Ar& ar) { ar("mu", mu), ar("log_std", log_std); }

 private:
  // log N(a; mu, std) = sum_i [-(a_i - mu_i)^2 / (2 std_i^2) - log std_i - log(2 pi) / 2]
  //                 H = sum_i [log std_i + log(2 pi e) / 2]
  template <class T> static LogProb<T> density(const T& mu, const T& log_std, const Mat& a) {
    const Real log_2pi = Real(std::log(2 * std::numbers::pi));
    const T spread = broadcast(log_std, mu.rows(), mu.cols());
    const T z = (mu - a) * exp(-spread);
    return {colwise_sum(T(Real(-0.5) * square(z) - spread - log_2pi / 2)), colwise_sum(T(spread + (1 + log_2pi) / 2))};
  }
};

// Several choices at once: head h has choices[h] of them, a (heads, batch) holds 0, ..., choices[h] - 1. The heads are
// independent given s, so their log-probabilities and entropies add.
struct CategoricalPolicy {
  std::vector<int> choices;
  MLP logits;

  CategoricalPolicy(int state_dim, const std::vector<int>& choices, const std::vector<int>& hidden, Rng& rng)
      : choices(choices), logits(small_start(state_dim, hidden, std::accumulate(choices.begin(), choices.end(), 0),
                                             Real(0.01), rng)) {}

  // s (state_dim, batch) -> (heads, batch): choices drawn, and the most likely ones.
  Mat sample(const Mat& s, Rng& rng) const {
    return choose(s, [&](const Mat& p) {
      double u = rng.uniform() * double(p.sum());
      Eigen::Index i = 0;
      while (i + 1 < p.rows() && (u -= double(p(i, 0))) >= 0) ++i;
      return i;
    });
  }
  Mat mode(const Mat& s) const {
    return choose(s, [](const Mat& p) {
      Eigen::Index i = 0;
      p.col(0).maxCoeff(&i);
      return i;
    });
  }
  LogProb<Mat> log_prob(const Mat& s, const Mat& a) const { return of(logits(s), a); }
  LogProb<Var> log_prob(Var s, const Mat& a) { return of(logits(s), a); }

  template <class Ar> void io(Ar& ar) { ar("logits", logits); }

 private:
  template <class F> Mat choose(const Mat& s, F pick) const {
    const Mat x = logits(s);
    Mat a(choices.size(), s.cols());
    for (Eigen::Index j = 0; j < s.cols(); ++j)
      for (int h = 0, row = 0; h < int(choices.size()); row += choices[h++])
        a(h, j) = Real(pick(log_softmax(x.block(row, j, choices[h], 1)).exp()));
    return a;
  }
  // log pi(a|s) = sum_h log softmax(x_h)[a_h],   H = -sum_h sum_i p_hi log p_hi
  template <class T> LogProb<T> of(const T& x, const Mat& a) const {
    LogProb<T> all;
    for (int h = 0, row = 0; h < int(choices.size()); row += choices[h++]) {
      const T log_p = log_softmax(T(rows(x, row, choices[h])));
      Mat chosen = Mat::Zero(choices[h], a.cols());
      for (Eigen::Index j = 0; j < a.cols(); ++j) chosen(Eigen::Index(a(h, j)), j) = 1;
      const T logp = colwise_sum(T(log_p * chosen)), entropy = -colwise_sum(T(exp(log_p) * log_p));
      all = h == 0 ? LogProb<T>{logp, entropy} : LogProb<T>{all.logp + logp, all.entropy + entropy};
    }
    return all;
  }
};

struct PpoOptions {
  Real lr = 3e-4, clip = 0.2, entropy_weight = 0, max_norm = 0.5;  // clip: epsilon
  int epochs = 10, minibatch = 64;
};

// What an update learns from: actions of the policy before, one per column.
struct PpoBatch {
  Mat s, a, logp_old, advantage;  // (state_dim, n), (action_dim, n), (1, n), (1, n)
};

template <class Policy> struct Ppo {
  PpoOptions options;
  Policy pi;
  Adam opt;
  Tape tape;

  template <class... How> explicit Ppo(const PpoOptions& options, How&&... how)
      : options(options), pi(std::forward<How>(how)...), opt(params(pi), options.lr) {
    opt.eps = Real(1e-5);  // as CleanRL
  }
  Ppo(const Ppo&) = delete;  // the optimiser refers to the weights
  template <class Ar> void io(Ar& ar) { ar("pi", pi), ar("opt", opt); }
};

// L_clip = E[min(rho A, clip(rho, 1 - epsilon, 1 + epsilon) A)],   rho = pi(a|s) / pi_old(a|s)
// (Schulman et al. 2017, equation 7; to be made large). logp, logp_old, advantage: (1, batch).
inline Var clipped_objective(Var logp, const Mat& logp_old, const Mat& advantage, Real clip) {
  const Var rho = exp(logp - logp_old);
  return mean(min(rho * advantage, clamp(rho, 1 - clip, 1 + clip) * advantage));
}

// f(columns) for random minibatches of at most `size` of n columns, `epochs` times through all of them.
template <class F> void for_minibatches(Eigen::Index n, int size, int epochs, Rng& rng, F f) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    rng.shuffle(order);
    for (std::size_t i = 0; i < order.size(); i += size)
      f(std::span<const int>(order).subspan(i, std::min(order.size() - i, std::size_t(size))));
  }
}

struct PpoNumbers {    // means of the last epoch
  Real kl = 0;         // log pi_old(a|s) - log pi(a|s)
  Real clipped = 0;    // share of the samples whose ratio is outside the clip
  Real entropy = 0;
};

// Improves the policy: options.epochs passes over the batch in minibatches, advantages standardised in each. Throws
// std::invalid_argument for an empty batch or another number of columns, NotFinite as Adam::minimize.
template <class Policy> PpoNumbers ppo_update(Ppo<Policy>& agent, const PpoBatch& b, Rng& rng) {
  const Eigen::Index n = b.s.cols();
  if (n == 0 || b.a.cols() != n || b.logp_old.cols() != n || b.advantage.cols() != n)
    throw std::invalid_argument("ppo: s, a, logp_old and advantage need the same number of columns, at least one");
  const PpoOptions& how = agent.options;
  PpoNumbers numbers;
  Eigen::Index seen = 0;
  for_minibatches(n, how.minibatch, how.epochs, rng, [&](std::span<const int> columns) {
    if (seen == n) seen = 0, numbers = {};
    const Mat a = b.a(Eigen::all, columns), logp_old = b.logp_old(Eigen::all, columns);
    Mat A = b.advantage(Eigen::all, columns);
    if (A.size() > 1) A = Mat(A - A.mean()) / (std::sqrt(Mat(A - A.mean()).square().mean()) + Real(1e-8));
    const LogProb<Var> now = agent.pi.log_prob(agent.tape.constant(b.s(Eigen::all, columns)), a);
    const Mat log_rho = now.logp.value() - logp_old;
    const Real share = Real(columns.size()) / n;
    seen += columns.size(), numbers.kl -= share * log_rho.mean();
    numbers.clipped += share * ((log_rho.exp() - 1).abs() > how.clip).template cast<Real>().mean();
    numbers.entropy += share * now.entropy.value().mean();
    agent.opt.minimize(-(clipped_objective(now.logp, logp_old, A, how.clip) + how.entropy_weight * mean(now.entropy)),
                       how.max_norm);
  });
  return numbers;
}

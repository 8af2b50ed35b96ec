#include "chapters/05_model_free/squashed_gaussian.h"
#include <numbers>

SquashedGaussian::SquashedGaussian(int state_dim, int action_dim, const std::vector<int>& hidden, Rng& rng)
    : net(mlp_sizes(state_dim, hidden, 2 * action_dim), Activation::relu, Init::glorot, rng) {
  net.layers.back().W.value *= Real(0.1);
}

// log pi(a|s) = sum_i [ log N(u_i; mu_i, std_i) - log(1 - tanh(u_i)^2) ],
// log N = -xi^2 / 2 - log std - log(2 pi) / 2
// log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), finite for every u
template <class T> static T log_density(const T& u, const T& log_std, const Mat& xi) {
  const Real constant = Real(std::log(2 * std::numbers::pi) / 2 + 2 * std::numbers::ln2);
  const T softplus_2u = softplus(T(Real(-2) * u));
  return colwise_sum(T(Real(2) * (u + softplus_2u) - log_std - (xi.square() / 2 + constant)));
}

// u = mu + std xi,   a = tanh(u)
template <class T> static Sampled<T> squash(const T& out, const Mat& xi) {
  const Eigen::Index dim = out.rows() / 2;
  const T mu = rows(out, 0, dim);
  const T log_std = clamp(T(rows(out, dim, dim)), SquashedGaussian::min_log_std, SquashedGaussian::max_log_std);
  const T u = mu + exp(log_std) * xi;
  return {tanh(u), log_density(u, log_std, xi)};
}

Sampled<Mat> SquashedGaussian::sample(const Mat& s, const Mat& xi) const { return squash(net(s), xi); }
Sampled<Var> SquashedGaussian::sample(Var s, const Mat& xi) { return squash(net(s), xi); }
Sampled<Var> SquashedGaussian::sample(Var s, const Mat& xi) const { return squash(net(s), xi); }

Mat SquashedGaussian::mean_action(const Mat& s) const { return rows(net(s), 0, action_dim()).tanh(); }

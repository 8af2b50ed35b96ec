// A member of chapter 04's ensemble as plain matrices, and as one row of numbers for the device: standardise the input,
// hidden layers with swish, Gaussian head with bounded log-variance.
#pragma once
#include "autodiff/rng.h"
#include "chapters/15_cuda/blocked.h"
#include "chapters/15_cuda/pieces.h"

// The sizes of a network: width[0] = in, then the hidden layers, then 2 out; `layers` products in all.
struct Shape {
  static constexpr int most_layers = 8;
  int layers, width[most_layers + 1];

  HOST_DEVICE int in() const { return width[0]; }
  HOST_DEVICE int out() const { return width[layers] / 2; }
  HOST_DEVICE int W_at(int l) const {  // where W of a layer begins among a member's numbers, its b is behind it
    int at = 2 * width[0];
    for (int i = 0; i < l; ++i) at += (width[i] + 1) * width[i + 1];
    return at;
  }
  HOST_DEVICE int bounds_at() const { return W_at(layers); }
  HOST_DEVICE int numbers() const { return bounds_at() + 4 * out(); }  // of a member
  HOST_DEVICE int widest() const {
    int most = 0;
    for (int l = 0; l <= layers; ++l) most = width[l] > most ? width[l] : most;
    return most;
  }
  double flop() const {  // of one sample: a multiply-add is two operations
    double sum = 0;
    for (int l = 0; l < layers; ++l) sum += 2.0 * width[l] * width[l + 1];
    return sum;
  }
};

// The last layer's outputs d and out + d become the d-th mean and log-variance, in the target's own units. The bounds:
// max, min log-variance, the target's mean and standard deviation, `out` numbers each.
HOST_DEVICE inline void gaussian_head(const float* bounds, int out, int d, float& mu, float& log_var) {
  const float most = bounds[d], least = bounds[out + d], mean = bounds[2 * out + d], std = bounds[3 * out + d];
  log_var = bounded_log_var(log_var, least, most) + 2 * logf(std);
  mu = mean + std * mu;
}

struct Prediction {
  Mat mu, log_var, y;  // (out, batch), y = mu + exp(log_var / 2) xi
};

// ---- CPU reference: Member of chapters/04_pets/ensemble.h without its training ----

struct Network {
  Mat mean, std;            // (in, 1)
  std::vector<Mat> W, b;    // of each layer, the head's last
  Mat max_log_var, min_log_var, target_mean, target_std;  // (out, 1)

  Network() = default;
  // From a Member of chapter 04.
  template <class Member> explicit Network(const Member& m)
      : mean(m.input.mean), std(m.input.std), max_log_var(m.head.max_log_var.value),
        min_log_var(m.head.min_log_var.value), target_mean(m.head.target.mean), target_std(m.head.target.std) {
    for (const auto& layer : m.extractor.layers) W.push_back(layer.W.value), b.push_back(layer.b.value);
    W.push_back(m.head.out.W.value), b.push_back(m.head.out.b.value);
  }

  Shape shape() const {
    Shape s{int(W.size()), {int(W[0].cols())}};
    for (int l = 0; l < s.layers; ++l) s.width[l + 1] = int(W[l].rows());
    return s;
  }

  // x (in, batch), xi (out, batch)
  Prediction predict(const Mat& x, const Mat& xi) const {
    Mat h = (x.colwise() - mean.col(0)).colwise() / std.col(0);
    for (std::size_t l = 0; l < W.size(); ++l) {
      Mat z = matmul(W[l], h);
      z.colwise() += b[l].col(0);
      h = l + 1 < W.size() ? Mat(z * z.logistic()) : z;  // swish
    }
    const Eigen::Index out = h.rows() / 2;
    const auto softplus = [](const Mat& x) { return Mat(x.max(Real(0)) + (-x.abs()).exp().log1p()); };
    const Mat most = max_log_var.replicate(1, x.cols()), least = min_log_var.replicate(1, x.cols());
    const Mat below = most - softplus(most - h.bottomRows(out));
    const Mat log_var = (least + softplus(below - least)).colwise() + 2 * target_std.col(0).log();
    const Mat mu = (h.topRows(out).colwise() * target_std.col(0)).colwise() + target_mean.col(0);
    return {mu, log_var, mu + (log_var / 2).exp() * xi};
  }

  // All numbers in the order of Shape, behind those that are there.
  void append_to(std::vector<float>& numbers) const {
    const auto add = [&](const Mat& x) { numbers.insert(numbers.end(), x.data(), x.data() + x.size()); };
    add(mean), add(std);
    for (std::size_t l = 0; l < W.size(); ++l) add(W[l]), add(b[l]);
    add(max_log_var), add(min_log_var), add(target_mean), add(target_std);
  }
};

// Random weights of a size that keeps numbers near 1, and none of the rest as it is at birth.
inline Network random_network(const std::vector<int>& width, Rng& rng) {
  Network f;
  const int in = width.front(), out = width.back() / 2;
  f.mean = rng.normal(in, 1), f.std = rng.uniform(in, 1, Real(0.5), 2);
  for (std::size_t l = 0; l + 1 < width.size(); ++l) {
    f.W.push_back(rng.normal(width[l + 1], width[l]) * std::sqrt(Real(2) / width[l]));
    f.b.push_back(rng.normal(width[l + 1], 1) / 2);
  }
  f.max_log_var = rng.uniform(out, 1, 0, 1), f.min_log_var = rng.uniform(out, 1, -3, -1);
  f.target_mean = rng.normal(out, 1), f.target_std = rng.uniform(out, 1, Real(0.5), 2);
  return f;
}

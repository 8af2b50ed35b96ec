// One epoch of the ensemble's training (chapter 04) on the device, all members in each launch.
//   make 15_cuda_ensemble_fit && build/15_cuda_ensemble_fit      compiled with CUDA 13.0; not yet run on a device
//
// Here the arithmetic counts: a step of 7 members of 4 x 200 units on 256 samples is 1.4 GFLOP, on 2048 samples 11.
// Nearly all of it is in three matrix products a layer, which are one piece of code with three readings of its sides:
//   forward    z = W h + b                 sum over units         h = swish(z) where it is computed
//   backward   dz' = W^T dz swish'(z')     sum over units         z' of the layer before
//   step       [dW, db] = dz [h; 1]^T      sum over samples       Adam where it is computed: no gradient in memory
// Naive reads both factors from memory for every multiplication. Tiled reads them once a tile into shared memory, and
// a thread has a small tile of its own in registers: 4 x 4 elements are 16 multiply-adds for 8 numbers read.
// Read in this order: FitOnDevice::descend (fit_on_device.h), the kernels it launches (fit_kernels.h), Naive, Tiled
// (fit_product.h).
#include <chrono>
#include <span>
#include "chapters/00_toolbox/parallel.h"  // max_threads, parallel_for
#include "chapters/15_cuda/fit_on_device.h"  // the CPU reference is Ensemble::descend, one step of one member

using namespace fit_kernels;

namespace {

// ---- Checks ----

struct FitSizes {
  int members, in, dim, hidden, hidden_layers, batch, samples, reducing_threads;
};

Ensemble make_model(const FitSizes& z, const Mat& X, const Mat& Y, Rng& rng) {
  EnsembleOptions o{.members = z.members, .elites = z.members, .batch = z.batch};
  o.hidden.assign(z.hidden_layers, z.hidden);
  for (int l = 0; l <= z.hidden_layers; ++l) o.decay.push_back(0.01f * Real(l + 1));
  Ensemble model(z.in, z.dim, o, rng);
  for (Member& f : model.members) {
    f.input.fit(X), f.head.target.fit(Y);
    for (Linear& layer : f.extractor.layers) layer.b.value = 0.1f * rng.normal(z.hidden, 1);  // 0 would hide mistakes
  }
  return model;
}

// Bootstraps: each member's own samples with replacement.
std::vector<int> draw_rows(const FitSizes& z, int columns, Rng& rng) {
  std::vector<int> rows(std::size_t(z.members) * z.samples);
  for (int& row : rows) row = int(rng.below(columns));
  return rows;
}

// ---- CPU reference: the epoch's samples begin, ..., end - 1 by Ensemble::descend ----

void epoch_on_cpu(Ensemble& model, const Mat& X, const Mat& Y, const FitSizes& z, const std::vector<int>& rows,
                  int begin, int end) {
  std::vector<Tape> tapes(max_threads());
  parallel_for(z.members, [&](int m, int thread) {
    for (int first = begin; first < end; first += z.batch)
      model.descend(m, X, Y, std::span(rows).subspan(m * z.samples + first, std::min(z.batch, end - first)),
                    tapes[thread]);
  });
}

double nll_on_cpu(const Member& f, const Mat& X, const Mat& Y, std::span<const int> columns) {
  const Gaussian<Mat> y = f.predict(X(Eigen::all, columns));
  return ((y.mu - Y(Eigen::all, columns)).square() * (-y.log_var).exp() + y.log_var).cast<double>().mean();
}

struct Problem {
  Mat X, Y;
  std::vector<int> rows;
  Ensemble model;
  Problem(const FitSizes& z, Rng rng)
      : X(rng.normal(z.in, z.samples) * 2 + 1),
        Y(rng.normal(z.dim, z.in).matrix() * (0.5f * X.sin()).matrix() + 0.1f * rng.normal(z.dim, z.samples).matrix()),
        rows(draw_rows(z, z.samples, rng)), model(make_model(z, X, Y, rng)) {}
};

// The first step: the loss and Adam's moments, m = (1 - beta1) gradient. After an epoch, how far the parameters are
// apart, in units of the longest way that Adam goes: its step has a size even where a gradient is 0 but for rounding.
template <class P, class S> std::vector<Checked> check_fit(const std::string& product, const FitSizes& z) {
  Problem p(z, Rng(3));
  FitOnDevice device(p.model, z.samples, z.reducing_threads);
  device.set_data(p.model, p.X, p.Y, z.samples), device.set_rows(p.rows);
  double loss = 0;
  for (int m = 0; m < z.members; ++m)
    loss += nll_on_cpu(p.model.members[m], p.X, p.Y, std::span(p.rows).subspan(m * z.samples, z.batch)) / z.members;

  const Fit& f = device.f;
  device.descend<P, S>(0, z.batch);
  epoch_on_cpu(p.model, p.X, p.Y, z, p.rows, 0, z.batch);
  Mat sums(f.dim, f.members);
  download(sums.data(), f.loss, sums.size() * sizeof(float));
  const Optimisers optimisers(p.model);
  double m_error = 0, v_error = 0, distance = 0;
  for (int m = 0; m < z.members; ++m) {
    const Adam& adam = *optimisers.found[m];
    const std::vector<Mat> m_device = device.matrices(m, f.m, adam.m), v_device = device.matrices(m, f.v, adam.m);
    for (std::size_t i = 0; i < adam.m.size(); ++i) {
      m_error = std::max(m_error, error_of(m_device[i], adam.m[i]));
      v_error = std::max(v_error, error_of(v_device[i], adam.v[i]));
    }
  }
  device.epoch<P, S>(z.batch);
  epoch_on_cpu(p.model, p.X, p.Y, z, p.rows, z.batch, z.samples);
  for (int m = 0; m < z.members; ++m) {
    const std::vector<Param*> values = params(p.model.members[m]);
    const std::vector<Mat> theta = device.matrices(m, f.theta, optimisers.found[m]->m);
    for (std::size_t i = 0; i < values.size(); ++i)
      distance = std::max(distance, error_of(theta[i], values[i]->value) * values[i]->value.abs().maxCoeff());
  }
  return {{product + ": negative log-likelihood", std::abs(sums.mean() / z.batch - loss) / std::abs(loss), pass_bound},
          {product + ": Adam's m of every parameter", m_error, pass_bound},
          {product + ": Adam's v of every parameter", v_error, pass_bound},
          {product + ": distance after an epoch", distance / (f.lr * device.t), 0.3}};
}

using Step = Tiled<40, 40, 4, 4>;  // 40 is a fifth of the published 200 units

}  // namespace

#ifdef __CUDACC__

template <class P, class S> void time_fit(const Device& device, const std::string& product, const FitSizes& z) {
  Problem p(z, Rng(1));
  FitOnDevice fit(p.model, z.samples);
  fit.set_data(p.model, p.X, p.Y, z.samples), fit.set_rows(p.rows);
  const int steps = ceil_div(z.samples, z.batch);
  const double weights = double(z.hidden) * (z.in + (z.hidden_layers - 1) * z.hidden + 2 * z.dim);
  const double flop = 2.0 * z.members * z.batch * (3 * weights - double(z.hidden) * z.in);  // no dx into the data
  const std::string name = product + ", batch " + std::to_string(z.batch);
  print_time(device, name, median_ms([&] { fit.epoch<P, S>(); }, 11, 1) / steps, flop, 0);
  if (product != "naive") return;
  epoch_on_cpu(p.model, p.X, p.Y, z, p.rows, 0, z.batch);  // warms up
  const auto begin = std::chrono::steady_clock::now();
  epoch_on_cpu(p.model, p.X, p.Y, z, p.rows, 0, z.batch);
  const std::chrono::duration<double, std::milli> cpu = std::chrono::steady_clock::now() - begin;
  print_time(device, "CPU, Eigen, batch " + std::to_string(z.batch), cpu.count(), flop, 0);
}

int main() {
  Device device;
  if (!find_device(device)) return 0;
  const FitSizes published{7, 23, 18, 200, 4, 256, 600, 256}, odd{3, 5, 3, 45, 2, 37, 90, 64};
  bool right = true;
  for (const FitSizes& z : {published, odd}) {
    right = report(check_fit<Naive, Naive>("naive", z)) && right;
    right = report(check_fit<Tiled<40, 64, 4, 4>, Step>("tiled 40 x 64", z)) && right;
    right = report(check_fit<Tiled<40, 128, 4, 8>, Step>("tiled 40 x 128", z)) && right;
    right = report(check_fit<Tiled<40, 256, 8, 8>, Step>("tiled 40 x 256", z)) && right;
  }
  if (!right) return 1;
  for (int batch : {256, 2048}) {  // time of a step
    const FitSizes z{7, 23, 18, 200, 4, batch, 10 * batch, 256};
    time_fit<Naive, Naive>(device, "naive", z);
    time_fit<Tiled<40, 64, 4, 4>, Step>(device, "tiled 40 x 64", z);
    time_fit<Tiled<40, 128, 4, 8>, Step>(device, "tiled 40 x 128", z);
    time_fit<Tiled<40, 256, 8, 8>, Step>(device, "tiled 40 x 256", z);
  }
}
#endif

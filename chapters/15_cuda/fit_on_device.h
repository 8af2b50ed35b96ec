// The training of chapter 04's ensemble on a device.
//
//   FitOnDevice device(model, most_samples);
//   using namespace fit_kernels;
//   device.fit<Tiled<40, 64, 4, 4>, Tiled<40, 40, 4, 4>>(model, X, Y, rng);      // instead of model.fit(X, Y, rng)
#pragma once
#include "chapters/04_pets/ensemble.h"  // Ensemble
#include "chapters/15_cuda/fit_kernels.h"

// The optimisers of an ensemble: an archive that collects each member's.
struct Optimisers {
  std::vector<Adam*> found;
  explicit Optimisers(Ensemble& model) { model.io(*this); }
  template <class T> void operator()(const char*, T& member) {
    if constexpr (std::is_same_v<T, std::vector<Adam>>)
      for (Adam& adam : member) found.push_back(&adam);
  }
};

// P: the product of the ways forward and back, S: that of the step.
struct FitOnDevice {
  fit_kernels::Fit f = {};
  int t = 0;             // steps made
  int reducing_threads;  // of a block of the head's kernel: a power of two
  DeviceArray<float> memory, X, Y, best;
  DeviceArray<int> rows, judge;

  // A copy of the model, which is probabilistic and has hidden layers of one size; room for so many samples.
  FitOnDevice(Ensemble& model, std::size_t most_samples, int reducing_threads = 256)
      : reducing_threads(reducing_threads) {
    const EnsembleOptions& o = model.options;
    f.members = o.members, f.hidden = o.hidden[0], f.layers = int(o.hidden.size()) + 1;
    f.in = int(model.members[0].input.mean.rows()), f.dim = int(model.members[0].head.target.mean.rows());
    f.batch = o.batch, f.lr = o.lr;
    eigen_assert(f.layers <= fit_kernels::most_layers && o.probabilistic);
    for (std::size_t l = 0; l < o.decay.size(); ++l) f.decay[l] = o.decay[l];
    X = DeviceArray<float>(f.in * most_samples), Y = DeviceArray<float>(f.dim * most_samples);
    rows = DeviceArray<int>(f.members * most_samples), judge = DeviceArray<int>(f.members * most_samples);
    memory = DeviceArray<float>(lay_out(nullptr)), best = DeviceArray<float>(all());
    f.X = X, f.Y = Y, f.rows = rows;
    lay_out(memory);
    load(model);
  }

  // Weights and Adam's moments: from the model, to the model.
  void load(Ensemble& model) {
    const Optimisers optimisers(model);
    for (int m = 0; m < f.members; ++m) {
      const Adam& adam = *optimisers.found[m];
      std::size_t at = std::size_t(m) * f.size();
      const std::vector<Param*> values = params(model.members[m]);
      for (std::size_t i = 0; i < values.size(); at += values[i++]->value.size())
        put(f.theta + at, values[i]->value), put(f.m + at, adam.m[i]), put(f.v + at, adam.v[i]);
    }
    t = int(optimisers.found[0]->t);
  }
  void store(Ensemble& model) const {
    const Optimisers optimisers(model);
    for (int m = 0; m < f.members; ++m) {
      Adam& adam = *optimisers.found[m];
      const std::vector<Mat> values = matrices(m, f.theta, adam.m);
      for (std::size_t i = 0; Param* p : params(model.members[m])) p->value = values[i++];
      adam.m = matrices(m, f.m, adam.m), adam.v = matrices(m, f.v, adam.m), adam.t = t;
    }
  }

  // The data of the next epochs, `samples` of them for each member, and how the members standardise, which is alike.
  // Throws std::invalid_argument for more data than there is room for.
  void set_data(const Ensemble& model, const Mat& X, const Mat& Y, int samples) {
    if (X.cols() * f.in > Eigen::Index(this->X.size))
      throw std::invalid_argument("FitOnDevice: no room for so much data");
    const Normaliser &x = model.members[0].input, &y = model.members[0].head.target;
    put(this->X, X), put(this->Y, Y);
    put(f.x_mean, x.mean), put(f.x_std, x.std), put(f.y_mean, y.mean), put(f.y_std, y.std);
    f.samples = samples;
  }
  // The order of an epoch: the columns of X of the first member, then of the second, ...
  void set_rows(const std::vector<int>& columns) { upload(rows, columns.data(), columns.size() * sizeof(int)); }

  // One step of Adam for each member on its own samples first, ..., first + n - 1 of the epoch.
  template <class P, class S> void descend(int first, int n) {
    using namespace fit_kernels;
    ++t;
    run_forward<P>(f, first, n);
    launch(head, dim3(f.dim, f.members), reducing_threads, 0, f, first, n, t);
    for (int l = f.layers - 1; l > 0; --l) launch(backward<P>, grid<P>(f.hidden, n), P::threads, 0, f, l, n);
    int blocks = 0;
    for (int l = 0; l < f.layers; ++l) blocks += tiles<S>(f.layer(l));
    launch(step<S>, dim3(blocks, f.members), S::threads, 0, f, n, t);
  }

  // The batches of the order that lies in `rows`, from sample `begin` on.
  template <class P, class S> void epoch(int begin = 0) {
    for (int first = begin; first < f.samples; first += f.batch)
      descend<P, S>(first, std::min(f.batch, f.samples - first));
  }

  // Of each member's mean on the first n columns of `judge`, in units of each target's variance.
  template <class P> std::vector<double> mse(int n) {
    fit_kernels::Fit g = f;
    g.rows = judge, g.samples = n;
    device_fill(f.loss, 0, sizeof(float) * f.dim * f.members);
    for (int first = 0; first < n; first += f.batch) {
      const int size = std::min(f.batch, n - first);
      run_forward<P>(g, first, size);
      launch(fit_kernels::squared_error, dim3(f.dim, f.members), reducing_threads, 0, g, first, size);
    }
    Mat sums(f.dim, f.members);
    download(sums.data(), f.loss, sums.size() * sizeof(float));
    std::vector<double> of_members;
    for (int m = 0; m < f.members; ++m) of_members.push_back(sums.col(m).sum() / double(f.dim) / n);
    return of_members;
  }

  // Ensemble::fit with the same samples in the same order; the model is as after that. Throws as it does, NotFinite
  // if a member's error is not finite.
  template <class P, class S> void fit(Ensemble& model, const Mat& X, const Mat& Y, Rng& rng) {
    eigen_assert(model.options.holdout > 0);
    Ensemble::Samples data = model.begin_fit(X, Y, rng);
    set_data(model, X, Y, int(data.train().size()));
    std::vector<int> held_out, order;
    for (int m = 0; m < f.members; ++m) held_out.insert(held_out.end(), data.judge().begin(), data.judge().end());
    upload(judge, held_out.data(), held_out.size() * sizeof(int));
    const auto epoch_of_all = [&] {
      order.clear();
      for (int m = 0; m < f.members; ++m) {
        data.rngs[m].shuffle(data.rows[m]);
        order.insert(order.end(), data.rows[m].begin(), data.rows[m].end());
      }
      set_rows(order);
      epoch<P, S>();
      model.holdout_mse = mse<P>(int(data.judge().size()));
      for (double error : model.holdout_mse)
        if (!std::isfinite(error)) throw NotFinite("the device's ensemble: the holdout error is not finite");
    };
    model.until_no_better(epoch_of_all, [&](int m) {
      const std::size_t at = std::size_t(m) * f.size();
      copy_on_device(best + at, f.theta + at, f.size() * sizeof(float));
    });
    copy_on_device(f.theta, best, all() * sizeof(float));
    store(model);
  }

  // What lies at `from` for a member, in the order and shapes of its params.
  std::vector<Mat> matrices(int m, const float* from, const std::vector<Mat>& shapes) const {
    std::vector<Mat> all;
    from += std::size_t(m) * f.size();
    for (const Mat& shape : shapes) {
      Mat& x = all.emplace_back(shape.rows(), shape.cols());
      download(x.data(), from, x.size() * sizeof(float));
      from += x.size();
    }
    return all;
  }

 private:
  static void put(float* to, const Mat& from) { upload(to, from.data(), from.size() * sizeof(float)); }
  std::size_t all() const { return std::size_t(f.members) * f.size(); }
  template <class P> void run_forward(const fit_kernels::Fit& g, int first, int n) {
    using namespace fit_kernels;
    launch(gather, dim3(ceil_div(f.in * n, 256), f.members), 256, 0, g, first, n);
    for (int l = 0; l < f.layers; ++l) launch(forward<P>, grid<P>(f.layer(l).out, n), P::threads, 0, g, l, n);
  }
  template <class P> dim3 grid(int n_rows, int n_cols) const {
    return dim3(ceil_div(n_rows, P::rows), ceil_div(n_cols, P::cols), f.members);
  }
  // The addresses of everything from `base` on; returns how many floats there are.
  std::size_t lay_out(float* base) {
    std::size_t used = 0;
    const auto take = [&](float*& p, std::size_t n) { p = base ? base + used : nullptr, used += n; };
    const std::size_t each = std::size_t(f.members) * f.batch;
    take(f.x_mean, f.in), take(f.x_std, f.in), take(f.y_mean, f.dim), take(f.y_std, f.dim);
    take(f.theta, all()), take(f.m, all()), take(f.v, all()), take(f.loss, std::size_t(f.members) * f.dim);
    for (int l = 0; l < f.layers; ++l)
      take(f.h[l], each * f.layer(l).in), take(f.z[l], each * f.layer(l).out), take(f.dz[l], each * f.layer(l).out);
    return used;
  }
};


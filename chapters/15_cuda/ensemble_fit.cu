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
// Read in this order: FitOnDevice::descend, the kernels it launches, Naive, Tiled.
#include <chrono>
#include <span>
#include "chapters/00_toolbox/parallel.h"  // max_threads, parallel_for
#include "chapters/04_pets/ensemble.h"  // Ensemble: the CPU reference is its descend, one step of one member
#include "chapters/15_cuda/pieces.h"

namespace {

// ---- What the kernels see ----

constexpr int most_layers = 8;

struct Layer {
  int in, out;  // W (out, in) and behind it b (out): together they are a matrix (out, in + 1)
  int at;       // where it begins among a member's parameters
};

// Sizes, settings and addresses in the device's memory. Members lie one after another.
struct Fit {
  int members, in, dim, hidden, layers;  // layers: the head included; dim: of a target
  int batch, samples;                    // room in a batch; how many samples each member has in an epoch
  float lr, decay[most_layers];
  const float *X, *Y;
  const int* rows;                       // (samples, members): the columns of X and Y, in the order of the epoch
  float *x_mean, *x_std, *y_mean, *y_std;
  float *theta, *m, *v;                  // all layers, then the largest and the smallest log-variance, (dim) each
  float *h[most_layers];                 // of each layer the input, (in, batch, members); h[0] is standardised X
  float *z[most_layers];                 // of each layer W h + b, (out, batch, members)
  float *dz[most_layers];                // d(loss)/dz
  float *loss;                           // (dim, members): the negative log-likelihood, summed over the batch

  HOST_DEVICE Layer layer(int l) const {
    const int first = hidden * (in + 1), middle = hidden * (hidden + 1);
    return {l == 0 ? in : hidden, l == layers - 1 ? 2 * dim : hidden, l == 0 ? 0 : first + (l - 1) * middle};
  }
  HOST_DEVICE int bounds_at() const { return layer(layers - 1).at + 2 * dim * (hidden + 1); }
  HOST_DEVICE int size() const { return bounds_at() + 2 * dim; }
};

// ---- The product, version 1 and 2 ----

// One side of a product: element k of row r of the sum. In memory its rows are neighbours, or its elements k.
template <bool rows_adjoin> struct Side {
  static constexpr bool rows_are_neighbours = rows_adjoin;
  const float* at;
  int step;  // in the other direction
  __device__ float operator()(int r, int k) const { return rows_adjoin ? at[k * step + r] : at[r * step + k]; }
};
using Rows = Side<true>;
using Sums = Side<false>;

// Both versions compute, for a block's tile of c(i, j) = sum_k a(i, k) b(j, k), done(i, j, c(i, j)). With `ones` b has
// one row more, all ones, and done(i, n_cols, sum_k a(i, k)) is called too.

struct Naive {
  static constexpr int rows = 16, cols = 16, threads = 256;
  template <bool ones, class A, class B, class Done>
  static __device__ void run(A a, B b, int n_rows, int n_cols, int n, int i0, int j0, const Done& done) {
    const int i = i0 + threadIdx.x % rows, j = j0 + threadIdx.x / rows;
    float sum = 0;
    if (i < n_rows && j < n_cols) {
      for (int k = 0; k < n; ++k) sum += a(i, k) * b(j, k);
      done(i, j, sum);
    }
    if constexpr (ones)
      if (i < n_rows && j == 0) {
        sum = 0;
        for (int k = 0; k < n; ++k) sum += a(i, k);
        done(i, n_cols, sum);
      }
  }
};

// A tile of R x C elements; a thread has r x c of them, multiples of 4. Sums go on in slabs of `depth`: while one is
// multiplied from shared memory the next is on its way to registers.
template <int R, int C, int r, int c> struct Tiled {
  static constexpr int rows = R, cols = C, threads = (R / r) * (C / c), depth = 16;

  // What a thread carries of a slab of `width` rows. Neighbouring threads read neighbouring addresses; a thread's own
  // elements are `hop` apart in the other direction, so that it computes one address and adds to it.
  template <int width, class S> struct Slab {
    static constexpr bool along = S::rows_are_neighbours;
    static constexpr int near_size = along ? width : depth, far_size = along ? depth : width;
    static constexpr int hop = threads / near_size, count = (far_size + hop - 1) / hop;
    static_assert(hop > 0);
    float carried[count];

    // f(q, row, k) for the thread's elements q = 0, 1, ...
    template <class F> static __device__ void each(F f) {
      const int near = threadIdx.x % near_size, far = threadIdx.x / near_size;
      if (far >= hop) return;
      UNROLL for (int q = 0; q < count; ++q)
        if (far + q * hop < far_size) f(q, along ? near : far + q * hop, along ? far + q * hop : near);
    }
    __device__ void fetch(const S& x, int first, int n_rows, int k0, int n) {
      each([&](int q, int row, int k) {
        carried[q] = first + row < n_rows && k0 + k < n ? x(first + row, k0 + k) : 0;
      });
    }
    __device__ void store(float (*to)[width + 4]) const {
      each([&](int q, int row, int k) { to[k][row] = carried[q]; });
    }
  };

  template <int n> static __device__ void read4(float (&to)[n], const float* from) {
    UNROLL for (int q = 0; q < n; q += 4) {
      const float4 x = *reinterpret_cast<const float4*>(from + q);
      to[q] = x.x, to[q + 1] = x.y, to[q + 2] = x.z, to[q + 3] = x.w;
    }
  }

  template <bool ones, class A, class B, class Done>
  static __device__ void run(A a, B b, int n_rows, int n_cols, int n, int i0, int j0, const Done& done) {
    alignas(16) __shared__ float a_slab[depth][R + 4];
    alignas(16) __shared__ float b_slab[depth][C + 4];
    const int thread = threadIdx.x, i = thread % (R / r) * r, j = thread / (R / r) * c;  // its corner in the tile
    Slab<R, A> next_a;
    Slab<C, B> next_b;
    next_a.fetch(a, i0, n_rows, 0, n), next_b.fetch(b, j0, n_cols, 0, n);
    float sum[c][r] = {}, a_sum = 0;
    for (int k0 = 0; k0 < n; k0 += depth) {
      next_a.store(a_slab), next_b.store(b_slab);
      __syncthreads();
      if (k0 + depth < n) next_a.fetch(a, i0, n_rows, k0 + depth, n), next_b.fetch(b, j0, n_cols, k0 + depth, n);
      UNROLL for (int k = 0; k < depth; ++k) {
        float x[r], y[c];
        read4(x, &a_slab[k][i]), read4(y, &b_slab[k][j]);
        UNROLL for (int q = 0; q < c; ++q)
          UNROLL for (int p = 0; p < r; ++p) sum[q][p] += x[p] * y[q];
      }
      if (ones && j0 == 0 && thread < R)
        for (int k = 0; k < depth; ++k) a_sum += a_slab[k][thread];
      __syncthreads();
    }
    UNROLL for (int q = 0; q < c; ++q)
      UNROLL for (int p = 0; p < r; ++p)
        if (i0 + i + p < n_rows && j0 + j + q < n_cols) done(i0 + i + p, j0 + j + q, sum[q][p]);
    if (ones && j0 == 0 && thread < R && i0 + thread < n_rows) done(i0 + thread, n_cols, a_sum);
  }
};

// ---- Kernel 1: each member's batch, standardised. `first`: of the epoch's samples ----

__global__ void gather(Fit f, int first, int n) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, member = blockIdx.y;
  if (e >= f.in * n) return;
  const int k = e % f.in, j = e / f.in, column = f.rows[member * f.samples + first + j];
  f.h[0][(member * f.batch + j) * f.in + k] = (f.X[column * f.in + k] - f.x_mean[k]) / f.x_std[k];
}

// ---- Kernel 2: z = W h + b, h_next = swish(z) = z sigmoid(z) ----

template <class P> __global__ void __launch_bounds__(P::threads) forward(Fit f, int l, int n) {
  const Layer layer = f.layer(l);
  const int member = blockIdx.z;
  const float *W = f.theta + member * f.size() + layer.at, *b = W + layer.out * layer.in;
  const float* h = f.h[l] + member * f.batch * layer.in;
  float* z = f.z[l] + member * f.batch * layer.out;
  float* h_next = l + 1 < f.layers ? f.h[l + 1] + member * f.batch * layer.out : nullptr;
  P::template run<false>(Rows{W, layer.out}, Sums{h, layer.in}, layer.out, n, layer.in, blockIdx.x * P::rows,
                         blockIdx.y * P::cols, [&](int i, int j, float sum) {
    sum += b[i];
    z[j * layer.out + i] = sum;
    if (h_next) h_next[j * layer.out + i] = sum * sigmoid(sum);
  });
}

// ---- Kernel 3: the head, its loss and the bounds of the log-variance. A block has a dimension of a member ----

// below = most - softplus(most - raw),   log_var = least + softplus(below - least) + 2 log std
// loss = mean[(mu - y)^2 exp(-log_var) + log_var] + 0.01/members (sum of most - sum of least)
__global__ void head(Fit f, int first, int n, int t) {
  const int d = blockIdx.x, member = blockIdx.y;
  const std::size_t bounds = std::size_t(member) * f.size() + f.bounds_at();
  const float most = f.theta[bounds + d], least = f.theta[bounds + f.dim + d], std = f.y_std[d];
  float loss = 0, d_most = 0, d_least = 0;
  for (int j = threadIdx.x; j < n; j += blockDim.x) {
    const std::size_t at = (std::size_t(member) * f.batch + j) * 2 * f.dim + d;
    const float raw = f.z[f.layers - 1][at + f.dim], below = most - softplus(most - raw);
    const float log_var = least + softplus(below - least) + 2 * logf(std), precision = expf(-log_var);
    const float y = f.Y[f.rows[member * f.samples + first + j] * f.dim + d];
    const float error = f.y_mean[d] + std * f.z[f.layers - 1][at] - y;
    const float d_log_var = (1 - error * error * precision) / (f.dim * n);
    const float d_below = d_log_var * sigmoid(below - least), d_raw = d_below * sigmoid(most - raw);
    f.dz[f.layers - 1][at] = 2 * error * precision * std / (f.dim * n);
    f.dz[f.layers - 1][at + f.dim] = d_raw;
    loss += error * error * precision + log_var, d_most += d_below - d_raw, d_least += d_log_var - d_below;
  }
  loss = block_sum(loss), d_most = block_sum(d_most), d_least = block_sum(d_least);
  if (threadIdx.x > 0) return;
  f.loss[member * f.dim + d] = loss;
  const AdamStep adam(f.lr, t);
  const auto step = [&](std::size_t at, float grad) { adam(f.theta[at], f.m[at], f.v[at], grad); };
  step(bounds + d, d_most + 0.01f / f.members), step(bounds + f.dim + d, d_least - 0.01f / f.members);
}

// ---- Kernel 4: dz' = W^T dz swish'(z'), from layer l to the one before ----

template <class P> __global__ void __launch_bounds__(P::threads) backward(Fit f, int l, int n) {
  const Layer layer = f.layer(l);
  const int member = blockIdx.z;
  const float* W = f.theta + member * f.size() + layer.at;
  const float* dz = f.dz[l] + member * f.batch * layer.out;
  const float* z_before = f.z[l - 1] + member * f.batch * layer.in;
  float* dz_before = f.dz[l - 1] + member * f.batch * layer.in;
  P::template run<false>(Sums{W, layer.out}, Sums{dz, layer.out}, layer.in, n, layer.out, blockIdx.x * P::rows,
                         blockIdx.y * P::cols, [&](int i, int j, float sum) {
    const float z = z_before[j * layer.in + i], s = sigmoid(z);
    dz_before[j * layer.in + i] = sum * s * (1 + z * (1 - s));
  });
}

// ---- Kernel 5: [dW, db] = dz [h; 1]^T and Adam, of every layer: a block for each tile ----

template <class P> HOST_DEVICE int tiles(const Layer& layer) {
  return ceil_div(layer.out, P::rows) * ceil_div(layer.in, P::cols);
}

template <class P> __global__ void __launch_bounds__(P::threads) step(Fit f, int n, int t) {
  int l = 0, block = blockIdx.x;
  while (block >= tiles<P>(f.layer(l))) block -= tiles<P>(f.layer(l)), ++l;
  const Layer layer = f.layer(l);
  const int member = blockIdx.y, down = ceil_div(layer.out, P::rows);
  const float* h = f.h[l] + member * f.batch * layer.in;
  const float* dz = f.dz[l] + member * f.batch * layer.out;
  const std::size_t base = std::size_t(member) * f.size() + layer.at;
  const AdamStep adam(f.lr, t);
  P::template run<true>(Rows{dz, layer.out}, Rows{h, layer.in}, layer.out, layer.in, n, block % down * P::rows,
                        block / down * P::cols, [&](int i, int k, float grad) {
    const std::size_t at = base + k * layer.out + i;
    float theta = f.theta[at];
    if (k < layer.in) grad += f.decay[l] * theta;  // lambda/2 ||W||^2 in the loss; biases are free
    adam(theta, f.m[at], f.v[at], grad);
    f.theta[at] = theta;
  });
}

// ---- Launchers ----

// P: the product of the ways forward and back, S: that of the step.
struct FitOnDevice {
  Fit f = {};
  int t = 0;             // steps made
  int reducing_threads;  // of a block of the head's kernel
  DeviceArray<float> memory, X, Y;
  DeviceArray<int> rows;

  // A copy of the model's members, which all standardise alike, with the data; `samples` for each member in an epoch.
  FitOnDevice(Ensemble& model, const Mat& X, const Mat& Y, int batch, int samples, int reducing_threads = 256)
      : reducing_threads(reducing_threads), X(X), Y(Y), rows(std::size_t(samples) * model.members.size()) {
    const EnsembleOptions& o = model.options;
    f.members = o.members, f.in = int(X.rows()), f.dim = int(Y.rows()), f.hidden = o.hidden[0];
    f.layers = int(o.hidden.size()) + 1, f.batch = batch, f.samples = samples, f.lr = o.lr;
    eigen_assert(f.layers <= most_layers);
    for (std::size_t l = 0; l < o.decay.size(); ++l) f.decay[l] = o.decay[l];
    f.X = this->X, f.Y = this->Y, f.rows = rows;
    memory = DeviceArray<float>(lay_out(nullptr));
    lay_out(memory);
    const Normaliser &x = model.members[0].input, &y = model.members[0].head.target;
    const std::pair<float*, const Mat*> constants[] = {
        {f.x_mean, &x.mean}, {f.x_std, &x.std}, {f.y_mean, &y.mean}, {f.y_std, &y.std}};
    for (const auto& [to, from] : constants) upload(to, from->data(), from->size() * sizeof(float));
    for (int m = 0; m < f.members; ++m) {
      float* to = f.theta + std::size_t(m) * f.size();
      for (const Param* p : params(model.members[m])) {
        upload(to, p->value.data(), p->value.size() * sizeof(float));
        to += p->value.size();
      }
    }
    for (float* moment : {f.m, f.v}) device_fill(moment, 0, std::size_t(f.members) * f.size() * sizeof(float));
  }

  // One step of Adam for each member on its own samples first, ..., first + n - 1 of the epoch.
  template <class P, class S> void descend(int first, int n) {
    ++t;
    launch(gather, dim3(ceil_div(f.in * n, 256), f.members), 256, 0, f, first, n);
    for (int l = 0; l < f.layers; ++l) launch(forward<P>, grid<P>(f.layer(l).out, n), P::threads, 0, f, l, n);
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
  template <class P> dim3 grid(int n_rows, int n_cols) const {
    return dim3(ceil_div(n_rows, P::rows), ceil_div(n_cols, P::cols), f.members);
  }
  // The addresses of everything from `base` on; returns how many floats there are.
  std::size_t lay_out(float* base) {
    std::size_t used = 0;
    const auto take = [&](float*& p, std::size_t n) { p = base ? base + used : nullptr, used += n; };
    const std::size_t each = std::size_t(f.members) * f.batch, all = std::size_t(f.members) * f.size();
    take(f.x_mean, f.in), take(f.x_std, f.in), take(f.y_mean, f.dim), take(f.y_std, f.dim);
    take(f.theta, all), take(f.m, all), take(f.v, all), take(f.loss, std::size_t(f.members) * f.dim);
    for (int l = 0; l < f.layers; ++l)
      take(f.h[l], each * f.layer(l).in), take(f.z[l], each * f.layer(l).out), take(f.dz[l], each * f.layer(l).out);
    return used;
  }
};

// ---- Checks ----

struct FitSizes {
  int members, in, dim, hidden, hidden_layers, batch, samples, reducing_threads;
};

struct Optimisers {  // an archive that collects each member's
  std::vector<Adam*> found;
  template <class T> void operator()(const char*, T& member) {
    if constexpr (std::is_same_v<T, std::vector<Adam>>)
      for (Adam& adam : member) found.push_back(&adam);
  }
};

Ensemble make_model(const FitSizes& z, const Mat& X, const Mat& Y, Rng& rng) {
  EnsembleOptions o{.members = z.members, .elites = z.members};
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
  FitOnDevice device(p.model, p.X, p.Y, z.batch, z.samples, z.reducing_threads);
  device.rows.upload(p.rows.data());
  double loss = 0;
  for (int m = 0; m < z.members; ++m)
    loss += nll_on_cpu(p.model.members[m], p.X, p.Y, std::span(p.rows).subspan(m * z.samples, z.batch)) / z.members;

  const Fit& f = device.f;
  device.descend<P, S>(0, z.batch);
  epoch_on_cpu(p.model, p.X, p.Y, z, p.rows, 0, z.batch);
  Mat sums(f.dim, f.members);
  download(sums.data(), f.loss, sums.size() * sizeof(float));
  Optimisers optimisers;
  p.model.io(optimisers);
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
  FitOnDevice fit(p.model, p.X, p.Y, z.batch, z.samples);
  fit.rows.upload(p.rows.data());
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

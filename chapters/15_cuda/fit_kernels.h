// The kernels of a step of the ensemble's training, in the order in which FitOnDevice::descend launches them.
#pragma once
#include "chapters/15_cuda/fit_product.h"
#include "chapters/15_cuda/pieces.h"

namespace fit_kernels {

constexpr int most_layers = 8;

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
  float *loss;                           // (dim, members): the negative log-likelihood or the squared error, summed

  HOST_DEVICE LayerPlace layer(int l) const {
    const int first = hidden * (in + 1), middle = hidden * (hidden + 1);
    return {l == 0 ? in : hidden, l == layers - 1 ? 2 * dim : hidden, l == 0 ? 0 : first + (l - 1) * middle};
  }
  HOST_DEVICE int bounds_at() const { return layer(layers - 1).at + 2 * dim * (hidden + 1); }
  HOST_DEVICE int size() const { return bounds_at() + 2 * dim; }
};

// ---- Kernel 1: each member's batch, standardised. `first`: of the epoch's samples ----

static __global__ void gather(Fit f, int first, int n) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x, member = blockIdx.y;
  if (e >= f.in * n) return;
  const int k = e % f.in, j = e / f.in, column = f.rows[member * f.samples + first + j];
  f.h[0][(member * f.batch + j) * f.in + k] = (f.X[column * f.in + k] - f.x_mean[k]) / f.x_std[k];
}

// ---- Kernel 2: z = W h + b, h_next = swish(z) = z sigmoid(z) ----

template <class P> __global__ void __launch_bounds__(P::threads) forward(Fit f, int l, int n) {
  const LayerPlace layer = f.layer(l);
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
static __global__ void head(Fit f, int first, int n, int t) {
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
  const LayerPlace layer = f.layer(l);
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

template <class P> HOST_DEVICE int tiles(const LayerPlace& layer) {
  return ceil_div(layer.out, P::rows) * ceil_div(layer.in, P::cols);
}

template <class P> __global__ void __launch_bounds__(P::threads) step(Fit f, int n, int t) {
  int l = 0, block = blockIdx.x;
  while (block >= tiles<P>(f.layer(l))) block -= tiles<P>(f.layer(l)), ++l;
  const LayerPlace layer = f.layer(l);
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

// ---- Without training: the squared error of the means in units of the target's deviation, added to f.loss ----

static __global__ void squared_error(Fit f, int first, int n) {
  const int d = blockIdx.x, member = blockIdx.y;
  float sum = 0;
  for (int j = threadIdx.x; j < n; j += blockDim.x) {
    const std::size_t at = (std::size_t(member) * f.batch + j) * 2 * f.dim + d;
    const float y = f.Y[f.rows[member * f.samples + first + j] * f.dim + d];
    const float error = f.z[f.layers - 1][at] - (y - f.y_mean[d]) / f.y_std[d];
    sum += error * error;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) f.loss[member * f.dim + d] += sum;
}

}  // namespace fit_kernels

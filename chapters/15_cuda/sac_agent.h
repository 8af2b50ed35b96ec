// Sac of chapter 05 as kernels see it: sizes and addresses, and how a block takes samples through a network and back.
#pragma once
#include <cstdint>
#include "chapters/15_cuda/pieces.h"

namespace sac_kernels {

constexpr int samples = 8;  // that a block takes through a network
constexpr int tile = 32;    // a block of the last kernel computes tile x tile of a gradient
constexpr int most_threads = 1024;  // of a block that takes samples through a network

enum Network { pi, Q1, Q2, Q1_targ, Q2_targ };  // the first three learn
enum Stream { of_batch, of_now, of_next, streams };

// A replay buffer: one transition per column, as in Transitions.
struct Store {
  const float *s, *a, *r, *s_next, *not_done;
  const int* filled;  // how many columns of it there are
};

// Sizes, settings and addresses in the device's memory. One sample per column, as everywhere.
struct Agent {
  int state_dim, action_dim, hidden, batch;
  float lr, gamma, tau, target_entropy;
  std::uint64_t seed;
  Store D_env, D_model;                                      // where batches are drawn from, and
  int real;                                                  // how many samples of a batch from D_env
  int* updates;                                              // made so far
  float *sa, *sa_pi, *sa_next;                               // [s; a], [s; a ~ pi(.|s)], [s'; a' ~ pi(.|s')]
  float *reward, *alive, *y;                                 // r and 1 - d of the batch, the critics' targets
  float *xi, *logp, *logp_next;                              // of a ~ pi(.|s), and of a'
  float *theta[5], *m[3], *v[3], *W2_back[3];                // W2_back: W2 transposed, which the way back reads
  float *h1[3], *h2[3], *out[5], *d1[3], *d2[3], *d_out[3];  // hidden layers, outputs; d(loss)/d(before the ReLU)
  float *q_pi[2], *da[2];                                    // Q_j(s, a) at a ~ pi(.|s); dJ/da by way of Q_j
  float *log_alpha, *numbers;                                // (value, m, v); what SacNumbers holds

  HOST_DEVICE int sa_dim() const { return state_dim + action_dim; }
  HOST_DEVICE LayerPlace layer(int net, int l) const {
    const int in = net == pi ? state_dim : sa_dim(), first = hidden * (in + 1);
    if (l == 0) return {in, hidden, 0};
    if (l == 1) return {hidden, hidden, first};
    return {hidden, net == pi ? 2 * action_dim : 1, first + hidden * (hidden + 1)};
  }
  HOST_DEVICE int size(int net) const {
    const LayerPlace last = layer(net, 2);
    return last.at + last.out * (last.in + 1);
  }
  HOST_DEVICE int tiles(int net, int l) const {
    return ceil_div(layer(net, l).out, tile) * ceil_div(layer(net, l).in + 1, tile);
  }
  HOST_DEVICE int width() const { return max(hidden, max(sa_dim(), 2 * action_dim)); }  // of the widest layer
};

// ---- What a block's threads do together, on `samples` columns in shared memory: x(k, t) is x[k * samples + t] ----

__device__ inline void multiply_add(float (&z)[samples], float w, const float* x) {
  UNROLL for (int t = 0; t < samples; t += 4) {
    const float4 x4 = *reinterpret_cast<const float4*>(x + t);  // the same for the whole warp: one access
    z[t] += w * x4.x, z[t + 1] += w * x4.y, z[t + 2] += w * x4.z, z[t + 3] += w * x4.w;
  }
}

// z = M x for a matrix with many rows; then done(i, t, z(i, t)), which may write x. A thread has a row and all samples,
// so that each weight is read once. Threads that are left over share a row's sum.
template <class Done>
__device__ void wide(const float* M, int row_step, int col_step, int rows, int cols, const float* x, float* part,
                     const Done& done) {
  const int slices = max(1, int(blockDim.x) / rows), items = slices * rows;
  for (int item = threadIdx.x; item < items; item += blockDim.x) {
    const int slice = item / rows, end = cols * (slice + 1) / slices;
    const float* row = M + item % rows * row_step;
    float z[samples] = {};
    int k = cols * slice / slices;
    for (; k + 8 <= end; k += 8) {  // eight weights on their way at once: each takes hundreds of cycles
      float w[8];
      UNROLL for (int j = 0; j < 8; ++j) w[j] = row[(k + j) * col_step];
      UNROLL for (int j = 0; j < 8; ++j) multiply_add(z, w[j], x + (k + j) * samples);
    }
    for (; k < end; ++k) multiply_add(z, row[k * col_step], x + k * samples);
    UNROLL for (int t = 0; t < samples; ++t) part[t * items + item] = z[t];
  }
  __syncthreads();
  for (int e = threadIdx.x; e < rows * samples; e += blockDim.x) {
    const int i = e % rows, t = e / rows;
    float z = 0;
    for (int slice = 0; slice < slices; ++slice) z += part[t * items + slice * rows + i];
    done(i, t, z);
  }
  __syncthreads();
}

// The same for a matrix with few rows: a warp has a row, its lanes share the sum.
template <class Done>
__device__ void narrow(const float* M, int row_step, int col_step, int rows, int cols, const float* x,
                       const Done& done) {
  const int lane = threadIdx.x % 32;
  for (int i = threadIdx.x / 32; i < rows; i += blockDim.x / 32) {
    float z[samples] = {};
    for (int k = lane; k < cols; k += 32) multiply_add(z, M[i * row_step + k * col_step], x + k * samples);
    UNROLL for (int t = 0; t < samples; ++t) {
      UNROLL for (int by = 16; by > 0; by /= 2) z[t] += __shfl_xor_sync(~0u, z[t], by);
      if (lane == t) done(i, t, z[t]);
    }
  }
  __syncthreads();
}

// x <- relu(W2 relu(W1 x + b1) + b2). If `keep`, both layers are written to g.h1 and g.h2 for the way back.
__device__ inline void hidden_layers(const Agent& g, int net, int first, float* x, float* part, bool keep) {
  for (int l = 0; l < 2; ++l) {
    const LayerPlace f = g.layer(net, l);
    const float *W = g.theta[net] + f.at, *b = W + f.out * f.in;
    float* h = !keep ? nullptr : l == 0 ? g.h1[net] : g.h2[net];
    wide(W, 1, f.out, f.out, f.in, x, part, [&](int i, int t, float z) {
      const float y = z + b[i] < 0 ? 0 : z + b[i];  // NaN stays NaN
      x[i * samples + t] = y;
      if (h && first + t < g.batch) h[(first + t) * f.out + i] = y;
    });
  }
}

// From x = d(loss)/d(output) to x = d(loss)/d(first layer before its ReLU):   d2 = W3^T d_out,   d1 = W2^T d2, each 0
// where the ReLU was. If `keep`, both are written to g.d1 and g.d2 for the weights' gradients.
__device__ inline void back(const Agent& g, int net, int first, float* x, float* part, bool keep) {
  const int H = g.hidden;
  const LayerPlace head = g.layer(net, 2);
  const auto through_relu = [&](const float* h, float* d, int i, int t, float z) {
    const bool inside = first + t < g.batch;
    const int at = (first + t) * H + i;
    if (!inside || !(h[at] > 0)) z = 0;
    x[i * samples + t] = z;
    if (keep && inside) d[at] = z;
  };
  wide(g.theta[net] + head.at, head.out, 1, H, head.out, x, part,
       [&](int i, int t, float z) { through_relu(g.h2[net], g.d2[net], i, t, z); });
  wide(g.W2_back[net], 1, H, H, H, x, part,
       [&](int i, int t, float z) { through_relu(g.h1[net], g.d1[net], i, t, z); });
}

}  // namespace sac_kernels

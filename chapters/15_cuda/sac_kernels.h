// The kernels of an update of Sac, in the order in which SacOnDevice::update launches them.
#pragma once
#include "chapters/05_model_free/squashed_gaussian.h"  // the bounds of log std
#include "chapters/15_cuda/sac_agent.h"

namespace sac_kernels {

// ---- Kernel 1: the batch, a ~ pi(.|s) (blocks y = 0) and a' ~ pi(.|s') (y = 1) ----

__device__ inline std::uint64_t stream_of(const Agent& g, Stream which) {
  return std::uint64_t(*g.updates) * streams + which;
}

// The column of the replay buffer that is sample n of the batch: the high half of 32 random bits times their number.
HOST_DEVICE inline int draw_column(std::uint64_t seed, std::uint64_t stream, int n, int filled) {
  return int((std::uint64_t(philox(seed, stream, n).v[0]) * filled) >> 32);
}

__device__ inline void gather(const Agent& g, bool next, int first, float* x) {
  __shared__ int column[samples];
  const int S = g.state_dim, A = g.action_dim;
  const auto store = [&](int t) { return first + t < g.real ? g.D_env : g.D_model; };
  if (const int t = threadIdx.x; t < samples)
    column[t] = draw_column(g.seed, stream_of(g, of_batch), first + t, *store(t).filled);
  __syncthreads();
  for (int e = threadIdx.x; e < S * samples; e += blockDim.x) {
    const int k = e % S, t = e / S, to = (first + t) * (S + A) + k;
    const float s = (next ? store(t).s_next : store(t).s)[std::size_t(column[t]) * S + k];
    x[k * samples + t] = s;
    if (first + t >= g.batch) continue;
    if (next) g.sa_next[to] = s;
    else g.sa[to] = g.sa_pi[to] = s;
  }
  for (int e = threadIdx.x; e < A * samples && !next; e += blockDim.x)
    if (const int k = e % A, t = e / A; first + t < g.batch)
      g.sa[(first + t) * (S + A) + S + k] = store(t).a[std::size_t(column[t]) * A + k];
  if (const int t = threadIdx.x; t < samples && first + t < g.batch && !next)
    g.reward[first + t] = store(t).r[column[t]], g.alive[first + t] = store(t).not_done[column[t]];
  __syncthreads();
}

// u = mu + std xi,   a = tanh(u),   log pi(a|s) = sum_i [-xi^2/2 - log std - log(2 pi)/2 - log(1 - tanh(u)^2)]
// for the samples from `first` on, whose network's output is out(i, t); a thread for each number, into terms(i, t).
__device__ inline void squash(const Agent& g, bool next, int first, const float* out, float* terms) {
  constexpr float least = SquashedGaussian::min_log_std, most = SquashedGaussian::max_log_std;
  const int A = g.action_dim;
  const std::uint64_t stream = stream_of(g, next ? of_next : of_now);
  for (int e = threadIdx.x; e < A * samples; e += blockDim.x) {
    const int i = e % A, t = e / A, n = first + t;
    if (n >= g.batch) continue;
    const float xi = normal_at(g.seed, stream, std::uint64_t(n) * A + i);
    const float raw = out[(A + i) * samples + t], log_std = raw < least ? least : raw > most ? most : raw;
    const float u = out[i * samples + t] + expf(log_std) * xi;
    terms[i * samples + t] = 2 * (u + softplus(-2 * u)) - log_std - xi * xi / 2 - 2.305232894f;  // log(32 pi)/2
    (next ? g.sa_next : g.sa_pi)[n * g.sa_dim() + g.state_dim + i] = tanhf(u);
    if (!next) g.xi[n * A + i] = xi;
  }
  __syncthreads();
  if (const int t = threadIdx.x; t < samples && first + t < g.batch) {
    float logp = 0;
    for (int i = 0; i < A; ++i) logp += terms[i * samples + t];
    (next ? g.logp_next : g.logp)[first + t] = logp;
  }
}

static __global__ void __launch_bounds__(most_threads) policy_forward(Agent g) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const bool next = blockIdx.y == 1;
  const int first = blockIdx.x * samples;
  gather(g, next, first, x);
  hidden_layers(g, pi, first, x, part, !next);
  const LayerPlace head = g.layer(pi, 2);
  const float *W = g.theta[pi] + head.at, *b = W + head.out * head.in;
  narrow(W, 1, head.out, head.out, head.in, x, [&](int i, int t, float z) {
    part[i * samples + t] = z + b[i];
    if (!next && first + t < g.batch) g.out[pi][(first + t) * head.out + i] = z + b[i];
  });
  squash(g, next, first, part, x);  // x is free: what the head needed of it is done
}

// ---- Kernel 2 and 5: the critics ----

// Blocks y = 0, 1: Q_j(s, a), y = 2, 3: Q'_j(s', a'). In the policy's step only y = 0, 1: Q_j(s, a ~ pi(.|s)).
static __global__ void __launch_bounds__(most_threads) critic_forward(Agent g, bool policy_step) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const int net = Q1 + blockIdx.y, first = blockIdx.x * samples, in = g.sa_dim();
  const bool lagged = net >= Q1_targ;
  const float* from = policy_step ? g.sa_pi : lagged ? g.sa_next : g.sa;
  for (int e = threadIdx.x; e < in * samples; e += blockDim.x) {
    const int k = e % in, t = e / in;
    x[k * samples + t] = first + t < g.batch ? from[(first + t) * in + k] : 0;
  }
  __syncthreads();
  hidden_layers(g, net, first, x, part, !lagged);
  const float* W = g.theta[net] + g.layer(net, 2).at;
  float* q = policy_step ? g.q_pi[net - Q1] : g.out[net];
  narrow(W, 1, 1, 1, g.hidden, x, [&](int, int t, float z) {
    if (first + t < g.batch) q[first + t] = z + W[g.hidden];
  });
  if (!policy_step && blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) ++*g.updates;  // nobody reads it here
}

// ---- Kernel 3: back through the critics ----

// y = r + gamma (1 - d) [min_j Q'_j(s', a') - alpha log pi(a'|s')],   J_Q = E[(Q_j(s, a) - y)^2]
static __global__ void __launch_bounds__(most_threads) critic_backward(Agent g) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const int net = Q1 + blockIdx.y, first = blockIdx.x * samples;
  if (const int t = threadIdx.x, n = first + t; t < samples) {
    x[t] = 0;
    if (n < g.batch) {
      const float Q_next = fminf(g.out[Q1_targ][n], g.out[Q2_targ][n]);
      const float y = g.reward[n] + g.gamma * g.alive[n] * (Q_next - expf(*g.log_alpha) * g.logp_next[n]);
      x[t] = g.d_out[net][n] = 2 * (g.out[net][n] - y) / g.batch;
      if (net == Q1) g.y[n] = y;
    }
  }
  __syncthreads();
  back(g, net, first, x, part, true);
}

// ---- Kernel 6: dJ/da_j = -1/batch dQ_j/da where Q_j is the smaller one, else 0 ----

static __global__ void __launch_bounds__(most_threads) action_gradient(Agent g) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const int j = blockIdx.y, net = Q1 + j, first = blockIdx.x * samples, H = g.hidden, A = g.action_dim;
  if (const int t = threadIdx.x, n = first + t; t < samples)
    x[t] = n < g.batch && (g.q_pi[0][n] <= g.q_pi[1][n]) == (j == 0) ? -1.0f / g.batch : 0;
  __syncthreads();
  back(g, net, first, x, part, false);
  narrow(g.theta[net] + g.state_dim * H, H, 1, A, H, x, [&](int i, int t, float z) {  // the actions' columns of W1
    if (first + t < g.batch) g.da[j][(first + t) * A + i] = z;
  });
}

// ---- Kernel 7: J_pi = E[alpha log pi(a|s) - min_j Q_j(s, a)] back through the squashed Gaussian and the policy ----
// dlog pi/du = 2 tanh(u) = 2a, so du = dJ/da (1 - a^2) + 2a alpha/batch, dmu = du, dlog_std = du std xi - alpha/batch.

static __global__ void __launch_bounds__(most_threads) policy_backward(Agent g) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const int first = blockIdx.x * samples, A = g.action_dim;
  const float alpha_n = expf(*g.log_alpha) / g.batch;
  for (int e = threadIdx.x; e < A * samples; e += blockDim.x) {
    const int i = e % A, t = e / A, n = first + t;
    float d_mu = 0, d_log_std = 0;
    if (n < g.batch) {
      const float a = g.sa_pi[n * g.sa_dim() + g.state_dim + i], log_std = g.out[pi][n * 2 * A + A + i];
      d_mu = (g.da[0][n * A + i] + g.da[1][n * A + i]) * (1 - a * a) + 2 * a * alpha_n;
      if (SquashedGaussian::min_log_std < log_std && log_std < SquashedGaussian::max_log_std)
        d_log_std = d_mu * expf(log_std) * g.xi[n * A + i] - alpha_n;
      g.d_out[pi][n * 2 * A + i] = d_mu, g.d_out[pi][n * 2 * A + A + i] = d_log_std;
    }
    x[i * samples + t] = d_mu, x[(A + i) * samples + t] = d_log_std;
  }
  __syncthreads();
  back(g, pi, first, x, part, true);
}

// ---- Kernel 4 and 8: the gradients, Adam, the lagged critics, the temperature ----

// A tile of [dW, db] = d [x; 1]^T, the sum over the batch, from row i0 and column k0 on. 64 threads have 4 x 4 elements
// each; the block's four groups of 64 share the samples, and sum[group] is what each of them has.
__device__ inline void gradient_tile(const float* d, LayerPlace f, const float* x, int x_rows, int batch, int i0,
                                     int k0, float (*sum)[tile * tile]) {
  alignas(16) __shared__ float d_tile[tile][tile];
  alignas(16) __shared__ float x_tile[tile][tile];
  const int group = threadIdx.x / 64, i4 = 4 * (threadIdx.x % 8), k4 = 4 * (threadIdx.x % 64 / 8);
  float z[4][4] = {};
  for (int n0 = 0; n0 < batch; n0 += tile) {
    for (int e = threadIdx.x; e < tile * tile; e += blockDim.x) {
      const int row = e % tile, n = e / tile, i = i0 + row, k = k0 + row;
      const bool inside = n0 + n < batch;
      d_tile[n][row] = inside && i < f.out ? d[(n0 + n) * f.out + i] : 0;
      x_tile[n][row] = inside && k < f.in ? x[(n0 + n) * x_rows + k] : k == f.in;  // the row of ones: db
    }
    __syncthreads();
    for (int n = group * tile / 4; n < (group + 1) * tile / 4; ++n) {
      const float4 a = *reinterpret_cast<const float4*>(&d_tile[n][i4]);
      const float4 b = *reinterpret_cast<const float4*>(&x_tile[n][k4]);
      const float d4[4] = {a.x, a.y, a.z, a.w}, x4[4] = {b.x, b.y, b.z, b.w};
      UNROLL for (int k = 0; k < 4; ++k)
        UNROLL for (int i = 0; i < 4; ++i) z[k][i] += d4[i] * x4[k];
    }
    __syncthreads();
  }
  UNROLL for (int k = 0; k < 4; ++k)
    UNROLL for (int i = 0; i < 4; ++i) sum[group][(k4 + k) * tile + i4 + i] = z[k][i];
  __syncthreads();
}

// J_alpha = -log alpha (log pi + H_bar):   dJ/dlog alpha = -(mean log pi + H_bar). And the numbers for the log.
__device__ inline void temperature_step(const Agent& g) {
  float loss = 0, Q = 0, logp = 0;
  for (int n = threadIdx.x; n < g.batch; n += blockDim.x) {
    const float e1 = g.out[Q1][n] - g.y[n], e2 = g.out[Q2][n] - g.y[n];
    loss += e1 * e1 + e2 * e2, Q += fminf(g.q_pi[0][n], g.q_pi[1][n]), logp += g.logp[n];
  }
  loss = block_sum(loss) / g.batch, Q = block_sum(Q) / g.batch, logp = block_sum(logp) / g.batch;
  if (threadIdx.x > 0) return;
  g.numbers[0] = loss, g.numbers[1] = Q, g.numbers[2] = -logp, g.numbers[3] = expf(*g.log_alpha);
  AdamStep(g.lr, *g.updates)(g.log_alpha[0], g.log_alpha[1], g.log_alpha[2], -(logp + g.target_entropy));
}

// Both critics (blocks y = 0, 1) or the policy, every layer: a block for each tile of a gradient. With the policy goes
// one block more, for the temperature.
static __global__ void step(Agent g, bool policy_step) {
  __shared__ float sum[4][tile * tile];
  const int net = policy_step ? int(pi) : Q1 + blockIdx.y;
  int l = 0, block = blockIdx.x;
  while (l < 3 && block >= g.tiles(net, l)) block -= g.tiles(net, l), ++l;
  if (l == 3) {
    if (policy_step) temperature_step(g);
    return;
  }
  const LayerPlace f = g.layer(net, l);
  const int rows = ceil_div(f.out, tile), i0 = block % rows * tile, k0 = block / rows * tile;
  const float* x = l == 0 ? (policy_step ? g.sa_pi : g.sa) : l == 1 ? g.h1[net] : g.h2[net];
  const float* d = l == 0 ? g.d1[net] : l == 1 ? g.d2[net] : g.d_out[net];
  gradient_tile(d, f, x, l == 0 ? g.sa_dim() : g.hidden, g.batch, i0, k0, sum);
  const AdamStep adam(g.lr, *g.updates);
  for (int e = threadIdx.x; e < tile * tile; e += blockDim.x) {
    const int i = i0 + e % tile, k = k0 + e / tile, at = f.at + k * f.out + i;
    if (i >= f.out || k > f.in) continue;
    float theta = g.theta[net][at];
    adam(theta, g.m[net][at], g.v[net][at], sum[0][e] + sum[1][e] + sum[2][e] + sum[3][e]);
    g.theta[net][at] = theta;
    if (l == 1 && k < f.in) g.W2_back[net][i * f.in + k] = theta;
    if (policy_step) continue;
    float& lagged = g.theta[net + 2][at];
    lagged += g.tau * (theta - lagged);  // Q'_j <- (1 - tau) Q'_j + tau Q_j
  }
}

}  // namespace sac_kernels

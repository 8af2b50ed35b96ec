// Soft actor-critic (chapter 05) on the device: an update is eight launches, and many updates are one CUDA graph.
//   make 15_cuda_sac && build/15_cuda_sac      compiled with CUDA 13.0; not yet run on a device
//
// What limits an update of 256 x 256 units and a batch of 256 is not arithmetic: its 0.6 GFLOP are 10 us of an H200. It
// is latency: launches that wait for each other, some 2 us each, and in each a chain of layers that wait for the
// weights. So there are few launches, and nothing comes from the host between them:
//   1. a block takes 8 samples through a whole network, whose activations stay in shared memory: a launch for a pass
//      of all networks instead of one for each layer;
//   2. a gradient's tile becomes Adam's step and the lagged critic's where it was summed: it never goes to memory;
//   3. batch and noise are drawn on the device (Philox), so that a graph runs many updates without the host.
// Read in this order: update_on_cpu, SacOnDevice::update, the kernels it launches, `wide` and `gradient_tile`.
#include <chrono>
#include "chapters/05_model_free/sac.h"  // Sac, sac_update: the CPU reference
#include "chapters/15_cuda/pieces.h"

namespace {

// ---- CPU reference: sac_update with the noise as an argument ----

SacNumbers update_on_cpu(Sac& agent, const Batch& b, const Mat& xi_next, const Mat& xi) {
  agent.next_tape.clear(), agent.pi_tape.clear();
  const Sampled<Var> next = frozen(agent.pi).sample(agent.next_tape.constant(b.s_next), xi_next);
  const Sampled<Var> now = agent.pi.sample(agent.pi_tape.constant(b.s), xi);
  const Real mean_logp = now.logp.value().mean(), alpha = agent.alpha();
  critic_targets(agent, b, next);
  const Real Q_loss = critic_step(agent, b);
  const Real Q = policy_step(agent, b.s, now);
  agent.alpha_opt.step(agent.log_alpha, -(mean_logp + agent.target_entropy));
  return {Q_loss, Q, -mean_logp, alpha};
}

// ---- What the kernels see ----

constexpr int samples = 8;  // that a block takes through a network
constexpr int tile = 32;    // a block of the last kernel computes tile x tile of a gradient
constexpr int most_threads = 1024;  // of a block that takes samples through a network

enum Network { pi, Q1, Q2, Q1_targ, Q2_targ };  // the first three learn
enum Stream { of_batch, of_now, of_next, streams };

struct Layer {
  int in, out;  // W (out, in) and behind it b (out): together they are a matrix (out, in + 1)
  int at;       // where it begins among the network's parameters
};

// Sizes, settings and addresses in the device's memory. One sample per column, as everywhere.
struct Agent {
  int state_dim, action_dim, hidden, batch;
  float lr, gamma, tau, target_entropy;
  std::uint64_t seed;
  const float *s, *a, *r, *s_next, *not_done;                // the replay buffer, and
  const int* filled;                                         // how many columns of it there are
  int* updates;                                              // made so far
  float *sa, *sa_pi, *sa_next;                               // [s; a], [s; a ~ pi(.|s)], [s'; a' ~ pi(.|s')]
  float *reward, *alive, *y;                                 // r and 1 - d of the batch, the critics' targets
  float *xi, *logp, *logp_next;                              // of a ~ pi(.|s), and of a'
  float *theta[5], *m[3], *v[3], *W2_back[3];                // W2_back: W2 transposed, which the way back reads
  float *h1[3], *h2[3], *out[5], *d1[3], *d2[3], *d_out[3];  // hidden layers, outputs; d(loss)/d(before the ReLU)
  float *q_pi[2], *da[2];                                    // Q_j(s, a) at a ~ pi(.|s); dJ/da by way of Q_j
  float *log_alpha, *numbers;                                // (value, m, v); what SacNumbers holds

  HOST_DEVICE int sa_dim() const { return state_dim + action_dim; }
  HOST_DEVICE Layer layer(int net, int l) const {
    const int in = net == pi ? state_dim : sa_dim(), first = hidden * (in + 1);
    if (l == 0) return {in, hidden, 0};
    if (l == 1) return {hidden, hidden, first};
    return {hidden, net == pi ? 2 * action_dim : 1, first + hidden * (hidden + 1)};
  }
  HOST_DEVICE int size(int net) const {
    const Layer last = layer(net, 2);
    return last.at + last.out * (last.in + 1);
  }
  HOST_DEVICE int tiles(int net, int l) const {
    return ceil_div(layer(net, l).out, tile) * ceil_div(layer(net, l).in + 1, tile);
  }
  HOST_DEVICE int width() const { return max(hidden, max(sa_dim(), 2 * action_dim)); }  // of the widest layer
};

// ---- What a block's threads do together, on `samples` columns in shared memory: x(k, t) is x[k * samples + t] ----

__device__ void multiply_add(float (&z)[samples], float w, const float* x) {
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
__device__ void hidden_layers(const Agent& g, int net, int first, float* x, float* part, bool keep) {
  for (int l = 0; l < 2; ++l) {
    const Layer f = g.layer(net, l);
    const float *W = g.theta[net] + f.at, *b = W + f.out * f.in;
    float* h = !keep ? nullptr : l == 0 ? g.h1[net] : g.h2[net];
    wide(W, 1, f.out, f.out, f.in, x, part, [&](int i, int t, float z) {
      const float y = fmaxf(z + b[i], 0);
      x[i * samples + t] = y;
      if (h && first + t < g.batch) h[(first + t) * f.out + i] = y;
    });
  }
}

// From x = d(loss)/d(output) to x = d(loss)/d(first layer before its ReLU):   d2 = W3^T d_out,   d1 = W2^T d2, each 0
// where the ReLU was. If `keep`, both are written to g.d1 and g.d2 for the weights' gradients.
__device__ void back(const Agent& g, int net, int first, float* x, float* part, bool keep) {
  const int H = g.hidden;
  const Layer head = g.layer(net, 2);
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

// ---- Kernel 1: the batch, a ~ pi(.|s) (blocks y = 0) and a' ~ pi(.|s') (y = 1) ----

__device__ std::uint64_t stream_of(const Agent& g, Stream which) { return std::uint64_t(*g.updates) * streams + which; }

// The column of the replay buffer that is sample n of the batch: the high half of 32 random bits times their number.
HOST_DEVICE int draw_column(std::uint64_t seed, std::uint64_t stream, int n, int filled) {
  return int((std::uint64_t(philox(seed, stream, n).v[0]) * filled) >> 32);
}

__device__ void gather(const Agent& g, bool next, int first, float* x) {
  __shared__ int column[samples];
  const int S = g.state_dim, A = g.action_dim;
  if (threadIdx.x < samples)
    column[threadIdx.x] = draw_column(g.seed, stream_of(g, of_batch), first + threadIdx.x, *g.filled);
  __syncthreads();
  for (int e = threadIdx.x; e < S * samples; e += blockDim.x) {
    const int k = e % S, t = e / S, to = (first + t) * (S + A) + k;
    const float s = (next ? g.s_next : g.s)[column[t] * S + k];
    x[k * samples + t] = s;
    if (first + t >= g.batch) continue;
    if (next) g.sa_next[to] = s;
    else g.sa[to] = g.sa_pi[to] = s;
  }
  for (int e = threadIdx.x; e < A * samples && !next; e += blockDim.x)
    if (const int k = e % A, t = e / A; first + t < g.batch)
      g.sa[(first + t) * (S + A) + S + k] = g.a[column[t] * A + k];
  if (const int t = threadIdx.x; t < samples && first + t < g.batch && !next)
    g.reward[first + t] = g.r[column[t]], g.alive[first + t] = g.not_done[column[t]];
  __syncthreads();
}

// u = mu + std xi,   a = tanh(u),   log pi(a|s) = sum_i [-xi^2/2 - log std - log(2 pi)/2 - log(1 - tanh(u)^2)]
// for sample n, whose network's output is out[0], out[samples], ...
__device__ void squash(const Agent& g, bool next, int n, const float* out) {
  const int A = g.action_dim;
  const std::uint64_t stream = stream_of(g, next ? of_next : of_now);
  float logp = 0;
  for (int i = 0; i < A; ++i) {
    const float xi = normal_at(g.seed, stream, std::uint64_t(n) * A + i);
    const float log_std = fminf(fmaxf(out[(A + i) * samples], SquashedGaussian::min_log_std),
                                SquashedGaussian::max_log_std);
    const float u = out[i * samples] + expf(log_std) * xi;
    logp += 2 * (u + softplus(-2 * u)) - log_std - xi * xi / 2 - 2.305232894f;  // log(2 pi)/2 + 2 log 2
    (next ? g.sa_next : g.sa_pi)[n * g.sa_dim() + g.state_dim + i] = tanhf(u);
    if (!next) g.xi[n * A + i] = xi;
  }
  (next ? g.logp_next : g.logp)[n] = logp;
}

__global__ void __launch_bounds__(most_threads) policy_forward(Agent g) {
  float *x = shared_memory<float>(), *part = x + g.width() * samples;
  const bool next = blockIdx.y == 1;
  const int first = blockIdx.x * samples;
  gather(g, next, first, x);
  hidden_layers(g, pi, first, x, part, !next);
  const Layer head = g.layer(pi, 2);
  const float *W = g.theta[pi] + head.at, *b = W + head.out * head.in;
  narrow(W, 1, head.out, head.out, head.in, x, [&](int i, int t, float z) {
    part[i * samples + t] = z + b[i];
    if (!next && first + t < g.batch) g.out[pi][(first + t) * head.out + i] = z + b[i];
  });
  if (const int t = threadIdx.x; t < samples && first + t < g.batch) squash(g, next, first + t, part + t);
}

// ---- Kernel 2 and 5: the critics ----

// Blocks y = 0, 1: Q_j(s, a), y = 2, 3: Q'_j(s', a'). In the policy's step only y = 0, 1: Q_j(s, a ~ pi(.|s)).
__global__ void __launch_bounds__(most_threads) critic_forward(Agent g, bool policy_step) {
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
__global__ void __launch_bounds__(most_threads) critic_backward(Agent g) {
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

__global__ void __launch_bounds__(most_threads) action_gradient(Agent g) {
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

__global__ void __launch_bounds__(most_threads) policy_backward(Agent g) {
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
__device__ void gradient_tile(const float* d, Layer f, const float* x, int x_rows, int batch, int i0, int k0,
                              float (*sum)[tile * tile]) {
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
__device__ void temperature_step(const Agent& g) {
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
__global__ void step(Agent g, bool policy_step) {
  __shared__ float sum[4][tile * tile];
  const int net = policy_step ? int(pi) : Q1 + blockIdx.y;
  int l = 0, block = blockIdx.x;
  while (l < 3 && block >= g.tiles(net, l)) block -= g.tiles(net, l), ++l;
  if (l == 3) {
    if (policy_step) temperature_step(g);
    return;
  }
  const Layer f = g.layer(net, l);
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

// ---- Launchers ----

struct SacOnDevice {
  Agent g = {};
  int threads;  // of those blocks; a power of two is not needed, whole warps are
  DeviceArray<float> memory, s, a, r, s_next, not_done;
  DeviceArray<int> counts;  // filled, updates

  // A copy of the agent's networks, with the replay buffer's data and room for a batch.
  SacOnDevice(Sac& agent, const Batch& data, int batch, std::uint64_t seed, int threads = 512)
      : threads(threads), s(data.s), a(data.a), r(data.r), s_next(data.s_next), not_done(data.not_done),
        counts(std::vector<int>{int(data.size()), 0}) {
    const SacOptions& o = agent.options;
    g.state_dim = int(data.s.rows()), g.action_dim = int(data.a.rows()), g.hidden = o.hidden[0], g.batch = batch;
    g.lr = o.lr, g.gamma = o.gamma, g.tau = o.tau, g.target_entropy = agent.target_entropy, g.seed = seed;
    g.s = s, g.a = a, g.r = r, g.s_next = s_next, g.not_done = not_done;
    g.filled = counts.data, g.updates = counts.data + 1;
    memory = DeviceArray<float>(lay_out(nullptr));
    lay_out(memory);
    const MLP* nets[] = {&agent.pi.net, &agent.Q[0], &agent.Q[1], &agent.Q_targ[0], &agent.Q_targ[1]};
    for (int net = 0; net < 5; ++net) upload_network(net, *nets[net]);
    upload(g.log_alpha, std::vector<float>{agent.log_alpha.value(0, 0), 0, 0}.data(), 3 * sizeof(float));
  }

  void update() {
    const dim3 now(ceil_div(g.batch, samples)), both(now.x, 2), four(now.x, 4);
    const std::size_t shared = sizeof(float) * samples * (g.width() + max(threads, g.width()));
    const int critic_tiles = g.tiles(Q1, 0) + g.tiles(Q1, 1) + g.tiles(Q1, 2);
    launch(policy_forward, both, threads, shared, g);
    launch(critic_forward, four, threads, shared, g, false);
    launch(critic_backward, both, threads, shared, g);
    launch(step, dim3(critic_tiles, 2), 256, 0, g, false);
    launch(critic_forward, both, threads, shared, g, true);
    launch(action_gradient, both, threads, shared, g);
    launch(policy_backward, now, threads, shared, g);
    launch(step, g.tiles(pi, 0) + g.tiles(pi, 1) + g.tiles(pi, 2) + 1, 256, 0, g, true);
  }

  // What lies at `from` in the order of params(net): W1, b1, W2, b2, W3, b3.
  std::vector<Mat> matrices(int net, const float* from) const {
    std::vector<Mat> all;
    for (int l = 0; l < 3; ++l) {
      const Layer f = g.layer(net, l);
      Mat W(f.out, f.in), b(f.out, 1);
      download(W.data(), from + f.at, W.size() * sizeof(float));
      download(b.data(), from + f.at + W.size(), b.size() * sizeof(float));
      all.push_back(W), all.push_back(b);
    }
    return all;
  }

 private:
  // The addresses of everything from `base` on; returns how many floats there are.
  std::size_t lay_out(float* base) {
    std::size_t used = 0;
    const auto take = [&](float*& p, std::size_t n) { p = base ? base + used : nullptr, used += (n + 3) / 4 * 4; };
    const std::size_t n = g.batch, H = g.hidden, A = g.action_dim;
    for (float** p : {&g.sa, &g.sa_pi, &g.sa_next}) take(*p, n * g.sa_dim());
    for (float** p : {&g.reward, &g.alive, &g.y, &g.logp, &g.logp_next, &g.q_pi[0], &g.q_pi[1]}) take(*p, n);
    for (float** p : {&g.xi, &g.da[0], &g.da[1]}) take(*p, n * A);
    take(g.log_alpha, 3), take(g.numbers, 4);
    for (int net = 0; net < 5; ++net) {
      take(g.theta[net], g.size(net)), take(g.out[net], n * g.layer(net, 2).out);
      if (net > Q2) continue;
      take(g.m[net], g.size(net)), take(g.v[net], g.size(net)), take(g.W2_back[net], H * H);
      for (float** p : {&g.h1[net], &g.h2[net], &g.d1[net], &g.d2[net]}) take(*p, n * H);
      take(g.d_out[net], n * g.layer(net, 2).out);
    }
    return used;
  }

  void upload_network(int net, const MLP& from) {
    for (int l = 0; l < 3; ++l) {
      const Mat &W = from.layers[l].W.value, &b = from.layers[l].b.value;
      float* to = g.theta[net] + g.layer(net, l).at;
      upload(to, W.data(), W.size() * sizeof(float));
      upload(to + W.size(), b.data(), b.size() * sizeof(float));
    }
    if (net > Q2) return;
    const Mat W2_back = from.layers[1].W.value.transpose();
    upload(g.W2_back[net], W2_back.data(), W2_back.size() * sizeof(float));
    device_fill(g.m[net], 0, g.size(net) * sizeof(float));
    device_fill(g.v[net], 0, g.size(net) * sizeof(float));
  }
};

// ---- Checks ----

struct SacSizes {
  int state_dim, action_dim, hidden, batch, updates, threads;
};

Batch random_batch(const SacSizes& z, int n, Rng& rng) {
  Batch b{rng.normal(z.state_dim, n), rng.uniform(z.action_dim, n, -1, 1), rng.normal(1, n), rng.normal(z.state_dim, n),
          rng.uniform(1, n, 0, 1)};
  b.not_done = (b.not_done > 0.2f).cast<Real>();
  return b;
}

// The agent's batch and noise in update number i, as the device draws them.
SacNumbers same_update_on_cpu(Sac& agent, const Batch& data, const Agent& g, int i) {
  Batch b{Mat(g.state_dim, g.batch), Mat(g.action_dim, g.batch), Mat(1, g.batch), Mat(g.state_dim, g.batch),
          Mat(1, g.batch)};
  for (int n = 0; n < g.batch; ++n) {
    const int from = draw_column(g.seed, std::uint64_t(i) * streams + of_batch, n, int(data.size()));
    b.s.col(n) = data.s.col(from), b.a.col(n) = data.a.col(from), b.r.col(n) = data.r.col(from);
    b.s_next.col(n) = data.s_next.col(from), b.not_done.col(n) = data.not_done.col(from);
  }
  Mat xi(g.action_dim, g.batch), xi_next = xi;
  for (int k = 0; k < xi.size(); ++k) {
    xi(k) = normal_at(g.seed, std::uint64_t(i) * streams + of_now, k);
    xi_next(k) = normal_at(g.seed, std::uint64_t(i) * streams + of_next, k);
  }
  return update_on_cpu(agent, b, xi_next, xi);
}

double worst_error(const std::vector<Mat>& x, const std::vector<Mat>& ref) {
  double worst = 0;
  for (std::size_t i = 0; i < ref.size(); ++i) worst = std::max(worst, error_of(x[i], ref[i]));
  return worst;
}

// The largest distance from x to ref in units of the longest way that Adam goes in so many updates.
double distance(const std::vector<Mat>& x, const std::vector<Param*>& ref, double lr, int updates) {
  double worst = 0;
  for (std::size_t i = 0; i < ref.size(); ++i)
    worst = std::max(worst, error_of(x[i], ref[i]->value) * ref[i]->value.abs().maxCoeff());
  return worst / (lr * updates);
}

// The first update: its numbers and Adam's moments, m = (1 - beta1) gradient. After more of them, in a graph, how far
// the parameters are apart: not nothing, as Adam's step has a size even where the gradient is 0 but for rounding.
std::vector<Checked> check_sac(const SacSizes& z) {
  Rng rng(11);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {z.hidden, z.hidden}, .tau = 0.3f, .alpha = 0.3f}, rng);
  for (Param* p : params(agent.pi, agent.Q[0], agent.Q[1], agent.Q_targ[0], agent.Q_targ[1]))
    if (p->value.cols() == 1) p->value = 0.1f * rng.normal(p->value.rows(), 1);  // biases: 0 would hide mistakes
  agent.pi.net.layers.back().b.value(z.action_dim, 0) = 3;                       // one deviation lies at its bound
  const Batch data = random_batch(z, 2 * z.batch + 1, rng);
  SacOnDevice device(agent, data, z.batch, 7, z.threads);
  const Agent& g = device.g;
  std::vector<Checked> checks;
  const auto compare = [&](const std::string& what, const std::vector<Mat>& x, const std::vector<Mat>& ref,
                           double bound) { checks.push_back({what, worst_error(x, ref), bound}); };
  const auto number = [](float x) { return std::vector<Mat>{Mat::Constant(1, 1, x)}; };

  device.update();
  const SacNumbers ref = same_update_on_cpu(agent, data, g, 0);
  float numbers[4];
  download(numbers, g.numbers, sizeof numbers);
  compare("loss of the critics", number(numbers[0]), number(ref.Q_loss), pass_bound);
  compare("min Q of the policy's actions", number(numbers[1]), number(ref.Q), pass_bound);
  compare("entropy", number(numbers[2]), number(ref.entropy), pass_bound);
  const Adam* opt[] = {&agent.pi_opt, &agent.Q_opt[0], &agent.Q_opt[1]};
  const std::string names[] = {"policy", "first critic", "second critic", "first lagged", "second lagged"};
  for (int net = 0; net < 3; ++net) {
    compare(names[net] + ": Adam's m", device.matrices(net, g.m[net]), opt[net]->m, pass_bound);
    compare(names[net] + ": Adam's v", device.matrices(net, g.v[net]), opt[net]->v, pass_bound);
  }

  Graph graph([&] {
    for (int i = 1; i < z.updates; ++i) device.update();
  });
  graph.run();
  for (int i = 1; i < z.updates; ++i) same_update_on_cpu(agent, data, g, i);
  MLP* nets[] = {&agent.pi.net, &agent.Q[0], &agent.Q[1], &agent.Q_targ[0], &agent.Q_targ[1]};
  for (int net = 0; net < 5; ++net)
    checks.push_back({names[net] + ": distance after all updates",
                      distance(device.matrices(net, g.theta[net]), params(*nets[net]), g.lr, z.updates), 0.3});
  float log_alpha[3];
  download(log_alpha, g.log_alpha, sizeof log_alpha);
  compare("log alpha at the end", number(log_alpha[0]), number(agent.log_alpha.value(0, 0)), pass_bound);
  return checks;
}

}  // namespace

#ifdef __CUDACC__

// Multiplications and additions of an update's matrix products: each network's weights, twice for every way through.
double flop(const Agent& g) {
  const double head = double(g.hidden) * 2 * g.action_dim, middle = double(g.hidden) * g.hidden;
  const double first_pi = double(g.hidden) * g.state_dim, first_Q = double(g.hidden) * g.sa_dim();
  const double policy = 3 * first_pi + 4 * middle + 4 * head;            // s and s' forward, dW, dx
  const double critics = 2 * (4 * first_Q + 6 * middle + 6 * g.hidden);  // three times forward, dW, twice dx
  return 2 * g.batch * (policy + critics);
}

int main() {
  Device device;
  if (!find_device(device)) return 0;
  if (!report(check_sac({17, 6, 256, 256, 5, 512})) || !report(check_sac({5, 2, 60, 37, 5, 128}))) return 1;

  const SacSizes z{17, 6, 256, 256, 0, 512};
  Rng rng(1);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {z.hidden, z.hidden}}, rng);
  const Batch data = random_batch(z, 100000, rng);
  constexpr int per_graph = 40;
  for (int threads : {256, 512, 1024}) {
    SacOnDevice sac(agent, data, z.batch, 1, threads);
    Graph graph([&] {
      for (int i = 0; i < per_graph; ++i) sac.update();
    });
    const float alone = median_ms([&] { sac.update(); }), in_graph = median_ms([&] { graph.run(); }, 21, 1) / per_graph;
    print_time(device, "update, " + std::to_string(threads) + " threads a block", alone, flop(sac.g), 0);
    print_time(device, "  in a graph of " + std::to_string(per_graph), in_graph, flop(sac.g), 0);
  }

  SacOnDevice sac(agent, data, z.batch, 1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < per_graph; ++i) same_update_on_cpu(agent, data, sac.g, i);
  const std::chrono::duration<double, std::milli> cpu = std::chrono::steady_clock::now() - begin;
  print_time(device, "CPU, Eigen", cpu.count() / per_graph, flop(sac.g), 0);
}
#endif

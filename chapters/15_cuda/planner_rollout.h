// The returns of all plans in the learned model: P particles of each of N plans, T steps of the ensemble, in one
// kernel. Trajectory j = p N + n is particle p of plan n and stays with member j / (N P / members), as TSinf of
// chapter 04.
//
//   1  rollout_of_a_thread   a thread carries a trajectory; every weight is fetched for every trajectory
//   2  rollout_of_a_column   a block carries 16 trajectories, a thread computes one unit of them all
//   3  rollout_of_a_tile     a block carries a tile of them, a thread 8 units of 8 trajectories
//
// Read 1 first. The counting behind 3, at 500 plans, 20 particles, T = 30, 200x4: a step is 10000 x 132000
// multiply-adds, an action of five iterations 396 GFLOP. 12 ms for it are 33 TFLOP/s.
// - From the L2 cache, where the 2.6 MB of five members stay: a weight of 4 bytes serves a tile of 80 trajectories, 160
//   FLOP, so 33 TFLOP/s want 0.8 TB/s. A warp of version 1 has 32 trajectories to a weight, and waits for each.
// - From shared memory: 8 + 8 numbers, four float4, serve 64 multiply-adds of a thread. A block's 8 warps compute for
//   8 x 64 / 4 = 128 clocks on a processor's four schedulers, and at 128 bytes a clock would read for 8 x 4 x 512 / 128
//   = 128: just as long. But the lanes of a warp lie in a rectangle and ask for the same numbers many times over, which
//   are read once: two neighbours have the same units, the next but one the same trajectories.
// - 64 sums and 16 factors in registers, in a loop of 594 instructions (sm_90) of which 512 multiply and add: 86 %.
// - 125 blocks of 80 trajectories are one round on 132 processors; 250 of their 256 threads have 8 x 8 of 200 x 80.
#pragma once
#include "chapters/15_cuda/planner_trajectories.h"
#ifdef __CUDACC__
#include <cuda_pipeline_primitives.h>
#else  // copies to shared memory that are done when they are asked for
inline void __pipeline_memcpy_async(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
inline void __pipeline_commit() {}
inline void __pipeline_wait_prior(std::size_t) {}
#endif

// ---- 1. One thread, one trajectory ----

// y = W x + b of layer l, or swish of it, for one trajectory.
__device__ inline void layer_of_a_thread(const PackedModel& f, const float* W, const float* bias, int l, const float* x,
                                         float* y) {
  const int in = f.width[l], out = f.width[l + 1];
  for (int o = 0; o < out; ++o) {
    float sum = bias[o];
    for (int k = 0; k < in; ++k) sum += W[k * out + o] * x[k];
    y[o] = l + 1 < f.layers ? swish_of(sum) : sum;
  }
}

template <class Task> __global__ void rollout_of_a_thread(Rollout r) {
  const int j = blockIdx.x * blockDim.x + threadIdx.x;
  if (!r.state->active || j >= r.N * r.P) return;
  const float* const member = r.f.member(j / r.bound());
  float x[max_width], y[max_width], s[Task::state_dim], s_next[Task::state_dim], sum = 0;
  for (int i = 0; i < Task::state_dim; ++i) s[i] = r.s[i];
  bool ended = false;
  for (int t = 0; t < r.T && !ended; ++t) {  // nothing after a terminal state
    const Column a = action<Task>(r, j, t);
    for (int i = 0; i < r.f.width[0]; ++i) x[i] = network_input<Task>(r.f, member, s, a, i);
    const float *W = member, *bias = member + r.f.biases;
    for (int l = 0; l < r.f.layers; ++l) {
      layer_of_a_thread(r.f, W, bias, l, x, y);
      for (int i = 0; i < r.f.width[l + 1]; ++i) x[i] = y[i];
      W += r.f.width[l] * r.f.width[l + 1], bias += r.f.width[l + 1];
    }
    for (int i = 0; i < Task::state_dim; ++i)
      s_next[i] = next_state<Task>(r.f, member, s[i], x[i], x[Task::state_dim + i],
                                   noise<Task>(r, j, t, i / 4).v[i % 4], i);
    sum += Task::reward(s, a, s_next);
    ended = Task::terminated(s_next);
    for (int i = 0; i < Task::state_dim; ++i) s[i] = s_next[i];
  }
  r.sums[j] = sum;
}

// ---- 2. A block carries 16 trajectories ----

constexpr int few = 16;

template <class Task> __global__ void __launch_bounds__(max_width) rollout_of_a_column(Rollout r) {
  if (!r.state->active) return;
  Trajectories<Task> tile(r, shared_memory<float>(), few);
  for (int t = 0; t < r.T; ++t) {
    tile.begin_step(t);
    const float *W = tile.member, *bias = tile.member + r.f.biases;
    for (int l = 0; l < r.f.layers; ++l) {
      const int in = r.f.width[l], out = r.f.width[l + 1], o = threadIdx.x;
      float sum[few] = {};
      for (int k = 0; o < out && k < in; ++k) {
        const float w = W[k * out + o];  // used 16 times
        UNROLL for (int c = 0; c < few; ++c) sum[c] += w * tile.x[k * tile.pitch + c];
      }
      __syncthreads();  // all have read x
      for (int c = 0; o < out && c < few; ++c)
        tile.x[o * tile.pitch + c] = l + 1 < r.f.layers ? swish_of(sum[c] + bias[o]) : sum[c] + bias[o];
      __syncthreads();
      W += in * out, bias += out;
    }
    tile.end_step(t);
  }
  tile.write_return();
}

// ---- 3. Products in registers, weights streamed through shared memory ----

// The weights of a member, a few rows at a time and over and over again, through two buffers: one is read while the
// next rows arrive in the other.
struct WeightStream {
  const PackedModel& f;
  const float* member;
  float* buffers;
  int rows, turn = 0, layer = 0, row = 0, at = 0;  // rows of a slice; the buffer, layer, row and place to fetch next

  __device__ void fetch() {
    const int size = min(rows, f.width[layer] - row) * f.width[layer + 1];
    float* const to = buffers + turn * rows * f.widest;
    for (int i = 4 * threadIdx.x; i < size; i += 4 * blockDim.x)
      __pipeline_memcpy_async(to + i, member + at + i, sizeof(float4));
    __pipeline_commit();
    turn ^= 1, at += size, row += rows;
    if (row >= f.width[layer]) row = 0, ++layer;
    if (layer == f.layers) layer = 0, at = 0;
  }
  // The rows that were fetched last. After the barrier all threads' copies are there, and nobody reads the other
  // buffer any more.
  __device__ const float* take() {
    __pipeline_wait_prior(0);
    __syncthreads();
    const float* const ready = buffers + (turn ^ 1) * rows * f.widest;
    fetch();
    return ready;
  }
};

// n numbers, four from each of n / 4 places that are `apart`.
template <int n> __device__ __forceinline__ void read(float (&v)[n], const float* from, int apart) {
  UNROLL for (int i = 0; i < n / 4; ++i) {
    const float4 four = *reinterpret_cast<const float4*>(from + i * apart);
    v[4 * i] = four.x, v[4 * i + 1] = four.y, v[4 * i + 2] = four.z, v[4 * i + 3] = four.w;
  }
}

// A thread's part of a layer: n units by n trajectories, in fours: units u, ..., u + 3 and as many half of the layer
// further, so that a warp's float4 lie side by side; trajectories c, ..., c + 3 likewise.
template <int n> struct Part {
  int out, columns, pitch, u, c;
  bool mine;

  __device__ Part(int out, int columns, int pitch) : out(out), columns(columns), pitch(pitch) {
    const int height = out / n, width = columns / n, pair = width % 2 == 0 ? 2 : 1, t = threadIdx.x;
    mine = t < height * width;
    u = 4 * (t / pair % height), c = 4 * (t % pair + t / (pair * height) * pair);  // two by two in a square
  }
  __device__ __forceinline__ void add(float (&sum)[n][n], const float* W, const float* x, int K) const {
    for (int k = 0; k < K; k += 8)
      UNROLL for (int i = 0; i < 8; ++i) {
        float w[n], v[n];
        read(w, W + (k + i) * out + u, out / 2);
        read(v, x + (k + i) * pitch + c, columns / 2);
        UNROLL for (int a = 0; a < n; ++a)
          UNROLL for (int b = 0; b < n; ++b) sum[a][b] += w[a] * v[b];
      }
  }
  // x <- sum + bias, or swish of it
  __device__ __forceinline__ void write(float (&sum)[n][n], const float* bias, float* x, bool hidden) const {
    UNROLL for (int a = 0; a < n; ++a) {
      const int unit = u + a % 4 + a / 4 * (out / 2);
      const float b = bias[unit];
      UNROLL for (int i = 0; i < n; ++i) sum[a][i] += b;
      if (hidden)
        UNROLL for (int i = 0; i < n; ++i) sum[a][i] = swish_of(sum[a][i]);
      UNROLL for (int i = 0; i < n; i += 4)
        *reinterpret_cast<float4*>(x + unit * pitch + c + i / 4 * (columns / 2)) =
            make_float4(sum[a][i], sum[a][i + 1], sum[a][i + 2], sum[a][i + 3]);
    }
  }
};

template <int n, class Task>
__device__ __forceinline__ void layer_of_a_tile(Trajectories<Task>& tile, WeightStream& weights, int l,
                                                const float* bias) {
  const PackedModel& f = tile.r.f;
  const Part<n> part(f.width[l + 1], tile.columns, tile.pitch);
  float sum[n][n] = {};
  for (int k = 0; k < f.width[l]; k += weights.rows) {
    const float* const W = weights.take();
    if (part.mine) part.add(sum, W, tile.x + k * tile.pitch, min(weights.rows, f.width[l] - k));
  }
  __syncthreads();  // all have read x
  if (part.mine) part.write(sum, bias, tile.x, l + 1 < f.layers);
}

constexpr int most_threads = 384;  // at most 168 registers each

template <class Task>
__global__ void __launch_bounds__(most_threads) rollout_of_a_tile(Rollout r, int columns, int rows) {
  if (!r.state->active) return;
  float* const memory = shared_memory<float>();
  Trajectories<Task> tile(r, memory, columns);
  WeightStream weights{r.f, tile.member, memory + Trajectories<Task>::floats(r.f, columns), rows};
  weights.fetch();
  for (int t = 0; t < r.T; ++t) {
    tile.begin_step(t);
    const float* bias = tile.member + r.f.biases;
    for (int l = 0; l < r.f.layers; ++l) {
      const int out = r.f.width[l + 1];
      // A narrow layer, such as the head, is cut finer, so that more of the threads have something to do.
      if (out / 4 * (columns / 4) <= int(blockDim.x)) layer_of_a_tile<4>(tile, weights, l, bias);
      else layer_of_a_tile<8>(tile, weights, l, bias);
      bias += out;
    }
    __syncthreads();
    tile.end_step(t);
  }
  tile.write_return();
  __pipeline_wait_prior(0);
}

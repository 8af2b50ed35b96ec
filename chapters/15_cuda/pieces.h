// What the kernels of several files compute: the functions of a Gaussian head, a step of Adam, a sum over a block.
#pragma once
#include "chapters/15_cuda/cuda.h"

HOST_DEVICE inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }
// log(1 + exp(x)), written so that neither end overflows
HOST_DEVICE inline float softplus(float x) { return fmaxf(x, 0) + log1pf(expf(-fabsf(x))); }

// Softly between least and most: chapter 04's bounds of the log-variance.
HOST_DEVICE inline float bounded_log_var(float raw, float least, float most) {
  const float below = most - softplus(most - raw);
  return least + softplus(below - least);
}

// A layer among a network's parameters.
struct LayerPlace {
  int in, out;  // W (out, in) and behind it b (out): together they are a matrix (out, in + 1)
  int at;       // where it begins
};

// Number t (from 1 on) for one parameter.
struct AdamStep {
  float lr, m_scale, v_scale;
  __device__ AdamStep(float lr, int t)
      : lr(lr), m_scale(-1 / expm1f(t * log1pf(-0.1f))), v_scale(-1 / expm1f(t * log1pf(-0.001f))) {}
  __device__ void operator()(float& theta, float& m, float& v, float grad) const {
    m = 0.9f * m + (1 - 0.9f) * grad;
    v = 0.999f * v + (1 - 0.999f) * grad * grad;
    theta -= lr * (m * m_scale) / (sqrtf(v * v_scale) + 1e-8f);
  }
};

// op over the threads' x, in a fixed order, known to all threads; there are a power of two of them, at most 1024.
template <class Op> __device__ float over_block(float x, const Op& op) {
  __shared__ float place[1024];
  place[threadIdx.x] = x;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (int(threadIdx.x) < half) place[threadIdx.x] = op(place[threadIdx.x], place[threadIdx.x + half]);
    __syncthreads();
  }
  const float all = place[0];
  __syncthreads();  // all have read before the next one writes
  return all;
}
__device__ inline float block_sum(float x) {
  return over_block(x, [](float a, float b) { return a + b; });
}
__device__ inline float block_max(float x) {
  return over_block(x, [](float a, float b) { return fmaxf(a, b); });
}

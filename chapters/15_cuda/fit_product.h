// The matrix product inside the kernels of the ensemble's training, naive and tiled. What becomes of a sum is the
// caller's: done(i, j, sum).
#pragma once
#include "chapters/15_cuda/cuda.h"

namespace fit_kernels {

// One factor of a product: element k of row r of the sum. In memory its rows are neighbours, or its elements k.
template <bool rows_adjoin> struct Factor {
  static constexpr bool rows_are_neighbours = rows_adjoin;
  const float* at;
  int step;  // in the other direction
  __device__ float operator()(int r, int k) const { return rows_adjoin ? at[k * step + r] : at[r * step + k]; }
};
using Rows = Factor<true>;
using Sums = Factor<false>;

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

}  // namespace fit_kernels

// The fast matrix product, version 3 of affine.cu, as a function that other kernels call too. A block of 256 threads
// computes a square tile of C = op(A) op(B); each thread keeps R x R sums in registers, so that a number read from
// shared memory serves R multiply-adds. R = 8: tiles of 128 x 128; R = 4: 64 x 64, for matrices that are small.
#pragma once
#include "chapters/15_cuda/cuda.h"

enum class Act { identity, relu, swish, tanh };

HOST_DEVICE inline float act(Act f, float z) {
  switch (f) {
    case Act::relu: return z < 0 ? 0 : z;  // NaN stays NaN
    case Act::swish: return z / (1 + expf(-z));
    case Act::tanh: return tanhf(z);
    default: return z;
  }
}
// d act(z) / dz
HOST_DEVICE inline float act_slope(Act f, float z) {
  switch (f) {
    case Act::relu: return z > 0 ? 1 : 0;
    case Act::swish: {
      const float s = 1 / (1 + expf(-z));
      return s * (1 + z * (1 - s));
    }
    case Act::tanh: return 1 - tanhf(z) * tanhf(z);
    default: return 1;
  }
}

// One side of a product as kernels see it: element (i, j) of the stored matrix p (rows, cols) or of its transpose.
// Outside it is 0, so that tiles may stick out over an edge.
template <bool transposed> struct Side {
  static constexpr bool down = !transposed;  // are (i, j) and (i + 1, j) neighbours in memory?
  const float* p;
  int rows, cols;
  HOST_DEVICE float operator()(int i, int j) const {
    const int r = transposed ? j : i, c = transposed ? i : j;
    return r < rows && c < cols ? p[c * rows + r] : 0;
  }
};

// dz = dy act'(z), (rows, cols), or its transpose, computed where it is read: no kernel, no matrix of its own.
template <bool transposed> struct DeltaSide {
  static constexpr bool down = !transposed;
  const float *dy, *z;
  int rows, cols;
  Act f;
  HOST_DEVICE float operator()(int i, int j) const {
    const int r = transposed ? j : i, c = transposed ? i : j;
    return r < rows && c < cols ? dy[c * rows + r] * act_slope(f, z[c * rows + r]) : 0;
  }
};

template <int R> struct Blocked {
  static_assert(R % 4 == 0);
  static constexpr int tile = 16 * R, depth = 8, threads = 256, loads = tile * depth / threads;

  // Two tiles of each side: while one is multiplied, the next is fetched. Stored by depth, with four columns too many:
  // else the threads that write a column would all hit one memory bank.
  struct Tiles {
    float a[2][depth][tile + 4], b[2][depth][tile + 4];
  };

  // Which element of a tile a thread fetches l-th: i along the tile, k along the depth. Threads that are neighbours
  // fetch neighbours in memory, so that a warp's 32 reads become few.
  template <bool along_tile> __device__ static void place(int l, int& i, int& k) {
    const int e = threadIdx.x + l * threads;
    i = along_tile ? e % tile : e / depth;
    k = along_tile ? e / tile : e % depth;
  }

  // store(i, j, sum) for the elements of C (M, N) in the tile whose first is (m0, n0). K is the inner dimension. After
  // fetched(tiles, buffer), if given, a tile of A has been put into shared memory.
  template <class A, class B, class Store, class Fetched>
  __device__ static void product(Tiles& t, const A& a, const B& b, int M, int N, int K, int m0, int n0,
                                 const Store& store, Fetched& fetched) {
    float sum[R][R] = {}, a_next[loads], b_next[loads];
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    fetch(a, b, m0, n0, 0, a_next, b_next);
    put<A, B>(t, 0, a_next, b_next);
    __syncthreads();
    for (int k0 = 0, buffer = 0; k0 < K; k0 += depth, buffer ^= 1) {
      if (k0 + depth < K) fetch(a, b, m0, n0, k0 + depth, a_next, b_next);
      multiply(t, buffer, tx, ty, sum);
      fetched(t.a[buffer]);
      if (k0 + depth < K) put<A, B>(t, buffer ^ 1, a_next, b_next);
      __syncthreads();
    }
    UNROLL
    for (int j = 0; j < R; ++j)
      UNROLL
      for (int i = 0; i < R; ++i) {
        const int m = m0 + position(tx, i), n = n0 + position(ty, j);
        if (m < M && n < N) store(m, n, sum[i][j]);
      }
  }

 private:
  // A thread's R rows: groups of four neighbours, 64 apart, so that 16 threads read 64 neighbours in a row.
  __device__ static int position(int t, int i) { return i / 4 * 64 + t * 4 + i % 4; }

  template <class A, class B>
  __device__ static void fetch(const A& a, const B& b, int m0, int n0, int k0, float (&a_next)[loads],
                               float (&b_next)[loads]) {
    UNROLL
    for (int l = 0; l < loads; ++l) {
      int i, k;
      place<A::down>(l, i, k);
      a_next[l] = a(m0 + i, k0 + k);
      place<!B::down>(l, i, k);
      b_next[l] = b(k0 + k, n0 + i);
    }
  }
  template <class A, class B>
  __device__ static void put(Tiles& t, int buffer, const float (&a_next)[loads], const float (&b_next)[loads]) {
    UNROLL
    for (int l = 0; l < loads; ++l) {
      int i, k;
      place<A::down>(l, i, k);
      t.a[buffer][k][i] = a_next[l];
      place<!B::down>(l, i, k);
      t.b[buffer][k][i] = b_next[l];
    }
  }

  __device__ static void multiply(const Tiles& t, int buffer, int tx, int ty, float (&sum)[R][R]) {
    UNROLL
    for (int k = 0; k < depth; ++k) {
      float a[R], b[R];
      UNROLL
      for (int g = 0; g < R; g += 4) {
        const float4 x = *reinterpret_cast<const float4*>(&t.a[buffer][k][position(tx, g)]);
        const float4 y = *reinterpret_cast<const float4*>(&t.b[buffer][k][position(ty, g)]);
        a[g] = x.x, a[g + 1] = x.y, a[g + 2] = x.z, a[g + 3] = x.w;
        b[g] = y.x, b[g + 1] = y.y, b[g + 2] = y.z, b[g + 3] = y.w;
      }
      UNROLL
      for (int i = 0; i < R; ++i)
        UNROLL
        for (int j = 0; j < R; ++j) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
    }
  }
};

struct Nothing {  // for `fetched`
  template <class Tile> __device__ void operator()(const Tile&) const {}
};

// Large tiles where there are enough of them to keep the processors busy.
inline bool large_tiles(int M, int N, int matrices = 1) {
  return ceil_div(M, 128) * ceil_div(N, 128) * matrices >= 100;
}

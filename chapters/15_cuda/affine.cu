// A layer y = act(W x + b), forward and backward: the product that all networks of the lecture are made of, in three
// versions. Read them in order; each is checked against the CPU, then timed. Layout as everywhere: one sample per
// column, element (i, j) of a matrix with `rows` rows is p[j * rows + i].
//
//   make 15_cuda_affine && build/15_cuda_affine     compiled with CUDA 13.0 for 7.5 to 10.0; not yet run on a device
#include "chapters/15_cuda/blocked.h"
#include "autodiff/rng.h"
#ifdef HAVE_CUBLAS
#include <cublas_v2.h>
#endif

namespace {

// ---- CPU reference ----

struct Layer {
  Mat W, b, x, z, y;    // (out, in), (out, 1), (in, batch), (out, batch), (out, batch)
  Mat dy, dW, db, dx;   // gradients, of the same shapes
  Act f;

  // Random numbers in the place of weights, inputs and dy. The fan-in's root keeps z about as large as x.
  Layer(int out, int in, int batch, Act f, Rng& rng)
      : W(rng.uniform(out, in, -1, 1) / std::sqrt(Real(in))), b(rng.uniform(out, 1, -1, 1)),
        x(rng.normal(in, batch)), dy(rng.normal(out, batch)), f(f) {
    forward();
    backward();
  }

  // y = act(W x + b)
  void forward() {
    z = matmul(W, x);
    z.colwise() += b.col(0);
    y = z.unaryExpr([this](Real v) { return act(f, v); });
  }
  // dz = dy act'(z)   dW = dz x^T   db = dz 1   dx = W^T dz
  void backward() {
    const Mat dz = dy * z.unaryExpr([this](Real v) { return act_slope(f, v); });
    dW = matmul(dz, x.transpose());
    db = dz.rowwise().sum();
    dx = matmul(W.transpose(), dz);
  }
};

// The same on the device; what is computed is poisoned at first.
struct DeviceLayer {
  DeviceArray<float> W, b, x, z, y, dy, dz, dW, db, dx;
  int out, in, batch;
  Act f;

  explicit DeviceLayer(const Layer& l)
      : W(l.W), b(l.b), x(l.x), z(l.y.size()), y(l.y.size()), dy(l.dy), dz(l.y.size()), dW(l.W.size()), db(l.b.size()),
        dx(l.x.size()), out(int(l.W.rows())), in(int(l.W.cols())), batch(int(l.x.cols())), f(l.f) {}
};

// ---- What versions 1 and 2 have in common: everything but the product is a kernel of its own ----

// y = act(z + b); z + b stays in z for the way back.
__global__ void bias_and_act(float* z, const float* b, float* y, int out, int size, Act f) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= size) return;
  z[i] += b[i % out];
  y[i] = act(f, z[i]);
}

// dz = dy act'(z)
__global__ void delta(const float* dy, const float* z, float* dz, int size, Act f) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < size) dz[i] = dy[i] * act_slope(f, z[i]);
}

// db = dz 1. A block of (32, 8) threads sums 32 rows: a warp reads 32 neighbours, and 8 columns go on at a time.
__global__ void row_sums(const float* dz, float* db, int rows, int cols) {
  __shared__ float part[8][32];
  const int i = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  if (i < rows)
    for (int j = threadIdx.y; j < cols; j += 8) sum += dz[j * rows + i];
  part[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || i >= rows) return;
  for (int t = 1; t < 8; ++t) sum += part[t][threadIdx.x];
  db[i] = sum;
}

// ---- Version 1: a thread for each element of C = op(A) op(B), which reads all it needs from the device's memory ----

template <class A, class B> __global__ void naive_product(A a, B b, float* c, int M, int N, int K) {
  const int m = blockIdx.x * blockDim.x + threadIdx.x, n = blockIdx.y * blockDim.y + threadIdx.y;
  if (m >= M || n >= N) return;
  float sum = 0;
  for (int k = 0; k < K; ++k) sum += a(m, k) * b(k, n);
  c[n * M + m] = sum;
}

// ---- Version 2: a block fetches tiles of A and B into shared memory; each number then serves 16 threads ----

template <class A, class B> __global__ void tiled_product(A a, B b, float* c, int M, int N, int K) {
  __shared__ float a_tile[16][17], b_tile[16][17];  // 17: columns of a tile lie in different memory banks
  const int tx = threadIdx.x, ty = threadIdx.y, m0 = blockIdx.x * 16, n0 = blockIdx.y * 16;
  float sum = 0;
  for (int k0 = 0; k0 < K; k0 += 16) {
    // Neighbouring threads (tx) fetch neighbours in memory, whichever way the matrix lies.
    if (A::down) a_tile[ty][tx] = a(m0 + tx, k0 + ty);
    else a_tile[tx][ty] = a(m0 + ty, k0 + tx);
    if (B::down) b_tile[tx][ty] = b(k0 + tx, n0 + ty);
    else b_tile[ty][tx] = b(k0 + ty, n0 + tx);
    __syncthreads();  // the tiles are complete
    UNROLL
    for (int k = 0; k < 16; ++k) sum += a_tile[k][tx] * b_tile[k][ty];
    __syncthreads();  // nobody needs them any more
  }
  if (m0 + tx < M && n0 + ty < N) c[(n0 + ty) * M + m0 + tx] = sum;
}

// ---- Version 3: sums in registers (blocked.h), and what comes before and after in the same kernel ----

struct StoreProduct {
  float* c;
  int M;
  __device__ void operator()(int m, int n, float sum) const { c[n * M + m] = sum; }
};
struct StoreLayer {  // bias and activation while the sum is still in a register
  const float* b;
  float *z, *y;  // z is nullptr where there is no way back
  int M;
  Act f;
  __device__ void operator()(int m, int n, float sum) const {
    sum += b[m];
    if (z) z[n * M + m] = sum;
    y[n * M + m] = act(f, sum);
  }
};

template <int R, class A, class B, class Store>
__global__ void __launch_bounds__(256, 2) blocked_product(A a, B b, Store store, int M, int N, int K) {
  alignas(16) __shared__ typename Blocked<R>::Tiles tiles;
  Nothing nothing;
  Blocked<R>::product(tiles, a, b, M, N, K, blockIdx.x * 16 * R, blockIdx.y * 16 * R, store, nothing);
}

// The sums of dz's rows, from the tiles of dz that are in shared memory anyway.
template <int R> struct RowSum {
  float sum = 0;
  __device__ void operator()(const float (&tile)[Blocked<R>::depth][Blocked<R>::tile + 4]) {
    if (threadIdx.x < Blocked<R>::tile)
      for (int k = 0; k < Blocked<R>::depth; ++k) sum += tile[k][threadIdx.x];
  }
};
// dW = dz x^T, and db = dz 1 by the blocks that compute dW's first columns.
template <int R>
__global__ void __launch_bounds__(256, 2) blocked_dW(DeltaSide<false> dz, Side<true> x_T, StoreProduct dW, float* db,
                                                  int out, int in, int batch) {
  alignas(16) __shared__ typename Blocked<R>::Tiles tiles;
  const int m0 = blockIdx.x * 16 * R, m = m0 + threadIdx.x;
  if (blockIdx.y > 0) {
    Nothing nothing;
    return Blocked<R>::product(tiles, dz, x_T, out, in, batch, m0, blockIdx.y * 16 * R, dW, nothing);
  }
  RowSum<R> row;
  Blocked<R>::product(tiles, dz, x_T, out, in, batch, m0, 0, dW, row);
  if (threadIdx.x < Blocked<R>::tile && m < out) db[m] = row.sum;
}

// ---- Launchers ----

dim3 tiles_of(int M, int N, int tile) { return dim3(ceil_div(M, tile), ceil_div(N, tile)); }

struct Naive {
  static constexpr const char* name = "1 naive";
  template <class A, class B> static void product(A a, B b, float* c, int M, int N, int K) {
    launch(naive_product<A, B>, tiles_of(M, N, 16), dim3(16, 16), 0, a, b, c, M, N, K);
  }
};
struct Tiled {
  static constexpr const char* name = "2 tiled in shared memory";
  template <class A, class B> static void product(A a, B b, float* c, int M, int N, int K) {
    launch(tiled_product<A, B>, tiles_of(M, N, 16), dim3(16, 16), 0, a, b, c, M, N, K);
  }
};

// Forward and backward in separate kernels, with the product of version 1 or 2.
template <class Version> struct Separate : Version {
  static void forward(DeviceLayer& l) {
    const int size = l.out * l.batch;
    Version::product(Side<false>{l.W, l.out, l.in}, Side<false>{l.x, l.in, l.batch}, l.z, l.out, l.batch, l.in);
    launch(bias_and_act, ceil_div(size, 256), 256, 0, l.z, l.b, l.y, l.out, size, l.f);
  }
  static void backward(DeviceLayer& l) {
    const int size = l.out * l.batch;
    launch(delta, ceil_div(size, 256), 256, 0, l.dy, l.z, l.dz, size, l.f);
    Version::product(Side<false>{l.dz, l.out, l.batch}, Side<true>{l.x, l.in, l.batch}, l.dW, l.out, l.in, l.batch);
    launch(row_sums, ceil_div(l.out, 32), dim3(32, 8), 0, l.dz, l.db, l.out, l.batch);
    Version::product(Side<true>{l.W, l.out, l.in}, Side<false>{l.dz, l.out, l.batch}, l.dx, l.in, l.batch, l.out);
  }
};

// Version 3: one launch forward, two backward.
template <int R> struct Fused {
  static constexpr const char* name = R == 8 ? "3 fused, tiles of 128 x 128" : "3 fused, tiles of 64 x 64";
  template <class A, class B, class Store> static void run(A a, B b, Store store, int M, int N, int K) {
    launch(blocked_product<R, A, B, Store>, tiles_of(M, N, 16 * R), 256, 0, a, b, store, M, N, K);
  }
  template <class A, class B> static void product(A a, B b, float* c, int M, int N, int K) {
    run(a, b, StoreProduct{c, M}, M, N, K);
  }
  static void forward(DeviceLayer& l) {
    run(Side<false>{l.W, l.out, l.in}, Side<false>{l.x, l.in, l.batch}, StoreLayer{l.b, l.z, l.y, l.out, l.f}, l.out,
        l.batch, l.in);
  }
  static void backward(DeviceLayer& l) {
    launch(blocked_dW<R>, tiles_of(l.out, l.in, 16 * R), 256, 0, DeltaSide<false>{l.dy, l.z, l.out, l.batch, l.f},
           Side<true>{l.x, l.in, l.batch}, StoreProduct{l.dW, l.out}, l.db, l.out, l.in, l.batch);
    run(Side<true>{l.W, l.out, l.in}, DeltaSide<false>{l.dy, l.z, l.out, l.batch, l.f}, StoreProduct{l.dx, l.in}, l.in,
        l.batch, l.out);
  }
};

// ---- Checks ----

struct Size {
  int out, in, batch;
};

// W x, dy x^T and W^T dy alone, then the layer forward and backward, on fresh random inputs and poisoned outputs.
template <class Version> void check_version(const Size& s, Act f, Rng& rng, std::vector<Checked>& found) {
  Layer ref(s.out, s.in, s.batch, f, rng);
  const auto note = [&](const char* what, const DeviceArray<float>& x, const Mat& ref, double bound) {
    found.push_back({std::string(Version::name) + ", " + std::to_string(s.out) + " x " + std::to_string(s.in) + " x " +
                         std::to_string(s.batch) + ": " + what,
                     error_of(x.to_mat(ref.rows(), ref.cols()), ref), bound});
  };
  DeviceLayer l(ref);
  Version::product(Side<false>{l.W, s.out, s.in}, Side<false>{l.x, s.in, s.batch}, l.y, s.out, s.batch, s.in);
  note("W x", l.y, matmul(ref.W, ref.x), product_bound);
  Version::product(Side<false>{l.dy, s.out, s.batch}, Side<true>{l.x, s.in, s.batch}, l.dW, s.out, s.in, s.batch);
  note("dy x^T", l.dW, matmul(ref.dy, ref.x.transpose()), product_bound);
  Version::product(Side<true>{l.W, s.out, s.in}, Side<false>{l.dy, s.out, s.batch}, l.dx, s.in, s.batch, s.out);
  note("W^T dy", l.dx, matmul(ref.W.transpose(), ref.dy), product_bound);

  for (DeviceArray<float>* x : {&l.y, &l.dW, &l.dx}) x->poison();
  Version::forward(l);
  note("y", l.y, ref.y, pass_bound);
  note("z", l.z, ref.z, pass_bound);
  Version::backward(l);
  note("dW", l.dW, ref.dW, pass_bound);
  note("db", l.db, ref.db, pass_bound);
  note("dx", l.dx, ref.dx, pass_bound);
}

std::vector<Checked> check(const std::vector<Size>& sizes, std::uint64_t seed) {
  std::vector<Checked> found;
  Rng rng(seed);
  const Act acts[] = {Act::relu, Act::swish, Act::tanh, Act::identity};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    check_version<Separate<Naive>>(sizes[i], acts[i % 4], rng, found);
    check_version<Separate<Tiled>>(sizes[i], acts[i % 4], rng, found);
    check_version<Fused<4>>(sizes[i], acts[i % 4], rng, found);
    check_version<Fused<8>>(sizes[i], acts[i % 4], rng, found);
  }
  return found;
}

}  // namespace

#ifdef __CUDACC__
namespace {

// The product alone, forward and backward; flop and the least bytes that have to be moved.
template <class Version> void time_version(const Device& device, const Size& s, DeviceLayer& l) {
  const double product = 2.0 * s.out * s.in * s.batch;
  const double W = s.out * s.in, x = s.in * s.batch, y = s.out * s.batch;
  const std::string name = Version::name;
  print_time(device, name + ": product", median_ms([&] {
    Version::product(Side<false>{l.W, s.out, s.in}, Side<false>{l.x, s.in, s.batch}, l.y, s.out, s.batch, s.in);
  }), product, 4 * (W + x + y));
  print_time(device, name + ": forward", median_ms([&] { Version::forward(l); }), product, 4 * (W + x + 2 * y));
  print_time(device, name + ": backward", median_ms([&] { Version::backward(l); }), 2 * product,
             4 * (2 * W + 2 * x + 2 * y));
}

void time_cublas(const Device& device, const Size& s, DeviceLayer& l) {
#ifdef HAVE_CUBLAS
  cublasHandle_t handle;
  if (cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS) return;
  cublasSetStream(handle, stream);
  const float one = 1, zero = 0;
  print_time(device, "cuBLAS: product", median_ms([&] {
    cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, s.out, s.batch, s.in, &one, l.W, s.out, l.x, s.in, &zero, l.y, s.out);
  }), 2.0 * s.out * s.in * s.batch, 4.0 * (s.out * s.in + s.in * s.batch + s.out * s.batch));
  cublasDestroy(handle);
#else
  (void)device, (void)s, (void)l;
#endif
}

}  // namespace

int main() {
  Device device;
  if (!find_device(device)) return 0;
  if (!report(check({{1, 1, 1}, {33, 17, 65}, {200, 24, 130}, {129, 257, 63}, {512, 301, 999}}, 100))) return 1;
  Rng rng(100);
  for (const Size& s : std::vector<Size>{{256, 256, 256}, {200, 200, 2048}, {1024, 1024, 4096}}) {
    std::printf("\n%d outputs, %d inputs, batch %d\n", s.out, s.in, s.batch);
    DeviceLayer l(Layer(s.out, s.in, s.batch, Act::relu, rng));
    time_version<Separate<Naive>>(device, s, l);
    time_version<Separate<Tiled>>(device, s, l);
    time_version<Fused<4>>(device, s, l);
    time_version<Fused<8>>(device, s, l);
    time_cublas(device, s, l);
  }
}
#endif

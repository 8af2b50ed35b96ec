// All members of a probabilistic ensemble at once: prediction and sampling, as trajectory sampling (TSinf) needs it in
// every step. Three versions: a launch for each member and layer; one for each layer; one in all. The noise comes from
// Philox, so that the CPU draws the same. CPU reference: Network in network.h.
//
//   make 15_cuda_ensemble && build/15_cuda_ensemble   compiled with CUDA 13.0 for 7.5 to 10.0; not yet run on a device
#include <cassert>
#include "chapters/15_cuda/network.h"

namespace {

// xi (out, batch) of a member: stream = member, position = place in the matrix.
Mat noise(std::uint64_t seed, int member, int out, int batch) {
  Mat xi(out, batch);
  for (int i = 0; i < int(xi.size()); ++i) xi.data()[i] = normal_at(seed, member, i);
  return xi;
}

// What every kernel gets. x (in, members batch): the columns of member m are m batch, ..., m batch + batch - 1. So in
// mu, log_var, y (out, members batch).
struct Task {
  Shape shape;
  const float *numbers, *x;
  float *mu, *log_var, *y;
  int batch;
  std::uint64_t seed;
};

// The d-th output for column j of member m, from the last layer's numbers for it.
__device__ void finish(const Task& t, int m, int j, int d, float mu, float log_var) {
  const int out = t.shape.out(), at = (m * t.batch + j) * out + d;
  gaussian_head(t.numbers + m * t.shape.numbers() + t.shape.bounds_at(), out, d, mu, log_var);
  t.mu[at] = mu, t.log_var[at] = log_var;
  t.y[at] = mu + expf(log_var / 2) * normal_at(t.seed, m, j * out + d);
}

// ---- Version 1: a thread for each number, a launch for each member and layer ----

__global__ void standardise(const __grid_constant__ Task t, int m, float* h) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, in = t.shape.in();
  const float *mean = t.numbers + m * t.shape.numbers(), *std = mean + in;
  if (i < in * t.batch) h[i] = (t.x[m * in * t.batch + i] - mean[i % in]) / std[i % in];
}
__global__ void naive_layer(const float* W, const float* h, float* y, int out, int in, Act f) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y;
  if (i >= out) return;
  float sum = W[out * in + i];  // b stands behind W
  for (int k = 0; k < in; ++k) sum += W[k * out + i] * h[j * in + k];
  y[j * out + i] = act(f, sum);
}
__global__ void naive_head(const __grid_constant__ Task t, int m, const float* h) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, out = t.shape.out(), j = i / out, d = i % out;
  if (j < t.batch) finish(t, m, j, d, h[j * 2 * out + d], h[j * 2 * out + out + d]);
}

// ---- Version 2: the blocks of all members in one launch, blockIdx.z is the member ----

// The input, standardised where it is read.
struct Standardised {
  static constexpr bool down = true;
  const float *x, *mean, *std;
  int rows, cols;
  __device__ float operator()(int i, int j) const {
    return i < rows && j < cols ? (x[j * rows + i] - mean[i]) / std[i] : 0;
  }
};
struct StoreAct {
  const float* b;
  float* y;
  int rows;
  Act f;
  __device__ void operator()(int i, int j, float sum) const { y[j * rows + i] = act(f, sum + b[i]); }
};

// y = act(W h + b) of layer l. h is not read in the first one.
template <int R>
__global__ void __launch_bounds__(256, 2) batched_layer(const __grid_constant__ Task t, int l, const float* h,
                                                     float* y) {
  alignas(16) __shared__ typename Blocked<R>::Tiles tiles;
  const int m = blockIdx.z, in = t.shape.width[l], out = t.shape.width[l + 1], tile = Blocked<R>::tile;
  const float *mine = t.numbers + m * t.shape.numbers(), *W = mine + t.shape.W_at(l);
  const StoreAct store{W + out * in, y + m * out * t.batch, out, l + 1 < t.shape.layers ? Act::swish : Act::identity};
  const Side<false> W_side{W, out, in};
  Nothing nothing;
  if (l == 0)
    Blocked<R>::product(tiles, W_side, Standardised{t.x + m * in * t.batch, mine, mine + in, in, t.batch}, out, t.batch,
                        in, blockIdx.x * tile, blockIdx.y * tile, store, nothing);
  else
    Blocked<R>::product(tiles, W_side, Side<false>{h + m * in * t.batch, in, t.batch}, out, t.batch, in,
                        blockIdx.x * tile, blockIdx.y * tile, store, nothing);
}
__global__ void batched_head(const __grid_constant__ Task t, const float* h) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, m = blockIdx.z, out = t.shape.out(), j = i / out, d = i % out;
  const float* column = h + (m * t.batch + j) * 2 * out;
  if (j < t.batch) finish(t, m, j, d, column[d], column[out + d]);
}

// ---- Version 3: a block takes some samples through the whole network; hidden layers never leave shared memory ----

constexpr int samples = 32, stride = samples + 4;  // number k of sample j is h[k stride + j]

// sum = W[row, :] h + b[row] for all samples: a weight is read once, by neighbours next to each other, and serves 32
// multiply-adds; h is the same for all threads of a warp.
__device__ void row_of_layer(const float* W, int out, int in, int row, const float* h, float (&sum)[samples]) {
  UNROLL
  for (int j = 0; j < samples; ++j) sum[j] = W[out * in + row];
  for (int k = 0; k < in; ++k) {
    const float w = W[k * out + row];
    UNROLL
    for (int j = 0; j < samples; j += 4) {
      const float4 v = *reinterpret_cast<const float4*>(h + k * stride + j);
      sum[j] = fmaf(w, v.x, sum[j]), sum[j + 1] = fmaf(w, v.y, sum[j + 1]);
      sum[j + 2] = fmaf(w, v.z, sum[j + 2]), sum[j + 3] = fmaf(w, v.w, sum[j + 3]);
    }
  }
}

__global__ void __launch_bounds__(256) whole_network(const __grid_constant__ Task t) {
  float* h = shared_memory<float>();
  const Shape& s = t.shape;
  const int m = blockIdx.y, j0 = blockIdx.x * samples, row = threadIdx.x, in = s.in(), out = s.out();
  const float *mine = t.numbers + m * s.numbers(), *mean = mine, *std = mine + in;
  for (int e = threadIdx.x; e < in * samples; e += blockDim.x) {
    const int k = e % in, j = e / in;
    h[k * stride + j] = j0 + j < t.batch ? (t.x[(m * t.batch + j0 + j) * in + k] - mean[k]) / std[k] : 0;
  }
  __syncthreads();
  for (int l = 0; l < s.layers; ++l) {
    float sum[samples];
    const bool mine_too = row < s.width[l + 1];
    if (mine_too) row_of_layer(mine + s.W_at(l), s.width[l + 1], s.width[l], row, h, sum);
    __syncthreads();  // all have read the old h
    if (mine_too)
      UNROLL
      for (int j = 0; j < samples; ++j) h[row * stride + j] = l + 1 < s.layers ? act(Act::swish, sum[j]) : sum[j];
    __syncthreads();
  }
  for (int e = threadIdx.x; e < out * samples; e += blockDim.x) {
    const int d = e % out, j = e / out;
    if (j0 + j < t.batch) finish(t, m, j0 + j, d, h[d * stride + j], h[(out + d) * stride + j]);
  }
}

// ---- Launchers ----

// Weights, inputs and outputs on the device; h1 and h2 hold the hidden layers of versions 1 and 2.
struct DeviceEnsemble {
  Shape shape;
  int members, batch;
  DeviceArray<float> numbers, x, mu, log_var, y, h1, h2;

  DeviceEnsemble(const std::vector<Network>& f, const Mat& x)
      : shape(f[0].shape()), members(int(f.size())), batch(int(x.cols()) / members), numbers(packed(f)), x(x),
        mu(shape.out() * x.cols()), log_var(mu.size), y(mu.size), h1(shape.widest() * x.cols()), h2(h1.size) {
    assert(shape.widest() <= 256 && shape.layers <= Shape::most_layers);
  }
  Task task(std::uint64_t seed) const { return {shape, numbers, x, mu, log_var, y, batch, seed}; }
  static std::vector<float> packed(const std::vector<Network>& f) {
    std::vector<float> numbers;
    for (const Network& member : f) member.append_to(numbers);
    return numbers;
  }
};

void predict_naive(DeviceEnsemble& f, std::uint64_t seed) {
  const Task t = f.task(seed);
  const Shape& s = f.shape;
  for (int m = 0; m < f.members; ++m) {
    float *h = f.h1, *next = f.h2;
    launch(standardise, ceil_div(s.in() * f.batch, 256), 256, 0, t, m, h);
    for (int l = 0; l < s.layers; ++l, std::swap(h, next))
      launch(naive_layer, dim3(ceil_div(s.width[l + 1], 128), f.batch), 128, 0,
             f.numbers.data + m * s.numbers() + s.W_at(l), h, next, s.width[l + 1], s.width[l],
             l + 1 < s.layers ? Act::swish : Act::identity);
    launch(naive_head, ceil_div(s.out() * f.batch, 256), 256, 0, t, m, h);
  }
}
template <int R> void predict_batched(DeviceEnsemble& f, std::uint64_t seed) {
  const Task t = f.task(seed);
  const Shape& s = f.shape;
  float *h = f.h1, *next = f.h2;
  for (int l = 0; l < s.layers; ++l, std::swap(h, next))
    launch(batched_layer<R>, dim3(ceil_div(s.width[l + 1], 16 * R), ceil_div(f.batch, 16 * R), f.members), 256, 0, t, l,
           h, next);
  launch(batched_head, dim3(ceil_div(s.out() * f.batch, 256), 1, f.members), 256, 0, t, h);
}
void predict_whole(DeviceEnsemble& f, std::uint64_t seed) {
  const int widest = f.shape.widest(), threads = 32 * ceil_div(widest, 32);
  launch(whole_network, dim3(ceil_div(f.batch, samples), f.members), threads, sizeof(float) * stride * widest,
         f.task(seed));
}

struct Version {
  const char* name;
  void (*predict)(DeviceEnsemble&, std::uint64_t seed);
};
const Version versions[] = {{"1 a launch per member and layer", predict_naive},
                            {"2 a launch per layer, tiles of 64", predict_batched<4>},
                            {"2 a launch per layer, tiles of 128", predict_batched<8>},
                            {"3 one launch", predict_whole}};

// ---- Checks ----

struct Size {
  int members, batch;      // batch: columns of each member
  std::vector<int> width;  // in, hidden layers, 2 out
  std::string text() const {
    std::string text = std::to_string(members) + " members, batch " + std::to_string(batch) + ",";
    for (int w : width) text += " " + std::to_string(w);
    return text;
  }
};

std::vector<Checked> check(const std::vector<Size>& sizes, std::uint64_t seed) {
  std::vector<Checked> found;
  Rng rng(seed);
  for (const Size& s : sizes) {
    std::vector<Network> f;
    for (int m = 0; m < s.members; ++m) f.push_back(random_network(s.width, rng));
    const int out = s.width.back() / 2, columns = s.members * s.batch;
    const Mat x = rng.normal(s.width[0], columns);
    Prediction ref{Mat(out, columns), Mat(out, columns), Mat(out, columns)};
    for (int m = 0; m < s.members; ++m) {
      const Prediction p = f[m].predict(x.middleCols(m * s.batch, s.batch), noise(seed, m, out, s.batch));
      ref.mu.middleCols(m * s.batch, s.batch) = p.mu, ref.y.middleCols(m * s.batch, s.batch) = p.y;
      ref.log_var.middleCols(m * s.batch, s.batch) = p.log_var;
    }
    DeviceEnsemble on_device(f, x);
    for (const Version& v : versions) {
      for (DeviceArray<float>* a : {&on_device.mu, &on_device.log_var, &on_device.y, &on_device.h1, &on_device.h2})
        a->poison();
      v.predict(on_device, seed);
      const std::string name = std::string(v.name) + ", " + s.text() + ": ";
      found.push_back({name + "mu", error_of(on_device.mu.to_mat(out, columns), ref.mu), pass_bound});
      found.push_back({name + "log_var", error_of(on_device.log_var.to_mat(out, columns), ref.log_var), pass_bound});
      found.push_back({name + "y", error_of(on_device.y.to_mat(out, columns), ref.y), pass_bound});
    }
  }
  return found;
}

}  // namespace

#ifdef __CUDACC__
int main() {
  Device device;
  if (!find_device(device)) return 0;
  const std::vector<int> width = {24, 200, 200, 200, 200, 36};  // half_cheetah_pets
  if (!report(check({{1, 1, {1, 1, 2}}, {3, 45, {7, 33, 20, 6}}, {5, 399, width}}, 100))) return 1;
  Rng rng(100);
  for (const Size& s : std::vector<Size>{{5, 32, width}, {5, 2000, width}, {7, 14286, width}}) {
    std::vector<Network> f;
    for (int m = 0; m < s.members; ++m) f.push_back(random_network(width, rng));
    DeviceEnsemble on_device(f, rng.normal(width[0], s.members * s.batch));
    std::printf("\n%s\n", s.text().c_str());
    const double columns = double(s.members) * s.batch, bytes = 4 * (columns * (24 + 3 * 18) + on_device.numbers.size);
    for (const Version& v : versions)
      print_time(device, v.name, median_ms([&] { v.predict(on_device, 100); }), columns * on_device.shape.flop(),
                 bytes);
  }
}
#endif

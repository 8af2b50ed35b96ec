// PETS's planner on a device: the cross-entropy method of chapter 03 around the returns of planner_rollout.h. One call
// of act() is one CUDA graph: nothing but the state goes up and nothing but the plan comes back.
#pragma once
#include <memory>
#include "chapters/03_shooting/cem.h"  // CemOptions
#include "chapters/15_cuda/planner_rollout.h"

constexpr int cem_threads = 256;

// Where a search begins: the last plan without its first action, zeros at its end; the variance ((1 - -1) / 4)^2.
static __global__ void begin_search(float* mu, float* var, int D, int action_dim, float epsilon, PlanState* state) {
  for (int first = 0; first < D; first += blockDim.x) {
    const int d = first + threadIdx.x;
    const float later = d + action_dim < D ? mu[d + action_dim] : 0;
    __syncthreads();  // all have read before anyone writes
    if (d < D) mu[d] = later, var[d] = 0.25f;
  }
  if (threadIdx.x == 0) state->active = 0.25f > epsilon, state->elites = 1;
}

// plans = mu + sigma z with sigma^2 <= ((mu + 1) / 2)^2, ((1 - mu) / 2)^2 and z ~ N(0, 1) cut to [-2, 2] by drawing
// again: no plan leaves [-1, 1]. (D, N)
static __global__ void draw_plans(const float* mu, const float* var, float* plans, int D, int N, std::uint64_t seed,
                                  const PlanState* state) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (!state->active || i >= D * N) return;
  const float m = mu[i % D], below = (1 + m) / 2, above = (1 - m) / 2;
  const float sigma = sqrtf(fminf(var[i % D], fminf(below * below, above * above)));
  float z = 3;
  for (int attempt = 0; fabsf(z) > 2 && attempt < attempts; ++attempt)
    z = normal_at(seed, plan_stream(state->calls, attempt), i);
  plans[i] = m + sigma * z;
}

// Q_hat = the mean return of a plan's particles; best = the E plans with the highest Q_hat, best first. A plan's rank
// is the number of plans that are better. A return that is NaN or infinite never wins. One block.
static __global__ void __launch_bounds__(1024) choose_elites(const float* sums, float* Q_hat, int* best, int N, int P,
                                                             int E, PlanState* state) {
  __shared__ int finite;
  if (!state->active) return;
  if (threadIdx.x == 0) finite = 0;
  __syncthreads();
  for (int n = threadIdx.x; n < N; n += blockDim.x) {
    float Q = 0;
    for (int p = 0; p < P; ++p) Q += sums[p * N + n] / float(P);
    Q_hat[n] = Q;
    if (std::isfinite(Q)) atomicAdd(&finite, 1);
  }
  __syncthreads();
  for (int n = threadIdx.x; n < N; n += blockDim.x) {
    const float Q = Q_hat[n];
    int rank = 0;
    for (int i = 0; i < N; ++i)
      if (std::isfinite(Q_hat[i])) rank += Q_hat[i] > Q || (Q_hat[i] == Q && i < n);
    if (std::isfinite(Q) && rank < E) best[rank] = n;
  }
  if (threadIdx.x == 0) state->elites = min(E, finite);
}

// mu and var <- alpha times the old one + (1 - alpha) times that of the elites. One block of cem_threads.
static __global__ void refit(const float* plans, const int* best, float* mu, float* var, int D, float alpha,
                             float epsilon, PlanState* state) {
  if (!state->active) return;
  const int E = state->elites;
  float most = 0;
  for (int d = threadIdx.x; d < D && E > 0; d += blockDim.x) {
    float mean = 0, variance = 0;
    for (int e = 0; e < E; ++e) mean += plans[best[e] * D + d] / float(E);
    for (int e = 0; e < E; ++e) {
      const float away = plans[best[e] * D + d] - mean;
      variance += away * away / float(E);
    }
    mu[d] = alpha * mu[d] + (1 - alpha) * mean;
    var[d] = alpha * var[d] + (1 - alpha) * variance;
    most = fmaxf(most, var[d]);
  }
  most = block_max(most);  // a barrier too: all have read the state
  if (threadIdx.x == 0) state->active = most > epsilon, ++state->calls;
}

// ---- From outside ----

struct Limits {  // of the device
  int processors = 132;
  std::size_t shared_bytes = 227 << 10;  // of a block
};
inline Limits limits() {
#ifdef __CUDACC__
  return {attribute(cudaDevAttrMultiProcessorCount), std::size_t(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin))};
#else
  return {};
#endif
}

// How rollout_of_a_tile is cut.
struct TileSize {
  int columns = 0, rows = 0, threads = 0;  // trajectories of a block; weights' rows of a slice; threads of a block
  std::size_t shared_bytes = 0;
};
template <class Task> TileSize tile_of(const PackedModel& f, int columns, const Limits& device) {
  const int slice = int(device.shared_bytes / sizeof(float)) / 8;  // for each of the two buffers
  TileSize size{.columns = columns, .rows = std::clamp(slice / f.widest / 8 * 8, 8, 40)};
  const int parts = f.widest / 8 * (columns / 8);
  size.threads = (std::max({parts, columns, 128}) + 31) / 32 * 32;
  size.shared_bytes = sizeof(float) * (Trajectories<Task>::floats(f, columns) + 2 * std::size_t(size.rows) * f.widest);
  return size;
}
// The time goes with the trajectories that the busiest processor gets; among the best the largest tile, for which the
// weights are fetched least often. `bound` trajectories belong to each member.
template <class Task> TileSize best_tile(const PackedModel& f, int bound, const Limits& device) {
  TileSize best;
  int least = std::numeric_limits<int>::max();
  for (int columns = 8; columns <= most_threads; columns += 8) {
    const TileSize size = tile_of<Task>(f, columns, device);
    if (size.threads > most_threads || size.shared_bytes > device.shared_bytes) break;
    const int busiest = ceil_div(f.members * ceil_div(bound, columns), device.processors) * columns;
    if (busiest <= least) least = busiest, best = size;
  }
  if (best.columns == 0)
    throw std::invalid_argument("the device's planner: the network does not fit into shared memory");
  return best;
}

template <class Task> struct DeviceCem : CemOptions {
  int P, D;
  std::uint64_t seed;
  PackedModel f;
  TileSize tile;
  DeviceArray<float> weights, s, mu, var, plans, sums, Q_hat;
  DeviceArray<int> best;
  DeviceArray<PlanState> state;
  std::unique_ptr<Graph> search;  // refers to the arrays: this is not moved once it is made

  // Throws std::invalid_argument as CemOptions::check, check_particles and layout_of.
  DeviceCem(const Ensemble& model, const CemOptions& options, int P, std::uint64_t seed,
            const Limits& device = limits())
      : CemOptions(options), P(P), D(T * Task::action_dim), seed(seed), f(layout_of(model)) {
    check();
    if (P < 1 || P % f.members != 0)
      throw std::invalid_argument("the device's planner: particles must be a multiple of the members");
    const std::size_t N = candidates;
    if (N * std::size_t(std::max(P, D)) > 1u << 30)
      throw std::invalid_argument("the device's planner: too many candidates");
    tile = best_tile<Task>(f, candidates * P / f.members, device);
    weights = DeviceArray<float>(std::size_t(f.members) * f.member_size);
    f.data = weights.data;
    s = DeviceArray<float>(Task::state_dim), mu = DeviceArray<float>(D), var = DeviceArray<float>(D);
    plans = DeviceArray<float>(D * N), sums = DeviceArray<float>(N * P), Q_hat = DeviceArray<float>(N);
    best = DeviceArray<int>(elites), state = DeviceArray<PlanState>(1);
    state.upload(std::vector<PlanState>{{0, 1, 0}}.data());
    set_model(model), reset();
  }
  DeviceCem(const DeviceCem&) = delete;

  void set_model(const Ensemble& model) { weights.upload(pack(model, f).data()); }  // after each fit; of the same shape
  void reset() { mu.zero(); }                                                      // before an episode

  // The action for s (state_dim, 1): (action_dim, 1). Throws NotFinite if no plan has a finite return.
  Mat act(const Mat& now) {
    s.upload(now);
    if (!search) search = std::make_unique<Graph>([this] { record_search(); });
    search->run();
    if (state.to_vector()[0].elites == 0)
      throw NotFinite("planning: the return of every candidate is NaN or infinite; has the model diverged?");
    return mu.to_mat(D, 1).topRows(Task::action_dim);
  }
  void record_search() {
    begin();
    for (int i = 0; i < iterations; ++i) refine();
  }
  void begin() { launch(begin_search, 1, cem_threads, 0, mu, var, D, Task::action_dim, epsilon, state); }
  void refine() { draw(), roll_out(3, tile), choose(), fit(); }  // one iteration
  void draw() {
    launch(draw_plans, ceil_div(D * candidates, cem_threads), cem_threads, 0, mu, var, plans, D, candidates, seed,
           state);
  }
  void choose() {
    launch(choose_elites, 1, std::min((candidates + 31) / 32 * 32, 1024), 0, sums, Q_hat, best, candidates, P, elites,
           state);
  }
  void fit() { launch(refit, 1, cem_threads, 0, plans, best, mu, var, D, alpha, epsilon, state); }
  void roll_out(int version, const TileSize& size) {
    const Rollout r{f, s, plans, sums, state, seed, candidates, P, T};
    const unsigned members = f.members;
    if (version == 1) {
      launch(rollout_of_a_thread<Task>, ceil_div(candidates * P, 64), 64, 0, r);
    } else if (version == 2) {
      launch(rollout_of_a_column<Task>, dim3(ceil_div(r.bound(), few), members), (f.widest + 31) / 32 * 32,
             sizeof(float) * Trajectories<Task>::floats(f, few), r);
    } else {
      launch(rollout_of_a_tile<Task>, dim3(ceil_div(r.bound(), size.columns), members), size.threads,
             size.shared_bytes, r, size.columns, size.rows);
    }
  }
};

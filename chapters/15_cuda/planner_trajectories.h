// Trajectories in the learned model: their random numbers, their actions, a tile of them in a block's shared memory.
#pragma once
#include "chapters/15_cuda/planner_model.h"
#include "chapters/15_cuda/planner_tasks.h"

// Where the planner is, on the device.
struct PlanState {
  std::uint64_t calls;  // iterations since the beginning: each has its own random numbers
  int active;           // 0: the variance is small enough, the rest of the iterations does nothing
  int elites;           // found in the last iteration; 0 if no return was finite
};

// Streams of random numbers: of iteration `call`, attempt 0, 1, ... of a plan's noise, and the model's noise.
constexpr int attempts = 63;
HOST_DEVICE inline std::uint64_t plan_stream(std::uint64_t call, int attempt) { return 64 * call + attempt; }
HOST_DEVICE inline std::uint64_t model_stream(std::uint64_t call) { return 64 * call + attempts; }

// Everything a rollout kernel is given.
struct Rollout {
  PackedModel f;
  const float *s, *plans;  // (state_dim, 1); (action_dim T, N)
  float* sums;             // (1, N P): the return of each trajectory
  const PlanState* state;
  std::uint64_t seed;
  int N, P, T;

  HOST_DEVICE int bound() const { return N * P / f.members; }  // trajectories of a member
};

// The action of trajectory j in step t.
template <class Task> __device__ Column action(const Rollout& r, int j, int t) {
  return {r.plans + (std::size_t(j % r.N) * r.T + t) * Task::action_dim, 1};
}
// xi_4q, ..., xi_4q+3 of trajectory j in step t.
template <class Task> __device__ Floats noise(const Rollout& r, int j, int t, int q) {
  constexpr int quads = (Task::state_dim + 3) / 4;
  return normal4(r.seed, model_stream(r.state->calls), (std::uint64_t(t) * r.N * r.P + j) * quads + q);
}

// A tile of trajectories of one member, in a block's shared memory, and what is done with it between the layers.
template <class Task> struct Trajectories {
  const Rollout& r;
  const float* member;
  int first, count, columns, pitch;  // trajectories first, ..., first + count - 1; of a matrix's rows
  float *x, *s, *s_next;             // (widest, columns) what goes into a layer; (state_dim, columns)
  float sum = 0;                     // of the trajectory of this thread, if it has one
  bool ended = false;

  static HOST_DEVICE std::size_t floats(const PackedModel& f, int columns) {
    return std::size_t(f.widest + 2 * Task::state_dim) * (columns + 4);
  }
  // Block (i, b) takes the i-th tile of member b.
  __device__ Trajectories(const Rollout& r, float* memory, int columns)
      : r(r), member(r.f.member(blockIdx.y)), columns(columns), pitch(columns + 4) {
    first = blockIdx.y * r.bound() + blockIdx.x * columns;
    count = min(columns, r.bound() - int(blockIdx.x) * columns);
    x = memory, s = x + r.f.widest * pitch, s_next = s + Task::state_dim * pitch;
    for (int i = threadIdx.x; i < Task::state_dim * pitch; i += blockDim.x) s[i] = r.s[i / pitch];
    __syncthreads();
  }
  __device__ int trajectory(int column) const { return first + min(column, count - 1); }  // beyond: the last one again

  // x <- the network's input.
  __device__ void begin_step(int t) {
    for (int e = threadIdx.x; e < r.f.width[0] * columns; e += blockDim.x) {
      const int i = e / columns, column = e % columns;
      x[i * pitch + column] =
          network_input<Task>(r.f, member, Column{s + column, pitch}, action<Task>(r, trajectory(column), t), i);
    }
    __syncthreads();
  }
  // From the head's outputs in x to the next state and its reward.
  __device__ void end_step(int t) {
    constexpr int dim = Task::state_dim, quads = (dim + 3) / 4;
    for (int e = threadIdx.x; e < quads * columns; e += blockDim.x) {
      const int q = e / columns, column = e % columns;
      const Floats xi = noise<Task>(r, trajectory(column), t, q);
      UNROLL for (int v = 0; v < 4; ++v)
        if (const int i = 4 * q + v, at = i * pitch + column; i < dim)
          s_next[at] = next_state<Task>(r.f, member, s[at], x[at], x[at + dim * pitch], xi.v[v], i);
    }
    __syncthreads();
    if (const int c = threadIdx.x; c < columns && !ended) {  // nothing after a terminal state
      const Column next{s_next + c, pitch};
      sum += Task::reward(Column{s + c, pitch}, action<Task>(r, trajectory(c), t), next);
      ended = Task::terminated(next);
    }
    __syncthreads();
    float* const old = s;
    s = s_next, s_next = old;
  }
  __device__ void write_return() const {
    if (int(threadIdx.x) < count) r.sums[first + threadIdx.x] = sum;
  }
};

// Chapter 04's ensemble as one array for the device, and what a kernel computes of it besides the products.
#pragma once
#include <stdexcept>
#include "chapters/04_pets/ensemble.h"  // Ensemble
#include "chapters/15_cuda/pieces.h"

constexpr int max_layers = 8, max_width = 512;

// An ensemble's elites, one after another. All widths are rounded up to a multiple of 8; what is added is 0.
//   weights   of every layer W^T: row k is what input k gives to each output, so that neighbouring threads, which
//             compute neighbouring outputs, read neighbouring numbers
//   biases    of every layer
//   input     mean, then standard deviation of the input
//   head      most, least log-variance, mean, standard deviation of the target, each head_dim numbers
struct PackedModel {
  const float* data = nullptr;
  int members = 0, member_size = 0, layers = 0, widest = 0;
  int width[max_layers + 1] = {};  // of the input, the hidden layers, the head
  int biases = 0, input = 0, head = 0, head_dim = 0;
  bool probabilistic = true;

  HOST_DEVICE const float* member(int b) const { return data + std::size_t(b) * member_size; }
};

inline int round_up(int n) { return (n + 7) / 8 * 8; }

// Where everything lies. Throws std::invalid_argument for a network that is too large.
inline PackedModel layout_of(const Ensemble& f) {
  const Member& first = f.elite(0);
  PackedModel m;
  m.members = int(f.elites.size()), m.layers = int(first.extractor.layers.size()) + 1;
  m.head_dim = int(first.head.target.mean.rows()), m.probabilistic = f.options.probabilistic;
  if (m.layers > max_layers) throw std::invalid_argument("the device's planner: at most 7 hidden layers");
  m.width[0] = round_up(int(first.input.mean.rows()));
  int biases = 0;
  for (int l = 0; l < m.layers; ++l) {
    const Linear& layer = l + 1 < m.layers ? first.extractor.layers[l] : first.head.out;
    m.width[l + 1] = round_up(int(layer.W.value.rows()));
    m.biases += m.width[l] * m.width[l + 1], biases += m.width[l + 1];
  }
  m.widest = *std::max_element(m.width, m.width + m.layers + 1);
  if (m.widest > max_width) throw std::invalid_argument("the device's planner: hidden layers of at most 512");
  m.input = m.biases + biases, m.head = m.input + 2 * m.width[0];
  m.member_size = round_up(m.head + 4 * m.head_dim);
  return m;
}

inline std::vector<float> pack(const Ensemble& f, const PackedModel& m) {
  std::vector<float> data(std::size_t(m.members) * m.member_size, 0);
  for (int b = 0; b < m.members; ++b) {
    const Member& member = f.elite(b);
    float* const start = data.data() + std::size_t(b) * m.member_size;
    float *W = start, *bias = start + m.biases;
    for (int l = 0; l < m.layers; ++l) {
      const Linear& layer = l + 1 < m.layers ? member.extractor.layers[l] : member.head.out;
      for (int k = 0; k < int(layer.W.value.cols()); ++k)
        std::copy_n(layer.W.value.col(k).data(), layer.W.value.rows(), W + k * m.width[l + 1]);
      std::copy_n(layer.b.value.data(), layer.b.value.size(), bias);
      W += m.width[l] * m.width[l + 1], bias += m.width[l + 1];
    }
    std::copy_n(member.input.mean.data(), member.input.mean.size(), start + m.input);
    std::copy_n(member.input.std.data(), member.input.std.size(), start + m.input + m.width[0]);
    const Mat* head[] = {&member.head.max_log_var.value, &member.head.min_log_var.value, &member.head.target.mean,
                         &member.head.target.std};
    for (int i = 0; i < 4; ++i) std::copy_n(head[i]->data(), m.head_dim, start + m.head + i * m.head_dim);
  }
  return data;
}

// ---- What a thread computes of one number ----

// x sigmoid(x). On the device by its approximate 2^x and 1 / x, which are good to some units in the last place: 5
// instructions instead of 25.
__device__ inline float swish_of(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(-1.442695041f * x));  // exp(-x)
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(1 + y));
  return x * y;
#else
  return x / (1 + expf(-x));
#endif
}

// Element i of the network's input: concat(net_input(s), a), standardised. 0 in the rows that only fill up.
template <class Task, class S, class A>
__device__ float network_input(const PackedModel& f, const float* member, const S& s, const A& a, int i) {
  if (i >= Task::input_dim + Task::action_dim) return 0;
  const float x = i < Task::input_dim ? Task::input(s, i) : a[i - Task::input_dim];
  return (x - member[f.input + i]) / member[f.input + f.width[0] + i];
}

// Element i of s_next = net_apply(s, mu + sigma xi) from the head's outputs of that element: chapter 04's
// GaussianHead.
template <class Task>
__device__ float next_state(const PackedModel& f, const float* member, float s, float mu, float log_var, float xi,
                             int i) {
  const float* const head = member + f.head + i;
  const float most = head[0], least = head[f.head_dim], mean = head[2 * f.head_dim], std = head[3 * f.head_dim];
  const float sigma = f.probabilistic ? expf(0.5f * bounded_log_var(log_var, least, most)) : 0;
  return Task::apply(s, mean + std * (mu + sigma * xi), i);
}

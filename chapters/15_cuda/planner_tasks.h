// The tasks that the planner knows, one number at a time: what envs/ says of whole matrices, for a kernel. s and a are
// anything with [i]. A test compares each with its environment.
#pragma once
#include "chapters/15_cuda/cuda.h"

// A column of a matrix whose rows are `pitch` numbers apart.
struct Column {
  const float* first;
  int pitch;
  HOST_DEVICE float operator[](int i) const { return first[i * pitch]; }
};

struct HalfCheetahTask {
  static constexpr const char* name = "half_cheetah_pets";
  static constexpr int state_dim = 18, action_dim = 6, input_dim = 18;  // input_dim: of net_input(s)

  // net_input(s)_i and net_apply(s, y)_i
  template <class S> HOST_DEVICE static float input(const S& s, int i) {
    return i == 0 ? s[1] : i == 1 ? sinf(s[2]) : i == 2 ? cosf(s[2]) : s[i];
  }
  HOST_DEVICE static float apply(float s_i, float y_i, int i) { return i == 0 ? y_i : s_i + y_i; }
  template <class S, class A> HOST_DEVICE static float reward(const S&, const A& a, const S& s_next) {
    float cost = 0;
    for (int i = 0; i < action_dim; ++i) cost += a[i] * a[i];
    return s_next[0] - 0.1f * cost;
  }
  template <class S> HOST_DEVICE static bool terminated(const S&) { return false; }
};

struct CartpoleSwingupTask {
  static constexpr const char* name = "cartpole_swingup";
  static constexpr int state_dim = 4, action_dim = 1, input_dim = 5;

  template <class S> HOST_DEVICE static float input(const S& s, int i) {
    return i == 0 ? sinf(s[1]) : i == 1 ? cosf(s[1]) : i == 2 ? s[0] : s[i - 1];
  }
  HOST_DEVICE static float apply(float s_i, float y_i, int) { return s_i + y_i; }
  template <class S, class A> HOST_DEVICE static float reward(const S&, const A& a, const S& s_next) {
    const float X = s_next[0] - 0.6f * sinf(s_next[1]), Z = -0.6f * cosf(s_next[1]), u = 3 * a[0];
    return expf((X * X + (Z - 0.6f) * (Z - 0.6f)) * (-1 / 0.36f)) - 0.01f * u * u;
  }
  template <class S> HOST_DEVICE static bool terminated(const S&) { return false; }
};

struct CartpoleContinuousTask {
  static constexpr const char* name = "cartpole_continuous";
  static constexpr int state_dim = 4, action_dim = 1, input_dim = 4;

  template <class S> HOST_DEVICE static float input(const S& s, int i) { return s[i]; }
  HOST_DEVICE static float apply(float s_i, float y_i, int) { return s_i + y_i; }
  template <class S, class A> HOST_DEVICE static float reward(const S& s, const A&, const S&) { return !terminated(s); }
  template <class S> HOST_DEVICE static bool terminated(const S& s_next) {
    return !(fabsf(s_next[0]) <= 2.4f && fabsf(s_next[2]) <= 0.20943951f);  // 12 degrees
  }
};

struct PendulumTask {
  static constexpr const char* name = "pendulum";
  static constexpr int state_dim = 3, action_dim = 1, input_dim = 3;

  template <class S> HOST_DEVICE static float input(const S& s, int i) { return s[i]; }
  HOST_DEVICE static float apply(float s_i, float y_i, int) { return s_i + y_i; }
  template <class S, class A> HOST_DEVICE static float reward(const S& s, const A& a, const S&) {
    const float theta = atan2f(s[1], s[0]), u = 2 * fmaxf(-1, fminf(a[0], 1));
    return -(theta * theta + 0.1f * s[2] * s[2] + 0.001f * u * u);
  }
  template <class S> HOST_DEVICE static bool terminated(const S&) { return false; }
};

// f(Task()) for the task of that name; false if there is none.
template <class F> bool with_task(const std::string& name, F f) {
  const auto is = [&](auto task) { return name == task.name && (f(task), true); };
  return is(CartpoleSwingupTask()) || is(HalfCheetahTask()) || is(CartpoleContinuousTask()) || is(PendulumTask());
}

// What a policy is worth: deterministic episodes in an environment of their own. And what the loops need around it.
#pragma once
#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>
#include "envs/env.h"

struct Evaluation {
  double eval_return = 0;        // mean sum of rewards of an episode
  double discounted_return = 0;  // the same with gamma^t before r_t, the episode cut at its time limit
  double value = 0;              // mean value of the first states, what the critics promise
};

// `episodes` episodes of action(s), s (state_dim, 1) -> (action_dim, 1); value(s) is asked once an episode.
template <class Action, class Value>
Evaluation evaluate(Env& env, int episodes, Real gamma, Rng& rng, Action action, Value value) {
  Evaluation mean;
  for (int i = 0; i < episodes; ++i) {
    Mat s = env.reset(rng);
    mean.value += value(s) / episodes;
    double discount = 1;
    for (bool over = false; !over; discount *= gamma) {
      const Transition t = env.step(action(s));
      mean.eval_return += t.r / episodes, mean.discounted_return += discount * t.r / episodes;
      s = t.s_next, over = t.terminated || t.truncated;
    }
  }
  return mean;
}

// Seconds of training: stopped while a policy is evaluated.
struct Stopwatch {
  double seconds = 0;
  void stop() { seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count(); }
  void start() { started = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// Runs f; a NotFinite that leaves it names the real step.
template <class F> void at_step(long t, F f) {
  try {
    f();
  } catch (const NotFinite& e) {
    throw NotFinite("step " + std::to_string(t) + ": " + e.what() + " (a smaller --lr?)");
  }
}

// The median, infinite values included; NaN of nothing.
inline double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  const std::size_t n = x.size();
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

// The first x at which y is above the threshold at two rows in a row; infinite if never.
inline double reaches(const std::vector<double>& x, const std::vector<double>& y, double threshold) {
  for (std::size_t i = 0; i + 1 < y.size(); ++i)
    if (y[i] > threshold && y[i + 1] > threshold) return x[i];
  return std::numeric_limits<double>::infinity();
}

// The simulator states of one deterministic episode, at most `most` of them.
template <class Action> std::vector<Sim> episode(Env& env, Rng rng, int most, Action action) {
  std::vector<Sim> film;
  Mat s = env.reset(rng);
  for (bool over = false; !over && int(film.size()) < most;) {
    film.push_back(env.sim);
    const Transition t = env.step(action(s));
    s = t.s_next, over = t.terminated || t.truncated;
  }
  return film;
}

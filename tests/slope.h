// A task for tests whose every number can be computed by hand: a point on a line, pushed by a.
//
//   x' = grow x + a_1 / 2 + drift,   r = x' - cost a_2^2,   the end at x' > wall
//
// What a model of it sees and learns is scaled, so that a step that forgets net_input or net_apply is found out.
#pragma once
#include <limits>
#include "envs/env.h"

struct Slope : EnvOf<Slope> {
  double drift = 0, grow = 1, cost = 0, wall = std::numeric_limits<double>::infinity();

  explicit Slope(int time_limit_ = 10) {
    name = "slope", about = "walk uphill", reward_rule = "x' - cost a_2^2";
    state_dim = 1, action_dim = 2, time_limit = time_limit_, action_scale = {0.5, 1}, sim_names = {"x"};
  }
  Sim start(Rng&) const override { return Sim::Zero(2, 1); }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next = sim;
    next.row(0) = grow * sim.row(0) + 0.5 * a.row(0) + drift, next.row(1) += 1;
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(1); }
  template <class T> T reward_of(const T&, const T& a, const T& s_next) const {
    return s_next - Real(cost) * square(rows(a, 1, 1));
  }
  template <class T> T ended_at(const T& s_next) const {
    return (s_next > typename T::Scalar(wall)).template cast<typename T::Scalar>();
  }
  template <class T> T input_of(const T& s) const { return 3.0 * s; }
  template <class T> T target_of(const T& s, const T& s_next) const { return 4.0 * (s_next - s); }
  template <class T> T apply_to(const T& s, const T& y) const { return s + 0.25 * y; }
  Drawing draw(const Sim&) const override { return {}; }
};

inline Sim at_x(double x, double step = 0) {  // a simulator state of it
  Sim sim(2, 1);
  sim << x, step;
  return sim;
}

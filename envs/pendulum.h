// Swing a pendulum up and hold it there: Pendulum-v1 of Gymnasium, with friction, without its speed limit or with noise
// where an experiment asks for it.
//
//   theta'' = 15 sin theta + 3 u - friction theta',   theta = 0 upright, torque u = 2 a
#pragma once
#include <numbers>
#include "envs/env.h"

struct Pendulum : EnvOf<Pendulum> {
  double friction, max_speed, noise;  // 1/s; rad/s, infinity: no limit; rad/s, standard deviation added to the speed
  static constexpr double dt = 0.05;  // s

  explicit Pendulum(double friction = 0, double max_speed = 8, double noise = 0)
      : friction(friction), max_speed(max_speed), noise(noise) {
    name = "pendulum", about = "swing a pendulum up and hold it upright";
    reward_rule = "-(theta^2 + 0.1 theta_dot^2 + 0.001 u^2), before the step, theta in [-pi, pi]";
    state_dim = 3, action_dim = 1, time_limit = 200, action_scale = {2}, sim_names = {"theta", "theta_dot"};
    state_low = {-1, -1, -max_speed}, state_high = {1, 1, max_speed};
  }

  Sim start(Rng& rng) const override {
    Sim sim(3, 1);
    sim << rng.uniform(-std::numbers::pi, std::numbers::pi), rng.uniform(-1, 1), 0;
    return sim;
  }
  // Speed first, then the angle with the new speed.
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next(3, sim.cols());
    for_columns(sim.cols(), [&](Eigen::Index i) {
      const double theta = sim(0, i), speed = sim(1, i), u = 2 * std::clamp(a(0, i), -1.0, 1.0);
      const double acceleration = 15 * std::sin(theta) + 3 * u - friction * speed;
      next(1, i) = std::clamp(speed + acceleration * dt, -max_speed, max_speed);
      next(0, i) = theta + next(1, i) * dt;
      next(2, i) = sim(2, i) + 1;
    });
    return next;
  }
  void disturb(Sim& sim, Rng& rng) const override {
    if (noise == 0) return;
    const double kick = noise * rng.normal();
    sim(1, 0) += kick, sim(0, 0) += kick * dt;
  }
  Sim observation(const Sim& sim) const override {
    Sim s(3, sim.cols());
    s << sim.row(0).cos(), sim.row(0).sin(), sim.row(1);
    return s;
  }
  template <class T> T reward_of(const T& s, const T& a, const T&) const {
    const T theta = atan2(rows(s, 1, 1), rows(s, 0, 1)), speed = rows(s, 2, 1), u = 2.0 * clamp(a, -1, 1);
    return -(square(theta) + 0.1 * square(speed) + 0.001 * square(u));
  }
  Drawing draw(const Sim& sim) const override {
    const double x = std::sin(-sim(0, 0)), y = std::cos(sim(0, 0));
    return {-1.4, 1.4, -1.4, 1.4, {{0, 0, x, y, 0.09, 1}, {0, 0, 0, 0, 0.05, 5}}};
  }
};

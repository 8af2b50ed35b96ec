// Drive an underpowered car out of a valley: MountainCarContinuous-v0 of Gymnasium.
#pragma once
#include "envs/env.h"

struct MountainCar : EnvOf<MountainCar> {
  MountainCar() {
    name = "mountain_car", about = "drive an underpowered car out of a valley";
    reward_rule = "-0.1 u^2, and 100 on reaching position >= 0.45 with velocity >= 0";
    state_dim = 2, action_dim = 1, time_limit = 999, action_scale = {1}, sim_names = {"position", "velocity"};
    state_low = {-1.2, -0.07}, state_high = {0.6, 0.07};
  }

  Sim start(Rng& rng) const override {
    Sim sim(3, 1);
    sim << rng.uniform(-0.6, -0.4), 0, 0;
    return sim;
  }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next(3, sim.cols());
    for_columns(sim.cols(), [&](Eigen::Index i) {
      const double p = sim(0, i), u = std::clamp(a(0, i), -1.0, 1.0);
      const double v = std::clamp(sim(1, i) + 0.0015 * u - 0.0025 * std::cos(3 * p), -0.07, 0.07);
      next(0, i) = std::clamp(p + v, -1.2, 0.6);
      next(1, i) = next(0, i) == -1.2 && v < 0 ? 0 : v;  // the left wall stops the car
      next(2, i) = sim(2, i) + 1;
    });
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(2); }
  template <class T> T ended_at(const T& s) const {
    return (s.row(0) >= 0.45 && s.row(1) >= 0).template cast<typename T::Scalar>();
  }
  template <class T> T reward_of(const T&, const T& a, const T& s_next) const {
    return -0.1 * square(a) + constant(a, 100 * ended_at(numbers(s_next)));
  }
  Drawing draw(const Sim& sim) const override {
    const auto height = [](double p) { return 0.45 * std::sin(3 * p) + 0.55; };
    Drawing d{-1.25, 0.65, 0, 1.2};
    for (double p = -1.2; p < 0.6; p += 0.05) d.strokes.push_back({p, height(p), p + 0.05, height(p + 0.05), 0.008, 4});
    d.strokes.push_back({0.45, height(0.45), 0.45, height(0.45) + 0.15, 0.01, 3});
    d.strokes.push_back({sim(0, 0), height(sim(0, 0)) + 0.05, sim(0, 0), height(sim(0, 0)) + 0.05, 0.04, 1});
    return d;
  }
};

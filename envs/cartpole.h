// Keep a pole upright on a cart: CartPole-v1 of Gymnasium (push left or right with 10 N), and with a continuous force.
#pragma once
#include <numbers>
#include "envs/env.h"

struct Cartpole : EnvOf<Cartpole> {
  static constexpr double dt = 0.02, gravity = 9.8, cart = 1, pole = 0.1, half_length = 0.5, total = cart + pole;
  static constexpr double x_limit = 2.4, theta_limit = 12 * std::numbers::pi / 180;

  explicit Cartpole(bool continuous = false) {
    name = continuous ? "cartpole_continuous" : "cartpole", about = "keep a pole upright on a cart";
    reward_rule = "1 for every step, the one that ends the episode included; 0 after it";
    state_dim = 4, action_dim = 1, action_scale = {1};
    time_limit = continuous ? 200 : 500, choices = continuous ? 0 : 2;
    sim_names = {"x", "x_dot", "theta", "theta_dot"};
  }

  Sim start(Rng& rng) const override {
    Sim sim = Sim::Zero(5, 1);
    for (int i = 0; i < 4; ++i) sim(i) = rng.uniform(-0.05, 0.05);
    return sim;
  }
  // Barto, Sutton and Anderson (1983), explicit Euler: positions move with the old speeds.
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next(5, sim.cols());
    for_columns(sim.cols(), [&](Eigen::Index i) {
      const double theta = sim(2, i), theta_dot = sim(3, i), sin = std::sin(theta), cos = std::cos(theta);
      const double force = 10 * (choices > 0 ? (choice(a(0, i)) == 1 ? 1 : -1) : std::clamp(a(0, i), -1.0, 1.0));
      const double push = (force + pole * half_length * theta_dot * theta_dot * sin) / total;
      const double theta_acc = (gravity * sin - push * cos) / (half_length * (4.0 / 3 - pole * cos * cos / total));
      const double x_acc = push - pole * half_length * theta_acc * cos / total;
      next.col(i) << sim(0, i) + dt * sim(1, i), sim(1, i) + dt * x_acc, theta + dt * theta_dot,
          theta_dot + dt * theta_acc, sim(4, i) + 1;
    });
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(4); }
  template <class T> T ended_at(const T& s) const {
    return 1 - (s.row(0).abs() <= x_limit && s.row(2).abs() <= theta_limit).template cast<typename T::Scalar>();
  }
  template <class T> T reward_of(const T& s, const T&, const T&) const {
    return constant(s, 1 - ended_at(numbers(s)));  // no more pay after the end
  }
  Drawing draw(const Sim& sim) const override {
    const double x = sim(0, 0), theta = sim(2, 0);
    return {-2.6, 2.6, -0.6, 1.6,
            {{-3, 0, 3, 0, 0.01, 4}, {x - 0.2, 0, x + 0.2, 0, 0.12, 1},
             {x, 0, x + std::sin(theta), std::cos(theta), 0.05, 2}}};
  }
};

struct CartpoleContinuous : Cartpole {
  CartpoleContinuous() : Cartpole(true) {}
};

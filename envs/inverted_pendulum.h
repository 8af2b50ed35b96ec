// Keep a pole upright on a cart: InvertedPendulum of OpenAI Gym (v2 to v4).
#pragma once
#include <numbers>
#include "envs/chain_env.h"

// The pole stands at angle 0.
inline Model inverted_pendulum_model() {
  const double half_turn = std::numbers::pi;
  return {.name = "inverted_pendulum", .h = 0.02, .frame_skip = 2, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -1, .hi = 1, .damping = 1, .gear = 100,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .lo = -half_turn / 2, .hi = half_turn / 2, .damping = 1,
                     .geoms = {{.from = {0, 0}, .to = {0.001, 0.6}, .radius = 0.049}}}},
          .control_range = 3};
}

struct InvertedPendulum : ChainEnv<InvertedPendulum, 2> {
  InvertedPendulum() : ChainEnv(inverted_pendulum_model()) {
    about = "keep a pole upright on a cart", reward_rule = "1 for every step", state_dim = 4;
    view = {-1.3, 1.3, -0.5, 0.9};
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, 4, 0.01, rng); }
  Sim observation(const Sim& sim) const override { return sim.topRows(4); }  // x, theta, x_dot, theta_dot

  template <class T> T ended_at(const T& s) const {
    return 1 - (s.row(1).abs() <= 0.2 && s.isFinite().colwise().all()).template cast<typename T::Scalar>();
  }
  template <class T> T reward_of(const T& s, const T&, const T&) const {
    return constant(s, Mat::Ones(1, numbers(s).cols()));
  }
};

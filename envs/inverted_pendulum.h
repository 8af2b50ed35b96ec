// Keep a pole upright on a cart: InvertedPendulum of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain.h"

// The pole stands at angle 0.
inline Model inverted_pendulum_model() {
  const double half_turn = std::acos(-1.0);
  return {.name = "inverted_pendulum", .h = 0.02, .frame_skip = 2, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -1, .hi = 1, .damping = 1, .gear = 100,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .lo = -half_turn / 2, .hi = half_turn / 2, .damping = 1,
                     .geoms = {{.from = {0, 0}, .to = {0.001, 0.6}, .radius = 0.049}}}},
          .control_range = 3};
}

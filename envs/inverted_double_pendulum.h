// Keep two poles, one on top of the other, upright on a cart: InvertedDoublePendulum of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain.h"

// Both poles stand at angle 0. Gravity leans a little, as in the original.
inline Model inverted_double_pendulum_model() {
  const std::vector<Geom> pole = {{.from = {0, 0}, .to = {0, 0.6}, .radius = 0.045}};
  return {.name = "inverted_double_pendulum", .h = 0.01, .frame_skip = 5, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -1, .hi = 1, .damping = 0.05, .gear = 500,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .damping = 0.05, .geoms = pole},
                    {.name = "pole2", .parent = 1, .at = {0, 0.6}, .turn = -1, .damping = 0.05, .geoms = pole}},
          .gravity = {1e-5, -9.81}, .limit_margin = 0.01};
}

// Swing a pole up on a cart: the cart-pole of PETS.
#pragma once
#include "envs/chain.h"

// The pole hangs at angle 0 and may turn freely.
inline Model cartpole_swingup_model() {
  return {.name = "cartpole_swingup", .h = 0.02, .frame_skip = 2, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -2.5, .hi = 2.5, .damping = 1, .gear = 100,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .damping = 1,
                     .geoms = {{.from = {0, 0}, .to = {0.001, -0.6}, .radius = 0.049}}}},
          .control_range = 3};
}

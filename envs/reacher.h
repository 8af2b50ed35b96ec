// An arm of two links reaches for a target in the plane: Reacher of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain.h"

// The fingertip is a ball on the second link, 0.11 m from its joint. The target is a ball on two slides of its own.
inline Model reacher_model() {
  const Geom link = {.from = {0, 0}, .to = {0.1, 0}, .radius = 0.01};
  const Geom tip = {.from = {0.11, 0}, .to = {0.11, 0}, .radius = 0.01};
  const Geom target = {.from = {0, 0}, .to = {0, 0}, .radius = 0.009};
  return {.name = "reacher", .h = 0.01, .frame_skip = 2, .integrator = Model::rk4,
          .links = {{.name = "arm", .turn = 1, .damping = 1, .armature = 1, .gear = 200, .geoms = {link}},
                    {.name = "forearm", .parent = 0, .at = {0.1, 0}, .turn = 1, .lo = -3, .hi = 3, .damping = 1,
                     .armature = 1, .gear = 200, .geoms = {link, tip}},
                    {.name = "target_x", .axis = {1, 0}, .lo = -0.27, .hi = 0.27},
                    {.name = "target_y", .parent = 2, .axis = {0, 1}, .lo = -0.27, .hi = 0.27, .geoms = {target}}},
          .gravity = {0, 0}};
}

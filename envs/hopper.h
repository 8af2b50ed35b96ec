// One leg hops forward: Hopper of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain.h"

// Coordinate z is the height of the torso's middle. Links that are not neighbours can touch each other.
inline Model hopper_model() {
  const double degree = std::acos(-1.0) / 180;
  const auto leg = [=](const char* name, int parent, const Vec2& at, double lo, double hi, const Geom& geom) {
    return Link{.name = name, .parent = parent, .at = at, .turn = 1, .lo = lo * degree, .hi = hi * degree,
                .damping = 1, .armature = 1, .gear = 200, .geoms = {geom}};
  };
  const Geom torso = {.from = {0, 0.2}, .to = {0, -0.2}, .radius = 0.05, .friction = 0.9};
  return {.name = "hopper", .h = 0.002, .frame_skip = 4, .integrator = Model::rk4,
          .links = {{.name = "x", .axis = {1, 0}},
                    {.name = "z", .parent = 0, .axis = {0, 1}},
                    {.name = "torso", .parent = 1, .turn = -1, .geoms = {torso}},
                    leg("thigh", 2, {0, -0.2},  -150, 0, {{0, 0}, {0, -0.45}, 0.05, 0.9}),
                    leg("shin",  3, {0, -0.45}, -150, 0, {{0, 0}, {0, -0.5}, 0.04, 0.9}),
                    leg("foot",  4, {0, -0.5},  -45, 45, {{-0.13, 0}, {0.26, 0}, 0.06, 2})},
          .contact = {0.8, 0.8, 0.01}, .floor = true, .self_contact = true, .contact_margin = 0.001};
}

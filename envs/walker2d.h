// Two legs walk forward: Walker2d of OpenAI Gym (v2 to v4).
#pragma once
#include <numbers>
#include "envs/chain_env.h"

// Coordinate z is the height of the torso's middle. The feet differ in friction, as in the original.
inline Model walker2d_model() {
  const double degree = std::numbers::pi / 180;
  const auto leg = [=](const char* name, int parent, const Vec2& at, double lo, double hi, const Geom& geom) {
    return Link{.name = name, .parent = parent, .at = at, .turn = 1, .lo = lo * degree, .hi = hi * degree,
                .damping = 0.1, .armature = 0.01, .gear = 100, .geoms = {geom}};
  };
  const Geom torso = {.from = {0, 0.2}, .to = {0, -0.2}, .radius = 0.05, .friction = 0.9};
  const Geom thigh = {.from = {0, 0}, .to = {0, -0.45}, .radius = 0.05, .friction = 0.9};
  const Geom shin = {.from = {0, 0}, .to = {0, -0.5}, .radius = 0.04, .friction = 0.9};
  const Geom foot = {.from = {0, 0}, .to = {0.2, 0}, .radius = 0.06, .friction = 0.9};
  Geom left_foot = foot;
  left_foot.friction = 1.9;
  return {.name = "walker2d", .h = 0.002, .frame_skip = 4, .integrator = Model::rk4,
          .links = {{.name = "x", .axis = {1, 0}},
                    {.name = "z", .parent = 0, .axis = {0, 1}},
                    {.name = "torso", .parent = 1, .turn = -1, .geoms = {torso}},
                    leg("thigh",      2, {0, -0.2},  -150, 0, thigh),
                    leg("shin",       3, {0, -0.45}, -150, 0, shin),
                    leg("foot",       4, {0, -0.5},  -45, 45, foot),
                    leg("left thigh", 2, {0, -0.2},  -150, 0, thigh),
                    leg("left shin",  6, {0, -0.45}, -150, 0, shin),
                    leg("left foot",  7, {0, -0.5},  -45, 45, left_foot)},
          .floor = true, .floor_friction = 0.7};
}

struct Walker2d : ChainEnv<Walker2d, 9> {
  Walker2d() : ChainEnv(walker2d_model()) {
    about = "walk forward on two legs, in the plane", state_dim = 17, has_reward = false;
    reward_rule = "(x' - x)/dt + 1 - 0.001 sum u^2";
    follow = true;
  }
  void start_at(Sim& sim, Rng& rng) const {
    sim(1, 0) = 1.25;
    add_uniform(sim, 0, 18, 0.005, rng);
  }
  Sim observation(const Sim& sim) const override {
    return concat<double>(q(sim, 1, 8), v(sim).max(-10).min(10));
  }
  template <class T> T ended_at(const T& s) const {
    return 1 - (s.row(0) > 0.8 && s.row(0) < 2 && s.row(1).abs() < 1).template cast<typename T::Scalar>();
  }
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override { return progress(sim, a, next, 1e-3) + 1; }
};

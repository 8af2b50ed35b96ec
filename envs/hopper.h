// One leg hops forward: Hopper of OpenAI Gym (v2 to v4).
#pragma once
#include <numbers>
#include "envs/chain_env.h"

// Coordinate z is the height of the torso's middle. Links that are not neighbours can touch each other.
inline Model hopper_model() {
  const double degree = std::numbers::pi / 180;
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

struct Hopper : ChainEnv<Hopper, 6> {
  Hopper() : ChainEnv(hopper_model()) {
    about = "hop forward on one leg, in the plane", state_dim = 11, has_reward = false;
    reward_rule = "(x' - x)/dt + 1 - 0.001 sum u^2";
    follow = true;
  }
  void start_at(Sim& sim, Rng& rng) const {
    sim(1, 0) = 1.25;
    add_uniform(sim, 0, 12, 0.005, rng);
  }
  Sim observation(const Sim& sim) const override {
    return concat<double>(q(sim, 1, 5), v(sim).max(-10).min(10));
  }
  // Upright, at height, and nothing runs away: |.| < 100 for all but the height.
  template <class T> T ended_at(const T& s) const {
    const auto bounded = (s.bottomRows(10).abs() < 100).colwise().all();
    return 1 - (s.row(0) > 0.7 && s.row(1).abs() < 0.2 && bounded).template cast<typename T::Scalar>();
  }
  Sim ended(const Sim& sim) const override { return ended_at<Sim>(sim.middleRows(1, 11)); }  // speeds not clipped
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override { return progress(sim, a, next, 1e-3) + 1; }
};

// Three links swim in a viscous plane: Swimmer of OpenAI Gym (v2 to v4).
#pragma once
#include <numbers>
#include "envs/chain_env.h"

inline Model swimmer_model() {
  const double bend = std::numbers::pi * 100 / 180;
  const std::vector<Geom> link = {{.from = {0, 0}, .to = {-1, 0}, .radius = 0.1}};
  return {.name = "swimmer", .h = 0.01, .frame_skip = 4, .integrator = Model::rk4,
          .links = {{.name = "x", .axis = {1, 0}, .armature = 0.1},
                    {.name = "y", .parent = 0, .axis = {0, 1}, .armature = 0.1},
                    {.name = "head", .parent = 1, .turn = 1, .armature = 0.1,
                     .geoms = {{.from = {1.5, 0}, .to = {0.5, 0}, .radius = 0.1}}},
                    {.name = "mid", .parent = 2, .at = {0.5, 0}, .turn = 1, .lo = -bend, .hi = bend, .armature = 0.1,
                     .gear = 150, .geoms = link},
                    {.name = "back", .parent = 3, .at = {-1, 0}, .turn = 1, .lo = -bend, .hi = bend, .armature = 0.1,
                     .gear = 150, .geoms = link}},
          .gravity = {0, 0}, .fluid_density = 4000, .fluid_viscosity = 0.1};
}

struct Swimmer : ChainEnv<Swimmer, 5> {
  Swimmer() : ChainEnv(swimmer_model()) {
    about = "swim along x with three links", state_dim = 8, has_reward = false;
    reward_rule = "(x' - x)/dt - 0.0001 sum u^2";
    view = {-3, 3, -2.5, 2.5}, follow = true;
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, 10, 0.1, rng); }
  Sim observation(const Sim& sim) const override { return sim.middleRows(2, 8); }
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override { return progress(sim, a, next, 1e-4); }
};

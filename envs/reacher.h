// An arm of two links reaches for a target in the plane: Reacher of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain_env.h"

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

struct Reacher : ChainEnv<Reacher, 4> {
  Reacher() : ChainEnv(reacher_model()) {
    about = "move a fingertip to a target", state_dim = 11, time_limit = 50;
    reward_rule = "-|tip - target| - sum u^2, positions before the step";
    view = {-0.3, 0.3, -0.3, 0.3};
  }
  void start_at(Sim& sim, Rng& rng) const {
    add_uniform(sim, 0, 2, 0.1, rng);
    Vec2 target;
    do target = {rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)};
    while (target.norm() >= 0.2);
    sim(2, 0) = target.x(), sim(3, 0) = target.y();
    add_uniform(sim, 4, 2, 0.005, rng);
  }
  // cos and sin of the joints, target, speeds, tip - target (its z is 0)
  Sim observation(const Sim& sim) const override {
    Sim s(11, sim.cols());
    const Sim sum = sim.row(0) + sim.row(1);
    s << q(sim, 0, 2).cos(), q(sim, 0, 2).sin(), q(sim, 2, 2), v(sim, 0, 2),
        0.1 * sim.row(0).cos() + 0.11 * sum.cos() - sim.row(2), 0.1 * sim.row(0).sin() + 0.11 * sum.sin() - sim.row(3),
        0 * sim.row(0);
    return s;
  }
  template <class T> T reward_of(const T& s, const T& a, const T&) const {
    const T gap = rows(s, 8, 3), distance = sqrt(colwise_sum(T(square(gap))) + 1e-16);  // 1e-16: finite gradient at 0
    return -distance - colwise_sum(T(square(a)));
  }
};

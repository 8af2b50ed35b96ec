// Four legs run forward in space: Ant of Gymnasium (v4), and as MBPO uses it (the forces of contacts cost). On MuJoCo.
#pragma once
#include "envs/mujoco/ant_model.h"
#include "envs/mujoco_env.h"

struct Ant : MujocoEnv<Ant> {
  double contact_cost;

  explicit Ant(double contact_cost = 0) : MujocoEnv(ant_xml, 5), contact_cost(contact_cost) {
    name = "ant", about = "run forward on four legs", state_dim = 27, has_reward = false;
    reward_rule = "(torso x' - x)/dt + 1 - 0.5 sum u^2";
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, nq, 0.1, rng), add_normal(sim, nq, nv, 0.1, rng); }
  Sim observation(const Sim& sim) const override { return sim.middleRows(2, 27); }
  template <class T> T ended_at(const T& s) const {
    const auto finite = s.isFinite().colwise().all();
    return 1 - (s.row(0) >= 0.2 && s.row(0) <= 1 && finite).template cast<typename T::Scalar>();
  }
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override {
    Sim r = (next.row(0) - sim.row(0)) / dt() + 1 - 0.5 * a.square().colwise().sum();
    if (contact_cost > 0) r -= contact_cost * contact_forces(next, 1);
    return r;
  }
};

struct AntTruncated : Ant {
  AntTruncated() : Ant(0.0005) {
    name = "ant_truncated", reward_rule += " - 0.0005 sum clip(cfrc_ext, +-1)^2";
  }
};

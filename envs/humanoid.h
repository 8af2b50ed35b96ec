// A humanoid runs forward: Humanoid of Gymnasium (v4), and as MBPO uses it (truncated observation, impacts cost).
// On MuJoCo.
#pragma once
#include "envs/mujoco/humanoid_model.h"
#include "envs/mujoco_env.h"

struct Humanoid : MujocoEnv<Humanoid> {
  bool truncated;  // MBPO's

  explicit Humanoid(bool truncated = false) : MujocoEnv(humanoid_xml, 5), truncated(truncated) {
    name = "humanoid", about = "run forward on two legs", state_dim = truncated ? 45 : 376, has_reward = false;
    reward_rule = "1.25 (com x' - x)/dt + 5 - 0.1 sum u^2";
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, nq + nv, 0.01, rng); }

  // positions without x and y, speeds; not truncated: cinert, cvel, qfrc_actuator, cfrc_ext as MuJoCo names them
  Sim observation(const Sim& sim) const override {
    if (truncated) return sim.middleRows(2, 45);
    Sim s(376, sim.cols());
    s.topRows(45) = sim.middleRows(2, 45);
    everything(sim, [&](Eigen::Index i, const mjData& d) {
      double* out = &s(45, i);
      out = std::copy_n(d.cinert, 140, out), out = std::copy_n(d.cvel, 84, out);
      out = std::copy_n(d.qfrc_actuator, 23, out), std::copy_n(d.cfrc_ext, 84, out);
    });
    return s;
  }
  template <class T> T ended_at(const T& s) const {
    return 1 - (s.row(0) > 1 && s.row(0) < 2).template cast<typename T::Scalar>();
  }
  Sim ended(const Sim& sim) const override { return ended_at<Sim>(sim.row(2)); }
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override {
    Sim r = 1.25 * (com_x(next) - com_x(sim)) / dt() + 5 - 0.1 * (0.4 * a).square().colwise().sum();
    if (truncated) r -= (5e-7 * contact_forces(next, 1e300)).min(10);
    return r;
  }
  Sim com_x(const Sim& sim) const {
    Sim x(1, sim.cols());
    positions(sim, [&](Eigen::Index i, const mjData& d) { x(i) = d.subtree_com[0]; });
    return x;
  }
};

struct HumanoidTruncated : Humanoid {
  HumanoidTruncated() : Humanoid(true) {
    name = "humanoid_truncated", reward_rule += " - min(5e-7 sum cfrc_ext^2, 10)";
  }
};

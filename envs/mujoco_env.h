// A task on MuJoCo. A simulator state is qpos, qvel, then hidden: the solver's warm start and the last control, so
// that a state continues exactly as the simulator itself would.
#pragma once
#include <algorithm>
#include <mutex>
#include "envs/env.h"
#include "envs/mujoco/simulator.h"

template <class Task> struct MujocoEnv : EnvOf<Task> {
  int frame_skip, nq, nv, nu;
  Drawing view{-2.5, 2.5, -0.4, 2.1};
  bool follow = true, from_above = false;  // draw: along x with the body; x and y instead of x and z

  MujocoEnv(const std::string& xml, int frame_skip) : frame_skip(frame_skip), simulator(xml) {
    const mjModel& m = *simulator.model;
    nq = m.nq, nv = m.nv, nu = m.nu;
    for (int i = 0; i < nq; ++i) this->sim_names.push_back("qpos_" + std::to_string(i));
    for (int i = 0; i < nv; ++i) this->sim_names.push_back("qvel_" + std::to_string(i));
    this->hidden = nv + nu, this->action_dim = nu, this->time_limit = 1000;
    for (int i = 0; i < nu; ++i) this->action_scale.push_back(m.actuator_ctrlrange[2 * i + 1]);
  }

  double dt() const { return simulator.model->opt.timestep * frame_skip; }
  Sim advance(const Sim& sim, const Sim& a) const override {
    const std::lock_guard lock(busy);
    Sim next = sim;
    for (Eigen::Index i = 0; i < sim.cols(); ++i) {
      mjData& d = place(sim, i);
      for (int k = 0; k < nu; ++k) d.ctrl[k] = this->action_scale[k] * a(k, i);  // clamped by the simulator
      for (int k = 0; k < frame_skip; ++k) mj_step(simulator.model.get(), &d);
      std::copy_n(d.qpos, nq, &next(0, i)), std::copy_n(d.qvel, nv, &next(nq, i));
      std::copy_n(d.qacc_warmstart, nv, &next(nq + nv, i)), std::copy_n(d.ctrl, nu, &next(nq + 2 * nv, i));
      next(next.rows() - 1, i) += 1;
    }
    return next;
  }
  Sim start(Rng& rng) const override {
    Sim sim = Sim::Zero(this->sim_dim(), 1);
    std::copy_n(simulator.model->qpos0, nq, sim.data());
    static_cast<const Task&>(*this).start_at(sim, rng);
    return sim;
  }

  // Column by column: f(i, data) with body positions at that state (positions), or with forces as well (everything).
  template <class F> void positions(const Sim& sim, F f) const {
    const std::lock_guard lock(busy);
    for (Eigen::Index i = 0; i < sim.cols(); ++i) {
      mjData& d = place(sim, i);
      mj_kinematics(simulator.model.get(), &d), mj_comPos(simulator.model.get(), &d);
      f(i, static_cast<const mjData&>(d));
    }
  }
  template <class F> void everything(const Sim& sim, F f) const {
    const std::lock_guard lock(busy);
    for (Eigen::Index i = 0; i < sim.cols(); ++i) {
      mjData& d = place(sim, i);
      mj_forward(simulator.model.get(), &d), mj_rnePostConstraint(simulator.model.get(), &d);
      f(i, static_cast<const mjData&>(d));
    }
  }
  // sum of cfrc_ext^2, entries clipped to [-bound, bound]: the forces of contacts on the bodies
  Sim contact_forces(const Sim& sim, double bound) const {
    Sim sum(1, sim.cols());
    everything(sim, [&](Eigen::Index i, const mjData& d) {
      const Eigen::Map<const Eigen::ArrayXd> force(d.cfrc_ext, 6 * simulator.model->nbody);
      sum(i) = force.max(-bound).min(bound).square().sum();
    });
    return sum;
  }
  static void add_uniform(Sim& sim, int first, int n, double size, Rng& rng) {
    for (int i = 0; i < n; ++i) sim(first + i, 0) += rng.uniform(-size, size);
  }
  static void add_normal(Sim& sim, int first, int n, double size, Rng& rng) {
    for (int i = 0; i < n; ++i) sim(first + i, 0) += size * rng.normal();
  }

  Drawing draw(const Sim& sim) const override {
    Drawing picture = view;
    if (follow) picture.left += sim(0, 0), picture.right += sim(0, 0);
    if (!from_above) picture.strokes.push_back({picture.left, -0.02, picture.right, -0.02, 0.02, 4});
    positions(sim, [&](Eigen::Index, const mjData& d) {
      const mjModel& m = *simulator.model;
      const int up = from_above ? 1 : 2;
      for (int g = 0; g < m.ngeom; ++g) {
        if (m.geom_type[g] == mjGEOM_PLANE) continue;
        const double *centre = d.geom_xpos + 3 * g, *R = d.geom_xmat + 9 * g, *size = m.geom_size + 3 * g;
        const double half = m.geom_type[g] == mjGEOM_SPHERE ? 0 : size[1];
        const double x = half * R[2], y = half * R[3 * up + 2];
        picture.strokes.push_back({centre[0] - x, centre[up] - y, centre[0] + x, centre[up] + y, size[0],
                                   1 + m.geom_bodyid[g] % 3});
      }
    });
    return picture;
  }

 protected:
  const Simulator simulator;

 private:
  mutable std::mutex busy;  // one simulator: one thread at a time
  mjData& place(const Sim& sim, Eigen::Index i) const {  // a step depends on nothing but these
    mjData& d = *simulator.data;
    std::copy_n(&sim(0, i), nq, d.qpos), std::copy_n(&sim(nq, i), nv, d.qvel);
    std::copy_n(&sim(nq + nv, i), nv, d.qacc_warmstart), std::copy_n(&sim(nq + 2 * nv, i), nu, d.ctrl);
    return d;
  }
};

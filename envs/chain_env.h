// A robot of chain.h as an environment. A simulator state is q, v, the task's hidden rows, the step count.
#pragma once
#include "envs/chain.h"
#include "envs/env.h"

template <class Task, int N> struct ChainEnv : EnvOf<Task> {
  using Vec = typename Chain<N>::Vec;
  Chain<N> chain;
  std::vector<int> motors;                  // their joints, in the order of the actions
  Drawing view{-2.5, 2.5, -0.4, 2.1};       // what draw shows
  bool follow = false;                      // view moves along with q_0

  explicit ChainEnv(const Model& model) : chain(model) {
    this->name = model.name;
    for (int i = 0; i < N; ++i)
      if (model.links[i].gear != 0) motors.push_back(i);
    this->action_dim = int(motors.size());
    this->action_scale.assign(motors.size(), model.control_range);
    for (const char* what : {"qpos_", "qvel_"})
      for (int i = 0; i < N; ++i) this->sim_names.push_back(what + std::to_string(i));
    this->time_limit = 1000;
  }

  double dt() const { return chain.model.h * chain.model.frame_skip; }
  static auto q(const Sim& sim, int first = 0, int n = N) { return sim.middleRows(first, n); }
  static auto v(const Sim& sim, int first = 0, int n = N) { return sim.middleRows(N + first, n); }

  // a (action_dim) in [-1, 1] as controls, one a joint.
  template <class Column> Vec control(const Column& a) const {
    Vec u = Vec::Zero();
    for (std::size_t k = 0; k < motors.size(); ++k) u[motors[k]] = chain.model.control_range * a[k];
    return u;
  }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next = sim;
    for_columns(sim.cols(), [&](Eigen::Index i) {
      Vec q = sim.col(i).template head<N>(), v = sim.col(i).template segment<N>(N);
      const Vec u = control(a.col(i));
      for (int k = 0; k < chain.model.frame_skip; ++k) chain.step(q, v, u);
      next.col(i).template head<N>() = q, next.col(i).template segment<N>(N) = v;
      next(next.rows() - 1, i) += 1;
    });
    return next;
  }
  Sim start(Rng& rng) const override {
    Sim sim = Sim::Zero(this->sim_dim(), 1);
    static_cast<const Task&>(*this).start_at(sim, rng);
    return sim;
  }
  // Adds U(-size, size) or size N(0, 1) to n rows.
  static void add_uniform(Sim& sim, int first, int n, double size, Rng& rng) {
    for (int i = 0; i < n; ++i) sim(first + i, 0) += rng.uniform(-size, size);
  }
  static void add_normal(Sim& sim, int first, int n, double size, Rng& rng) {
    for (int i = 0; i < n; ++i) sim(first + i, 0) += size * rng.normal();
  }

  // (x' - x)/dt - cost sum a^2, of the robots that run
  Sim progress(const Sim& sim, const Sim& a, const Sim& next, double cost) const {
    return (next.row(0) - sim.row(0)) / dt() - cost * a.square().colwise().sum();
  }
  Drawing draw(const Sim& sim) const override {
    Drawing d = view;
    if (follow) d.left += sim(0, 0), d.right += sim(0, 0);
    if (chain.model.floor) {
      d.strokes.push_back({d.left, -0.02, d.right, -0.02, 0.02, 4});
      for (double x = std::ceil(d.left); x < d.right; ++x) d.strokes.push_back({x, -0.3, x, -0.05, 0.02, 4});
    }
    if (const Link& cart = chain.model.links[0]; cart.axis.x() != 0 && std::isfinite(cart.lo))
      d.strokes.push_back({cart.lo, 0, cart.hi, 0, 0.01, 4});  // the rail
    const auto pose = chain.pose(sim.col(0).template head<N>(), Vec::Zero());
    for (int i = 0; i < N; ++i) {
      for (const Geom& g : chain.model.links[i].geoms) {
        const Vec2 from = pose.point(i, g.from), to = pose.point(i, g.to);
        d.strokes.push_back({from.x(), from.y(), to.x(), to.y(), g.radius, 1 + i % 3});
      }
    }
    return d;
  }
};

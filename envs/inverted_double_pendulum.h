// Keep two poles, one on top of the other, upright on a cart: InvertedDoublePendulum of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain_env.h"

// Both poles stand at angle 0. Gravity leans a little, as in the original.
inline Model inverted_double_pendulum_model() {
  const std::vector<Geom> pole = {{.from = {0, 0}, .to = {0, 0.6}, .radius = 0.045}};
  return {.name = "inverted_double_pendulum", .h = 0.01, .frame_skip = 5, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -1, .hi = 1, .damping = 0.05, .gear = 500,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .damping = 0.05, .geoms = pole},
                    {.name = "pole2", .parent = 1, .at = {0, 0.6}, .turn = -1, .damping = 0.05, .geoms = pole}},
          .gravity = {1e-5, -9.81}, .limit_margin = 0.01};
}

struct InvertedDoublePendulum : ChainEnv<InvertedDoublePendulum, 3> {
  InvertedDoublePendulum() : ChainEnv(inverted_double_pendulum_model()) {
    about = "keep two poles, one on top of the other, upright on a cart", state_dim = 11, hidden = 1;
    reward_rule = "10 - 0.01 X^2 - (Z - 2)^2 - 0.001 w1^2 - 0.005 w2^2, tip (X, Z), hinge speeds w, after the step";
    view = {-1.6, 1.6, -0.8, 1.5};
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, 3, 0.1, rng), add_normal(sim, 3, 3, 0.1, rng); }

  // The hidden row is the last action: the force of the slider's limit, which is observed, depends on it.
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next = ChainEnv::advance(sim, a);
    next.row(6) = a;
    return next;
  }
  Sim observation(const Sim& sim) const override {
    Sim s(11, sim.cols());
    s.topRows(5) << sim.row(0), q(sim, 1, 2).sin(), q(sim, 1, 2).cos();
    s.middleRows(5, 3) = v(sim).max(-10).min(10);
    for (Eigen::Index i = 0; i < sim.cols(); ++i) {
      const Vec u = control(sim.col(i).segment<1>(6));
      const Vec force = chain.constraint_force(sim.col(i).head<3>(), sim.col(i).segment<3>(3), u);
      s.col(i).tail<3>() = force.array().max(-10).min(10);
    }
    return s;
  }

  template <class T> struct Tip { T X, Z; };
  template <class T> Tip<T> tip(const T& s) const {  // the second pole's angle is the sum of the hinges'
    const T s1 = rows(s, 1, 1), s2 = rows(s, 2, 1), c1 = rows(s, 3, 1), c2 = rows(s, 4, 1);
    return {rows(s, 0, 1) + 0.6 * (s1 + s1 * c2 + c1 * s2), 0.6 * (c1 + c1 * c2 - s1 * s2)};
  }
  template <class T> T ended_at(const T& s) const {
    return 1 - (tip(s).Z > 1).template cast<typename T::Scalar>();
  }
  template <class T> T reward_of(const T&, const T&, const T& s_next) const {
    return reward_with(s_next, rows(s_next, 6, 2));  // of the clipped speeds
  }
  template <class T> T reward_with(const T& s_next, const T& w) const {
    const Tip<T> p = tip(s_next);
    const T w1 = rows(w, 0, 1), w2 = rows(w, 1, 1);
    return 10.0 - (0.01 * square(p.X) + square(p.Z - 2.0)) - (0.001 * square(w1) + 0.005 * square(w2));
  }
  Sim rewards(const Sim&, const Sim&, const Sim& next) const override {
    return reward_with<Sim>(observation(next), v(next, 1, 2));
  }
};

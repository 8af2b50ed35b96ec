// An arm of 7 joints reaches for a point in space: the reacher of PETS.
#pragma once
#include <numbers>
#include "envs/arm.h"
#include "envs/env.h"

inline Arm<7> reacher7_arm() {
  const double free = std::numeric_limits<double>::infinity();
  const Vec3 x = Vec3::UnitX(), y = Vec3::UnitY(), z = Vec3::UnitZ(), here = Vec3::Zero();
  const auto ball = [](double x, double y, double z, double radius) { return Tube{{x, y, z}, {x, y, z}, radius}; };
  const Vec3 left{0.07691, 0.03, 0}, right{0.07691, -0.03, 0}, out{0.09137, 0, 0}, spread{0.09137, 0.00495, 0};
  const Vec3 left_tip = left + spread, right_tip = right + Vec3(0.09137, -0.00495, 0);
  return Arm<7>({{
      // joint in the link before, axis, limits, damping, tubes
      {{0, -0.188, 0}, z, -2.2854, 1.714602, 10,
       {{{0, 0, -0.4}, {0, 0, 0.2}, 0.1}, ball(-0.06, 0.05, 0.2, 0.05), ball(0.06, 0.05, 0.2, 0.05),
        ball(-0.06, 0.09, 0.2, 0.03), ball(0.06, 0.09, 0.2, 0.03)}},                      // shoulder pan, with the head
      {{0.1, 0, 0}, y, -0.5236, 1.3963, 10, {{{0, -0.1, 0}, {0, 0.1, 0}, 0.1}}},          // shoulder lift
      {here, x, -3.9, 0.8, 0.1, {{-0.1 * x, 0.1 * x, 0.02}, {here, 0.4 * x, 0.06}}},      // upper arm roll
      {{0.4, 0, 0}, y, -2.3213, 0, 1, {{-0.02 * y, 0.02 * y, 0.06}}},                     // elbow
      {here, x, -free, free, 0.1, {{-0.1 * x, 0.1 * x, 0.02}, {here, 0.321 * x, 0.05}}},  // forearm roll
      {{0.321, 0, 0}, y, -2.094, 0, 0.1, {{-0.02 * y, 0.02 * y, 0.01}}},                    // wrist
      {here, x, -free, free, 0.1,                                                         // wrist roll, with the hand
       {{-0.02 * x, 0.02 * x, 0.01}, {{0.05, 0, -0.02}, {0.05, 0, 0.02}, 0.05}, {left, left_tip, 0.01},
        {left_tip, left_tip + out, 0.01}, {right, right_tip, 0.01}, {right_tip, right_tip + out, 0.01}}},
  }}, 0.01, 1000, 0.04);
}

// A simulator state is q (7), target (3), v (7), the target's speed (3), the step count. The target meets no force.
struct Reacher7 : EnvOf<Reacher7> {
  Arm<7> arm = reacher7_arm();

  Reacher7() {
    name = "reacher7", about = "reach for a point in space with an arm of 7 joints";
    reward_rule = "-|tip - target|^2 - 0.01 sum u^2, positions after the step";
    state_dim = 17, action_dim = 7, time_limit = 150, action_scale.assign(7, 20);
    for (const char* what : {"qpos_", "qvel_"})
      for (int i = 0; i < 10; ++i) sim_names.push_back(what + std::to_string(i));
  }
  Sim start(Rng& rng) const override {
    Sim sim = Sim::Zero(21, 1);
    sim(8) = 0.25;
    for (int i = 7; i < 10; ++i) sim(i) += 0.1 * rng.normal();
    return sim;
  }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next = sim;
    next.middleRows(7, 3) += 2 * arm.h * sim.middleRows(17, 3);
    for_columns(sim.cols(), [&](Eigen::Index i) {
      Vector<7> q = sim.col(i).segment<7>(0), v = sim.col(i).segment<7>(10);
      const Vector<7> torque = 20 * a.col(i).max(-1).min(1);
      for (int k = 0; k < 2; ++k) arm.step(q, v, torque);
      next.col(i).segment<7>(0) = q, next.col(i).segment<7>(10) = v;
      next(20, i) += 1;
    });
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(17); }  // all positions, the arm's speeds

  // The tip from the joints: along the upper arm, then two bends, each after a roll about the arm so far.
  template <class T> T tip(const T& s) const {
    const T q0 = rows(s, 0, 1), q1 = rows(s, 1, 1), c0 = cos(q0), s0 = sin(q0), c1 = cos(q1), s1 = sin(q1);
    const T a1 = concat(T(c1 * c0), T(c1 * s0), T(-s1)), y1 = concat(T(-s0), c0, T(0.0 * c0));
    const T base = concat(T(0.1 * c0), T(0.1 * s0 - 0.188), T(0.0 * c0));
    const auto [a2, y2] = bend(a1, y1, rows(s, 2, 1), rows(s, 3, 1));
    const auto [a3, y3] = bend(a2, y2, rows(s, 4, 1), rows(s, 5, 1));
    return base + 0.4 * a1 + 0.321 * a2 + 0.16828 * a3;
  }
  template <class T> T reward_of(const T&, const T& a, const T& s_next) const {
    const T gap = tip(s_next) - rows(s_next, 7, 3);
    return -colwise_sum(T(square(gap))) - 4.0 * colwise_sum(T(square(a)));  // 0.01 u^2, u = 20 a
  }
  Drawing draw(const Sim& sim) const override {  // from above
    Drawing d{-0.6, 1.2, -0.9, 0.9};
    const auto frames = arm.frames(sim.col(0).head<7>());
    for (int i = 0; i < 7; ++i) {
      for (const Tube& t : arm.links[i].tubes) {
        const Vec3 from = frames[i].joint + frames[i].turn * t.from, to = frames[i].joint + frames[i].turn * t.to;
        d.strokes.push_back({from.x(), from.y(), to.x(), to.y(), t.radius, 1 + i % 3});
      }
    }
    d.strokes.push_back({sim(7, 0), sim(8, 0), sim(7, 0), sim(8, 0), 0.035, 5});
    return d;
  }

 private:
  template <class T> struct Direction { T arm, side; };
  template <class T> static T times(const T& scale, const T& v) {  // (1, n) times (3, n)
    return concat(T(scale * rows(v, 0, 1)), T(scale * rows(v, 1, 1)), T(scale * rows(v, 2, 1)));
  }
  template <class T> static T cross(const T& a, const T& b) {
    const auto entry = [&](int i, int j) { return T(rows(a, i, 1) * rows(b, j, 1) - rows(a, j, 1) * rows(b, i, 1)); };
    return concat(entry(1, 2), entry(2, 0), entry(0, 1));
  }
  // y' = cos(roll) y + sin(roll) n with n = a x y: the axis of the bend;   a' = cos(bend) a + sin(bend) a x y' turned:
  // a' = cos(bend) a + sin(bend) (sin(roll) y - cos(roll) n)
  template <class T> static Direction<T> bend(const T& a, const T& y, const T& roll, const T& angle) {
    const T n = cross(a, y), cr = cos(roll), sr = sin(roll), cb = cos(angle), sb = sin(angle);
    const T down = times(sr, y) - times(cr, n);
    return {times(cb, a) + times(sb, down), times(cr, y) + times(sr, n)};
  }
};

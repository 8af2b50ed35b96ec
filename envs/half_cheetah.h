// A cheetah cut in half runs forward: HalfCheetah of OpenAI Gym (v2 to v4).
#pragma once
#include "envs/chain_env.h"

inline Model half_cheetah_model() {
  const auto leg = [](const char* name, int parent, const Vec2& at, double lo, double hi, double damping,
                      double stiffness, double gear, const Geom& geom) {
    return Link{.name = name, .parent = parent, .at = at, .turn = -1, .lo = lo, .hi = hi, .damping = damping,
                .stiffness = stiffness, .armature = 0.1, .gear = gear, .geoms = {geom}};
  };
  const auto bone = [](const Vec2& middle, double tilt, double half) { return tilted(middle, tilt, half, 0.046, 0.4); };
  const Geom spine = {.from = {-0.5, 0}, .to = {0.5, 0}, .radius = 0.046, .friction = 0.4};
  const Geom head = bone({0.6, 0.1}, 0.87, 0.15);
  return {.name = "half_cheetah", .h = 0.01, .frame_skip = 5, .integrator = Model::euler,
          .links = {
              {.name = "x", .axis = {1, 0}},
              {.name = "z", .parent = 0, .at = {0, 0.7}, .axis = {0, 1}},
              {.name = "torso", .parent = 1, .turn = -1, .geoms = {spine, head}},
              //          parent, at              limits         damping, stiffness, gear  middle, tilt, half
              leg("back thigh",  2, {-0.5, 0},      -0.52, 1.05,   6, 240, 120,    bone({0.1, -0.13}, -3.8, 0.145)),
              leg("back shin",   3, {0.16, -0.25},  -0.785, 0.785, 4.5, 180, 90,   bone({-0.14, -0.07}, -2.03, 0.15)),
              leg("back foot",   4, {-0.28, -0.14}, -0.4, 0.785,   3, 120, 60,     bone({0.03, -0.097}, -0.27, 0.094)),
              leg("front thigh", 2, {0.5, 0},       -1, 0.7,       4.5, 180, 120,  bone({-0.07, -0.12}, 0.52, 0.133)),
              leg("front shin",  6, {-0.14, -0.24}, -1.2, 0.87,    3, 120, 60,     bone({0.065, -0.09}, -0.6, 0.106)),
              leg("front foot",  7, {0.13, -0.18},  -0.5, 0.5,     1.5, 60, 30,    bone({0.045, -0.07}, -0.6, 0.07)),
          },
          .total_mass = 14, .limit = {0, 0.8, 0.03}, .contact = {0, 0.8, 0.01}, .floor = true, .floor_friction = 0.4};
}

struct HalfCheetah : ChainEnv<HalfCheetah, 9> {
  HalfCheetah() : ChainEnv(half_cheetah_model()) {
    about = "run forward on two legs, in the plane", state_dim = 17, has_reward = false;
    reward_rule = "(x' - x)/dt - 0.1 sum u^2";
    follow = true;
  }
  void start_at(Sim& sim, Rng& rng) const { add_uniform(sim, 0, 9, 0.1, rng), add_normal(sim, 9, 9, 0.1, rng); }
  Sim observation(const Sim& sim) const override { return sim.middleRows(1, 17); }
  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override { return progress(sim, a, next, 0.1); }
};

// The same robot as PETS observes it: the first row of s is the mean speed (x' - x)/dt of the last step.
struct HalfCheetahPets : ChainEnv<HalfCheetahPets, 9> {
  HalfCheetahPets() : ChainEnv(half_cheetah_model()) {
    name = "half_cheetah_pets", about = "half_cheetah in the observation of PETS", state_dim = 18, hidden = 1;
    reward_rule = "(x' - x)/dt - 0.1 sum u^2, the first part is s'_0";
    follow = true;
  }
  void start_at(Sim& sim, Rng& rng) const { add_normal(sim, 0, 18, 0.001, rng); }
  Sim advance(const Sim& sim, const Sim& a) const override {  // the hidden row is x' - x
    Sim next = ChainEnv::advance(sim, a);
    next.row(18) = next.row(0) - sim.row(0);
    return next;
  }
  Sim observation(const Sim& sim) const override { return concat<double>(sim.row(18) / dt(), sim.middleRows(1, 17)); }

  template <class T> T reward_of(const T&, const T& a, const T& s_next) const {
    return rows(s_next, 0, 1) - 0.1 * colwise_sum(T(square(a)));
  }
  // The network sees sin and cos of the torso's angle; it gives the speed itself and the differences of the rest.
  template <class T> T input_of(const T& s) const {
    const T angle = rows(s, 2, 1), sine = sin(angle), cosine = cos(angle);
    return concat(rows(s, 1, 1), sine, cosine, rows(s, 3, 15));
  }
  template <class T> T target_of(const T& s, const T& s_next) const {
    return concat(rows(s_next, 0, 1), T(rows(s_next, 1, 17) - rows(s, 1, 17)));
  }
  template <class T> T apply_to(const T& s, const T& y) const {
    return concat(rows(y, 0, 1), T(rows(s, 1, 17) + rows(y, 1, 17)));
  }
};

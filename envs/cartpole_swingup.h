// Swing a pole up on a cart: the cart-pole of PETS.
#pragma once
#include "envs/chain_env.h"

// The pole hangs at angle 0 and may turn freely.
inline Model cartpole_swingup_model() {
  return {.name = "cartpole_swingup", .h = 0.02, .frame_skip = 2, .integrator = Model::rk4,
          .links = {{.name = "cart", .axis = {1, 0}, .lo = -2.5, .hi = 2.5, .damping = 1, .gear = 100,
                     .geoms = {{.from = {0.1, 0}, .to = {-0.1, 0}, .radius = 0.1}}},
                    {.name = "pole", .parent = 0, .turn = -1, .damping = 1,
                     .geoms = {{.from = {0, 0}, .to = {0.001, -0.6}, .radius = 0.049}}}},
          .control_range = 3};
}

struct CartpoleSwingup : ChainEnv<CartpoleSwingup, 2> {
  CartpoleSwingup() : ChainEnv(cartpole_swingup_model()) {
    about = "swing a pole up on a cart", state_dim = 4, time_limit = 200;
    reward_rule = "exp(-(X^2 + (Z - 0.6)^2) / 0.36) - 0.01 u^2, pole's tip (X, Z) after the step";
    view = {-3, 3, -1, 1};
  }
  void start_at(Sim& sim, Rng& rng) const { add_normal(sim, 0, 4, 0.1, rng); }
  Sim observation(const Sim& sim) const override { return sim.topRows(4); }  // x, theta, x_dot, theta_dot

  template <class T> T reward_of(const T&, const T& a, const T& s_next) const {
    const T theta = rows(s_next, 1, 1), X = rows(s_next, 0, 1) - 0.6 * sin(theta), Z = -0.6 * cos(theta), u = 3.0 * a;
    return exp((square(X) + square(Z - 0.6)) * (-1 / 0.36)) - 0.01 * square(u);
  }
  // The network sees sin and cos of the angle.
  template <class T> T input_of(const T& s) const {
    const T theta = rows(s, 1, 1), sine = sin(theta), cosine = cos(theta);
    return concat(sine, cosine, rows(s, 0, 1), rows(s, 2, 2));
  }
};

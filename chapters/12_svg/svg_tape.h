// The same gradient by the tape: SVG(inf)'s objective as one graph. svg_recursion.h is the one to read first.
#pragma once
#include <cmath>
#include <stdexcept>
#include "chapters/04_pets/transitions.h"  // Transitions

//(b5) V(s) = r(s, a) + gamma V'(f(s, a)), from the first state on:
// J(theta) = sum_t gamma^t r(s_t, a_t) along a recorded trajectory, (1, 1): a = pi(s, eta; theta) and
// s' = f_hat(s, a, xi), with eta and xi inferred and constant. Its gradient is v_theta^0. Throws std::invalid_argument
// for a trajectory without a step.
template <class Policy, class Model>
Var svg_objective(Policy& pi, const Model& f_hat, const Transitions& trajectory, Real gamma, Tape& tape) {
  if (trajectory.size == 0) throw std::invalid_argument("svg: a trajectory needs at least one step");
  const Batch b = trajectory.all();
  const Mat eta = pi.infer(b.s, b.a), xi = f_hat.infer(b);
  Var s = tape.constant(b.s.col(0)), J = tape.zero();
  for (Eigen::Index t = 0; t < b.size(); ++t) {
    const Var a = pi.sample(s, eta.col(t));
    const auto [r, s_next] = f_hat(s, a, xi.col(t));
    J = J + std::pow(gamma, Real(t)) * r;
    s = s_next;
  }
  return J;
}

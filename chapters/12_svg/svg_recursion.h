// The gradient of SVG(inf), by hand: the slide's recursion backwards along a recorded trajectory (slides "From
// Deterministic to Stochastic", "SVG Algorithm and Experiments"; Heess et al. 2015). g_x = dg/dx throughout.
#pragma once
#include <stdexcept>
#include "autodiff/adam.h"
#include "chapters/04_pets/transitions.h"  // Batch

// dy/dx, (dim y, dim x): a matrix, so that a product is the chain rule, as on the slide.
using Jacobian = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;

// All parameters, one after another.
inline Eigen::Index count(const std::vector<Param*>& theta) {
  Eigen::Index n = 0;
  for (const Param* p : theta) n += p->value.size();
  return n;
}

// Of y (k, 1) with respect to x (n, 1) on the same tape, or to all parameters.
inline Jacobian jacobian(Var y, Var x) {
  Jacobian y_x(y.rows(), x.rows());
  for (Eigen::Index i = 0; i < y.rows(); ++i) {
    y.tape->backward(rows(y, i, 1));
    y_x.row(i) = x.grad().whole().matrix().transpose();
  }
  return y_x;
}
inline Jacobian jacobian(Var y, const std::vector<Param*>& theta) {
  Jacobian y_theta(y.rows(), count(theta));
  for (Eigen::Index i = 0, column = 0; i < y.rows(); ++i, column = 0) {
    for (Param* p : theta) p->grad.setZero();
    y.tape->backward(rows(y, i, 1));
    for (const Param* p : theta) {
      y_theta.row(i).segment(column, p->grad.size()) = p->grad.reshaped().matrix().transpose();
      column += p->grad.size();
    }
  }
  return y_theta;
}

//(b6) V_s = r_s + r_a pi_s + gamma V'_s' (f_s + f_a pi_s)
//     V_theta = r_a pi_theta + gamma V'_s' f_a pi_theta + gamma V'_theta
// v_theta^0 of a trajectory whose steps follow one another, (1, number of parameters). The model's gradients are used,
// its predictions are not: with the inferred noise it predicts what was recorded. A Model has f_hat(s, a, xi), which
// returns r and s_next, and infer(batch). Throws std::invalid_argument for a trajectory without a step.
//
// Why V'_theta, if V'_s' f_a pi_theta is there already? This action depends on theta, and changes the future through
// the state it leads to: V'_s' f_a pi_theta. All later actions depend on the same theta, whatever their states:
// V'_theta. Without it only the first action of a trajectory would learn.
template <class Policy, class Model>
Jacobian svg_recursion(Policy& pi, const Model& f_hat, const Transitions& trajectory, Real gamma) {
  if (trajectory.size == 0) throw std::invalid_argument("svg: a trajectory needs at least one step");
  const std::vector<Param*> theta = params(pi);
  Tape tape;
  Jacobian v_s = Jacobian::Zero(1, trajectory.data.s.rows());               //(8) finite horizon
  Jacobian v_theta = Jacobian::Zero(1, count(theta));                       //(9) finite horizon
  for (int t = int(trajectory.size) - 1; t >= 0; --t, tape.clear()) {       //(10) for t = T down to 0 do
    const Batch b = trajectory.at({t});
    const Mat eta = pi.infer(b.s, b.a), xi = f_hat.infer(b);                //(11) Infer xi|(s, a, s'), eta|(s, a)
    const Var s = tape.input(b.s), a = tape.input(b.a), act = pi.sample(s, eta);
    const auto [r, s_next] = f_hat(s, a, xi);
    const Jacobian r_s = jacobian(r, s), r_a = jacobian(r, a);
    const Jacobian f_s = jacobian(s_next, s), f_a = jacobian(s_next, a);
    const Jacobian pi_s = jacobian(act, s), pi_theta = jacobian(act, theta);
    v_theta = r_a * pi_theta + gamma * (v_s * f_a * pi_theta + v_theta);    //(12)
    v_s = r_s + r_a * pi_s + gamma * v_s * (f_s + f_a * pi_s);              //(13)
  }                                                                         //(14)
  return v_theta;
}

// One step up the gradient v_theta, shortened to max_norm. Returns its length before; throws NotFinite if it has none.
inline Real ascend(Adam& opt, const std::vector<Param*>& theta, const Jacobian& v_theta, Real max_norm) {
  const Real norm = v_theta.norm();
  if (!std::isfinite(norm)) throw NotFinite("policy: the norm of the gradient is " + std::to_string(norm));
  Eigen::Index column = 0;
  for (Param* p : theta) {
    p->grad.reshaped() = -v_theta.row(0).segment(column, p->grad.size()).transpose().array();  // Adam goes down
    column += p->grad.size();
  }
  opt.step(norm > max_norm ? max_norm / norm : 1);
  return norm;
}

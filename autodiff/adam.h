// Adam (Kingma and Ba 2015, algorithm 1), with clipping of the gradient's norm and weight decay.
#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>
#include "autodiff/nn.h"

// An optimiser for the given parameters. It refers to them, so they keep their address as long as it is used: a vector
// of layers may be moved, a struct that holds a Param by value may not, and nothing is copied.
struct Adam {
  Real lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  long t = 0;            // steps taken
  std::vector<Mat> m, v;  // first and second moment of each gradient

  Adam(std::vector<Param*> params, Real lr) : lr(lr), params(std::move(params)) {
    for (Param* p : this->params) {
      p->grad.setZero(p->value.rows(), p->value.cols());
      m.push_back(p->grad), v.push_back(p->grad);
    }
  }
  Adam(const Adam&) = delete;
  Adam& operator=(const Adam&) = delete;
  Adam(Adam&&) = default;
  Adam& operator=(Adam&&) = default;

  // One step down the gradient of loss: zero the gradients, backward, check, clip to max_norm, step, clear the tape.
  // Returns the norm of the gradient before clipping. Throws NotFinite, with no parameter changed, if the loss or the
  // gradient is NaN or infinite.
  Real minimize(Var loss, Real max_norm = std::numeric_limits<Real>::infinity()) {
    for (Param* p : params) p->grad.setZero();
    const Real value = loss.item();
    loss.tape->backward(loss);
    loss.tape->clear();
    const Real norm = grad_norm();
    if (!std::isfinite(value)) throw NotFinite("the loss is " + std::to_string(value));
    if (!std::isfinite(norm)) throw NotFinite("the norm of the gradient is " + std::to_string(norm));
    step(norm > max_norm ? max_norm / norm : 1);
    return norm;
  }

  // One step with the gradients as they are, times scale.
  //   m = beta1 m + (1 - beta1) g    v = beta2 v + (1 - beta2) g^2    (both start at 0: divide by 1 - beta^t)
  //   theta -= lr m_hat / (sqrt(v_hat) + eps)
  void step(Real scale = 1) {
    ++t;
    const Real m_scale = 1 / (1 - std::pow(beta1, Real(t))), v_scale = 1 / (1 - std::pow(beta2, Real(t)));
    for (std::size_t k = 0; k < params.size(); ++k) {  // one pass over the memory, so one plain loop
      Real* __restrict theta = params[k]->value.data();
      Real* __restrict m_k = m[k].data();
      Real* __restrict v_k = v[k].data();
      const Real* __restrict grad = params[k]->grad.data();
      const Real decay = params[k]->decay;
      for (Eigen::Index i = 0; i < params[k]->value.size(); ++i) {
        const Real g = scale * grad[i] + decay * theta[i];
        m_k[i] = beta1 * m_k[i] + (1 - beta1) * g;
        v_k[i] = beta2 * v_k[i] + (1 - beta2) * g * g;
        theta[i] -= lr * (m_k[i] * m_scale) / (std::sqrt(v_k[i] * v_scale) + eps);
      }
    }
  }

  // One step for a single number, such as a temperature's logarithm, whose gradient is known in closed form.
  void step(Param& p, Real grad) {
    eigen_assert(params.size() == 1 && params[0] == &p);
    p.grad.setConstant(grad);
    step();
  }

  // The Euclidean norm of all gradients together; not finite also if a square overflows.
  Real grad_norm() const {
    Real sum = 0;
    for (const Param* p : params) sum += p->grad.square().sum();
    return std::sqrt(sum);
  }

  template <class Ar> void io(Ar& ar) { ar("lr", lr), ar("t", t), ar("m", m), ar("v", v); }

 private:
  std::vector<Param*> params;
};

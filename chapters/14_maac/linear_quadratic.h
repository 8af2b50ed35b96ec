// A linear-quadratic task with everything known: Q, and the gradient of the return.
//
//   s' = A s + B a,   r = -(|s|^2 + |a|^2 / 10),   a = K s
#pragma once
#include "chapters/14_maac/objective.h"

struct LinearQuadratic : EnvOf<LinearQuadratic> {
  Mat A, B;  // (state_dim, state_dim), (state_dim, action_dim)

  // As it is: a cart that is pushed, position and speed, 0.3 s a step.
  explicit LinearQuadratic(const Mat& A = (Mat(2, 2) << 1, 0.3, 0, 1).finished(),
                           const Mat& B = (Mat(2, 1) << 0.045, 0.3).finished())
      : A(A), B(B) {
    name = "linear_quadratic", about = "bring a linear system to rest", reward_rule = "-(|s|^2 + |a|^2 / 10)";
    state_dim = int(A.rows()), action_dim = int(B.cols()), time_limit = 50;
    action_scale.assign(action_dim, 1), sim_names.assign(state_dim, "s");
  }
  Sim start(Rng&) const override { return Sim::Zero(state_dim + 1, 1); }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next = sim;
    next.topRows(state_dim) = product(A.cast<double>(), sim.topRows(state_dim)) + product(B.cast<double>(), a);
    next.row(state_dim) += 1;
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(state_dim); }
  template <class T> T reward_of(const T& s, const T& a, const T&) const {
    return -(colwise_sum(T(square(s))) + 0.1 * colwise_sum(T(square(a))));
  }
  Drawing draw(const Sim&) const override { return {}; }

  // As a model of itself for objective(): without noise.
  PathStep sample(Var s, Var a, const Mat&) const { return {reward_of(s, a, s), matmul(A, s) + matmul(B, a)}; }
};

// a = K s, without noise.
struct LinearPolicy {
  Param K;  // (action_dim, state_dim)
  explicit LinearPolicy(const Mat& gain) : K{gain, Mat::Zero(gain.rows(), gain.cols())} {}
  Sampled<Var> sample(Var s, const Mat&) {
    return {matmul(s.tape->param(K), s), s.tape->constant(Mat::Zero(1, s.cols()))};
  }
};

// What is known of it, in double, with M = A + B K the closed loop and C = I + K^T K / 10:
//   V(s) = -s^T P s,   P = C + gamma M^T P M;   Sigma = sum_t gamma^t E[s_t s_t^T] = E[s_0 s_0^T] + gamma M Sigma M^T
//   dJ/dK = -2 (K / 10 + gamma B^T P M) Sigma
struct LinearSolution {
  Mat P, gradient;  // (state_dim, state_dim), as K

  // s_0 (state_dim, n). The sums must converge: sqrt(gamma) M has its eigenvalues inside the unit circle.
  LinearSolution(const LinearQuadratic& task, const Mat& gain, const Mat& s_0, double gamma) {
    using Matrix = Eigen::MatrixXd;
    const Matrix A = task.A.cast<double>(), B = task.B.cast<double>(), K = gain.cast<double>(), s = s_0.cast<double>();
    const Matrix M = A + product(B, K), E = product(s, s.transpose()) / double(s.cols());
    const Matrix C = Matrix::Identity(A.rows(), A.cols()) + 0.1 * product(K.transpose(), K);
    Matrix p = C, Sigma = E;
    for (int i = 0; i < 1000; ++i) {
      p = C + gamma * product(M.transpose(), product(p, M));
      Sigma = E + gamma * product(M, product(Sigma, M.transpose()));
    }
    P = p.array().cast<Real>();
    gradient = -2 * product(0.1 * K + gamma * product(B.transpose(), product(p, M)), Sigma).array().cast<Real>();
  }
};

// Q(s, a) = r - gamma s'^T P s'
inline Var exact_Q(const LinearQuadratic& task, const Mat& P, Real gamma, Var s, Var a) {
  const auto [r, s_next] = task.sample(s, a, {});
  return r - gamma * colwise_sum(s_next * matmul(P, s_next));
}

// MBPO's idea in a finite MDP, without sampling rollouts: pi climbs eta_branch of a learned model. In double.
#pragma once
#include <vector>
#include "chapters/06_mbpo/finite_mdp.h"

// d eta_branch(k) / d pi(a|s), up to what is the same for all a in s, per visit of s: the Q that the branched rollouts
// give (states, actions); 0 where no rollout comes by. k >= 1, D = discounted_visits(mdp, pi_D).
//   s_i of a rollout from `start` counts gamma^i, and after it come its rewards up to step k - 1;
//   s_i of a rollout from D counts gamma^k, and after it comes the reward of step k alone.
inline Matrix branch_gradient(const FiniteMdp& mdp, const Kernel& p_theta, const Matrix& pi, const Vector& D, int k,
                              Vector& visits) {
  const Matrix M = steps(p_theta, pi);
  std::vector<Vector> r(k), sum(k);  // r[j] = M^j r_pi, sum[j] = r[0] + gamma r[1] + ... + gamma^j r[j]
  r[0] = sum[0] = rewards(mdp, pi);
  double gamma_j = 1;
  for (int j = 1; j < k; ++j) {
    r[j] = M * r[j - 1], gamma_j *= mdp.gamma;
    sum[j] = sum[j - 1] + gamma_j * r[j];
  }
  Matrix gradient = Matrix::Zero(mdp.states(), mdp.actions());
  visits = Vector::Zero(mdp.states());
  const double gamma_k = std::pow(mdp.gamma, k);
  Vector x = mdp.start, y = gamma_k * D;  // the i-th states of both, with their weights
  for (int i = 0; i <= k; ++i) {
    for (int a = 0; a < mdp.actions(); ++a) {
      if (i < k) gradient.col(a) += x.cwiseProduct(mdp.r.col(a)) + y.cwiseProduct(p_theta[a] * r[k - 1 - i]);
      else gradient.col(a) += y.cwiseProduct(mdp.r.col(a));
      if (i < k - 1) gradient.col(a) += mdp.gamma * x.cwiseProduct(p_theta[a] * sum[k - 2 - i]);
    }
    visits += i < k ? Vector(x + y) : y;
    x = mdp.gamma * (M.transpose() * x), y = M.transpose() * y;
  }
  return gradient;
}

// One improvement of pi: pi(a|s) <- pi(a|s) exp(step Q(s, a)) / Z(s), Q = the gradient per visit (natural gradient).
inline void climb(const FiniteMdp& mdp, const Kernel& p_theta, Matrix& pi, const Vector& D, int k, double step) {
  Vector visits;
  const Matrix gradient = branch_gradient(mdp, p_theta, pi, D, k, visits);
  for (int s = 0; s < pi.rows(); ++s) {
    if (visits[s] <= 0) continue;
    const Eigen::ArrayXd Q = step / visits[s] * gradient.row(s).transpose().array();
    const Eigen::ArrayXd weight = pi.row(s).transpose().array() * (Q - Q.maxCoeff()).exp();
    pi.row(s) = (weight / weight.sum()).matrix().transpose();
  }
}

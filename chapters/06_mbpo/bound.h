// The bound of slide "Bound based on Model & Policy Error" (Janner et al. 2019, theorem 4.3), and what enters it,
// exactly, for a finite MDP. In double.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>
#include "chapters/06_mbpo/finite_mdp.h"

//(b1) Begin a rollout from a state under d_{pi_D}(s) and run k steps according to pi under p_theta.
// eta_branch = sum_t gamma^t E[r_t]: s_t is reached by max(t - k, 0) steps of pi_D in the true MDP, then by min(t, k)
// steps of pi in the model; there pi acts, or pi_D if there is no rollout (k = 0).
// With D = sum_t gamma^t d_{pi_D,t} and M = p_theta under pi:
//   eta_branch(k) = sum_{t<k} gamma^t start M^t r_pi + gamma^k D M^k r_pi      eta_branch(0) = eta[pi_D]
// Returns it for k = 0, ..., k_max.
inline std::vector<double> eta_branch(const FiniteMdp& mdp, const Kernel& p_theta, const Matrix& pi, const Matrix& pi_D,
                                      int k_max) {
  const Vector D = discounted_visits(mdp, pi_D);
  const Matrix M = steps(p_theta, pi);
  std::vector<double> result = {D.dot(rewards(mdp, pi_D))};
  Vector r = rewards(mdp, pi);  // M^t r_pi
  double before_k = 0, gamma_t = 1;
  for (int k = 1; k <= k_max; ++k) {
    before_k += gamma_t * mdp.start.dot(r);
    r = M * r, gamma_t *= mdp.gamma;
    result.push_back(before_k + gamma_t * D.dot(r));
  }
  return result;
}

// D_TV(p || q) = 1/2 sum_i |p_i - q_i|
template <class P, class Q> double total_variation(const P& p, const Q& q) { return (p - q).cwiseAbs().sum() / 2; }

//(b2) eps_pi = max_s D_TV(pi || pi_D)
inline double policy_shift(const Matrix& pi, const Matrix& pi_D) {
  double most = 0;
  for (int s = 0; s < pi.rows(); ++s) most = std::max(most, total_variation(pi.row(s), pi_D.row(s)));
  return most;
}

// D_TV(p(s'|s, a) || p_theta(s'|s, a)): (states, actions).
inline Matrix model_distance(const Kernel& p, const Kernel& p_theta) {
  Matrix distance(p[0].rows(), Eigen::Index(p.size()));
  for (int a = 0; a < distance.cols(); ++a) distance.col(a) = (p[a] - p_theta[a]).cwiseAbs().rowwise().sum() / 2;
  return distance;
}

//(b3) eps_m  = max_t E_{s ~ pi_D,t} [D_TV(p || p_theta)]: called with pi_D, the policy that sampled the data;
//(b4) eps_m' = max_t E_{s ~ pi_t}   [D_TV(p || p_theta)]: called with pi.
// Both over a ~ the same policy, and both along true trajectories. t ends where gamma^t / (1 - gamma) < 1e-12: what
// comes later does not count.
inline double model_error(const FiniteMdp& mdp, const Kernel& p_theta, const Matrix& policy) {
  const Vector error = policy.cwiseProduct(model_distance(mdp.p, p_theta)).rowwise().sum();
  const Matrix P = steps(mdp.p, policy).transpose();
  double most = 0;
  Vector d = mdp.start;
  for (double rest = 1 / (1 - mdp.gamma); rest >= 1e-12; rest *= mdp.gamma) {
    most = std::max(most, d.dot(error));
    d = P * d;
  }
  return most;
}

//(b5) eta[pi] >= eta_branch[pi] - C(k). 0 <= gamma < 1, k >= 0 (a real number is allowed).
//   C(k) = 2 r_max [gamma^(k+1) eps_pi / (1-gamma)^2 + gamma^k eps_pi / (1-gamma) + k eps_m' / (1-gamma)]
// The proof: |E_p[r] - E_q[r]| <= 2 r_max D_TV(p || q), and D_TV of (s_t, a_t) grows along a trajectory by at most
// eps_pi where pi_D acts and by E[D_TV(p || p_theta)] on pi's own true trajectory where the model steps.
// The second term is the action at step t itself, which pi_D takes for k = 0. From k = 1 on pi takes it, and the bound
// holds without that term. If pi_D also took the branch's first action, the second term would be needed for every k.
inline double bound(double k, double eps_m, double eps_pi, double gamma, double r_max) {
  return 2 * r_max * (std::pow(gamma, k + 1) * eps_pi / ((1 - gamma) * (1 - gamma)) +
                      std::pow(gamma, k) * eps_pi / (1 - gamma) + k * eps_m / (1 - gamma));
}

// argmin_k >= 0 of C(k) over real k. The first two terms are gamma^k eps_pi / (1-gamma)^2, so dC/dk = 0 at
//   k* = ln(rho) / ln(1/gamma),   rho = eps_pi ln(1/gamma) / ((1-gamma) eps_m'),   0 if rho <= 1
// Infinite for a perfect model (eps_m' = 0) and eps_pi > 0. 0 < gamma < 1.
inline double optimal_k(double eps_m, double eps_pi, double gamma) {
  if (eps_pi <= 0) return 0;
  if (eps_m <= 0) return std::numeric_limits<double>::infinity();
  const double rho = eps_pi * std::log(1 / gamma) / ((1 - gamma) * eps_m);
  return rho > 1 ? std::log(rho) / std::log(1 / gamma) : 0;
}

// C is convex: the best whole k is k* rounded down or up. Infinite where k* is.
inline double optimal_whole_k(double eps_m, double eps_pi, double gamma) {
  const double k = std::floor(optimal_k(eps_m, eps_pi, gamma));
  if (std::isinf(k)) return k;
  return bound(k, eps_m, eps_pi, gamma, 1) <= bound(k + 1, eps_m, eps_pi, gamma, 1) ? k : k + 1;
}

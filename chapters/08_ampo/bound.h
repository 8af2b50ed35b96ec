// Theorem 3.1 of slide "A Lower Bound for Expected Return" (Shen et al. 2020), exactly, for a finite MDP. In double.
// Returns are normalised here: eta = E_{(s,a) ~ rho}[r], (1 - gamma) times those of chapter 06.
#pragma once
#include "chapters/06_mbpo/bound.h"  // FiniteMdp, Kernel, eta, discounted_visits, total_variation

//(b6) rho_T^pi(s, a) = (1 - gamma) pi(a|s) sum_t gamma^t P_{T,t}^pi(s) = pi(a|s) nu_T^pi(s): (states, actions)
//(b7) nu_T^pi(s) = (1 - gamma) sum_t gamma^t P_{T,t}^pi(s): (states)
// Under the dynamics T, the true ones or a model's; each adds up to 1.
inline Vector state_visits(FiniteMdp mdp, const Kernel& T, const Matrix& pi) {
  mdp.p = T;
  return (1 - mdp.gamma) * discounted_visits(mdp, pi);
}
inline Matrix occupancy(const FiniteMdp& mdp, const Kernel& T, const Matrix& pi) {
  return state_visits(mdp, T, pi).asDiagonal() * pi;
}

//(b8) d_F(P, Q) = sup_{f in F} E_P[f] - E_Q[f] for F = {T_hat(s'|.,.), -T_hat(s'|.,.) : s'}, the least F that Lemma 3.1
// allows. Returns sup_{f in F_s'} for each s': (states); d_F is the largest.
inline Vector ipm_by_state(const Matrix& rho, const Matrix& rho_other, const Kernel& T_hat) {
  Vector difference = Vector::Zero(rho.rows());
  for (std::size_t a = 0; a < T_hat.size(); ++a)
    difference += T_hat[a].transpose() * (rho.col(Eigen::Index(a)) - rho_other.col(Eigen::Index(a)));
  return difference.cwiseAbs();
}

// KL(p || q) = sum_i p_i log(p_i / q_i), 0 log 0 = 0; infinite where q_i = 0 < p_i.
template <class P, class Q> double kl(const P& p, const Q& q) {
  double sum = 0;
  for (Eigen::Index i = 0; i < p.size(); ++i)
    if (p[i] > 0) sum += p[i] * std::log(p[i] / q[i]);
  return std::max(sum, 0.0);  // rounding
}

// The theorem, and the steps of its proof.
struct LowerBound {
  double eta, eta_hat;  // of pi, in the MDP and in the model
  double R;             // max |r|
  double eps_pi, d_F;
  double shift, distance, model;  // the three terms that are subtracted from eta_hat

  // |eta - eta_hat| <= visits <= split <= summed <= shift + distance + model
  double visits;  // R |nu_T^pi - nu_That^pi|_1
  double split;   // shift + R |nu_T^piD - nu_That^pi|_1
  double summed;  // shift + gamma R sum_s' of what d_F has its max over + gamma R E_{rho_T^piD} |T - T_hat|_1
  double gap() const { return std::abs(eta - eta_hat); }
  double subtracted() const { return shift + distance + model; }
};

// T_hat: a model of mdp.p. pi_D collected the data. `model` is infinite if T_hat excludes what happens.
inline LowerBound lower_bound(const FiniteMdp& mdp, const Kernel& T_hat, const Matrix& pi, const Matrix& pi_D) {
  const double gamma = mdp.gamma, R = mdp.r_max();
  const Vector nu = state_visits(mdp, mdp.p, pi), nu_D = state_visits(mdp, mdp.p, pi_D);
  const Vector nu_hat = state_visits(mdp, T_hat, pi);
  const Matrix rho_D = occupancy(mdp, mdp.p, pi_D), rho_hat = occupancy(mdp, T_hat, pi);
  const Vector ipm = ipm_by_state(rho_D, rho_hat, T_hat);
  double pinsker = 0, l1 = 0;  // E_{rho_T^piD} of sqrt(2 KL(T || T_hat)) and of |T - T_hat|_1
  for (int a = 0; a < mdp.actions(); ++a)
    for (int s = 0; s < mdp.states(); ++s) {
      pinsker += rho_D(s, a) * std::sqrt(2 * kl(mdp.p[a].row(s), T_hat[a].row(s)));
      l1 += rho_D(s, a) * 2 * total_variation(mdp.p[a].row(s), T_hat[a].row(s));
    }

  LowerBound b;
  b.eta = (1 - gamma) * eta(mdp, pi), b.eta_hat = (1 - gamma) * eta(mdp, T_hat, pi), b.R = R;
  //(b10) eps_pi = 2 d_TV(nu_T^pi, nu_T^piD)
  b.eps_pi = 2 * total_variation(nu, nu_D), b.d_F = ipm.maxCoeff();
  //(b11*) eta >= eta_hat - R eps_pi - gamma R d_F(rho_T^piD, rho_That^pi) Vol(S)
  //                     - gamma R E_{(s,a) ~ rho_T^piD} sqrt(2 KL(T(.|s,a) || T_hat(.|s,a)))
  b.shift = R * b.eps_pi, b.distance = gamma * R * b.d_F * mdp.states(), b.model = gamma * R * pinsker;
  // The proof: nu = (1 - gamma) nu_0 + gamma sum_{s,a} rho T, so that |nu_T^piD - nu_That^pi|_1 is at most gamma times
  // sum_s' |sum_{s,a} (rho_T^piD - rho_That^pi) T_hat| and E_{rho_T^piD} |T - T_hat|_1, which Pinsker bounds by KL.
  b.visits = R * 2 * total_variation(nu, nu_hat), b.split = b.shift + R * 2 * total_variation(nu_D, nu_hat);
  b.summed = b.shift + gamma * R * (ipm.sum() + l1);
  return b;
}

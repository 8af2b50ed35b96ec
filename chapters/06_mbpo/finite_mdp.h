// Finite MDPs, in which both sides of the bound can be computed exactly. Everything here is double: an inequality is
// checked, nothing is trained.
#pragma once
#include <cmath>
#include <numeric>
#include <vector>
#include "autodiff/rng.h"

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Kernel = std::vector<Matrix>;  // by action: (states, states), row s is p(. | s, a)

// The reward is a known function of (s, a), for the model too: D_TV over (s', r) is then D_TV over s'.
struct FiniteMdp {
  Kernel p;
  Matrix r;      // (states, actions)
  Vector start;  // (states)
  double gamma;

  int states() const { return int(r.rows()); }
  int actions() const { return int(r.cols()); }
  double r_max() const { return r.cwiseAbs().maxCoeff(); }
};

// Uniform over all distributions on n outcomes.
inline Vector random_distribution(int n, Rng& rng) {
  const Vector x = Vector::NullaryExpr(n, [&] { return -std::log(1 - rng.uniform()); });
  return x / x.sum();
}

// A policy: (states, actions), row s is pi(. | s).
inline Matrix random_policy(int states, int actions, Rng& rng) {
  Matrix pi(states, actions);
  for (int s = 0; s < states; ++s) pi.row(s) = random_distribution(actions, rng).transpose();
  return pi;
}

// From each (s, a) one of `successors` states follows (a "Garnet" MDP); r is uniform in [-1, 1] and the same for all
// actions of a state, so that only the dynamics tell them apart. 1 <= successors <= states.
inline FiniteMdp random_mdp(int states, int actions, int successors, double gamma, Rng& rng) {
  FiniteMdp mdp{Kernel(actions, Matrix::Zero(states, states)), Matrix(states, actions),
                random_distribution(states, rng), gamma};
  std::vector<int> order(states);
  std::iota(order.begin(), order.end(), 0);
  for (int a = 0; a < actions; ++a)
    for (int s = 0; s < states; ++s) {
      rng.shuffle(order);
      const Vector chances = random_distribution(successors, rng);
      for (int i = 0; i < successors; ++i) mdp.p[a](s, order[i]) = chances[i];
    }
  for (int s = 0; s < states; ++s) mdp.r.row(s).setConstant(rng.uniform(-1, 1));
  return mdp;
}

// p_pi(s' | s) = sum_a pi(a|s) p(s'|s, a): (states, states).
inline Matrix steps(const Kernel& p, const Matrix& pi) {
  Matrix P = Matrix::Zero(pi.rows(), pi.rows());
  for (std::size_t a = 0; a < p.size(); ++a) P += pi.col(a).asDiagonal() * p[a];
  return P;
}

// r_pi(s) = sum_a pi(a|s) r(s, a): (states).
inline Vector rewards(const FiniteMdp& mdp, const Matrix& pi) { return pi.cwiseProduct(mdp.r).rowwise().sum(); }

// V = r_pi + gamma p_pi V under the dynamics p, the true ones or a model's: (states).
inline Vector values(const FiniteMdp& mdp, const Kernel& p, const Matrix& pi) {
  const Matrix A = Matrix::Identity(mdp.states(), mdp.states()) - mdp.gamma * steps(p, pi);
  return solve(A, rewards(mdp, pi));
}

// eta[pi] = E sum_t gamma^t r_t.
inline double eta(const FiniteMdp& mdp, const Kernel& p, const Matrix& pi) {
  return mdp.start.dot(values(mdp, p, pi));
}
inline double eta(const FiniteMdp& mdp, const Matrix& pi) { return eta(mdp, mdp.p, pi); }

// sum_t gamma^t d_{pi,t}, d_{pi,t} the distribution of s_t: (states); its sum is 1 / (1 - gamma).
inline Vector discounted_visits(const FiniteMdp& mdp, const Matrix& pi) {
  const Matrix A = Matrix::Identity(mdp.states(), mdp.states()) - mdp.gamma * steps(mdp.p, pi).transpose();
  return solve(A, mdp.start);
}

// The policy that always takes choice[s].
inline Matrix deterministic(const std::vector<int>& choice, int actions) {
  Matrix pi = Matrix::Zero(Eigen::Index(choice.size()), actions);
  for (std::size_t s = 0; s < choice.size(); ++s) pi(Eigen::Index(s), choice[s]) = 1;
  return pi;
}

// argmax_pi eta[pi], by policy iteration.
inline Matrix optimal_policy(const FiniteMdp& mdp) {
  std::vector<int> choice(mdp.states(), 0);
  for (bool changed = true; changed;) {
    changed = false;
    const Vector V = values(mdp, mdp.p, deterministic(choice, mdp.actions()));
    Matrix Q = mdp.r;
    for (int a = 0; a < mdp.actions(); ++a) Q.col(a) += mdp.gamma * mdp.p[a] * V;
    for (int s = 0; s < mdp.states(); ++s) {
      int best;
      Q.row(s).maxCoeff(&best);
      if (Q(s, best) > Q(s, choice[s]) + 1e-12) choice[s] = best, changed = true;  // a tie must not go round for ever
    }
  }
  return deterministic(choice, mdp.actions());
}

// An index, drawn with the given chances.
template <class Chances> int draw(const Chances& chances, Rng& rng) {
  double left = rng.uniform();
  for (int i = 0; i < int(chances.size()); ++i)
    if ((left -= chances[i]) < 0) return i;
  int most;  // rounding: the chances added up to a little less than 1
  chances.maxCoeff(&most);
  return most;
}

// How often s' followed (s, a) in `transitions` steps of pi_D: by action, (states, states). A trajectory begins anew
// with chance 1 - gamma, so that its states are those of d_{pi_D}, discounted.
inline Kernel count(const FiniteMdp& mdp, const Matrix& pi_D, long transitions, Rng& rng) {
  Kernel counts(mdp.actions(), Matrix::Zero(mdp.states(), mdp.states()));
  int s = draw(mdp.start, rng);
  for (long t = 0; t < transitions; ++t) {
    const int a = draw(pi_D.row(s), rng), s_next = draw(mdp.p[a].row(s), rng);
    counts[a](s, s_next) += 1;
    s = rng.uniform() < mdp.gamma ? s_next : draw(mdp.start, rng);
  }
  return counts;
}

// p_theta(s'|s, a) = (N(s, a, s') + prior / states) / (N(s, a) + prior), prior > 0.
inline Kernel estimate(const Kernel& counts, double prior) {
  Kernel p = counts;
  for (Matrix& P : p) {
    P.array() += prior / double(P.rows());
    P.array().colwise() /= P.rowwise().sum().eval().array();
  }
  return p;
}

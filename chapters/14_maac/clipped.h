// A scalar system on which Lemma 4.2 and Theorem 4.1 can be computed exactly: states in [-1, 1], rounded to a grid, a
// Gaussian policy, a bounded reward. Values are those of the Markov chain on the grid, in double.
//
//   s' = clip(a s + u, -1, 1),   u ~ N(theta s, sigma^2),   r = -min(s^2 + u^2 / 10, r_max),   s_0 uniform
#pragma once
#include <cmath>
#include <numbers>
#include "autodiff/mat.h"  // solve

struct Clipped {
  double a = 0.9, theta = -0.3, sigma = 0.3, gamma = 0.95, r_max = 1;
  static constexpr int states = 101;
  static constexpr double max_s = 1;

  static double state(int i) { return max_s * (2.0 * i / (states - 1) - 1); }
  static double Phi(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

  // E[r] in each state, by the trapezoid rule over u = theta s + sigma z.
  Eigen::VectorXd reward(double theta) const {
    constexpr int points = 200;
    Eigen::VectorXd r = Eigen::VectorXd::Zero(states);
    double all = 0;
    for (int k = 0; k <= points; ++k) {
      const double z = 6 * (2.0 * k / points - 1), weight = std::exp(-z * z / 2);
      all += weight;
      for (int i = 0; i < states; ++i) {
        const double s = state(i), u = theta * s + sigma * z;
        r[i] -= weight * std::min(s * s + u * u / 10, r_max);
      }
    }
    return r / all;
  }
  // P(s_j|s_i): the mass of N((a + slope_error + theta) s_i, sigma^2) that is rounded to s_j, the ends take the rest.
  Eigen::MatrixXd transition(double theta, double slope_error) const {
    Eigen::MatrixXd P(states, states);
    for (int i = 0; i < states; ++i) {
      const double mu = (a + slope_error + theta) * state(i), half = max_s / (states - 1);
      double below = 0;
      for (int j = 0; j < states; ++j) {
        const double up_to = j + 1 < states ? Phi((state(j) + half - mu) / sigma) : 1;
        P(i, j) = up_to - below, below = up_to;
      }
    }
    return P;
  }
  // V = r + gamma P V
  Eigen::VectorXd value(double theta) const {
    return solve(Eigen::MatrixXd::Identity(states, states) - gamma * transition(theta, 0), reward(theta));
  }
  double J(double theta) const { return value(theta).mean(); }  // the discounted sum
  // MAAC's objective at the policy `now`, H steps in a model whose slope is off, Q of the present theta times Q_scale.
  double J_hat(double now, const Eigen::VectorXd& V, int H, double slope_error, double Q_scale) const {
    const Eigen::VectorXd r = reward(now);
    Eigen::VectorXd W = Q_scale * (r + gamma * transition(now, 0) * V);
    const Eigen::MatrixXd P_hat = transition(now, slope_error);
    for (int t = 0; t < H; ++t) W = r + gamma * P_hat * W;
    return W.mean();
  }

  static constexpr double h = 1e-4;  // of the central differences
  double gradient() const { return (J(theta + h) - J(theta - h)) / (2 * h); }
  double gradient_hat(int H, double slope_error, double Q_scale) const {
    const Eigen::VectorXd V = value(theta);
    return (J_hat(theta + h, V, H, slope_error, Q_scale) - J_hat(theta - h, V, H, slope_error, Q_scale)) / (2 * h);
  }

  // max_s D_TV(pi_theta1 || pi_theta2) of two normals with one sigma; and c_3, its largest slope in |theta1 - theta2|:
  // 2 Phi(x / 2) - 1 <= x / sqrt(2 pi).
  double max_tv(double theta1, double theta2) const {
    return 2 * Phi(std::abs(theta1 - theta2) * max_s / (2 * sigma)) - 1;
  }
  double c_3() const { return max_s / (sigma * std::sqrt(2 * std::numbers::pi)); }
};

// One exact step of the gradient, and one with what is learned.
struct TwoSteps {
  double gradient, gradient_hat;
  double tv, tv_bound;            // max_s D_TV(pi_theta || pi_theta_hat) <= alpha c_3 |gradient error|
  double eta, eta_hat;            // the average return (1 - gamma) J after each
  double subtracted, as_printed;  // what the theorem takes off, with one alpha and with the slide's two

  // Lemma 4.2 and Theorem 4.1, with the gradient's measured error for its bound eps_f c_1 + eps_Q c_2.
  TwoSteps(const Clipped& x, double alpha, double gradient, double gradient_hat)
      : gradient(gradient), gradient_hat(gradient_hat) {
    const double theta = x.theta + alpha * gradient, theta_hat = x.theta + alpha * gradient_hat;
    tv = x.max_tv(theta, theta_hat);
    tv_bound = alpha * x.c_3() * std::abs(gradient - gradient_hat);                      //(b4) max_s D_TV <= ...
    eta = (1 - x.gamma) * x.J(theta), eta_hat = (1 - x.gamma) * x.J(theta_hat);
    subtracted = 2 * x.r_max / (1 - x.gamma) * tv_bound;                                 //(b5*) one alpha
    as_printed = alpha * subtracted;
  }
};

// A scalar system on which the lemmas' errors can be computed by hand, in double:
//
//   s' = a s + u,   u = theta s,   r = -(s^2 + u^2 / 10),   s_0 = 1
#pragma once

struct Scalar {
  double a = 0.9, theta = -0.3, gamma = 0.99;
  static constexpr double action_cost = 0.1;

  // V(s) = -p s^2:   p = 1 + theta^2 / 10 + gamma (a + theta)^2 p. Infinite sums want gamma (a + theta)^2 < 1.
  double p() const { return (1 + action_cost * theta * theta) / (1 - gamma * (a + theta) * (a + theta)); }
  // dJ/dtheta of J = V(1).
  double gradient() const {
    return -2 * (action_cost * theta + gamma * p() * (a + theta)) / (1 - gamma * (a + theta) * (a + theta));
  }
};

// What is learned: f_hat(s, a) = (a + slope_error) s + u, and grad Q_hat = Q_scale grad Q.
struct LearnedScalar {
  double slope_error = 0, Q_scale = 1;
};

// d/dtheta [ sum_{t<H} gamma^t r(s_t, u_t) + gamma^H Q_hat(s_H, u_H) ] along the states that f_hat imagines, by the
// chain rule forwards: ds = ds_t/dtheta, du = s + theta ds. Q_hat itself does not move with theta.
inline double gradient(const Scalar& x, int H, const LearnedScalar& hat) {
  double s = 1, ds = 0, gradient = 0, discount = 1;
  for (int t = 0; t < H; ++t, discount *= x.gamma) {
    const double u = x.theta * s, du = s + x.theta * ds;
    gradient -= discount * 2 * (s * ds + x.action_cost * u * du);
    s = (x.a + hat.slope_error) * s + u, ds = (x.a + hat.slope_error) * ds + du;
  }
  // Q(s, u) = -(s^2 + u^2 / 10) - gamma p (a s + u)^2
  const double u = x.theta * s, du = s + x.theta * ds, s_next = x.a * s + u;
  const double dQ_ds = -2 * (s + x.gamma * x.p() * s_next * x.a);
  const double dQ_du = -2 * (x.action_cost * u + x.gamma * x.p() * s_next);
  return gradient + discount * hat.Q_scale * (dQ_ds * ds + dQ_du * du);
}

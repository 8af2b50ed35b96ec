// A pendulum with noise, whose true p(s'|s, a) is a Gaussian of known mean and variance, and policies on it at a known
// distance from each other.
#pragma once
#include <cmath>
#include <limits>
#include "chapters/04_pets/gaussian.h"  // Gaussian
#include "envs/pendulum.h"

// The model sees (cos theta, sin theta, theta_dot, a) and predicts the changes of theta and theta_dot. Trap: predicted
// as (cos, sin, theta_dot), two numbers that lie on a circle, s' would have no density and KL would be infinite.
struct Steps {
  Mat x;               // (4, n)
  Gaussian<Mat> next;  // (2, n): the true distribution of the changes of theta and theta_dot
  Mat y;               // (2, n): those that came
};

struct NoisyPendulum {
  double noise_angle, noise_speed;  // standard deviations, rad and rad/s
  double friction;                  // 1/s
  double pumping;                   // share of the other policy's steps in pi_D itself
  int horizon;                      // steps of an episode

  // pi_D rests: a in [-0.3, 0.3], or pumps: a in [0.5, 1] with the motion. The two never coincide, so that mixing
  // pumping with the chance `shift` into pi_D is a policy at D_TV = shift (1 - pumping) in every state.
  double act(double theta_dot, double shift, Rng& rng) const {
    const bool pump = rng.uniform() < shift + (1 - shift) * pumping;
    return pump ? std::copysign(rng.uniform(0.5, 1), theta_dot) : rng.uniform(-0.3, 0.3);
  }
  double policy_shift(double shift) const { return shift * (1 - pumping); }

  // n steps of the policy, in episodes of `horizon` steps.
  Steps steps(int n, double shift, Rng& rng) const {
    const Pendulum env(friction, std::numeric_limits<double>::infinity());
    Steps result{Mat(4, n), {Mat(2, n), Mat(2, n)}, Mat(2, n)};
    const double noise[] = {noise_angle, noise_speed};
    Sim sim, a(1, 1);
    for (int t = 0; t < n; ++t) {
      if (t % horizon == 0) sim = env.start(rng);
      a(0, 0) = act(sim(1, 0), shift, rng);
      result.x.col(t) << env.observe(sim), Real(a(0, 0));
      Sim next = env.advance(sim, a);
      for (int i = 0; i < 2; ++i) {
        result.next.mu(i, t) = Real(next(i, 0) - sim(i, 0)), result.next.log_var(i, t) = Real(2 * std::log(noise[i]));
        next(i, 0) += noise[i] * rng.normal();
        result.y(i, t) = Real(next(i, 0) - sim(i, 0));
      }
      sim = next;
    }
    return result;
  }
};

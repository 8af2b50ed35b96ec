// Chapter 06, the theory: the branched return, its bound, the best k, and a model's error on shifted policies.
#include <cmath>
#include <numbers>
#include <vector>
#include "chapters/06_mbpo/bound.h"
#include "chapters/06_mbpo/model_shift.h"
#include "chapters/06_mbpo/noisy_pendulum.h"
#include "chapters/06_mbpo/tabular_mbpo.h"
#include "tests/catch.h"

namespace {

double log_uniform(double low, double high, Rng& rng) { return std::exp(rng.uniform(std::log(low), std::log(high))); }

struct Case {
  FiniteMdp mdp;
  Matrix pi_D, pi;
  Kernel p_theta;
};
// Of any size; rewards of (s, a); pi and the model near or far.
Case random_case(Rng& rng) {
  const int S = 2 + int(rng.below(12)), A = 2 + int(rng.below(3));
  Case c;
  c.mdp = random_mdp(S, A, 1 + int(rng.below(S)), rng.uniform(0.3, 0.97), rng);
  for (double& r : c.mdp.r.reshaped()) r = rng.uniform(-2, 2);
  c.pi_D = random_policy(S, A, rng);
  const double away = rng.uniform() < 0.1 ? 0 : rng.uniform();
  c.pi = (1 - away) * c.pi_D + away * random_policy(S, A, rng);
  const FiniteMdp other = random_mdp(S, A, 1 + int(rng.below(S)), c.mdp.gamma, rng);
  const double wrong = rng.uniform() < 0.1 ? 0 : rng.uniform();
  for (int a = 0; a < A; ++a) c.p_theta.push_back((1 - wrong) * c.mdp.p[a] + wrong * other.p[a]);
  return c;
}
std::vector<double> branches(const Case& c, int k_max) { return eta_branch(c.mdp, c.p_theta, c.pi, c.pi_D, k_max); }
double C(const Case& c, int k) {
  return bound(k, model_error(c.mdp, c.p_theta, c.pi), policy_shift(c.pi, c.pi_D), c.mdp.gamma, c.mdp.r_max());
}
double gap(const Case& c, int k) { return std::abs(eta(c.mdp, c.pi) - branches(c, k)[k]); }

// The other two readings of the branched rollout. Where pi_D also takes the first action of the branch:
//   sum_{t<k} gamma^t start M^t r_pi + gamma^k D M_D M^(k-1) r_pi,   M_D = p_theta under pi_D
double eta_branch_first_action_of_pi_D(const Case& c, int k) {
  const Matrix M = steps(c.p_theta, c.pi), M_D = steps(c.p_theta, c.pi_D);
  const Vector D = discounted_visits(c.mdp, c.pi_D);
  if (k == 0) return D.dot(rewards(c.mdp, c.pi_D));
  double sum = 0;
  Vector r = rewards(c.mdp, c.pi);
  for (int t = 0; t < k; ++t) {
    sum += std::pow(c.mdp.gamma, t) * c.mdp.start.dot(r);
    r = (t < k - 1 ? M : M_D) * r;
  }
  return sum + std::pow(c.mdp.gamma, k) * D.dot(r);
}
// Where pi acts at step t for k = 0 too.
double eta_branch_pi_acts(const Case& c, int k) {
  return k > 0 ? branches(c, k)[k] : discounted_visits(c.mdp, c.pi_D).dot(rewards(c.mdp, c.pi));
}

// The worst case: a good state that pi never leaves, a bad one that nobody leaves. pi_D leaves the good one with the
// chance eps_pi, and the model believes that pi does so with the chance eps_m.
Case leaking(double gamma, double eps_pi, double eps_m) {
  Case c;
  Matrix stay = Matrix::Identity(2, 2), leave(2, 2), model(2, 2);
  leave << 0, 1, 0, 1;
  model << 1 - eps_m, eps_m, 0, 1;
  c.mdp = {{stay, leave}, Matrix(2, 2), Vector(2), gamma};
  c.mdp.r << 1, -1, -1, -1;
  c.mdp.start << 1, 0;
  c.pi = Matrix(2, 2), c.pi_D = Matrix(2, 2);
  c.pi << 1, 0, 1, 0;
  c.pi_D << 1 - eps_pi, eps_pi, 1, 0;
  c.p_theta = {model, leave};
  return c;
}

}  // namespace

TEST_CASE("k* in closed form is where a search finds the bound least, on 1000 random settings", "[06]") {
  Rng rng(100);
  for (int i = 0; i < 1000; ++i) {
    const double eps_m = log_uniform(1e-4, 1, rng), eps_pi = log_uniform(1e-4, 1, rng);
    const double gamma = 1 - log_uniform(3e-3, 0.8, rng), k_star = optimal_k(eps_m, eps_pi, gamma);
    int best = 0;
    for (int k = 1; k < 4000; ++k)
      if (bound(k, eps_m, eps_pi, gamma, 1) < bound(best, eps_m, eps_pi, gamma, 1)) best = k;
    INFO("eps_m' " << eps_m << ", eps_pi " << eps_pi << ", gamma " << gamma << ", k* " << k_star);
    CHECK((best == std::floor(k_star) || best == std::ceil(k_star)));
    CHECK(optimal_whole_k(eps_m, eps_pi, gamma) == best);
    if (k_star > 0) {  // the derivative vanishes there
      const double h = 1e-3 * std::max(1.0, k_star), scale = bound(0, eps_m, eps_pi, gamma, 1);
      const double right = bound(k_star + h, eps_m, eps_pi, gamma, 1);
      const double left = bound(k_star - h, eps_m, eps_pi, gamma, 1);
      CHECK(std::abs(right - left) / h < 1e-4 * scale * std::log(1 / gamma));
    }
  }
}

TEST_CASE("k* of the slide's bound: the numbers at eps_pi = 0.1, and its ends", "[06]") {
  CHECK(optimal_k(0.05, 0.1, 0.99) == Approx(69.5).margin(0.05));
  CHECK(optimal_k(0.09, 0.1, 0.99) == Approx(11.0).margin(0.05));
  CHECK(optimal_k(0.01, 0.1, 0.99) == Approx(230).margin(0.5));
  CHECK(optimal_k(0.05, 0.1, 0.9) == Approx(7.1).margin(0.05));
  CHECK(optimal_k(0.09, 0.1, 0.9) == Approx(1.5).margin(0.05));
  CHECK(optimal_k(0.01, 0.1, 0.9) == Approx(22.3).margin(0.05));
  CHECK(optimal_k(0.2, 0.1, 0.99) == 0);
  CHECK(optimal_k(0, 0, 0.9) == 0);
  CHECK(optimal_k(0.1, 0, 0.9) == 0);
  CHECK(std::isinf(optimal_whole_k(0, 0.1, 0.9)));
  // As gamma -> 1: k* > 0 if and only if eps_m' < eps_pi.
  CHECK(optimal_k(0.0999, 0.1, 1 - 1e-6) > 0);
  CHECK(optimal_k(0.1001, 0.1, 1 - 1e-6) == 0);
}

TEST_CASE("the bound's first two terms are gamma^k eps_pi / (1 - gamma)^2", "[06]") {
  Rng rng(101);
  for (int i = 0; i < 100; ++i) {
    const double k = rng.uniform(0, 50), eps_m = rng.uniform(), eps_pi = rng.uniform(), gamma = rng.uniform(0.01, 0.99);
    const double r_max = rng.uniform(0.1, 5);
    const double shift = std::pow(gamma, k) * eps_pi / std::pow(1 - gamma, 2), model = k * eps_m / (1 - gamma);
    CHECK(bound(k, eps_m, eps_pi, gamma, r_max) == Approx(2 * r_max * (shift + model)).epsilon(1e-12));
  }
}

TEST_CASE("|eta - eta_branch| <= C(k) on 1000 random MDPs, in all three readings of the rollout", "[06]") {
  Rng rng(102);
  int violations = 0;
  double largest_share = 0;
  for (int i = 0; i < 1000; ++i) {
    const Case c = random_case(rng);
    const double truth = eta(c.mdp, c.pi);
    const std::vector<double> branch = branches(c, 25);
    for (int k = 0; k <= 25; ++k) {
      const double most = C(c, k), rounding = 1e-11 * c.mdp.r_max();
      largest_share = std::max(largest_share, std::abs(truth - branch[k]) / (most + rounding));
      violations += std::abs(truth - branch[k]) > most + rounding;
      violations += std::abs(truth - eta_branch_first_action_of_pi_D(c, k)) > most + rounding;
      violations += std::abs(truth - eta_branch_pi_acts(c, k)) > most + rounding;
      // From k = 1 on, and if pi always acts at step t, the second term is not needed.
      const double second = 2 * c.mdp.r_max() * std::pow(c.mdp.gamma, k) * policy_shift(c.pi, c.pi_D) /
                            (1 - c.mdp.gamma);
      violations += std::abs(truth - eta_branch_pi_acts(c, k)) > most - second + rounding;
    }
  }
  CHECK(violations == 0);
  CHECK(largest_share > 0.3);  // the smallest of these MDPs come near the worst case
}

TEST_CASE("the bound cannot be lowered: an MDP that leaks uses 99 % of each of its terms", "[06]") {
  for (const double gamma : {0.5, 0.9, 0.99}) {
    const double tiny = 1e-3 * (1 - gamma);
    const Case policy = leaking(gamma, tiny, 0);  // the first two terms, for k = 0
    CHECK(gap(policy, 0) <= C(policy, 0));
    CHECK(gap(policy, 0) > 0.99 * C(policy, 0));
    for (const int k : {1, 2, 5}) {               // and for larger k, with the branch's first action by pi_D
      const double truth = eta(policy.mdp, policy.pi), most = C(policy, k);
      Case leaves = policy;                       // r = -1 follows a leak one step later, whatever pi does
      const double distance = std::abs(truth - eta_branch_first_action_of_pi_D(leaves, k));
      CHECK(distance <= most);
      CHECK(distance > 0.99 * most);
      CHECK(gap(policy, k) > 0.99 * gamma * most);  // if pi takes it, the first term alone is used
      CHECK(gap(policy, k) <= gamma * most);
    }
    const Case model = leaking(gamma, 0, tiny);   // the third term; its factor k is sum_t gamma^t min(t, k) (1 - gamma)
    CHECK(gap(model, 1) <= C(model, 1));
    CHECK(gap(model, 1) > 0.99 * gamma * C(model, 1));
  }
}

TEST_CASE("with eps_m, the error on the old policy's data, in the place of eps_m' the inequality is false", "[06]") {
  // pi_D never takes action 1, so its data say nothing about it; the model believes that it leaks.
  Case c = leaking(0.9, 0, 0);
  c.p_theta[1] = c.mdp.p[1], c.mdp.p[1] = Matrix::Identity(2, 2), c.mdp.r.row(0).setConstant(1);
  c.pi << 0, 1, 0, 1;
  CHECK(model_error(c.mdp, c.p_theta, c.pi_D) == 0);
  CHECK(model_error(c.mdp, c.p_theta, c.pi) == Approx(1));
  const int k = 100;
  const double wrong = bound(k, model_error(c.mdp, c.p_theta, c.pi_D), policy_shift(c.pi, c.pi_D), 0.9, 1);
  CHECK(gap(c, k) > wrong);
  CHECK(gap(c, k) <= C(c, k));
}

TEST_CASE("eta_branch: k = 0 is eta[pi_D], k -> infinity is eta of pi in the model", "[06]") {
  Rng rng(103);
  for (int i = 0; i < 20; ++i) {
    const Case c = random_case(rng);
    const std::vector<double> branch = branches(c, 1200);
    CHECK(branch[0] == Approx(eta(c.mdp, c.pi_D)).epsilon(1e-10).margin(1e-10));
    CHECK(branch[1200] == Approx(eta(c.mdp, c.p_theta, c.pi)).epsilon(1e-10).margin(1e-10));
  }
}

TEST_CASE("eta_branch by linear algebra is what simulated branched rollouts return", "[06]") {
  Rng rng(104);
  Case c = random_case(rng);
  while (c.mdp.states() < 4) c = random_case(rng);
  c.mdp.gamma = 0.7;
  const int runs = 200000;
  for (const int k : {0, 1, 3}) {
    double sum = 0, squares = 0;
    for (int i = 0; i < runs; ++i) {
      int t = 0;  // drawn with the chance (1 - gamma) gamma^t, so that r_t / (1 - gamma) has the mean eta_branch
      while (rng.uniform() < c.mdp.gamma) ++t;
      int s = draw(c.mdp.start, rng);
      for (int j = 0; j < t; ++j) {
        const bool real = j < std::max(t - k, 0);
        const int a = draw((real ? c.pi_D : c.pi).row(s), rng);
        s = draw((real ? c.mdp.p : c.p_theta)[a].row(s), rng);
      }
      const double x = c.mdp.r(s, draw((k == 0 ? c.pi_D : c.pi).row(s), rng)) / (1 - c.mdp.gamma);
      sum += x, squares += x * x;
    }
    const double mean = sum / runs, error = std::sqrt((squares / runs - mean * mean) / runs);
    INFO("k = " << k);
    CHECK(std::abs(mean - branches(c, k)[k]) < 4 * error);
    CHECK(error < 0.02);
  }
}

TEST_CASE("a perfect model: the gap is 0 for pi = pi_D, and falls with k as gamma^k otherwise", "[06]") {
  Rng rng(105);
  for (int i = 0; i < 50; ++i) {
    Case c = random_case(rng);
    c.p_theta = c.mdp.p;
    CHECK(model_error(c.mdp, c.p_theta, c.pi) == 0);
    const double before = gap(c, 1), C_0 = C(c, 0);
    for (int k = 1; k <= 30; ++k) CHECK(gap(c, k) <= C_0 * std::pow(c.mdp.gamma, k) + 1e-11);
    CHECK(gap(c, 60) <= std::max(1e-11, before));
    c.pi = c.pi_D;
    CHECK(policy_shift(c.pi, c.pi_D) == 0);
    for (const int k : {0, 1, 7}) CHECK(gap(c, k) < 1e-10);
  }
  for (const double gamma : {0.5, 0.9}) {
    const Case leak = leaking(gamma, 0.1, 0);
    for (int k = 0; k < 30; ++k) CHECK(gap(leak, k + 1) < gap(leak, k));
  }
}

TEST_CASE("eps_pi and eps_m' are largest values of sums over half of the absolute differences", "[06]") {
  Rng rng(106);
  const Case c = random_case(rng);
  double eps_pi = 0;
  for (int s = 0; s < c.mdp.states(); ++s) {  // D_TV is the largest difference of the probability of any event
    double more = 0;
    for (int a = 0; a < c.mdp.actions(); ++a) more += std::max(0.0, c.pi(s, a) - c.pi_D(s, a));
    eps_pi = std::max(eps_pi, more);
  }
  CHECK(policy_shift(c.pi, c.pi_D) == Approx(eps_pi).epsilon(1e-12));
  // eps_m' step by step, from the joint distribution of (s_t, a_t)
  Vector d = c.mdp.start;
  double eps_m = 0;
  for (int t = 0; t < 2000; ++t) {
    double error = 0;
    Vector next = Vector::Zero(c.mdp.states());
    for (int s = 0; s < c.mdp.states(); ++s)
      for (int a = 0; a < c.mdp.actions(); ++a) {
        const Vector p = c.mdp.p[a].row(s), q = c.p_theta[a].row(s);
        error += d[s] * c.pi(s, a) * (p - q).cwiseMax(0).sum();
        next += d[s] * c.pi(s, a) * p;
      }
    eps_m = std::max(eps_m, error), d = next;
  }
  CHECK(model_error(c.mdp, c.p_theta, c.pi) == Approx(eps_m).epsilon(1e-9));
}

TEST_CASE("eps_m' looks at all t: an error that is met only on the way counts", "[06]") {
  Case c = leaking(0.9, 0, 0);  // start in state 0, leave at once for state 1; the model is wrong in state 0 only
  c.pi << 0, 1, 1, 0;
  c.p_theta[1].row(0) << 0.3, 0.7;
  CHECK(model_error(c.mdp, c.p_theta, c.pi) == Approx(0.3));
  c.p_theta[1] = c.mdp.p[1];    // and here in state 1 only
  c.p_theta[0].row(1) << 0.4, 0.6;
  CHECK(model_error(c.mdp, c.p_theta, c.pi) == Approx(0.4));
}

TEST_CASE("eta, visits and the best policy of a finite MDP agree with sums and with exhaustive search", "[06]") {
  Rng rng(107);
  for (int i = 0; i < 10; ++i) {
    const FiniteMdp mdp = random_mdp(4, 3, 2, 0.8, rng);
    const Matrix pi = random_policy(4, 3, rng);
    CHECK((mdp.p[1].rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
    CHECK((mdp.p[1].array() > 0).count() == 8);
    double sum = 0;
    Vector d = mdp.start, visits = Vector::Zero(4);
    for (int t = 0; t < 300; ++t) {
      sum += std::pow(0.8, t) * d.dot(rewards(mdp, pi)), visits += std::pow(0.8, t) * d;
      d = steps(mdp.p, pi).transpose() * d;
    }
    CHECK(eta(mdp, pi) == Approx(sum).epsilon(1e-10).margin(1e-12));
    CHECK((visits - discounted_visits(mdp, pi)).cwiseAbs().maxCoeff() < 1e-10);
    double best = -1e9;
    for (int code = 0; code < 81; ++code)
      best = std::max(best, eta(mdp, deterministic({code % 3, code / 3 % 3, code / 9 % 3, code / 27}, 3)));
    CHECK(eta(mdp, optimal_policy(mdp)) == Approx(best).epsilon(1e-10).margin(1e-12));
  }
}

TEST_CASE("counts come from the discounted visits of pi_D, and the estimate goes to the true model", "[06]") {
  Rng rng(108);
  const FiniteMdp mdp = random_mdp(5, 2, 3, 0.9, rng);
  const Matrix pi = random_policy(5, 2, rng);
  const Kernel counts = count(mdp, pi, 200000, rng);
  Matrix n(5, 2);
  for (int a = 0; a < 2; ++a) n.col(a) = counts[a].rowwise().sum();
  CHECK(n.sum() == 200000);
  const Matrix expected = 0.1 * discounted_visits(mdp, pi).asDiagonal() * pi;
  CHECK((n / 200000 - expected).cwiseAbs().maxCoeff() < 0.01);
  CHECK(model_distance(mdp.p, estimate(counts, 0.5)).maxCoeff() < 0.03);
  const Kernel untried = estimate(Kernel(2, Matrix::Zero(5, 5)), 0.5);
  CHECK((untried[0].array() - 0.2).abs().maxCoeff() < 1e-15);
  Kernel one(1, Matrix::Zero(2, 2));
  one[0](0, 1) = 3;
  CHECK(estimate(one, 1)[0](0, 1) == Approx(3.5 / 4));
}

TEST_CASE("the gradient of eta_branch is that of finite differences", "[06]") {
  Rng rng(109);
  for (int i = 0; i < 10; ++i) {
    Case c = random_case(rng);
    const Vector D = discounted_visits(c.mdp, c.pi_D);
    for (const int k : {1, 2, 5}) {
      Vector visits;
      const Matrix gradient = branch_gradient(c.mdp, c.p_theta, c.pi, D, k, visits);
      double worst = 0;
      for (int s = 0; s < c.mdp.states(); ++s)
        for (int a = 0; a < c.mdp.actions(); ++a) {
          Case up = c, down = c;  // not normalised: eta_branch is a polynomial in the entries of pi
          up.pi(s, a) += 1e-5, down.pi(s, a) -= 1e-5;
          worst = std::max(worst, std::abs((branches(up, k)[k] - branches(down, k)[k]) / 2e-5 - gradient(s, a)));
        }
      CHECK(worst < 1e-6);
      // With k steps, and a weight of gamma^t before step k, of gamma^k / (1 - gamma) from then on.
      double total = 0;
      for (int t = 0; t < k; ++t) total += std::pow(c.mdp.gamma, t);
      CHECK(visits.sum() == Approx(total + (k + 1) * std::pow(c.mdp.gamma, k) / (1 - c.mdp.gamma)));
    }
  }
}

TEST_CASE("climbing a perfect model with long rollouts comes to the best policy", "[06]") {
  Rng rng(110);
  for (int i = 0; i < 5; ++i) {
    const FiniteMdp mdp = random_mdp(8, 3, 2, 0.8, rng);
    const Matrix pi_D = random_policy(8, 3, rng);
    Matrix pi = pi_D;
    for (int G = 0; G < 400; ++G) climb(mdp, mdp.p, pi, discounted_visits(mdp, pi_D), 40, 2);
    CHECK((pi.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
    const double best = eta(mdp, optimal_policy(mdp)), start = eta(mdp, pi_D);
    CHECK(eta(mdp, pi) > best - 0.02 * (best - start));
  }
}

TEST_CASE("KL of two Gaussians in closed form is the integral, and sqrt(KL / 2) is above D_TV", "[06]") {
  Rng rng(111);
  for (int i = 0; i < 30; ++i) {
    const Gaussian<Mat> p{rng.normal(1, 1), rng.uniform(1, 1, -2, 1)}, q{rng.normal(1, 1), rng.uniform(1, 1, -2, 1)};
    const auto density = [](const Gaussian<Mat>& g, double x) {
      const double mu = g.mu(0, 0), variance = std::exp(double(g.log_var(0, 0)));
      return std::exp(-(x - mu) * (x - mu) / 2 / variance) / std::sqrt(2 * std::numbers::pi * variance);
    };
    double integral = 0, tv = 0;
    const double h = 1e-3;
    for (double x = -15; x < 15; x += h) {
      const double a = density(p, x), b = density(q, x);
      tv += std::abs(a - b) / 2 * h;
      if (a > 1e-100) integral += a * std::log(a / std::max(b, 1e-300)) * h;
    }
    const double closed = kl(p, q)(0, 0);
    CHECK(closed == Approx(integral).epsilon(1e-4).margin(1e-6));
    CHECK(pinsker(kl(p, q))(0, 0) >= tv - 1e-6);
  }
  Gaussian<Mat> p{Mat::Zero(2, 1), Mat::Zero(2, 1)}, q = p;
  CHECK(kl(p, q)(0, 0) == 0);
  q.mu << 0.3f, 0.4f;  // equal variances: KL = |difference|^2 / 2 sigma^2, dimensions add up
  CHECK(kl(p, q)(0, 0) == Approx(0.125));
  CHECK(pinsker(kl(p, q))(0, 0) == Approx(0.25));
  const double tv = std::erf(0.5 / (2 * std::sqrt(2.0)));  // 2 Phi(distance / 2) - 1
  CHECK(pinsker(kl(p, q))(0, 0) > tv);
  q.mu *= 100;
  CHECK(pinsker(kl(p, q))(0, 0) == 1);
}

TEST_CASE("the line through the errors, and the k that it suggests", "[06]") {
  const Line line = fit_line({0, 0.5, 1}, {0.1, 0.2, 0.3});
  CHECK(line.at_0 == Approx(0.1));
  CHECK(line.slope == Approx(0.2));
  const Line scattered = fit_line({0, 1, 2}, {0, 0, 3});
  CHECK(scattered.slope == Approx(1.5));
  CHECK(scattered.at_0 == Approx(-0.5));
  CHECK(suggested_k({0, 0.5}, 0.1, 0.99) == optimal_whole_k(0.05, 0.1, 0.99));
  CHECK(suggested_k({0.05, 0}, 0.1, 0.99) == 69);
  // k > 0 if the slope is small enough: eps_m + slope eps_pi < eps_pi ln(1/gamma) / (1-gamma)
  CHECK(suggested_k({0.02, 0.7}, 0.1, 0.99) > 0);
  CHECK(suggested_k({0.02, 0.9}, 0.1, 0.99) == 0);
  CHECK(suggested_k({-0.1, 0.1}, 0.1, 0.99) == optimal_whole_k(1e-6, 0.1, 0.99));  // no model is perfect
}

TEST_CASE("the noisy pendulum's steps are normal with the mean and variance that it names; pumping is as rare as said",
          "[06]") {
  const NoisyPendulum pendulum{.noise_angle = 0.1, .noise_speed = 0.5, .friction = 0.5, .pumping = 0.1, .horizon = 50};
  const double dt = 0.05;
  Rng rng(112);
  for (const double shift : {0.0, 0.4}) {
    const int n = 20000;
    const Steps D = pendulum.steps(n, shift, rng);
    const Eigen::ArrayXXd z = (D.y - D.next.mu).cast<double>() * (-D.next.log_var.cast<double>() / 2).exp();
    CHECK(z.rowwise().mean().abs().maxCoeff() < 5 / std::sqrt(double(n)));
    CHECK((z.square().rowwise().mean() - 1).abs().maxCoeff() < 5 * std::sqrt(2.0 / n));
    CHECK(std::abs((z.row(0) * z.row(1)).mean()) < 5 / std::sqrt(double(n)));
    CHECK((D.next.log_var.row(0).cast<double>() / 2).exp().isApproxToConstant(0.1, 1e-6));
    CHECK((D.next.log_var.row(1).cast<double>() / 2).exp().isApproxToConstant(0.5, 1e-6));
    int pumps = 0;
    for (int t = 0; t < n; ++t) {
      const double theta = std::atan2(double(D.x(1, t)), double(D.x(0, t))), speed = D.x(2, t), a = D.x(3, t);
      const double faster = (15 * std::sin(theta) + 3 * 2 * a - 0.5 * speed) * dt;
      REQUIRE(double(D.next.mu(1, t)) == Approx(faster).margin(1e-4));
      REQUIRE(double(D.next.mu(0, t)) == Approx((speed + faster) * dt).margin(1e-4));
      if (std::abs(a) > 0.4) {
        ++pumps;
        REQUIRE(a * speed > 0);
      }
      if (t % 50 != 49 && t + 1 < n)  // within an episode each step begins where the last one ended
        REQUIRE(double(D.x(2, t + 1)) == Approx(speed + double(D.y(1, t))).margin(1e-4));
    }
    CHECK(double(pumps) / n == Approx(shift + (1 - shift) * 0.1).margin(0.02));
    CHECK(pendulum.policy_shift(shift) == Approx(shift * 0.9));  // D_TV of two mixtures of what never coincides
  }
}

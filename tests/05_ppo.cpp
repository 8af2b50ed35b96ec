// PPO: advantages, the clipped objective, policies whose log-probabilities are known, and two tasks without a value.
#include <cmath>
#include "chapters/05_model_free/gae.h"
#include "chapters/05_model_free/ppo.h"
#include "chapters/05_model_free/running_moments.h"
#include "chapters/05_model_free/value.h"
#include "tests/gradient_check.h"

namespace {

Mat row(std::initializer_list<double> x) {
  Mat m(1, Eigen::Index(x.size()));
  std::copy(x.begin(), x.end(), m.data());
  return m;
}

}  // namespace

TEST_CASE("advantages are the direct sum of (gamma lambda)^l delta, episode by episode", "[05]") {
  Rng rng(1);
  const int n = 9;
  const Mat r = rng.normal(1, n), V = rng.normal(1, n), V_next = rng.normal(1, n);
  const Mat terminated = row({0, 0, 1, 0, 0, 0, 0, 0, 0});  // a terminal state after step 2, a time-out after step 5,
  const Mat over = row({0, 0, 1, 0, 0, 1, 0, 0, 0});        // and the data stop in the middle of an episode
  for (const double lambda : {0.0, 0.7, 1.0}) {
    const double gamma = 0.9;
    const Mat A = gae(r, V, V_next, terminated, over, Real(gamma), Real(lambda));
    for (int t = 0; t < n; ++t) {
      double sum = 0, weight = 1;
      for (int k = t; k < n; ++k, weight *= gamma * lambda) {
        sum += weight * (r(0, k) + (k == 2 ? 0 : gamma * V_next(0, k)) - V(0, k));
        if (k == 2 || k == 5) break;
      }
      CHECK(near(A(0, t), sum, 10 * rounding));
    }
  }
}

TEST_CASE("with lambda = 1 an advantage is the discounted return minus V; with 0 it is the one-step error", "[05]") {
  const Mat r = row({1, 2, 3}), V = row({10, 20, 30}), V_next = row({20, 30, 99}), end = row({0, 0, 1});
  const Mat all = gae(r, V, V_next, end, end, Real(0.5), 1), one = gae(r, V, V_next, end, end, Real(0.5), 0);
  CHECK(near(all(0, 0), 1 + 0.5 * 2 + 0.25 * 3 - 10, rounding));
  CHECK(near(one(0, 0), 1 + 0.5 * 20 - 10, rounding));
  CHECK(near(one(0, 2), 3 - 30, rounding));
}

TEST_CASE("the clipped objective on hand-made ratios, and no gradient beyond the clip", "[05]") {
  //  rho, A, min(rho A, clip(rho) A), whether the gradient is cut
  const double cases[][4] = {{1.5, 1, 1.2, 1}, {0.5, 1, 0.5, 0}, {1.5, -1, -1.5, 0}, {0.5, -1, -0.8, 1},
                             {1.1, 2, 2.2, 0}, {0.9, -2, -1.8, 0}};
  for (const auto& [rho, A, expected, cut] : cases) {
    Tape tape;
    const Var logp = tape.input(row({std::log(rho) - 2}));
    const Var L = clipped_objective(logp, row({-2}), row({A}), Real(0.2));
    INFO("rho " << rho << ", A " << A);
    CHECK(near(L.item(), expected, 10 * rounding));
    tape.backward(L);
    CHECK(near(logp.grad()(0, 0), cut != 0 ? 0 : rho * A, 10 * rounding));  // d rho / d log pi = rho
  }
}

TEST_CASE("the Gaussian policy: density integrates to 1, entropy is -E[log pi], gradients agree", "[05]") {
  Rng rng(2);
  GaussianPolicy pi(2, 1, {8}, rng);
  pi.log_std.value.setConstant(Real(-0.4));
  const Mat s = rng.normal(2, 1);
  double total = 0, entropy = 0;
  for (double a = -8; a < 8; a += 0.001) {
    const LogProb<Mat> here = pi.log_prob(s, row({a}));
    total += 0.001 * std::exp(double(here.logp(0, 0)));
    entropy -= 0.001 * std::exp(double(here.logp(0, 0))) * here.logp(0, 0);
  }
  CHECK(std::abs(total - 1) < 1e-4);
  CHECK(std::abs(entropy - pi.log_prob(s, row({0})).entropy(0, 0)) < 1e-3);

  GaussianPolicy two(3, 2, {8}, rng);
  two.log_std.value << Real(-0.5), Real(0.3);
  const Mat S = rng.normal(3, 6), a = rng.normal(2, 6), w = rng.normal(1, 6);
  const auto loss = [&] {
    const LogProb<Mat> x = two.log_prob(S, a);
    return double((w * x.logp).sum() + (w.square() * x.entropy).sum());
  };
  Tape tape;
  for (Param* p : params(two)) p->grad.setZero(p->value.rows(), p->value.cols());
  const LogProb<Var> x = two.log_prob(tape.constant(S), a);
  const Var J = sum(x.logp * w) + sum(x.entropy * w.square());
  CHECK(near(J.item(), loss(), 10 * rounding));
  tape.backward(J);
  CHECK(param_error(params(two), loss) < gradient_tolerance);
}

TEST_CASE("several heads: probabilities of all combinations sum to 1, log pi and entropy add", "[05]") {
  Rng rng(3);
  CategoricalPolicy pi(2, {2, 3}, {8}, rng);
  pi.logits.layers.back().W.value *= 100;
  const Mat s = rng.normal(2, 1);
  double total = 0, entropy = 0;
  Mat joint(2, 3), a(2, 1);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) {
      a << Real(i), Real(j);
      const double logp = pi.log_prob(s, a).logp(0, 0);
      joint(i, j) = Real(std::exp(logp)), total += std::exp(logp), entropy -= std::exp(logp) * logp;
    }
  CHECK(near(total, 1, 10 * rounding));
  CHECK(near(pi.log_prob(s, a).entropy(0, 0), entropy, 10 * rounding));
  CHECK(near(joint(1, 2), joint.row(1).sum() * joint.col(2).sum(), 10 * rounding));  // independent

  Mat counts = Mat::Zero(2, 3);
  const int n = 20000;
  for (int k = 0; k < n; ++k) {
    const Mat drawn = pi.sample(s, rng);
    counts(int(drawn(0, 0)), int(drawn(1, 0))) += 1;
  }
  CHECK((counts / n - joint).abs().maxCoeff() < 0.015);
  Eigen::Index i, j;
  joint.maxCoeff(&i, &j);
  CHECK(pi.mode(s)(0, 0) == Real(i));
  CHECK(pi.mode(s)(1, 0) == Real(j));

  const Mat S = rng.normal(2, 6), w = rng.normal(1, 6);
  const Mat A = pi.sample(S, rng);
  const auto loss = [&] {
    const LogProb<Mat> x = pi.log_prob(S, A);
    return double((w * x.logp).sum() + (w.square() * x.entropy).sum());
  };
  Tape tape;
  for (Param* p : params(pi)) p->grad.setZero(p->value.rows(), p->value.cols());
  const LogProb<Var> x = pi.log_prob(tape.constant(S), A);
  tape.backward(sum(x.logp * w) + sum(x.entropy * w.square()));
  CHECK(param_error(params(pi), loss) < gradient_tolerance);
}

TEST_CASE("running moments are those of all data; a constant dimension keeps its scale", "[05]") {
  Rng rng(4);
  Mat x = rng.normal(2, 50);
  x.row(0) = 1000 + 3 * x.row(0), x.row(1) = 7;
  RunningMoments moments(2);
  CHECK((moments.std() == 1).all());
  for (int i = 0; i < 50; ++i) moments.add(x.col(i));
  const Eigen::ArrayXd row = x.row(0).cast<double>();
  CHECK(near(moments.mean(0, 0), row.mean(), 1e-9));
  CHECK(near(moments.std()(0, 0), std::sqrt((row - row.mean()).square().mean()), 1e-5));
  CHECK(moments.std()(1, 0) == Real(1));
  CHECK(moments.normalise(x.col(0)).allFinite());
  CHECK(moments.normalise(Mat::Constant(2, 1, Real(1e9)))(0, 0) == Real(10));
  CHECK(moments.scale(Mat::Constant(2, 1, Real(-1e9)))(0, 0) == Real(-10));
}

TEST_CASE("ppo_update without a value function: a Gaussian moves to the best action, heads find theirs",
          "[05][train]") {
  Rng rng(5);
  const Mat s = Mat::Zero(1, 128);
  Ppo<GaussianPolicy> one({.lr = Real(1e-2)}, 1, 1, std::vector<int>{8}, rng);
  for (int i = 0; i < 60; ++i) {
    const Mat a = one.pi.sample(s, rng), advantage = -(a - Real(0.5)).square();
    ppo_update(one, {s, a, one.pi.log_prob(s, a).logp, advantage}, rng);
  }
  CHECK(std::abs(one.pi.mode(s)(0, 0) - 0.5) < 0.1);
  CHECK(one.pi.log_std.value(0, 0) < -1);

  Ppo<CategoricalPolicy> two({.lr = Real(1e-2)}, 1, std::vector<int>{2, 3}, std::vector<int>{8}, rng);
  for (int i = 0; i < 30; ++i) {
    const Mat a = two.pi.sample(s, rng);
    const Mat advantage = (a.row(0) == 1).cast<Real>() + (a.row(1) == 2).cast<Real>();
    ppo_update(two, {s, a, two.pi.log_prob(s, a).logp, advantage}, rng);
  }
  CHECK(two.pi.mode(s)(0, 0) == 1);
  CHECK(two.pi.mode(s)(1, 0) == 2);
  Mat best(2, 1);
  best << 1, 2;
  CHECK(two.pi.log_prob(s.leftCols(1), best).logp(0, 0) > std::log(0.8));
}

TEST_CASE("one update stays near the old policy, and reports how near; a wrong batch is refused", "[05]") {
  Rng rng(6);
  Ppo<GaussianPolicy> agent({.lr = Real(3e-3)}, 2, 1, std::vector<int>{16}, rng);
  const Mat s = rng.normal(2, 256), a = agent.pi.sample(s, rng), logp = agent.pi.log_prob(s, a).logp;
  const PpoNumbers numbers = ppo_update(agent, {s, a, logp, Mat(100 * a)}, rng);
  const Mat rho = (agent.pi.log_prob(s, a).logp - logp).exp();
  CHECK((rho - 1).abs().mean() > 0.02);
  CHECK((rho - 1).abs().mean() < 0.3);
  CHECK(numbers.clipped > 0);
  CHECK(numbers.clipped < 0.9);
  CHECK_THROWS_AS(ppo_update(agent, {s, a, logp, Mat::Zero(1, 5)}, rng), std::invalid_argument);
  CHECK_THROWS_AS(ppo_update(agent, {Mat(2, 0), Mat(1, 0), Mat(1, 0), Mat(1, 0)}, rng), std::invalid_argument);
}

TEST_CASE("the value function is fitted to the returns", "[05][train]") {
  Rng rng(7);
  ValueFunction V(1, {16}, Real(1e-2), rng);
  const Mat s = rng.uniform(1, 256, -1, 1);
  for (int i = 0; i < 20; ++i) fit_value(V, s, s.square(), {}, rng);
  CHECK(Mat(V(s) - s.square()).square().mean() < 1e-2);
}

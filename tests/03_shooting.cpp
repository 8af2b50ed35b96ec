// Chapter 03: plans, the true model, random shooting and CEM, against closed forms, sampling and the true pendulum.
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>
#include "chapters/03_shooting/cem.h"
#include "chapters/03_shooting/random_shooting.h"
#include "chapters/03_shooting/shooting.h"
#include "envs/pendulum.h"
#include "tests/scratch.h"
#include "tests/slope.h"
#include "tests/statistics.h"
#include "tests/threads.h"

namespace {

constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();
constexpr Real infinite = std::numeric_limits<Real>::infinity();
constexpr double tolerance = sizeof(Real) == 8 ? 1e-10 : 2e-4;

Mat row(std::initializer_list<Real> x) {
  Mat m(1, Eigen::Index(x.size()));
  std::copy(x.begin(), x.end(), m.data());
  return m;
}
std::vector<double> numbers_of(const Mat& x) { return std::vector<double>(x.data(), x.data() + x.size()); }

// Q_hat(plans) = -|plan - target|^2, which keeps what it was asked.
struct Quadratic {
  Mat target;  // (dim, 1)
  mutable std::vector<Mat> asked, answered;
  Mat operator()(const Mat& plans) const {
    asked.push_back(plans);
    answered.push_back(-(plans.colwise() - target.col(0)).square().colwise().sum());
    return answered.back();
  }
};

// One iteration of CEM done by hand on what it asked: the mean and the biased variance of the elites.
struct Refit {
  Mat mean, var;
  Refit(const Mat& plans, const Mat& returns, int elites) {
    std::vector<int> order(plans.cols());
    for (int i = 0; i < int(order.size()); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](int i, int j) { return returns(0, i) > returns(0, j); });
    Mat best(plans.rows(), elites);
    for (int i = 0; i < elites; ++i) best.col(i) = plans.col(order[i]);
    mean = best.rowwise().mean();
    var = (best.colwise() - mean.col(0)).square().rowwise().mean();
  }
};

double difference(const Mat& a, const Mat& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return infinity;
  return double((a - b).abs().maxCoeff());
}

// The return of one episode of MPC on the true model.
template <class Planner> double episode(Env& env, Planner& planner, int seed) {
  Rng rng(seed);
  env.reset(rng);
  planner.reset();
  double sum = 0;
  for (bool end = false; !end;) {
    const Transition t = env.step(planner.act(TrueModel{env, env.sim_state()}, rng));
    sum += double(t.r), end = t.terminated || t.truncated;
  }
  return sum;
}

}  // namespace

// ---- plans and the true model ----

TEST_CASE("the true model's return is the sum of gamma^t r of the environment's own steps", "[03]") {
  for (const char* name : {"pendulum", "cartpole_swingup", "reacher7"})
    for (const double gamma : {1.0, 0.9}) {
      const std::unique_ptr<Env> env = make_env(name);
      Rng rng(100);
      env->reset(rng);
      const Sim start = env->sim_state();
      const int T = 7, N = 5, d = env->action_dim;
      const Mat plans = rng.uniform(d * T, N, -1, 1);
      const Mat Q_hat = TrueModel{*env, start, Real(gamma)}(plans);
      REQUIRE(Q_hat.rows() == 1);
      REQUIRE(Q_hat.cols() == N);
      CHECK((env->sim_state() == start).all());
      for (int n = 0; n < N; ++n) {
        env->set_sim_state(start);
        double sum = 0;
        for (int t = 0; t < T; ++t) sum += std::pow(gamma, t) * double(env->step(plans.block(d * t, n, d, 1)).r);
        INFO(name << ", gamma = " << gamma << ", plan " << n);
        CHECK(double(Q_hat(0, n)) == Approx(sum).epsilon(tolerance).margin(tolerance));
      }
    }
}

TEST_CASE("a plan pays nothing after a terminal state, the step into it pays", "[03]") {
  Slope env;
  env.wall = 1;
  Mat plans = Mat::Zero(8, 3);  // a_1 = +-1 moves by 0.5
  plans.col(0) << 1, 0, 1, 0, 1, 0, 1, 0;      // 0.5 + 1.0 + 1.5, then the end
  plans.col(1) << 1, 0, 1, 0, -1, 0, -1, 0;    // 0.5 + 1.0 + 0.5 + 0
  plans.col(2) << 1, 0, 1, 0, 1, 0, -1, 0;     // coming back does not count
  CHECK(difference(TrueModel{env, at_x(0)}(plans), row({3, 2, 3})) < tolerance);
}

TEST_CASE("what the simulator does after the end cannot spoil a plan's return", "[03]") {
  Slope env;
  env.wall = 1, env.drift = 2, env.grow = 1e200;  // 2, the end, 2e200, infinity
  CHECK(difference(TrueModel{env, at_x(0)}(Mat::Zero(10, 1)), row({2})) < tolerance);
}

TEST_CASE("the time limit is not a terminal state: a plan counts through it", "[03]") {
  Slope env(10);
  env.drift = 1;
  CHECK(difference(TrueModel{env, at_x(0, 8)}(Mat::Zero(8, 1)), row({10})) < tolerance);  // 1 + 2 + 3 + 4
}

TEST_CASE("the best plans come first, best of all the best; NaN and infinity never win", "[03]") {
  const Mat Q_hat = row({-1, not_a_number, 3, infinite, -infinite, 2, not_a_number});
  CHECK(best_first(Q_hat, 1) == std::vector<int>{2});
  CHECK(best_first(Q_hat, 2) == std::vector<int>{2, 5});
  CHECK(best_first(Q_hat, 3) == std::vector<int>{2, 5, 0});
  CHECK(best_first(Q_hat, 7) == std::vector<int>{2, 5, 0});
}

TEST_CASE("a NaN return does not win where all returns are negative", "[03]") {  // mbrl-lib put -1e-10 in its place
  CHECK(best_first(row({-900, not_a_number, -1000}), 1) == std::vector<int>{0});
  CHECK(best_first(row({not_a_number, Real(-1e12), not_a_number}), 2) == std::vector<int>{1});
}

TEST_CASE("if no plan has a finite return, NotFinite says so", "[03]") {
  CHECK_THROWS_AS(best_first(row({not_a_number, infinite, -infinite}), 1), NotFinite);
  Rng rng(100);
  const auto nothing = [](const Mat& plans) -> Mat { return Mat::Constant(1, plans.cols(), not_a_number); };
  RandomShooting rs(1, 3, 20);
  CHECK_FALSE(message<NotFinite>([&] { rs.act(nothing, rng); }).empty());
  Cem cem(1, {.T = 3, .candidates = 20, .elites = 2});
  CHECK_FALSE(message<NotFinite>([&] { cem.act(nothing, rng); }).empty());
}

TEST_CASE("the warm start drops the first action and appends zeros, not the last action again", "[03]") {
  Mat plan(6, 1), next(6, 1);
  plan << 1, 2, 3, 4, 5, 6;
  next << 3, 4, 5, 6, 0, 0;
  CHECK((shifted(plan, 2) == next).all());
  next << 2, 3, 4, 5, 6, 0;
  CHECK((shifted(plan, 1) == next).all());
  CHECK((shifted(plan, 6) == 0).all());  // horizon 1
}

// ---- random shooting ----

TEST_CASE("RS: every action is uniform in [-1, 1], drawn anew at each step", "[03]") {
  Rng rng(100);
  RandomShooting rs(2, 5, 2000);
  const Quadratic Q_hat{Mat::Zero(10, 1), {}, {}};
  rs.act(Q_hat, rng);
  rs.act(Q_hat, rng);
  REQUIRE(Q_hat.asked.size() == 2);
  for (const Mat& plans : Q_hat.asked) {
    REQUIRE(plans.rows() == 10);
    REQUIRE(plans.cols() == 2000);
    CHECK(plans.abs().maxCoeff() <= 1);
    CHECK(kolmogorov_smirnov(numbers_of(plans), [](double a) { return (a + 1) / 2; }) < 2);
    for (int i = 0; i < 10; ++i)
      CHECK(kolmogorov_smirnov(numbers_of(plans.row(i)), [](double a) { return (a + 1) / 2; }) < 2);
    CHECK(std::abs(correlation(numbers_of(plans.row(0)), numbers_of(plans.row(1)))) < 4);
  }
  CHECK(std::abs(correlation(numbers_of(Q_hat.asked[0]), numbers_of(Q_hat.asked[1]))) < 4);
}

TEST_CASE("RS executes the first action of the best sequence; a NaN sequence is not the best", "[03]") {
  Rng rng(100);
  RandomShooting rs(2, 3, 50);
  const Quadratic Q_hat{Mat::Constant(6, 1, Real(0.5)), {}, {}};
  const Mat a = rs.act(Q_hat, rng);
  Eigen::Index best;
  Q_hat.answered.back().row(0).maxCoeff(&best);
  REQUIRE(a.rows() == 2);
  REQUIRE(a.cols() == 1);
  CHECK((a == Q_hat.asked.back().block(0, best, 2, 1)).all());

  Mat chosen;
  const auto poisoned = [&](const Mat& plans) -> Mat {  // NaN for a_0 > 0, and better the greater a_0
    chosen = plans;
    return (plans.row(0) > 0).select(not_a_number, plans.row(0) - 100);
  };
  const Mat b = rs.act(poisoned, rng);
  CHECK(b(0, 0) <= 0);
  CHECK(b(0, 0) == (chosen.row(0) > 0).select(Real(-9), chosen.row(0)).maxCoeff());
}

TEST_CASE("RS refuses a horizon, a number of sequences or an action of no size", "[03]") {
  for (const auto& [d, T, N] : {std::tuple{1, 0, 10}, {1, -3, 10}, {1, 5, 0}, {1, 5, -1}})
    CHECK_FALSE(message<std::invalid_argument>([&] { RandomShooting(d, T, N); }).empty());
  CHECK_NOTHROW(RandomShooting(1, 1, 1));
}

// ---- CEM ----

TEST_CASE("CEM's normal is cut at two standard deviations by drawing again, not by clipping", "[03]") {
  Rng rng(100);
  const Mat z = Cem::truncated_normal(40, 1000, rng);
  REQUIRE(z.rows() == 40);
  REQUIRE(z.cols() == 1000);
  const std::vector<double> all = numbers_of(z);
  CHECK(z.abs().maxCoeff() <= 2);
  CHECK((z.abs() == 2).count() <= 1);  // clipping would put 4.6 % there
  CHECK(kolmogorov_smirnov(all, [](double x) { return truncated_normal_cdf(x, 2); }) < 2);
  CHECK(SampleMoments(all).variance == Approx(truncated_normal_variance(2)).margin(4 * std::sqrt(1.2 / 40000)));
  CHECK(std::abs(correlation(numbers_of(z.leftCols(500)), numbers_of(z.rightCols(500)))) < 4);
  CHECK(std::abs(correlation(numbers_of(z.topRows(20)), numbers_of(z.bottomRows(20)))) < 4);
}

TEST_CASE("CEM draws around its start with the variance that keeps both bounds two deviations away", "[03]") {
  Rng rng(100);
  Cem cem(1, {.T = 4, .candidates = 20000, .elites = 10, .iterations = 1});
  Mat start(4, 1);
  start << 0, Real(0.6), Real(-0.9), Real(0.2);
  const double sd[] = {0.5, 0.2, 0.05, 0.4};  // min((1 - -1) / 4, (1 - |mu|) / 2)
  const Quadratic Q_hat{Mat::Zero(4, 1), {}, {}};
  cem.search(start, Q_hat, rng);
  REQUIRE(Q_hat.asked.size() == 1);
  REQUIRE(Q_hat.asked[0].cols() == 20000);
  CHECK(Q_hat.asked[0].abs().maxCoeff() <= 1);
  for (int i = 0; i < 4; ++i) {
    INFO("mu = " << start(i, 0));
    const Mat z = (Q_hat.asked[0].row(i) - start(i, 0)) / Real(sd[i]);
    CHECK(kolmogorov_smirnov(numbers_of(z), [](double x) { return truncated_normal_cdf(x, 2); }) < 2);
  }
}

TEST_CASE("CEM: alpha weighs the old value, and the unconstrained variance is what is blended", "[03]") {
  Rng rng(100);
  const Quadratic Q_hat{Mat::Constant(3, 1, Real(-0.3)), {}, {}};
  Mat mu(3, 1);
  mu << 0, Real(0.6), Real(-0.9);
  Mat var = Mat::Constant(3, 1, Real(0.25));  // (ub - lb)^2 / 16
  Cem cem(1, {.T = 3, .candidates = 100, .elites = 10, .iterations = 3, .alpha = Real(0.2), .epsilon = 0});
  cem.search(mu, Q_hat, rng);
  REQUIRE(Q_hat.asked.size() == 3);
  for (int i = 0; i < 3; ++i) {
    const Refit elite(Q_hat.asked[i], Q_hat.answered[i], 10);
    mu = Real(0.2) * mu + Real(0.8) * elite.mean;
    var = Real(0.2) * var + Real(0.8) * elite.var;
  }
  CHECK(difference(cem.mu, mu) < tolerance);
  CHECK(difference(cem.var, var) < tolerance);
}

TEST_CASE("CEM keeps the candidates of the last iteration and who was best", "[03]") {
  Rng rng(100);
  const Quadratic Q_hat{Mat::Constant(3, 1, Real(-0.3)), {}, {}};
  Cem cem(3, {.T = 1, .candidates = 50, .elites = 7, .iterations = 2});
  cem.search(Mat::Zero(3, 1), Q_hat, rng);
  CHECK(difference(cem.plans, Q_hat.asked.back()) == 0);
  REQUIRE(cem.best.size() == 7);
  CHECK(cem.best == best_first(Q_hat.answered.back(), 7));
}

TEST_CASE("CEM returns the mean of its last elites, not the best sequence", "[03]") {
  Rng rng(100);
  const Quadratic Q_hat{Mat::Constant(4, 1, Real(0.3)), {}, {}};
  Cem cem(2, {.T = 2, .candidates = 60, .elites = 20, .iterations = 1, .alpha = Real(0.1)});
  cem.reset();
  const Mat a = cem.act(Q_hat, rng);
  const Mat mean = Real(0.9) * Refit(Q_hat.asked[0], Q_hat.answered[0], 20).mean;
  REQUIRE(a.rows() == 2);
  REQUIRE(a.cols() == 1);
  CHECK(difference(a, mean.topRows(2)) < tolerance);
}

TEST_CASE("CEM starts from the shifted plan of the step before, with the full variance; reset forgets it", "[03]") {
  Rng rng(100);
  Quadratic Q_hat{Mat(4, 1), {}, {}};
  Q_hat.target << Real(0.1), Real(0.2), Real(-0.5), Real(0.4);
  Cem cem(1, {.T = 4, .candidates = 4000, .elites = 200, .iterations = 1});
  const auto starts_at = [&](const Mat& mu) {  // what a new plan is drawn from
    Q_hat.asked.clear();
    cem.act(Q_hat, rng);
    for (int i = 0; i < 4; ++i) {
      const double sd = std::min(0.5, (1 - std::abs(double(mu(i, 0)))) / 2);
      const Mat z = (Q_hat.asked[0].row(i) - mu(i, 0)) / Real(sd);
      INFO("dimension " << i);
      CHECK(kolmogorov_smirnov(numbers_of(z), [](double x) { return truncated_normal_cdf(x, 2); }) < 2);
    }
  };
  starts_at(Mat::Zero(4, 1));
  Mat mu = Real(0.9) * Refit(Q_hat.asked[0], Q_hat.answered.back(), 200).mean;
  Mat start = Mat::Zero(4, 1);
  start.topRows(3) = mu.bottomRows(3);
  starts_at(start);
  mu = Real(0.1) * start + Real(0.9) * Refit(Q_hat.asked[0], Q_hat.answered.back(), 200).mean;
  start.topRows(3) = mu.bottomRows(3);
  starts_at(start);
  cem.reset();
  starts_at(Mat::Zero(4, 1));
}

TEST_CASE("CEM stops when every variance is below epsilon", "[03]") {
  Rng rng(100);
  const Quadratic Q_hat{Mat::Constant(2, 1, Real(0.3)), {}, {}};
  CemOptions options{.T = 2, .candidates = 100, .elites = 10, .iterations = 1000, .epsilon = Real(1e-3)};
  Cem cem(1, options);
  cem.search(Mat::Zero(2, 1), Q_hat, rng);
  const int calls = int(Q_hat.asked.size());
  CHECK(calls > 2);
  CHECK(calls < 100);
  CHECK(cem.var.maxCoeff() <= options.epsilon);

  options.iterations = calls - 1;  // one less: not there yet
  Cem shorter(1, options);
  Rng again(100);
  shorter.search(Mat::Zero(2, 1), Q_hat, again);
  CHECK(shorter.var.maxCoeff() > options.epsilon);
}

TEST_CASE("CEM goes on while one dimension of the plan still varies", "[03]") {
  Rng rng(100);
  int calls = 0;
  const auto first_only = [&](const Mat& plans) -> Mat {  // a_1 does not matter, so its variance stays
    ++calls;
    return -(100 * (plans.row(0) - Real(0.3)).square());
  };
  Cem cem(1, {.T = 2, .candidates = 400, .elites = 40, .iterations = 12, .epsilon = Real(1e-3)});
  cem.search(Mat::Zero(2, 1), first_only, rng);
  CHECK(cem.var(0, 0) < 1e-3);
  CHECK(calls == 12);
}

TEST_CASE("CEM converges on quadratics of 1 to 20 dimensions and never leaves the bounds", "[03]") {
  for (const int dim : {1, 2, 5, 10, 20})
    for (const bool in_time : {false, true}) {
      Rng rng(100 + dim);
      Quadratic Q_hat{rng.uniform(dim, 1, Real(-0.8), Real(0.8)), {}, {}};
      Cem cem(in_time ? 1 : dim, {.T = in_time ? dim : 1, .iterations = 40, .epsilon = Real(1e-6)});
      cem.search(Mat::Zero(dim, 1), Q_hat, rng);
      INFO(dim << " dimensions");
      CHECK(difference(cem.mu, Q_hat.target) < 0.01);
      for (const Mat& plans : Q_hat.asked) CHECK(plans.abs().maxCoeff() <= 1);
    }
}

TEST_CASE("CEM converges to an optimum at a bound, from either side", "[03]") {
  for (const int dim : {1, 4, 20})
    for (const Real bound : {Real(1), Real(1.5)}) {  // 1.5: beyond it
      Rng rng(100 + dim);
      Quadratic Q_hat{Mat::Constant(dim, 1, bound), {}, {}};
      Q_hat.target.topRows(dim / 2) *= -1;
      Cem cem(dim, {.T = 1, .iterations = 20});
      // One search stops short of a bound, since its steps shrink with the distance; the next begins where it ended.
      for (int step = 0; step < 8; ++step) cem.search(Mat(cem.mu), Q_hat, rng);
      INFO(dim << " dimensions, optimum at " << bound);
      CHECK(difference(cem.mu, Q_hat.target.min(1).max(-1)) < 0.01);
      for (const Mat& plans : Q_hat.asked) CHECK(plans.abs().maxCoeff() <= 1);
      CHECK(cem.mu.abs().maxCoeff() <= 1);
    }
}

TEST_CASE("a NaN candidate never becomes an elite, also where returns are negative", "[03]") {
  Rng rng(100);
  const auto poisoned = [](const Mat& plans) -> Mat {  // better to the right, but NaN beyond 0.2
    return (plans.row(0) > Real(0.2)).select(not_a_number, plans.row(0) - 1000);
  };
  Cem cem(1, {.T = 2, .candidates = 200, .elites = 20, .iterations = 6});
  const Mat a = cem.act(poisoned, rng);
  for (const int i : cem.best) CHECK(cem.plans(0, i) <= Real(0.2));
  CHECK(a(0, 0) <= Real(0.2));
  CHECK(a(0, 0) > 0.05);
  CHECK(cem.mu.isFinite().all());
  CHECK(cem.var.isFinite().all());
}

TEST_CASE("fewer finite candidates than elites: the mean of those there are", "[03]") {
  Rng rng(100);
  Mat asked;
  const auto three = [&](const Mat& plans) -> Mat {
    asked = plans;
    Mat Q_hat = Mat::Constant(1, plans.cols(), not_a_number);
    Q_hat(0, 3) = -5, Q_hat(0, 8) = -7, Q_hat(0, 4) = -6;
    return Q_hat;
  };
  Cem cem(1, {.T = 2, .candidates = 20, .elites = 10, .iterations = 1, .alpha = 0});
  cem.search(Mat::Zero(2, 1), three, rng);
  CHECK(difference(cem.mu, (asked.col(3) + asked.col(4) + asked.col(8)) / Real(3)) < tolerance);
  CHECK(cem.best == std::vector<int>{3, 4, 8});
}

TEST_CASE("CEM refuses horizon 0, fewer candidates than elites, and other nonsense, with the rule", "[03]") {
  const auto refused = [](const CemOptions& options) {
    const std::string text = message<std::invalid_argument>([&] { options.check(); });
    CHECK(text == message<std::invalid_argument>([&] { Cem(1, options); }));
    return text;
  };
  CHECK(refused({}).empty());
  CHECK_FALSE(refused({.T = 0}).empty());
  CHECK_FALSE(refused({.T = -1}).empty());
  CHECK_FALSE(refused({.candidates = 0, .elites = 0}).empty());
  CHECK_FALSE(refused({.elites = 0}).empty());
  CHECK_FALSE(refused({.iterations = 0}).empty());
  const std::string text = refused({.candidates = 39, .elites = 40});
  CHECK(contains(text, "candidates"));
  CHECK(contains(text, "elites"));
  CHECK(refused({.candidates = 40, .elites = 40}).empty());
}

// ---- on the true pendulum ----

TEST_CASE("planning gives the same numbers with 1 and 2 threads, and for the same seed", "[03]") {
  const auto actions = [](int threads, int seed) {
    return with_threads(threads, [seed] {
      Pendulum env;
      Rng rng(seed);
      env.reset(rng);
      Cem cem(1, {.T = 5, .candidates = 100, .elites = 10, .iterations = 2});
      RandomShooting rs(1, 5, 100);
      Mat all(2, 3);
      for (int t = 0; t < 3; ++t) {
        all(0, t) = cem.act(TrueModel{env, env.sim_state()}, rng)(0, 0);
        all(1, t) = rs.act(TrueModel{env, env.sim_state()}, rng)(0, 0);
        env.step(all.block(0, t, 1, 1));
      }
      return all;
    });
  };
  const Mat once = actions(1, 100);
  CHECK(difference(once, actions(1, 100)) == 0);
  CHECK(difference(once, actions(2, 100)) == 0);
  CHECK(difference(once, actions(2, 101)) > 0);
}

TEST_CASE("on the true pendulum CEM beats RS of equal samples; RS gets worse with the horizon", "[03][train]") {
  Pendulum env;
  Cem cem(1, {.T = 25, .candidates = 50, .elites = 10, .iterations = 5});
  RandomShooting rs(1, 25, 250), rs_short(1, 15, 250);
  const auto mean = [&](auto& planner) {
    return with_threads(1, [&] {
      double sum = 0;
      for (int seed = 100; seed < 106; ++seed) sum += episode(env, planner, seed) / 6;
      return sum;
    });
  };
  const double by_cem = mean(cem), by_rs = mean(rs), by_rs_short = mean(rs_short);
  INFO("CEM " << by_cem << ", RS " << by_rs << ", RS with horizon 15 " << by_rs_short);
  CHECK(std::abs(by_cem - -169) < 4 * 105 / std::sqrt(6));  // mean and deviation measured over 100 starts
  CHECK(std::abs(by_rs - -282) < 4 * 199 / std::sqrt(6));
  CHECK(std::abs(by_rs_short - -211) < 4 * 123 / std::sqrt(6));
  CHECK(by_cem > by_rs_short + 20);
  CHECK(by_rs_short > by_rs + 20);
}

TEST_CASE("CEM as in PETS, 400 x H25 x 5, swings the true pendulum up sooner than RS of equal samples", "[03][train]") {
  Pendulum env;
  Cem cem(1, {});
  RandomShooting rs(1, 25, 5 * 400);
  const double by_cem = with_threads(1, [&] { return episode(env, cem, 102); });  // a long way up
  const double by_rs = with_threads(1, [&] { return episode(env, rs, 102); });
  INFO("CEM " << by_cem << ", RS " << by_rs);
  CHECK(by_cem > -119 - 2 * 72);
  CHECK(by_cem > by_rs + 20);
}

// Chapter 04, trajectory sampling: the moments of a prediction, the five ways of a particle, the return of a plan.
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>
#include "chapters/03_shooting/cem.h"
#include "chapters/03_shooting/random_shooting.h"
#include "chapters/04_pets/pets.h"
#include "envs/pendulum.h"
#include "tests/scratch.h"
#include "tests/slope.h"
#include "tests/statistics.h"
#include "tests/threads.h"

namespace {

constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();
constexpr Propagation all_modes[] = {Propagation::E, Propagation::DS, Propagation::MM, Propagation::TS1,
                                     Propagation::TSinf};

double difference(const Mat& a, const Mat& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols() || !(a - b).isFinite().all()) return infinity;
  return a.size() ? double((a - b).abs().maxCoeff()) : 0;
}
std::vector<double> numbers_of(const Mat& x) { return std::vector<double>(x.data(), x.data() + x.size()); }

// A model of Slope whose members move a point by slope . (3 s, a) + move + noise, move and noise of their own.
// swish(x + 50) is x + 50, so a network can be exactly linear.
Ensemble hand_made(const std::vector<double>& move, const std::vector<double>& noise,
                   const Mat& slope = Mat::Zero(1, 3)) {
  Rng rng(100);
  const int B = int(move.size());
  Ensemble f = make_model(Slope(), {.members = B, .elites = B, .hidden = {3}}, rng);
  for (int m = 0; m < B; ++m) {
    Member& member = f.members[m];
    member.extractor.layers[0].W.value = Mat(Eigen::Matrix<Real, -1, -1>::Identity(3, 3).array());
    member.extractor.layers[0].b.value.setConstant(50);
    GaussianHead& head = member.head;
    head.max_log_var.value.setConstant(30), head.min_log_var.value.setConstant(-80);
    head.out.W.value.setZero();
    head.out.W.value.row(0) = 4 * slope;  // net_apply divides by 4
    const double log_var = noise[m] > 0 ? 2 * std::log(4 * noise[m]) : -60;
    head.out.b.value << Real(4 * (move[m] - 50 * double(slope.sum()))), Real(log_var);
  }
  return f;
}
void poison(Member& member) { member.head.out.b.value.setConstant(not_a_number); }

Mat moves(const Particles& particles, const Mat& s, int N, Rng& rng) {
  return particles.step(s, Mat::Zero(2, N), rng) - s;
}

}  // namespace

// ---- the prediction in parts ----

TEST_CASE("moments: the mean of means, the mean of variances, the variance of means, by hand", "[04]") {
  const Ensemble f = hand_made({1, 2, 6}, {0.5, 0, 1});
  const Moments m = moments(f, Mat::Zero(3, 2));
  REQUIRE(m.mean.cols() == 2);
  for (int j = 0; j < 2; ++j) {
    CHECK(double(m.mean(0, j)) == Approx(4 * 3).epsilon(1e-4));
    CHECK(double(m.aleatoric(0, j)) == Approx(16 * (0.25 + 0 + 1) / 3).epsilon(1e-4));
    CHECK(double(m.epistemic(0, j)) == Approx(16 * (4 + 1 + 9) / 3.0).epsilon(1e-4));  // divided by the count
  }
}

TEST_CASE("moments ask the elites only", "[04]") {
  Ensemble f = hand_made({1, 2, 6}, {0, 0, 0});
  f.elites = {2, 0};
  poison(f.members[1]);
  const Moments m = moments(f, Mat::Zero(3, 1));
  CHECK(double(m.mean(0, 0)) == Approx(4 * 3.5).epsilon(1e-4));
  CHECK(double(m.epistemic(0, 0)) == Approx(16 * 6.25).epsilon(1e-4));
}

// ---- trajectory sampling ----

TEST_CASE("particles that are not a multiple of the members are refused with the rule", "[04]") {
  for (const Propagation mode : {Propagation::TS1, Propagation::TSinf}) {
    CHECK_NOTHROW(check_particles(mode, 20, 5));
    CHECK_NOTHROW(check_particles(mode, 5, 5));
    for (const int P : {21, 4, 1, 0, -5}) {
      INFO(P << " particles, 5 members");
      const std::string text = message<std::invalid_argument>([&] { check_particles(mode, P, 5); });
      CHECK_FALSE(text.empty());
      if (P > 0) CHECK(contains(text, "multiple"));
    }
  }
  const Ensemble f = hand_made({1, 2}, {0, 0});
  CHECK_THROWS_AS(Particles(f, Slope(), Propagation::TSinf, 3), std::invalid_argument);
  for (const Propagation mode : all_modes) CHECK_THROWS_AS(check_particles(mode, 0, 5), std::invalid_argument);
}

TEST_CASE("P particles of N plans: particle p of plan n is column p N + n", "[04]") {
  Mat x(2, 3);
  x << 1, 2, 3, 4, 5, 6;
  const Mat y = repeat(x, 4);
  REQUIRE(y.rows() == 2);
  REQUIRE(y.cols() == 12);
  for (int p = 0; p < 4; ++p)
    for (int n = 0; n < 3; ++n) CHECK((y.col(p * 3 + n) == x.col(n)).all());
}

TEST_CASE("a step sees net_input(s) and a, and ends in net_apply: every plan its own action", "[04]") {
  Mat slope(1, 3);
  slope << Real(0.1), Real(0.2), Real(0.3);  // of 3 s, a_1, a_2
  const Ensemble f = hand_made({0.5}, {0}, slope);
  const Slope env;
  Rng rng(100);
  const Mat s = rng.normal(1, 3 * 4), a = rng.uniform(2, 3, -1, 1);
  for (const Propagation mode : all_modes) {
    if (mode == Propagation::MM) continue;  // it mixes the particles
    const Mat next = Particles(f, env, mode, 4).step(s, a, rng);
    double worst = 0;
    for (int p = 0; p < 4; ++p)
      for (int n = 0; n < 3; ++n) {
        const int j = 3 * p + n;
        const double expected = 1.3 * double(s(0, j)) + 0.5 + 0.2 * double(a(0, n)) + 0.3 * double(a(1, n));
        worst = std::max(worst, std::abs(double(next(0, j)) - expected));
      }
    INFO("mode " << int(mode));
    CHECK(worst < 1e-4);
  }
}

TEST_CASE("TSinf keeps each particle's member for the whole horizon", "[04]") {
  const Ensemble f = hand_made({1, 10, 100}, {0, 0, 0});
  const Slope env;
  Rng rng(100);
  const Particles particles(f, env, Propagation::TSinf, 6);
  Mat s = Mat::Zero(1, 12);  // 2 plans
  for (int t = 1; t <= 4; ++t) {
    s = particles.step(s, Mat::Zero(2, 2), rng);
    for (int p = 0; p < 6; ++p)
      for (int n = 0; n < 2; ++n) CHECK(double(s(0, 2 * p + n)) == Approx(t * std::pow(10, p / 2)).epsilon(1e-4));
  }
}

TEST_CASE("particles belong to the elites, in their order, not to the first members", "[04]") {
  for (const Propagation mode : all_modes) {
    Ensemble f = hand_made({1, 1000, 100, 1000, 10}, {0, 0, 0, 0, 0});
    f.elites = {4, 0, 2}, f.options.elites = 3;
    poison(f.members[1]), poison(f.members[3]);
    const Slope env;
    Rng rng(100);
    const Mat d = moves(Particles(f, env, mode, 6), Mat::Zero(1, 6), 1, rng);
    CHECK(d.isFinite().all());  // the others are not even evaluated
    if (mode == Propagation::E) CHECK(difference(d, Mat::Constant(1, 6, 37)) < 1e-3);
    if (mode != Propagation::TSinf) continue;
    for (int p = 0; p < 6; ++p) CHECK(double(d(0, p)) == Approx(p < 2 ? 10 : p < 4 ? 1 : 100).epsilon(1e-4));
  }
}

TEST_CASE("TS1 gives each member exactly P / B particles of each plan in each step, others in each step", "[04]") {
  const Ensemble f = hand_made({1, 10, 100}, {0, 0, 0});
  const Slope env;
  Rng rng(100);
  const int P = 6, N = 4, steps = 300;
  const Particles particles(f, env, Propagation::TS1, P);
  std::vector<std::vector<int>> member(steps, std::vector<int>(P * N));
  for (int t = 0; t < steps; ++t) {
    const Mat d = moves(particles, Mat::Zero(1, P * N), N, rng);
    for (int n = 0; n < N; ++n) {
      int counts[3] = {};
      for (int p = 0; p < P; ++p) {
        member[t][p * N + n] = int(std::lround(std::log10(double(d(0, p * N + n)))));
        ++counts[member[t][p * N + n]];
      }
      REQUIRE((counts[0] == 2 && counts[1] == 2 && counts[2] == 2));
    }
  }
  double uneven = 0, sticky = 0;  // a particle is with each member a third of the time, whoever it was with before
  for (int j = 0; j < P * N; ++j) {
    std::vector<long> counts(3);
    long kept = 0;
    for (int t = 0; t < steps; ++t) ++counts[member[t][j]], kept += t > 0 && member[t][j] == member[t - 1][j];
    uneven = std::max(uneven, std::abs(chi_square(counts)));
    sticky = std::max(sticky, std::abs(kept - steps / 3.0) / std::sqrt(steps * 2 / 9.0));
  }
  CHECK(uneven < 6);
  CHECK(sticky < 5);
  int same = 0;  // and two plans do not share their permutation
  for (int t = 0; t < steps; ++t) {
    bool equal = true;
    for (int p = 0; p < P; ++p) equal = equal && member[t][p * N] == member[t][p * N + 1];
    same += equal;
  }
  CHECK(same < 20);  // 1 in 90 by chance
}

TEST_CASE("TS1 predicts each particle from its own state and action, whoever it changes places with", "[04]") {
  Mat slope(1, 3);
  slope << Real(0.1), Real(0.2), Real(0.3);
  const Ensemble f = hand_made({0.5, 0.5}, {0, 0}, slope);  // two members that agree
  const Slope env;
  Rng rng(100), same(100);
  const Mat s = rng.normal(1, 5 * 4), a = rng.uniform(2, 5, -1, 1);
  const Mat by_ts1 = Particles(f, env, Propagation::TS1, 4).step(s, a, rng);
  const Mat by_tsinf = Particles(f, env, Propagation::TSinf, 4).step(s, a, rng);
  CHECK(difference(by_ts1, by_tsinf) < 1e-4);
}

TEST_CASE("only the member that a particle is bound to is evaluated: a NaN elsewhere does not reach it", "[04]") {
  Ensemble f = hand_made({1, 10, 100}, {0.1, 0.1, 0.1});
  poison(f.members[1]);
  const Slope env;
  Rng rng(100);
  const int N = 3;
  Mat s = Mat::Zero(1, 6 * N);
  for (int t = 0; t < 3; ++t) {
    s = Particles(f, env, Propagation::TSinf, 6).step(s, Mat::Zero(2, N), rng);
    for (int j = 0; j < 6 * N; ++j) CHECK(std::isfinite(s(0, j)) == (j / (2 * N) != 1));
  }
  const Mat d = moves(Particles(f, env, Propagation::TS1, 6), Mat::Zero(1, 6 * N), N, rng);
  for (int n = 0; n < N; ++n) {
    int lost = 0;
    for (int p = 0; p < 6; ++p) lost += !std::isfinite(d(0, p * N + n));
    CHECK(lost == 2);
  }
}

TEST_CASE("TS1 and TSinf add the member's noise, independent for every particle and step", "[04]") {
  const Ensemble f = hand_made({0, 0}, {0.5, 2});
  const Slope env;
  for (const Propagation mode : {Propagation::TS1, Propagation::TSinf}) {
    Rng rng(100);
    const int N = 2000;
    const Particles particles(f, env, mode, 4);
    const Mat once = moves(particles, Mat::Zero(1, 4 * N), N, rng);
    const Mat again = moves(particles, Mat::Zero(1, 4 * N), N, rng);
    CHECK(std::abs(correlation(numbers_of(once), numbers_of(again))) < 4);
    CHECK(std::abs(correlation(numbers_of(once.leftCols(N)), numbers_of(once.middleCols(N, N)))) < 4);
    CHECK(std::abs(correlation(numbers_of(once.leftCols(N)), numbers_of(once.rightCols(N)))) < 4);
    if (mode == Propagation::TSinf) {
      CHECK(kolmogorov_smirnov(numbers_of(once.leftCols(2 * N)), [](double x) { return normal_cdf(x / 0.5); }) < 2);
      CHECK(kolmogorov_smirnov(numbers_of(once.rightCols(2 * N)), [](double x) { return normal_cdf(x / 2); }) < 2);
    } else {
      const auto mixture = [](double x) { return (normal_cdf(x / 0.5) + normal_cdf(x / 2)) / 2; };
      CHECK(kolmogorov_smirnov(numbers_of(once), mixture) < 2);
    }
  }
}

TEST_CASE("E follows the mean of all means and adds no noise", "[04]") {
  const Ensemble f = hand_made({1, 2, 6}, {5, 5, 5});
  const Slope env;
  Rng rng(100);
  for (const int P : {1, 6}) {
    const Mat d = moves(Particles(f, env, Propagation::E, P), Mat::Zero(1, 2 * P), 2, rng);
    CHECK(difference(d, Mat::Constant(1, 2 * P, 3)) < 1e-3);
  }
}

TEST_CASE("deterministic members have no noise: particles differ by their member only, no part is aleatoric", "[04]") {
  Ensemble f = hand_made({1, 3}, {5, 5});
  f.options.probabilistic = false;
  const Moments m = moments(f, Mat::Zero(3, 2));
  CHECK((m.aleatoric == 0).all());
  CHECK(double(m.epistemic(0, 0)) == Approx(16).epsilon(1e-4));
  const Slope env;
  Rng rng(100);
  const Mat bound = moves(Particles(f, env, Propagation::TSinf, 4), Mat::Zero(1, 8), 2, rng);
  for (int j = 0; j < 8; ++j) CHECK(double(bound(0, j)) == Approx(j < 4 ? 1 : 3).epsilon(1e-4));
  const Mat drawn = moves(Particles(f, env, Propagation::TS1, 4), Mat::Zero(1, 8), 2, rng);
  CHECK(double((drawn - 2).abs().minCoeff()) == Approx(1).epsilon(1e-4));
  CHECK(double((drawn - 2).abs().maxCoeff()) == Approx(1).epsilon(1e-4));
  const Mat mixed = moves(Particles(f, env, Propagation::DS, 1), Mat::Zero(1, 4000), 4000, rng);
  CHECK(kolmogorov_smirnov(numbers_of(mixed), [](double x) { return normal_cdf(x - 2); }) < 2);
}

TEST_CASE("DS draws from the Gaussian with the ensemble's mean and both its variances", "[04]") {
  const Ensemble f = hand_made({1, 3}, {0.5, 1});
  const Slope env;
  Rng rng(100);
  const int P = 2, N = 4000;
  const Mat d = moves(Particles(f, env, Propagation::DS, P), Mat::Zero(1, P * N), N, rng);
  const double sd = std::sqrt((0.25 + 1) / 2 + 1);  // aleatoric + epistemic
  CHECK(kolmogorov_smirnov(numbers_of(d), [&](double x) { return normal_cdf((x - 2) / sd); }) < 2);
  CHECK(std::abs(correlation(numbers_of(d.leftCols(N)), numbers_of(d.rightCols(N)))) < 4);
}

TEST_CASE("MM redraws the particles of a plan from a Gaussian with their mean and variance", "[04]") {
  const Ensemble f = hand_made({1, 1}, {0, 0});
  const Slope env;
  Rng rng(100);
  const int P = 4000;
  Mat s(1, 2 * P);  // plan 0 at -2 and 2, plan 1 at 10 and 10.2
  for (int p = 0; p < P; ++p) s(0, 2 * p) = p % 2 ? 2 : -2, s(0, 2 * p + 1) = p % 2 ? Real(10.2) : 10;
  const Mat next = Particles(f, env, Propagation::MM, P).step(s, Mat::Zero(2, 2), rng);
  Mat first(1, P), second(1, P);
  for (int p = 0; p < P; ++p) first(0, p) = next(0, 2 * p), second(0, p) = next(0, 2 * p + 1);
  CHECK(kolmogorov_smirnov(numbers_of(first), [](double x) { return normal_cdf((x - 1) / 2); }) < 2);
  CHECK(kolmogorov_smirnov(numbers_of(second), [](double x) { return normal_cdf((x - 11.1) / 0.1); }) < 2);
  CHECK(std::abs(correlation(numbers_of(first), numbers_of(second))) < 4);
  const Mat before = s(0, Eigen::seqN(0, P, 2));  // who was where is lost
  CHECK(std::abs(correlation(numbers_of(first), numbers_of(before))) < 4);

  Mat two(1, 2 * P);  // many plans of two particles each, at -2 and 2: the variance is 4, divided by the count
  two << Mat::Constant(1, P, -2), Mat::Constant(1, P, 2);
  const Mat redrawn = Particles(f, env, Propagation::MM, 2).step(two, Mat::Zero(2, P), rng);
  CHECK(kolmogorov_smirnov(numbers_of(redrawn), [](double x) { return normal_cdf((x - 1) / 2); }) < 2);
}

TEST_CASE("a plan whose numbers are NaN spoils no other plan", "[04]") {
  const Ensemble f = hand_made({1, 2}, {0.1, 0.1}, Mat::Constant(1, 3, Real(0.1)));
  const Slope env;
  for (const Propagation mode : all_modes) {
    Rng rng(100);
    Mat plans = rng.uniform(6, 5, -1, 1);
    plans(0, 2) = not_a_number;
    const Particles particles(f, env, mode, 4);
    const Mat Q_hat = ModelReturn{particles, Mat::Zero(1, 1), rng}(plans);
    for (int n = 0; n < 5; ++n) CHECK(std::isfinite(Q_hat(0, n)) == (n != 2));
    CHECK(best_first(Q_hat, 5).size() == 4);
  }
}

// ---- what a plan is worth ----

TEST_CASE("a plan is worth the mean over its particles of the sum of rewards, by hand", "[04]") {
  Mat slope(1, 3);
  slope << 0, Real(0.5), 0;
  const Ensemble f = hand_made({0, 0.2}, {0, 0}, slope);
  Slope env;
  env.cost = 0.1;
  Rng rng(100);
  Mat plans(4, 2);
  plans.col(0) << 1, 0, 1, 1;
  plans.col(1) << -1, 1, 0, 0;
  const Particles particles(f, env, Propagation::TSinf, 4);
  const Mat Q_hat = ModelReturn{particles, Mat::Constant(1, 1, 2), rng}(plans);
  REQUIRE(Q_hat.rows() == 1);
  REQUIRE(Q_hat.cols() == 2);
  // member 0: 2.5 + 3.0 - 0.1, member 1: 2.7 + 3.4 - 0.1
  CHECK(double(Q_hat(0, 0)) == Approx((5.4 + 6.0) / 2).epsilon(1e-4));
  // member 0: 1.5 - 0.1 + 1.5, member 1: 1.7 - 0.1 + 1.9
  CHECK(double(Q_hat(0, 1)) == Approx((2.9 + 3.5) / 2).epsilon(1e-4));
}

TEST_CASE("in a perfect model a plan is worth what it is in the true one, the end of an episode included", "[04]") {
  Mat slope(1, 3);
  slope << 0, Real(0.5), 0;
  for (const double wall : {infinity, 0.6}) {
    Slope env;
    env.drift = 0.1, env.cost = 0.05, env.wall = wall;
    const Ensemble f = hand_made({0.1, 0.1}, {0, 0}, slope);
    Rng rng(100);
    const Mat plans = rng.uniform(2 * 8, 50, -1, 1);
    const Mat truth = TrueModel{env, at_x(0.2)}(plans);
    for (const Propagation mode : all_modes) {
      const Particles particles(f, env, mode, 4);
      CHECK(difference(ModelReturn{particles, Mat::Constant(1, 1, Real(0.2)), rng}(plans), truth) < 2e-3);
    }
  }
}

TEST_CASE("the noise of every plan is its own, however many there are, and of every call", "[04]") {
  const Ensemble f = hand_made({0}, {1});
  const Slope env;
  Rng rng(100);
  const Particles particles(f, env, Propagation::TSinf, 1);
  const Mat Q_hat = ModelReturn{particles, Mat::Zero(1, 1), rng}(Mat::Zero(2, 2000));
  const Mat again = ModelReturn{particles, Mat::Zero(1, 1), rng}(Mat::Zero(2, 2000));
  const std::vector<double> all = numbers_of(Q_hat), other = numbers_of(again);
  CHECK(std::set<double>(all.begin(), all.end()).size() > 1990);
  CHECK(kolmogorov_smirnov(all, normal_cdf) < 2);
  CHECK(std::abs(correlation(all, other)) < 4);
}

TEST_CASE("each particle ends by itself: a terminal state of one is not that of the others", "[04]") {
  const Ensemble f = hand_made({1, 3}, {0, 0});
  Slope env;
  env.wall = 2.5;
  Rng rng(100);
  const Particles particles(f, env, Propagation::TSinf, 2);
  // particle 0: 1 + 2 + 3, the end, particle 1: 3, the end
  const Mat Q_hat = ModelReturn{particles, Mat::Zero(1, 1), rng}(Mat::Zero(2 * 6, 1));
  CHECK(double(Q_hat(0, 0)) == Approx((6 + 3) / 2.0).epsilon(1e-4));
}

TEST_CASE("TS1 keeps each particle's own end, whoever it changes places with", "[04]") {
  const Ensemble f = hand_made({1, 3}, {0, 0});
  Slope env;
  env.wall = 2.5;
  Rng rng(100);
  const Particles particles(f, env, Propagation::TS1, 2);
  const Mat Q_hat = ModelReturn{particles, Mat::Zero(1, 1), rng}(Mat::Zero(2 * 6, 60));
  // One particle gets 3 and ends; the other 1 + 4, 1 + 2 + 3 or 1 + 2 + 5. With T long enough nothing else can be.
  int possible = 0, seen[3] = {};
  for (int n = 0; n < 60; ++n)
    for (int k = 0; k < 3; ++k)
      if (std::abs(double(Q_hat(0, n)) - (3 + std::array{5, 6, 8}[k]) / 2.0) < 1e-3) ++possible, ++seen[k];
  CHECK(possible == 60);
  CHECK(seen[0] > 15);  // half of them
  CHECK(seen[1] > 5);   // a quarter each
  CHECK(seen[2] > 5);
}

TEST_CASE("what a model says after the end cannot spoil a plan's return", "[04]") {
  const Ensemble tame = hand_made({3, 3}, {0, 0});
  Ensemble wild = hand_made({3, 3}, {0, 0});
  for (Member& m : wild.members) {  // y = 12 + k swish(3 s): from 0 to 3, which is the end, then overflow
    m.extractor.layers[0].b.value(0, 0) = 0;
    m.head.out.W.value(0, 0) = std::pow(std::numeric_limits<Real>::max(), Real(0.3));
  }
  Slope env;
  env.wall = 2.5;
  Rng rng(100);
  for (const Propagation mode : {Propagation::E, Propagation::TS1, Propagation::TSinf})
    for (const bool overflows : {false, true}) {
      const Particles particles(overflows ? wild : tame, env, mode, 2);
      const Mat Q_hat = ModelReturn{particles, Mat::Zero(1, 1), rng}(Mat::Zero(2 * 8, 1));
      CHECK(double(Q_hat(0, 0)) == Approx(3).epsilon(1e-4));
    }
}

TEST_CASE("a model that says NaN never wins: planning with it stops instead", "[04]") {
  Ensemble f = hand_made({1, 2}, {0.1, 0.1});
  poison(f.members[1]);
  const Slope env;
  Rng rng(100);
  const Particles particles(f, env, Propagation::TSinf, 4);
  RandomShooting rs(2, 3, 10);
  CHECK_THROWS_AS(rs.act(ModelReturn{particles, Mat::Zero(1, 1), rng}, rng), NotFinite);
}

TEST_CASE("planning in a learned model: same seed, same numbers, with 1 and 2 threads", "[04]") {
  const Pendulum env;
  for (const Propagation mode : all_modes) {
    const auto planned = [&](int threads, int seed) {
      return with_threads(threads, [&] {
        Rng rng(seed);
        const Ensemble f = make_model(env, {.members = 4, .elites = 4, .hidden = {8}}, rng);
        const Particles particles(f, env, mode, 8);
        Cem cem(1, {.T = 3, .candidates = 50, .elites = 5, .iterations = 2});
        Mat s(3, 1);
        s << -1, 0, Real(0.1);
        Mat plan = cem.act(ModelReturn{particles, s, rng}, rng);
        return Mat(concat(plan, cem.mu));
      });
    };
    const Mat once = planned(1, 100);
    CHECK(difference(once, planned(1, 100)) == 0);
    CHECK(difference(once, planned(2, 100)) == 0);
    CHECK(difference(once, planned(2, 101)) > 0);
  }
}

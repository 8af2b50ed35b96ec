// Chapter 09, the theory and the controller: the bound's terms, the mixture of real data and a biased model, and PPO
// over complete runs.
#include <cmath>
#include "chapters/09_autombpo/bound.h"
#include "chapters/09_autombpo/controller.h"
#include "chapters/09_autombpo/mixture.h"
#include "tests/catch.h"
#include "tests/statistics.h"

namespace {

// The second and third term again, the quantile by bisection.
double two_terms(double sigma, double beta, double N) {
  const double estimation = std::sqrt(2 * beta / N * std::log(N / (2 * beta) * 500));
  const double x = beta * 0.1 / (400 * N * (1 - beta));
  if (!(x < 0.5)) return estimation;
  double low = 0, high = 38;
  for (int i = 0; i < 100; ++i) (std::erfc((low + high) / std::sqrt(8)) / 2 > x ? low : high) = (low + high) / 2;
  return estimation + low * sigma;
}

// V of a policy under p, or of the best one, by repeated substitution.
Vector substitute(const FiniteMdp& mdp, const Kernel& p, const std::vector<int>* policy, std::vector<int>* greedy) {
  Vector V = Vector::Zero(mdp.states());
  for (int k = 0; k < 2000; ++k) {
    Vector next(mdp.states());
    for (int s = 0; s < mdp.states(); ++s) {
      next[s] = -1e9;
      for (int a = 0; a < mdp.actions(); ++a) {
        if (policy && (*policy)[s] != a) continue;
        const double Q = mdp.r(s, a) + mdp.gamma * p[a].row(s).dot(V);
        if (Q > next[s]) {
          next[s] = Q;
          if (greedy) (*greedy)[s] = a;
        }
      }
    }
    V = next;
  }
  return V;
}

const std::vector<int> growing = {1, 2, 5, 30};

// A run of which only the rewards count.
HyperEpisode rewarded(std::initializer_list<double> rewards) {
  HyperEpisode run;
  for (const double r : rewards) run.push_back({Mat::Zero(1, 1), Mat::Zero(1, 1), Mat::Zero(1, 1), Real(r)});
  return run;
}

double chance(const Controller& controller, int head, const Mat& s, int choice) {
  return std::exp(double(controller.heads[head].pi.log_prob(s, Mat::Constant(1, 1, Real(choice))).logp(0, 0)));
}

}  // namespace

TEST_CASE("the upper quantile of N(0, 1): known values, and back through erfc far into the tail", "[09]") {
  CHECK(upper_quantile(0.5) == Approx(0).margin(1e-12));
  CHECK(upper_quantile(0.025) == Approx(1.959963984540054).epsilon(1e-12));
  CHECK(upper_quantile(1e-10) == Approx(6.361340902404056).epsilon(1e-12));
  for (double x = 0.49; x > 1e-290; x *= 0.1)
    CHECK(std::erfc(upper_quantile(x) / std::sqrt(2)) / 2 == Approx(x).epsilon(1e-9));
}

TEST_CASE("the terms of the real ratio's bound are those computed by hand", "[09]") {
  const RealRatioBound b{.sigma = 3, .actions = 2, .K = 50, .delta = 0.1};
  CHECK(b.estimation(0.5, 200) == Approx(std::sqrt(0.005 * std::log(1e5))).epsilon(1e-12));  // share 1 / 200
  const RealRatioBound square{.sigma = 3, .K = 6, .p = 2, .gamma = 0.5, .V_max = 10, .C = 4, .d = 3};
  CHECK(square.approximation() == Approx(24));  // 1 / 0.25 * sqrt(4) * 3
  CHECK(square.iteration() == Approx(1.25));    // 0.5^3 * 10
  CHECK(square.estimation(0.5, 200) == Approx(std::pow(0.005 * std::log(200 * 60.0), 0.25)).epsilon(1e-12));
  const RealRatioBound few{.sigma = 3, .K = 1, .delta = 0.2};
  CHECK(few.model(0.5, 1) == Approx(3 * 1.959963984540054).epsilon(1e-12));  // 0.2 / 8 = 0.025
  CHECK(few.model(0.8, 4) == Approx(3 * 1.959963984540054).epsilon(1e-12));  // 4 * 0.2 / (8 * 4)
  CHECK(b(0.3, 500) == Approx(b.approximation() + b.iteration() + two_terms(3, 0.3, 500)).epsilon(1e-9));
}

TEST_CASE("as beta / N increases, the second term increases and the third decreases, to 0 at beta = 1", "[09]") {
  const RealRatioBound b{0.05};
  for (const double N : {30.0, 1000.0, 1e5})
    for (double beta = 1e-6; beta < 0.9; beta *= 1.1) {
      CHECK(b.estimation(1.1 * beta, N) > b.estimation(beta, N));
      CHECK(b.model(1.1 * beta, N) < b.model(beta, N));
      CHECK(b.estimation(beta, 2 * N) < b.estimation(beta, N));
      CHECK(b.model(beta, 2 * N) > b.model(beta, N));
      CHECK(b.estimation(beta, N) == Approx(b.estimation(beta / 3, N / 3)));
    }
  CHECK(b.model(1, 100) == 0);
  CHECK(RealRatioBound{0.1}.model(0.3, 100) == Approx(2 * b.model(0.3, 100)));
}

TEST_CASE("the bound's best beta: no other is better; proportional to N at first, then 1", "[09]") {
  for (const double sigma : {0.02, 0.05, 0.2})
    for (const double N : {10.0, 100.0, 1000.0, 1e4}) {
      const double best = RealRatioBound{sigma}.best(N);
      for (double beta = 1; beta > 1e-8; beta *= 0.97)
        CHECK(two_terms(sigma, best, N) <= two_terms(sigma, beta, N) * (1 + 1e-5));
    }
  const RealRatioBound b{0.02};
  CHECK(b.best(1000) == Approx(10 * b.best(100)).epsilon(0.02));
  CHECK(b.best(1000) < 0.002);
  CHECK(b.best(1e4) == 1);
}

TEST_CASE("a mixture is a stochastic matrix; its ends are the real data's shares and the biased model", "[09]") {
  Rng rng(100);
  const MixedMdp m = random_mixture({.states = 6, .actions = 2, .successors = 3}, growing, rng);
  CHECK(m.mdp.r.minCoeff() >= 0);
  CHECK(m.mdp.r.maxCoeff() <= 1);
  CHECK(m.mdp.start.sum() == Approx(1));
  for (std::size_t i = 0; i < growing.size(); ++i)
    for (int a = 0; a < 2; ++a) {
      for (const double beta : {0.0, 0.3, 1.0}) {
        const Matrix P = m.transitions(i, beta, 0.4)[a];
        CHECK((P.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
        CHECK(P.minCoeff() >= 0);
      }
      CHECK(m.transitions(i, 1, 0.4)[a] == m.real[i][a]);
      CHECK((m.transitions(i, 0, 0)[a] - m.mdp.p[a]).cwiseAbs().maxCoeff() < 1e-15);
      CHECK((m.transitions(i, 0, 1)[a] - m.bias[a]).cwiseAbs().maxCoeff() < 1e-15);
      const double by_hand = 0.3 * m.real[i][a](2, 4) + 0.7 * (0.6 * m.mdp.p[a](2, 4) + 0.4 * m.bias[a](2, 4));
      CHECK(m.transitions(i, 0.3, 0.4)[a](2, 4) == Approx(by_hand).epsilon(1e-12));
      const Matrix counts = growing[i] * m.real[i][a];  // whole numbers, of possible successors, and they only grow
      CHECK((counts.array() - counts.array().round()).abs().maxCoeff() < 1e-12);
      CHECK((counts.array() * (m.mdp.p[a].array() == 0).cast<double>()).maxCoeff() == 0);
      if (i > 0) CHECK((counts - growing[i - 1] * m.real[i - 1][a]).minCoeff() > -1e-12);
    }
  CHECK((m.bias[0] - m.mdp.p[0]).cwiseAbs().maxCoeff() > 0.1);
}

TEST_CASE("the loss is that of value iteration on the mixture, its greedy policy evaluated in the true MDP", "[09]") {
  Rng rng(101);
  double largest = 0;
  for (int i = 0; i < 12; ++i) {
    const MixedMdp m = random_mixture({.states = 8, .actions = 3, .successors = 2, .gamma = 0.8}, growing, rng);
    for (const double beta : {0.0, 0.4, 1.0}) {
      std::vector<int> greedy(8);
      substitute(m.mdp, m.transitions(1, beta, 0.5), nullptr, &greedy);
      const double best = substitute(m.mdp, m.mdp.p, nullptr, nullptr).mean();
      const double reached = substitute(m.mdp, m.mdp.p, &greedy, nullptr).mean();
      CHECK(m.loss(1, beta, 0.5) == Approx(100 * (best - reached) / best).epsilon(1e-8).margin(1e-8));
      CHECK(m.loss(1, beta, 0.5) >= -1e-9);
      largest = std::max(largest, m.loss(1, beta, 0.5));
    }
  }
  CHECK(largest > 1);
}

TEST_CASE("nothing is lost with very many real data alone, nor with an unbiased model alone", "[09]") {
  Rng rng(102);
  for (int i = 0; i < 5; ++i) {
    const MixedMdp m = random_mixture({.states = 5, .actions = 2, .successors = 3}, {20000}, rng);
    for (int a = 0; a < 2; ++a) CHECK((m.real[0][a] - m.mdp.p[a]).cwiseAbs().maxCoeff() < 0.02);
    CHECK(m.loss(0, 1, 0.5) == Approx(0).margin(1e-3));
    CHECK(m.loss(0, 0, 0) == Approx(0).margin(1e-9));
  }
}

TEST_CASE("an advantage is the sum of the later rewards minus its mean over the runs", "[09]") {
  const Mat A = advantages({rewarded({1, 0, 4}), rewarded({3, -2, 2})});
  Mat expected(3, 2);
  expected << 1, -1, 2, -2, 1, -1;  // returns 5, 4, 4 and 3, 0, 2
  CHECK((A - expected).abs().maxCoeff() < 1e-6);
  CHECK_THROWS_AS(advantages({}), std::invalid_argument);
  CHECK_THROWS_AS(advantages({rewarded({1}), rewarded({1, 2})}), std::invalid_argument);
}

TEST_CASE("decisions: in range, as likely as the heads say, uniform for epsilon = 1", "[09]") {
  Rng rng(103);
  Controller controller({}, 2, {2, 3}, {8}, rng);
  for (auto& head : controller.heads) head.pi.logits.layers.back().b.value(1, 0) = 1;
  const Mat s = rng.normal(2, 1);
  for (const double epsilon : {0.0, 0.5, 1.0}) {
    std::vector<std::vector<long>> counts = {std::vector<long>(2), std::vector<long>(3)};
    const int n = 6000;
    for (int i = 0; i < n; ++i) {
      const Decision d = controller.decide(s, epsilon, rng);
      REQUIRE((d.a.rows() == 2 && d.logp.rows() == 2));
      for (int h = 0; h < 2; ++h) {
        const int a = int(d.a(h, 0));
        REQUIRE((a >= 0 && a < 2 + h));
        ++counts[h][a];
        CHECK(std::exp(double(d.logp(h, 0))) == Approx(chance(controller, h, s, a)).epsilon(1e-5));
      }
    }
    for (int h = 0; h < 2; ++h)
      for (int a = 0; a < 2 + h; ++a) {
        const double p = epsilon / (2 + h) + (1 - epsilon) * chance(controller, h, s, a);
        CHECK(std::abs(counts[h][a] / double(n) - p) < 4 * std::sqrt(p * (1 - p) / n) + 1e-9);
      }
    for (int h = 0; h < 2; ++h) CHECK((chi_square(counts[h]) < 4) == (epsilon == 1));
  }
}

TEST_CASE("PPO finds each head's best arm, although half of the choices are uniform", "[09][train]") {
  Rng rng(104);
  Controller controller({.lr = Real(1e-2)}, 1, {2, 3}, {8}, rng);
  const Mat s = Mat::Zero(1, 1);
  for (int stage = 0; stage < 30; ++stage) {
    std::vector<HyperEpisode> runs(20);
    for (HyperEpisode& run : runs)
      for (int t = 0; t < 3; ++t) {
        run.push_back(controller.decide(s, 0.5, rng));
        run.back().r = Real((run.back().a(0, 0) == 1) - std::abs(double(run.back().a(1, 0))));
      }
    controller.learn(runs, rng);
  }
  CHECK(chance(controller, 0, s, 1) > 0.9);
  CHECK(chance(controller, 1, s, 0) > 0.9);
}

TEST_CASE("a decision is credited with rewards that come later, and not with those before it", "[09][train]") {
  Rng rng(105);
  Controller controller({.lr = Real(1e-2)}, 1, {3}, {8}, rng);
  const auto at = [](int t) { return Mat::Constant(1, 1, Real(t == 0 ? -1 : 1)); };
  for (int stage = 0; stage < 40; ++stage) {
    std::vector<HyperEpisode> runs(30);
    for (HyperEpisode& run : runs) {
      for (int t = 0; t < 2; ++t) run.push_back(controller.decide(at(t), 0, rng));
      run[1].r = Real(run[0].a(0, 0) == 2);                        // the first decision, paid at the second
      if (run[0].a(0, 0) == run[1].a(0, 0)) run[1].r -= Real(0.5);  // the second is better off with another choice
    }
    controller.learn(runs, rng);
  }
  CHECK(chance(controller, 0, at(0), 2) > 0.9);
  CHECK(chance(controller, 0, at(1), 2) < 0.1);
}

TEST_CASE("a stage is ppo_update for each head, on its own choices and log-probabilities", "[09]") {
  Rng rng_learn(107), rng_alone(107);
  Controller learns({.minibatch = 4}, 1, {2, 3}, {8}, rng_learn), alone({.minibatch = 4}, 1, {2, 3}, {8}, rng_alone);
  Rng rng(108);
  std::vector<HyperEpisode> runs(3);
  for (HyperEpisode& run : runs)
    for (int t = 0; t < 2; ++t) {
      run.push_back(learns.decide(rng.normal(1, 1), 0.5, rng));
      run.back().r = Real(rng.normal());
    }
  learns.learn(runs, rng_learn);
  const Mat A = advantages(runs);
  for (int h = 0; h < 2; ++h) {
    PpoBatch b{Mat(1, 6), Mat(1, 6), Mat(1, 6), Mat(1, 6)};
    for (int i = 0; i < 3; ++i)
      for (int t = 0; t < 2; ++t) {
        const Decision& d = runs[i][t];
        b.s(0, 2 * i + t) = d.s(0, 0), b.a(0, 2 * i + t) = d.a(h, 0), b.logp_old(0, 2 * i + t) = d.logp(h, 0);
        b.advantage(0, 2 * i + t) = A(t, i);
      }
    ppo_update(alone.heads[h], b, rng_alone);
  }
  const std::vector<Param*> one = params(learns), other = params(alone);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK((one[i]->value - other[i]->value).abs().maxCoeff() < 1e-6);
}

TEST_CASE("the controller's networks are one per head, and all are listed", "[09]") {
  Rng rng(106);
  Controller controller({}, 4, {2, 3, 3}, {16}, rng);
  CHECK(params(controller).size() == 3 * 4);
  CHECK(controller.heads[0].pi.logits.layers[1].W.value.rows() == 2);
  CHECK(controller.heads[2].pi.logits.layers[1].W.value.rows() == 3);
}

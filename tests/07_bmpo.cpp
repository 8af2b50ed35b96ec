// Chapter 07: the backward step, start states, compounding errors, the bounds, the ring, planning in both directions.
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <set>
#include <vector>
#include "chapters/01_q_planning/q_planning.h"
#include "chapters/04_pets/pets.h"
#include "chapters/07_bmpo/backward_model.h"
#include "chapters/07_bmpo/bidirectional_dyna.h"
#include "chapters/07_bmpo/boltzmann.h"
#include "chapters/07_bmpo/bound.h"
#include "chapters/07_bmpo/compounding.h"
#include "chapters/07_bmpo/ring.h"
#include "envs/pendulum.h"
#include "tests/catch.h"
#include "tests/slope.h"
#include "tests/statistics.h"

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double rounding = sizeof(Real) == 8 ? 1e-12 : 2e-5;

// s from s' and a on the pendulum without friction and limit:
//   theta = theta' - w' dt,   w = w' - (15 sin theta + 3 u) dt,   u = 2 a
Mat undo_pendulum(const Mat& s_next, const Mat& a) {
  const Mat w_next = s_next.row(2), theta = s_next.row(1).binaryExpr(s_next.row(0), [](Real y, Real x) {
    return std::atan2(y, x);
  }) - w_next * Real(Pendulum::dt);
  Mat s(3, s_next.cols());
  s << theta.cos(), theta.sin(), w_next - (15 * theta.sin() + 6 * a) * Real(Pendulum::dt);
  return s;
}

// Every member answers [r, d] to everything, with the same log-variance.
void answer(BackwardModel& model, const std::vector<double>& y, double log_var) {
  for (Member& f : model.q.members) {
    f.head.out.W.value.setZero(), f.head.out.b.value.setZero();
    f.head.max_log_var.value.setConstant(log_var), f.head.min_log_var.value.setConstant(log_var - 40);
    const Eigen::Index dim = f.head.target.mean.rows();
    f.head.out.b.value.bottomRows(dim).setConstant(100);  // far above the upper bound, which is then the answer
    for (Eigen::Index i = 0; i < dim; ++i) f.head.target.mean(i, 0) = Real(y[i]);
  }
}

// A recording in which a_t is what is added: s_{t+1} = s_t + a_t.
Recording walk(int dim, int n, int steps, Rng& rng) {
  Recording real;
  Mat s = rng.normal(dim, n);
  for (int t = 0; t <= steps; ++t) {
    real.s.push_back(s), real.a.push_back(rng.normal(dim, n));
    s += real.a.back();
  }
  return real;
}

BidirectionalDyna known_maze(const Maze& maze, Real epsilon) {
  const std::vector<int> distance = distances(maze);
  const int goal = int(std::find(distance.begin(), distance.end(), 0) - distance.begin());
  BidirectionalDyna agent(maze.states(), Maze::actions, goal, 1, Real(0.95), epsilon);
  for (int S = 0; S < maze.states(); ++S)
    for (int A = 0; A < Maze::actions; ++A)
      for (const Maze::Chance& c : maze.chances(S, A)) agent.learn(S, A, c.outcome.R, c.outcome.S_next);
  return agent;
}
const auto go_on = [](int, int) { return true; };

}  // namespace

TEST_CASE("the closed form undoes a step of the pendulum without friction and limit, and of no other", "[07]") {
  Rng rng(100);
  const auto error = [&](const Pendulum& env) {
    Sim sim(3, 200);
    for (int j = 0; j < 200; ++j) sim.col(j) << rng.uniform(-3, 3), rng.uniform(-7.9, 7.9), 0;
    const Mat a = rng.uniform(1, 200, -1, 1);
    return double((undo_pendulum(env.observe(env.simulate(sim, a)), a) - env.observe(sim)).abs().maxCoeff());
  };
  CHECK(error(Pendulum(0, infinity)) < 20 * rounding);
  CHECK(error(Pendulum(1, infinity)) > 0.1);
  CHECK(error(Pendulum(0, 8)) > 0.1);
}

TEST_CASE("a backward step is s' - d with the ensemble's own reward; not_done is that of s'", "[07]") {
  Rng rng(101);
  Slope env;
  env.wall = 5;
  BackwardModel model(env, {.members = 3, .elites = 2, .hidden = {4}}, rng);
  Mat s_next(1, 4);
  s_next << 4, 5, 6, 7;
  const Mat a = rng.uniform(2, 4, -1, 1);
  answer(model, {0.25, 1.75}, -60);  // the end is behind 5: s' ends there in two columns, s in one
  for (const Predecessor& o : {model.mean(s_next, a), model.sample(s_next, a, rng)}) {
    CHECK((o.s - (s_next - Real(1.75))).abs().maxCoeff() < 1e-6);
    CHECK((o.r - Real(0.25)).abs().maxCoeff() < 1e-6);
    CHECK((o.not_done == 1 - env.terminated(s_next)).all());
    CHECK(o.not_done.sum() == 2);
  }
  // The input is the view of s' that the task gives its models; the target is the plain difference, not net_target.
  CHECK((model.x(s_next, a).topRows(1) == env.net_input(s_next)).all());
  CHECK((model.x(s_next, a).bottomRows(2) == a).all());
  const Mat s = rng.normal(1, 4), r = rng.normal(1, 4), y = model.y(s, r, s_next);
  CHECK((y.row(0) == r).all());
  CHECK((y.row(1) == s_next - s).all());
  CHECK((env.net_target(s, s_next) != s_next - s).any());
  CHECK((model.predecessor(s_next, y).s - s).abs().maxCoeff() < 10 * rounding);
}

TEST_CASE("the noise of a backward step has the network's variance, in s and in r", "[07]") {
  Rng rng(102);
  Pendulum env;
  BackwardModel model(env, {.members = 2, .elites = 2, .hidden = {4}}, rng);
  answer(model, {1, 0, 0, 2}, std::log(0.09));
  const Predecessor o = model.sample(Mat::Zero(3, 20000), Mat::Zero(1, 20000), rng);
  const auto moments = [](const Mat& x) { return SampleMoments({x.data(), x.data() + x.size()}); };
  CHECK(moments(o.s.row(2)).mean == Approx(-2).margin(0.01));
  CHECK(moments(o.s.row(2)).variance == Approx(0.09).epsilon(0.05));
  CHECK(moments(o.r).mean == Approx(1).margin(0.01));
  CHECK(moments(o.r).variance == Approx(0.09).epsilon(0.05));
}

TEST_CASE("a backward model works on a task whose forward model predicts a row outright and sees another view",
          "[07]") {
  Rng rng(103);
  const std::unique_ptr<Env> task = make_env("half_cheetah_pets");
  const Env& env = *task;
  BackwardModel model(env, {.members = 1, .elites = 1, .hidden = {4}}, rng);
  const Mat s = rng.normal(env.state_dim, 3), s_next = rng.normal(env.state_dim, 3);
  const Mat y = model.y(s, rng.normal(1, 3), s_next);
  CHECK((model.predecessor(s_next, y).s - s).abs().maxCoeff() < 10 * rounding);
  CHECK(model.mean(s_next, rng.normal(env.action_dim, 3)).s.rows() == env.state_dim);
}

TEST_CASE("a learned backward step of the pendulum is the closed-form inverse, as far as a forward one is right",
          "[07][train]") {
  Rng rng(104);
  Pendulum env(0, infinity);
  Transitions D(3, 1, 2000), fresh(3, 1, 1000);
  random_trial(env, 2000, D, rng), random_trial(env, 1000, fresh, rng);
  EnsembleOptions how{.members = 2, .elites = 2, .hidden = {64, 64}, .batch = 32, .epochs = 40};
  LearnedModel model(env, how, rng);
  BackwardModel model_back(env, how, rng);
  train_model(model, D, rng), train_model(model_back, D, rng);
  const Batch b = fresh.all();
  const Mat exact = undo_pendulum(b.s_next, b.a);
  CHECK((exact - b.s).abs().maxCoeff() < 1e-3);
  const double back = squared_distance(model_back.mean(b.s_next, b.a).s, exact).mean();
  const double ahead = squared_distance(model.mean(b.s, b.a).s_next, b.s_next).mean();
  CHECK(back < 1e-3 * squared_distance(b.s_next, b.s).mean());  // the step itself is known to three digits
  CHECK(back < 3 * ahead);
}

TEST_CASE("p(s) ~ exp(beta V(s)): uniform at beta = 0, in proportion in between, the best at a large beta", "[07]") {
  Rng rng(105);
  const std::vector<double> V = {0.3, -1, 2, 2.5, 0};
  const auto counts = [&](double beta) {
    const Boltzmann p(V, beta);
    std::vector<long> n(V.size());
    for (int i = 0; i < 100000; ++i) ++n[p.draw(rng)];
    return n;
  };
  CHECK(std::abs(chi_square(counts(0))) < 4);
  const std::vector<long> n = counts(1.5);
  const Boltzmann p(V, 1.5);
  for (std::size_t i = 0; i < V.size(); ++i) {
    CHECK(p.chance(int(i)) / p.chance(0) == Approx(std::exp(1.5 * (V[i] - V[0]))).epsilon(1e-9));
    CHECK(std::abs(n[i] - 1e5 * p.chance(int(i))) < 5 * std::sqrt(1e5 * p.chance(int(i))) + 1);
  }
  CHECK(counts(1000) == std::vector<long>{0, 0, 0, 100000, 0});
  CHECK(counts(-1000) == std::vector<long>{0, 100000, 0, 0, 0});
}

TEST_CASE("p(s) ~ exp(beta V(s)) does not overflow at values of 1e6, and refuses what is no number", "[07]") {
  Rng rng(106);
  for (const double size : {1e6, -1e6})
    for (const double beta : {0.0, 1.0, 1e6}) {
      const Boltzmann p(std::vector<double>{size, size + 1, size}, beta);
      double sum = 0;
      for (int i = 0; i < 3; ++i) sum += p.chance(i);
      CHECK(sum == Approx(1));
      CHECK(p.chance(1) / p.chance(0) == Approx(std::exp(beta)));
      for (int i = 0; i < 100; ++i) CHECK(p.draw(rng) < 3);
    }
  CHECK(Boltzmann(std::vector<double>{-1e6, 1e6}, 1).draw(rng) == 1);
  CHECK(Boltzmann(std::vector<double>{7}, 3).draw(rng) == 0);
  CHECK_THROWS_AS(Boltzmann(std::vector<double>{}, 1), NotFinite);
  CHECK_THROWS_AS(Boltzmann(std::vector<double>{0, std::nan("")}, 1), NotFinite);
  CHECK_THROWS_AS(Boltzmann(std::vector<double>{0, infinity}, 1), NotFinite);
}

TEST_CASE("Error_for and Error_bi are 0 for exact models: each step takes the action of its own time", "[07]") {
  Rng rng(107);
  const Recording real = walk(3, 4, 12, rng);
  const auto forward = [](const Mat& s, const Mat& a) { return Mat(s + a); };
  const auto backward = [](const Mat& s_next, const Mat& a) { return Mat(s_next - a); };
  for (const int h : {1, 2, 6}) {
    CHECK(error_forward(forward, real, h).maxCoeff() < 50 * rounding * rounding);
    CHECK(error_bidirectional(forward, backward, real, h).maxCoeff() < 50 * rounding * rounding);
  }
}

TEST_CASE("Error_for and Error_bi of models that err by a constant are sums of squares", "[07]") {
  Rng rng(108);
  const Recording real = walk(2, 5, 20, rng);
  // Wrong by 0.1 in one dimension a step forwards, by 0.2 backwards: after i steps by i times as much.
  using Column = Eigen::Array<Real, 2, 1>;
  const auto forward = [](const Mat& s, const Mat& a) { return Mat((s + a).colwise() + Column(0.1, 0)); };
  const auto wrong_back = [](Real by) {
    return [by](const Mat& s_next, const Mat& a) { return Mat((s_next - a).colwise() + Column(0, by)); };
  };
  for (const int h : {1, 2, 5, 10}) {
    const Mat error_for = error_forward(forward, real, h);
    const Mat error_bi = error_bidirectional(forward, wrong_back(Real(0.2)), real, h);
    REQUIRE(error_for.size() == 5);
    REQUIRE(error_bi.size() == 5);
    for (int j = 0; j < 5; ++j) {  // sum_{i=1..n} i^2 = n (n+1) (2n+1) / 6
      CHECK(error_for(0, j) == Approx(0.01 * (2 * h + 1) * (4 * h + 1) / 6).epsilon(1e-4));
      CHECK(error_bi(0, j) == Approx(0.05 * (h + 1) * (2 * h + 1) / 12).epsilon(1e-4));
    }
    // As wrong in both directions: the ratio is (4h+1) / (h+1), 2.5 at 2h = 2 and at most 4.
    const double ratio = error_for(0, 0) / error_bidirectional(forward, wrong_back(Real(0.1)), real, h)(0, 0);
    CHECK(ratio == Approx((4.0 * h + 1) / (h + 1)).epsilon(1e-4));
  }
}

TEST_CASE("the bounds by hand, and the same where only one direction is taken", "[07]") {
  // 2 r_max [gamma^4 eps_pi / (1-gamma)^2 + gamma^3 eps_pi / (1-gamma) + max(1, 2) eps_m / (1-gamma)]
  CHECK(bidirectional_bound(1, 2, 0.2, 0.1, 0.5, 3) == Approx(6 * (0.0625 * 0.1 / 0.25 + 0.125 * 0.1 / 0.5 + 2 * 0.4)));
  CHECK(forward_bound(1, 2, 0.2, 0.1, 0.5, 3) == Approx(6 * (0.0625 * 0.1 / 0.25 + 0.125 * 0.1 / 0.5 + 3 * 0.4)));
  Rng rng(109);
  for (int i = 0; i < 200; ++i) {
    const double k1 = rng.uniform(0, 20), k2 = rng.uniform(0, 20), eps_m = rng.uniform(), eps_pi = rng.uniform();
    const double gamma = rng.uniform(0.1, 0.99), both = bidirectional_bound(k1, k2, eps_m, eps_pi, gamma, 2);
    CHECK(bidirectional_bound(0, k2, eps_m, eps_pi, gamma, 2) == Approx(bound(k2, eps_m, eps_pi, gamma, 2)));
    CHECK(both == Approx(bidirectional_bound(k2, k1, eps_m, eps_pi, gamma, 2)));
    const double saved = 2 * 2 * std::min(k1, k2) * eps_m / (1 - gamma);
    CHECK(forward_bound(k1, k2, eps_m, eps_pi, gamma, 2) - both == Approx(saved).epsilon(1e-9));
  }
}

TEST_CASE("the best k1 and k2 are equal, their sum is the closed form's, and longer by ln 2 / ln(1/gamma)", "[07]") {
  Rng rng(110);
  for (int i = 0; i < 100; ++i) {
    const double gamma = rng.uniform(0.5, 0.93), eps_pi = rng.uniform(0.01, 1);
    const double eps_m = eps_pi * rng.uniform(0.03, 0.95);
    const auto C = [&](int k1, int k2) { return bidirectional_bound(k1, k2, eps_m, eps_pi, gamma, 1); };
    int best1 = 0, best2 = 0;
    for (int k1 = 0; k1 < 60; ++k1)
      for (int k2 = 0; k2 < 60; ++k2)
        if (C(k1, k2) < C(best1, best2)) best1 = k1, best2 = k2;
    const double K = optimal_total(eps_m, eps_pi, gamma);
    INFO("gamma " << gamma << ", eps_m / eps_pi " << eps_m / eps_pi << ", K* " << K);
    CHECK(best1 == best2);
    CHECK(std::abs(best1 + best2 - K) < 2);
    const double forward = optimal_k(eps_m, eps_pi, gamma);
    CHECK(search_total(0.5, eps_m, eps_pi, gamma) == Approx(K).epsilon(1e-9).margin(1e-9));
    CHECK(search_total(1, eps_m, eps_pi, gamma) == Approx(forward).epsilon(1e-9).margin(1e-9));
    if (forward > 0) {
      CHECK(K - forward == Approx(std::log(2) / std::log(1 / gamma)).epsilon(1e-9));
      const double least = bidirectional_bound(K / 2, K / 2, eps_m, eps_pi, gamma, 1);
      CHECK(least / forward_bound(forward, 0, eps_m, eps_pi, gamma, 1) ==
            Approx(least_bounds_ratio(eps_m, eps_pi, gamma)).epsilon(1e-9));
    }
  }
}

TEST_CASE("the numbers of the bounds: 6.6 steps more at gamma = 0.9, 69 at 0.99; the least bound at 0.70, 0.81, 0.60",
          "[07]") {
  const auto growth = [](double gamma) { return optimal_total(0.05, 0.1, gamma) - optimal_k(0.05, 0.1, gamma); };
  CHECK(growth(0.9) == Approx(6.58).margin(0.01));
  CHECK(growth(0.99) == Approx(68.97).margin(0.01));
  CHECK(least_bounds_ratio(0.05, 0.1, 0.99) == Approx(0.70).margin(0.01));
  CHECK(least_bounds_ratio(0.09, 0.1, 0.99) == Approx(0.81).margin(0.01));
  CHECK(least_bounds_ratio(0.01, 0.1, 0.99) == Approx(0.60).margin(0.01));
  CHECK(optimal_total(0.3, 0.1, 0.9) == 0);
  CHECK(search_total(0.5, 0.3, 0.1, 0.9) < 1e-9);
  // Between rho = 1/2 and 1 only both directions are worth a step.
  CHECK(optimal_k(0.11, 0.1, 0.9) == 0);
  CHECK(optimal_total(0.11, 0.1, 0.9) > 0);
}

TEST_CASE("golden-section search finds a minimum to the last digits, at an end too", "[07]") {
  const auto parabola = [](double at) {
    return [at](double x, double y) { return (x - y) * (x + y - 2 * at); };  // (x - at)^2 - (y - at)^2
  };
  CHECK(golden_section(0, 10, parabola(std::numbers::pi)) == Approx(std::numbers::pi).epsilon(1e-11));
  CHECK(golden_section(0, 10, parabola(-1)) < 1e-9);
  CHECK(golden_section(0, 10, parabola(11)) > 10 - 1e-9);
}

TEST_CASE("the ring: its drift, where it settles, and the reversed chain against a long simulation", "[07]") {
  const int n = 12;
  const Matrix P = ring(n), Q = reversed(P);
  const Vector d = stationary(P);
  for (const Matrix& M : {P, Q}) {
    CHECK((M.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
    CHECK(M.minCoeff() >= 0);
  }
  for (int s = 0; s < n; ++s)
    CHECK(P(s, (s + 1) % n) - P(s, (s + n - 1) % n) == Approx(0.5 + 0.2 * std::cos(2 * std::numbers::pi * s / n)));
  CHECK(d.sum() == Approx(1));
  CHECK((P.transpose() * d - d).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(d.maxCoeff() / d.minCoeff() > 1.5);  // else reversing would be transposing
  CHECK((reversed(Q) - P).cwiseAbs().maxCoeff() < 1e-12);

  Rng rng(111);
  Matrix came = Matrix::Zero(n, n);  // (s', s)
  int s = 0;
  for (long t = 0; t < 1000000; ++t) {
    const int s_next = draw(P.row(s), rng);
    came(s_next, s) += 1, s = s_next;
  }
  came.array().colwise() /= came.rowwise().sum().eval().array();
  CHECK((came - Q).cwiseAbs().maxCoeff() < 0.01);
}

TEST_CASE("the ring's distances: exact powers against simulation, and at most k eps for any model", "[07]") {
  const int n = 6, k = 3, runs = 200000;
  const double eps = 0.2;
  const Matrix P = ring(n), M = mislearned(P, eps, 4);
  for (int s = 0; s < n; ++s) CHECK(total_variation(P.row(s), M.row(s)) == Approx(eps * (1 - P(s, 4))));
  Rng rng(112);
  double simulated = 0;
  for (int start = 0; start < n; ++start) {
    Vector true_at = Vector::Zero(n), model_at = Vector::Zero(n);
    for (int i = 0; i < runs; ++i) {
      int s = start, s_hat = start;
      for (int step = 0; step < k; ++step) {
        s = draw(P.row(s), rng);
        s_hat = rng.uniform() < eps ? 4 : draw(P.row(s_hat), rng);
      }
      true_at[s] += 1.0 / runs, model_at[s_hat] += 1.0 / runs;
    }
    simulated += total_variation(true_at, model_at) / n;
  }
  CHECK(marginals_distance(P * P * P, M * M * M) == Approx(simulated).margin(0.005));

  for (int i = 0; i < 100; ++i) {
    const Matrix model = 0.9 * P + 0.1 * random_policy(n, n, rng);
    double most = 0;
    for (int s = 0; s < n; ++s) most = std::max(most, total_variation(P.row(s), model.row(s)));
    Matrix P_k = P, M_k = model;
    for (int steps = 1; steps <= 8; ++steps, P_k = P_k * P, M_k = M_k * model)
      CHECK(marginals_distance(P_k, M_k) <= steps * most + 1e-12);
  }
}

TEST_CASE("planning steps: backwards along pairs that lead here, forwards along the model, the goal ends it", "[07]") {
  const Maze maze = dyna_maze();
  BidirectionalDyna agent = known_maze(maze, 1);
  Rng rng(113);
  std::size_t pairs = 0;
  for (int S_next = 0; S_next < maze.states(); ++S_next)
    for (const auto& [S, A] : agent.Model_back[S_next]) {
      CHECK(maze.chances(S, A)[0].outcome.S_next == S_next);
      ++pairs;
    }
  CHECK(pairs == 46 * 4);
  agent.learn(agent.Model.tried.states[0], 0, 0, 0);  // once more: nothing new
  std::size_t again = 0;
  for (const auto& into : agent.Model_back) again += into.size();
  CHECK(again == pairs);

  std::vector<StateAction> seen;
  const auto remember = [&](int S, int A) { return seen.push_back({S, A}), true; };
  agent.plan(agent.goal, 1, 5, rng, remember);       // forwards nothing begins at the goal
  REQUIRE(seen.size() == 1);
  CHECK(maze.chances(seen[0].S, seen[0].A)[0].outcome.S_next == agent.goal);
  CHECK(agent.Q(seen[0].S, seen[0].A) == 1);
  seen.clear();
  agent.plan(maze.state, 7, 4, rng, remember);
  REQUIRE(seen.size() == 11);                         // the goal is 14 steps away
  CHECK(agent.updates == 12);
  int S_next = maze.state;
  for (int i = 0; i < 7; ++i) {
    CHECK(maze.chances(seen[i].S, seen[i].A)[0].outcome.S_next == S_next);
    S_next = seen[i].S;
  }
  int S = maze.state;
  for (int i = 7; i < 11; ++i) {
    CHECK(seen[i].S == S);
    S = maze.chances(S, seen[i].A)[0].outcome.S_next;
  }
  seen.clear();
  agent.plan(maze.state, 7, 4, rng, [&](int S, int A) { return remember(S, A), seen.size() < 3; });
  CHECK(seen.size() == 3);
}

TEST_CASE("start states: all that were seen, each by its value, and the goal as if it were worth 1", "[07]") {
  const Maze maze = dyna_maze();
  BidirectionalDyna agent = known_maze(maze, 1);
  Rng rng(114);
  std::set<int> starts;
  for (int i = 0; i < 5000; ++i) starts.insert(agent.draw_start(0, rng));
  CHECK(starts.size() == 47);
  CHECK(starts.contains(agent.goal));
  long at_goal = 0;
  for (int i = 0; i < 10000; ++i) at_goal += agent.draw_start(10, rng) == agent.goal;
  CHECK(at_goal / 1e4 == Approx(std::exp(10) / (std::exp(10) + 46)).margin(0.002));
  agent.Q(maze.state, 2) = 1;
  at_goal = 0;
  for (int i = 0; i < 10000; ++i) at_goal += agent.draw_start(1e6, rng) == agent.goal;
  CHECK(at_goal / 1e4 == Approx(0.5).margin(0.02));
}

TEST_CASE("forwards, backwards or both ways, planning in the maze ends with all greedy actions on shortest paths",
          "[07]") {
  const Maze maze = dyna_maze();
  const std::vector<int> distance = distances(maze);
  CHECK(distance[maze.state] == 14);
  const Mat Q_star = value_iteration(maze, Real(0.95));
  for (int S = 0; S < maze.states(); ++S)  // V*(S) = gamma^(steps - 1)
    if (distance[S] > 0) CHECK(max_a(Q_star, S) == Approx(std::pow(0.95, distance[S] - 1)).epsilon(1e-4));
  Rng rng(115);
  for (const auto& [k1, k2] : {std::pair{20, 0}, {0, 20}, {10, 10}})
    for (const double beta : {0.0, 3.0}) {
      BidirectionalDyna agent = known_maze(maze, 1);
      while (agent.updates < 40000) agent.plan(agent.draw_start(beta, rng), k1, k2, rng, go_on);
      CHECK((agent.Q - Q_star).abs().maxCoeff() < 1e-4);
      for (int S = 0; S < maze.states(); ++S) {
        if (distance[S] <= 0) continue;
        CHECK(greedy_is_shortest(agent.Q, S, maze, distance));
        for (int A = 0; A < Maze::actions; ++A)  // by the true outcomes and values
          if (agent.Q(S, A) == max_a(agent.Q, S))
            CHECK(distance[maze.chances(S, A)[0].outcome.S_next] == distance[S] - 1);
      }
    }
  const BidirectionalDyna fresh = known_maze(maze, 1);
  CHECK(!greedy_is_shortest(fresh.Q, maze.state, maze, distance));  // all are 0: ties count
}

// Chapter 01 against value iteration and against counting by hand.
#include "chapters/01_q_planning/q_planning.h"
#include <cmath>
#include <limits>
#include "tests/catch.h"

namespace {

constexpr Real discount = Real(0.95);

// A model of everything: every free state and action of the maze tried `times` times.
CountModel full_model(Maze maze, int times, Rng& rng) {
  CountModel model(maze.states(), Maze::actions);
  for (int S = 0; S < maze.states(); ++S)
    for (int A = 0; A < Maze::actions && !maze.terminal(S) && !maze.wall(S); ++A)
      for (int i = 0; i < times; ++i) {
        maze.state = S;
        const auto [R, S_next] = maze.step(A, rng);
        model.learn(S, A, R, S_next);
      }
  return model;
}

// The most probable way from S to G under the policy that is greedy in Q.
int greedy_steps(const Mat& Q, Maze maze, Rng& rng) {
  maze.reset();
  int steps = 0;
  while (!maze.terminal(maze.state) && steps < 1000) maze.step(argmax_a(Q, maze.state, rng), rng), ++steps;
  return steps;
}

}  // namespace

TEST_CASE("value iteration on the Dyna maze gives V*(S) = 0.95^13 = 0.51334 and a 14-step path", "[01]") {
  const Maze maze = dyna_maze();
  const Mat Q = value_iteration(maze, discount);
  Rng rng(100);
  CHECK(max_a(Q, maze.state) == Approx(std::pow(0.95, 13)).margin(1e-5));
  CHECK(max_a(Q, maze.state) == Approx(0.51334).margin(1e-5));
  CHECK(greedy_steps(Q, maze, rng) == 14);
}

TEST_CASE("value iteration satisfies Bellman's equation on the slippery maze", "[01]") {
  const Maze maze = dyna_maze(0.3);
  const Mat Q = value_iteration(maze, discount);
  for (int S = 0; S < maze.states(); ++S)
    for (int A = 0; A < Maze::actions && !maze.terminal(S) && !maze.wall(S); ++A) {
      double q = 0, p = 0;
      for (const Maze::Chance& c : maze.chances(S, A)) {
        q += c.p * (c.outcome.R + discount * Q.row(c.outcome.S_next).maxCoeff());
        p += c.p;
      }
      REQUIRE(p == Approx(1));
      REQUIRE(Q(S, A) == Approx(q).margin(1e-5));
    }
}

TEST_CASE("Q-planning with alpha = 1 on a complete deterministic model is exact", "[01]") {
  Rng rng(100);
  const Maze maze = dyna_maze();
  const CountModel model = full_model(maze, 1, rng);
  Mat Q = Mat::Zero(maze.states(), Maze::actions), n = Q;
  q_planning(Q, n, model, 50000, 1, 0, discount, rng);
  CHECK((Q - value_iteration(maze, discount)).abs().maxCoeff() < 1e-5);
}

TEST_CASE("Q-planning comes to the optimum of its model, not of the maze", "[01]") {
  Rng rng(100);
  const Maze maze = dyna_maze(0.2);
  const CountModel model = full_model(maze, 20, rng);  // 20 trials a pair: the counts are off by some 10 %
  const Mat Q_true = value_iteration(maze, discount);
  const Mat Q_model = value_iteration(model, maze.states(), Maze::actions, discount);
  const Real model_error = (Q_model - Q_true).abs().maxCoeff();
  Mat Q = Mat::Zero(maze.states(), Maze::actions), n = Q;
  q_planning(Q, n, model, 2000000, 1, Real(0.7), discount, rng);
  CHECK(model_error > 0.01);
  CHECK(model_error < 0.5);
  CHECK((Q - Q_model).abs().maxCoeff() < 0.2 * model_error);
  CHECK((Q - Q_true).abs().maxCoeff() > 0.8 * model_error);
}

TEST_CASE("one planning update is alpha [R + gamma max_a Q(S', a) - Q(S, A)]", "[01]") {
  Rng rng(100);
  CountModel model(3, 2);
  model.learn(0, 1, 2, 1);
  Mat Q = Mat::Zero(3, 2), n = Q;
  Q(0, 1) = 5, Q(1, 0) = 3, Q(1, 1) = 4;
  q_planning(Q, n, model, 1, Real(0.25), 0, Real(0.5), rng);
  CHECK(Q(0, 1) == Approx(5 + 0.25 * (2 + 0.5 * 4 - 5)));
  n.setZero();
  Q(0, 1) = 0;
  q_planning(Q, n, model, 3, 1, 1, Real(0.5), rng);  // steps 1, 1/2, 1/3: the average of the targets
  CHECK(Q(0, 1) == Approx(4));
  CHECK(n(0, 1) == 3);
}

TEST_CASE("a count model samples outcomes in proportion to how often they were seen", "[01]") {
  Rng rng(100);
  CountModel model(4, 1);
  for (int i = 0; i < 7; ++i) model.learn(0, 0, 0, 1);
  for (int i = 0; i < 3; ++i) model.learn(0, 0, 1, 2);
  const std::vector<Maze::Chance> p = model.chances(0, 0);
  REQUIRE(p.size() == 2);
  CHECK(p[0].p == Approx(0.7));
  CHECK(p[1].p == Approx(0.3));
  CHECK(p[1].outcome.R == 1);
  CHECK(model.chances(1, 0).empty());
  int second = 0;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) second += model.sample(0, 0, rng).S_next == 2;
  CHECK(std::abs(second / double(draws) - 0.3) < 4 * std::sqrt(0.21 / draws));
}

TEST_CASE("planning draws a state first and then an action, so pairs of a state share its probability", "[01]") {
  Rng rng(100);
  Tried tried(3);
  tried.add(0, 0), tried.add(2, 0), tried.add(2, 1), tried.add(2, 1), tried.add(2, 3);
  CHECK(tried.states == std::vector<int>{0, 2});
  CHECK(tried.actions[2] == std::vector<int>{0, 1, 3});
  int state0 = 0, pair23 = 0;
  constexpr int draws = 30000;
  for (int i = 0; i < draws; ++i) {
    const auto [S, A] = tried.draw(rng);
    state0 += S == 0;
    pair23 += S == 2 && A == 3;
  }
  CHECK(std::abs(state0 / double(draws) - 1.0 / 2) < 4 * std::sqrt(0.25 / draws));
  CHECK(std::abs(pair23 / double(draws) - 1.0 / 6) < 4 * std::sqrt(0.14 / draws));
}

TEST_CASE("argmax breaks ties at random, uniformly among the maxima", "[01]") {
  Rng rng(100);
  Mat Q(1, 4);
  Q << 1, 3, 3, 3;
  std::vector<int> count(4);
  constexpr int draws = 30000;
  for (int i = 0; i < draws; ++i) ++count[argmax_a(Q, 0, rng)];
  CHECK(count[0] == 0);
  for (int a = 1; a < 4; ++a) CHECK(std::abs(count[a] / double(draws) - 1.0 / 3) < 4 * std::sqrt(0.22 / draws));
}

TEST_CASE("the mazes: 47 free cells, shortest ways 14, 10 then 16, 16 then 10; walls change in time", "[01][envs]") {
  Rng rng(100);
  const Maze dyna = dyna_maze();
  int walls = 0;
  for (int S = 0; S < dyna.states(); ++S) walls += dyna.wall(S);
  CHECK(dyna.states() - walls == 47);
  const auto shortest = [&](const Maze& maze) { return greedy_steps(value_iteration(maze, discount), maze, rng); };
  CHECK(shortest(dyna) == 14);
  Maze blocking = blocking_maze(5), shortcut = shortcut_maze(5);
  CHECK(shortest(blocking_maze()) == 10);
  CHECK(shortest(shortcut_maze()) == 16);
  for (int i = 0; i < 5; ++i) {
    CHECK(blocking.map == blocking_maze().map);
    blocking.step(1, rng), shortcut.step(1, rng);
  }
  CHECK(shortest(blocking) == 16);
  CHECK(shortest(shortcut) == 10);
  CHECK(shortcut.map[3] == ".#######.");  // the old way stays open
  CHECK(blocking.steps == 5);
  blocking.reset();
  CHECK(blocking.steps == 5);
  CHECK(blocking.state == blocking_maze().state);
}

TEST_CASE("a move into a wall or off the grid stays, entering the goal pays 1, slips go sideways", "[01][envs]") {
  Rng rng(100);
  Maze maze = dyna_maze();
  const auto at = [&](int row, int col) { return row * maze.cols() + col; };
  CHECK(maze.state == at(2, 0));
  CHECK(maze.step(2, rng).S_next == at(2, 0));  // left: off the grid
  CHECK(maze.step(3, rng).S_next == at(2, 1));
  const auto [R_wall, stayed] = maze.step(3, rng);
  CHECK(stayed == at(2, 1));
  CHECK(R_wall == 0);
  CHECK(maze.step(0, rng).S_next == at(1, 1));
  CHECK(maze.step(1, rng).S_next == at(2, 1));
  maze.state = at(1, 8);
  const auto [R, S_next] = maze.step(0, rng);
  CHECK(R == 1);
  CHECK(maze.terminal(S_next));

}

TEST_CASE("a map without a start, or with rows of different length, is refused", "[01][envs]") {
  const auto make = [](std::vector<std::string> map) { return Maze{.map = std::move(map), .changed = {}}; };
  CHECK_THROWS_AS(make({"..G", "..."}), std::invalid_argument);
  CHECK_THROWS_AS(make({"S.G", ".."}), std::invalid_argument);
  CHECK(make({"S.G", "..."}).state == 0);
}

TEST_CASE("a slip goes to the two sides of the move, each with half of its probability", "[01][envs]") {
  Rng rng(100);
  Maze maze = dyna_maze(0.4);
  const int S = 4 * maze.cols() + 1;
  const std::vector<int> beside = {S - maze.cols(), S + maze.cols(), S - 1, S + 1};  // up, down, left, right
  constexpr int draws = 20000;
  for (int A = 0; A < Maze::actions; ++A) {
    std::vector<int> count(maze.states());
    std::vector<double> chance(maze.states());
    for (int i = 0; i < draws; ++i) {
      maze.state = S;
      ++count[maze.step(A, rng).S_next];
    }
    for (const auto& [p, outcome] : maze.chances(S, A)) chance[outcome.S_next] += p;
    for (int B = 0; B < Maze::actions; ++B) {
      const double p = B == A ? 0.6 : B / 2 == A / 2 ? 0 : 0.2;
      CHECK(chance[beside[B]] == Approx(p).margin(1e-12));
      CHECK(std::abs(count[beside[B]] / double(draws) - p) <= 4 * std::sqrt(p * (1 - p) / draws));
    }
  }
}

TEST_CASE("a model from much experience is the maze: its counts approach p(s', r | s, a)", "[01]") {
  Rng rng(100);
  const Maze maze = dyna_maze(0.2);
  const CountModel model = full_model(maze, 2000, rng);
  const Mat Q_model = value_iteration(model, maze.states(), Maze::actions, discount);
  CHECK((Q_model - value_iteration(maze, discount)).abs().maxCoeff() < 0.02);
  CountModel coin(2, 1);  // the same next state with two rewards: two outcomes
  coin.learn(0, 0, 0, 1), coin.learn(0, 0, 1, 1);
  CHECK(coin.chances(0, 0).size() == 2);
}

namespace {

struct Costs {  // every step costs 1, two steps to the end
  std::vector<Maze::Chance> chances(int S, int) const {
    if (S == 2) return {};
    return {{1, {-1, S + 1}}};
  }
};

}  // namespace

TEST_CASE("value iteration works with costs as with rewards", "[01]") {
  const Mat Q = value_iteration(Costs{}, 3, 1, Real(0.5));
  CHECK(Q(0, 0) == Approx(-1.5));
  CHECK(Q(1, 0) == Approx(-1));
}

TEST_CASE("a table with a NaN or an infinity is refused", "[01]") {
  Mat Q = Mat::Zero(2, 2);
  check_finite(Q);
  Q(1, 0) = std::numeric_limits<Real>::infinity();
  CHECK_THROWS_AS(check_finite(Q), NotFinite);
  Q(1, 0) = std::numeric_limits<Real>::quiet_NaN();
  CHECK_THROWS_AS(check_finite(Q), NotFinite);
}

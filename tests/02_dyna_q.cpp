// Chapter 02 against the numbers of the maze that can be computed, and against its box line by line.
#include <Eigen/LU>
#include <cmath>
#include <numeric>
#include "chapters/01_q_planning/q_planning.h"
#include "chapters/02_dyna_q/dyna_q.h"
#include "chapters/02_dyna_q/dyna_q_plus.h"
#include "tests/catch.h"

namespace {

// Steps of each of the first episodes of one run, with the book's parameters.
std::vector<int> steps_per_episode(int n, int episodes, std::uint64_t seed) {
  Rng rng(seed);
  Maze maze = dyna_maze();
  DynaQ agent(maze.states(), Maze::actions, n, Real(0.1), Real(0.95), Real(0.1));
  std::vector<int> steps(episodes);
  for (int& count : steps)
    for (maze.reset(); !maze.terminal(maze.state); ++count) agent.step(maze, rng);
  return steps;
}

struct Mean {
  double mean, error;  // standard error of the mean
};
// Mean over runs of the mean over episodes [from, to).
Mean mean_steps(int n, int from, int to, int runs) {
  double sum = 0, sum2 = 0;
  for (int run = 0; run < runs; ++run) {
    const std::vector<int> steps = steps_per_episode(n, to, 100 + run);
    const double x = std::accumulate(steps.begin() + from, steps.end(), 0.0) / (to - from);
    sum += x, sum2 += x * x;
  }
  const double mean = sum / runs;
  return {mean, std::sqrt((sum2 / runs - mean * mean) / (runs - 1))};
}

// The expected number of steps from S to G when action A has probability policy(S, A): a linear system.
double expected_steps(const Maze& maze, const Mat& policy) {
  Eigen::MatrixXd system = Eigen::MatrixXd::Identity(maze.states(), maze.states());
  Eigen::VectorXd one = Eigen::VectorXd::Zero(maze.states());
  for (int S = 0; S < maze.states(); ++S) {
    if (maze.terminal(S) || maze.wall(S)) continue;
    one[S] = 1;
    for (int A = 0; A < Maze::actions; ++A)
      for (const Maze::Chance& c : maze.chances(S, A)) system(S, c.outcome.S_next) -= policy(S, A) * c.p;
  }
  return system.fullPivLu().solve(one)[maze.state];
}

}  // namespace

TEST_CASE("the random walk from S to G takes 868.7 steps, an optimal policy with epsilon = 0.1 takes 15.9", "[02]") {
  const Maze maze = dyna_maze();
  CHECK(expected_steps(maze, Mat::Constant(maze.states(), 4, Real(0.25))) == Approx(868.7).margin(0.1));
  const Mat Q = value_iteration(maze, Real(0.95));
  Mat policy = Mat::Constant(maze.states(), 4, Real(0.025));
  for (int S = 0; S < maze.states(); ++S) {
    Eigen::Index best;
    Q.row(S).maxCoeff(&best);
    policy(S, best) += Real(0.9);
  }
  CHECK(expected_steps(maze, policy) == Approx(15.9).margin(0.2));
}

TEST_CASE("episode 1 is a random walk whatever n is: 868.7 steps in the mean", "[02]") {
  for (const int n : {0, 5, 50}) {
    const auto [mean, error] = mean_steps(n, 0, 1, 400);
    INFO("n = " << n << ": " << mean << " +- " << error);
    CHECK(std::abs(mean - 868.7) < 4 * error);
    CHECK(error < 50);
  }
}

TEST_CASE("planning saves episodes: with n = 50 three are enough, with n = 5 five, with n = 0 some thirty", "[02]") {
  const auto steps = [](int n, int episode) { return mean_steps(n, episode - 1, episode, 60).mean; };
  CHECK(steps(50, 3) < 25);
  CHECK(steps(5, 3) > 35);
  CHECK(steps(5, 6) < 30);
  CHECK(steps(0, 10) > 80);
  CHECK(steps(0, 20) > 30);
  CHECK(steps(0, 30) < 25);
}

TEST_CASE("all three end near the 15.9 steps of an optimal policy that explores: 16 to 18.5", "[02]") {
  for (const int n : {0, 5, 50}) {
    const auto [mean, error] = mean_steps(n, 40, 50, 60);
    INFO("n = " << n << ": " << mean << " +- " << error);
    CHECK(mean > 16);
    CHECK(mean < 18.5);
  }
}

TEST_CASE("Dyna-Q reaches the maze's 14-step path", "[02]") {
  Rng rng(100);
  Maze maze = dyna_maze();
  DynaQ agent(maze.states(), Maze::actions, 50, Real(0.1), Real(0.95), Real(0.1));
  for (int episode = 0; episode < 50; ++episode)
    for (maze.reset(); !maze.terminal(maze.state);) agent.step(maze, rng);
  maze.reset();
  int steps = 0;
  for (; !maze.terminal(maze.state) && steps < 100; ++steps) maze.step(argmax_a(agent.Q, maze.state, rng), rng);
  CHECK(steps == 14);
  CHECK(max_a(agent.Q, dyna_maze().state) == Approx(0.51334).margin(0.01));
  for (int S = 0; S < maze.states(); ++S)
    if (maze.terminal(S) || maze.wall(S)) CHECK(agent.Q.row(S).abs().maxCoeff() == 0);
}

TEST_CASE("lines (d), (e) and (f) of the box, by hand on one step", "[02]") {
  Rng rng(100);
  Maze maze = dyna_maze();
  maze.state = 1 * maze.cols() + 8;  // below the goal
  const int S = maze.state;
  DynaQ direct(maze.states(), Maze::actions, 0, Real(0.5), Real(0.9), 0);
  direct.Q(S, 0) = 2;  // greedy: up, into the goal
  const auto [R, S_next] = direct.step(maze, rng);
  CHECK(R == 1);
  CHECK(direct.Q(S, 0) == Approx(2 + 0.5 * (1 + 0.9 * 0 - 2)));
  CHECK(direct.Model.sample(S, 0).R == 1);
  CHECK(direct.Model.sample(S, 0).S_next == S_next);
  CHECK(direct.Model.tried.states == std::vector<int>{S});

  maze.state = S;
  DynaQ planning(maze.states(), Maze::actions, 3, Real(0.5), Real(0.9), 0);
  planning.Q(S, 0) = 2;
  planning.step(maze, rng);  // one real update and three planned ones of the only pair: 1 + (2 - 1) / 2^4
  CHECK(planning.Q(S, 0) == Approx(1 + 1.0 / 16));
}

TEST_CASE("epsilon-greedy takes a random action with probability epsilon", "[02]") {
  Rng rng(100);
  Mat Q = Mat::Zero(1, 4);
  Q(0, 2) = 1;
  int greedy = 0;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) greedy += epsilon_greedy(0, Q, Real(0.2), rng) == 2;
  CHECK(std::abs(greedy / double(draws) - 0.85) < 4 * std::sqrt(0.85 * 0.15 / draws));
}

TEST_CASE("Dyna-Q+ plans with the bonus kappa sqrt(tau), also for actions never tried", "[02]") {
  Rng rng(100);
  Maze maze = shortcut_maze();
  DynaQPlus agent(maze.states(), Maze::actions, 500, 1, 0, 0, Real(0.5));
  const int S = maze.state;
  agent.step(maze, rng);
  REQUIRE(agent.Model.tried.actions[S].size() == 4);
  CHECK(agent.now == 1);
  CHECK(agent.Q.abs().maxCoeff() == 0);  // everything was tried, or marked as if, at step 1
  agent.now = 100;
  maze.state = S;
  agent.step(maze, rng);  // real step 101; gamma = 0 and alpha = 1: a planned value is R + bonus, here 0.5 sqrt(100)
  CHECK(agent.now == 101);
  CHECK((agent.Q.row(S) == 5).count() == 3);
  CHECK((agent.Q.row(S) == 0).count() == 1);  // the action just taken
}

TEST_CASE("Dyna-Q+: the real update is Dyna-Q's, without bonus; untried actions stay, as if tried at step 1", "[02]") {
  Rng rng(100);
  Maze maze = dyna_maze();
  const int S = maze.state = 1 * maze.cols() + 8;  // below the goal
  DynaQPlus direct(maze.states(), Maze::actions, 0, Real(0.5), Real(0.9), 0, 1);
  direct.now = 100;
  direct.Q(S, 0) = 2;  // greedy: up, into the goal
  direct.step(maze, rng);
  CHECK(direct.Q(S, 0) == Approx(2 + 0.5 * (1 + 0.9 * 0 - 2)));
  CHECK((direct.Q.row(S).rightCols(3) == 0).all());
  CHECK(direct.last_tried(S, 0) == 101);
  for (int a = 1; a < Maze::actions; ++a) {
    CHECK(direct.Model.sample(S, a).R == 0);
    CHECK(direct.Model.sample(S, a).S_next == S);
    CHECK(direct.last_tried(S, a) == 1);
  }

  maze.state = S;
  DynaQPlus planning(maze.states(), Maze::actions, 1, Real(0.5), Real(0.9), 0, 1);
  planning.now = 100;
  planning.Q(S, 0) = 2;
  planning.step(maze, rng);
  // The real update leaves 1.5. The planned one is of another action, 0 + sqrt(100) + 0.9 1.5, or of the same, without
  // bonus because it has just been tried.
  const Real sum = planning.Q.row(S).sum();
  CHECK((sum == Approx(1.5 + 0.5 * (10 + 0.9 * 1.5)) || sum == Approx(1.5 + 0.5 * (1 - 1.5))));
}

TEST_CASE("the clock of Dyna-Q+ runs on through episodes, so no bonus is a NaN", "[02]") {
  Rng rng(100);
  Maze maze = blocking_maze(500);
  DynaQPlus agent(maze.states(), Maze::actions, 10, 1, Real(0.95), Real(0.1), Real(1e-4));
  for (int step = 0; step < 3000; ++step) {
    if (maze.terminal(maze.state)) maze.reset();
    agent.step(maze, rng);
  }
  CHECK(agent.now == 3000);
  CHECK(agent.Q.isFinite().all());
}

TEST_CASE("Dyna-Q+ finds the shortcut that Dyna-Q does not look for", "[02]") {
  const auto reward = [](auto make_agent) {
    double sum = 0;
    for (int seed = 100; seed < 105; ++seed) {
      Rng rng(seed);
      Maze maze = shortcut_maze(3000);
      auto agent = make_agent(maze);
      for (int step = 0; step < 6000; ++step) {
        if (maze.terminal(maze.state)) maze.reset();
        sum += agent.step(maze, rng).R / 5;
      }
    }
    return sum;
  };
  const double plus = reward([](const Maze& maze) {
    return DynaQPlus(maze.states(), Maze::actions, 50, 1, Real(0.95), Real(0.1), Real(1e-3));
  });
  const double without = reward([](const Maze& maze) {
    return DynaQ(maze.states(), Maze::actions, 50, 1, Real(0.95), Real(0.1));
  });
  CHECK(plus > 1.1 * without);
}

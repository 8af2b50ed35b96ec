// The two tabular tasks as environments: the maze of Dyna-Q and the cliff. s = (row, column); four moves.
// The tabular chapters use Maze itself.
#pragma once
#include "envs/env.h"
#include "envs/maze.h"

template <class Task> struct GridEnv : EnvOf<Task> {
  Maze grid;  // its map; 'C' is a cliff, which Maze takes for a free cell

  explicit GridEnv(Maze maze) : grid(std::move(maze)) {
    this->state_dim = 2, this->action_dim = 1, this->choices = Maze::actions, this->action_scale = {1};
    this->sim_names = {"row", "column"};
    this->state_low = {0, 0}, this->state_high = {grid.rows() - 1.0, grid.cols() - 1.0};
  }
  Sim start(Rng&) const override {
    Sim sim = Sim::Zero(3, 1);
    for (int S = 0; S < grid.states(); ++S)
      if (grid.cell(S) == 'S') sim << S / grid.cols(), S % grid.cols(), 0;
    return sim;
  }
  Sim advance(const Sim& sim, const Sim& a) const override {
    Sim next(3, sim.cols());
    for (Eigen::Index i = 0; i < sim.cols(); ++i) {
      const int row = std::clamp(int(sim(0, i)), 0, grid.rows() - 1);
      const int S = row * grid.cols() + std::clamp(int(sim(1, i)), 0, grid.cols() - 1);
      const std::vector<Maze::Chance> chances = grid.chances(S, this->choice(a(0, i)));
      const int S_next = chances.empty() ? S : chances[0].outcome.S_next;  // nothing moves in a wall or at the end
      next.col(i) << S_next / grid.cols(), S_next % grid.cols(), sim(2, i) + 1;
    }
    return next;
  }
  Sim observation(const Sim& sim) const override { return sim.topRows(2); }
  // 1 where s lies on one of the given kinds of cells.
  template <class T> T on(const T& s, const std::string& kinds) const {
    T y(1, s.cols());
    for (Eigen::Index i = 0; i < s.cols(); ++i) {
      const long row = std::lround(s(0, i)), column = std::lround(s(1, i));
      const bool inside = row >= 0 && row < grid.rows() && column >= 0 && column < grid.cols();
      y(0, i) = inside && kinds.find(grid.map[row][column]) != std::string::npos;
    }
    return y;
  }
  Drawing draw(const Sim& sim) const override {
    Drawing d{-0.6, grid.cols() - 0.4, 0.6 - grid.rows(), 0.6};
    for (int S = 0; S < grid.states(); ++S) {
      const int colour = grid.wall(S) ? 5 : grid.cell(S) == 'G' ? 3 : grid.cell(S) == 'C' ? 2 : 4;
      d.tiles.push_back({double(S % grid.cols()), -double(S / grid.cols()), colour});
    }
    d.strokes.push_back({sim(1, 0), -sim(0, 0), sim(1, 0), -sim(0, 0), 0.3, 1});
    return d;
  }
};

// The slide's maze: +1 on entering the goal.
struct MazeEnv : GridEnv<MazeEnv> {
  MazeEnv() : GridEnv(dyna_maze()) {
    name = "maze", about = "find the goal of a maze of 47 cells", time_limit = 10000;
    reward_rule = "1 on entering the goal, else 0";
  }
  template <class T> T ended_at(const T& s) const { return on(s, "G"); }
  template <class T> T reward_of(const T& s, const T&, const T& s_next) const {
    return constant(s, on(numbers(s_next), "G"));
  }
};

// The textbook's cliff: -1 a step, -100 and the end for falling off.
struct CliffWalking : GridEnv<CliffWalking> {
  CliffWalking()
      : GridEnv(Maze{.map = {"............", "............", "............", "SCCCCCCCCCCG"}, .changed = {}}) {
    name = "cliff_walking", about = "walk along a cliff to the goal", time_limit = 1000;
    reward_rule = "-100 on stepping off the cliff, else -1";
  }
  template <class T> T ended_at(const T& s) const { return on(s, "GC"); }
  template <class T> T reward_of(const T& s, const T&, const T& s_next) const {
    return constant(s, -1 - 99 * on(numbers(s_next), "C"));
  }
};

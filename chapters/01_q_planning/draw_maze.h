// The maze as a picture: walls, S, G, the greedy policy as arrows, the agent.
#pragma once
#include <string>
#include <vector>
#include "chapters/01_q_planning/table.h"  // argmax_a
#include "envs/maze.h"   // Maze
#include "plots/plot.h"  // Panel, rectangle, arrows, text

// Q: (states, actions). An arrow for every greedy action, none where all values of a state are equal. agent: its
// state, -1 for none. One cell is one unit, row 0 on top.
inline Panel draw_maze(const Maze& maze, const Mat& Q, int agent, const std::string& title) {
  Panel panel{.title = title, .equal = true, .axes = false, .key = Key::off};
  const auto x = [&](int S) { return S % maze.cols() + 0.5; };
  const auto y = [&](int S) { return maze.rows() - S / maze.cols() - 0.5; };
  const auto cell = [&](int S, double gap, Colour colour) {
    panel.layers.push_back(rectangle(x(S) - 0.5 + gap, y(S) - 0.5 + gap, x(S) + 0.5 - gap, y(S) + 0.5 - gap, colour));
  };
  for (int S = 0; S < maze.states(); ++S) cell(S, 0.02, maze.wall(S) ? colour::grey : colour::light_grey);
  if (agent >= 0) cell(agent, 0.15, colour::black);
  std::vector<double> from_x, from_y, dx, dy;
  for (int S = 0; S < maze.states(); ++S) {
    if (maze.cell(S) != '.' && maze.cell(S) != '#')
      panel.layers.push_back(text(x(S), y(S), std::string(1, maze.cell(S)), colour::blue, 14));
    if (maze.wall(S) || maze.terminal(S) || (Q.row(S) == Q(S, 0)).all()) continue;
    for (int A = 0; A < Maze::actions; ++A) {
      if (Q(S, A) < Q.row(S).maxCoeff()) continue;
      const double right = Maze::moves[A][1], up = -Maze::moves[A][0];
      from_x.push_back(x(S) - 0.35 * right), from_y.push_back(y(S) - 0.35 * up);
      dx.push_back(0.7 * right), dy.push_back(0.7 * up);
    }
  }
  panel.layers.push_back(arrows(from_x, from_y, dx, dy, colour::vermillion));
  return panel;
}

// One episode that is greedy in Q, a frame a step, 100 steps at most.
inline std::vector<Figure> episode_frames(Maze maze, const Mat& Q, int seed, const std::string& title) {
  Rng rng(seed);
  std::vector<Figure> frames;
  maze.reset();
  for (int step = 0; step <= 100; ++step) {
    const Panel panel = draw_maze(maze, Q, maze.state, title + ", step " + std::to_string(step));
    frames.push_back({.width = 520, .height = 400, .panels = {panel}});
    if (maze.terminal(maze.state)) break;
    maze.step(argmax_a(Q, maze.state, rng), rng);
  }
  return frames;
}

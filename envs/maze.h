// The Dyna maze (Sutton and Barto, 2nd edition, example 8.1 to 8.3): move to the goal, +1 on entering it.
// Walls may change at a given step, and moves may slip.
#pragma once
#include <array>
#include <cassert>
#include <stdexcept>
#include <string>
#include <vector>
#include "autodiff/rng.h"

struct Maze {
  static constexpr int actions = 4;  // up, down, left, right
  static constexpr std::array<std::array<int, 2>, actions> moves = {{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}};  // row, column

  std::vector<std::string> map;      // one text per row, top first: '#' wall, 'S' start, 'G' goal, '.' free
  double slip = 0;                   // probability of moving to one of the two sides instead, each with half of it
  long change_step = -1;             // from this many steps on `changed` replaces `map`; -1: never
  std::vector<std::string> changed;
  // row * width + column. Throws std::invalid_argument if the map has no S, or rows of different length.
  int state = find('S');
  long steps = 0;                    // real steps so far; never reset, it is the clock of the changing maze

  int rows() const { return int(map.size()); }
  int cols() const { return int(map[0].size()); }
  int states() const { return rows() * cols(); }
  char cell(int S) const { return map[S / cols()][S % cols()]; }
  bool terminal(int S) const { return cell(S) == 'G'; }
  bool wall(int S) const { return cell(S) == '#'; }

  // Back to the start: a new episode. Walls and clock stay as they are.
  int reset() { return state = find('S'); }

  struct Outcome {
    Real R;
    int S_next;
  };
  // One move from the current state, which is not the goal; a move into a wall or off the grid stays. R = 1 on entering
  // the goal, else 0. Trap: a wall may appear where the agent stands; it can walk out of it, not in again.
  Outcome step(int A, Rng& rng) {
    assert(!terminal(state) && "the episode is over: reset");
    if (slip > 0 && rng.uniform() < slip) A = sides(A)[rng.below(2)];
    const int S_next = neighbour(state, A);
    if (++steps == change_step) map = changed;
    state = S_next;
    return {Real(terminal(S_next)), S_next};
  }

  // p(s', r | s, a) as it is now: every outcome with its probability; none at the goal and in walls.
  struct Chance {
    double p;
    Outcome outcome;
  };
  std::vector<Chance> chances(int S, int A) const {
    const auto outcome = [&](int A) {
      const int S_next = neighbour(S, A);
      return Outcome{Real(terminal(S_next)), S_next};
    };
    const auto [one_side, other_side] = sides(A);
    if (terminal(S) || wall(S)) return {};
    if (slip == 0) return {{1, outcome(A)}};
    return {{1 - slip, outcome(A)}, {slip / 2, outcome(one_side)}, {slip / 2, outcome(other_side)}};
  }

  template <class Ar> void io(Ar& ar) { ar("map", map), ar("state", state), ar("steps", steps); }

 private:
  static std::array<int, 2> sides(int A) { return A < 2 ? std::array{2, 3} : std::array{0, 1}; }
  int neighbour(int S, int A) const {
    const int row = S / cols() + moves[A][0], col = S % cols() + moves[A][1];
    if (row < 0 || row >= rows() || col < 0 || col >= cols() || map[row][col] == '#') return S;
    return row * cols() + col;
  }
  int find(char what) const {
    for (const std::vector<std::string>& walls : {map, changed})
      for (const std::string& row : walls)
        if (row.size() != map[0].size()) throw std::invalid_argument("the maze's rows differ in length: " + row);
    for (int S = 0; S < states(); ++S)
      if (cell(S) == what) return S;
    throw std::invalid_argument(std::string("the maze has no '") + what + "'");
  }
};

// The maze of the slide "Dyna-Q on a Simple Maze": 47 free cells, 14 steps from S to G.
inline Maze dyna_maze(double slip = 0) {
  return {.map = {".......#G",  //
                  "..#....#.",  //
                  "S.#....#.",  //
                  "..#......",  //
                  ".....#...",  //
                  "........."},
          .slip = slip, .changed = {}};
}

// The way is blocked on the right and opens on the left: 10 steps to the goal, then 16 (example 8.2).
inline Maze blocking_maze(long change_step = 1000) {
  return {.map = {"........G", ".........", ".........", "########.", ".........", "...S....."},
          .change_step = change_step,
          .changed = {"........G", ".........", ".........", ".########", ".........", "...S....."}};
}

// A shorter way opens on the right and the old one stays: 16 steps to the goal, then 10 (example 8.3).
inline Maze shortcut_maze(long change_step = 3000) {
  return {.map = {"........G", ".........", ".........", ".########", ".........", "...S....."},
          .change_step = change_step,
          .changed = {"........G", ".........", ".........", ".#######.", ".........", "...S....."}};
}

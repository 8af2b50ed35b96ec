// A picture of one state, made of squares and thick lines: what `rollout --gif` paints.
#pragma once
#include <vector>

struct Stroke {
  double x1, y1, x2, y2, radius;  // a capsule: all points within radius of the segment; a disc if both ends are one
  int colour = 1;                 // 0 white, 1 blue, 2 orange, 3 green, 4 light grey, 5 black
};
struct Tile {
  double x, y;  // centre of a square, 0.94 wide
  int colour;
};
struct Drawing {
  double left, right, bottom, top;  // the part of the plane that is shown
  std::vector<Stroke> strokes{};    // later ones cover earlier ones
  std::vector<Tile> tiles{};        // under the strokes
};

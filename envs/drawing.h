// A picture of one state, made of thick lines: what `rollout --gif` paints.
#pragma once
#include <array>
#include <string>
#include <vector>

struct Stroke {
  double x1, y1, x2, y2, radius;  // a capsule: all points within radius of the segment; a dot if both ends are one
  int colour = 1;                  // 0 white, 1 blue, 2 orange, 3 green, 4 grey, 5 black
};
struct Drawing {
  double left, right, bottom, top;  // the part of the plane that is shown
  std::vector<Stroke> strokes{};     // later ones cover earlier ones
};

// An environment's Drawing as a Figure, for animate().
#pragma once
#include "envs/env.h"
#include "plots/plot.h"

// `width` pixels wide, the same scale in x and y.
inline Figure picture(const Drawing& drawing, const std::string& title = "", int width = 400) {
  static constexpr Colour colours[] = {colour::white, colour::blue, colour::orange, colour::green, colour::light_grey,
                                       colour::black};
  Panel panel{.title = title, .x = {drawing.left, drawing.right}, .y = {drawing.bottom, drawing.top}, .equal = true,
              .axes = false, .key = Key::off};
  for (const Tile& t : drawing.tiles)
    panel.layers.push_back(rectangle(t.x - 0.47, t.y - 0.47, t.x + 0.47, t.y + 0.47, colours[t.colour]));
  for (const Stroke& s : drawing.strokes)
    panel.layers.push_back(capsule(s.x1, s.y1, s.x2, s.y2, 2 * s.radius, colours[s.colour]));
  const double ratio = (drawing.top - drawing.bottom) / (drawing.right - drawing.left);
  return {.width = width, .height = int(width * ratio) + 40, .panels = {panel}};
}

// An episode, a frame a simulator state.
inline std::vector<Figure> frames(const Env& env, const std::vector<Sim>& film, const std::string& title) {
  std::vector<Figure> all;
  for (const Sim& sim : film) all.push_back(picture(env.draw(sim), title + ", step " + std::to_string(all.size())));
  return all;
}

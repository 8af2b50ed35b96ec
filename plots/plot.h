// Pictures: a description in plain structs, drawn by gnuplot.
//
//   Panel panel{.title = "Dyna-Q", .x_label = "episode", .y_label = "steps per episode"};
//   add_curves(panel, curves(read_csv(opt.path(".csv")), {"n"}, "episode", "steps"));   // mean and 95 % band
//   draw({.panels = {panel}}, opt.path(".png"));
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

// 0xRRGGBB. The palette of Okabe and Ito: the colours stay apart for colour-blind readers and in grey print.
using Colour = unsigned;
namespace colour {
constexpr Colour blue = 0x0072B2, vermillion = 0xD55E00, green = 0x009E73, purple = 0xCC79A7, orange = 0xE69F00,
                 sky = 0x56B4E9, black = 0x222222, grey = 0x999999, light_grey = 0xDDDDDD, white = 0xFFFFFF;
}
constexpr Colour by_order = 0xFF000000;  // the palette's next colour, as curves, lines and points are added
constexpr double open_end = std::numeric_limits<double>::quiet_NaN();  // of an axis: as the data has it

enum class Kind { curve, line, points, bars, arrows, shape, text, image };
enum class Key { below, off, right, top_left, top_right, bottom_left, bottom_right };

// One thing in a panel. Made by the functions below; its members may be changed afterwards.
struct Layer {
  Kind kind;
  std::vector<double> x, y;       // a NaN interrupts a line and begins another polygon of a shape
  std::vector<double> low, high;  // curve: band; arrows: dx, dy; image: values, row by row from the lowest
  std::string label;              // in the key; text: the words
  Colour colour = by_order;
  double width = 2;  // of a line in pixels; points: their size; bars, image: in units of x; text: font size
  bool dashed = false;
  double opacity = 1;  // shape
};

// A mean with its band, translucent; a line; points; bars from 0 upwards.
Layer curve(const std::string& label, std::vector<double> x, std::vector<double> mean, std::vector<double> low,
            std::vector<double> high);
Layer line(const std::string& label, std::vector<double> x, std::vector<double> y);
Layer dashed(const std::string& label, std::vector<double> x, std::vector<double> y);
Layer points(const std::string& label, std::vector<double> x, std::vector<double> y);
Layer bars(const std::string& label, std::vector<double> x, std::vector<double> y, double width = 0.8);
// Arrows from (x, y) to (x + dx, y + dy), a vector field for instance.
Layer arrows(std::vector<double> x, std::vector<double> y, std::vector<double> dx, std::vector<double> dy,
             Colour colour = colour::black);
// Filled shapes in the panel's units. A capsule is a thick line with round ends; a disc is its special case.
Layer polygon(std::vector<double> x, std::vector<double> y, Colour colour);
Layer rectangle(double x0, double y0, double x1, double y1, Colour colour);
Layer capsule(double x0, double y0, double x1, double y1, double thickness, Colour colour);
Layer disc(double x, double y, double radius, Colour colour);
// Words centred at (x, y).
Layer text(double x, double y, const std::string& words, Colour colour = colour::black, double size = 11);
// values[row * columns + column], the first row lowest, cell centres at x0 + column step, y0 + row step.
Layer image(std::vector<double> values, int columns, double x0 = 0, double y0 = 0, double step = 1);

struct Panel {
  std::string title = {}, x_label = {}, y_label = {};                        // labels with units
  std::array<double, 2> x = {open_end, open_end}, y = {open_end, open_end};  // ranges
  bool log_x = false, log_y = false;
  bool equal = false;              // one unit is as long in x as in y
  bool axes = true;                // false: neither axes nor grid, for mazes and animations
  Key key = Key::below;            // shown if a layer has a label
  std::vector<Layer> layers = {};  // drawn in this order
};
struct Figure {
  std::string title = {};         // above several panels
  int width = 800, height = 480;  // pixels
  int columns = 0;                // panels side by side; 0: all of them
  std::vector<Panel> panels = {};
};

// Appends curves, structs with label, x, mean, low, high, as chapters/00_toolbox/curves.h makes them.
template <class Curves>
void add_curves(Panel& panel, const Curves& curves) {
  for (const auto& c : curves) panel.layers.push_back(curve(c.label, c.x, c.mean, c.low, c.high));
}

// Draw into a PNG file; draw the frames one after another into a GIF file. Every text appears as it is written, UTF-8
// included, and no text or path reaches a shell. Without gnuplot one line on stderr says so, once, and the result is
// false. A picture that cannot be written: std::system_error, one line; a file of that name is then as it was.
bool draw(const Figure& figure, const std::string& path);
bool animate(const std::vector<Figure>& frames, const std::string& path, double seconds_per_frame = 0.05);

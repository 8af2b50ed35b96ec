// Pictures: a Figure says what to draw, draw() and animate() let gnuplot draw it.
//
//   Panel panel{.xlabel = "real environment steps", .ylabel = "return"};
//   panel.curve("MBPO", x, mean, low, high);
//   draw({.panels = {panel}}, "plots/06_mbpo.png");
//
// All texts are shown literally, whatever characters they contain; UTF-8 is welcome.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Colours that stay apart for colour-blind readers and in print (Okabe and Ito 2008).
namespace colour {
inline const std::string blue = "#0072B2", orange = "#E69F00", green = "#009E73", red = "#D55E00", purple = "#CC79A7",
                         sky = "#56B4E9", black = "#000000", grey = "#999999", light = "#E6E6E6", white = "#FFFFFF";
}

struct Style {
  std::string colour = "";  // empty: the next colour of the palette, the same for a label that the panel already has
  double width = 2.5;  // of lines in pixels, of points in units of 5 pixels
  bool dashed = false;
  double opacity = 1;  // of areas
};

struct Panel {
  std::string title = "", xlabel = "", ylabel = "";            // labels carry the units
  std::optional<std::pair<double, double>> xrange = {}, yrange = {};  // empty: from the data
  bool logx = false, logy = false;
  std::string key = "top right";  // where the legend stands, in gnuplot's words; "none" for none
  bool bare = false;              // no axes, and the same scale in x and y: mazes, bodies
  struct Place {                  // in the figure, as fractions, from the bottom left
    double left, bottom, width, height;
  };
  std::optional<Place> place = {};  // empty: the next cell of the figure's grid

  // Layers, drawn in the order of the calls; x and y of a layer have the same length. NaN leaves a gap.
  void line(const std::string& label, std::vector<double> x, std::vector<double> y, Style style = {});
  // The mean with a translucent band from low to high; no band where low or high is NaN.
  void curve(const std::string& label, const std::vector<double>& x, const std::vector<double>& mean,
             const std::vector<double>& low, const std::vector<double>& high, const Style& style = {});
  void points(const std::string& label, std::vector<double> x, std::vector<double> y, Style style = {});
  void fill(std::vector<double> x, std::vector<double> y, Style style = {});  // a closed polygon
  void rectangle(double x0, double y0, double x1, double y1, Style style = {});
  // All points within `radius` of the segment: a body part.
  void capsule(double x0, double y0, double x1, double y1, double radius, Style style = {});
  void arrow(double x0, double y0, double x1, double y1, Style style = {});
  void text(double x, double y, const std::string& text, Style style = {});  // centred

  enum class Kind { line, band, points, fill, arrow, text };
  struct Layer {
    Kind kind;
    std::string label;
    Style style;
    std::vector<std::vector<double>> columns;  // as gnuplot wants them: x, y or x, low, high or x, y, dx, dy
  };
  std::vector<Layer> layers = {};

 private:
  void add(Kind kind, const std::string& label, Style style, std::vector<std::vector<double>> columns);
};

struct Figure {
  std::vector<Panel> panels = {};
  int columns = 0;  // of the grid of panels; 0: all in one row
  int width = 800, height = 500;  // pixels
  std::string title = "";
};

// Draws the figure into a PNG file. Returns true if it is there; false, after a line on stderr, if gnuplot is missing
// (said once) or failed. A file that was there stays as it was unless the new one is complete.
bool draw(const Figure& figure, const std::string& path);

// Draws the frames into an animated GIF, `delay` in hundredths of a second each. All frames have the first one's size.
bool animate(const std::vector<Figure>& frames, const std::string& path, int delay = 10);

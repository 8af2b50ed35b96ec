// The only file that sees gnuplot-iostream.
#include "plots/plot.h"
#include <gnuplot-iostream.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cassert>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <sstream>

// ---- The description ----

void Panel::add(Kind kind, const std::string& label, Style style, std::vector<std::vector<double>> columns) {
  for ([[maybe_unused]] const std::vector<double>& column : columns) assert(column.size() == columns[0].size());
  if (style.colour.empty()) {
    const std::vector<std::string> palette = {colour::blue,   colour::red,    colour::green, colour::orange,
                                              colour::purple, colour::sky, colour::black};
    std::vector<std::string> labels;  // one colour per label
    for (const Layer& layer : layers)
      if (!layer.label.empty() && std::find(labels.begin(), labels.end(), layer.label) == labels.end())
        labels.push_back(layer.label);
    const std::size_t i = std::find(labels.begin(), labels.end(), label) - labels.begin();
    style.colour = palette[i % palette.size()];
  }
  layers.push_back({kind, label, style, std::move(columns)});
}

void Panel::line(const std::string& label, std::vector<double> x, std::vector<double> y, Style style) {
  add(Kind::line, label, style, {std::move(x), std::move(y)});
}

void Panel::curve(const std::string& label, const std::vector<double>& x, const std::vector<double>& mean,
                  const std::vector<double>& low, const std::vector<double>& high, const Style& style) {
  Style area = style;
  area.opacity = 0.2;
  if (std::any_of(low.begin(), low.end(), [](double y) { return !std::isnan(y); })) add(Kind::band, label, area, {x, low, high});
  add(Kind::line, label, style, {x, mean});
}

void Panel::points(const std::string& label, std::vector<double> x, std::vector<double> y, Style style) {
  add(Kind::points, label, style, {std::move(x), std::move(y)});
}

void Panel::fill(std::vector<double> x, std::vector<double> y, Style style) {
  add(Kind::fill, "", style, {std::move(x), std::move(y)});
}

void Panel::rectangle(double x0, double y0, double x1, double y1, Style style) {
  fill({x0, x1, x1, x0}, {y0, y0, y1, y1}, style);
}

void Panel::capsule(double x0, double y0, double x1, double y1, double radius, Style style) {
  constexpr int corners = 12;  // of each half circle
  const double axis = std::atan2(y1 - y0, x1 - x0);
  std::vector<double> x, y;
  for (int i = 0; i < 2 * corners; ++i) {
    const bool second = i >= corners;
    const double angle = axis + std::numbers::pi * (0.5 + (i - second) / double(corners - 1));
    x.push_back((second ? x1 : x0) + radius * std::cos(angle));
    y.push_back((second ? y1 : y0) + radius * std::sin(angle));
  }
  fill(x, y, style);
}

void Panel::arrow(double x0, double y0, double x1, double y1, Style style) {
  add(Kind::arrow, "", style, {{x0}, {y0}, {x1 - x0}, {y1 - y0}});
}

void Panel::text(double x, double y, const std::string& text, Style style) {
  add(Kind::text, text, style, {{x}, {y}});
}

// ---- The commands ----

namespace {

// A text for gnuplot: within single quotes nothing has a meaning but the quote itself.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, static_cast<unsigned char>(c) < ' ' ? ' ' : c);
  return result + "'";
}

std::string element(const Panel::Layer& layer) {
  const Style& s = layer.style;
  std::ostringstream out;
  const auto rgb = [&] { out << " lc rgb " << quoted(s.colour); };
  switch (layer.kind) {
    case Panel::Kind::line: out << "'-' using 1:2 with lines lw " << s.width << (s.dashed ? " dt 2" : ""), rgb(); break;
    case Panel::Kind::points: out << "'-' using 1:2 with points pt 7 ps " << s.width / 2.5, rgb(); break;
    case Panel::Kind::band:
      out << "'-' using 1:2:3 with filledcurves fs transparent solid " << s.opacity << " noborder", rgb();
      break;
    case Panel::Kind::fill:
      out << "'-' using 1:2 with filledcurves closed fs transparent solid " << s.opacity << " noborder", rgb();
      break;
    case Panel::Kind::arrow:
      out << "'-' using 1:2:3:4 with vectors head filled size screen 0.008,25 lw " << s.width, rgb();
      break;
    case Panel::Kind::text: return "";
  }
  const bool in_key = !layer.label.empty() && layer.kind != Panel::Kind::band;
  return out.str() + (in_key ? " title " + quoted(layer.label) : " notitle");
}

std::string range(const std::optional<std::pair<double, double>>& range) {
  std::ostringstream out;
  if (range) out << "[" << range->first << ":" << range->second << "]";
  else out << "[*:*]";
  return out.str();
}

// A step between tics that leaves room for their numbers: 1, 2 or 5 times a power of ten, four to nine of them.
double tic_step(const Panel& panel) {
  double low = INFINITY, high = -INFINITY;
  for (const Panel::Layer& layer : panel.layers)
    for (const double x : layer.columns[0]) low = std::min(low, x), high = std::max(high, x);
  if (panel.xrange) low = panel.xrange->first, high = panel.xrange->second;
  if (!(high > low)) return 1;
  const double power = std::pow(10, std::floor(std::log10((high - low) / 4))), factor = (high - low) / 4 / power;
  return power * (factor >= 5 ? 5 : factor >= 2 ? 2 : 1);
}

void send(Gnuplot& gp, const Panel& panel) {
  gp << "set title " << quoted(panel.title) << "\nset xlabel " << quoted(panel.xlabel) << "\nset ylabel "
     << quoted(panel.ylabel) << "\nunset label\n";
  gp << (panel.logx ? "set logscale x\n" : "unset logscale x\n") << (panel.logy ? "set logscale y\n" : "unset logscale y\n");
  if (panel.logx) gp << "set xtics autofreq\n";
  else gp << "set xtics " << tic_step(panel) << "\n";
  gp << "set xrange " << range(panel.xrange) << "\nset yrange " << range(panel.yrange) << "\n";
  if (panel.key == "none") gp << "unset key\n";
  else gp << "set key " << panel.key << " samplen 2 spacing 1.1\n";
  if (panel.bare) gp << "unset border\nunset tics\nunset grid\nset size ratio -1\n";
  else gp << "set border 3 lc rgb '#666666'\nset tics nomirror out\nset grid lc rgb '#DDDDDD' lw 1 lt 1\nset size noratio\n";
  std::string plot;
  for (const Panel::Layer& layer : panel.layers) {
    if (layer.kind == Panel::Kind::text)
      gp << "set label " << quoted(layer.label) << " at " << layer.columns[0][0] << "," << layer.columns[1][0]
         << " center front tc rgb " << quoted(layer.style.colour) << "\n";
    else plot += (plot.empty() ? "plot " : ", ") + element(layer);
  }
  gp << (plot.empty() ? "plot NaN notitle" : plot) << "\n";
  for (const Panel::Layer& layer : panel.layers) {
    if (layer.kind == Panel::Kind::text) continue;
    for (std::size_t i = 0; i < layer.columns[0].size(); ++i) {
      for (const std::vector<double>& column : layer.columns) gp << column[i] << " ";
      gp << "\n";
    }
    gp << "e\n";
  }
}

void send(Gnuplot& gp, const Figure& figure) {
  const int n = figure.panels.size(), columns = figure.columns > 0 ? figure.columns : std::max(n, 1);
  const int rows = (n + columns - 1) / columns;
  const double top = figure.title.empty() ? 1 : 1 - 30.0 / figure.height;
  gp << "set multiplot title " << quoted(figure.title) << "\n";
  for (int i = 0; i < n; ++i) {
    const double width = 1.0 / columns, height = top / rows;
    const Panel::Place cell = {i % columns * width, (rows - 1 - i / columns) * height, width, height};
    const Panel::Place at = figure.panels[i].place.value_or(cell);
    gp << "set origin " << at.left << "," << at.bottom << "\nset size " << at.width << "," << at.height << "\n";
    send(gp, figure.panels[i]);
  }
  gp << "unset multiplot\n";
}

bool in_path(const std::string& program) {
  std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');)
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

bool gnuplot_is_there() {
  static const bool there = [] {
    if (in_path("gnuplot")) return true;
    std::fputs("✗ gnuplot not found: runs write CSV files only; later `make plots` draws them\n", stderr);
    return false;
  }();
  return there;
}

// Lets gnuplot write into a file that is opened here, so that no path ever reaches it as text.
bool write_picture(const std::string& path, const std::string& terminal, const std::vector<Figure>& figures) {
  if (!gnuplot_is_there()) return false;
  const std::string part = path + ".part";
  const int file = open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (file < 0) return std::perror(part.c_str()), false;
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that dies must not take the run with it
  {
    Gnuplot gp("gnuplot 2> /dev/null");
    gp.precision(10);
    gp << "set encoding utf8\n" << terminal << " size " << figures[0].width << "," << figures[0].height
       << "\nset output '/dev/fd/" << file << "'\n";
    for (const Figure& figure : figures) send(gp, figure);
    gp << "unset output\n";
  }  // closes the pipe and waits for gnuplot
  std::signal(SIGPIPE, old_handler);
  struct stat written = {};
  const bool complete = fstat(file, &written) == 0 && written.st_size > 0;
  close(file);
  if (complete && std::rename(part.c_str(), path.c_str()) == 0) return true;
  std::remove(part.c_str());
  std::fprintf(stderr, "gnuplot could not draw %s; the CSV file is complete\n", path.c_str());
  return false;
}

}  // namespace

bool draw(const Figure& figure, const std::string& path) {
  return write_picture(path,
                       "kind = strstrt(GPVAL_TERMINALS, 'pngcairo') ? 'pngcairo background rgb \"white\"' : 'png truecolor'\n"
                       "set terminal @kind noenhanced font 'Sans,12'",
                       {figure});
}

bool animate(const std::vector<Figure>& frames, const std::string& path, int delay) {
  assert(!frames.empty());
  return write_picture(path, "set terminal gif animate noenhanced loop 0 delay " + std::to_string(delay), frames);
}

// The only file that sees gnuplot-iostream. gnuplot is started without a shell; commands and data go in through its
// standard input, the picture comes out of its standard output. Link with
// -lboost_iostreams -lboost_filesystem -lboost_system.
#include "plots/plot.h"

#include <gnuplot-iostream.h>

#include <algorithm>
#include <cerrno>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <numbers>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern char** environ;

// --- layers ----------------------------------------------------------------------------------------------------

namespace {

Layer layer(Kind kind, std::vector<double> x, std::vector<double> y) {
  Layer made;
  made.kind = kind;
  made.x = std::move(x);
  made.y = std::move(y);
  return made;
}

Layer labelled(Kind kind, const std::string& label, std::vector<double> x, std::vector<double> y) {
  Layer made = layer(kind, std::move(x), std::move(y));
  made.label = label;
  return made;
}

}  // namespace

Layer curve(const std::string& label, std::vector<double> x, std::vector<double> mean, std::vector<double> low,
            std::vector<double> high) {
  Layer made = labelled(Kind::curve, label, std::move(x), std::move(mean));
  made.low = std::move(low);
  made.high = std::move(high);
  return made;
}

Layer line(const std::string& label, std::vector<double> x, std::vector<double> y) {
  return labelled(Kind::line, label, std::move(x), std::move(y));
}

Layer dashed(const std::string& label, std::vector<double> x, std::vector<double> y) {
  Layer made = line(label, std::move(x), std::move(y));
  made.dashed = true;
  return made;
}

Layer points(const std::string& label, std::vector<double> x, std::vector<double> y) {
  Layer made = labelled(Kind::points, label, std::move(x), std::move(y));
  made.width = 0.8;
  return made;
}

Layer bars(const std::string& label, std::vector<double> x, std::vector<double> y, double width) {
  Layer made = labelled(Kind::bars, label, std::move(x), std::move(y));
  made.width = width;
  return made;
}

Layer arrows(std::vector<double> x, std::vector<double> y, std::vector<double> dx, std::vector<double> dy,
             Colour colour) {
  Layer made = layer(Kind::arrows, std::move(x), std::move(y));
  made.low = std::move(dx);
  made.high = std::move(dy);
  made.colour = colour;
  made.width = 1.5;
  return made;
}

Layer polygon(std::vector<double> x, std::vector<double> y, Colour colour) {
  Layer made = layer(Kind::shape, std::move(x), std::move(y));
  made.colour = colour;
  return made;
}

Layer rectangle(double x0, double y0, double x1, double y1, Colour colour) {
  return polygon({x0, x1, x1, x0}, {y0, y0, y1, y1}, colour);
}

Layer capsule(double x0, double y0, double x1, double y1, double thickness, Colour colour) {
  constexpr int corners = 16;  // of each round end
  const double direction = std::atan2(y1 - y0, x1 - x0), pi = std::numbers::pi;
  std::vector<double> x, y;
  for (int end = 0; end < 2; ++end)  // half a turn around (x1, y1), half a turn around (x0, y0)
    for (int i = 0; i <= corners; ++i) {
      const double angle = direction + pi * (end - 0.5 + double(i) / corners);
      x.push_back((end ? x0 : x1) + thickness / 2 * std::cos(angle));
      y.push_back((end ? y0 : y1) + thickness / 2 * std::sin(angle));
    }
  return polygon(x, y, colour);
}

Layer disc(double x, double y, double radius, Colour colour) { return capsule(x, y, x, y, 2 * radius, colour); }

Layer text(double x, double y, const std::string& words, Colour colour, double size) {
  Layer made = labelled(Kind::text, words, {x}, {y});
  made.colour = colour;
  made.width = size;
  return made;
}

Layer image(std::vector<double> values, int columns, double x0, double y0, double step) {
  Layer made = layer(Kind::image, {x0, x0 + (columns - 1) * step}, {y0});
  made.width = step;
  made.low = std::move(values);
  return made;
}

// --- the gnuplot language --------------------------------------------------------------------------------------

namespace {

std::string number(double x) {
  if (!std::isfinite(x)) return "NaN";
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, x).ptr);
}

// A text as gnuplot's literal. All but letters, digits and blanks goes as its octal code: gnuplot's rules on quotes,
// backslashes, `commands` and @macros find nothing to act on. Line breaks become blanks.
std::string quote(const std::string& text) {
  std::string literal = "\"";
  bool after_code = false;  // gnuplot reads a digit that follows as part of the code: it goes as a code too
  for (const unsigned char c : text) {
    char code[8];
    std::snprintf(code, sizeof code, "\\%03o", c);
    const bool plain = c == ' ' || c >= 128 || (std::isalnum(c) && !(after_code && std::isdigit(c)));
    if (c < 32 || c == 127) literal += ' ';
    else if (plain) literal += static_cast<char>(c);
    else literal += code;
    after_code = !plain && c >= 32 && c != 127;
  }
  return literal + "\"";
}

std::string hex(Colour colour) {
  char code[16];
  std::snprintf(code, sizeof code, "'#%06X'", colour & 0xFFFFFF);
  return code;
}

// A range; its open ends are found by gnuplot, or 1 and 10 if there is no data.
std::string interval(const std::array<double, 2>& range, bool data) {
  const auto end = [](double x, const char* open) { return std::isfinite(x) ? number(x) : open; };
  return "[" + end(range[0], data ? "*" : "1") + ":" + end(range[1], data ? "*" : "10") + "]";
}

bool has(const Panel& panel, Kind kind) {
  return std::any_of(panel.layers.begin(), panel.layers.end(), [&](const Layer& l) { return l.kind == kind; });
}

// Whether anything has a place on the axes; gnuplot refuses to choose a range otherwise.
bool has_data(const Panel& panel) {
  for (const Layer& layer : panel.layers)
    for (size_t i = 0; i < layer.y.size() && layer.kind != Kind::text; ++i)
      if (std::isfinite(layer.x[i]) && std::isfinite(layer.y[i]) && (!panel.log_x || layer.x[i] > 0) &&
          (!panel.log_y || layer.y[i] > 0))
        return true;
  return false;
}

long in_key(const Panel& panel) {
  return panel.key == Key::off ? 0 : std::count_if(panel.layers.begin(), panel.layers.end(), [](const Layer& l) {
    return l.kind != Kind::text && !l.label.empty();
  });
}
bool has_key(const Panel& panel) { return in_key(panel) > 0; }

// The range in y; bars stand on 0, where gnuplot would cut them off at the shortest.
std::array<double, 2> with_baseline(const Panel& panel) {
  bool positive = has(panel, Kind::bars);
  for (const Layer& layer : panel.layers)
    for (const double y : layer.y) positive = positive && !(y < 0);
  return {positive && std::isnan(panel.y[0]) && !panel.log_y ? 0 : panel.y[0], panel.y[1]};
}

Colour in_order(const Layer& layer, int& used) {
  constexpr Colour palette[] = {colour::blue,   colour::vermillion, colour::green, colour::purple,
                                colour::orange, colour::sky,        colour::black, colour::grey};
  return layer.colour == by_order ? palette[used++ % std::size(palette)] : layer.colour;
}

// The layer's numbers as the data block $d<index>. A blank line ends a polygon or a part of a line.
void send_data(Gnuplot& gp, const Layer& layer, int index) {
  gp << "$d" << index << " << EOD\n";
  if (layer.kind == Kind::image) {
    const size_t columns = static_cast<size_t>((layer.x[1] - layer.x[0]) / layer.width + 1.5);
    for (size_t i = 0; i < layer.low.size(); ++i) gp << number(layer.low[i]) << ((i + 1) % columns ? ' ' : '\n');
  } else {
    for (size_t i = 0; i < layer.x.size(); ++i) {
      if (std::isnan(layer.x[i]) || std::isnan(layer.y[i])) {
        gp << "\n";
        continue;
      }
      gp << number(layer.x[i]) << ' ' << number(layer.y[i]);
      if (!layer.low.empty()) gp << ' ' << number(layer.low[i]) << ' ' << number(layer.high[i]);
      gp << '\n';
    }
  }
  gp << "EOD\n";
}

// What follows `plot` for one layer, its colour already chosen; several parts where a layer has several.
std::vector<std::string> plot_parts(const Layer& layer, int index, Colour colour) {
  const std::string data = "$d" + std::to_string(index) + " ", paint = " lc rgb " + hex(colour);
  const std::string line = paint + " lw " + number(layer.width) + (layer.dashed ? " dt (14,8)" : "");
  const std::string key = layer.label.empty() ? " notitle" : " title " + quote(layer.label) + " noenhanced";
  const auto at = [&](double x0, const char* cell) { return number(x0) + "+" + cell + "*" + number(layer.width); };
  switch (layer.kind) {
    case Kind::curve:
      return {data + "using 1:2 with lines" + line + key};
    case Kind::line:
      return {data + "using 1:2 with lines" + line + key};
    case Kind::points:
      return {data + "using 1:2 with points pt 7 ps " + number(layer.width) + paint + key};
    case Kind::bars:
      return {data + "using 1:2:(" + number(layer.width) + ") with boxes fs solid 0.8 noborder" + paint + key};
    case Kind::arrows:
      return {data + "using 1:2:3:4 with vectors head filled size char 0.7,22" + line + key};
    case Kind::shape:
      return {data + "using 1:2 with filledcurves closed fs transparent solid " + number(layer.opacity) + " noborder" +
              paint + key};
    case Kind::image:
      return {data + "matrix using (" + at(layer.x[0], "$1") + "):(" + at(layer.y[0], "$2") + "):3 with image" + key};
    case Kind::text:
      return {};
  }
  return {};
}

std::string band_part(int index, Colour colour) {
  return "$d" + std::to_string(index) + " using 1:3:4 with filledcurves fs transparent solid 0.18 noborder lc rgb " +
         hex(colour) + " notitle";
}

// Viridis: even steps in brightness, readable in grey print.
const char* heat_palette =
    "set palette defined (0 '#440154', 1 '#414487', 2 '#2A788E', 3 '#22A884', 4 '#7AD151', 5 '#FDE725')\n";

const char* key_command(Key key) {
  switch (key) {
    case Key::off:
      return "unset key\n";
    case Key::below:
      return "set key outside below center horizontal Left reverse maxrows 2\n";
    case Key::right:
      return "set key outside right top vertical Left reverse\n";
    case Key::top_left:
      return "set key inside left top vertical Left reverse\n";
    case Key::top_right:
      return "set key inside right top vertical Left reverse\n";
    case Key::bottom_left:
      return "set key inside left bottom vertical Left reverse\n";
    case Key::bottom_right:
      return "set key inside right bottom vertical Left reverse\n";
  }
  return "";
}

// A step between the tics of x that leaves room for their numbers: 1, 2 or 5 times a power of ten, 4 to 10 steps.
std::string tic_step(const Panel& panel) {
  double low = INFINITY, high = -INFINITY;
  for (const Layer& layer : panel.layers)
    for (const double x : layer.x) low = std::fmin(low, x), high = std::fmax(high, x);
  if (std::isfinite(panel.x[0])) low = panel.x[0];
  if (std::isfinite(panel.x[1])) high = panel.x[1];
  if (panel.log_x || !(high > low)) return "autofreq";
  const double quarter = (high - low) / 4, power = std::pow(10, std::floor(std::log10(quarter)));
  return number(power * (quarter >= 5 * power ? 5 : quarter >= 2 * power ? 2 : 1));
}

void send_axes(Gnuplot& gp, const Panel& panel) {
  gp << "unset label\nunset logscale\nset key noenhanced samplen 2 spacing 1.15 noautotitle\n" << heat_palette;
  gp << "set title " << quote(panel.title) << " noenhanced font ',13'\n";
  gp << "set xlabel " << quote(panel.x_label) << " noenhanced\nset ylabel " << quote(panel.y_label) << " noenhanced\n";
  gp << "set autoscale " << (has(panel, Kind::image) ? "noextend\n" : "\n");
  gp << "set xrange " << interval(panel.x, has_data(panel)) << "\n";
  gp << "set yrange " << interval(with_baseline(panel), has_data(panel)) << "\n";
  if (panel.log_x) gp << "set logscale x\n";
  if (panel.log_y) gp << "set logscale y\n";
  gp << "set format x '" << (panel.log_x ? "10^{%T}" : "%h") << "'\n";
  gp << "set format cb '%h'\n";
  gp << "set format y '" << (panel.log_y ? "10^{%T}" : "%h") << "'\n";
  const bool key_below = panel.key == Key::below && has_key(panel);
  gp << (key_below ? (panel.x_label.empty() ? "set bmargin 5\n" : "set bmargin 6.5\n") : "unset bmargin\n");
  gp << (panel.equal ? "set size ratio -1\n" : "set size noratio\n");
  gp << (has_key(panel) ? key_command(panel.key) : "unset key\n");
  gp << "set key width " << (in_key(panel) <= 3 ? 1 : 0) << "\n";  // a few have room; capitals are wider than it thinks
  if (panel.axes) {
    gp << "set border 3 lc rgb '#777777' lw 1\nset tics nomirror out scale 0.5 textcolor rgb '#333333'\n"
       << "set xtics " << tic_step(panel) << "\nset ytics autofreq\nset grid back lt 1 lc rgb '#E4E4E4' lw 0.8\n";
  } else {
    gp << "unset border\nunset tics\nunset grid\n";
  }
}

void send_panel(Gnuplot& gp, const Panel& panel) {
  send_axes(gp, panel);
  std::vector<std::string> bands, parts;  // bands lie under every line
  int used = 0, texts = 0;
  for (size_t i = 0; i < panel.layers.size(); ++i) {
    const Layer& layer = panel.layers[i];
    const int index = static_cast<int>(i);
    if (layer.kind == Kind::text) {
      gp << "set label " << ++texts << ' ' << quote(layer.label) << " at " << number(layer.x[0]) << ','
         << number(layer.y[0]) << " center noenhanced front font '," << number(layer.width) << "' textcolor rgb "
         << hex(layer.colour) << "\n";
      continue;
    }
    if (layer.x.empty() || (layer.kind == Kind::image && layer.low.empty())) continue;
    send_data(gp, layer, index);
    const Colour colour = in_order(layer, used);
    if (layer.kind == Kind::curve && layer.low != layer.high) bands.push_back(band_part(index, colour));
    for (const std::string& part : plot_parts(layer, index, colour)) parts.push_back(part);
  }
  bands.insert(bands.end(), parts.begin(), parts.end());
  if (bands.empty()) bands.push_back("NaN notitle");
  gp << "plot ";
  for (size_t i = 0; i < bands.size(); ++i) gp << (i ? ", \\\n     " : "") << bands[i];
  gp << "\n";
}

void send_figure(Gnuplot& gp, const Figure& figure) {
  if (figure.panels.empty()) throw std::logic_error("a figure without panels");
  const int panels = static_cast<int>(figure.panels.size());
  const int columns = std::max(1, figure.columns > 0 ? std::min(figure.columns, panels) : panels);
  const int rows = (panels + columns - 1) / columns;
  const bool several = panels > 1 || !figure.title.empty();
  if (several)
    gp << "set multiplot layout " << rows << ',' << columns << " title " << quote(figure.title)
       << " noenhanced font ',14'\n";
  for (const Panel& panel : figure.panels) send_panel(gp, panel);
  if (several) gp << "unset multiplot\n";
}

// --- the gnuplot process ---------------------------------------------------------------------------------------

struct Pipe {
  pid_t pid = -1;
  std::FILE* commands = nullptr;  // gnuplot's standard input
  int error = 0;                  // errno of a start that failed
};

// Starts gnuplot, found in PATH, with its output going to the file `picture` and its messages to `messages`.
Pipe start_gnuplot(int picture, int messages) {
  Pipe started;
  int ends[2];
  if (pipe(ends) != 0) return started.error = errno, started;
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[0], 0);
  posix_spawn_file_actions_adddup2(&files, picture, 1);
  posix_spawn_file_actions_adddup2(&files, messages, 2);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // Ctrl-C in the terminal does not reach it
  char name[] = "gnuplot";
  char* argv[] = {name, nullptr};
  started.error = posix_spawnp(&started.pid, name, &files, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  close(ends[0]);
  if (started.error == 0) started.commands = fdopen(ends[1], "w");
  else close(ends[1]);
  return started;
}

// The first line of gnuplot's messages that says something.
std::string first_message(std::FILE* messages) {
  std::rewind(messages);
  char line[256];
  while (std::fgets(line, sizeof line, messages)) {
    std::string text = line;
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    const size_t begin = text.find_first_not_of(" \t^");
    if (begin != std::string::npos && text.find("line ") != std::string::npos) return ": " + text.substr(begin);
  }
  return "";
}

// `error` is the errno behind it, 0 if there is none.
[[noreturn]] void lost(const std::string& path, const std::string& reason, int error) {
  throw std::system_error(error ? error : EIO, std::generic_category(), path + ": no picture: " + reason);
}

bool no_gnuplot() {
  static bool said = false;
  if (!std::exchange(said, true))
    std::fputs("gnuplot not found: runs write CSV files only; later `make plots` draws them\n", stderr);
  return false;
}

// The file that gnuplot writes: beside the picture, renamed into its place when it is complete, removed otherwise.
struct Unfinished {
  std::string path, beside = path + "." + std::to_string(getpid()) + ".tmp";
  int file = open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);

  explicit Unfinished(const std::string& picture) : path(picture) {
    if (file < 0) lost(path, "cannot be created", errno);
  }
  ~Unfinished() {
    close(file);
    unlink(beside.c_str());  // nothing is left there after keep()
  }
  Unfinished(const Unfinished&) = delete;

  // A full disk cuts a file off without a word from gnuplot: look at both ends.
  bool complete() const {
    char head[4] = {}, tail[8] = {};
    const off_t size = lseek(file, 0, SEEK_END);
    if (size < 12 || pread(file, head, 4, 0) != 4 || pread(file, tail, 8, size - 8) != 8) return false;
    if (std::equal(head, head + 4, "GIF8")) return tail[7] == ';';
    return std::equal(head + 1, head + 4, "PNG") && std::equal(tail, tail + 4, "IEND");
  }
  void keep() const {
    if (std::rename(beside.c_str(), path.c_str()) != 0) lost(path, "cannot be put in place", errno);
  }
};

// A reader that ends early must not end the run: SIGPIPE is ignored while this lives.
struct IgnoreSigpipe {
  struct sigaction ignore = {}, before = {};
  IgnoreSigpipe() {
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before);
  }
  ~IgnoreSigpipe() { sigaction(SIGPIPE, &before, nullptr); }
};

// Starts gnuplot, lets `send` write the commands, and puts the picture in place once it is complete.
template <class Send>
bool run_gnuplot(const std::string& path, Send send) {
  const Unfinished picture(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> messages(std::tmpfile(), std::fclose);
  if (!messages) lost(path, "no temporary file for gnuplot's messages", errno);
  const IgnoreSigpipe ignore;
  const Pipe started = start_gnuplot(picture.file, fileno(messages.get()));
  if (started.error == ENOENT || started.error == EACCES) return no_gnuplot();
  if (started.error != 0) lost(path, "gnuplot cannot be started", started.error);

  if (Gnuplot gp(started.commands); true) send(gp);  // its end closes the pipe, and gnuplot finishes
  int status = 0;
  while (waitpid(started.pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return no_gnuplot();
  if (status != 0) lost(path, "gnuplot failed" + first_message(messages.get()), 0);
  if (!picture.complete()) lost(path, "gnuplot's file is cut off", ENOSPC);
  picture.keep();
  return true;
}

std::string size_text(const Figure& figure) {
  return " size " + std::to_string(figure.width) + "," + std::to_string(figure.height);
}

}  // namespace

bool draw(const Figure& figure, const std::string& path) {
  return run_gnuplot(path, [&](Gnuplot& gp) {
    const std::string rest = " enhanced background rgb 'white' font 'Sans,11'" + size_text(figure) + "\n";
    gp << "set encoding utf8\n";
    gp << "if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) { set terminal pngcairo rounded" << rest
       << "} else { set terminal png truecolor rounded" << rest << "}\n";
    send_figure(gp, figure);
  });
}

bool animate(const std::vector<Figure>& frames, const std::string& path, double seconds_per_frame) {
  if (frames.empty()) return false;
  return run_gnuplot(path, [&](Gnuplot& gp) {
    const int hundredths = std::max(2, static_cast<int>(std::lround(seconds_per_frame * 100)));
    gp << "set encoding utf8\nset terminal gif animate loop 0 delay " << hundredths
       << " enhanced rounded background rgb 'white' font 'Sans,11'" << size_text(frames[0]) << "\n";
    for (const Figure& frame : frames) send_figure(gp, frame);
  });
}

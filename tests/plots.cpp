// plots: what is drawn, what is said when it cannot be, and that no text becomes a command.
#include "tests/catch.h"

#include <cstdlib>
#include <sys/resource.h>
#include <system_error>

#include "plots/plot.h"
#include "tests/scratch.h"  // Scratch, Capture, message

namespace {

struct Curve {  // as in chapters/00_toolbox/curves.h
  std::string label;
  std::vector<double> x, mean, low, high;
};

Figure learning_curve() {
  Panel panel{.title = "Dyna-Q", .x_label = "episode", .y_label = "steps"};
  add_curves(panel, std::vector<Curve>{{"n = 0", {1, 2, 3}, {9, 5, 4}, {8, 4, 3}, {10, 6, 5}}});
  return {.panels = {panel}};
}

Figure maze() {
  Panel panel{.x = {0, 3}, .y = {0, 2}, .equal = true, .axes = false};
  panel.layers = {rectangle(1, 0, 2, 1, colour::grey), arrows({0.2}, {0.5}, {0.6}, {0}), text(2.5, 1.5, "G"),
                  capsule(0, 0, 1, 1, 0.2, colour::orange), disc(0.5, 0.5, 0.2, colour::blue)};
  return {.width = 300, .height = 200, .panels = {panel}};
}

bool is_png(const std::string& path) { return contains(read(path), "PNG") && contains(read(path), "IEND"); }

bool gnuplot_is_here() {
  const Scratch dir;
  const Capture quiet(2);
  return draw(learning_curve(), dir / "probe.png");
}

}  // namespace

TEST_CASE("a capsule is a thick line: its outline keeps half the thickness from the segment", "[plots]") {
  const Layer shape = capsule(1, 1, 4, 5, 0.5, colour::blue);  // a segment of length 5
  double area = 0;
  for (size_t i = 0; i < shape.x.size(); ++i) {
    const double along = std::clamp(((shape.x[i] - 1) * 3 + (shape.y[i] - 1) * 4) / 25, 0.0, 1.0);
    CHECK(same_to(std::hypot(shape.x[i] - 1 - 3 * along, shape.y[i] - 1 - 4 * along), 0.25, 1e-9));
    const size_t j = (i + 1) % shape.x.size();
    area += (shape.x[i] * shape.y[j] - shape.x[j] * shape.y[i]) / 2;
  }
  CHECK(same_to(area, 5 * 0.5 + std::acos(-1.0) * 0.25 * 0.25, 2e-3));  // rectangle and disc; inscribed polygon
}

TEST_CASE("without gnuplot draw returns false, says so once, and leaves nothing behind", "[plots]") {
  const Scratch dir;
  const std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  setenv("PATH", dir.path.c_str(), 1);
  std::string said;
  {
    const Capture err(2);
    CHECK_FALSE(draw(learning_curve(), dir / "x.png"));
    CHECK_FALSE(animate({maze()}, dir / "x.gif"));
    said = err.text();
  }
  setenv("PATH", path.c_str(), 1);
  CHECK((said.empty() || (contains(said, "gnuplot not found") && std::count(said.begin(), said.end(), '\n') == 1)));
  CHECK(dir.files() == 0);
}

TEST_CASE("curves, mazes, heat maps and log axes become PNG files, frames a GIF file", "[plots]") {
  if (!gnuplot_is_here()) return;
  const Scratch dir;
  CHECK(draw(learning_curve(), dir / "curve.png"));
  CHECK(is_png(dir / "curve.png"));
  CHECK(draw(maze(), dir / "maze.png"));
  CHECK(is_png(dir / "maze.png"));
  Panel heat{.title = "heat"}, log{.log_x = true, .log_y = true, .key = Key::top_left};
  heat.layers = {image({1, 2, 3, 4, 5, nan_value}, 3)};
  log.layers = {line("x^2", {1, 10}, {1, 100}), points("data", {2, 5}, {4, 25}), bars("", {3}, {9})};
  CHECK(draw({.title = "two", .columns = 1, .panels = {heat, log}}, dir / "grid.png"));
  CHECK(is_png(dir / "grid.png"));
  CHECK(animate({maze(), maze(), maze()}, dir / "maze.gif"));
  CHECK(read(dir / "maze.gif").substr(0, 4) == "GIF8");
  CHECK(dir.files() == 4);
}

TEST_CASE("a panel without a drawable number is drawn empty", "[plots]") {
  if (!gnuplot_is_here()) return;
  const Scratch dir;
  Panel nothing, nan, negative{.log_y = true}, single, huge;
  nan.layers = {line("nan", {1, 2}, {nan_value, infinity}), curve("", {}, {}, {}, {})};
  negative.layers = {line("", {1, 2}, {-1, 0})};
  single.layers = {curve("one point", {5}, {5}, {5}, {5})};
  huge.layers = {points("", {0, 1e300}, {-1e-300, 1e300})};
  for (const Panel& panel : {nothing, nan, negative, single, huge}) CHECK(draw({.panels = {panel}}, dir / "x.png"));
  CHECK(is_png(dir / "x.png"));
}

TEST_CASE("no title, label or path becomes a command", "[plots]") {
  if (!gnuplot_is_here()) return;
  const Scratch dir;
  const std::string pwned = dir / "pwned";
  const fs::path here = fs::current_path();
  fs::current_path(dir.path);
  for (const std::string text :
       {"'; system \"touch pwned\"; '", "\"; system 'touch pwned'", "`touch pwned`", "$(touch pwned)",
        "'\nsystem 'touch pwned'\n", "@x {/Symbol a}_1^2 \\ % %s", "\xff\xfe", "'.system('touch pwned').'",
        "; touch pwned; #", "EOD\nsystem 'touch pwned'"}) {
    Panel panel{.title = text, .x_label = text, .y_label = text};
    panel.layers = {line(text, {1, 2}, {1, 2}), ::text(1, 1, text)};
    std::string folder = text;
    std::replace(folder.begin(), folder.end(), '/', ':');
    fs::create_directory(dir / folder);
    CHECK(draw({.title = text, .panels = {panel, panel}}, dir / folder + "/x.png"));
    CHECK(is_png(dir / folder + "/x.png"));
    CHECK(animate({{.title = text, .panels = {panel}}}, dir / folder + "/x.gif"));
    CHECK_FALSE(fs::exists(pwned));
    CHECK_FALSE(fs::exists(dir / folder + "/pwned"));
  }
  fs::current_path(here);
}

TEST_CASE("a digit after a sign is a digit: 0.3 is not 0s", "[plots]") {
  if (!gnuplot_is_here()) return;
  const Scratch dir;
  const auto titled = [&](const std::string& title) {
    draw({.title = title, .panels = {Panel{}}}, dir / "x.png");
    return read(dir / "x.png");
  };
  CHECK(titled("noise 0.3") == titled("noise 0.3"));
  CHECK(titled("noise 0.3") != titled("noise 0s"));
}

TEST_CASE("a picture that cannot be written is one line, the old one stays", "[plots]") {
  if (!gnuplot_is_here()) return;
  const Scratch dir;
  CHECK(contains(message<std::system_error>([&] { draw(maze(), dir / "gone/x.png"); }), "gone/x.png"));
  write(dir / "x.png", "the old one");
  Figure impossible = maze();
  impossible.width = -1;
  CHECK(contains(message<std::system_error>([&] { draw(impossible, dir / "x.png"); }),
                 "x.png: no picture: gnuplot failed"));

  rlimit before;  // a disk that is full after 100 bytes
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small = {100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text = message<std::system_error>([&] { draw(maze(), dir / "x.png"); });
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(contains(text, "x.png: no picture"));
  CHECK(read(dir / "x.png") == "the old one");
  CHECK(dir.files() == 1);
}

TEST_CASE("a gnuplot that ends at once costs the picture, not the run", "[plots]") {
  const Scratch dir;
  write(dir / "gnuplot", "#!/bin/sh\nexit 3\n");
  fs::permissions(dir / "gnuplot", fs::perms::owner_all);
  const std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  setenv("PATH", (dir.path.string() + ":" + path).c_str(), 1);
  Figure large = learning_curve();
  large.panels[0].layers = {line("", std::vector<double>(100000, 0.1), std::vector<double>(100000, 0.2))};
  const std::string failed = message<std::system_error>([&] { draw(large, dir / "x.png"); });
  write(dir / "gnuplot", "#!/bin/sh\ncat > /dev/null\nprintf 'half a picture'\n");
  const std::string half = message<std::system_error>([&] { draw(large, dir / "x.png"); });
  setenv("PATH", path.c_str(), 1);
  CHECK(contains(failed, "gnuplot failed"));
  CHECK(contains(half, "cut off"));
  CHECK(dir.files() == 1);
}

// CEM on a function of two numbers, iteration by iteration (slide "Random Shooting (RS)", "A refinement"): it "samples
// actions from a distribution closer to previous action samples that yield high reward".
//
//   build/03_shooting_cem_picture           20 seeds, PNG and GIF: 1 s, 10 MB
#include <cmath>
#include <numbers>
#include "chapters/00_toolbox/args.h"      // Args, parse
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/03_shooting/cem.h"
#include "plots/plot.h"  // Figure, draw, animate

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "CEM on a function of two numbers (slide \"Random Shooting (RS)\")";
  static std::vector<std::string> without() { return {"save", "load"}; }
  int candidates = opt("candidates", 40, "samples of an iteration", at_least(1));
  int elites     = opt("elites", 8, "best samples that the next iteration is drawn around", at_least(1));
  int iterations = opt("iterations", 9, "iterations", range(1, 1000));
  Real alpha     = opt("alpha", 0.1f, "weight of the old mean and variance", range(0, 1));
  Real second_hill = opt("second-hill", 0.4f, "height of the lower hill; the other is 1 high", range(0, 1));
  static Preset lecture() { return {{"seeds", 20}, {"gif", "true"}}; }
  static Preset smoke() { return {{"seeds", 2}, {"iterations", 6}}; }
  void check() const { cem().check(); }
  CemOptions cem() const {
    return {.T = 1, .candidates = candidates, .elites = elites, .iterations = iterations, .alpha = alpha, .epsilon = 0};
  }
};

// Two hills: one 1 high, the other as the option says. (2, n) -> (1, n)
Mat hill(const Mat& a, Real x, Real y) {
  return exp(-(square(rows(a, 0, 1) - x) + square(rows(a, 1, 1) - y)) * 8);
}
auto hills(const Options& opt) {
  return [second = opt.second_hill](const Mat& a) {
    return Mat(hill(a, Real(0.5), Real(0.4)) + second * hill(a, -0.5, -0.5));
  };
}
Real distance(const Mat& a) { return std::hypot(a(0) - Real(0.5), a(1) - Real(0.4)); }  // to the top

// One search. Every iteration is logged; of the first seed also every sample.
void run(const Options& opt, int seed, RunLog& log, RunLog& samples) {
  Rng rng(seed), random = rng.split();
  Cem cem(2, opt.cem());
  cem.mu.setZero(2, 1), cem.var.setConstant(2, 1, Real(0.25));
  Mat drawn(2, 0);  // random shooting with as many samples
  for (int i = 1; i <= opt.iterations; ++i) {
    const Mat mu = cem.mu, sigma = cem.var.sqrt();
    cem.refine(hills(opt), rng);
    drawn = append_cols(drawn, random.uniform(2, opt.candidates, -1, 1));
    Eigen::Index best;
    hills(opt)(drawn).row(0).maxCoeff(&best);
    log.row(seed, i, i * opt.candidates, mu(0), mu(1), sigma(0), sigma(1), distance(cem.mu), distance(drawn.col(best)));
    for (int j = 0; j < opt.candidates && seed == opt.seed; ++j)
      samples.row(i, cem.plans(0, j), cem.plans(1, j), int(std::count(cem.best.begin(), cem.best.end(), j)));
  }
}

// One iteration: the function (bright is high), the distribution it drew from, its samples and its elites.
Panel panel(const Options& opt, const Table& iterations, const Table& samples, int i) {
  constexpr int cells = 100;
  const Table all = samples.where("iteration", to_text(i)), elites = all.where("elite", "1");
  const Table row = iterations.where("iteration", to_text(i));
  Mat a(2, cells * cells);
  const auto middle = [](int cell) { return Real((cell + 0.5) / cells * 2 - 1); };
  for (int k = 0; k < a.cols(); ++k) a(0, k) = middle(k % cells), a(1, k) = middle(k / cells);
  const Mat height = hills(opt)(a);
  Panel p{.title = "iteration " + to_text(i), .x_label = "a_1", .y_label = "a_2", .x = {-1, 1}, .y = {-1, 1},
          .equal = true, .key = Key::off};
  p.layers.push_back(image({height.data(), height.data() + height.size()}, cells, -1 + 1.0 / cells, -1 + 1.0 / cells,
                           2.0 / cells));
  std::vector<double> x, y;  // two standard deviations around the mean
  for (int k = 0; k <= 60; ++k) {
    const double angle = 2 * std::numbers::pi * k / 60;
    x.push_back(row.numbers("mu_1")[0] + 2 * row.numbers("sigma_1")[0] * std::cos(angle));
    y.push_back(row.numbers("mu_2")[0] + 2 * row.numbers("sigma_2")[0] * std::sin(angle));
  }
  p.layers.push_back(line("", x, y));
  p.layers.push_back(points("", all.numbers("a_1"), all.numbers("a_2")));
  p.layers.push_back(points("", elites.numbers("a_1"), elites.numbers("a_2")));
  const Colour colours[] = {colour::white, colour::white, colour::vermillion};
  for (int k = 1; k <= 3; ++k) p.layers[k].colour = colours[k - 1];
  p.layers[2].width = p.layers[3].width = 0.7;
  return p;
}

// From the CSV files, of the first seed.
void plot(const Options& opt) {
  const Table iterations = read_csv(opt.path(".csv")).where("seed", to_text(opt.seed));
  const Table samples = read_csv(opt.path("_samples.csv"));
  Figure figure{.title = "white: 2 sigma of the distribution, and samples from it; red: the elites among them",
                .width = 1000, .height = 720, .columns = 3};
  std::vector<Figure> film;
  for (int i = 1; i <= opt.iterations && !iterations.where("iteration", to_text(i)).rows.empty(); ++i) {
    const Panel p = panel(opt, iterations, samples, i);
    if (i <= 6) figure.panels.push_back(p);
    film.push_back({.width = 480, .height = 480, .panels = {p}});
  }
  if (film.empty()) return;
  draw(figure, opt.path(".png"));
  if (opt.gif) animate(film, opt.path(".gif"), 0.8);
}

void claim(const Options& opt) {
  const Table last = read_csv(opt.path(".csv")).where("iteration", to_text(opt.iterations));
  const std::vector<double> cem = last.numbers("cem_distance");
  std::vector<double> nearer = last.numbers("random_distance");
  for (std::size_t i = 0; i < cem.size(); ++i) nearer[i] -= cem[i];
  const std::string slide = "Random Shooting (RS)", n = to_text(opt.iterations * opt.candidates) + " samples";
  Claims claims(opt);
  claims.at_most("CEM: distance to the top after " + n, slide, cem, 0.1);
  claims.at_least("distance of the best of " + n + " drawn at random, minus CEM's", slide, nearer, 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "iteration", "samples", "mu_1", "mu_2", "sigma_1", "sigma_2", "cem_distance",
                     "random_distance"});
    RunLog samples(opt, {"iteration", "a_1", "a_2", "elite"}, "_samples.csv");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) run(opt, seed, log, samples);
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    const std::vector<double> distance = read_csv(opt.path(".csv")).numbers("cem_distance");
    finish(opt, distance.empty() ? "no search was finished"
                                 : "CEM ends " + to_text(std::round(distance.back() * 1000) / 1000) + " from the top");
  });
}

// Lemma 4.2 and Theorem 4.1 (slide "Theoretic Bounds"): how far apart are two policies after a step of the exact
// gradient and one of MAAC's, and what does that cost? Exact on a scalar system; the theorem with one alpha and as it
// is printed.
//
//   build/14_maac_bound                  10 seeds, 500 systems: 2 s, 25 MB
#include "autodiff/rng.h"
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/14_maac/clipped.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Lemma 4.2 and Theorem 4.1 (slide \"Theoretic Bounds\")";
  int systems        = opt("systems", 50, "random systems of a seed", at_least(1));
  double slope_error = opt("slope-error", 0.05, "of the example: f_hat(s, a) = (a + this) s + u", range(-1, 1));
  double Q_scale     = opt("Q-scale", 1.1, "of the example: Q_hat = this times Q", range(0, 10));
  std::vector<int> horizon = opt("horizon", std::vector<int>{0, 3}, "H of the example", range(0, 1000));
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"systems", 5}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

const std::string slide = "Theoretic Bounds";

// A random system, what is learned of it, and a step: the bounds are about all of them.
void log_random(int seed, int number, Rng& rng, RunLog& log) {
  const Clipped x{.a = rng.uniform(0.7, 1.1), .theta = rng.uniform(-0.6, 0), .sigma = rng.uniform(0.1, 0.5),
                  .gamma = rng.uniform(0.8, 0.99), .r_max = rng.uniform(0.2, 1)};
  const double slope_error = rng.uniform(-0.2, 0.2), Q_scale = rng.uniform(0.7, 1.3);
  const double alpha = std::pow(10, rng.uniform(-3, 0));
  const int H = int(rng.below(11));
  const TwoSteps b(x, alpha, x.gradient(), x.gradient_hat(H, slope_error, Q_scale));
  log.row(seed, number, x.a, x.theta, x.sigma, x.gamma, x.r_max, slope_error, Q_scale, H, alpha, b.gradient,
          b.gradient_hat, b.tv, b.tv_bound, b.eta, b.eta_hat, b.subtracted, b.as_printed);
}

void log_example(const Options& opt) {
  RunLog log(opt, {"H", "alpha", "tv", "tv_bound", "lost", "subtracted", "as_printed"}, "_example.csv");
  const Clipped x;
  for (const int H : opt.horizon) {
    const double gradient = x.gradient(), gradient_hat = x.gradient_hat(H, opt.slope_error, opt.Q_scale);
    for (double power = -3; power <= 0.01; power += 0.125) {
      const double alpha = std::pow(10, power);
      const TwoSteps b(x, alpha, gradient, gradient_hat);
      log.row(H, alpha, b.tv, b.tv_bound, b.eta - b.eta_hat, b.subtracted, b.as_printed);
    }
  }
}

// From the CSV files: the example against alpha.
void plot(const Options& opt) {
  const Table example = read_csv(opt.path("_example.csv"));
  Figure figure{.width = 1000, .height = 420 * int(opt.horizon.size()), .columns = 2};
  for (const int H : opt.horizon) {
    const Table rows = example.where("H", to_text(H));
    const std::vector<double> alpha = rows.numbers("alpha");
    Panel tv{.title = "Lemma 4.2, H = " + to_text(H), .x_label = "α, step size", .y_label = "max_s D_TV",
             .log_x = true, .log_y = true};
    tv.layers = {line("α c_3 |gradient error|", alpha, rows.numbers("tv_bound")),
                 dashed("exact", alpha, rows.numbers("tv"))};
    Panel lost{.title = "Theorem 4.1, H = " + to_text(H), .x_label = "α, step size",
               .y_label = "average return, and its bounds", .log_x = true, .log_y = true};
    lost.layers = {line("one α", alpha, rows.numbers("subtracted")),
                   line("as printed, α^2", alpha, rows.numbers("as_printed")),
                   dashed("lost", alpha, rows.numbers("lost"))};
    for (double& y : lost.layers[2].y)
      if (y <= 0) y = NAN;  // MAAC's step was the better one: no logarithm
    figure.panels.insert(figure.panels.end(), {tv, lost});
  }
  draw(figure, opt.path(".png"));
}

// In how many rows `large` is not, but for rounding.
double violations(const std::vector<double>& small, const std::vector<double>& large) {
  double n = 0;
  for (std::size_t i = 0; i < small.size(); ++i) n += !(small[i] <= large[i] + 1e-10);
  return n;
}
std::vector<double> lost(const Table& table, bool sum = false) {
  std::vector<double> x = table.numbers("eta");
  const std::vector<double> hat = table.numbers("eta_hat"), gamma = table.numbers("gamma");
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - hat[i]) / (sum ? 1 - gamma[i] : 1);
  return x;
}

void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  const std::string of = ", violations on " + to_text(long(table.rows.size())) + " random systems";
  const std::vector<double> tv = table.numbers("tv"), tv_bound = table.numbers("tv_bound");
  claims.at_most("Lemma 4.2: max_s D_TV <= alpha c_3 |gradient error|" + of, slide, exact(violations(tv, tv_bound)), 0);
  double largest = 0;
  for (std::size_t i = 0; i < tv.size(); ++i) largest = std::max(largest, tv[i] / tv_bound[i]);
  claims.between("Lemma 4.2: largest D_TV over its bound", slide, exact(largest), 0.99, 1 + 1e-9);
  claims.at_most("Theorem 4.1 with one alpha, average return" + of, slide,
                 exact(violations(lost(table), table.numbers("subtracted"))), 0);
  claims.at_most("Theorem 4.1 as printed, alpha twice" + of, slide,
                 exact(violations(lost(table), table.numbers("as_printed"))), 0);
  claims.at_most("Theorem 4.1 with one alpha, J as the discounted sum" + of, slide,
                 exact(violations(lost(table, true), table.numbers("subtracted"))), 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "system", "a", "theta", "sigma", "gamma", "r_max", "slope_error", "Q_scale", "H", "alpha",
                     "gradient", "gradient_hat", "tv", "tv_bound", "eta", "eta_hat", "subtracted", "as_printed"});
    Progress progress(opt, long(opt.seeds) * opt.systems, "", "systems");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      for (int i = 0; i < opt.systems && !interrupted(); ++i) log_random(seed, i, rng, log), progress.show(++done);
    }
    log_example(opt);
    const Table table = read_csv(opt.path(".csv"));
    if (!interrupted()) claim(opt, table);
    if (!opt.no_plot) plot(opt);
    finish(opt, "of " + to_text(done) + " systems violate the lemma " +
                    to_text(violations(table.numbers("tv"), table.numbers("tv_bound"))) + ", the theorem with one α " +
                    to_text(violations(lost(table), table.numbers("subtracted"))) + ", as printed " +
                    to_text(violations(lost(table), table.numbers("as_printed"))));
  });
}

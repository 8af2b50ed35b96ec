// What the theory promises for going both ways (slide "Theoretical Analysis"): max(k1, k2) in the place of k1 + k2, so
// the best trajectory is longer by ln 2 / ln(1/gamma). And on a ring, exactly, what becomes of it: 2k steps in one
// direction err twice as much as k steps in each, at first; in the long run both err as much.
//
//   build/07_bmpo_bound                  20 seeds, 1000 settings: 0.2 s, 20 MB
#include <algorithm>
#include <cmath>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/07_bmpo/bound.h"
#include "chapters/07_bmpo/ring.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Bidirectional against forward bound, and an exact ring (slide \"Theoretical "
                                       "Analysis\")";
  int settings = opt("settings", 50, "random (eps_m, eps_pi, gamma) of a seed on which the least bounds are searched",
                     at_least(1));
  int states   = opt("states", 60, "states of the ring", range(3, 200));
  double eps   = opt("eps", 0.03, "eps, chance with which the ring's model believes in a jump to a wrong state",
                     range(0.001, 0.5));
  int longest  = opt("longest", 1024, "largest k on the ring; k = 1, 2, 4, ...", range(1, 1 << 20));
  static Preset lecture() { return {{"seeds", 20}}; }
  static Preset smoke() { return {{"seeds", 2}, {"settings", 10}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

const std::string slide = "Theoretical Analysis";

// Both bounds against k1 + k2, k1 = k2, and where the closed forms say that they are least.
constexpr double discounts[] = {0.9, 0.99}, curve_eps_m = 0.05, curve_eps_pi = 0.1;
void log_curves(const Options& opt) {
  RunLog log(opt, {"gamma", "total", "forward", "bidirectional", "best_forward", "best_bidirectional"}, "_curves.csv");
  for (const double gamma : discounts)
    for (int K = 0; K <= std::lround(3 / (1 - gamma)); ++K)
      log.row(gamma, K, forward_bound(K / 2.0, K / 2.0, curve_eps_m, curve_eps_pi, gamma, 1),
              bidirectional_bound(K / 2.0, K / 2.0, curve_eps_m, curve_eps_pi, gamma, 1),
              optimal_k(curve_eps_m, curve_eps_pi, gamma), optimal_total(curve_eps_m, curve_eps_pi, gamma));
}

// Random settings in which a forward trajectory is worth a step (rho > 1), and where the search finds the bounds least.
void search(const Options& opt, int seed, Rng& rng, RunLog& log) {
  for (int i = 0; i < opt.settings && !interrupted();) {
    const double gamma = 1 - std::pow(10, rng.uniform(-2.5, -0.1));
    const double eps_pi = std::pow(10, rng.uniform(-3, 0)), eps_m = std::pow(10, rng.uniform(-4, 0));
    if (optimal_k(eps_m, eps_pi, gamma) == 0) continue;
    const double forward = search_total(1, eps_m, eps_pi, gamma), both = search_total(0.5, eps_m, eps_pi, gamma);
    const double least = forward_bound(forward / 2, forward / 2, eps_m, eps_pi, gamma, 1);
    log.row(seed, i++, gamma, eps_pi, eps_m, forward, both, std::log(2) / std::log(1 / gamma),
            bidirectional_bound(both / 2, both / 2, eps_m, eps_pi, gamma, 1) / least,
            least_bounds_ratio(eps_m, eps_pi, gamma));
  }
}

// Forwards 2k learned steps; in both directions k each, the worse of the two. By squaring: k = 1, 2, 4, ...
void go_round(const Options& opt, int seed, Rng& rng, RunLog& log) {
  Matrix P = ring(opt.states), Q = reversed(P);
  Matrix P_hat = mislearned(P, opt.eps, int(rng.below(opt.states)));
  Matrix Q_hat = mislearned(Q, opt.eps, int(rng.below(opt.states)));
  for (int k = 1; k <= opt.longest && !interrupted(); k *= 2) {
    const double one_way = marginals_distance(P, P_hat), back = marginals_distance(Q, Q_hat);
    P = P * P, P_hat = P_hat * P_hat, Q = Q * Q, Q_hat = Q_hat * Q_hat;
    const double forward = marginals_distance(P, P_hat), both = std::max(one_way, back);
    log.row(seed, k, forward, both, forward / both, 2 * k * opt.eps, k * opt.eps);
  }
}

// From the CSV files.
Panel plot_bounds(const Table& table, double gamma) {
  const Table rows = table.where("gamma", to_text(gamma));
  Panel panel{.title = "γ = " + to_text(gamma) + ", ε_π = " + to_text(curve_eps_pi) + ", ε_m = " + to_text(curve_eps_m),
              .x_label = "k1 + k2, steps of a trajectory", .y_label = "bound / bound at 0",
              .x = {0, 3 / (1 - gamma)}, .y = {0, 1.6}, .key = Key::bottom_right};
  if (rows.rows.empty()) return panel;
  Layer best = points("least", {}, {});
  best.colour = colour::black, best.width = 1.3;
  const auto add = [&](const std::string& name, double at, double value) {
    std::vector<double> bound = rows.numbers(name);
    const double bound_0 = bound[0];
    for (double& b : bound) b /= bound_0;
    panel.layers.push_back(line(name, rows.numbers("total"), bound));
    best.x.push_back(at), best.y.push_back(value / bound_0);
  };
  const double K = rows.numbers("best_forward")[0], K_both = rows.numbers("best_bidirectional")[0];
  add("forward", K, forward_bound(K / 2, K / 2, curve_eps_m, curve_eps_pi, gamma, 1));
  add("bidirectional", K_both, bidirectional_bound(K_both / 2, K_both / 2, curve_eps_m, curve_eps_pi, gamma, 1));
  panel.layers.push_back(best);
  return panel;
}

void plot(const Options& opt) {
  const Table table = read_csv(opt.path("_curves.csv")), ring = read_csv(opt.path("_ring.csv"));
  Figure figure{.width = 1000, .height = 820, .columns = 2,
                .panels = {plot_bounds(table, discounts[0]), plot_bounds(table, discounts[1])}};
  if (ring.rows.empty()) {  // Ctrl-C came before the first ring
    draw(figure, opt.path(".png"));
    return;
  }
  Panel distance{.title = "a ring of " + to_text(opt.states) + " states with a drift, ε = " + to_text(opt.eps),
                 .x_label = "k", .y_label = "D_TV between true and learned states",
                 .y = {0.01, 2}, .log_x = true, .log_y = true, .key = Key::bottom_right};
  Panel ratio{.title = "what the second direction is worth", .x_label = "k", .y_label = "forward / bidirectional",
              .y = {0.8, 2.2}, .log_x = true};
  const auto mean = [&](const std::string& column) { return curves(ring, {}, "k", column).at(0); };
  const auto layer = [&](const std::string& label, const std::string& column) {
    const Curve c = mean(column);
    return curve(label, c.x, c.mean, c.low, c.high);
  };
  const auto bound = [&](const std::string& label, const std::string& column, Colour colour) {
    const Curve c = mean(column);
    Layer l = dashed(label, c.x, c.mean);
    l.colour = colour;
    return l;
  };
  distance.layers = {layer("forward, 2k steps", "forward"), layer("both ways, k steps each", "bidirectional"),
                     bound("2kε", "bound_forward", colour::blue),
                     bound("kε", "bound_bidirectional", colour::vermillion)};
  const std::vector<double> k = mean("ratio").x;
  ratio.layers = {layer("", "ratio"), dashed("", {k.front(), k.back()}, {1, 1}),
                  dashed("", {k.front(), k.back()}, {2, 2})};
  ratio.layers[1].colour = ratio.layers[2].colour = colour::black;
  figure.panels.insert(figure.panels.end(), {distance, ratio});
  draw(figure, opt.path(".png"));
}

double largest(const std::vector<double>& x) { return x.empty() ? NAN : *std::max_element(x.begin(), x.end()); }

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), ring = read_csv(opt.path("_ring.csv"));
  const std::vector<double> forward = table.numbers("forward"), both = table.numbers("bidirectional");
  const std::vector<double> growth = table.numbers("growth"), ratio = table.numbers("ratio");
  const std::vector<double> ratio_closed = table.numbers("ratio_closed");
  std::vector<double> wrong_growth, wrong_ratio, over_bound, first, last;
  for (std::size_t i = 0; i < growth.size(); ++i) {
    wrong_growth.push_back(std::abs(both[i] - forward[i] - growth[i]) / growth[i]);
    wrong_ratio.push_back(std::abs(ratio[i] - ratio_closed[i]) / ratio_closed[i]);
  }
  for (const auto& [value, limit] : {std::pair{"forward", "bound_forward"}, {"bidirectional", "bound_bidirectional"}}) {
    const std::vector<double> x = ring.numbers(value), most = ring.numbers(limit);
    for (std::size_t i = 0; i < x.size(); ++i) over_bound.push_back(x[i] - most[i]);
  }
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const std::vector<double> mine = ring.where("seed", to_text(seed)).numbers("ratio");
    first.push_back(mine.front()), last.push_back(mine.back());
  }
  const std::string of = " on " + to_text(long(growth.size())) + " settings";
  Claims claims(opt);
  claims.at_most("search for the best k1 + k2: growth against ln 2 / ln(1/gamma), relative error" + of, slide,
                 exact(largest(wrong_growth)), 1e-9);
  claims.at_most("the least bounds' ratio against its closed form, relative error" + of, slide,
                 exact(largest(wrong_ratio)), 1e-9);
  claims.at_most("ring: excess of D_TV over 2k eps and k eps, largest", slide, exact(largest(over_bound)), 1e-12);
  claims.at_least("ring: forward / bidirectional D_TV at k = 1", slide, first, 1.5);
  claims.between("ring: forward / bidirectional D_TV at the largest k", slide, last, 0.9, 1.1);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "setting", "gamma", "eps_pi", "eps_m", "forward", "bidirectional", "growth", "ratio",
                     "ratio_closed"});
    RunLog rings(opt, {"seed", "k", "forward", "bidirectional", "ratio", "bound_forward", "bound_bidirectional"},
                 "_ring.csv");
    log_curves(opt);
    Progress progress(opt, opt.seeds, "", "seeds");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      search(opt, seed, rng, log);
      go_round(opt, seed, rng, rings);
      progress.show(seed - opt.seed + 1);
    }
    std::string headline = "stopped";
    if (!interrupted()) {
      claim(opt);
      headline = "the best k1 + k2 grows by ln 2 / ln(1/gamma): " +
                 to_text(std::round(10 * std::log(2) / std::log(1 / 0.9)) / 10) + " steps at gamma = 0.9, " +
                 to_text(std::round(10 * std::log(2) / std::log(1 / 0.99)) / 10) + " at 0.99";
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

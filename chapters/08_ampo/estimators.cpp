// How well can a distance between distributions be measured from samples? N(0, 1) against N(d, 1), where all is known:
// Wasserstein-1 by sorting and by a critic, which the gradient penalty lets overshoot, and MMD (slides "Notations" and
// "AMPO").
//
//   build/08_ampo_estimators             5 seeds, 80 critics: 18 s on one core, 30 MB
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/00_toolbox/statistics.h"  // mean, quantile
#include "chapters/08_ampo/critic.h"
#include "chapters/08_ampo/mmd.h"
#include "chapters/08_ampo/shifted_normals.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Distances between N(0, 1) and N(d, 1), estimated (slides \"Notations\" and "
                                       "\"AMPO\")";
  std::vector<double> d       = opt("d", std::vector<double>{0.5, 1, 2, 3}, "d, how far apart the means are",
                                    range(0.01, 10));
  std::vector<double> penalty = opt("penalty", std::vector<double>{1, 3, 10, 100}, "weight of the gradient penalty",
                                    range(0.1, 10000));
  int critic_steps = opt("critic-steps", 1500, "steps of a critic, each on fresh samples", at_least(1));
  int warm_up = opt("warm-up", 50, "first steps of a critic without a penalty, which settle the slope's sign",
                    at_least(0));
  Real lr     = opt("lr", 1e-3f, "Adam's step size for the critic", above(0));
  int batch   = opt("batch", 256, "samples in a step of the critic, and of an MMD", at_least(2));
  int fresh   = opt("fresh", 10000, "samples that W1 is estimated on", at_least(2));
  int repeats = opt("repeats", 20, "MMDs of a seed at each d, each on fresh samples; ten times that at d = 0",
                    at_least(2));
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() {
    return {{"seeds", 2}, {"d", {1, 2}}, {"penalty", {10, 100}}, {"critic-steps", 100}, {"batch", 32}, {"fresh", 100},
            {"repeats", 4}};
  }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

const std::string slide = "Notations", slide_critic = "AMPO";

struct Samples {
  Mat src, tgt;  // (1, n)
};
Samples draw(int n, double d, Rng& rng) {
  const Mat src = rng.normal(1, n);
  return {src, rng.normal(1, n) + Real(d)};
}

Critic train_critic(const Options& opt, double d, double penalty, Rng& rng) {
  Critic critic(1, {.penalty = 0, .lr = opt.lr}, rng);
  for (int i = 0; i < opt.critic_steps && !interrupted(); ++i) {
    if (i >= opt.warm_up) critic.options.penalty = Real(penalty);
    const auto [src, tgt] = draw(opt.batch, d, rng);
    critic.step(src, tgt, rng);
  }
  return critic;
}

double sorted_w1(const Samples& x) {
  return sorted_w1({x.src.data(), x.src.data() + x.src.size()}, {x.tgt.data(), x.tgt.data() + x.tgt.size()});
}

//(b9) IPM measures to many well-known distances: Wasserstein-1 distance, Maximum Mean Discrepancy
// A critic for each penalty, one thread each; what follows is written as soon as it is known.
void wasserstein(const Options& opt, int seed, double d, Rng& rng, RunLog& log, RunLog& slopes) {
  const ShiftedNormals known{d};
  const Samples fresh = draw(opt.fresh, d, rng);
  const double sorted = sorted_w1(fresh);
  log.row(seed, "sorting", d, "", sorted, sorted / d, known.w1(), known.w1());
  std::vector<Rng> rngs;
  for (std::size_t i = 0; i < opt.penalty.size(); ++i) rngs.push_back(rng.split());
  std::vector<double> estimate(opt.penalty.size());
  std::vector<Mat> slope(opt.penalty.size());
  Mat x(1, 57 + 8 * int(d));  // where the slope is looked at: -3.5, -3.375, ..., d + 3.5
  for (Eigen::Index j = 0; j < x.cols(); ++j) x(0, j) = Real(j) / 8 - Real(3.5);
  parallel_for(int(opt.penalty.size()), [&](int i, int) {
    const Critic critic = train_critic(opt, d, opt.penalty[i], rngs[i]);
    estimate[i] = critic.estimate(fresh.src, fresh.tgt), slope[i] = critic.slope(x);
  });
  for (std::size_t i = 0; i < opt.penalty.size() && !interrupted(); ++i) {
    const double penalty = opt.penalty[i];
    log.row(seed, "critic", d, penalty, estimate[i], estimate[i] / d, known.w1(), known.critic(penalty));
    for (Eigen::Index j = 0; seed == opt.seed && j < x.cols(); ++j)
      slopes.row(seed, d, penalty, x(0, j), slope[i](0, j), known.slope(x(0, j), penalty));
  }
}

// MMD^2 with the paper's bandwidths and with the median heuristic, and what its mean should be.
void discrepancy(const Options& opt, int seed, double d, Rng& rng, RunLog& log) {
  for (int i = 0; i < (d == 0 ? 10 : 1) * opt.repeats && !interrupted(); ++i) {
    const Samples x = draw(opt.batch, d, rng);
    const auto row = [&](const std::string& kernel, const std::vector<Real>& sigmas) {
      log.row(seed, i, d, kernel, mmd2(x.src, x.tgt, sigmas), ShiftedNormals{d}.mmd2(sigmas));
    };
    row("paper", ampo_bandwidths), row("median", {median_heuristic(x.src, x.tgt)});
  }
}

// The mean of a column against x; the band is the middle 95 % of the rows.
Layer spread(const Table& table, const std::string& label, const std::string& x, const std::string& y) {
  std::map<double, std::vector<double>> at;
  const std::vector<double> xs = table.numbers(x), ys = table.numbers(y);
  for (std::size_t i = 0; i < xs.size(); ++i) at[xs[i]].push_back(ys[i]);
  Layer layer = curve(label, {}, {}, {}, {});
  for (const auto& [where, values] : at) {
    layer.x.push_back(where);
    layer.low.push_back(quantile(values, 0.025)), layer.high.push_back(quantile(values, 0.975));
    layer.y.push_back(mean(values));
  }
  return layer;
}
Layer dots(Layer layer) {
  layer.kind = Kind::points, layer.width = 1.3, layer.low.clear(), layer.high.clear();
  return layer;
}

constexpr Colour colours[] = {colour::vermillion, colour::orange, colour::blue, colour::green, colour::purple};

// What critics say at each penalty, as dots, beside the closed form.
Panel plot_penalty(const Options& opt, const Table& critics) {
  Panel panel{.title = "the critic's estimate of W1: dots; predicted: lines", .x_label = "weight of the penalty",
              .y_label = "estimate / d", .y = {0.8, 2.8}, .log_x = true, .key = Key::top_right};
  for (std::size_t i = 0; i < opt.d.size(); ++i) {
    const Table rows = critics.where("d", to_text(opt.d[i]));
    if (rows.rows.empty()) continue;
    const std::vector<double> penalty = rows.numbers("penalty");
    const auto [least, most] = std::minmax_element(penalty.begin(), penalty.end());
    const double excess = ShiftedNormals{opt.d[i]}.excess();
    Layer predicted = line("d = " + to_text(opt.d[i]), {}, {});
    for (double w = *least; w <= *most * 1.001; w *= 1.1)
      predicted.x.push_back(w), predicted.y.push_back(1 + excess / (2 * w * opt.d[i]));
    Layer measured = dots(spread(rows, "", "penalty", "ratio"));
    predicted.colour = measured.colour = colours[i % 5];
    panel.layers.push_back(predicted), panel.layers.push_back(measured);
  }
  return panel;
}

Panel plot_slope(const Options& opt, const Table& slopes) {
  const double d = opt.d[opt.d.size() / 2];
  Panel panel{.title = "one critic's slope, d = " + to_text(d) + ": dots; predicted: lines", .x_label = "x",
              .y_label = "f'(x)", .x = {-3.5, d + 3.5}, .y = {-3, 0}};
  int n = 0;
  for (const double penalty : opt.penalty) {
    const Table rows = slopes.where("d", to_text(d)).where("penalty", to_text(penalty));
    if (rows.rows.empty()) continue;
    Layer predicted = line("weight " + to_text(penalty), rows.numbers("x"), rows.numbers("predicted"));
    Layer measured = points("", rows.numbers("x"), rows.numbers("slope"));
    predicted.colour = measured.colour = colours[n++ % 5], measured.width = 0.6;
    panel.layers.push_back(predicted), panel.layers.push_back(measured);
  }
  return panel;
}

Panel plot_mmd(const Table& mmd, const std::string& kernel, const std::string& title) {
  const Table rows = mmd.where("kernel", kernel);
  Panel panel{.title = title, .x_label = "d", .y_label = "unbiased MMD^2 (mean, middle 95 %)", .key = Key::top_left};
  if (rows.rows.empty()) return panel;
  Layer exact = dots(spread(rows, "known", "d", "known"));
  exact.colour = colour::black;
  panel.layers = {spread(rows, "estimates", "d", "mmd2"), exact};
  return panel;
}

// From the CSV files.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), mmd = read_csv(opt.path("_mmd.csv"));
  const Table critics = table.where("method", "critic"), slopes = read_csv(opt.path("_slope.csv"));
  Figure figure{.width = 1100, .height = 900, .columns = 2};
  if (!critics.rows.empty()) figure.panels = {plot_penalty(opt, critics), plot_slope(opt, slopes)};
  if (!mmd.rows.empty()) {
    figure.panels.push_back(plot_mmd(mmd, "paper", "MMD: the paper's eight bandwidths"));
    figure.panels.push_back(plot_mmd(mmd, "median", "MMD: the median heuristic"));
  }
  if (!figure.panels.empty()) draw(figure, opt.path(".png"));
}

// |mean - 0| in standard errors.
double standard_errors(const std::vector<double>& x) {
  const double n = double(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double square = 0;
  for (const double v : x) square += (v - mean) * (v - mean);
  return std::abs(mean) / std::sqrt(square / (n * (n - 1)));
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), mmd = read_csv(opt.path("_mmd.csv"));
  const Table critics = table.where("method", "critic");
  const auto ratios = [&](const Table& of, double d) { return of.where("d", to_text(d)).numbers("ratio"); };
  Claims claims(opt);
  for (const double d : opt.d) {
    const Table strict = critics.where("penalty", "100"), usual = critics.where("penalty", "10");
    const std::string at = "N(0, 1), N(" + to_text(d) + ", 1): ";
    claims.between(at + "W1 by sorting / d", slide, ratios(table.where("method", "sorting"), d), 0.9, 1.1);
    if (!strict.rows.empty())
      claims.between(at + "critic / d, penalty weight 100", slide_critic, ratios(strict, d), 0.9, 1.1);
    if (!usual.rows.empty() && d >= 2)  // the trap, beyond the noise of the samples
      claims.at_least(at + "critic / d, penalty weight 10", slide_critic, ratios(usual, d), 1 + d / 20 - 0.02);
  }
  std::vector<double> error(opt.seeds, 0);  // of the prediction, largest over d and penalty
  const std::vector<double> seed = critics.numbers("seed"), estimate = critics.numbers("estimate");
  const std::vector<double> predicted = critics.numbers("predicted");
  for (std::size_t i = 0; i < seed.size(); ++i) {
    double& most = error[std::size_t(seed[i]) - opt.seed];
    most = std::max(most, std::abs(estimate[i] / predicted[i] - 1));
  }
  claims.at_most("critic against W1 + int flow^2 / r / (2 weight): largest relative error over d and weight",
                 slide_critic, error, 0.1);
  for (const std::string kernel : {"paper", "median"})
    claims.at_most("equal distributions: mean of unbiased MMD^2 (" + kernel + "), in standard errors from 0", slide,
                   exact(standard_errors(mmd.where("kernel", kernel).where("d", "0").numbers("mmd2"))), 3);
}

double mean_ratio(const Table& table, const std::string& penalty) {
  return std::round(1000 * mean(table.where("penalty", penalty).numbers("ratio"))) / 1000;
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "method", "d", "penalty", "estimate", "ratio", "w1", "predicted"});
    RunLog slopes(opt, {"seed", "d", "penalty", "x", "slope", "predicted"}, "_slope.csv");
    RunLog mmd(opt, {"seed", "sample", "d", "kernel", "mmd2", "known"}, "_mmd.csv");
    Progress progress(opt, long(opt.seeds) * long(opt.d.size()), "", "distances");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      discrepancy(opt, seed, 0, rng, mmd);
      for (const double d : opt.d) {
        if (interrupted()) break;
        wasserstein(opt, seed, d, rng, log, slopes);
        discrepancy(opt, seed, d, rng, mmd);
        progress.show(++done);
      }
    }
    std::string headline = "stopped";
    if (!interrupted()) {
      claim(opt);
      const Table furthest = read_csv(opt.path(".csv")).where("d", to_text(opt.d.back()));
      headline = "critic / W1 at d = " + to_text(opt.d.back()) + ":";
      for (const double penalty : opt.penalty)
        headline += " " + to_text(mean_ratio(furthest, to_text(penalty))) + " (weight " + to_text(penalty) + ")";
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

// How much real data should a policy learn from? The bound's terms against the real ratio beta, and where their sum is
// least as the real data grow (slide "Analysis of real ratio schedule"). And the phenomenon itself, exactly, on random
// MDPs: what a policy loses that is planned on a mixture of few real data and a biased model.
//
//   build/09_autombpo_bound              10 seeds, 1200 MDPs: 7 s on one core, 30 MB
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/09_autombpo/bound.h"
#include "chapters/09_autombpo/mixture.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "The real ratio: a bound, and random MDPs (slide \"Analysis of real ratio "
                                       "schedule\")";
  int mdps       = opt("mdps", 120, "random MDPs of a seed", range(1, 10000));
  int states     = opt("states", 20, "states of an MDP", range(2, 200));
  int actions    = opt("actions", 3, "|A|, actions of an MDP", range(2, 20));
  int successors = opt("successors", 5, "states that can follow a state and an action", at_least(1));
  double gamma   = opt("gamma", 0.9, "gamma, discount of the MDPs", range(0.01, 0.99));
  std::vector<double> sigma = opt("sigma", std::vector<double>{0.15, 0.3, 0.5}, "sigma, chance with which the model "
                                  "follows another MDP, ascending", range(0, 1));
  std::vector<int> data = opt("data", std::vector<int>{1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300}, "n, real samples "
                              "of each state and action, ascending", range(1, 10000));
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"mdps", 2}, {"data", {1, 10, 100}}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  void check() const {
    if (successors > states)
      throw BadInput("--successors " + to_text(successors) + ": wanted at most --states, " + to_text(states));
    if (std::adjacent_find(sigma.begin(), sigma.end(), std::greater_equal()) != sigma.end())
      throw BadInput("--sigma " + join(sigma, ",") + ": wanted in ascending order");
    if (std::adjacent_find(data.begin(), data.end(), std::greater_equal()) != data.end())
      throw BadInput("--data " + join(data, ",") + ": wanted in ascending order");
  }
};

const std::string slide = "Analysis of real ratio schedule";

// ---- The bound, all constants 1 ----

//(b4) As beta / N_real increases, the second term increases while the third term decreases. So there exists an optimal
// value for beta / N_real.
constexpr double deviations[] = {0.02, 0.05, 0.2}, shown_sigma = 0.02, shown_N = 1000;
void log_terms(const Options& opt) {
  RunLog log(opt, {"beta", "constant", "estimation", "model", "bound"}, "_terms.csv");
  const RealRatioBound b{shown_sigma};
  for (int i = -100; i <= 0; ++i) {
    const double beta = std::pow(10, i / 20.0);
    log.row(beta, b.approximation() + b.iteration(), b.estimation(beta, shown_N), b.model(beta, shown_N),
            b(beta, shown_N));
  }
}
void log_best(const Options& opt) {
  RunLog log(opt, {"sigma", "N", "beta"}, "_best.csv");
  for (const double sigma : deviations)
    for (int i = 16; i <= 80; ++i) {
      const double N = std::pow(10, i / 16.0);
      log.row(sigma, N, RealRatioBound{sigma}.best(N));
    }
}

// ---- Random MDPs ----

constexpr int betas = 11;  // 0, 0.1, ..., 1

//(b5) Since N_real increases during training, gradually increasing beta is promising to achieve good performance.
// The mean loss over a seed's MDPs for each sigma, n and beta, and the beta where it is least.
void mix(const Options& opt, int seed, RunLog& log, RunLog& ridge) {
  const MixtureSizes sizes{opt.states, opt.actions, opt.successors, opt.gamma};
  Rng rng(seed);
  std::vector<Rng> rngs;
  for (int m = 0; m < opt.mdps; ++m) rngs.push_back(rng.split());
  std::vector<std::vector<double>> losses(opt.mdps);
  parallel_for(opt.mdps, [&](int m, int) {
    const MixedMdp mixture = random_mixture(sizes, opt.data, rngs[m]);
    for (const double sigma : opt.sigma)
      for (std::size_t i = 0; i < opt.data.size() && !interrupted(); ++i)
        for (int j = 0; j < betas; ++j) losses[m].push_back(mixture.loss(i, j / 10.0, sigma));
  });
  if (interrupted()) return;
  std::size_t at = 0;
  for (const double sigma : opt.sigma)
    for (const int n : opt.data) {
      double beta_star = 0, least = INFINITY;
      for (int j = 0; j < betas; ++j, ++at) {
        double mean = 0;
        for (const std::vector<double>& of_mdp : losses) mean += of_mdp[at] / opt.mdps;
        log.row(seed, sigma, n, j / 10.0, mean);
        if (mean < least) least = mean, beta_star = j / 10.0;
      }
      ridge.row(seed, sigma, n, beta_star, least);
    }
}

// ---- The picture, from the CSV files ----

Panel plot_terms(const Table& table) {
  Panel panel{.title = "the bound's terms, σ = " + to_text(shown_sigma) + ", N_real = " + to_text(shown_N),
              .x_label = "β, real ratio", .y_label = "term, constants 1", .y = {0, 0.4}, .log_x = true,
              .key = Key::top_left};
  const std::vector<double> beta = table.numbers("beta"), bound = table.numbers("bound");
  panel.layers = {line("second: estimation", beta, table.numbers("estimation")),
                  line("third: model", beta, table.numbers("model")),
                  line("first and fourth", beta, table.numbers("constant")), line("bound", beta, bound),
                  points("least", {RealRatioBound{shown_sigma}.best(shown_N)},
                         {*std::min_element(bound.begin(), bound.end())})};
  constexpr Colour colours[] = {colour::blue, colour::vermillion, colour::grey, colour::black, colour::black};
  for (int i = 0; i < 5; ++i) panel.layers[i].colour = colours[i];
  panel.layers[4].width = 1.5;
  return panel;
}

Panel plot_best(const Table& table) {
  Panel panel{.title = "where the bound is least", .x_label = "N_real, number of real data",
              .y_label = "best β", .log_x = true, .log_y = true};
  for (const double sigma : deviations) {
    const Table rows = table.where("sigma", to_text(sigma));
    panel.layers.push_back(line("σ = " + to_text(sigma), rows.numbers("N"), rows.numbers("beta")));
  }
  return panel;
}

// The loss at every beta and n, a column the nearest n's, and the best beta of each n.
Panel plot_heat(const Options& opt, const Table& table, const Table& ridge, const std::string& sigma) {
  Panel panel{.title = "log10 of the loss in % of V*, σ = " + sigma, .x_label = "log10 n, real samples of each (s, a)",
              .y_label = "β, real ratio"};
  const auto loss = curves(table.where("sigma", sigma), {"n"}, "beta", "loss");
  const int columns = 1 + int(std::lround(10 * std::log10(double(opt.data.back()) / opt.data.front())));
  const double x0 = std::round(10 * std::log10(double(opt.data.front()))) / 10;
  std::vector<double> values;
  for (int j = 0; j < betas; ++j)
    for (int column = 0; column < columns; ++column) {
      const double x = x0 + column / 10.0;
      const auto nearest = std::min_element(opt.data.begin(), opt.data.end(), [&](int a, int b) {
        return std::abs(std::log10(double(a)) - x) < std::abs(std::log10(double(b)) - x);
      });
      values.push_back(std::log10(std::max(0.01, loss[nearest - opt.data.begin()].mean[j])));
    }
  Layer best = line("best β", {}, {});
  const Curve mean = curves(ridge.where("sigma", sigma), {}, "n", "beta").at(0);
  for (const double n : mean.x) best.x.push_back(std::log10(n));
  best.y = mean.mean, best.colour = colour::vermillion, best.width = 4;
  panel.layers = {image(values, columns, x0, 0, 0.1), best};
  return panel;
}

Panel plot_ridge(const Options& opt, const Table& ridge) {
  Panel panel{.title = "the best β: " + to_text(opt.mdps) + " MDPs a seed", .x_label = "n, real samples of each (s, a)",
              .y_label = "best β (mean, 95 % band)", .y = {0, 1}, .log_x = true};
  add_curves(panel, curves(ridge, {"sigma"}, "n", "beta"));
  for (Layer& layer : panel.layers) layer.label = "σ = " + layer.label;
  return panel;
}

void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), ridge = read_csv(opt.path("_ridge.csv"));
  Figure figure{.width = 1100, .height = 920, .columns = 2,
                .panels = {plot_terms(read_csv(opt.path("_terms.csv"))), plot_best(read_csv(opt.path("_best.csv")))}};
  if (!ridge.rows.empty()) {
    figure.panels.push_back(plot_heat(opt, table, ridge, to_text(opt.sigma[opt.sigma.size() / 2])));
    figure.panels.push_back(plot_ridge(opt, ridge));
  }
  draw(figure, opt.path(".png"));
}

// ---- Claims ----

// The least x[i + 1] - x[i].
double least_step(const std::vector<double>& x) {
  double least = INFINITY;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) least = std::min(least, x[i + 1] - x[i]);
  return least;
}

void claim_bound(const Options& opt, Claims& claims) {
  const Table terms = read_csv(opt.path("_terms.csv")), best = read_csv(opt.path("_best.csv"));
  std::vector<double> model = terms.numbers("model"), step, spread;
  for (double& m : model) m = -m;
  for (const double sigma : deviations) {
    const Table rows = best.where("sigma", to_text(sigma));
    const std::vector<double> N = rows.numbers("N"), beta = rows.numbers("beta");
    std::vector<double> share;
    for (std::size_t i = 0; i < N.size(); ++i)
      if (beta[i] < 1) share.push_back(beta[i] / N[i]);
    const auto [low, high] = std::minmax_element(share.begin(), share.end());
    step.push_back(least_step(beta)), spread.push_back(*high / *low);
  }
  claims.at_least("the second term's least step as beta grows", slide, exact(least_step(terms.numbers("estimation"))),
                  0);
  claims.at_least("the third term's least step down as beta grows", slide, exact(least_step(model)), 0);
  claims.at_least("the bound's best beta: least step as N_real grows", slide,
                  exact(*std::min_element(step.begin(), step.end())), 0);
  claims.at_most("the bound's best beta / N_real while below 1: largest / least", slide,
                 exact(*std::max_element(spread.begin(), spread.end())), 1.02);
}

// The least loss of a seed among the betas on one side of `beta` minus that on the other: below 0 where the best beta
// is on the first side. For sigma and n.
std::vector<double> side(const Options& opt, const std::string& sigma, int n, bool above, double beta) {
  const Table rows = read_csv(opt.path(".csv")).where("sigma", sigma).where("n", to_text(n));
  std::vector<double> difference;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const std::vector<double> loss = rows.where("seed", to_text(seed)).numbers("loss");
    double inside = INFINITY, outside = INFINITY;
    for (int j = 0; j < betas; ++j) {
      double& least = (above ? j / 10.0 >= beta : j / 10.0 <= beta) ? inside : outside;
      least = std::min(least, loss[j]);
    }
    difference.push_back(inside - outside);
  }
  return difference;
}

void claim(const Options& opt) {
  const Table ridge = read_csv(opt.path("_ridge.csv"));
  std::vector<double> tenfold, wider;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table mine = ridge.where("seed", to_text(seed));
    std::vector<double> mean;  // of the best beta over n, by sigma
    double least = INFINITY;
    for (const double sigma : opt.sigma) {
      const std::vector<double> beta = mine.where("sigma", to_text(sigma)).numbers("beta");
      mean.push_back(std::accumulate(beta.begin(), beta.end(), 0.0) / double(beta.size()));
      for (std::size_t i = 0; i < beta.size(); ++i)
        for (std::size_t j = i; j < beta.size(); ++j)
          if (opt.data[j] == 10 * opt.data[i]) least = std::min(least, beta[j] - beta[i]);
    }
    tenfold.push_back(least), wider.push_back(least_step(mean));
  }
  Claims claims(opt);
  claim_bound(opt, claims);
  const std::string sigma = to_text(opt.sigma[opt.sigma.size() / 2]), at = "sigma = " + sigma + ", n = ";
  const int few = opt.data.front(), many = opt.data.back();
  claims.at_most(at + to_text(few) + ": least loss (%) of beta <= 0.2 minus that of larger ones", slide,
                 side(opt, sigma, few, false, 0.2), 0);
  claims.at_most(at + to_text(many) + ": least loss (%) of beta >= 0.9 minus that of smaller ones", slide,
                 side(opt, sigma, many, true, 0.9), 0);
  claims.at_least("the best beta as n grows tenfold: least step, over n and sigma", slide, tenfold, 0);
  claims.at_least("the best beta, mean over n, as sigma grows: least step", slide, wider, 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "sigma", "n", "beta", "loss"});
    RunLog ridge(opt, {"seed", "sigma", "n", "beta", "loss"}, "_ridge.csv");
    log_terms(opt), log_best(opt);
    Progress progress(opt, opt.seeds, "", "seeds");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      mix(opt, seed, log, ridge);
      progress.show(seed - opt.seed + 1);
    }
    std::string headline = "stopped";
    if (!interrupted()) {
      claim(opt);
      const std::string sigma = to_text(opt.sigma[opt.sigma.size() / 2]);
      const Curve best = curves(read_csv(opt.path("_ridge.csv")).where("sigma", sigma), {}, "n", "beta").at(0);
      const auto at = [](double n, double beta) {
        return to_text(std::round(100 * beta) / 100) + " at n = " + to_text(n);
      };
      headline = "best beta at sigma = " + sigma + ": " + at(best.x.front(), best.mean.front()) + ", " +
                 at(best.x.back(), best.mean.back());
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

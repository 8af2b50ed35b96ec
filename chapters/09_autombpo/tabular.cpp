// The hyper-controller on a problem where an inner training costs a millisecond: how much real data should the policy
// learn from while they grow? A schedule of the real ratio beta is learned by PPO and compared with constants and ramps
// on fresh MDPs (slides "AutoMBPO Framework" and "Hyperparameter Schedule Visualization").
//
//   build/09_autombpo_tabular            10 seeds, 6000 inner trainings: 8 s on two cores, 30 MB
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
#include "chapters/00_toolbox/statistics.h"  // mean
#include "chapters/09_autombpo/controller.h"
#include "chapters/09_autombpo/mixture.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "A learned schedule of the real ratio on random MDPs (slide \"AutoMBPO "
                                       "Framework\")";
  double sigma  = opt("sigma", 0.3, "sigma, chance with which the model follows another MDP", range(0, 1));
  int phases    = opt("phases", 20, "decisions of an inner training", range(2, 1000));
  int data      = opt("data", 100, "n, real samples of each state and action in the last phase; 1 in the first",
                      range(1, 10000));
  double start  = opt("start", 0.05, "beta before the first decision", range(0.01, 1));
  double factor = opt("factor", 1.4, "c, beta is multiplied by 1 / c, 1 or c", above(1));
  int stages    = opt("stages", 60, "updates of the controller", at_least(1));
  int runs      = opt("runs", 10, "inner trainings of a stage, each in an MDP of its own", at_least(2));
  int explore   = opt("explore", 10, "stages within which the share of random decisions falls from 1 to 0",
                      at_least(0));
  std::vector<int> hidden = opt("hidden", std::vector<int>{32}, "sizes of the head's hidden layers", at_least(1));
  Real lr       = opt("lr", 1e-2f, "Adam's step size for the controller", above(0));
  Real clip     = opt("clip", 0.2f, "epsilon, how far the policy's ratio may go", above(0));
  int epochs    = opt("epochs", 20, "gradient steps of a stage, each on all of its decisions", at_least(1));
  int test      = opt("test", 150, "fresh MDPs on which the schedules are compared", at_least(2));
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"stages", 3}, {"runs", 3}, {"phases", 5}, {"test", 4}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  PpoOptions ppo() const { return {.lr = lr, .clip = clip, .epochs = epochs, .minibatch = runs * phases}; }
};

const std::string slide = "AutoMBPO Framework", slide_schedule = "Hyperparameter Schedule Visualization";
constexpr double lowest = 0.01;

// n grows geometrically from 1 to opt.data.
std::vector<int> real_data(const Options& opt) {
  std::vector<int> n;
  for (int t = 0; t < opt.phases; ++t)
    n.push_back(int(std::lround(std::pow(opt.data, double(t) / (opt.phases - 1)))));
  return n;
}

//(b6) Idea: formulate hyperparameter scheduling as an MDP. Its state: progress and log beta, both in [-1, 1]; its
// action: beta times 1/c, 1 or c, within [0.01, 1]; its reward: the loss of the constant start beta minus the own.
Mat features(const Options& opt, int t, double beta) {
  Mat s(2, 1);
  s << Real(2.0 * t / (opt.phases - 1) - 1), Real(1 - 2 * std::log(beta) / std::log(lowest));
  return s;
}
double change(const Options& opt, double beta, const Decision& decision) {
  return std::clamp(beta * std::pow(opt.factor, double(decision.a(0, 0)) - 1), lowest, 1.0);
}

// A stage: inner trainings in MDPs of their own, then PPO. Returns the mean return of a training.
double improve(const Options& opt, Controller& controller, int stage, Rng& rng) {
  const double epsilon = std::max(0.0, 1 - double(stage) / std::max(1, opt.explore));
  std::vector<Rng> rngs;
  for (int i = 0; i < opt.runs; ++i) rngs.push_back(rng.split());
  std::vector<HyperEpisode> runs(opt.runs);
  parallel_for(opt.runs, [&](int i, int) {
    const MixedMdp mixture = random_mixture({}, real_data(opt), rngs[i]);
    double beta = opt.start;
    for (int t = 0; t < opt.phases; ++t) {
      runs[i].push_back(controller.decide(features(opt, t, beta), epsilon, rngs[i]));
      beta = change(opt, beta, runs[i].back());
      runs[i].back().r = Real(mixture.loss(t, opt.start, opt.sigma) - mixture.loss(t, beta, opt.sigma));
    }
  });
  controller.learn(runs, rng);
  double sum = 0;
  for (const HyperEpisode& run : runs)
    for (const Decision& d : run) sum += d.r;
  return sum / opt.runs;
}

// ---- Schedules, compared on the same fresh MDPs and data ----

struct Schedule {
  std::string name;
  std::function<double(int t, double beta, Rng& rng)> next;  // beta of phase t, given that of the phase before
};
const std::vector<double> constants = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0};
std::vector<Schedule> schedules(const Options& opt, const Controller& controller) {
  std::vector<Schedule> all = {{"learned", [&](int t, double beta, Rng& rng) {
    return change(opt, beta, controller.decide(features(opt, t, beta), 0, rng));
  }}};
  for (const double beta : constants)
    all.push_back({to_text(beta), [=](int, double, Rng&) { return beta; }});
  for (const auto& [from, to] : {std::pair{0.05, 1.0}, {0.05, 0.7}, {0.2, 0.9}})
    all.push_back({to_text(from) + " to " + to_text(to), [=, last = opt.phases - 1](int t, double, Rng&) {
      return from + (to - from) * t / last;
    }});
  return all;
}

// The mean beta and loss of every schedule and phase.
void compare(const Options& opt, int seed, const Controller& controller, Rng& rng, RunLog& log) {
  const std::vector<int> n = real_data(opt);
  const std::vector<Schedule> all = schedules(opt, controller);
  std::vector<Rng> rngs;
  for (int m = 0; m < opt.test; ++m) rngs.push_back(rng.split());
  std::vector<Matrix> beta(opt.test, Matrix(all.size(), opt.phases)), loss = beta;
  parallel_for(opt.test, [&](int m, int) {
    const MixedMdp mixture = random_mixture({}, n, rngs[m]);
    for (std::size_t i = 0; i < all.size() && !interrupted(); ++i)
      for (int t = 0; t < opt.phases; ++t) {
        beta[m](i, t) = all[i].next(t, t == 0 ? opt.start : beta[m](i, t - 1), rngs[m]);
        loss[m](i, t) = mixture.loss(t, beta[m](i, t), opt.sigma);
      }
  });
  if (interrupted()) return;
  const Matrix mean_beta = std::accumulate(beta.begin(), beta.end(), Matrix(Matrix::Zero(all.size(), opt.phases)));
  const Matrix mean_loss = std::accumulate(loss.begin(), loss.end(), Matrix(Matrix::Zero(all.size(), opt.phases)));
  for (std::size_t i = 0; i < all.size(); ++i)
    for (int t = 0; t < opt.phases; ++t)
      log.row(seed, all[i].name, t + 1, n[t], mean_beta(i, t) / opt.test, mean_loss(i, t) / opt.test);
}

// ---- The picture, from the CSV files ----

Layer over_phases(const Table& test, const std::string& name, const std::string& column, Colour colour) {
  const Curve c = curves(test.where("schedule", name), {}, "phase", column).at(0);
  Layer layer = curve(name, c.x, c.mean, c.low, c.high);
  layer.colour = colour;
  return layer;
}

//(b8) The real ratio schedule is consistent with the theoretical analysis, i.e., gradually increasing the ratio of real
// data is promising to achieve good performance.
Panel plot_schedule(const Table& test) {
  Panel panel{.title = "real ratio", .x_label = "phase; real data grow geometrically",
              .y_label = "β (mean, 95 % band)", .y = {0, 1}};
  panel.layers = {over_phases(test, "learned", "beta", colour::blue),
                  over_phases(test, "0.3", "beta", colour::vermillion),
                  over_phases(test, "0.05 to 1", "beta", colour::green)};
  panel.layers[1].label = "constant 0.3", panel.layers[2].label = "ramp 0.05 to 1";
  return panel;
}

Panel plot_losses(const Table& test) {
  Panel panel{.title = "loss of each phase", .x_label = "phase; real data grow geometrically",
              .y_label = "loss, % of V* (mean, 95 % band)", .y = {0.02, 10}, .log_y = true};
  panel.layers = {over_phases(test, "learned", "loss", colour::blue),
                  over_phases(test, "0.05", "loss", colour::orange),
                  over_phases(test, "0.3", "loss", colour::vermillion),
                  over_phases(test, "1", "loss", colour::purple)};
  for (int i = 1; i < 4; ++i) panel.layers[i].label = "constant " + panel.layers[i].label;
  return panel;
}

// The mean loss over all phases, by seed.
std::vector<double> losses(const Options& opt, const Table& test, const std::string& schedule) {
  const Table rows = test.where("schedule", schedule);
  std::vector<double> by_seed;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed)
    if (const Table mine = rows.where("seed", to_text(seed)); !mine.rows.empty())
      by_seed.push_back(mean(mine.numbers("loss")));
  return by_seed;
}

// The loss of the constants against beta; the learned schedule and a ramp as levels.
Panel plot_constants(const Options& opt, const Table& test) {
  Panel panel{.title = "loss of all phases", .x_label = "β of a constant schedule",
              .y_label = "loss, % of V* (mean, 95 % band)", .x = {0, 1}, .y = {0.1, 2}, .log_y = true};
  const auto add = [&](Layer& layer, double x, const std::string& schedule) {
    const Interval i = interval95(losses(opt, test, schedule));
    layer.x.push_back(x), layer.y.push_back(i.mean);
    layer.low.push_back(std::isnan(i.low) ? i.mean : i.low), layer.high.push_back(std::isnan(i.high) ? i.mean : i.high);
  };
  Layer constant = curve("constant β", {}, {}, {}, {}), learned = curve("learned", {}, {}, {}, {});
  Layer ramp = curve("ramp 0.05 to 1", {}, {}, {}, {});
  for (const double beta : constants) add(constant, beta, to_text(beta));
  for (const double end : {0.0, 1.0}) add(learned, end, "learned"), add(ramp, end, "0.05 to 1");
  constant.colour = colour::vermillion, learned.colour = colour::blue, ramp.colour = colour::green;
  panel.layers = {constant, learned, ramp};
  return panel;
}

void plot(const Options& opt) {
  const Table stages = read_csv(opt.path(".csv")), test = read_csv(opt.path("_test.csv"));
  if (stages.rows.empty()) return;
  Panel learning{.title = "PPO's progress", .x_label = "stage, " + to_text(opt.runs) + " inner trainings each",
                 .y_label = "return: sum over phases, % of V*"};
  const Curve c = curves(stages, {}, "stage", "return").at(0);
  learning.layers = {curve("", c.x, c.mean, c.low, c.high), dashed("", {c.x.front(), c.x.back()}, {0, 0})};
  learning.layers[1].colour = colour::black;
  Figure figure{.width = 1100, .height = 920, .columns = 2, .panels = {}};
  if (!test.rows.empty()) figure.panels = {plot_schedule(test), plot_losses(test), plot_constants(opt, test)};
  figure.panels.push_back(learning);
  draw(figure, opt.path(".png"));
}

// The headline, once the claims are written.
std::string claim(const Options& opt) {
  const Table test = read_csv(opt.path("_test.csv"));
  const std::vector<double> learned = losses(opt, test, "learned"), ramp = losses(opt, test, "0.05 to 1");
  std::vector<double> best(learned.size(), INFINITY), against_best, against_ramp, rise, least;
  for (const double beta : constants) {
    const std::vector<double> constant = losses(opt, test, to_text(beta));
    for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], constant[i]);
  }
  for (int i = 0; i < opt.seeds; ++i) {
    against_best.push_back(learned[i] - best[i]), against_ramp.push_back(learned[i] - ramp[i]);
    const Table mine = test.where("seed", to_text(opt.seed + i)).where("schedule", "learned");
    const std::vector<double> beta = mine.numbers("beta");
    rise.push_back(beta.back() - beta.front()), least.push_back(INFINITY);
    for (std::size_t t = 4; t < beta.size(); ++t) least.back() = std::min(least.back(), beta[t] - beta[t - 4]);
  }
  const std::string on = " on " + to_text(opt.test) + " fresh MDPs a seed";
  Claims claims(opt);
  claims.at_least("the learned real ratio in the last phase minus that in the first", slide_schedule, rise, 0.3);
  claims.at_least("the learned real ratio as four phases go by: least step", slide_schedule, least, 0);
  claims.at_most("loss in % of V*, learned schedule minus the best constant," + on, slide, against_best, 0);
  claims.at_most("loss in % of V*, learned schedule minus the ramp 0.05 to 1," + on, slide, against_ramp, 0);
  const auto digits = [](const std::vector<double>& x) { return to_text(std::round(1000 * mean(x)) / 1000); };
  return "loss " + digits(learned) + " % of V*, the best constant's " + digits(best) + " %";
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "stage", "return"});
    RunLog test(opt, {"seed", "schedule", "phase", "n", "beta", "loss"}, "_test.csv");
    Progress progress(opt, long(opt.seeds) * opt.stages, "return", "stages");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      Controller controller(opt.ppo(), 2, {3}, opt.hidden, rng);
      for (int stage = 0; stage < opt.stages && !interrupted(); ++stage) {
        const double value = improve(opt, controller, stage, rng);
        log.row(seed, stage, value);
        progress.show(long(seed - opt.seed) * opt.stages + stage + 1, value);
      }
      compare(opt, seed, controller, rng, test);
    }
    const std::string headline = interrupted() ? "stopped" : claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

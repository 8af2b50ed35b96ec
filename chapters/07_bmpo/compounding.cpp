// Generating trajectories of the same length, is the error of a bidirectional model less than that of a forward one
// (slides "Bidirectional Model" and "Model Compounding Error")? Pendulums under random torque: without friction and
// speed limit, where each step can be undone; with the limit, which forgets how fast one would have been; and with
// friction, where going back is an unstable thing to do.
//
//   build/07_bmpo_compounding                  1 seed: 20 s, 25 MB
//   build/07_bmpo_compounding --seeds 3        60 s
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/04_pets/pets.h"           // ModelOptions, random_trial
#include "chapters/05_model_free/evaluate.h" // median
#include "chapters/07_bmpo/compounding.h"
#include "envs/pendulum.h"
#include "plots/plot.h"  // Figure, draw

struct Options : ModelOptions {
  using ModelOptions::ModelOptions;
  static constexpr const char* about = "Compounding error of forward and bidirectional models (slide \"Model "
                                       "Compounding Error\")";
  std::vector<double> friction = opt("friction", std::vector<double>{0, 1, 4}, "of the pendulums with a speed limit, "
                                     "1/s", range(0, 100));
  double max_speed = opt("max-speed", 8.0, "speed limit, rad/s", above(0));
  int data         = opt("data", 5000, "random real steps to learn from", at_least(10));
  int horizon      = opt("horizon", 40, "longest trajectory, 2h steps", range(2, 200));
  int trajectories = opt("trajectories", 200, "fresh real trajectories to compare with", at_least(2));
  static Preset lecture() { return {{"members", 3}, {"hidden", {128, 128}}}; }
  static Preset smoke() { return {{"data", 200}, {"epochs", 3}, {"hidden", 8}, {"horizon", 6}, {"trajectories", 5}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  void check() const {
    ensemble().check();
    if (horizon % 2 != 0) throw BadInput("--horizon " + to_text(horizon) + ": wanted an even number, 2h");
  }
};

// A pendulum of the comparison; the first has neither friction nor a limit.
struct Case {
  double friction, max_speed;
  std::string name() const {
    return std::isinf(max_speed) ? "no limit" : "friction " + to_text(friction);
  }
};
std::vector<Case> cases(const Options& opt) {
  std::vector<Case> list = {{0, std::numeric_limits<double>::infinity()}};
  for (const double friction : opt.friction) list.push_back({friction, opt.max_speed});
  return list;
}

// n pieces of fresh episodes side by side, `steps` steps each, from random times on: states as in the data.
Recording record(const Env& env, int n, int steps, Rng& rng) {
  Recording real;
  Sim sim(env.sim_dim(), n);
  const auto action = [&] { return rng.uniform(env.action_dim, n, -1, 1); };
  std::vector<std::uint64_t> begins;
  for (int j = 0; j < n; ++j) {
    sim.col(j) = env.start(rng).col(0);
    begins.push_back(rng.below(std::max(1, env.time_limit - steps)));
  }
  for (std::uint64_t t = 0; t < std::uint64_t(env.time_limit); ++t) {
    const Sim next = env.simulate(sim, action());
    for (int j = 0; j < n; ++j)
      if (t < begins[j]) sim.col(j) = next.col(j);
  }
  for (int t = 0; t <= steps; ++t) {
    real.s.push_back(env.observe(sim)), real.a.push_back(action());
    sim = env.simulate(sim, real.a.back());
  }
  return real;
}

// Of each trajectory: does it meet the speed limit within its first `steps` steps? (1, n)
Mat meets_limit(const Recording& real, int steps, double max_speed) {
  Mat met = Mat::Zero(1, real.s[0].cols());
  for (int t = 1; t <= steps; ++t)
    met = met.max((real.s[t].row(2).abs() >= Real(max_speed)).cast<Real>());
  return met;
}

// The mean over the columns with a 1 in `which`; NaN if there are none.
double mean_where(const Mat& x, const Mat& which) { return double((x * which).sum() / which.sum()); }

//(b1) Generating trajectories with the same length, the compounding error of the bidirectional model will be less.
// One seed on one pendulum: learn both models from the same data, and compare them with fresh trajectories.
void run(const Options& opt, int seed, const Case& how, RunLog& log, RunLog& one_step) {
  Rng rng(seed);
  Pendulum env(how.friction, how.max_speed);
  Transitions D(env.state_dim, env.action_dim, opt.data);
  random_trial(env, opt.data, D, rng);
  LearnedModel model(env, opt.ensemble(), rng);
  BackwardModel model_back(env, opt.ensemble(), rng);
  train_model(model, D, rng);       //(b2*) L_f, maximum likelihood: forwards, and in backward_model.h backwards
  if (interrupted()) return;
  train_model(model_back, D, rng);
  const auto forward = [&](const Mat& s, const Mat& a) { return model.mean(s, a).s_next; };
  const auto backward = [&](const Mat& s_next, const Mat& a) { return model_back.mean(s_next, a).s; };

  const Recording real = record(env, opt.trajectories, opt.horizon, rng);
  double step_for = 0, step_back = 0;
  for (int t = 0; t < opt.horizon; ++t) {
    step_for += double(squared_distance(forward(real.s[t], real.a[t]), real.s[t + 1]).mean()) / opt.horizon;
    step_back += double(squared_distance(backward(real.s[t + 1], real.a[t]), real.s[t]).mean()) / opt.horizon;
  }
  one_step.row(seed, opt.data, how.friction, how.max_speed, step_for, step_back);

  for (int h = 1; 2 * h <= opt.horizon; ++h) {
    const Mat error_for = error_forward(forward, real, h), error_bi = error_bidirectional(forward, backward, real, h);
    if (!error_for.isFinite().all() || !error_bi.isFinite().all())
      throw NotFinite("an imagined state of " + to_text(2 * h) + " steps is not finite: another --epochs?");
    const Mat met = meets_limit(real, 2 * h, how.max_speed), clear = 1 - met;
    const double ratio_clear = mean_where(error_for, clear) / mean_where(error_bi, clear);
    log.row(seed, opt.data, how.friction, how.max_speed, 2 * h, error_for.mean(), error_bi.mean(),
            error_for.mean() / error_bi.mean(), met.mean(), Mat(met * error_for).mean() / error_for.mean(),
            std::isfinite(ratio_clear) ? to_text(ratio_clear) : "");
  }
}

Table rows_of(const Table& table, const Case& how) {
  return table.where("friction", to_text(how.friction)).where("max_speed", to_text(how.max_speed));
}

// A column against the trajectory's length: the median over seeds, and the middle half of them.
Layer over_seeds(const Table& table, const std::string& label, const std::string& column) {
  std::map<double, std::vector<double>> at;
  const std::vector<double> length = table.numbers("length"), value = table.numbers(column);
  for (std::size_t i = 0; i < length.size(); ++i)
    if (!std::isnan(value[i])) at[length[i]].push_back(value[i]);
  Layer layer = curve(label, {}, {}, {}, {});
  for (auto& [x, values] : at) {
    std::sort(values.begin(), values.end());
    layer.x.push_back(x), layer.y.push_back(median(values));
    layer.low.push_back(values[values.size() / 4]), layer.high.push_back(values[(3 * values.size() - 1) / 4]);
  }
  return layer;
}

// From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  if (table.rows.empty()) return;
  Figure figure{.width = 1200, .height = 760, .columns = 3};
  const std::string length = "trajectory length, 2h steps";
  Panel ratio{.title = "forward / bidirectional", .x_label = length, .y_label = "Error_for / Error_bi",
              .y = {0.01, 100}, .log_y = true, .key = Key::bottom_left};
  Panel limit{.title = "friction 0: hits of the speed limit", .x_label = length,
              .y_label = "share of those that hit it", .y = {0, 1.4}, .key = Key::top_right};
  for (const Case& how : cases(opt)) {
    const Table rows = rows_of(table, how);
    if (rows.rows.empty()) continue;
    const bool free = std::isinf(how.max_speed);
    figure.panels.push_back({.title = free ? "friction 0, no speed limit" : how.name() + ", speed limit",
                             .x_label = length, .y_label = "compounding error", .log_y = true,
                             .key = Key::bottom_right, .layers = {over_seeds(rows, "forward", "error_for"),
                                        over_seeds(rows, "bidirectional", "error_bi")}});
    ratio.layers.push_back(over_seeds(rows, how.name(), "ratio"));
    if (free || how.friction != 0) continue;
    ratio.layers.push_back(over_seeds(rows, "friction 0, no hits", "ratio_clear"));
    ratio.layers.back().dashed = true;
    limit.layers.push_back(over_seeds(rows, "trajectories", "met"));
    limit.layers.push_back(over_seeds(rows, "Error_for", "share_for"));
  }
  ratio.layers.push_back(dashed("", {2, double(opt.horizon)}, {1, 1}));
  ratio.layers.back().colour = colour::black;
  figure.panels.push_back(ratio);
  if (!limit.layers.empty()) figure.panels.push_back(limit);
  draw(figure, opt.path(".png"));
}

// The median over seeds of a column at one length; NaN where nothing was measured.
double at_length(const Table& table, const Case& how, int length, const std::string& column) {
  return median(rows_of(table, how).where("length", to_text(length)).numbers(column));
}

// True where a step can be undone, false where going back is unstable.
void claim(const Options& opt) {
  const std::string slide = "Model Compounding Error", seeds = ", median of " + to_text(opt.seeds) + " seeds";
  const Table table = read_csv(opt.path(".csv")), one_step = read_csv(opt.path("_one_step.csv"));
  Claims claims(opt);
  const auto ratio = [&](const Case& how, int length, double threshold) {
    const double x = at_length(table, how, length, "ratio");
    const std::string what = how.name() + ", 2h = " + to_text(length) + ": Error_for / Error_bi" + seeds;
    if (std::isnan(x)) return;
    if (threshold == 1) claims.at_most(what, slide, exact(x), threshold);
    else claims.at_least(what, slide, exact(x), threshold);
  };
  const Case free = cases(opt)[0], limited = {0, opt.max_speed}, damped = {4, opt.max_speed};
  ratio(free, 2, 2), ratio(free, 10, 3);
  ratio(limited, 2, 1.3), ratio(limited, 10, 1.5), ratio(limited, 20, 3);
  ratio(damped, 30, 1);
  const double share = at_length(table, limited, 2, "share_for");
  if (!std::isnan(share))
    claims.at_least("friction 0, 2h = 2: share of Error_for in the " +
                        to_text(std::round(1e3 * at_length(table, limited, 2, "met")) / 10) +
                        " % of the trajectories that meet the limit" + seeds, slide, exact(share), 0.5);
  const Table steps = rows_of(one_step, free);
  std::vector<double> back = steps.numbers("backward");
  const std::vector<double> ahead = steps.numbers("forward");
  for (std::size_t i = 0; i < back.size(); ++i) back[i] /= ahead[i];
  claims.at_most("no limit: one-step error, backward / forward" + seeds, "Dynamics Model Learning",
                 exact(median(back)), 2);
}

// Error_for / Error_bi of each pendulum, at its longest trajectory.
std::string headline(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  std::string text;
  for (const Case& how : cases(opt))
    if (const double x = at_length(table, how, opt.horizon, "ratio"); !std::isnan(x))
      text += (text.empty() ? "forward / bidirectional error at 2h = " + to_text(opt.horizon) + ": " : ", ") +
              to_text(std::round(100 * x) / 100) + " (" + how.name() + ")";
  return text.empty() ? "stopped before the first comparison" : text;
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "env_steps", "friction", "max_speed", "length", "error_for", "error_bi", "ratio", "met",
                     "share_for", "ratio_clear"});
    RunLog one_step(opt, {"seed", "env_steps", "friction", "max_speed", "forward", "backward"}, "_one_step.csv");
    const std::vector<Case> pendulums = cases(opt);
    Progress progress(opt, long(pendulums.size()) * opt.seeds, "", "pendulums");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed)
      for (const Case& how : pendulums) {
        if (interrupted()) break;
        run(opt, seed, how, log, one_step);
        progress.show(++done);
      }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, headline(opt));
  });
}

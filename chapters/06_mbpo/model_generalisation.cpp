// How does a model's error grow when the policy moves away from the one that sampled the data? (slide "Empirical
// Analysis of d eps_m' / d eps_pi"). Learn a model from data of pi_D, measure its error along policies further and
// further away, for several amounts of data: the more data, the smaller the slope.
//
//   build/06_mbpo_model_generalisation            pendulum and random MDPs, 5 seeds: 12 s, 40 MB
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/04_pets/pets_options.h"  // ModelOptions, Ensemble
#include "chapters/06_mbpo/model_shift.h"
#include "chapters/06_mbpo/noisy_pendulum.h"
#include "plots/plot.h"  // Figure, draw

struct Options : ModelOptions {
  using ModelOptions::ModelOptions;
  static constexpr const char* about = "A model's error on policies away from its data (slide \"Empirical Analysis of "
                                       "d eps_m' / d eps_pi\")";
  std::vector<int> data = opt("data", std::vector<int>{250, 1000, 4000, 16000}, "real steps of pi_D that the model "
                              "learns from, ascending", range(10, 10000000));
  std::vector<double> shifts = opt("shifts", std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1}, "chance of a step by the "
                                   "other policy instead of pi_D", range(0, 1));
  double pumping = opt("pumping", 0.05, "pendulum: share of the other policy's steps in pi_D itself", range(0, 0.9));
  double noise_angle = opt("noise-angle", 0.1, "pendulum: standard deviation of the noise on the angle, rad", above(0));
  double noise_speed = opt("noise-speed", 0.5, "pendulum: the same on the speed, rad/s", above(0));
  double friction = opt("friction", 0.5, "pendulum: friction, 1/s", at_least(0));
  int trajectories = opt("trajectories", 100, "pendulum: of each policy, to measure the error on", at_least(1));
  int horizon = opt("horizon", 100, "pendulum: steps of an episode", at_least(2));
  int mdps = opt("mdps", 10, "random MDPs of a seed", at_least(1));
  double gamma = opt("gamma", 0.99, "gamma, discount", range(0.01, 0.999));
  static Preset smoke() {
    return {{"data", {50, 200}}, {"shifts", {0, 0.5, 1}}, {"epochs", 3}, {"hidden", 8}, {"members", 2},
            {"trajectories", 5}, {"horizon", 20}, {"mdps", 2}, {"seeds", 2}};
  }
  // Trap: no early stopping. It judges the squared error, here nearly all noise, and ends before the variances fit.
  static Preset lecture() { return {{"seeds", 5}, {"members", 3}, {"holdout", 0}, {"epochs", 50}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  void check() const {
    ensemble().check();
    if (!ensemble().probabilistic) throw BadInput("--model " + model + ": the distance of distributions wants P or PE");
    if (data.size() < 2 || std::adjacent_find(data.begin(), data.end(), std::greater_equal()) != data.end())
      throw BadInput("--data " + join(data, ",") + ": wanted at least two numbers, each larger than the last");
    if (shifts.size() < 2 || std::adjacent_find(shifts.begin(), shifts.end(), std::greater_equal()) != shifts.end())
      throw BadInput("--shifts " + join(shifts, ",") + ": wanted at least two numbers, each larger than the last");
  }
};

// The error on the steps of one policy, twice.
struct Error {
  double eps_pi, mse, tv;
};

// mse: of the ensemble's mean, in units of the variance of the data. tv: MBPO's model is the mixture of the members,
// D_TV(p || mixture) <= mean over members of D_TV(p || member) <= mean of sqrt(KL / 2), capped at 1; a mean over t in
// the place of max_t, which would pick the noise of the trajectories.
Error measure(const Ensemble& model, const Steps& at, double eps_pi) {
  Mat mu = Mat::Zero(2, at.x.cols());
  double tv = 0;
  for (const Member& f : model.members) {
    const Gaussian<Mat> y = f.predict(at.x);
    if (!y.mu.isFinite().all()) throw NotFinite("the model's prediction is not finite: another --lr or --epochs?");
    mu += y.mu / Real(model.members.size());
    tv += pinsker(kl(at.next, y)).mean() / double(model.members.size());
  }
  const Mat scaled = Mat(mu - at.next.mu).colwise() / model.members[0].head.target.std.col(0);
  return {eps_pi, double(scaled.square().mean()), tv};
}

// The rows of one model. The slopes, and the k that follows from the one of D_TV, come from one fit to all of them.
//(b6) the optimal k > 0 if d eps_m' / d eps_pi is sufficiently small
void log_errors(const Options& opt, const std::string& task, int seed, int n, const std::vector<Error>& errors,
                RunLog& log) {
  std::vector<double> eps_pi, mse, tv;
  for (const Error& e : errors) eps_pi.push_back(e.eps_pi), mse.push_back(e.mse), tv.push_back(e.tv);
  const Line line = fit_line(eps_pi, tv), of_mse = fit_line(eps_pi, mse);
  const auto cell = [](double x) { return std::isfinite(x) ? to_text(x) : ""; };
  for (const Error& e : errors)
    log.row(task, seed, n, e.eps_pi, cell(e.mse), e.tv, cell(of_mse.slope), line.at_0, line.slope,
            cell(suggested_k(line, e.eps_pi, opt.gamma)));
}

void run_pendulum(const Options& opt, int seed, RunLog& log, Progress& progress, long& done) {
  Rng rng(seed), test_rng = rng.split();
  const NoisyPendulum pendulum{opt.noise_angle, opt.noise_speed, opt.friction, opt.pumping, opt.horizon};
  std::vector<Steps> tests;
  for (const double shift : opt.shifts)
    tests.push_back(pendulum.steps(opt.trajectories * opt.horizon, shift, test_rng));
  const Steps D = pendulum.steps(opt.data.back(), 0, rng);  // the larger data begin with the smaller
  for (const int n : opt.data) {
    if (interrupted()) return;
    Rng fit_rng = rng;  // and the networks begin as the same ones
    Ensemble model(4, 2, opt.ensemble(), fit_rng);
    model.fit(D.x.leftCols(n), D.y.leftCols(n), fit_rng);
    std::vector<Error> errors;
    for (std::size_t i = 0; i < opt.shifts.size(); ++i)
      errors.push_back(measure(model, tests[i], pendulum.policy_shift(opt.shifts[i])));
    log_errors(opt, "pendulum", seed, n, errors, log);
    progress.show(++done, n);
  }
}

// pi_D prefers an action in each state, the other policy takes another one. Means over the MDPs of the seed.
void run_mdps(const Options& opt, int seed, RunLog& log) {
  Rng rng(seed);
  std::vector<std::vector<Error>> errors(
      opt.data.size(), std::vector<Error>(opt.shifts.size(), {0, std::numeric_limits<double>::quiet_NaN(), 0}));
  for (int i = 0; i < opt.mdps; ++i) {
    if (interrupted()) return;
    const int S = 20, A = 3;
    const FiniteMdp mdp = random_mdp(S, A, 3, opt.gamma, rng);
    std::vector<int> liked, other;
    for (int s = 0; s < S; ++s) liked.push_back(int(rng.below(A))), other.push_back((liked[s] + 1) % A);
    const Matrix pi_D = 0.8 * deterministic(liked, A) + Matrix::Constant(S, A, 0.2 / A);
    for (std::size_t d = 0; d < opt.data.size(); ++d) {
      const Kernel p_theta = estimate(count(mdp, pi_D, opt.data[d], rng), 0.5);
      for (std::size_t j = 0; j < opt.shifts.size(); ++j) {
        const Matrix pi = (1 - opt.shifts[j]) * pi_D + opt.shifts[j] * deterministic(other, A);
        errors[d][j].eps_pi += policy_shift(pi, pi_D) / opt.mdps;
        errors[d][j].tv += model_error(mdp, p_theta, pi) / opt.mdps;
      }
    }
  }
  for (std::size_t d = 0; d < opt.data.size(); ++d) log_errors(opt, "mdp", seed, opt.data[d], errors[d], log);
}

// ---- From the CSV file ----

constexpr Colour colours[] = {colour::vermillion, colour::orange, colour::green, colour::blue};

Panel plot_errors(const Options& opt, const Table& rows, const std::string& title, const std::string& column,
                  const std::string& words) {
  Panel panel{.title = title, .x_label = "ε_π = max_s D_TV(π || π_D)", .y_label = words, .x = {0, 1}};
  for (std::size_t i = 0; i < opt.data.size(); ++i)
    for (const Curve& c : curves(rows.where("env_steps", to_text(opt.data[i])), {"env"}, "eps_pi", column)) {
      panel.layers.push_back(curve("n = " + to_text(opt.data[i]), c.x, c.mean, c.low, c.high));
      panel.layers.back().colour = colours[i % 4];
    }
  return panel;
}

Panel plot_slopes(const Table& table, const std::string& column, const std::string& words) {
  Panel panel{.title = words + " against n", .x_label = "n, real steps of π_D", .y_label = words, .log_x = true};
  for (const Curve& c : curves(table, {"env"}, "env_steps", column))
    panel.layers.push_back(curve(c.label == "mdp" ? "random MDPs" : c.label, c.x, c.mean, c.low, c.high));
  return panel;
}

void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), pendulum = table.where("env", "pendulum");
  const Table mdps = table.where("env", "mdp");
  if (pendulum.rows.empty() || mdps.rows.empty()) return;
  Panel mse = plot_errors(opt, pendulum, "pendulum: squared error", "mse", "squared error / variance of the data");
  mse.y = {0, open_end};  // a band may reach below 0
  Panel mse_slope = plot_slopes(pendulum, "mse_slope", "d error / d ε_π");
  mse_slope.log_y = true, mse_slope.y = {1e-3, 1};
  for (Layer& layer : mse_slope.layers) layer.low = layer.high = layer.y;  // a band could not reach below 0
  Panel k = plot_errors(opt, mdps, "solid: random MDPs, dashed: pendulum", "k", "k that the bound suggests");
  for (Layer& layer : k.layers) layer.low = layer.high = layer.y;
  for (Layer layer : plot_errors(opt, pendulum, "", "k", "").layers) {
    k.layers.push_back(dashed("", layer.x, layer.y));
    k.layers.back().colour = layer.colour;
  }
  const Panel tv = plot_errors(opt, pendulum, "pendulum: sqrt(KL / 2) bounds D_TV", "tv", "sqrt(KL / 2), capped at 1");
  const Panel exact_tv = plot_errors(opt, mdps, "random MDPs: total variation", "tv", "ε_m' = max_t E[D_TV], exact");
  const Panel tv_slope = plot_slopes(table, "slope", "d ε_m' / d ε_π");
  draw({.width = 1250, .height = 900, .columns = 3, .panels = {mse, tv, exact_tv, mse_slope, tv_slope, k}},
       opt.path(".png"));
}

// One value per seed, of a model from n steps, at one of the shifts (a slope is the same at each).
std::vector<double> of_seeds(const Options& opt, const Table& table, const std::string& task, int n,
                             const std::string& column, std::size_t shift = 0) {
  const std::vector<double> all = table.where("env", task).where("env_steps", to_text(n)).numbers(column);
  std::vector<double> result;
  for (std::size_t i = shift; i < all.size(); i += opt.shifts.size()) result.push_back(all[i]);
  return result;
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const std::string slide = "Empirical Analysis of d eps_m' / d eps_pi";
  const int least = opt.data.front(), most = opt.data.back();
  const auto fall = [&](const std::string& task, const std::string& column, bool log) {
    std::vector<double> a = of_seeds(opt, table, task, least, column);
    const std::vector<double> b = of_seeds(opt, table, task, most, column);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = log ? std::log10(a[i] / b[i]) : a[i] - b[i];
    return a;
  };
  Claims claims(opt);
  const std::string pair = ", n = " + to_text(least) + " and " + to_text(most);
  claims.at_least("pendulum: slopes of the squared error, log10 of the ratio" + pair, slide,
                  fall("pendulum", "mse_slope", true), 0);
  claims.at_least("pendulum: slopes of sqrt(KL / 2), difference" + pair, slide, fall("pendulum", "slope", false), 0);
  claims.at_least("random MDPs: slopes of D_TV, difference" + pair, slide, fall("mdp", "slope", false), 0);
  for (const std::string task : {"pendulum", "mdp"})
    claims.at_least((task == "mdp" ? "random MDPs" : task) + ": k that the bound suggests at the smallest shift, n = " +
                        to_text(most), slide, of_seeds(opt, table, task, most, "k", 1), 1);
}

// "pendulum k = 0, 0, 12, 80": at the smallest shift above 0, the mean over seeds, one k per amount of data.
std::string suggestion(const Options& opt, const std::string& task) {
  const Table table = read_csv(opt.path(".csv"));
  std::vector<std::string> k;
  for (const int n : opt.data)
    k.push_back(to_text(std::lround(interval95(of_seeds(opt, table, task, n, "k", 1)).mean)));
  return task + " k = " + join(k, ", ");
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"env", "seed", "env_steps", "eps_pi", "mse", "tv", "mse_slope", "eps_m", "slope", "k"});
    Progress progress(opt, long(opt.data.size()) * opt.seeds, "data", "fits");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      run_mdps(opt, seed, log);
      run_pendulum(opt, seed, log, progress, done);
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, interrupted() ? "stopped after " + to_text(done) + " fits"
                              : "at the smallest shift and n = " + join(opt.data, ", ") + ": " +
                                    suggestion(opt, "pendulum") + "; " + suggestion(opt, "mdp"));
  });
}

// How wrong is the model after k steps? (slide "Model-free RL v.s. Model-based RL": "suffer from model compounding
// error"). Left: error of a k-step prediction against k, one curve per amount of data. Right: where the ensemble
// believes a trajectory to go, and where it goes.
//
//   build/04_pets_model_error            cartpole_swingup, 5 seeds: 2 s, 40 MB
#include <algorithm>
#include <cmath>
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/00_toolbox/statistics.h"   // quantile
#include "chapters/04_pets/pets.h"            // make_model, fit, random_trial
#include "plots/plot.h"  // Figure, draw

struct Options : ModelOptions {
  using ModelOptions::ModelOptions;
  static constexpr const char* about = "Error of a k-step prediction against k (slide \"Model-free RL v.s. Model-based "
                                       "RL\")";
  std::vector<int> data = opt("data", std::vector<int>{200, 1000, 5000}, "random real steps to learn from, a curve "
                              "each", at_least(10));
  int horizon      = opt("horizon", 50, "largest k, steps", at_least(2));
  int trajectories = opt("trajectories", 100, "fresh real trajectories to compare with", at_least(2));
  int particles    = opt("particles", 100, "P of the fan, a multiple of the members", at_least(1));
  int dimension    = opt("dimension", 1, "row of s that the fan shows, from 0", at_least(0));
  static std::vector<std::string> environments() { return env_names("cartpole_swingup"); }
  static std::vector<std::string> without() { return {"gif"}; }
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() { return {{"seeds", 2}, {"data", {50, 100}}, {"epochs", 3}, {"hidden", 8}, {"horizon", 5},
                                  {"trajectories", 5}, {"particles", 10}}; }
  void check() const {
    ensemble().check();
    check_particles(Propagation::TSinf, particles, ensemble().elites);
    if (const int dim = make_env(env)->state_dim; dimension >= dim)
      throw BadInput("--dimension " + to_text(dimension) + ": s of " + env + " has the rows 0 to " + to_text(dim - 1));
  }
};

// Real trajectories under random actions, side by side.
struct Reality {
  std::vector<Mat> s, a;  // s[k] (state_dim, trajectories), a[k] (action_dim, trajectories)
  Mat scale;              // (state_dim, 1), standard deviation of s over all of them
};
Reality observe(const Options& opt, const Env& env, Rng& rng) {
  Reality real;
  Sim sim(env.sim_dim(), opt.trajectories);
  for (int j = 0; j < opt.trajectories; ++j) sim.col(j) = env.start(rng).col(0);
  Normaliser all(env.state_dim);
  Mat together(env.state_dim, 0);
  for (int k = 0; k <= opt.horizon; ++k) {
    real.s.push_back(env.observe(sim)), real.a.push_back(rng.uniform(env.action_dim, opt.trajectories, -1, 1));
    together = append_cols(together, real.s.back());
    sim = env.simulate(sim, real.a.back());
  }
  all.fit(together);
  real.scale = all.std;
  return real;
}

Real quantile(const Mat& x, double q) {  // (1, n)
  return Real(quantile(std::vector<double>(x.data(), x.data() + x.size()), q));
}

// Squared error of the ensemble's mean prediction k steps ahead, in units of each dimension's variance: the median over
// trajectories, because few that hit the end of a rail would carry a mean. And of the first trajectory the particles.
void compare(const Options& opt, int seed, int data, const Env& env, const Ensemble& model, const Reality& real,
             Rng& rng, RunLog& log, RunLog& fan) {
  const Particles mean(model, env, Propagation::E, 1), bound(model, env, Propagation::TSinf, opt.particles);
  Mat s = real.s[0], s_p = repeat(s.leftCols(1), opt.particles);
  for (int k = 1; k <= opt.horizon && !interrupted(); ++k) {
    s = mean.step(s, real.a[k - 1], rng), s_p = bound.step(s_p, Mat(real.a[k - 1].leftCols(1)), rng);
    if (!s.isFinite().all() || !s_p.isFinite().all())
      throw NotFinite("after " + to_text(k) + " steps the predicted state is not finite: train longer");
    const Mat error = Mat((s - real.s[k]).colwise() / real.scale.col(0)).square().colwise().mean();
    const Mat x = s_p.row(opt.dimension);
    log.row(opt.model, opt.env, seed, data, k, quantile(error, 0.5));
    fan.row(seed, data, k, real.s[k](opt.dimension, 0), quantile(x, 0.5), quantile(x, 0.05), quantile(x, 0.95));
  }
}

// From the CSV files.
void plot(const Options& opt) {
  Panel error{.title = opt.env, .x_label = "k (steps)", .y_label = "squared error / variance of s, median",
              .log_y = true};
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"env_steps"}, "horizon", "mse"))
    error.layers.push_back(line(c.label + " real steps", c.x, c.mean));
  const Table table = read_csv(opt.path("_fan.csv")).where("seed", to_text(opt.seed));
  Panel fan{.title = "one trajectory: particles' median, middle 90 %", .x_label = "k (steps)",
            .y_label = "row " + to_text(opt.dimension) + " of s"};
  for (const int data : {opt.data.front(), opt.data.back()}) {
    const Table rows = table.where("env_steps", to_text(data));
    fan.layers.push_back(curve(to_text(data) + " real steps", rows.numbers("horizon"), rows.numbers("median"),
                               rows.numbers("low"), rows.numbers("high")));
    if (data != opt.data.front()) fan.layers.back().colour = colour::green;
  }
  const Table one = table.where("env_steps", to_text(opt.data.front()));
  fan.layers.push_back(dashed("reality", one.numbers("horizon"), one.numbers("real")));
  fan.layers.back().colour = colour::black;
  draw({.width = 1000, .height = 460, .panels = {error, fan}}, opt.path(".png"));
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto mse = [&](int data, int k) {
    return table.where("env_steps", to_text(data)).where("horizon", to_text(k)).numbers("mse");
  };
  const auto ratio = [](std::vector<double> a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::log10(a[i] / b[i]);
    return a;
  };
  const std::string slide = "Model-free RL v.s. Model-based RL", most = to_text(opt.data.back()) + " real steps";
  const int least = opt.data.front(), K = std::min(25, opt.horizon);
  Claims claims(opt);
  claims.at_least("log10 of the error after " + to_text(K) + " steps over that after 1, " + most, slide,
                  ratio(mse(opt.data.back(), K), mse(opt.data.back(), 1)), 1);
  claims.at_least("log10 of the one-step error, " + to_text(least) + " over " + most, slide,
                  ratio(mse(least, 1), mse(opt.data.back(), 1)), 0.3);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    Rng first(opt.seed);
    Ensemble model = make_model(*env, opt.ensemble(), first);
    if (!opt.load.empty()) load_networks(opt.load, model);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "horizon", "mse"});
    RunLog fan(opt, {"seed", "env_steps", "horizon", "real", "median", "low", "high"}, "_fan.csv");
    Progress progress(opt, long(opt.data.size()) * opt.seeds, "data", "fits");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      const Reality real = observe(opt, *env, rng);
      for (std::size_t i = 0; i < opt.data.size() && !interrupted(); ++i) {
        Rng start = rng;  // the same networks at first, and the larger data begin with the smaller
        model = make_model(*env, opt.ensemble(), start);
        if (!opt.load.empty()) load_networks(opt.load, model);
        Transitions D(env->state_dim, env->action_dim, opt.data[i]);
        random_trial(*env, opt.data[i], D, start);
        fit(model, *env, D, start);
        compare(opt, seed, opt.data[i], *env, model, real, start, log, fan);
        progress.show(++done, opt.data[i]);
      }
    }
    if (!opt.save.empty()) save_networks(opt.save, model, {{"program", opt.program}, {"env", opt.env}});
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, "a " + to_text(opt.horizon) + "-step prediction beside a one-step one, in " + opt.env);
  });
}

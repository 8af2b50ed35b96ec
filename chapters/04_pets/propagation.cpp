// Trajectory propagation (slide "PETS: Probabilistic Ensembles with Trajectory Sampling", the picture of that title):
// particles carried through the ensemble under one action sequence. TS1: a particle changes its bootstrap at every
// step; TSinf: it keeps the one it is bound to.
//
//   build/04_pets_propagation            cartpole_swingup, 300 random real steps, 10 seeds: 1 s, 20 MB
#include <algorithm>
#include <cmath>
#include <numeric>
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // interval95
#include "chapters/00_toolbox/progress.h"     // finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/04_pets/pets.h"            // make_model, fit, random_trial
#include "plots/plot.h"  // Figure, draw

struct Options : ModelOptions {
  using ModelOptions::ModelOptions;
  static constexpr const char* about = "Particles in the learned model (slide \"PETS: Probabilistic Ensembles with "
                                       "Trajectory Sampling\")";
  int data      = opt("data", 300, "random real steps to learn from", at_least(10));
  int particles = opt("particles", 20, "P, a multiple of the members", at_least(2));
  int horizon   = opt("horizon", 25, "T, steps", at_least(1));
  int dimension = opt("dimension", 1, "row of s that is drawn, from 0", at_least(0));
  static std::vector<std::string> environments() { return env_names("cartpole_swingup"); }
  static std::vector<std::string> without() { return {"gif"}; }
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"data", 50}, {"epochs", 3}, {"hidden", 8}, {"horizon", 5}}; }
  void check() const {
    ensemble().check();
    check_particles(Propagation::TSinf, particles, ensemble().elites);
    if (const int dim = make_env(env)->state_dim; dimension >= dim)
      throw BadInput("--dimension " + to_text(dimension) + ": s of " + env + " has the rows 0 to " + to_text(dim - 1));
  }
};

// The real trajectory and P particles from the same start under the same actions, which `world` draws. Returns the
// share of the particles' variance at the end that lies between bootstraps: that of their means.
// In TS1 no particle has a bootstrap of its own: the groups are those of the places, and the share is by chance.
Real propagate(const Options& opt, int seed, const Env& env, const Ensemble& model, Propagation mode, Rng world,
               Rng& rng, RunLog& log) {
  const int P = opt.particles, B = int(model.elites.size());
  const Particles particles(model, env, mode, P);
  Sim real = env.start(world);
  Mat s = repeat(env.observe(real), P);
  for (int t = 0; t <= opt.horizon; ++t) {
    std::vector<int> order(P);  // the particles, those of the first bootstrap first
    std::iota(order.begin(), order.end(), 0);
    if (mode == Propagation::TS1) {
      Rng same = rng;  // what step is about to draw
      order = permuted(1, P, same);
    }
    const Real truth = env.observe(real)(opt.dimension, 0);
    for (int i = 0; i < P; ++i)
      log.row(mode == Propagation::TS1 ? "TS1" : "TSinf", opt.env, seed, t, order[i], i * B / P,
              s(opt.dimension, order[i]), truth);
    if (t == opt.horizon) break;
    const Mat a = world.uniform(env.action_dim, 1, -1, 1);
    s = particles.step(s, a, rng), real = env.simulate(real, a);
  }
  const Mat x = s.row(opt.dimension);
  Real between = 0;
  for (int b = 0; b < B; ++b) between += std::pow(x.middleCols(b * P / B, P / B).mean() - x.mean(), 2) / Real(B);
  return between / (x - x.mean()).square().mean();
}

// From the CSV file, of the first seed: each particle's path, in the colour of the bootstrap that carries it on.
void plot(const Options& opt) {
  constexpr Colour colours[] = {colour::blue, colour::vermillion, colour::green, colour::purple, colour::orange};
  const Table table = read_csv(opt.path(".csv")).where("seed", to_text(opt.seed));
  Figure figure{.width = 1000, .height = 460};
  for (const std::string algo : {"TS1", "TSinf"}) {
    const Table rows = table.where("algo", algo);
    if (rows.rows.empty()) continue;
    Panel panel{.title = algo + (algo == "TS1" ? ": a new bootstrap at every step" : ": one bootstrap for all steps"),
                .x_label = "step", .y_label = opt.env + ", row " + to_text(opt.dimension) + " of s"};
    const int B = std::max(1, opt.ensemble().elites);
    std::vector<Layer> paths;
    for (int b = 0; b < B; ++b) {
      paths.push_back(line(b == 0 ? "particles, a colour for each bootstrap" : "", {}, {}));
      paths.back().colour = colours[b % 5], paths.back().width = 1;
    }
    for (int p = 0; p < opt.particles; ++p) {
      const Table path = rows.where("particle", to_text(p));
      const std::vector<double> t = path.numbers("step"), member = path.numbers("member"), x = path.numbers("value");
      for (std::size_t i = 0; i + 1 < t.size(); ++i) {
        Layer& layer = paths[int(member[i])];
        for (const double v : {t[i], t[i + 1], open_end}) layer.x.push_back(v);
        for (const double v : {x[i], x[i + 1], open_end}) layer.y.push_back(v);
      }
    }
    panel.layers = paths;
    const Table one = rows.where("particle", "0");
    panel.layers.push_back(dashed("real trajectory", one.numbers("step"), one.numbers("truth")));
    panel.layers.back().colour = colour::black;
    figure.panels.push_back(panel);
  }
  if (figure.panels.empty()) return;
  for (Panel& panel : figure.panels) {  // the same scale on both sides
    const std::vector<double> all = table.numbers("value");
    panel.y = {*std::min_element(all.begin(), all.end()), *std::max_element(all.begin(), all.end())};
  }
  draw(figure, opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    Rng first(opt.seed);
    Ensemble model = make_model(*env, opt.ensemble(), first);
    if (!opt.load.empty()) load_networks(opt.load, model);
    RunLog log(opt, {"algo", "env", "seed", "step", "particle", "member", "value", "truth"});
    std::vector<double> shares_TS1, shares_TSinf;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      model = make_model(*env, opt.ensemble(), rng);
      if (!opt.load.empty()) load_networks(opt.load, model);
      Transitions D(env->state_dim, env->action_dim, opt.data);
      random_trial(*env, opt.data, D, rng);
      fit(model, *env, D, rng);
      const Rng world = rng.split();
      shares_TS1.push_back(propagate(opt, seed, *env, model, Propagation::TS1, world, rng, log));
      shares_TSinf.push_back(propagate(opt, seed, *env, model, Propagation::TSinf, world, rng, log));
    }
    if (!opt.save.empty()) save_networks(opt.save, model, {{"program", opt.program}, {"env", opt.env}});
    if (!interrupted()) {
      Claims claims(opt);
      const double chance = (opt.ensemble().elites - 1.0) / (opt.particles - 1);  // particles in groups at random
      claims.at_least("share of the particles' variance that lies between bootstraps, TSinf; by chance " +
                          to_text(std::round(100 * chance) / 100),
                      "PETS: Probabilistic Ensembles with Trajectory Sampling", shares_TSinf, chance);
    }
    if (!opt.no_plot) plot(opt);
    const auto percent = [](const std::vector<double>& shares) {
      return to_text(std::round(100 * interval95(shares).mean)) + " % with ";
    };
    finish(opt, "variance between bootstraps: " + percent(shares_TSinf) + "TSinf, " + percent(shares_TS1) + "TS1");
  });
}

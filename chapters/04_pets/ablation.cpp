// What does the uncertainty buy? (slides on PETS: "probabilistic", "ensemble", "TS") The return of PETS's first trials
// with a deterministic network, a probabilistic one, ensembles of either, and three ways to propagate; on the task as
// it is, and with noise on planned actions.
//
//   build/04_pets_ablation               cartpole_swingup, 5 trials, 1 seed: 60 s, 40 MB
#include <algorithm>
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/04_pets/pets.h"
#include "plots/picture.h"  // frames, animate, Figure, draw

struct Options : PetsOptions {
  using PetsOptions::PetsOptions;
  static constexpr const char* about = "PETS without its parts (slides \"PETS: Probabilistic Ensembles with Trajectory "
                                       "Sampling\")";
  static std::vector<std::string> without() {
    return {"save", "load", "steps", "model", "propagation", "planner"};
  }
  Real noisy = opt("noisy", 0.3f, "the noise of the right half of the picture", at_least(0));
  int trials = opt("trials", 5, "trials after the random one", at_least(1));
  void check() const {
    PetsOptions::check();
    check_particles(Propagation::TSinf, particles, members);
    if (noise == noisy) throw BadInput("--noisy " + to_text(noisy) + ": wanted another noise than --noise");
  }
};

struct Variant {
  std::string name, model, propagation;
};
const std::vector<Variant> variants = {{"D", "D", "E"},      {"P", "P", "TSinf"},   {"DE", "DE", "TSinf"},
                                       {"PE-E", "PE", "E"},  {"PE-TS1", "PE", "TS1"}, {"PE-TSinf", "PE", "TSinf"}};

// The mean return of the first trials of one variant; a row each.
void run(Options opt, const Variant& variant, Real noise, int seed, RunLog& log, std::vector<Sim>& film) {
  opt.model = variant.model, opt.propagation = variant.propagation, opt.noise = noise;
  Rng rng(seed);
  const std::unique_ptr<Env> env = make_env(opt.env);
  Ensemble model = make_model(*env, opt.ensemble(), rng);
  Transitions D(env->state_dim, env->action_dim, (opt.trials + 1L) * opt.task_horizon(*env));
  random_trial(*env, opt.task_horizon(*env), D, rng);
  Cem planner(env->action_dim, opt.cem());
  for (int k = 1; k <= opt.trials && !interrupted(); ++k) {
    fit(model, *env, D, rng);
    const Real trial_return = planned_trial(opt, *env, model, planner, D, rng, film);
    if (!interrupted()) log.row(variant.name, opt.env, seed, D.size, trial_return, k, noise);
  }
}

// The mean over a variant's trials, seed by seed.
std::vector<double> means(const Options& opt, const Table& table, const std::string& variant, Real noise) {
  const Table rows = table.where("algo", variant).where("noise", to_text(noise));
  std::vector<double> all;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed)
    if (const std::vector<double> r = rows.where("seed", to_text(seed)).numbers("eval_return"); !r.empty())
      all.push_back(interval95(r).mean);
  return all;
}

// From the CSV file: return against trials, without and with noise.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1000, .height = 480};
  for (const Real noise : {opt.noise, opt.noisy}) {
    Panel panel{.title = opt.env + (noise > 0 ? ", noise " + to_text(noise) + " on actions" : ""), .x_label = "trial",
                .y_label = "return of a trial"};
    add_curves(panel, curves(table.where("noise", to_text(noise)), {"algo"}, "trial", "eval_return"));
    for (Layer& layer : panel.layers) layer.low = layer.high = layer.y;  // six bands would hide each other
    figure.panels.push_back(panel);
  }
  draw(figure, opt.path(".png"));
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  for (const Real noise : {opt.noise, opt.noisy})
    for (const Variant& variant : variants) {
      if (variant.name == "PE-TSinf") continue;
      std::vector<double> gain = means(opt, table, "PE-TSinf", noise);
      const std::vector<double> other = means(opt, table, variant.name, noise);
      if (gain.size() != other.size()) continue;
      for (std::size_t i = 0; i < gain.size(); ++i) gain[i] -= other[i];
      claims.at_least(opt.env + ", noise " + to_text(noise) + ": mean return of trials 1 to " + to_text(opt.trials) +
                          ", PE-TSinf minus " + variant.name,
                      "PETS: Probabilistic Ensembles with Trajectory Sampling", gain, 0);
    }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "trial", "noise"});
    Progress progress(opt, 2L * opt.seeds * long(variants.size()), "", "runs");
    std::vector<Sim> film;
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed)
      for (const Real noise : {opt.noise, opt.noisy})
        for (const Variant& variant : variants) {
          run(opt, variant, noise, seed, log, film);
          progress.show(++done);
        }
    if (opt.gif) animate(frames(*make_env(opt.env), film, "PE-TSinf"), opt.path(".gif"));
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    const Table table = read_csv(opt.path(".csv"));
    const auto mean = [&](const char* name) {
      return to_text(std::round(interval95(means(opt, table, name, opt.noise)).mean));
    };
    finish(opt, "trials 1 to " + to_text(opt.trials) + ": D " + mean("D") + ", PE-TSinf " + mean("PE-TSinf"));
  });
}

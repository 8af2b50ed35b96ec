// PETS: learn a probabilistic ensemble from every trial, act in the next one by planning in it (slides "PETS
// Algorithm", "PETS Experiments"). The picture: return of each trial against real steps, and what the same planner
// reaches in the true model.
//
//   build/04_pets                                      cartpole_swingup, 1 seed: 15 s, 40 MB
//   build/04_pets --env pendulum --seeds 5 --gif       2 min
//   build/04_pets --env half_cheetah_pets              15 min
#include <algorithm>
#include <numeric>
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/04_pets/pets.h"
#include "plots/picture.h"  // frames, animate, Figure, draw

struct Options : PetsOptions {
  using PetsOptions::PetsOptions;
  static constexpr const char* about = "PETS (slides \"PETS Algorithm\", \"PETS Experiments\")";
};

// One run of K trials; the last trial's states are left in `film`.
template <class Planner>
void run(const Options& opt, int seed, Planner& planner, Env& env, Ensemble& model, Rng& rng, RunLog& log,
         Progress& progress, std::vector<Sim>& film) {
  Transitions D(env.state_dim, env.action_dim, opt.steps);
  const auto row = [&](int k, Real trial_return, const std::string& holdout_mse, const std::string& epochs) {
    if (!interrupted()) log.row("pets", opt.env, seed, D.size, trial_return, k, holdout_mse, epochs);
    progress.show((seed - opt.seed) * long(opt.steps) + D.size, trial_return);
  };
  row(0, random_trial(env, opt.task_horizon(env), D, rng), "", "");                //(1) data D with a random controller
  for (int k = 1; D.size < opt.steps && !interrupted(); ++k) {      //(2) for trial k = 1 to K do
    fit(model, env, D, rng);                                        //(3) train a PE dynamics model given D
    const Real trial_return = planned_trial(opt, env, model, planner, D, rng, film);  // (4) to (10) in pets.h
    row(k, trial_return, to_text(model.holdout_mse[model.elites[0]]), to_text(model.epochs));
  }
}

// From the CSV file: the return of each trial, not the best so far; dashed the same planner in the true model.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel panel{.title = opt.env, .x_label = "real environment steps", .y_label = "return of a trial",
              .key = Key::bottom_right};
  const std::string name = "PETS (" + opt.model + "-" + opt.propagation + ", " + opt.planner + ")";
  for (const Curve& c : curves(table.where("algo", "pets"), {"env"}, "env_steps", "eval_return"))
    panel.layers.push_back(curve(name, c.x, c.mean, c.low, c.high));
  const std::vector<double> ceiling = table.where("algo", "true_model").numbers("eval_return");
  const double mean = interval95(ceiling).mean;
  if (!ceiling.empty())
    panel.layers.push_back(dashed("the same planner, true model", {0, double(opt.steps)}, {mean, mean}));
  draw({.panels = {panel}}, opt.path(".png"));
}

// The best or the mean of trials first to last, seed by seed.
std::vector<double> of_trials(const Options& opt, int first, int last, bool best) {
  const Table table = read_csv(opt.path(".csv")).where("algo", "pets");
  std::vector<double> values;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const std::vector<double> all = table.where("seed", to_text(seed)).numbers("eval_return");
    if (int(all.size()) <= last) continue;
    const auto begin = all.begin() + first, end = all.begin() + last + 1;
    values.push_back(best ? *std::max_element(begin, end) : std::accumulate(begin, end, 0.0) / (last - first + 1));
  }
  return values;
}

void claim(const Options& opt) {
  Claims claims(opt);
  const auto claimed = [&](const std::string& text, const std::vector<double>& x, double least) {
    if (!x.empty()) claims.at_least(opt.env + ": " + text, "PETS Experiments", x, least);
  };
  if (opt.env == "pendulum") {
    claimed("better one of trials 5 and 6", of_trials(opt, 5, 6, true), -300);
    claimed("best of trials 8 to 10", of_trials(opt, 8, 10, true), -200);
  }
  if (opt.env == "cartpole_swingup") {
    claimed("best of trials 1 to 6", of_trials(opt, 1, 6, true), 150);
    claimed("mean of trials 10 to 12", of_trials(opt, 10, 12, false), 165);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    Rng first(opt.seed);
    Ensemble model = make_model(*env, opt.ensemble(), first);
    if (!opt.load.empty()) load_networks(opt.load, model);  // a bad file is found before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "trial", "holdout_mse", "fit_epochs"});
    Progress progress(opt, long(opt.steps) * opt.seeds);
    std::vector<Sim> film;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      model = make_model(*env, opt.ensemble(), rng);
      if (!opt.load.empty()) load_networks(opt.load, model);
      with_planner(opt, env->action_dim, [&](auto planner) {
        Rng ceiling_rng = rng.split();
        const Real ceiling = control_episode(*env, opt.task_horizon(*env), 1, planner, ceiling_rng, film);
        if (!interrupted()) log.row("true_model", opt.env, seed, env->steps(), ceiling, 0, "", "");
        run(opt, seed, planner, *env, model, rng, log, progress, film);
      });
    }
    if (!opt.save.empty()) save_networks(opt.save, model, {{"program", opt.program}, {"env", opt.env}});
    if (opt.gif) animate(frames(*env, film, "PETS"), opt.path(".gif"));
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    const std::vector<double> returns = read_csv(opt.path(".csv")).where("algo", "pets").numbers("eval_return");
    finish(opt, returns.empty() ? "no trial was finished"
                                : opt.env + ": return " + to_text(std::round(returns.back())) + " in the last trial");
  });
}

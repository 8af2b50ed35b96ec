// PETS: learn a probabilistic ensemble from each trial, act in the next one by planning in it (slides "PETS:
// Probabilistic Ensembles with Trajectory Sampling", "PETS Algorithm", "PETS Experiments").
//
//   build/04_pets                                    cartpole_swingup, 1 seed: 30 s, 50 MB
//   build/04_pets --env pendulum --seeds 5
//   build/04_pets --env half_cheetah_pets            25 min
#include <numeric>
#include "chapters/00_toolbox/claims.h"            // Claims
#include "chapters/00_toolbox/curves.h"            // curves
#include "chapters/00_toolbox/errors.h"            // run_main, interrupted
#include "chapters/00_toolbox/progress.h"          // Progress, finish
#include "chapters/00_toolbox/run_log.h"           // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"       // save_networks, load_networks
#include "chapters/03_shooting/cem.h"              // Cem
#include "chapters/03_shooting/random_shooting.h"  // RandomShooting
#include "chapters/04_pets/pets.h"
#include "plots/picture.h"  // picture
#include "plots/plot.h"     // Figure, draw, animate

struct Options : PetsOptions {
  using PetsOptions::PetsOptions;
  static constexpr const char* about = "PETS (slides \"PETS Algorithm\", \"PETS Experiments\")";
};

// An episode with the true model, the ceiling of its planner.
template <class Planner> Real true_model_trial(const Options& opt, Planner planner, Env& env, Rng rng) {
  Real eval_return = 0;
  env.reset(rng);
  for (int t = 0; t < opt.task_horizon(env) && !interrupted(); ++t) {
    const Transition step = env.step(planner.act(TrueModel{env, env.sim}, rng));
    eval_return += step.r;
    if (step.terminated) break;
  }
  return eval_return;
}

// One run of K trials. Logs the return of each; the last trial's simulator states are left in `film`.
template <class Planner>
void run(const Options& opt, int seed, Planner planner, Env& env, Ensemble& model, RunLog& log, Progress& progress,
         std::vector<Sim>& film) {
  Rng rng(seed);
  Transitions D(env.state_dim, env.action_dim, opt.steps);
  const int task_horizon = opt.task_horizon(env);
  const std::string algo = "pets";

  Mat s = env.reset(rng);
  Real trial_return = 0;
  for (int t = 0; t < task_horizon && D.size < opt.steps; ++t) {                  //(1) random controller for one trial
    const Transition step = env.step(rng.uniform(env.action_dim, 1, -1, 1));
    D.add(step);
    trial_return += step.r;
    if (step.terminated) s = env.reset(rng);
  }
  log.row(algo, opt.env, seed, D.size, trial_return, 0, "", "");

  for (int k = 1; D.size < opt.steps && !interrupted(); ++k) {                    //(2) for trial k = 1 to K
    fit(model, env, D, rng);                                                      //(3) train a PE dynamics model given D
    const Particles particles(model, env, opt.mode(), opt.P());
    planner.reset(), film.clear();
    s = env.reset(rng), trial_return = 0;
    bool over = false;
    for (int t = 0; t < task_horizon && D.size < opt.steps && !over; ++t) {       //(4) for time t = 0 to TaskHorizon
      film.push_back(env.sim);
      const Mat a = planner.act(ModelReturn{particles, s, rng}, rng);             //(5) actions sampled ~ CEM; (8) update CEM
      const Transition step = env.step(a);                                        //(9) execute first action (only)
      D.add(step);                                                                //(10) record outcome
      s = step.s_next, trial_return += step.r, over = step.terminated || interrupted();
      progress.show((seed - opt.seed) * long(opt.steps) + D.size, trial_return);
    }
    log.row(algo, opt.env, seed, D.size, trial_return, k, model.holdout_mse[model.elites[0]], model.epochs);
    std::printf("%d %d %g\n", k, model.epochs, trial_return);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    const std::unique_ptr<Env> env = make_env(opt.env);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "trial", "holdout_mse", "epochs"});
    Progress progress(opt, long(opt.steps) * opt.seeds);
    std::vector<Sim> film;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      Ensemble model = make_model(*env, opt.ensemble(), rng);
      run(opt, seed, Cem(env->action_dim, opt.cem()), *env, model, log, progress, film);
    }
    finish(opt, "");
  });
}

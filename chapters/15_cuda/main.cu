// PETS with its planner on a device: the loop, the options and the CSV columns of chapter 04, so that both runs can be
// laid over each other. With --device cpu it is chapter 04's own run. The model is fitted on the CPU in both.
// Compiled with CUDA 13.0; not yet run on a device.
//
//   build/15_cuda                                                   cartpole_swingup, 1 seed
//   build/15_cuda --env half_cheetah_pets --preset paper            the published size
//   build/15_cuda --device cpu                                      the same on the CPU
#include <chrono>
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/04_pets/pets.h"            // PetsOptions, random_trial, planned_trial, with_planner
#include "chapters/15_cuda/planner.h"
#include "plots/picture.h"  // frames, animate, Figure, draw

namespace {

struct Options : PetsOptions {
  using PetsOptions::PetsOptions;
  static constexpr const char* about = "PETS on a device (slides \"PETS Algorithm\", \"PETS Experiments\")";
  std::string device = opt("device", "cuda", "where it plans: cuda or cpu", one_of({"cuda", "cpu"}));

  static std::vector<std::string> environments() {  // whose rewards a kernel knows
    return {CartpoleSwingupTask::name, HalfCheetahTask::name, CartpoleContinuousTask::name, PendulumTask::name};
  }
  void check() const {
    PetsOptions::check();
    if (device == "cpu") return;
    if (planner != "cem") throw BadInput("--planner " + planner + ": with --device cuda only cem");
    if (mode() != Propagation::TSinf)
      throw BadInput("--propagation " + propagation + ": with --device cuda only TSinf");
    if (int(hidden.size()) >= max_layers || *std::max_element(hidden.begin(), hidden.end()) > max_width)
      throw BadInput("--hidden: with --device cuda at most " + to_text(max_layers - 1) + " layers of at most " +
                     to_text(max_width));
  }
};

// The device's planner as chapter 04's loop calls one: the state is Q_hat's, the model was copied by set_model, the
// random numbers are its own.
template <class Task> struct OnDevice {
  DeviceCem<Task> cem;
  OnDevice(const Ensemble& model, const Options& opt, int seed) : cem(model, opt.cem(), opt.P(), seed) {}
  void set_model(const Ensemble& model) { cem.set_model(model); }
  void reset() { cem.reset(); }
  Mat act(const ModelReturn& Q_hat, Rng&) { return cem.act(Q_hat.s); }
};

struct Times {  // seconds for all fits and all planned trials, and how many actions were planned
  double fits = 0, trials = 0;
  long actions = 0;
};
template <class F> void add_seconds(double& to, F f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  to += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// One run of K trials, as in chapter 04; the last trial's states are left in `film`.
template <class Planner>
Times run(const Options& opt, int seed, Planner& planner, Env& env, Ensemble& model, Rng& rng, RunLog& log,
          Progress& progress, std::vector<Sim>& film) {
  Transitions D(env.state_dim, env.action_dim, opt.steps);
  Times times;
  const auto row = [&](int k, Real trial_return, const std::string& holdout_mse, const std::string& epochs) {
    if (!interrupted()) log.row("pets", opt.env, seed, D.size, trial_return, k, holdout_mse, epochs);
    progress.show((seed - opt.seed) * long(opt.steps) + D.size, trial_return);
  };
  row(0, random_trial(env, opt.task_horizon(env), D, rng), "", "");
  for (int k = 1; D.size < opt.steps && !interrupted(); ++k) {
    add_seconds(times.fits, [&] { fit(model, env, D, rng); });
    if constexpr (requires { planner.set_model(model); }) planner.set_model(model);
    Real trial_return = 0;
    times.actions -= D.size;
    add_seconds(times.trials, [&] { trial_return = planned_trial(opt, env, model, planner, D, rng, film); });
    times.actions += D.size;
    row(k, trial_return, to_text(model.holdout_mse[model.elites[0]]), to_text(model.epochs));
  }
  return times;
}

// From the CSV file: the return of each trial; dashed the CPU's planner in the true model.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel panel{.title = opt.env, .x_label = "real environment steps", .y_label = "return of a trial",
              .key = Key::bottom_right};
  for (const Curve& c : curves(table.where("algo", "pets"), {"env"}, "env_steps", "eval_return"))
    panel.layers.push_back(curve("PETS (" + opt.device + ")", c.x, c.mean, c.low, c.high));
  const std::vector<double> ceiling = table.where("algo", "true_model").numbers("eval_return");
  const double mean = interval95(ceiling).mean;
  if (!ceiling.empty())
    panel.layers.push_back(dashed("the same planner, true model", {0, double(opt.steps)}, {mean, mean}));
  draw({.panels = {panel}}, opt.path(".png"));
}

// Without training at first: what the same planner reaches in the true model, which is on the CPU.
void true_model(const Options& opt, int seed, Env& env, Rng rng, RunLog& log) {
  std::vector<Sim> film;
  with_planner(opt, env.action_dim, [&](auto planner) {
    const Real ceiling = control_episode(env, opt.task_horizon(env), 1, planner, rng, film);
    if (!interrupted()) log.row("true_model", opt.env, seed, env.steps(), ceiling, 0, "", "");
  });
}

Times run_seed(const Options& opt, int seed, Env& env, Ensemble& model, RunLog& log, Progress& progress,
               std::vector<Sim>& film) {
  Rng rng(seed);
  model = make_model(env, opt.ensemble(), rng);
  if (!opt.load.empty()) load_networks(opt.load, model);
  true_model(opt, seed, env, rng.split(), log);
  Times times;
  if (opt.device == "cpu") {
    with_planner(opt, env.action_dim, [&](auto planner) {
      times = run(opt, seed, planner, env, model, rng, log, progress, film);
    });
  } else {
    with_task(opt.env, [&](auto task) {
      OnDevice<decltype(task)> planner(model, opt, seed);
      times = run(opt, seed, planner, env, model, rng, log, progress, film);
    });
  }
  return times;
}

void run_all(const Options& opt) {
  const std::unique_ptr<Env> env = make_env(opt.env);
  Rng first(opt.seed);
  Ensemble model = make_model(*env, opt.ensemble(), first);
  if (!opt.load.empty()) load_networks(opt.load, model);  // a bad file is found before anything is written
  RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "trial", "holdout_mse", "fit_epochs"});
  Progress progress(opt, long(opt.steps) * opt.seeds);
  std::vector<Sim> film;
  Times times;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed)
    times = run_seed(opt, seed, *env, model, log, progress, film);
  if (!opt.save.empty()) save_networks(opt.save, model, {{"program", opt.program}, {"env", opt.env}});
  if (opt.gif) animate(frames(*env, film, "PETS"), opt.path(".gif"));
  if (!opt.no_plot) plot(opt);
  const std::vector<double> returns = read_csv(opt.path(".csv")).where("algo", "pets").numbers("eval_return");
  const double ms = 1e3 * times.trials / std::max(times.actions, 1L);
  finish(opt, returns.empty() ? "no trial was finished"
                              : opt.env + ": return " + to_text(std::round(returns.back())) + " in the last trial, " +
                                    to_text(std::round(100 * ms) / 100) + " ms an action, fits " +
                                    to_text(std::round(times.fits)) + " s");
}

}  // namespace

#ifdef __CUDACC__
int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    Device device;
    if (opt.device == "cpu" || find_device(device)) run_all(opt);
  });
}
#endif

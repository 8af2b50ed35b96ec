// SVG(inf) (slide "SVG Algorithm and Experiments"): the policy's gradient goes backwards through a learned model, along
// trajectories that really happened. The picture: return, the gradient's length, the model's error, the policy's noise.
//
//   build/12_svg                               pendulum, 1 seed: 7 s, 25 MB
//   build/12_svg --learned-reward --seeds 5
//   build/12_svg --model-hidden 8              a model that is too small for its gradients
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/05_model_free/evaluate.h"  // at_step, episode
#include "chapters/06_mbpo/claims.h"          // last_returns
#include "chapters/06_mbpo/mbpo.h"            // interact
#include "chapters/06_mbpo/training.h"        // check_learned
#include "chapters/12_svg/report.h"
#include "chapters/12_svg/svg_inf.h"
#include "chapters/12_svg/svg_recursion.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : WhiteboxOptions {
  using WhiteboxOptions::WhiteboxOptions;
  static constexpr const char* about = "SVG(inf) (slide \"SVG Algorithm and Experiments\")";
  int horizon   = opt("horizon", 200, "T, steps of a trajectory at most; it ends with its episode", at_least(1));
  Real std      = opt("std", SvgInfOptions{}.std, "sigma of the policy at the start", above(Policy::min_std));
  Real lr       = opt("lr", SvgInfOptions{}.lr, "Adam's step size for the policy", above(0));
  Real max_norm = opt("max-norm", SvgInfOptions{}.max_norm, "a longer v_theta is shortened to this", above(0));
  static Preset lecture() { return {{"steps", 40000}, {"gamma", SvgInfOptions{}.gamma}}; }
  static Preset smoke() {
    Preset preset = WhiteboxOptions::small();
    preset.insert({"horizon", 20});
    return preset;
  }
  static std::vector<std::string> without() { return {}; }
  SvgInfOptions svg_inf() const {
    return {.hidden = hidden, .std = std, .lr = lr, .gamma = gamma, .max_norm = max_norm};
  }
};

void evaluate(const Options& opt, SvgTraining& x, RunLog& log, Progress& progress) {
  const Evaluation e = evaluate(opt, x.agent.pi, *x.env_eval, x.eval_rng, [](const Mat&) { return 0.0; });
  log.row("svg_inf", opt.env, x.seed, x.step, e.eval_return, x.norm, x.agent.f_hat.holdout_mse(), x.agent.pi.std());
  progress.show(x.step + long(x.seed - opt.seed) * opt.steps, e.eval_return);
}

void run(const Options& opt, SvgTraining& x, RunLog& log, Progress& progress, Checkpoint& checkpoint) {
  const auto act = [&](const Mat& s, Rng& rng) { return x.agent.pi.sample(s, rng.normal(x.env->action_dim, 1)); };
  while (x.step < opt.steps && !interrupted()) {                            //(2) for trajectory = 0 to infinity do
    Transitions trajectory(x.env->state_dim, x.env->action_dim, opt.horizon);
    bool over = false;
    for (int t = 0; t < opt.horizon && !over && x.step < opt.steps; ++t) {  //(3) for t = 0 to T do
      const Transition step = interact(*x.env, act, x.rng);                 //(4) a = pi(s, eta; theta), eta ~ rho(eta)
      x.D.add(step), trajectory.add(step), ++x.step;                        //(5) Insert (s, a, r, s') into D
      over = step.terminated || step.truncated;
      progress.show(x.step + long(x.seed - opt.seed) * opt.steps);
      if (opt.eval_every > 0 && x.step % opt.eval_every == 0) evaluate(opt, x, log, progress);
    }                                                                       //(6) end for
    at_step(x.step, [&] {
      x.agent.f_hat.fit(x.D.all(), x.rng);                                  //(7) Train generative model f_hat using D
      const Jacobian v_theta = svg_recursion(x.agent.pi, x.agent.f_hat, trajectory, opt.gamma);  // (8) to (14)
      x.norm = ascend(x.agent.pi_opt, params(x.agent.pi), v_theta, opt.max_norm);  //(15) gradient-based update
    });
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }                                                                         //(16) until --steps
}

// From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel gradient = panel_of(table, "the gradient, before it is shortened", "norm of v_theta", {{"grad_norm", ""}},
                            false);
  Panel model = panel_of(table, "the model", "holdout error, in variances", {{"holdout_mse", ""}}, false);
  gradient.log_y = model.log_y = true;
  draw({.width = 1000, .height = 720, .columns = 2,
        .panels = {panel_of(table, opt.env + ", SVG(inf)", "return", {{"eval_return", ""}}), gradient, model,
                   panel_of(table, "the policy's noise", "sigma, in half ranges of a", {{"std", ""}})}},
       opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<SvgTraining> x;
    const auto start = [&](int seed) {
      x = std::make_unique<SvgTraining>(opt, opt.svg_inf(), seed);
      if (opt.load.empty()) return;
      load_networks(opt.load, x->agent);
      check_learned(x->agent, {&x->agent.f_hat.net});
    };
    start(opt.seed);  // a file that does not fit is refused before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "grad_norm", "holdout_mse", "std"});
    Progress progress(opt, long(opt.steps) * opt.seeds);
    Checkpoint checkpoint(opt, {&log});
    checkpoint.resume(*x);
    for (int seed = x->seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      if (seed != x->seed) start(seed);
      run(opt, *x, log, progress, checkpoint);
    }
    if (!opt.save.empty()) save_networks(opt.save, x->agent, {{"program", opt.program}, {"env", opt.env}});
    const auto action = [&](const Mat& s) { return x->agent.pi.mean(s); };
    if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), "SVG(inf)"),
                         opt.path(".gif"));
    if (!interrupted())
      claim_late_return(opt, "SVG(inf)", "SVG Algorithm and Experiments", read_csv(opt.path(".csv")), 36000, 40000);
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, [](const std::string&) { return std::string("SVG(inf)"); }));
  });
}

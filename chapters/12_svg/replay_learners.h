// What DDPG, SVG(0) and SVG(1) share: one seed after another, and what is left at the end. The loops are their own.
#pragma once
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/05_model_free/evaluate.h"  // episode
#include "chapters/06_mbpo/claims.h"          // last_returns
#include "chapters/12_svg/dpg.h"              // DpgOptions
#include "chapters/12_svg/report.h"           // claim_late_return
#include "plots/picture.h"                    // frames
#include "plots/plot.h"                       // animate

// Of the two that have a critic and no model.
struct ActorCriticOptions : LearnerOptions {
  using LearnerOptions::LearnerOptions;
  int random_steps  = opt("random-steps", 1000, "uniform random steps before the first update", at_least(1));
  std::vector<int> critic_hidden = opt("critic-hidden", DpgOptions{}.critic, "hidden layers of the critic",
                                       at_least(1));
  Real lr        = opt("lr", DpgOptions{}.actor_lr, "Adam's step size for the actor", above(0));
  Real critic_lr = opt("critic-lr", DpgOptions{}.critic_lr, "the same for the critic", above(0));
  Real tau       = opt("tau", DpgOptions{}.tau, "tau, step of the lagged copies", range(1e-6, 1));
  int batch      = opt("batch", 64, "transitions of an update", at_least(1));
  static Preset smoke() {
    Preset preset = LearnerOptions::small();
    preset.insert({{"random-steps", 100}, {"critic-hidden", {8, 8}}, {"batch", 16}});
    return preset;
  }
  DpgOptions dpg() const {
    return {.actor = hidden, .critic = critic_hidden, .actor_lr = lr, .critic_lr = critic_lr, .gamma = gamma,
            .tau = tau};
  }
};

// start(rng) returns a new agent, a unique_ptr, loaded if --load says so; run(opt, seed, agent, rng, log, progress) is
// the program's loop, plot(opt) its picture. `name`: of the algorithm, `slide`: of its claim.
template <class Options, class Start, class Run, class Plot>
void learn_seeds(const Options& opt, const std::string& name, const std::string& slide,
                 const std::vector<std::string>& columns, Start start, Run run, Plot plot) {
  Rng first(opt.seed);
  auto agent = start(first);  // a file that does not fit is refused before anything is written
  RunLog log(opt, columns);
  Progress progress(opt, long(opt.steps) * opt.seeds);
  for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
    Rng rng(seed);
    agent = start(rng);
    run(opt, seed, *agent, rng, log, progress);
  }
  if (!opt.save.empty()) save_networks(opt.save, *agent, {{"program", opt.program}, {"env", opt.env}});
  if (opt.gif) {
    const std::unique_ptr<Env> env = make_env(opt.env);
    const auto action = [&](const Mat& s) { return agent->pi.mean(s); };
    animate(frames(*env, episode(*env, Rng(opt.seed), 300, action), name), opt.path(".gif"));
  }
  if (!interrupted()) claim_late_return(opt, name, slide, read_csv(opt.path(".csv")), 16000, 20000);
  if (!opt.no_plot) plot(opt);
  finish(opt, last_returns(opt, [&](const std::string&) { return name; }));
}

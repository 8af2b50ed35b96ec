// What a program of MBPO writes while it trains, and the training of one seed after another.
#pragma once
#include "chapters/00_toolbox/checkpoint.h"  // Checkpoint
#include "chapters/00_toolbox/progress.h"  // Progress
#include "chapters/00_toolbox/run_log.h"   // RunLog
#include "chapters/06_mbpo/training.h"

struct Logs {
  RunLog rows, seconds;
  Progress progress;

  explicit Logs(const MbpoOptions& opt)
      : rows(opt, {"algo", "env", "seed", "env_steps", "eval_return", "k", "G", "real_ratio", "holdout_mse",
                   "fit_epochs", "model_size", "value", "discounted_return", "Q", "Q_loss", "entropy", "alpha"}),
        seconds(opt, {"env", "seed", "env_steps", "seconds"}, "_seconds.csv"),
        progress(opt, long(opt.steps) * opt.seeds) {}
};

// An evaluation and its rows; `numbers`: of the last update.
inline void evaluate(const MbpoOptions& opt, Training& x, int k, const SacNumbers& numbers, Logs& logs) {
  const Evaluation e = evaluate(opt, x);
  logs.rows.row(opt.uses_model() ? "mbpo" : "sac", opt.env, x.seed, x.step, e.eval_return, k, opt.updates,
                opt.real_ratio, x.model.holdout_mse(), x.model.p.epochs, long(x.D_model.size), e.value,
                e.discounted_return, numbers.Q, numbers.Q_loss, numbers.entropy, x.agent.alpha());
  logs.seconds.row(opt.env, x.seed, x.step, x.watch.seconds);
  logs.progress.show(x.step + long(x.seed - opt.seed) * opt.steps, e.eval_return);
}

// run(x, logs, checkpoint) for each seed's training, from where --load or --resume says. Returns the last one. Throws
// as load_learned and Checkpoint::resume; before --load's file is found to fit, nothing is written.
template <class Run> std::unique_ptr<Training> train_seeds(const MbpoOptions& opt, const Run& run) {
  std::unique_ptr<Training> x;
  const auto start = [&](int seed) {
    x = std::make_unique<Training>(opt, seed);
    if (!opt.load.empty()) load_learned(opt.load, *x);
  };
  start(opt.seed);
  Logs logs(opt);
  Checkpoint checkpoint(opt, {&logs.rows, &logs.seconds});
  checkpoint.resume(*x);
  for (int seed = x->seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
    if (seed != x->seed) start(seed);
    run(*x, logs, checkpoint);
  }
  return x;
}

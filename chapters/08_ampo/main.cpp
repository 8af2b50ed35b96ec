// AMPO (slide "Overall Algorithm"): MBPO whose model is adapted once an epoch, after its training and its rollout, so
// that its features of simulated inputs look like those of real ones. It is trained again before the next rollout: what
// the policy learns from is an adapted extractor that has been trained further. The picture: return against real steps,
// the distance of the features, the model's error, what the critics promise.
//
//   build/08_ampo                            pendulum, 1 seed: 43 s, 35 MB
//   build/08_ampo --compare --seeds 5        with W1, with MMD, and MBPO
//   build/08_ampo --env hopper --preset paper --steps 40000 --checkpoint hopper.state
#include "chapters/00_toolbox/progress.h"      // Progress, finish
#include "chapters/00_toolbox/run_log.h"       // RunLog, read_csv
#include "chapters/00_toolbox/several.h"       // run_several
#include "chapters/05_model_free/evaluate.h"   // evaluate, at_step
#include "chapters/08_ampo/report.h"           // plot, claim, name_of
#include "chapters/08_ampo/training.h"
#include "plots/picture.h"  // frames

struct Options : AmpoOptions {
  using AmpoOptions::AmpoOptions;
  static constexpr const char* about = "AMPO (slide \"Overall Algorithm\")";
};

struct Logs {
  RunLog rows, seconds;
  Progress progress;
};

void evaluate(const AmpoOptions& opt, AmpoTraining& x, int k, long done, Logs& logs) {
  const Evaluation e = evaluate(opt, x);
  logs.rows.row(x.algo, opt.env, x.seed, x.step, e.eval_return, k, opt.updates, x.model.holdout_mse(),
                x.mmd2_before, x.mmd2_after, e.value, e.discounted_return, x.agent.alpha());
  logs.seconds.row(x.algo, opt.env, x.seed, x.step, x.watch.seconds);
  logs.progress.show(done + x.step, e.eval_return);
}

// One algorithm, one seed. opt: its own, as AmpoOptions::with makes them.
void run(const AmpoOptions& opt, AmpoTraining& x, long done, Logs& logs, Checkpoint& checkpoint) {
  act_at_random(x, opt.random_steps);

  while (x.step < opt.steps && !interrupted()) {                                        //(2) repeat
    //(3*) Of E steps the first comes after the model's training, as in chapter 06.
    const int k = rollout_length(x.step, opt.rollout_length), G_2 = rollout_length(x.step, opt.adapt_steps);
    resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * k);
    for (int t = 0; t < opt.epoch_steps && x.step < opt.steps && !interrupted(); ++t)   //(4) every E real steps
      at_step(x.step, [&] {
        if (t == 0) train_model(x);                                                     //(5) train on D_e
        x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng)), ++x.step;
        if (t % opt.rollout_every == 0)                                                 //(6*) for F rollouts
          rollout(x.model, x.agent.pi, x.D_env, opt.rollouts,                           //(7) s uniformly from D_e
                  k, x.D_model, x.rng);                                                 //(8) k steps of pi, to D_m
                                                                                        //(9) end for
        if (t == 0 && x.step <= opt.adapt_until) adapt_model(x, G_2);                   //(10*) G_2 steps, L_WD
                                                                                        //(11) end if
        improve_policy(x.agent, x.D_env, x.D_model, opt.updates, opt.batch,             //(12) G_3 steps of SAC
                       opt.real_ratio, x.rng);
        logs.progress.show(done + x.step);
        if (opt.eval_every > 0 && x.step % opt.eval_every == 0 && !interrupted()) evaluate(opt, x, k, done, logs);
      });
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }                                                                                     //(13) until --steps
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<AmpoTraining> x;
    const auto start = [&](int seed, const std::string& algo) {
      x = std::make_unique<AmpoTraining>(opt.with(algo), algo, seed);
      if (!opt.load.empty()) load_learned(opt.load, *x);
    };
    const std::vector<std::string> algos = opt.algos();
    start(opt.seed, algos[0]);  // a file that does not fit is refused before anything is written
    Logs logs{RunLog(opt, {"algo", "env", "seed", "env_steps", "eval_return", "k", "G", "holdout_mse", "mmd2_before",
                           "mmd2_after", "value", "discounted_return", "alpha"}),
              RunLog(opt, {"algo", "env", "seed", "env_steps", "seconds"}, "_seconds.csv"),
              Progress(opt, long(opt.steps) * opt.seeds * long(algos.size()))};
    Checkpoint checkpoint(opt, {&logs.rows, &logs.seconds});
    checkpoint.resume(*x);
    run_several(opt, algos, x, start, [&](const std::string& algo, long i) {
      run(opt.with(algo), *x, i * opt.steps, logs, checkpoint);
    });
    if (!opt.save.empty()) save_learned(opt, *x);
    const auto action = [&](const Mat& s) { return x->agent.pi.mean_action(s); };
    if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), name_of(x->algo)),
                         opt.path(".gif"));
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, name_of));
  });
}

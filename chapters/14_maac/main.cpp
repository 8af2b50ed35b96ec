// MAAC (slide "MAAC Algorithm"): the policy climbs the gradient of H steps in the model and a critic at the end. The
// picture: return against real steps, the norm of that gradient.
//
//   build/14_maac                                pendulum, H = 3, 1 seed: 19 s, 25 MB
//   build/14_maac --horizon 0,1,3,5,10 --seeds 5
//   build/14_maac --env cartpole_swingup --compare --seeds 5    beside MBPO and SAC
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/several.h"      // run_several
#include "chapters/05_model_free/evaluate.h"  // evaluate, at_step
#include "chapters/14_maac/report.h"          // plot, claim, name_of
#include "chapters/14_maac/training.h"
#include "plots/picture.h"  // frames

struct Options : MaacOptions {
  using MaacOptions::MaacOptions;
  static constexpr const char* about = "MAAC (slide \"MAAC Algorithm\")";
};

struct Logs {
  RunLog rows, seconds;
  Progress progress;
};

void evaluate(const MaacOptions& opt, MaacTraining& x, long done, Logs& logs) {
  const Evaluation e = evaluate(opt, x);
  logs.rows.row(x.algo, opt.env, x.seed, x.step, e.eval_return, opt.updates, x.model.holdout_mse(), e.value,
                e.discounted_return, x.numbers.J, x.numbers.grad_norm, x.numbers.entropy, x.numbers.Q_loss,
                x.agent.alpha());
  logs.seconds.row(x.algo, opt.env, x.seed, x.step, x.watch.seconds);
  logs.progress.show(done + x.step, e.eval_return);
}

// One algorithm, one seed. opt: its own, as MaacOptions::with makes them.
void run(const MaacOptions& opt, MaacTraining& x, long done, Logs& logs, Checkpoint& checkpoint) {
  const bool maac = x.algo.starts_with("maac");
  act_at_random(x, opt.random_steps);

  while (x.step < opt.steps && !interrupted()) {                                       //(2) repeat
    const long t = (x.step - opt.random_steps) % opt.epoch_steps;
    at_step(x.step, [&] {
      x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng)), ++x.step;              //(3*) a step of pi, to D_env
      if (t == 0 && opt.uses_model())                                                  //(4*) every E steps: as often as
        train_model(x.model, x.D_env, x.rng);                                          //(5) phi, down J_f on D_env
                                                                                       //(6) the holdout loss falls
      if (t % opt.rollout_every == 0 && opt.uses_model()) {
        const int k = rollout_length(x.step, opt.rollout_length);
        resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * k);
        rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, k, x.D_model, x.rng);      //(7*) T from f_hat, to D_model
      }
      if (maac) x.numbers = improve(x.agent, x.model, x.D_env, x.D_model, opt.maac_updates(), x.memory, x.rng);
      else improve_policy(x.agent, x.D_env, x.D_model, opt.updates, opt.batch, opt.real_ratio, x.rng);
      logs.progress.show(done + x.step);
      if (opt.eval_every > 0 && x.step % opt.eval_every == 0 && !interrupted()) evaluate(opt, x, done, logs);
    });
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }                                                                                    //(13) until --steps
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<MaacTraining> x;
    const auto start = [&](int seed, const std::string& algo) {
      x = std::make_unique<MaacTraining>(opt.with(algo), algo, seed);
      if (!opt.load.empty()) load_learned(opt.load, *x);
    };
    const std::vector<std::string> algos = opt.algos();
    start(opt.seed, algos[0]);  // a file that does not fit is refused before anything is written
    Logs logs{RunLog(opt, {"algo", "env", "seed", "env_steps", "eval_return", "G", "holdout_mse", "value",
                           "discounted_return", "J", "grad_norm", "entropy", "Q_loss", "alpha"}),
              RunLog(opt, {"algo", "env", "seed", "env_steps", "seconds"}, "_seconds.csv"),
              Progress(opt, long(opt.steps) * opt.seeds * long(algos.size()))};
    Checkpoint checkpoint(opt, {&logs.rows, &logs.seconds});
    checkpoint.resume(*x);
    run_several(opt, algos, x, start, [&](const std::string& algo, long i) {
      run(opt.with(algo), *x, i * opt.steps, logs, checkpoint);
    });
    if (!opt.save.empty()) save_learned(opt, *x);                                      //(14) return theta
    const auto action = [&](const Mat& s) { return x->agent.pi.mean_action(s); };
    if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), name_of(x->algo)),
                         opt.path(".gif"));
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, name_of));
  });
}

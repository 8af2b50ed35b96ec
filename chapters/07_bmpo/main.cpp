// BMPO (slide "Overall Algorithm of BMPO"): MBPO with rollouts in both directions, from states of high value, and with
// MPC in the real environment. The picture: return against real steps, where rollouts begin, both models' error, what
// the critics promise; with --ablation the areas under the curves.
//
//   build/07_bmpo                            pendulum, 1 seed: 43 s, 25 MB
//   build/07_bmpo --ablation                 and without each of its three parts, and MBPO
//   build/07_bmpo --env hopper --preset paper --steps 20000 --checkpoint hopper.state
#include "chapters/00_toolbox/progress.h"      // Progress, finish
#include "chapters/00_toolbox/run_log.h"       // RunLog, read_csv
#include "chapters/00_toolbox/several.h"       // run_several
#include "chapters/05_model_free/evaluate.h"   // evaluate, at_step
#include "chapters/07_bmpo/report.h"           // plot, claim
#include "chapters/07_bmpo/training.h"
#include "plots/picture.h"  // frames

struct Options : BmpoOptions {
  using BmpoOptions::BmpoOptions;
  static constexpr const char* about = "BMPO (slide \"Overall Algorithm of BMPO\")";
};

struct Logs {
  RunLog rows, seconds;
  Progress progress;
};

void evaluate(const BmpoOptions& opt, BmpoTraining& x, int k1, int k2, double beta, long done, Logs& logs) {
  const Evaluation e = evaluate(opt, x);
  logs.rows.row(x.algo, opt.env, x.seed, x.step, e.eval_return, k1, k2, beta, opt.mpc_horizon, opt.updates,
                x.model.holdout_mse(), x.model_back.holdout_mse(), x.V_all, x.V_start, e.value, e.discounted_return,
                x.agent.alpha());
  logs.seconds.row(x.algo, opt.env, x.seed, x.step, x.watch.seconds);
  logs.progress.show(done + x.step, e.eval_return);
}

// One algorithm, one seed. opt: its own, as BmpoOptions::with makes them.
void run(const BmpoOptions& opt, BmpoTraining& x, long done, Logs& logs, Checkpoint& checkpoint) {
  const auto planned = [&](const Mat& s, Rng& rng) {
    return opt.mpc_horizon == 0 ? acting(x.agent.pi)(s, rng)
                                : mpc(x.model, x.agent, s, opt.mpc_actions, opt.mpc_horizon, opt.gamma, rng);
  };
  act_at_random(x, opt.random_steps);

  while (x.step < opt.steps && !interrupted()) {
    const int k1 = opt.k1(x.step), k2 = opt.k2(x.step);
    const double beta = schedule(x.step, opt.beta);
    at_step(x.step, [&] {
      train_model(x.model, x.D_env, x.rng);                                      // p(s'|s, a) and q(s|s', a)
      if (k1 > 0) train_model(x.model_back, x.D_env, x.rng);
    });
    resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * (k1 + k2));

    for (int t = 0; t < opt.epoch_steps && x.step < opt.steps && !interrupted(); ++t)
      at_step(x.step, [&] {
        const Transition real = interact(*x.env, planned, x.rng);                //(1) MPC-based action selection
        x.D_env.add(real);                                                       //(2) stored in D_env
        ++x.step;
        if (k1 > 0) x.pi_back.learn(sample_newest(x.D_env, opt.recent, opt.batch, x.rng), x.rng);
        if (t % opt.rollout_every == 0) {                                        //(3*) not in each step
          const Starts from = start_states(x.agent, x.D_env, opt.rollouts, beta, x.rng);
          bidirectional_rollout(x.model, x.agent.pi, x.model_back, x.pi_back, from.s, k1, k2, x.D_model, x.rng);
          x.V_all = from.V_all, x.V_start = from.V;
        }
        improve_policy(x.agent, x.D_env, x.D_model, opt.updates, opt.batch,      //(4*) SAC, on D_model and real data
                       opt.real_ratio, x.rng);
        logs.progress.show(done + x.step);
        if (opt.eval_every > 0 && x.step % opt.eval_every == 0 && !interrupted())
          evaluate(opt, x, k1, k2, beta, done, logs);
      });
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<BmpoTraining> x;
    const auto start = [&](int seed, const std::string& algo) {
      x = std::make_unique<BmpoTraining>(opt.with(algo), algo, seed);
      if (!opt.load.empty()) load_learned(opt.load, *x);
    };
    const std::vector<std::string> algos = opt.algos();
    start(opt.seed, algos[0]);  // a file that does not fit is refused before anything is written
    Logs logs{RunLog(opt, {"algo", "env", "seed", "env_steps", "eval_return", "k1", "k2", "beta", "H", "G",
                           "holdout_mse", "holdout_mse_back", "V_all", "V_start", "value", "discounted_return",
                           "alpha"}),
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

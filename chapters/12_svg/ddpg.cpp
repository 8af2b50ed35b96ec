// DDPG (slide "Deterministic Policy Gradient"): the theorem with a learned critic and a replay buffer. The picture:
// return against real steps, and what the critic promises.
//
//   build/12_svg_ddpg                          pendulum, 20000 steps, 1 seed: 2 s, 25 MB
//   build/12_svg_ddpg --noise 0.5 --seeds 5
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/05_model_free/evaluate.h"  // at_step, episode
#include "chapters/06_mbpo/claims.h"          // last_returns
#include "chapters/06_mbpo/mbpo.h"            // interact, uniform_action
#include "chapters/12_svg/dpg.h"
#include "chapters/12_svg/report.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : LearnerOptions {
  using LearnerOptions::LearnerOptions;
  static constexpr const char* about = "DDPG (slide \"Deterministic Policy Gradient\")";
  int random_steps  = opt("random-steps", 1000, "uniform random steps before the first update", at_least(1));
  std::vector<int> critic = opt("critic", DpgOptions{}.critic, "hidden layers of the critic", at_least(1));
  Real noise     = opt("noise", 0.01f, "standard deviation of what is added to an action, in half ranges", at_least(0));
  Real lr        = opt("lr", DpgOptions{}.actor_lr, "Adam's step size for the actor", above(0));
  Real critic_lr = opt("critic-lr", DpgOptions{}.critic_lr, "the same for the critic", above(0));
  Real tau       = opt("tau", DpgOptions{}.tau, "tau, step of the lagged copies", range(1e-6, 1));
  int batch      = opt("batch", 64, "transitions of an update", at_least(1));
  static Preset lecture() { return {{"hidden", 64}}; }
  static Preset smoke() {
    Preset preset = LearnerOptions::small();
    preset.insert({{"random-steps", 100}, {"critic", {8, 8}}, {"batch", 16}});
    return preset;
  }
  DpgOptions dpg() const {
    return {.actor = hidden, .critic = critic, .actor_lr = lr, .critic_lr = critic_lr, .gamma = gamma, .tau = tau};
  }
};

void run(const Options& opt, int seed, ActorCritic& agent, Rng& rng, RunLog& log, Progress& progress) {
  Rng eval_rng = rng.split();
  const std::unique_ptr<Env> env = make_env(opt.env), env_eval = make_env(opt.env);
  Transitions D(env->state_dim, env->action_dim, opt.capacity);
  Batch batch;
  Real loss = 0;
  env->reset(rng);
  const auto uniform = [&](const Mat&, Rng& rng) { return uniform_action(env->action_dim, rng); };
  const auto act = [&](const Mat& s, Rng& rng) -> Mat {
    return agent.pi.mean(s) + opt.noise * rng.normal(env->action_dim, 1);
  };
  for (int t = 1; t <= opt.steps && !interrupted(); ++t) {
    D.add(t <= opt.random_steps ? interact(*env, uniform, rng) : interact(*env, act, rng));
    if (t >= opt.random_steps) at_step(t, [&] { D.sample(opt.batch, rng, batch), loss = ddpg_update(agent, batch); });
    progress.show(long(seed - opt.seed) * opt.steps + t);
    if (opt.eval_every == 0 || t % opt.eval_every != 0) continue;
    const Evaluation e = evaluate(opt, agent.pi, *env_eval, eval_rng,
                                  [&](const Mat& s) { return agent.Q(concat(s, agent.pi.mean(s)))(0, 0); });
    log.row("ddpg", opt.env, seed, t, e.eval_return, e.value, e.discounted_return, loss);
    progress.show(long(seed - opt.seed) * opt.steps + t, e.eval_return);
  }
}

// From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  draw({.width = 1000, .height = 420,
        .panels = {panel_of(table, opt.env + ", DDPG", "return", {{"eval_return", ""}}),
                   panel_of(table, "what the critic promises, and what comes out", "discounted return of an episode",
                            {{"value", "promised"}, {"discounted_return", "came out"}})}},
       opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    std::unique_ptr<ActorCritic> agent;
    const auto start = [&](Rng& rng) {
      agent = std::make_unique<ActorCritic>(env->state_dim, env->action_dim, opt.dpg(), rng);
      if (!opt.load.empty()) load_networks(opt.load, *agent), check_all_finite(*agent);
    };
    Rng first(opt.seed);
    start(first);  // a file that does not fit is refused before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "value", "discounted_return", "Q_loss"});
    Progress progress(opt, long(opt.steps) * opt.seeds);
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      start(rng);
      run(opt, seed, *agent, rng, log, progress);
    }
    if (!opt.save.empty()) save_networks(opt.save, *agent, {{"program", opt.program}, {"env", opt.env}});
    const auto action = [&](const Mat& s) { return agent->pi.mean(s); };
    if (opt.gif) animate(frames(*env, episode(*env, Rng(opt.seed), 300, action), "DDPG"), opt.path(".gif"));
    if (!interrupted())
      claim_late_return(opt, "DDPG", "Deterministic Policy Gradient", read_csv(opt.path(".csv")), 16000, 20000);
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, [](const std::string&) { return std::string("DDPG"); }));
  });
}

// DDPG (slide "Deterministic Policy Gradient"): the theorem with a learned critic and a replay buffer. The picture:
// return against real steps, and what the critic promises.
//
//   build/12_svg_ddpg                          pendulum, 20000 steps, 1 seed: 2 s, 25 MB
//   build/12_svg_ddpg --noise 0.5 --seeds 5
#include "chapters/05_model_free/evaluate.h"  // at_step
#include "chapters/06_mbpo/mbpo.h"            // interact, uniform_action
#include "chapters/12_svg/dpg.h"
#include "chapters/12_svg/replay_learners.h"  // ActorCriticOptions, learn_seeds
#include "plots/plot.h"  // draw

struct Options : ActorCriticOptions {
  using ActorCriticOptions::ActorCriticOptions;
  static constexpr const char* about = "DDPG (slide \"Deterministic Policy Gradient\")";
  Real noise = opt("noise", 0.01f, "standard deviation of what is added to an action, in half ranges", at_least(0));
  static Preset lecture() { return {{"hidden", 64}}; }
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
    const auto start = [&](Rng& rng) {
      auto agent = std::make_unique<ActorCritic>(env->state_dim, env->action_dim, opt.dpg(), rng);
      if (!opt.load.empty()) load_networks(opt.load, *agent), check_all_finite(*agent);
      return agent;
    };
    learn_seeds(opt, "DDPG", "Deterministic Policy Gradient",
                {"algo", "env", "seed", "env_steps", "eval_return", "value", "discounted_return", "Q_loss"},
                start, run, plot);
  });
}

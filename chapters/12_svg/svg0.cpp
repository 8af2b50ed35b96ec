// SVG(0) (slides "From Deterministic to Stochastic"): DDPG with a policy that is a function of noise, whose size is
// learned too. No model. The picture: return against real steps, and the policy's noise.
//
//   build/12_svg_svg0                          pendulum, 20000 steps, 1 seed: 3 s, 25 MB
//   build/12_svg_svg0 --std 1 --seeds 5
#include "chapters/05_model_free/evaluate.h"  // at_step
#include "chapters/06_mbpo/mbpo.h"            // interact, uniform_action
#include "chapters/12_svg/dpg.h"
#include "chapters/12_svg/replay_learners.h"  // ActorCriticOptions, learn_seeds
#include "plots/plot.h"  // draw

struct Options : ActorCriticOptions {
  using ActorCriticOptions::ActorCriticOptions;
  static constexpr const char* about = "SVG(0) (slides \"From Deterministic to Stochastic\")";
  Real std = opt("std", DpgOptions{}.std, "sigma of the policy at the start", above(Policy::min_std));
  DpgOptions dpg() const {
    DpgOptions how = ActorCriticOptions::dpg();
    how.std = std;
    return how;
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
  const auto act = [&](const Mat& s, Rng& rng) { return agent.pi.sample(s, rng.normal(env->action_dim, 1)); };
  for (int t = 1; t <= opt.steps && !interrupted(); ++t) {
    D.add(t <= opt.random_steps ? interact(*env, uniform, rng) : interact(*env, act, rng));
    if (t >= opt.random_steps) at_step(t, [&] {
      D.sample(opt.batch, rng, batch);
      const Mat eta = rng.normal(env->action_dim, opt.batch), eta_next = rng.normal(env->action_dim, opt.batch);
      loss = svg0_update(agent, batch, eta, eta_next);
    });
    progress.show(long(seed - opt.seed) * opt.steps + t);
    if (opt.eval_every == 0 || t % opt.eval_every != 0) continue;
    const Evaluation e = evaluate(opt, agent.pi, *env_eval, eval_rng, [](const Mat&) { return 0.0; });
    log.row("svg0", opt.env, seed, t, e.eval_return, agent.pi.std(), loss);
    progress.show(long(seed - opt.seed) * opt.steps + t, e.eval_return);
  }
}

// From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  draw({.width = 1000, .height = 420,
        .panels = {panel_of(table, opt.env + ", SVG(0)", "return", {{"eval_return", ""}}),
                   panel_of(table, "the policy's noise", "sigma, in half ranges of a", {{"std", ""}})}},
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
    learn_seeds(opt, "SVG(0)", "From Deterministic to Stochastic",
                {"algo", "env", "seed", "env_steps", "eval_return", "std", "Q_loss"},
                start, run, plot);
  });
}

// SVG(1): one step of the learned model, then a value function, so that old data can be used again (slides "From
// Deterministic to Stochastic", "SVG Algorithm and Experiments"). The picture: return against real steps, the mean
// importance weight, the model's error, the policy's noise.
//
//   build/12_svg_svg1                          pendulum, 20000 steps, 1 seed: 9 s, 25 MB
//   build/12_svg_svg1 --max-weight 1000        weights as they are
#include "chapters/05_model_free/evaluate.h"  // at_step
#include "chapters/06_mbpo/mbpo.h"            // interact
#include "chapters/06_mbpo/training.h"        // check_learned
#include "chapters/12_svg/replay_learners.h"  // learn_seeds
#include "chapters/12_svg/svg1.h"
#include "plots/plot.h"  // draw

struct Options : WhiteboxOptions {
  using WhiteboxOptions::WhiteboxOptions;
  static constexpr const char* about = "SVG(1) (slide \"SVG Algorithm and Experiments\")";
  int first_steps = opt("first-steps", 1000, "real steps before the first model and update", at_least(1));
  int epoch_steps = opt("epoch-steps", 200, "real steps between two model trainings", at_least(1));
  int batch       = opt("batch", Svg1Options{}.batch, "transitions of an update", at_least(1));
  Real std        = opt("std", Svg1Options{}.std, "sigma of the policy at the start", above(Policy::min_std));
  Real lr         = opt("lr", Svg1Options{}.policy_lr, "Adam's step size for the policy", above(0));
  Real value_lr   = opt("value-lr", Svg1Options{}.value_lr, "the same for the value function", above(0));
  Real tau        = opt("tau", Svg1Options{}.tau, "tau, step of the lagged value function", range(1e-6, 1));
  Real max_weight = opt("max-weight", Svg1Options{}.max_weight, "a larger importance weight is cut to this", above(0));
  Real max_norm   = opt("max-norm", Svg1Options{}.max_norm, "a longer gradient of the policy is shortened to this",
                          above(0));
  static Preset smoke() {
    Preset preset = WhiteboxOptions::small();
    preset.insert({{"first-steps", 100}, {"epoch-steps", 50}, {"batch", 16}});
    return preset;
  }
  Svg1Options svg1() const {
    return {.hidden = hidden, .std = std, .policy_lr = lr, .value_lr = value_lr, .gamma = gamma, .tau = tau,
            .max_weight = max_weight, .max_norm = max_norm, .batch = batch};
  }
};

void run(const Options& opt, int seed, Svg1& agent, Rng& rng, RunLog& log, Progress& progress) {
  Rng eval_rng = rng.split();
  const std::unique_ptr<Env> env = make_env(opt.env), env_eval = make_env(opt.env);
  Replay replay(env->state_dim, env->action_dim, opt.capacity);
  Real w = 1;
  env->reset(rng);
  const auto act = [&](const Mat& s, Rng& rng) { return agent.pi.sample(s, rng.normal(env->action_dim, 1)); };
  for (int t = 1; t <= opt.steps && !interrupted(); ++t) {
    replay.add(interact(*env, act, rng), agent.pi);
    if (t >= opt.first_steps) at_step(t, [&] {
      if ((t - opt.first_steps) % opt.epoch_steps == 0) agent.f_hat.fit(replay.D.all(), rng);
      w = svg1_update(agent, replay, rng);
    });
    progress.show(long(seed - opt.seed) * opt.steps + t);
    if (opt.eval_every == 0 || t % opt.eval_every != 0) continue;
    const Evaluation e = evaluate(opt, agent.pi, *env_eval, eval_rng, [&](const Mat& s) { return agent.V(s)(0, 0); });
    log.row("svg1", opt.env, seed, t, e.eval_return, e.value, e.discounted_return, w, agent.f_hat.holdout_mse(),
            agent.pi.std());
    progress.show(long(seed - opt.seed) * opt.steps + t, e.eval_return);
  }
}

// From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  draw({.width = 1000, .height = 760, .columns = 2,
        .panels = {panel_of(table, opt.env + ", SVG(1)", "return", {{"eval_return", ""}}),
                   panel_of(table, "what V promises, and what comes out", "discounted return of an episode",
                            {{"value", "promised"}, {"discounted_return", "came out"}}),
                   panel_of(table, "the replay", "mean importance weight of a batch", {{"weight", ""}}),
                   panel_of(table, "the policy's noise", "sigma, in half ranges of a", {{"std", ""}})}},
       opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    const auto start = [&](Rng& rng) {
      auto agent = std::make_unique<Svg1>(*env, opt.svg1(), opt.learned_reward, opt.model(), rng);
      if (!opt.load.empty()) {
        load_networks(opt.load, *agent);
        check_learned(*agent, {&agent->f_hat.net});
      }
      return agent;
    };
    learn_seeds(opt, "SVG(1)", "SVG Algorithm and Experiments",
                {"algo", "env", "seed", "env_steps", "eval_return", "value", "discounted_return", "weight",
                "holdout_mse", "std"},
                start, run, plot);
  });
}

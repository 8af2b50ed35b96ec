// MBPO (slides "MBPO Algorithm" and "MBPO Experiments"): the policy learns from short branches that a learned model
// continues from real states. The picture: return against real steps, what the critics promise, the model's error, k.
//
//   build/06_mbpo                                      pendulum, 1 seed: 17 s, 25 MB
//   build/06_mbpo --real-ratio 1                       the same learner without a model: SAC
//   build/06_mbpo --env hopper --preset paper --steps 40000 --checkpoint hopper.state
#include "chapters/00_toolbox/curves.h"        // curves
#include "chapters/00_toolbox/progress.h"      // finish
#include "chapters/00_toolbox/run_log.h"       // read_csv
#include "chapters/05_model_free/evaluate.h"   // at_step, episode
#include "chapters/06_mbpo/claims.h"
#include "chapters/06_mbpo/logs.h"             // Training, train_seeds
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "MBPO (slide \"MBPO Algorithm\")";
};

void run(const Options& opt, Training& x, Logs& logs, Checkpoint& checkpoint) {
  act_at_random(x, opt.random_steps);

  while (x.step < opt.steps && !interrupted()) {                                     //(2*) for N epochs do
    if (opt.uses_model())
      at_step(x.step, [&] { train_model(x.model, x.D_env, x.rng); });                //(3) maximum likelihood on D_env
    const int k = rollout_length(x.step, opt.rollout_length);
    resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * k);

    for (int t = 0; t < opt.epoch_steps && x.step < opt.steps && !interrupted(); ++t)  //(4) for E steps do
      at_step(x.step, [&] {
        x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng));                    //(5*) act with pi, add to D_env
        ++x.step;
        if (opt.uses_model() && t % opt.rollout_every == 0)                          //(6*) M rollouts, not in each step
          rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, k, x.D_model, x.rng);
        const SacNumbers numbers = improve_policy(x.agent, x.D_env, x.D_model,       //(9) G gradient updates
                                                  opt.updates, opt.batch, opt.real_ratio, x.rng);
        logs.progress.show(x.step + long(x.seed - opt.seed) * opt.steps);
        if (opt.eval_every > 0 && x.step % opt.eval_every == 0 && !interrupted()) evaluate(opt, x, k, numbers, logs);
      });
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }
}

// From the CSV file: return, the critics' promises, the model's holdout error, k.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel returns{.title = opt.env, .x_label = "real environment steps", .y_label = "return"};
  Panel promise{.title = "what the critics promise, and what comes out", .x_label = "real environment steps",
                .y_label = "discounted return of an episode"};
  Panel model{.title = "the model", .x_label = "real environment steps", .y_label = "squared error on the holdout",
              .log_y = true};
  for (const Curve& c : curves(table, {"algo"}, "env_steps", "eval_return"))
    returns.layers.push_back(curve(c.label == "sac" ? "SAC" : "MBPO", c.x, c.mean, c.low, c.high));
  for (const auto& [column, label] : {std::pair("value", "promised"), std::pair("discounted_return", "came out")})
    for (const Curve& c : curves(table, {}, "env_steps", column))
      promise.layers.push_back(curve(label, c.x, c.mean, c.low, c.high));
  for (const Curve& c : curves(table, {}, "env_steps", "holdout_mse"))
    model.layers.push_back(line("best member", c.x, c.mean));  // a band would reach below 0
  Panel length{.title = "branches", .x_label = "real environment steps", .y_label = "k, steps", .y = {0, open_end},
               .key = Key::off};
  for (const Curve& c : curves(table, {}, "env_steps", "k")) length.layers.push_back(line("", c.x, c.mean));
  Figure figure{.width = 1000, .height = opt.uses_model() ? 800 : 420, .columns = 2, .panels = {returns, promise}};
  if (opt.uses_model()) figure.panels.insert(figure.panels.end(), {model, length});
  draw(figure, opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Training> x = train_seeds(opt, [&](Training& x, Logs& logs, Checkpoint& checkpoint) {
      run(opt, x, logs, checkpoint);
    });
    if (!opt.save.empty()) save_learned(opt, *x);
    const auto action = [&](const Mat& s) { return x->agent.pi.mean_action(s); };
    if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), "MBPO"),
                         opt.path(".gif"));
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    std::string headline = "no evaluation";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {}, "env_steps", "eval_return"))
      headline = "return " + to_text(std::lround(c.mean.back())) + " at " + to_text(c.x.back());
    finish(opt, headline);
  });
}

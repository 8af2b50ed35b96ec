// SAC, the model-free baseline (slide "Model-free RL v.s. Model-based RL"): how many real steps does it need, and how
// much of that is the number of gradient updates per step? The pictures: return against real steps and against
// wall-clock for G = 1, 10, 20; every seed by itself, and what the critics promise against what comes out.
//
//   build/05_model_free                                pendulum, 1 seed: 26 s, 40 MB
//   build/05_model_free --updates 1 --steps 15000 --seeds 5
//   build/05_model_free --env hopper --preset paper --steps 50000
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/05_model_free/evaluate.h"
#include "chapters/05_model_free/sac.h"
#include "chapters/05_model_free/sac_claims.h"
#include "chapters/05_model_free/sac_options.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : SacProgram {
  using SacProgram::SacProgram;
  static constexpr const char* about = "SAC (slide \"Model-free RL v.s. Model-based RL\")";
};

Evaluation evaluate(const Options& opt, const Sac& agent, Env& env, Rng& rng) {
  const auto value = [&](const Mat& s) {
    const Mat s_a = concat(s, agent.pi.mean_action(s));
    return std::min(agent.Q[0](s_a)(0, 0), agent.Q[1](s_a)(0, 0));
  };
  return evaluate(env, opt.eval_episodes, opt.gamma, rng, [&](const Mat& s) { return agent.pi.mean_action(s); }, value);
}

struct Logs {
  RunLog rows, seconds;
  Progress progress;
  long updates = 0;  // so far, of all runs
};

// One run: act, remember, and improve critics and policy G times on random batches from the memory.
void run(const Options& opt, int G, int steps, int seed, Sac& agent, Rng& rng, Logs& logs) {
  Rng eval_rng = rng.split();
  const std::unique_ptr<Env> env = make_env(opt.env), env_eval = make_env(opt.env);
  Transitions D(env->state_dim, env->action_dim, opt.capacity);                  //(b6) big data: nothing is thrown away
  Batch batch;
  SacNumbers numbers{};
  Stopwatch watch;
  Mat s = env->reset(rng), xi(env->action_dim, 1);

  for (int t = 1; t <= steps && !interrupted(); ++t) {
    rng.fill_normal(xi);
    const bool random = t <= opt.random_steps;
    const Mat a = random ? rng.uniform(env->action_dim, 1, -1, 1) : agent.pi.sample(s, xi).a;
    const Transition step = env->step(a);
    D.add(step);
    s = step.terminated || step.truncated ? env->reset(rng) : step.s_next;

    if (t >= opt.random_steps) at_step(t, [&] {
      for (int g = 0; g < G && !interrupted(); ++g) {                            //(b8) sample efficiency: G
        D.sample(opt.batch, rng, batch);                                        // off-policy: actions of older policies
        numbers = sac_update(agent, batch, rng);
      }
    });
    logs.progress.show(logs.updates += std::max(G, 1));
    if (opt.eval_every == 0 || t % opt.eval_every != 0) continue;
    watch.stop();
    const Evaluation e = evaluate(opt, agent, *env_eval, eval_rng);
    logs.rows.row("sac", opt.env, seed, t, e.eval_return, G, e.value, e.discounted_return, numbers.Q, numbers.Q_loss,
                  numbers.entropy, agent.alpha());
    logs.seconds.row("sac", opt.env, seed, t, G, watch.seconds);
    logs.progress.show(logs.updates, e.eval_return);
    watch.start();
  }
}

// From the CSV files: return against real steps and against seconds; every seed, and the critics' promises.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), seconds = read_csv(opt.path("_seconds.csv"));
  Panel steps{.x_label = "real environment steps, thousands", .y_label = "return"}, clock = steps, spread = steps;
  Panel promise = steps;
  clock.x_label = "seconds of training", clock.log_x = true, spread.title = "every seed by itself";
  promise.title = "what the critics promise; dashed: what came out";
  promise.y_label = "discounted return of an episode";
  const auto thousands = [](std::vector<double> x) {
    for (double& v : x) v /= 1000;
    return x;
  };
  const std::vector<Curve> returns = curves(table, {"G"}, "env_steps", "eval_return");
  const std::vector<Curve> times = curves(seconds, {"G"}, "env_steps", "seconds");
  const std::vector<Curve> values = curves(table, {"G"}, "env_steps", "value");
  const std::vector<Curve> outcomes = curves(table, {"G"}, "env_steps", "discounted_return");
  const Colour palette[] = {colour::blue, colour::vermillion, colour::green, colour::purple, colour::orange};
  for (std::size_t i = 0; i < returns.size(); ++i) {
    const std::string label = "SAC, G = " + returns[i].label;
    const auto add = [&](Panel& panel, Layer layer, double width = 2) {
      layer.colour = palette[i % 5], layer.width = width;
      panel.layers.push_back(layer);
    };
    const Curve& c = returns[i];
    add(steps, curve(label, thousands(c.x), c.mean, c.low, c.high));
    if (i < times.size()) add(clock, curve(label, times[i].mean, c.mean, c.low, c.high));
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const Table rows = table.where("G", c.label).where("seed", to_text(seed));
      const std::vector<double> x = thousands(rows.numbers("env_steps"));
      add(spread, line(seed == opt.seed ? label : "", x, rows.numbers("eval_return")), 1);
    }
    add(promise, line(label, thousands(values[i].x), values[i].mean));
    add(promise, dashed("", thousands(outcomes[i].x), outcomes[i].mean), 1);
  }
  draw({.width = 1000, .height = 440, .panels = {steps, clock}}, opt.path(".png"));
  draw({.width = 1000, .height = 480, .panels = {spread, promise}}, opt.path("_stability.png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    std::unique_ptr<Sac> agent;
    const auto start = [&](Rng& rng) {
      agent = std::make_unique<Sac>(env->state_dim, env->action_dim, opt.sac(), rng);
      if (!opt.load.empty()) load_networks(opt.load, *agent), check_all_finite(*agent);
    };
    Rng first(opt.seed);
    start(first);  // a file that does not fit is refused before anything is written
    long total = 0;
    for (std::size_t i = 0; i < opt.updates.size(); ++i)
      total += long(opt.steps_of(i)) * std::max(opt.updates[i], 1) * opt.seeds;
    Logs logs{RunLog(opt, {"algo", "env", "seed", "env_steps", "eval_return", "G", "value", "discounted_return", "Q",
                           "Q_loss", "entropy", "alpha"}),
              RunLog(opt, {"algo", "env", "seed", "env_steps", "G", "seconds"}, "_seconds.csv"),
              Progress(opt, total, "return", "updates")};
    for (std::size_t i = 0; i < opt.updates.size(); ++i)
      for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
        Rng rng(seed);
        start(rng);
        run(opt, opt.updates[i], opt.steps_of(i), seed, *agent, rng, logs);
      }
    if (!opt.save.empty()) save_networks(opt.save, *agent, {{"program", opt.program}, {"env", opt.env}});
    const auto action = [&](const Mat& s) { return agent->pi.mean_action(s); };
    if (opt.gif) animate(frames(*env, episode(*env, Rng(opt.seed), 300, action), "SAC"), opt.path(".gif"));
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    std::string headline = "no evaluation";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"G"}, "env_steps", "eval_return"))
      headline = (headline == "no evaluation" ? "return " : headline + ", ") + std::string("G = ") + c.label + ": " +
                 to_text(std::lround(c.mean.back())) + " at " + to_text(c.x.back());
    finish(opt, headline);
  });
}

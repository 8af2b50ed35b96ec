// How good must the model be? SVG(inf) differentiates it T times in a row, SVG(1) once: both with a model that is large
// enough, and with one of 8 hidden units (slide "SVG Algorithm and Experiments"). The picture: return against steps.
//
//   build/12_svg_small_model                   pendulum, 4 runs, 1 seed: 25 s, 25 MB
//   build/12_svg_small_model --seeds 3
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/05_model_free/evaluate.h"  // at_step
#include "chapters/06_mbpo/claims.h"          // mean_return
#include "chapters/06_mbpo/mbpo.h"            // interact
#include "chapters/12_svg/report.h"
#include "chapters/12_svg/svg1.h"
#include "chapters/12_svg/svg_inf.h"
#include "chapters/12_svg/svg_recursion.h"
#include "plots/plot.h"  // Figure, draw

struct Options : WhiteboxOptions {
  using WhiteboxOptions::WhiteboxOptions;
  static constexpr const char* about = "SVG with a small model (slide \"SVG Algorithm and Experiments\")";
  std::vector<int> small_hidden = opt("small-hidden", std::vector<int>{8}, "hidden layers of the small model",
                                      at_least(1));
  int inf_steps = opt("inf-steps", 40000, "real steps of SVG(inf); --steps are those of SVG(1)", at_least(1));
  static Preset smoke() {
    Preset preset = WhiteboxOptions::small();
    preset.insert({{"inf-steps", 300}, {"small-hidden", 4}});
    return preset;
  }
  static std::vector<std::string> without() {  // each algorithm has its own discount, that of its program
    std::vector<std::string> names = WhiteboxOptions::without();
    names.insert(names.end(), {"save", "load", "gif", "gamma"});
    return names;
  }
  WhiteboxOptions small_model() const {
    WhiteboxOptions how = *this;
    how.model_hidden = small_hidden;
    return how;
  }
};

// The loops of main.cpp and svg1.cpp; after(real steps, policy, model) is called after each step.
template <class After> void learn_svg_inf(const Options& opt, const WhiteboxOptions& how, int seed, After after) {
  SvgTraining x(how, {.hidden = opt.hidden}, seed);
  const auto act = [&](const Mat& s, Rng& rng) { return x.agent.pi.sample(s, rng.normal(x.env->action_dim, 1)); };
  while (x.step < opt.inf_steps && !interrupted()) {
    Transitions trajectory(x.env->state_dim, x.env->action_dim, x.env->time_limit);
    for (bool over = false; !over && x.step < opt.inf_steps;) {
      const Transition step = interact(*x.env, act, x.rng);
      x.D.add(step), trajectory.add(step), ++x.step;
      over = step.terminated || step.truncated;
      after(x.step, x.agent.pi, x.agent.f_hat);
    }
    at_step(x.step, [&] {
      x.agent.f_hat.fit(x.D.all(), x.rng);
      ascend(x.agent.pi_opt, params(x.agent.pi),
             svg_recursion(x.agent.pi, x.agent.f_hat, trajectory, x.agent.options.gamma), x.agent.options.max_norm);
    });
  }
}
constexpr int first_steps = 1000, epoch_steps = 200;  // the defaults of 12_svg_svg1
template <class After> void learn_svg1(const Options& opt, const WhiteboxOptions& how, int seed, After after) {
  Rng rng(seed);
  const std::unique_ptr<Env> env = make_env(opt.env);
  Svg1 agent(*env, {.hidden = opt.hidden}, opt.learned_reward, how.model(), rng);
  Replay replay(env->state_dim, env->action_dim, opt.capacity);
  env->reset(rng);
  const auto act = [&](const Mat& s, Rng& rng) { return agent.pi.sample(s, rng.normal(env->action_dim, 1)); };
  for (int t = 1; t <= opt.steps && !interrupted(); ++t) {
    replay.add(interact(*env, act, rng), agent.pi);
    if (t >= first_steps) at_step(t, [&] {
      if ((t - first_steps) % epoch_steps == 0) agent.f_hat.fit(replay.D.all(), rng);
      svg1_update(agent, replay, rng);
    });
    after(t, agent.pi, agent.f_hat);
  }
}

void run(const Options& opt, int seed, RunLog& log, Progress& progress) {
  const std::unique_ptr<Env> env = make_env(opt.env);
  long done = long(seed - opt.seed) * 2 * (opt.inf_steps + opt.steps);
  for (const auto& [model, how] : {std::pair<std::string, WhiteboxOptions>("large", opt), {"small", opt.small_model()}})
    for (const std::string algo : {"svg_inf", "svg1"}) {
      Rng eval_rng(~std::uint64_t(seed));
      const auto after = [&](long step, const Policy& pi, const SvgModel& f_hat) {
        progress.show(++done);
        if (opt.eval_every == 0 || step % opt.eval_every != 0 || interrupted()) return;
        const Evaluation e = evaluate(opt, pi, *env, eval_rng, [](const Mat&) { return 0.0; });
        log.row(algo, model, opt.env, seed, step, e.eval_return, f_hat.holdout_mse());
        progress.show(done, e.eval_return);
      };
      algo == "svg1" ? learn_svg1(opt, how, seed, after) : learn_svg_inf(opt, how, seed, after);
    }
}

const std::vector<std::pair<std::string, std::string>> names = {{"svg_inf", "SVG(inf)"}, {"svg1", "SVG(1)"}};

// The return of each seed's last five evaluations that the small model costs.
std::vector<double> loss(const Options& opt, const Table& table, const std::string& algo) {
  std::vector<double> losses;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("algo", algo).where("seed", to_text(seed));
    losses.push_back(mean_return(rows.where("model", "large"), 5) - mean_return(rows.where("model", "small"), 5));
  }
  return losses;
}

void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  if (opt.env != "pendulum" || opt.Args::smoke || table.rows.empty()) return;
  std::vector<double> more = loss(opt, table, "svg_inf"), one_step = loss(opt, table, "svg1");
  for (std::size_t i = 0; i < more.size(); ++i) more[i] -= one_step[i];
  claims.at_least("pendulum: return that a model of " + join(opt.small_hidden, ",") +
                      " hidden units costs SVG(inf), minus what it costs SVG(1)",
                  "SVG Algorithm and Experiments", more, 0);
}

void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1000, .height = 420};
  for (const auto& [algo, name] : names) {
    Panel panel{.title = opt.env + ", " + name, .x_label = thousands, .y_label = "return"};
    for (const std::string model : {"large", "small"})
      for (const Curve& c : curves(table.where("algo", algo).where("model", model), {}, "env_steps", "eval_return"))
        panel.layers.push_back(against_thousands(
            "model of " + join(model == "small" ? opt.small_hidden : opt.model_hidden, ",") + " units", c));
    figure.panels.push_back(panel);
  }
  draw(figure, opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "model", "env", "seed", "env_steps", "eval_return", "holdout_mse"});
    Progress progress(opt, 2L * opt.seeds * (opt.inf_steps + opt.steps));
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) run(opt, seed, log, progress);
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    std::string headline;
    const Table table = read_csv(opt.path(".csv"));
    for (const auto& [algo, name] : names) {
      const double cost = median(loss(opt, table, algo));
      headline += (headline.empty() ? "the small model costs " : ", ") + name + " " +
                  (std::isnan(cost) ? "what is not known" : to_text(std::lround(cost)));
    }
    finish(opt, headline);
  });
}

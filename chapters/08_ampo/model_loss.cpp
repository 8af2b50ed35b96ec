// Does adaptation make the model more accurate? (slide "Model Loss Evaluation".) Beside an agent of MBPO three models
// learn from the same data with the same noise: one that is not adapted, one by W1, one by MMD. Left: their one-step
// error where the agent's branches lead, put back to the nearest possible state; dashed: from where they lead. Right:
// how their branches depart from reality.
//
//   build/08_ampo_model_loss                               pendulum, 1 seed
//   build/08_ampo_model_loss --data 300                    the shift enlarged: 300 random transitions, the final policy
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/06_mbpo/learn.h"           // learn
#include "chapters/08_ampo/model_error.h"
#include "chapters/08_ampo/report.h"          // name_of
#include "chapters/08_ampo/training.h"
#include "plots/plot.h"  // Figure, draw

struct Options : AmpoOptions {
  using AmpoOptions::AmpoOptions;
  static constexpr const char* about = "Model error with and without adaptation (slide \"Model Loss Evaluation\")";
  int data    = opt("data", 0, "learn from so many first real steps, with branches of the final policy; 0: from all, "
                    "beside the agent", at_least(0));
  int rounds  = opt("rounds", 4, "of training, branches and adaptation, with --data", at_least(1));
  int horizon = opt("horizon", 20, "steps of the branches on which errors are measured", at_least(1));
  int starts  = opt("starts", 200, "such branches", at_least(2));
  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif", "distance", "compare", "adapt-until"};
  }
  static Preset lecture() { return {{"rollout-length", 10}, {"rollouts", 1000}, {"real-ratio", 0.5}, {"steps", 1000}}; }
  static Preset smoke() {
    Preset preset = AmpoOptions::smoke();
    preset.insert({{"horizon", 3}, {"starts", 10}});
    return preset;
  }
  void check() const {
    AmpoOptions::check();
    check_observed(env);
    if (data > steps) throw BadInput("--data " + to_text(data) + ": wanted at most --steps, " + to_text(steps));
  }
};
const std::vector<std::string> algos = {"mbpo", "ampo_w1", "ampo_mmd"};  // the first is not adapted

// A model that learns beside the agent, with its own branches.
struct Beside {
  std::string algo;
  Rng rng;
  LearnedModel model;
  Adaptation adaptation;

  Beside(const Options& opt, const std::string& algo, const Env& env, const Rng& start)
      : algo(algo), rng(start), model(env, opt.ensemble(), rng),
        adaptation(model.p, static_cast<const AmpoOptions&>(opt).with(algo).adaptation(), rng) {}

  // After it has been trained on D: branches of pi, and adaptation to them. Logs how far apart the features of both
  // kinds of inputs are, before (horizon 0) and after (1).
  void use(const Options& opt, const SquashedGaussian& pi, const Transitions& D, int k, int steps, int seed, long step,
           RunLog& log) {
    Transitions D_model(model.env.state_dim, model.env.action_dim, Eigen::Index(opt.rollouts) * k);
    rollout(model, pi, D, opt.rollouts, k, D_model, rng);
    const Batch real = D.all(), simulated = D_model.all();
    const Mat x_real = model.x(real.s, real.a), x_simulated = model.x(simulated.s, simulated.a);
    const Rng judge = rng.split();
    const auto distances = [&](int after) {
      const Member& f = model.p.members[0];
      Rng w1 = judge, mmd = judge;  // the same samples whichever of them are measured
      if (algo != "ampo_mmd") log.row(algo, opt.env, seed, step, "W1", after, feature_w1(f, x_real, x_simulated, w1));
      if (algo != "ampo_w1")
        log.row(algo, opt.env, seed, step, "MMD", after, feature_mmd2(f, x_real, x_simulated, mmd));
    };
    distances(0);
    adaptation.adapt(model.p, x_real, x_simulated, steps, rng);
    if (algo != "mbpo") distances(1);
  }
};

// The errors of the three models, one step where branches of the first lead, and along branches of their own.
void measure(const Options& opt, const std::deque<Beside>& models, const SquashedGaussian& pi, const Transitions& D,
             int seed, long step, Rng rng, RunLog& log) {
  const Env& env = models[0].model.env;
  Normaliser states(env.state_dim);
  states.fit(D.all().s);
  std::vector<NextStates> predict;
  for (const Beside& m : models) predict.push_back(mean_of(m.model));
  const Mat starts = D.sample(opt.starts, rng).s;
  const std::vector<ModelErrors> errors = model_errors(env, predict, pi, starts, opt.horizon, states, rng);
  for (std::size_t m = 0; m < models.size(); ++m) {
    const auto row = [&](const char* what, int horizon, double value) {
      log.row(models[m].algo, opt.env, seed, step, what, horizon, value);
    };
    row("one step", 1, errors[m].as_it_is), row("one step, put back", 1, errors[m].put_back);
    for (std::size_t h = 0; h < errors[m].branch.size(); ++h) row("branch", int(h) + 1, errors[m].branch[h]);
  }
}

// From the CSV file: means over seeds, of the branches also over all rounds.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel one{.title = opt.env + ": one step, put back", .x_label = "real environment steps",
            .y_label = "squared error / variance of s", .log_y = true};
  Panel along{.title = "branches, all rounds", .x_label = "steps of a branch",
              .y_label = "squared distance from reality / variance", .log_y = true};
  for (const Curve& c : curves(table.where("what", "one step, put back"), {"algo"}, "env_steps", "value"))
    one.layers.push_back(line(name_of(c.label), c.x, c.mean)), one.layers.back().width = 3;
  for (const Curve& c : curves(table.where("what", "one step").where("algo", algos[0]), {}, "env_steps", "value"))
    if (opt.env == "pendulum")  // elsewhere every state is possible
      one.layers.push_back(dashed(name_of(algos[0]) + ", not put back", c.x, c.mean));
  for (const Curve& c : curves(table.where("what", "branch"), {"algo"}, "horizon", "value"))
    along.layers.push_back(line(name_of(c.label), c.x, c.mean));
  draw({.width = 1000, .height = 480, .panels = {one, along}}, opt.path(".png"));
}

// By how much the distance falls, at once and compared with the model that is never adapted (when both have been
// trained again); and the errors with adaptation over those without. Not of the first round, where all are the same.
void claim(const Options& opt) {
  Claims claims(opt);
  const std::string slide = "Model Loss Evaluation";
  const Table table = read_csv(opt.path(".csv"));
  for (const auto& [algo, distance] : {std::pair("ampo_w1", "W1"), std::pair("ampo_mmd", "MMD")}) {
    std::vector<double> at_once, left, as_it_is, put_back, branch;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const auto values = [&](const std::string& algo, const std::string& what, int horizon, int first) {
        const Table of_seed = table.where("seed", to_text(seed)).where("algo", algo);
        const std::vector<double> x = of_seed.where("what", what).where("horizon", to_text(horizon)).numbers("value");
        return std::vector<double>(x.begin() + std::min<long>(first, long(x.size())), x.end());
      };
      const auto ratio = [&](const std::string& what, int horizon) {
        return log_ratio(values(algo, what, horizon, 1), values(algos[0], what, horizon, 1));
      };
      at_once.push_back(relative_change(values(algo, distance, 1, 0), values(algo, distance, 0, 0)));
      left.push_back(relative_change(values(algo, distance, 0, 1), values(algos[0], distance, 0, 1)));
      as_it_is.push_back(ratio("one step", 1)), put_back.push_back(ratio("one step, put back", 1));
      branch.push_back(ratio("branch", opt.horizon));
    }
    const std::string with = opt.env + ": " + name_of(algo) + ", ", over = " error over that without, log10";
    claims.at_most(with + distance + " of features after adaptation over before, minus 1", slide, at_once, -0.1);
    claims.at_most(with + distance + " when trained again over that without, minus 1", slide, left, 0);
    claims.at_most(with + "one-step" + over + ", put back", slide, put_back, 0);
    claims.at_most(with + "one-step" + over + ", not put back", slide, as_it_is, 0);
    claims.at_most(with + to_text(opt.horizon) + "-step" + over, slide, branch, 0);
  }
}

std::string headline(const Table& table) {
  std::string text = "one-step error over MBPO's:";
  const Table rows = table.where("what", "one step, put back");
  for (const char* algo : {"ampo_w1", "ampo_mmd"}) {
    const double change = relative_change(rows.where("algo", algo).numbers("value"),
                                          rows.where("algo", algos[0]).numbers("value"));
    text += " " + name_of(algo) + " " + to_text(std::round(100 * (1 + change)) / 100);
  }
  return table.rows.empty() ? "no evaluation" : text;
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "what", "horizon", "value"});
    Progress progress(opt, long(opt.steps) * opt.seeds);
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Training x(opt, seed);
      std::deque<Beside> models;
      for (const std::string& algo : algos) models.emplace_back(opt, algo, *x.env, Rng(~std::uint64_t(seed)));
      const auto round = [&](const Transitions& D) {
        for (Beside& m : models) train_model(m.model, D, m.rng);
        measure(opt, models, x.agent.pi, D, seed, x.step, Rng(std::uint64_t(seed) + x.step * 1000000ul), log);
        for (Beside& m : models)
          m.use(opt, x.agent.pi, D, rollout_length(x.step, opt.rollout_length),
                rollout_length(x.step, opt.adapt_steps), seed, x.step, log);
      };
      learn(opt, x, [&] {
        progress.show(x.step + long(seed - opt.seed) * opt.steps);
        if (opt.data == 0 && (x.step - opt.random_steps) % opt.epoch_steps == 0) round(x.D_env);
      });
      if (opt.data > 0 && !interrupted()) {
        std::vector<int> first(opt.data);
        std::iota(first.begin(), first.end(), 0);
        Transitions D(x.env->state_dim, x.env->action_dim, Eigen::Index(first.size()));
        D.add(x.D_env.at(first));
        for (int i = 0; i < opt.rounds && !interrupted(); ++i) round(D);
      }
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, headline(read_csv(opt.path(".csv"))));
  });
}

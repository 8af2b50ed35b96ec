// Does adaptation make the model more accurate? (slide "Model Loss Evaluation".) Beside an agent of MBPO three models
// learn from the same data with the same noise: one that is not adapted, one by W1, one by MMD. Left: their one-step
// error where the agent's branches lead. Right: how their branches depart from reality.
//
//   build/08_ampo_model_loss                               pendulum, 1 seed
//   build/08_ampo_model_loss --data 300                    the shift enlarged: 300 random transitions, the final policy
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/06_mbpo/learn.h"           // learn
#include "chapters/08_ampo/report.h"          // name_of
#include "chapters/08_ampo/simulator_state.h"
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
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif", "distance", "compare"};
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
  }
};
const std::vector<std::string> algos = {"mbpo", "ampo_w1", "ampo_mmd"};

// A model that learns beside the agent, with its own branches.
struct Beside {
  std::string algo;
  Rng rng;
  LearnedModel model;
  Adaptation adaptation;

  Beside(const Options& opt, const std::string& algo, const Env& env, Rng rng_)
      : algo(algo), rng(rng_), model(env, opt.ensemble(), rng),
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
      Rng same = judge;
      if (algo != "ampo_mmd") log.row(algo, opt.env, seed, step, "W1", after, feature_w1(f, x_real, x_simulated, same));
      if (algo != "ampo_w1")
        log.row(algo, opt.env, seed, step, "MMD", after, feature_mmd2(f, x_real, x_simulated, same));
    };
    distances(0);
    adaptation.adapt(model.p, x_real, x_simulated, steps, rng);
    if (algo != "mbpo") distances(1);
  }
};

// The squared error of a prediction, mean over dimensions in units of each one's variance: (1, n).
Mat squared_error(const Mat& s_hat, const Mat& s, const Mat& std) {
  return Mat((s_hat - s).colwise() / std.col(0)).square().colwise().mean();
}

// The errors of the three models: one step where branches of the first lead, and along branches of their own.
void measure(const Options& opt, std::deque<Beside>& models, const SquashedGaussian& pi, const Transitions& D,
             int seed, long step, Rng rng, RunLog& log) {
  const Env& env = models[0].model.env;
  Normaliser states(env.state_dim);
  states.fit(D.all().s);
  const Mat starts = D.sample(opt.starts, rng).s;
  std::vector<Mat> branches(models.size(), starts);
  Mat s = starts, alive = Mat::Ones(1, opt.starts), simulated = starts;
  Sim sim = simulator_state(env, s);
  std::vector<double> one_step(models.size(), 0);
  for (int h = 1; h <= opt.horizon; ++h) {
    const Mat xi = rng.normal(env.action_dim, opt.starts);
    const Mat a = pi.sample(simulated, xi).a;
    const Mat truth = env.observe(env.simulate(simulator_state(env, simulated), a));
    for (std::size_t m = 0; m < models.size(); ++m)
      one_step[m] += squared_error(models[m].model.mean(simulated, a).s_next, truth, states.std).mean() / opt.horizon;
    simulated = models[0].model.mean(simulated, a).s_next;
    sim = env.simulate(sim, pi.sample(s, xi).a), s = env.observe(sim);
    alive *= 1 - env.ended(sim).cast<Real>();
    for (std::size_t m = 0; m < models.size(); ++m) {
      branches[m] = models[m].model.mean(branches[m], pi.sample(branches[m], xi).a).s_next;
      const Mat error = squared_error(branches[m], s, states.std);
      std::vector<double> of_alive;
      for (int j = 0; j < opt.starts; ++j)
        if (alive(0, j) > 0) of_alive.push_back(error(0, j));
      if (!of_alive.empty()) log.row(models[m].algo, opt.env, seed, step, "branch", h, median(of_alive));
    }
  }
  for (std::size_t m = 0; m < models.size(); ++m)
    log.row(models[m].algo, opt.env, seed, step, "one step", 1, one_step[m]);
}

// From the CSV file: means over seeds, of the branches also over all rounds.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel one{.title = opt.env + ": one step, where branches lead", .x_label = "real environment steps",
            .y_label = "squared error / variance of s", .log_y = true};
  Panel along{.title = "branches, all rounds", .x_label = "steps of a branch",
              .y_label = "squared distance from reality / variance", .log_y = true};
  for (const Curve& c : curves(table.where("what", "one step"), {"algo"}, "env_steps", "value"))
    one.layers.push_back(line(name_of(c.label), c.x, c.mean)), one.layers.back().width = 3;
  for (const Curve& c : curves(table.where("what", "branch"), {"algo"}, "horizon", "value"))
    along.layers.push_back(line(name_of(c.label), c.x, c.mean));
  draw({.width = 1000, .height = 480, .panels = {one, along}}, opt.path(".png"));
}

// Of one seed: mean over the rounds of log10 x / x_other; the second of the two may be the other's.
double log_ratio(const Table& x, const Table& other) {
  const std::vector<double> a = x.numbers("value"), b = other.numbers("value");
  double sum = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += std::log10(a[i] / b[i]);
  return sum / double(a.size());
}
double total(const Table& x) {
  const std::vector<double> values = x.numbers("value");
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// By how much the distance falls, at once and compared with the model that is never adapted (when both have been
// trained again); and the errors with adaptation over those without.
void claim(const Options& opt) {
  Claims claims(opt);
  const std::string slide = "Model Loss Evaluation";
  const Table table = read_csv(opt.path(".csv"));
  for (const auto& [algo, distance] : {std::pair("ampo_w1", "W1"), std::pair("ampo_mmd", "MMD")}) {
    std::vector<double> at_once, left, one_step, branch;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const auto rows = [&](const char* algo, const std::string& what, int horizon) {
        const Table of_seed = table.where("seed", to_text(seed)).where("algo", algo);
        return of_seed.where("what", what).where("horizon", to_text(horizon));
      };
      at_once.push_back(total(rows(algo, distance, 1)) / total(rows(algo, distance, 0)) - 1);
      left.push_back(total(rows(algo, distance, 0)) / total(rows("mbpo", distance, 0)) - 1);
      one_step.push_back(log_ratio(rows(algo, "one step", 1), rows("mbpo", "one step", 1)));
      branch.push_back(log_ratio(rows(algo, "branch", opt.horizon), rows("mbpo", "branch", opt.horizon)));
    }
    const std::string with = opt.env + ": " + name_of(algo) + ", ", over = " error over that without, log10";
    claims.at_most(with + distance + " of features after adaptation over before, minus 1", slide, at_once, -0.1);
    claims.at_most(with + distance + " when trained again over that without, minus 1", slide, left, 0);
    claims.at_most(with + "one-step" + over, slide, one_step, 0);
    claims.at_most(with + to_text(opt.horizon) + "-step" + over, slide, branch, 0);
  }
}

std::string headline(const Table& table) {
  std::string text = "one-step error over MBPO's:";
  for (const char* algo : {"ampo_w1", "ampo_mmd"}) {
    const Table rows = table.where("what", "one step");
    const double ratio = total(rows.where("algo", algo)) / total(rows.where("algo", "mbpo"));
    text += " " + name_of(algo) + " " + to_text(std::round(100 * ratio) / 100);
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
      if (opt.data > 0) {
        std::vector<int> first(std::min<Eigen::Index>(opt.data, x.D_env.size));
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

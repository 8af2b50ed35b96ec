// Trains the hyper-controller (slide "AutoMBPO Framework"): stages of complete MBPO runs under its decisions, PPO after
// each. Every run is kept in a file as soon as it is over, so that a training that was stopped goes on with --continue.
// The picture: return of the runs, and their mean hyper-parameters, stage by stage.
//
//   build/09_autombpo_train --save controller.safetensors                  105 runs on pendulum
//   build/09_autombpo_train --save controller.safetensors --continue       the rest of them
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/00_toolbox/curves.h"      // curves
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/09_autombpo/hyper_episode.h"
#include "chapters/09_autombpo/side_by_side.h"
#include "plots/plot.h"  // Figure, draw

struct Options : AutoOptions {
  using AutoOptions::AutoOptions;
  static constexpr const char* about = "AutoMBPO: trains the hyper-controller (slide \"AutoMBPO Framework\")";
  int stages     = opt("stages", 10, "updates of the controller", at_least(1));
  int runs       = opt("runs", 10, "MBPO runs of a stage", at_least(2));
  int plain_runs = opt("plain-runs", 5, "runs of plain MBPO, against whose mean return the reward is measured",
                       at_least(1));
  int explore    = opt("explore", 5, "stages within which the share of random decisions falls from 1 to 0",
                       at_least(0));
  bool go_on     = opt("continue", false, "take the finished runs in --out of an earlier start with the same options");
  Real controller_lr    = opt("controller-lr", 1e-3f, "Adam's step size for the controller", above(0));
  int controller_epochs = opt("controller-epochs", 30, "passes of PPO over the decisions of a stage", at_least(1));
  static std::vector<std::string> without() { return {"checkpoint", "checkpoint-every", "resume", "gif"}; }
  static Preset smoke() {
    Preset preset = AutoOptions::smoke();
    preset.insert({{"stages", 2}, {"runs", 2}, {"plain-runs", 1}, {"controller-hidden", "4"}});
    return preset;
  }
  void check() const {
    AutoOptions::check();
    if (go_on && !load.empty())
      throw BadInput("--continue goes on with runs of its own, --load " + load + " begins anew");
  }
  std::string file(int seed, int number) const {
    return path("_runs/" + to_text(seed) + "_" + to_text(number) + ".safetensors");
  }
  PpoOptions ppo() const { return {.lr = controller_lr, .epochs = controller_epochs}; }
  double epsilon(int stage) const { return stage < explore ? 1 - double(stage) / explore : 0; }
};

// Runs first, ..., first + n - 1 of a training, from their files or anew. after(run) sees them in this order.
template <class Decide, class After>
std::vector<Finished> hyper_episodes(const Options& opt, int seed, int first, int n, Decide decide, After after) {
  std::vector<Finished> all(n, Finished(0, opt.decisions()));
  side_by_side(n, [&](int i) {
    const int number = first + i, run_seed = 1000 * (seed + 1) + number;  // none of those that main.cpp reports
    Rng rng = controller_rng(run_seed);
    all[i].number = number;
    const std::string file = opt.file(seed, number);
    if (opt.go_on && read_episode(opt, file, all[i])) return;
    all[i] = hyper_episode(opt, number, run_seed, [&](const Mat& s) { return decide(s, rng); });
    if (!interrupted()) write_episode(opt, file, all[i]);
  }, [&](int i) { after(all[i]); });
  return all;
}

Mat mean_return(const std::vector<Finished>& runs) {
  Mat sum = Mat::Zero(1, runs[0].eval_return.cols());
  for (const Finished& run : runs) sum += run.eval_return;
  return sum / Real(runs.size());
}

// One controller. Returns with that one whose stage had the best mean return.
void train(const Options& opt, Controller& controller, int seed, RunLog& log, Progress& progress) {
  Rng rng(seed);
  long done = long(seed - opt.seed) * (opt.plain_runs + opt.stages * opt.runs);
  const auto row = [&](int stage, double epsilon) {
    return [&, stage, epsilon](const Finished& run) {
      const Mat mean = run.hyper.rowwise().mean();
      log.row(seed, stage, run.number, epsilon, run.eval_return.mean(), mean(0, 0), mean(1, 0), mean(2, 0), mean(3, 0));
      progress.show(++done, run.eval_return.mean());
    };
  };
  Options with_plain_ratio = opt;
  with_plain_ratio.real_ratio = opt.plain_ratio;
  const auto plain_runs = hyper_episodes(with_plain_ratio, seed, 0, opt.plain_runs, [](const Mat& s, Rng&) {
    return Decision{s, keep, Mat::Zero(keep.rows(), 1)};
  }, row(0, 0));
  if (interrupted()) return;
  const Mat plain = mean_return(plain_runs);

  double best = -std::numeric_limits<double>::infinity();
  std::vector<CategoricalPolicy> kept;
  for (int stage = 1; stage <= opt.stages && !interrupted(); ++stage) {
    const double epsilon = opt.epsilon(stage - 1);
    const int first = opt.plain_runs + (stage - 1) * opt.runs;
    const auto runs = hyper_episodes(opt, seed, first, opt.runs, [&](const Mat& s, Rng& r) {
      return controller.decide(s, epsilon, r);
    }, row(stage, epsilon));
    if (interrupted()) break;
    if (const double mean = mean_return(runs).mean(); mean > best) {
      best = mean, kept.clear();
      for (const auto& head : controller.heads) kept.push_back(head.pi);
    }
    std::vector<HyperEpisode> rewarded;
    for (const Finished& run : runs) rewarded.push_back(run.rewarded(plain));
    controller.learn(rewarded, rng);
  }
  for (std::size_t h = 0; h < kept.size(); ++h) controller.heads[h].pi = kept[h];
}

// From the CSV file, mean and band over the runs of a stage; stage 0 is plain MBPO.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1000, .height = 800, .columns = 2};
  for (const auto& [column, label] : {std::pair("mean_return", "mean return of a run's evaluations"),
                                      {"real_ratio", "real ratio"}, {"G", "G, updates per real step"},
                                      {"trained", "share of decisions to train the model"}}) {
    Panel panel{.x_label = "stage, 0: plain MBPO", .y_label = label, .key = Key::off};
    for (const Curve& c : curves(table, {}, "stage", column))
      panel.layers.push_back(curve(label, c.x, c.mean, c.low, c.high));
    figure.panels.push_back(panel);
  }
  figure.panels[0].title = opt.env;
  draw(figure, opt.path(".png"));
}

// The runs of the last stage against plain MBPO's, controller by controller.
void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  if (opt.Args::smoke) return;
  std::vector<double> gain;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table of_one = table.where("seed", to_text(seed));
    const auto mean = [&](int stage) {
      return curves(of_one.where("stage", to_text(stage)), {}, "stage", "mean_return")[0].mean[0];
    };
    gain.push_back(mean(opt.stages) - mean(0));
  }
  claims.at_least(opt.env + ": mean return of the last stage's runs minus plain MBPO's", "AutoMBPO Experiments", gain,
                  0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<Controller> controller;
    const auto start = [&](int seed) {
      Rng rng(seed);
      controller = std::make_unique<Controller>(opt.ppo(), hyper_state_dim, choices, opt.controller_hidden, rng);
      if (!opt.load.empty()) load_controller(opt.load, *controller);
    };
    start(opt.seed);  // a file that does not fit is refused before anything is written
    RunLog log(opt, {"seed", "stage", "run", "epsilon", "mean_return", "trained", "real_ratio", "G", "k"});
    Progress progress(opt, long(opt.plain_runs + opt.stages * opt.runs) * opt.seeds, "return", "runs");
    std::filesystem::create_directories(opt.path("_runs"));
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      if (seed != opt.seed) start(seed);
      train(opt, *controller, seed, log, progress);
    }
    if (!opt.save.empty()) save_networks(opt.save, Heads{*controller}, {{"program", opt.program}, {"env", opt.env}});
    const Table table = read_csv(opt.path(".csv"));
    if (!interrupted()) claim(opt, table);
    if (!opt.no_plot) plot(opt);
    std::string headline = "no run";
    for (const Curve& c : curves(table, {}, "stage", "mean_return"))
      headline = "mean return of a run: plain " + to_text(std::lround(c.mean[0])) + ", stage " + to_text(c.x.back()) +
                 " " + to_text(std::lround(c.mean.back()));
    finish(opt, headline);
  });
}

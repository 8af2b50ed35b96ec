// "MBRL methods are sensitive to the primary hyper-parameters" (slide "AutoMBPO: better understanding", Motivation):
// the return of MBPO against real ratio, G and k, each alone.
//
//   build/09_autombpo_sensitivity                            pendulum, 1 seed, the first 1200 steps
//   build/09_autombpo_sensitivity --seeds 3 --steps 3000
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/00_toolbox/curves.h"      // curves
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/06_mbpo/claims.h"         // mean_return
#include "chapters/06_mbpo/learn.h"          // learn
#include "chapters/09_autombpo/auto_options.h"
#include "chapters/09_autombpo/side_by_side.h"
#include "plots/plot.h"  // Figure, draw

struct Options : AutoOptions {
  using AutoOptions::AutoOptions;
  static constexpr const char* about = "MBPO is sensitive to its hyper-parameters (slide \"AutoMBPO\", Motivation)";
  std::vector<double> ratios = opt("ratios", std::vector<double>{0.02, 0.1, 0.3, 0.5, 1}, "real ratios", range(0, 1));
  std::vector<int> counts    = opt("update-counts", std::vector<int>{1, 2, 5, 10, 20}, "values of G", at_least(1));
  std::vector<int> lengths   = opt("lengths", std::vector<int>{1, 2, 5, 10, 20}, "values of k", range(1, 10000));
  static Preset lecture() {
    Preset preset = AutoOptions::lecture();
    preset.insert_or_assign("steps", 1200);
    return preset;
  }
  static Preset smoke() {
    Preset preset = AutoOptions::smoke();
    preset.insert({{"ratios", "0,0.5"}, {"update-counts", "1,2"}, {"lengths", "1,2"}});
    return preset;
  }
  void check() const {
    AutoOptions::check();
    if (eval_every == 0) throw BadInput("--eval-every 0: wanted at least 1, the evaluations are what is compared");
  }
};
const std::vector<std::string> parameters = {"real ratio", "G", "k"};

//(b1) sensitive to: one of the hyper-parameters has another value, the others are the chapter's.
struct Run {
  std::string parameter;
  double value;
  AutoOptions how;
  std::vector<std::pair<long, double>> evaluations = {};  // real steps, return
};

std::vector<Run> runs_of(const Options& opt) {
  std::vector<Run> runs;
  Options plain = opt;
  plain.real_ratio = opt.plain_ratio;
  const auto add = [&](int p, double value) { return &runs.emplace_back(Run{parameters[p], value, plain}).how; };
  for (const double ratio : opt.ratios) add(0, ratio)->real_ratio = Real(ratio);
  for (const int G : opt.counts) add(1, G)->updates = G;
  for (const int k : opt.lengths) add(2, k)->rollout_length = {k};
  return runs;
}

// The first run of the same setting: the chapter's own stands in all three lists.
std::size_t first_alike(const std::vector<Run>& runs, std::size_t i) {
  const auto alike = [&](const Run& run) {
    const AutoOptions &a = run.how, &b = runs[i].how;
    return a.real_ratio == b.real_ratio && a.updates == b.updates && a.rollout_length == b.rollout_length;
  };
  return std::find_if(runs.begin(), runs.end(), alike) - runs.begin();
}

void follow(Run& run, int seed) {
  Training x(run.how, seed);
  learn(run.how, x, [&] {
    if (x.step % run.how.eval_every == 0) run.evaluations.emplace_back(x.step, evaluate(run.how, x).eval_return);
  });
}

// From the CSV file: the area under the curve of return, and its end, against each hyper-parameter.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.title = opt.env + ": MBPO with other hyper-parameters", .width = 1200, .height = 420};
  for (const std::string& parameter : parameters) {
    Panel panel{.x_label = parameter == "k"   ? "k, steps of a branch"
                           : parameter == "G" ? "G, updates per real step"
                                              : parameter,
                .y_label = "mean return of the evaluations", .log_x = true};
    const Table of_one = table.where("parameter", parameter);
    for (const Curve& c : curves(of_one, {}, "value", "eval_return"))
      panel.layers.push_back(curve("all", c.x, c.mean, c.low, c.high));
    for (const Curve& c : curves(of_one.where("late", "1"), {}, "value", "eval_return"))
      panel.layers.push_back(curve("of the last third", c.x, c.mean, c.low, c.high));
    figure.panels.push_back(panel);
  }
  draw(figure, opt.path(".png"));
}

// The chapter's value minus the least and the greatest one, in mean return of all evaluations, seed by seed.
void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  if (opt.Args::smoke) return;
  const std::vector<double> chosen = {opt.plain_ratio, double(opt.updates), double(opt.rollout_length[0])};
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const auto of = [&](int seed, double value) {
      const Table of_one = table.where("parameter", parameters[p]).where("seed", to_text(seed));
      return mean_return(of_one.where("value", to_text(value)));
    };
    const std::vector<double> all = table.where("parameter", parameters[p]).numbers("value");
    for (const double other : {*std::min_element(all.begin(), all.end()), *std::max_element(all.begin(), all.end())}) {
      if (other == chosen[p]) continue;
      std::vector<double> differences;
      for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed)
        differences.push_back(of(seed, chosen[p]) - of(seed, other));
      claims.at_least(opt.env + ": " + parameters[p] + " " + to_text(chosen[p]) + " minus " + to_text(other) +
                          ", mean return of all evaluations", "AutoMBPO: better understanding", differences, 0);
    }
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"parameter", "value", "seed", "env_steps", "eval_return", "late"});
    const int in_all = int(runs_of(opt).size());
    Progress progress(opt, long(in_all) * opt.seeds, "return", "runs");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      std::vector<Run> runs = runs_of(opt);
      side_by_side(in_all, [&](int i) {
        if (first_alike(runs, i) == std::size_t(i)) follow(runs[i], seed);
      }, [&](int i) {
        for (const auto& [step, value] : runs[first_alike(runs, i)].evaluations)
          log.row(runs[i].parameter, runs[i].value, seed, step, value, int(3 * step > 2 * opt.steps));
        progress.show(long(seed - opt.seed) * in_all + i + 1);
      });
    }
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    std::string headline;
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"parameter"}, "value", "eval_return"))
      headline += (headline.empty() ? "best " : ", ") + c.label + " " +
                  to_text(c.x[std::max_element(c.mean.begin(), c.mean.end()) - c.mean.begin()]);
    finish(opt, headline.empty() ? "no evaluation" : headline);
  });
}

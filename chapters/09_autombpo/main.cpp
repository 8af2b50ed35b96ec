// AutoMBPO (slides "AutoMBPO Framework", "AutoMBPO Experiments", "Hyperparameter Schedule Visualization"): a controller
// that 09_autombpo_train has learned schedules the hyper-parameters of fresh runs of MBPO; beside it plain MBPO and a
// schedule made by hand. The picture: return, and each hyper-parameter against progress.
//
//   build/09_autombpo                  pendulum, 2 seeds
//   build/09_autombpo --seeds 10
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/00_toolbox/curves.h"      // curves
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/06_mbpo/claims.h"         // difference, last_returns
#include "chapters/09_autombpo/hyper_episode.h"  // load_controller, HyperRun
#include "chapters/09_autombpo/side_by_side.h"
#include "plots/plot.h"  // Figure, draw

struct Options : AutoOptions {
  using AutoOptions::AutoOptions;
  static constexpr const char* about = "AutoMBPO (slide \"AutoMBPO Experiments\")";
  std::string controller   = opt("controller", "chapters/09_autombpo/controller.safetensors",
                                 "the file that 09_autombpo_train has saved");
  std::vector<double> hand = opt("hand", std::vector<double>{0, 3000, 0.5, 1},
                                 "real ratio made by hand, e0,e1,b0,b1: b0 until real step e0, b1 from e1 on",
                                 range(0, 1e9));
  static Preset lecture() {
    Preset preset = AutoOptions::lecture();
    preset.insert({{"seeds", 2}});
    return preset;
  }
  void check() const {
    AutoOptions::check();
    check_schedule("--hand", hand);
    if (std::max(hand[hand.size() / 2], hand.back()) > 1)
      throw BadInput("--hand " + join(hand, ",") + ": real ratios are at most 1");
  }
};
const std::vector<std::string> algos = {"autombpo", "unchanged", "plain", "hand"};
std::string name_of(const std::string& algo) {
  return algo == "autombpo" ? "AutoMBPO"
         : algo == "unchanged" ? "what it begins with"
         : algo == "plain" ? "MBPO"
                           : "by hand";
}

struct Row {
  long env_steps;
  Hyper h;
  double eval_return;
};

//(b2) a better understanding through scheduling: one run, tau_c real steps after each decision.
std::vector<Row> run(const Options& opt, const Controller& controller, const std::string& algo, int seed) {
  std::vector<Row> rows;
  HyperRun run(opt, seed);
  Rng rng = controller_rng(seed);
  while (!run.over() && !interrupted()) {
    if (algo == "autombpo") run.h = changed(opt, run.h, controller.decide(run.state(), 0, rng).a);
    if (algo == "plain") run.h.real_ratio = opt.plain_ratio;
    if (algo == "hand") run.h.real_ratio = Real(schedule(run.x.step, opt.hand));
    run.step();
    if (!interrupted()) rows.push_back({run.x.step, run.h, run.eval_return});
  }
  return rows;
}

//(b8) Hyperparameter Schedule Visualization. From the CSV file.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1300, .height = 760, .columns = 3};
  for (const auto& [column, label] : {std::pair("eval_return", "return of an episode"), {"real_ratio", "real ratio"},
                                      {"G", "G, updates per real step"}, {"k", "k, steps of a branch"},
                                      {"trained", "share of runs that train the model"}}) {
    Panel panel{.x_label = "real environment steps", .y_label = label};
    for (const Curve& c : curves(table, {"algo"}, "env_steps", column))
      panel.layers.push_back(curve(name_of(c.label), c.x, c.mean, c.low, c.high));
    panel.key = figure.panels.empty() ? Key::bottom_right : Key::off;
    if (!figure.panels.empty()) panel.y = {0, open_end};
    figure.panels.push_back(panel);
  }
  figure.panels[0].title = opt.env;
  draw(figure, opt.path(".png"));
}

// The slope of y against x by least squares.
double slope(const std::vector<double>& x, const std::vector<double>& y) {
  const Eigen::ArrayXd X = Eigen::Map<const Eigen::ArrayXd>(x.data(), Eigen::Index(x.size()));
  const Eigen::ArrayXd Y = Eigen::Map<const Eigen::ArrayXd>(y.data(), Eigen::Index(y.size()));
  return ((X - X.mean()) * (Y - Y.mean())).sum() / (X - X.mean()).square().sum();
}

void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  if (opt.Args::smoke) return;
  const std::string slide = "AutoMBPO Experiments";
  for (const std::string other : {"plain", "unchanged", "hand"})
    for (const auto& [what, last] : {std::pair("all evaluations", SIZE_MAX), {"the last three", std::size_t(3)}})
      claims.at_least(opt.env + ": AutoMBPO minus " + name_of(other) + ", mean return of " + what, slide,
                      difference(opt, table, "autombpo", other, last), 0);
  std::vector<double> rise;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("algo", "autombpo").where("seed", to_text(seed));
    rise.push_back(slope(rows.numbers("env_steps"), rows.numbers("real_ratio")) * opt.steps);
  }
  claims.at_least(opt.env + ": slope of the real ratio, per run", "Hyperparameter Schedule Visualization", rise, 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    Rng rng(0);
    Controller controller({}, hyper_state_dim, choices, opt.controller_hidden, rng);
    load_controller(opt.controller, controller);  // refused before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "real_ratio", "G", "k", "trained"});
    const int n = opt.seeds * int(algos.size());
    Progress progress(opt, n, "return", "runs");
    std::vector<std::vector<Row>> runs(n);
    const auto algo = [&](int i) { return algos[i % algos.size()]; };
    const auto seed = [&](int i) { return opt.seed + i / int(algos.size()); };
    side_by_side(n, [&](int i) { runs[i] = run(opt, controller, algo(i), seed(i)); }, [&](int i) {
      for (const auto& [env_steps, h, eval_return] : runs[i])
        log.row(algo(i), opt.env, seed(i), env_steps, eval_return, h.real_ratio, h.G, h.k, int(h.train));
      progress.show(i + 1, runs[i].back().eval_return);
    });
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, name_of));
  });
}

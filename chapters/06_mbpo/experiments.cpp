// "Does the model really help improve the data efficiency?" (slides "Key Questions of Deep MBRL", "MBPO Experiments").
// MBPO; the same learner without a model and as many updates (SAC at the same G); the same at G = 1; on pendulum also
// SAC with the settings of chapter 05. The picture: return against real steps, as dots what was published of MBPO, and
// PPO's and PETS's curves if 05_model_free_ppo and 04_pets have run before on the same task and into the same folder.
//
//   build/06_mbpo_experiments            pendulum, 1 seed: 31 s, 22 MB
//   build/06_mbpo_experiments --env half_cheetah --seeds 5
#include <algorithm>
#include <filesystem>
#include "chapters/00_toolbox/curves.h"      // curves
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/06_mbpo/claims.h"
#include "chapters/06_mbpo/learn.h"
#include "plots/plot.h"  // Figure, draw

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "MBPO against SAC (slide \"MBPO Experiments\")";
  int slow_steps = opt("slow-steps", 6000, "real steps of SAC at G = 1, at least --steps; 0: not run", at_least(0));
  int sac_batch  = opt("sac-batch", 256, "transitions of an update of chapter 05's SAC", at_least(1));
  Real sac_alpha = opt("sac-alpha", 1.0f, "its temperature at the start", above(0));
  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif"};
  }
  static Preset lecture() { return {{"steps", 2000}}; }
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert_or_assign("slow-steps", 120), preset.insert_or_assign("sac-batch", 16);
    return preset;
  }
  void check() const {
    MbpoOptions::check();
    if (!uses_model()) throw BadInput("--real-ratio 1: that is SAC, which is run beside MBPO anyway");
  }
  std::string name(const std::string& algo) const {
    return algo == "mbpo"       ? "MBPO, G = " + to_text(updates)
           : algo == "sac"      ? "SAC, same learner, G = " + to_text(updates)
           : algo == "sac_slow" ? "SAC, same learner, G = 1"
                                : "SAC of chapter 05, G = 1";
  }
  std::vector<std::string> algos() const {
    std::vector<std::string> all = {"mbpo", "sac"};
    if (slow_steps > 0) all.push_back("sac_slow");
    if (slow_steps > 0 && env == "pendulum") all.push_back("sac_05");
    return all;
  }
  MbpoOptions with(const std::string& algo) const {
    MbpoOptions opt = *this;
    if (algo != "mbpo") opt.real_ratio = 1;
    if (algo.starts_with("sac_")) opt.updates = 1, opt.steps = std::max(steps, slow_steps);
    if (algo == "sac_05") opt.batch = sac_batch, opt.alpha = sac_alpha;
    return opt;
  }
};

// MBPO's published returns: its authors' and a port's, read off the figure in mbpo_pytorch's README; the baseline of
// AutoMBPO, a table in its repository; DI-engine's, read off its figure.
struct Published {
  const char *env, *by;
  std::vector<double> steps, returns;
};
const std::vector<Published> published = {
    {"hopper", "authors", {25000, 40000, 60000, 100000, 120000}, {580, 900, 2600, 3300, 3350}},
    {"hopper", "mbpo_pytorch", {40000, 50000, 60000, 100000, 120000}, {1500, 2600, 3200, 3700, 3500}},
    {"hopper", "in AutoMBPO", {10000, 20000, 30000, 40000}, {522, 972, 1259, 1602}},
    {"half_cheetah", "DI-engine", {20000}, {5000}}};

// From the CSV files.
void plot(const Options& opt) {
  Panel panel{.title = opt.env, .x_label = "real environment steps", .y_label = "return of an episode"};
  double last = 0;
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"algo"}, "env_steps", "eval_return")) {
    panel.layers.push_back(curve(opt.name(c.label), c.x, c.mean, c.low, c.high));
    last = std::max(last, c.x.back());
  }
  for (const auto& [program, name] : {std::pair("05_model_free_ppo", "PPO"), std::pair("04_pets", "PETS")}) {
    const std::string path = (std::filesystem::path(opt.out) / program).string() + ".csv";
    if (!std::filesystem::exists(path)) continue;
    const Table table = read_csv(path);
    const std::string task = table.options.contains("env") ? table.options.at("env") : "";
    if (task != opt.env && task != opt.env + "_pets") continue;  // the same robot and reward, other observations
    for (Curve c : curves(table, {"algo"}, "env_steps", "eval_return")) {
      if (c.label == "true_model") continue;
      const std::size_t n = std::upper_bound(c.x.begin(), c.x.end(), last) - c.x.begin();
      for (std::vector<double>* column : {&c.x, &c.mean, &c.low, &c.high}) column->resize(n);
      if (n > 1) panel.layers.push_back(curve(name, c.x, c.mean, c.low, c.high));
    }
  }
  for (const Published& p : published) {
    const std::size_t n = std::upper_bound(p.steps.begin(), p.steps.end(), last) - p.steps.begin();
    if (p.env != opt.env || n == 0) continue;
    panel.layers.push_back(points("published, " + std::string(p.by), {p.steps.begin(), p.steps.begin() + n},
                                  {p.returns.begin(), p.returns.begin() + n}));
    panel.layers.back().width = 1.5;
  }
  draw({.width = 900, .height = 520, .panels = {panel}}, opt.path(".png"));
}

// How many times the real steps of MBPO do the others need to the threshold? Medians, and seed by seed. A run of the
// others that never gets there counts as long as it was.
void claim_steps(const Options& opt, const Table& table, double threshold, Claims& claims) {
  const std::string slide = "MBPO Experiments";
  const std::vector<double> mbpo = steps_to(opt, table.where("algo", "mbpo"), threshold);
  for (const auto& [algo, factor] : {std::pair("sac_05", 3.0), std::pair("sac_slow", 3.0), std::pair("sac", 1.1)}) {
    if (table.where("algo", algo).rows.empty()) continue;
    std::vector<double> steps = steps_to(opt, table.where("algo", algo), threshold), ratios;
    for (double& n : steps) n = std::min(n, double(opt.with(algo).steps));
    for (std::size_t i = 0; i < steps.size(); ++i) ratios.push_back(steps[i] / mbpo[i]);
    const std::string what = opt.env + ": steps to " + to_text(threshold) + ", " + opt.name(algo) + " over MBPO, ";
    claims.at_least(what + "medians", slide, exact(median(steps) / median(mbpo)), factor);
    claims.at_least(what + "each seed", slide, ratios, factor);
  }
}

// MBPO minus SAC at the same G.
void claim_area(const Options& opt, const Table& table, Claims& claims) {
  const std::string what = opt.env + ": MBPO minus SAC at the same G, ", slide = "Key Questions of Deep MBRL";
  claims.at_least(what + "mean return of all evaluations", slide, difference(opt, table, "mbpo", "sac"), 0);
  claims.at_least(what + "mean return of the last three", slide, difference(opt, table, "mbpo", "sac", 3), 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "G"});
    long total = 0, done = 0;
    for (const std::string& algo : opt.algos())
      total += long(opt.with(algo).steps) * opt.with(algo).updates * opt.seeds;
    Progress progress(opt, total, "return", "updates");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed)
      for (const std::string& algo : opt.algos()) {
        if (interrupted()) break;
        const MbpoOptions how = opt.with(algo);
        Training x(how, seed);
        learn(how, x, [&] {
          progress.show(done + x.step * how.updates);
          if (opt.eval_every > 0 && x.step % opt.eval_every == 0)
            log.row(algo, opt.env, seed, x.step, evaluate(how, x).eval_return, how.updates);
        });
        done += long(how.steps) * how.updates;
      }
    if (!interrupted()) {
      const Table table = read_csv(opt.path(".csv"));
      Claims claims(opt);
      if (opt.env == "pendulum") claim_steps(opt, table, -250, claims);
      claim_area(opt, table, claims);
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, last_returns(opt, [&](const std::string& algo) { return opt.name(algo); }));
  });
}

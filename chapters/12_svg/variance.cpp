// Why whitebox? The same gradient estimated in two ways: through the model, by reparameterisation, and from samples
// alone, by the score function (slides "From Deterministic to Stochastic"). The picture: their variances against the
// length of a trajectory, and how many samples of the one are worth a sample of the other.
//
//   s' = 0.9 s + a + 0.1 xi,   a = theta s + 0.5 eta,   r = -s^2 - 0.1 a^2,   s_0 = 1, theta = -0.5
//
//   build/12_svg_variance                      5 seeds of 20000 samples each: 1 s, 40 MB
#include <map>
#include "chapters/00_toolbox/args.h"      // Args, parse
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/12_svg/estimators.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Pathwise and score-function gradients (slides \"From Deterministic to "
                                       "Stochastic\")";
  int horizon = opt("horizon", 20, "T, the longest trajectory", range(1, 1000));
  int samples = opt("samples", 20000, "trajectories of a seed", at_least(2));
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() { return {{"horizon", 12}, {"samples", 100}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

const std::string slide = "From Deterministic to Stochastic";

// The ratios that an independent program gave for the same task, 20000 samples.
const std::map<int, double> expected = {{1, 490}, {5, 15}, {10, 22}, {20, 41}};

void claim(const Options& opt, const Table& table) {
  Claims claims(opt);
  for (const auto& [T, ratio] : expected) {
    if (T > opt.horizon || opt.Args::smoke) continue;
    const Table rows = table.where("T", to_text(T));
    claims.between("variance of the score function's gradient over that of the pathwise one, T = " + to_text(T), slide,
                   rows.numbers("ratio"), std::round(8 * ratio) / 10, std::round(12 * ratio) / 10);
    std::vector<double> difference = rows.numbers("score_mean"), pathwise = rows.numbers("pathwise_mean");
    for (std::size_t i = 0; i < difference.size(); ++i) difference[i] /= pathwise[i];
    claims.between("mean of the score function's gradient over that of the pathwise one, T = " + to_text(T), slide,
                   difference, 0.8, 1.2);
  }
}

void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Panel variance{.title = "gradient of one trajectory", .x_label = "T, steps of the trajectory",
                 .y_label = "variance of dJ/dtheta (reward^2)", .y = {0.005, open_end}, .log_y = true};
  Panel worth{.title = "what the model's derivatives are worth", .x_label = "T, steps of the trajectory",
              .y_label = "score-function samples for a pathwise one", .log_y = true, .key = Key::off};
  for (const auto& [column, label] : {std::pair("score_variance", "score function: samples alone"),
                                      std::pair("pathwise_variance", "pathwise: through the model")})
    for (const Curve& c : curves(table, {}, "T", column)) variance.layers.push_back(line(label, c.x, c.mean));
  for (const Curve& c : curves(table, {}, "T", "ratio")) worth.layers.push_back(line("", c.x, c.mean));
  draw({.width = 1000, .height = 420, .panels = {variance, worth}}, opt.path(".png"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "T", "pathwise_mean", "score_mean", "pathwise_variance", "score_variance", "ratio"});
    Progress progress(opt, long(opt.horizon) * opt.seeds, "ratio", "lengths");
    double ratio = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      for (int T = 1; T <= opt.horizon && !interrupted(); ++T) {
        const Estimates g = estimate(T, opt.samples, rng);
        const SampleMoments pathwise = moments(g.pathwise), score = moments(g.score);
        ratio = score.variance / pathwise.variance;
        log.row(seed, T, pathwise.mean, score.mean, pathwise.variance, score.variance, ratio);
        progress.show(long(seed - opt.seed) * opt.horizon + T, ratio);
      }
    }
    if (!interrupted()) claim(opt, read_csv(opt.path(".csv")));
    if (!opt.no_plot) plot(opt);
    finish(opt, "a pathwise gradient is worth " + to_text(std::lround(ratio)) + " of the score function's, T = " +
                    to_text(opt.horizon));
  });
}

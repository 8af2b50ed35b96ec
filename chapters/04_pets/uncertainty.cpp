// Two kinds of uncertainty (slide "PETS: Probabilistic Ensembles with Trajectory Sampling", the picture of two
// bootstraps): each network learns the noise of the data; where there are no data, the networks disagree.
//
//   build/04_pets_uncertainty            a function with uneven noise, 5 seeds: 1 s, 20 MB
#include <cmath>
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks
#include "chapters/04_pets/pets_options.h"
#include "plots/plot.h"  // Figure, draw

struct Options : ModelOptions {
  using ModelOptions::ModelOptions;
  static constexpr const char* about = "Aleatoric and epistemic uncertainty of a probabilistic ensemble (slide \"PETS: "
                                       "Probabilistic Ensembles with Trajectory Sampling\")";
  int data = opt("data", 1000, "samples to learn from", at_least(10));
  static std::vector<std::string> without() { return {"gif"}; }
  static Preset lecture() { return {{"seeds", 5}, {"epochs", 200}}; }
  static Preset smoke() { return {{"seeds", 2}, {"data", 50}, {"epochs", 3}, {"members", 2}, {"hidden", 8}}; }
  void check() const {
    ensemble().check();
    if (ensemble().members < 2 || !ensemble().probabilistic)
      throw BadInput("--model " + model + " with --members " + to_text(members) + ": the picture shows two bootstraps, "
                     "wanted PE with at least 2");
  }
};

// The function, and the standard deviation of the noise on it.
Mat truth(const Mat& x) { return sin(2 * x) + x / 4; }
Mat noise(const Mat& x) { return Real(0.03) + Real(0.3) * sigmoid(2 * x); }
Mat observed(const Mat& x, Rng& rng) { return truth(x) + noise(x) * rng.normal(1, x.cols()); }

// Places with data: x in [-2.5, -0.5] and [1, 2.5].
Mat places(int n, Rng& rng) {
  Mat x = rng.uniform(1, n, 0, 3.5);
  return (x < 2).select(x - Real(2.5), x - 1);
}
bool has_data(double x) { return (-2.5 <= x && x <= -0.5) || (1 <= x && x <= 2.5); }

// Row by row over x in [-5, 5]. Returns the share of new samples in the band mean +- 1.96 sigma, sigma^2 aleatoric.
double run(const Options& opt, int seed, Ensemble& model, RunLog& log, RunLog& data) {
  Rng rng(seed);
  const Mat x = places(opt.data, rng), y = observed(x, rng);
  model.fit(x, y, rng);
  for (int i = 0; i < x.cols() && seed == opt.seed; ++i) data.row(x(0, i), y(0, i));

  const Mat grid = Mat::NullaryExpr(1, 401, [](Eigen::Index j) { return -5 + Real(j) / 40; });
  const Moments m = moments(model, grid);
  const Gaussian<Mat> first = model.elite(0).predict(grid), second = model.elite(1).predict(grid);
  const Mat f = truth(grid), sd = noise(grid);
  for (int j = 0; j < grid.cols(); ++j)
    log.row(seed, grid(0, j), f(0, j), sd(0, j), m.mean(0, j), std::sqrt(m.aleatoric(0, j)),
            std::sqrt(m.epistemic(0, j)), first.mu(0, j), std::exp(first.log_var(0, j) / 2), second.mu(0, j),
            std::exp(second.log_var(0, j) / 2));

  const Mat x_new = places(10000, rng), y_new = observed(x_new, rng);
  const Moments at = moments(model, x_new);
  return double(((y_new - at.mean).abs() < Real(1.96) * at.aleatoric.sqrt()).cast<double>().mean());
}

// mean +- 2 sigma, sigma^2 the sum of the squares of the given columns.
Layer band(const std::string& label, const Table& rows, const std::string& mean,
           const std::vector<std::string>& sigmas) {
  const std::vector<double> mu = rows.numbers(mean);
  std::vector<double> low = mu, high = mu, var(mu.size());
  for (const std::string& sigma : sigmas) {
    const std::vector<double> s = rows.numbers(sigma);
    for (std::size_t i = 0; i < s.size(); ++i) var[i] += s[i] * s[i];
  }
  for (std::size_t i = 0; i < var.size(); ++i) low[i] -= 2 * std::sqrt(var[i]), high[i] += 2 * std::sqrt(var[i]);
  return curve(label, rows.numbers("x"), mu, low, high);
}

// From the CSV files, of the first seed: the slide's picture, and the two parts of the variance.
void plot(const Options& opt) {
  const Table rows = read_csv(opt.path(".csv")).where("seed", to_text(opt.seed));
  const Table data = read_csv(opt.path("_data.csv"));
  if (rows.rows.empty()) return;
  Layer dots = points("training data", data.numbers("x"), data.numbers("y"));
  dots.colour = colour::grey, dots.width = 0.3;
  Layer f = dashed("true mean", rows.numbers("x"), rows.numbers("truth"));
  f.colour = colour::black;
  const Panel axes{.x_label = "x", .y_label = "y", .x = {-5, 5}, .y = {-4, 4}};
  Panel left = axes, right = axes;
  left.title = "two bootstraps, each with its mean +- 2 sigma";
  left.layers = {dots, f, band("bootstrap 1", rows, "mu_1", {"sigma_1"}),
                 band("bootstrap 2", rows, "mu_2", {"sigma_2"})};
  right.title = "the ensemble's mean +- 2 sigma";
  Layer both = band("aleatoric + epistemic", rows, "mean", {"aleatoric", "epistemic"});
  both.colour = colour::orange;
  Layer noise_only = band("aleatoric", rows, "mean", {"aleatoric"});
  noise_only.colour = colour::blue;
  right.layers = {dots, f, both, noise_only};
  draw({.width = 1000, .height = 460, .panels = {left, right}}, opt.path(".png"));
}

void claim(const Options& opt, const std::vector<double>& coverage) {
  const std::string slide = "PETS: Probabilistic Ensembles with Trajectory Sampling";
  const Table table = read_csv(opt.path(".csv"));
  std::vector<double> ratios;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("seed", to_text(seed));
    const std::vector<double> x = rows.numbers("x"), epistemic = rows.numbers("epistemic");
    double on = 0, off = 0;
    int n_on = 0, n_off = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (has_data(x[i])) on += epistemic[i] * epistemic[i], ++n_on;
      else if (std::abs(x[i]) > 3) off += epistemic[i] * epistemic[i], ++n_off;
    ratios.push_back(off / n_off / (on / n_on));
  }
  Claims claims(opt);
  claims.between("share of new samples in the 95 % aleatoric band", slide, coverage, 0.92, 0.98);
  claims.at_least("epistemic variance for abs(x) > 3 over that on the data", slide, ratios, 5);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    Rng first(opt.seed);
    Ensemble model(1, 1, opt.ensemble(), first);
    if (!opt.load.empty()) load_networks(opt.load, model);
    RunLog log(opt, {"seed", "x", "truth", "noise", "mean", "aleatoric", "epistemic", "mu_1", "sigma_1", "mu_2",
                     "sigma_2"});
    RunLog data(opt, {"x", "y"}, "_data.csv");
    Progress progress(opt, opt.seeds, "coverage", "seeds");
    std::vector<double> coverage;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      model = Ensemble(1, 1, opt.ensemble(), rng);
      if (!opt.load.empty()) load_networks(opt.load, model);
      coverage.push_back(run(opt, seed, model, log, data));
      progress.show(long(coverage.size()), coverage.back());
    }
    if (!opt.save.empty()) save_networks(opt.save, model, {{"program", opt.program}});
    if (!interrupted()) claim(opt, coverage);
    if (!opt.no_plot) plot(opt);
    finish(opt, coverage.empty() ? "no fit was finished"
                                 : to_text(std::round(1000 * coverage.back()) / 10) +
                                       " % of new samples lie in the 95 % aleatoric band");
  });
}

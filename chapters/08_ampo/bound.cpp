// The lower bound with an integral probability metric (slide "A Lower Bound for Expected Return"), every term exact on
// random finite MDPs: which of the three is the largest? And the bound of domain adaptation (slide "Review: Domain
// Adaptation") on a line: where it is attained, and what it says when the labels move as well.
//
//   build/08_ampo_bound                  10 seeds, 1000 MDPs: 1 s, 30 MB
#include <algorithm>
#include <cmath>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/00_toolbox/statistics.h"  // quantile
#include "chapters/06_mbpo/over_mdps.h"    // over_mdps
#include "chapters/08_ampo/bound.h"
#include "chapters/08_ampo/domain.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "The lower bound with an IPM, and domain adaptation (slides \"A Lower Bound for "
                                       "Expected Return\" and \"Review: Domain Adaptation\")";
  int mdps       = opt("mdps", 100, "random MDPs of a seed, and random domains", range(1, 100000));
  std::vector<int> states = opt("states", std::vector<int>{5, 10, 20, 40}, "Vol(S), states of an MDP", range(2, 200));
  std::vector<int> data   = opt("data", std::vector<int>{100, 300, 1000, 3000, 10000, 30000}, "n, transitions of pi_D "
                                "that the model learns from", range(1, 10000000));
  int actions    = opt("actions", 3, "actions of an MDP", range(2, 20));
  int successors = opt("successors", 3, "states that can follow a state and an action", at_least(1));
  double gamma   = opt("gamma", 0.9, "gamma, discount of the MDPs", range(0.01, 0.99));
  double prior   = opt("prior", 0.5, "a model's transitions of each (s, a) before the first, spread over all s'",
                       above(0));
  int points     = opt("points", 30, "points of a random domain", range(2, 1000));
  int hypotheses = opt("hypotheses", 20, "hypotheses on a random domain", range(1, 1000));
  double K       = opt("lipschitz", 1.0, "K, largest slope of a hypothesis", range(0.01, 100));
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"mdps", 5}, {"data", {100, 1000}}, {"states", {5, 10}}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  void check() const {
    if (const int least = *std::min_element(states.begin(), states.end()); successors > least)
      throw BadInput("--successors " + to_text(successors) + ": wanted at most the least of --states, " +
                     to_text(least));
  }
};

const std::string slide = "A Lower Bound for Expected Return", slide_domain = "Review: Domain Adaptation";

// A random MDP with rewards in [0, 1], the policy that collects the data, one near it, a model from n transitions.
void compare(const Options& opt, int seed, int number, Rng& rng, RunLog& log) {
  const int states = opt.states[rng.below(opt.states.size())], n = opt.data[rng.below(opt.data.size())];
  FiniteMdp mdp = random_mdp(states, opt.actions, opt.successors, opt.gamma, rng);
  for (double& r : mdp.r.reshaped()) r = rng.uniform();
  const Matrix pi_D = random_policy(states, opt.actions, rng);
  const double away = rng.uniform(0.02, 0.5);
  const Matrix pi = (1 - away) * pi_D + away * random_policy(states, opt.actions, rng);
  const Kernel T_hat = estimate(count(mdp, pi_D, n, rng), opt.prior);
  const LowerBound b = lower_bound(mdp, T_hat, pi, pi_D);
  log.row(seed, number, states, n, b.R, b.eps_pi, b.d_F, b.eta, b.eta_hat, b.shift, b.distance, b.model, b.gap(),
          b.visits, b.split, b.summed, b.subtracted());
}

// The worst of some hypotheses on a random domain: how much of 2 K W1 is used up.
void adapt(const Options& opt, int seed, int number, Rng& rng, RunLog& log) {
  const TwoDomains D = random_domains(opt.points, opt.K, rng);
  std::vector<Vector> H = {D.y_s};  // what is learned on the source can be perfect there
  while (int(H.size()) < opt.hypotheses) H.push_back(random_lipschitz(D.x, opt.K, rng));
  const double w1 = D.w1(), lambda = D.lambda(H);
  double worst = -INFINITY, violations = 0;
  for (const Vector& h : H) {
    worst = std::max(worst, D.target_error(h) - D.source_error(h) - lambda);
    violations += D.target_error(h) > target_bound(D, h, H, opt.K) + 1e-12;
  }
  log.row(seed, number, w1, lambda, worst, worst / (2 * opt.K * w1), violations);
}

// ---- Three examples against d: mu_s = N(0, 1), mu_t = N(d, 1), on a grid ----

const std::vector<std::string> examples = {"the same labels", "the labels move too", "the worst case"};
constexpr double furthest = 3;

// Labels y = K sin(x); in the second target -y. H: lines of slope up to K; h is the best of them on the source. The
// worst case: labels K |x|, the hypothesis -K |x|, uniform measures on [0, 1] and [d, d + 1].
void log_examples(const Options& opt) {
  RunLog log(opt, {"example", "d", "w1", "lambda", "error_src", "error_tgt", "bound", "lipschitz"}, "_domain.csv");
  const double K = opt.K;
  const Vector x = Vector::LinSpaced(601, -6, 6 + furthest), y = K * x.array().sin().matrix();
  std::vector<Vector> lines;
  for (int slope = -10; slope <= 10; ++slope)
    for (int at_0 = -10; at_0 <= 10; ++at_0)
      lines.push_back((K * (slope * x.array() + at_0) / 10).matrix());
  for (double d = 0; d <= furthest; d += 0.125)
    for (int i = 0; i < 3; ++i) {
      TwoDomains D{x, normal_on(x, 0), normal_on(x, d), y, i == 1 ? Vector(-y) : y};
      std::vector<Vector> H = lines;
      if (i == 2) {
        D.mu_s = ((x.array() >= -1e-9) && (x.array() <= 1 + 1e-9)).cast<double>().matrix();
        D.mu_t = ((x.array() >= d - 1e-9) && (x.array() <= d + 1 + 1e-9)).cast<double>().matrix();
        D.mu_s /= D.mu_s.sum(), D.mu_t /= D.mu_t.sum();
        D.y_s = D.y_t = K * x.cwiseAbs();
        H = {-D.y_s, D.y_s};
      }
      const Vector h = i == 2 ? H[0] : *std::min_element(H.begin(), H.end(), [&](const Vector& a, const Vector& b) {
        return D.source_error(a) < D.source_error(b);
      });
      log.row(examples[i], d, D.w1(), D.lambda(H), D.source_error(h), D.target_error(h), target_bound(D, h, H, K),
              lipschitz(x, h));
    }
}

// The three terms and the true gap, in units of R = 1: no gap is larger.
Panel plot_terms(const Table& table, const std::string& x, Panel panel) {
  panel.y_label = "share of R (median, middle 90 %)", panel.log_y = true, panel.key = Key::below;
  panel.layers = {over_mdps(table, "γ R d_F Vol(S)", x, "distance"), over_mdps(table, "γ R E √(2 KL)", x, "model"),
                  over_mdps(table, "R ε_π", x, "shift"), over_mdps(table, "true |η - η_hat|", x, "gap")};
  constexpr Colour colours[] = {colour::vermillion, colour::orange, colour::purple, colour::blue};
  for (int i = 0; i < 4; ++i) panel.layers[i].colour = colours[i];
  const std::vector<double>& where = panel.layers[0].x;
  if (where.front() < where.back()) panel.x = {where.front(), where.back()};
  panel.layers.push_back(dashed("", {where.front(), where.back()}, {1, 1}));
  panel.layers.back().colour = colour::black;
  return panel;
}

Panel plot_example(const Table& table, const std::string& name) {
  const Table rows = table.where("example", name);
  const std::vector<double> d = rows.numbers("d");
  Panel panel{.title = "Theorem 1: " + name, .x_label = "d, how far the target is from the source",
              .y_label = "mean |h(x) - y(x)|", .key = Key::top_left};
  panel.layers = {line("ε_s(h) + 2K W1 + λ", d, rows.numbers("bound")), line("ε_t(h)", d, rows.numbers("error_tgt")),
                  line("ε_s(h)", d, rows.numbers("error_src")), line("λ", d, rows.numbers("lambda"))};
  constexpr Colour colours[] = {colour::vermillion, colour::blue, colour::sky, colour::orange};
  for (int i = 0; i < 4; ++i) panel.layers[i].colour = colours[i];
  panel.layers[0].width = 4, panel.layers[3].dashed = true;
  return panel;
}

// From the CSV files.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), domain = read_csv(opt.path("_domain.csv"));
  if (table.rows.empty()) return;
  const std::string mdps = to_text(long(table.rows.size())) + " random MDPs, γ = " + to_text(opt.gamma);
  draw({.width = 1200, .height = 1000, .columns = 2,
        .panels = {plot_terms(table, "env_steps", {.title = mdps, .x_label = "n, transitions that the model has seen",
                                                   .log_x = true}),
                   plot_terms(table, "states", {.title = mdps, .x_label = "Vol(S), number of states"}),
                   plot_example(domain, examples[0]), plot_example(domain, examples[1])}},
       opt.path(".png"));
}

// In how many rows `small` is larger than `large`, but for rounding.
double violations(const Table& table, const std::string& small, const std::string& large) {
  const std::vector<double> x = table.numbers(small), y = table.numbers(large);
  double n = 0;
  for (std::size_t i = 0; i < x.size(); ++i) n += !(x[i] <= y[i] + 1e-10);
  return n;
}

void claim(const Options& opt, const Table& table) {
  const Table random = read_csv(opt.path("_random.csv"));
  const Table worst_case = read_csv(opt.path("_domain.csv")).where("example", examples[2]);
  Claims claims(opt);
  const std::string of = " on " + to_text(long(table.rows.size())) + " random MDPs";
  const std::vector<double> eta = table.numbers("eta"), eta_hat = table.numbers("eta_hat");
  const std::vector<double> subtracted = table.numbers("subtracted");
  double wrong = 0;
  for (std::size_t i = 0; i < eta.size(); ++i) wrong += !(eta[i] >= eta_hat[i] - subtracted[i] - 1e-10);
  claims.at_most("violations of eta >= eta_hat - three terms" + of, slide, exact(wrong), 0);
  const std::vector<std::string> chain = {"gap", "visits", "split", "summed", "subtracted"};
  for (std::size_t i = 0; i + 1 < chain.size(); ++i)
    claims.at_most("violations of " + chain[i] + " <= " + chain[i + 1] + of, slide,
                   exact(violations(table, chain[i], chain[i + 1])), 0);
  for (const int n : {opt.data.front(), opt.data.back()}) {  // the order changes with the data
    const Table rows = table.where("env_steps", to_text(n));
    if (rows.rows.empty()) continue;
    const bool few = n == opt.data.front();
    const double larger = violations(rows, few ? "model" : "distance", few ? "distance" : "model");
    claims.at_least("n = " + to_text(n) + ": share of MDPs whose " + (few ? "KL term exceeds the d_F Vol(S) term"
                                                                          : "d_F Vol(S) term exceeds the KL term"),
                    slide, exact(larger / double(rows.rows.size())), 0.5);
  }
  const std::vector<double> broken = random.numbers("violations"), used = random.numbers("used");
  double all = 0;
  for (const double b : broken) all += b;
  claims.at_most("violations of Theorem 1 by " + to_text(opt.hypotheses) + " hypotheses on " +
                     to_text(long(broken.size())) + " random pairs of domains", slide_domain, exact(all), 0);
  double least = INFINITY;
  const std::vector<double> w1 = worst_case.numbers("w1"), tgt = worst_case.numbers("error_tgt");
  const std::vector<double> src = worst_case.numbers("error_src");
  for (std::size_t i = 1; i < w1.size(); ++i) least = std::min(least, (tgt[i] - src[i]) / (2 * opt.K * w1[i]));
  claims.between("the worst case: (eps_t - eps_s - lambda) / (2 K W1), least over d", slide_domain, exact(least),
                 1 - 1e-9, 1 + 1e-9);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "mdp", "states", "env_steps", "R", "eps_pi", "d_F", "eta", "eta_hat", "shift", "distance",
                     "model", "gap", "visits", "split", "summed", "subtracted"});
    RunLog random(opt, {"seed", "pair", "w1", "lambda", "worst", "used", "violations"}, "_random.csv");
    log_examples(opt);
    Progress progress(opt, long(opt.seeds) * opt.mdps, "", "MDPs");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      for (int i = 0; i < opt.mdps && !interrupted(); ++i) {
        compare(opt, seed, i, rng, log);
        adapt(opt, seed, i, rng, random);
        progress.show(++done);
      }
    }
    std::string headline = "stopped after " + to_text(done) + " MDPs";
    if (!interrupted()) {
      const Table table = read_csv(opt.path(".csv"));
      claim(opt, table);
      const auto percent = [&](const std::string& column) {
        return to_text(std::round(1000 * quantile(table.numbers(column), 0.5)) / 10) + " % of R";
      };
      headline = to_text(violations(table, "gap", "subtracted")) + " violations on " + to_text(done) +
                 " random MDPs; medians: d_F Vol(S) " + percent("distance") + ", KL " + percent("model") + ", eps_pi " +
                 percent("shift") + ", true gap " + percent("gap");
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

// The bound as a function of k, its best k, and what it is worth (slides "Bound based on Model & Policy Error" and
// "Summary of Theoretic Analysis in MBRL"): on random finite MDPs both sides are computed exactly.
// Read the bound for its shape, not for its size: as a number it is vacuous.
//
//   build/06_mbpo_bound                  20 seeds, 1000 MDPs: 2 s, 30 MB
#include <algorithm>
#include <cmath>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/00_toolbox/statistics.h"  // mean, quantile, rank_correlation
#include "chapters/06_mbpo/bound.h"
#include "chapters/06_mbpo/over_mdps.h"
#include "chapters/06_mbpo/tabular_mbpo.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "The branched rollout's bound against k (slide \"Bound based on Model & Policy "
                                       "Error\")";
  int mdps       = opt("mdps", 50, "random MDPs of a seed", range(1, 100000));
  int states     = opt("states", 20, "states of an MDP", range(2, 200));
  int actions    = opt("actions", 3, "actions of an MDP", range(2, 20));
  int successors = opt("successors", 3, "states that can follow a state and an action", at_least(1));
  double gamma   = opt("gamma", 0.9, "gamma, discount of the MDPs", range(0.01, 0.99));
  int longest    = opt("longest", 30, "largest k, steps of a branched rollout", range(2, 1000));
  int settings   = opt("settings", 1000, "random (eps_m', eps_pi, gamma) on which k* is searched for", at_least(1));
  double prior   = opt("prior", 0.5, "a model's transitions of each (s, a) before the first, spread over all s'",
                       above(0));

  // The summary slide: policies that are improved with a model.
  std::vector<int> k       = opt("k", std::vector<int>{1, 2, 4, 8, 16}, "k, steps of a rollout", range(1, 1000));
  std::vector<int> updates = opt("updates", std::vector<int>{1, 3, 10, 30, 100}, "G, improvements of pi, ascending",
                                 range(1, 10000));
  std::vector<int> data    = opt("data", std::vector<int>{30, 100, 300, 1000, 3000, 10000}, "n, transitions of pi_D "
                                 "that the model learns from", range(1, 10000000));
  double step              = opt("step", 1.0, "step size of an improvement", above(0));
  static Preset lecture() { return {{"seeds", 20}}; }
  static Preset smoke() { return {{"seeds", 2}, {"mdps", 3}, {"settings", 20}, {"updates", {1, 3}}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
  void check() const {
    if (successors > states)
      throw BadInput("--successors " + to_text(successors) + ": wanted at most --states, " + to_text(states));
    if (!std::is_sorted(updates.begin(), updates.end()))
      throw BadInput("--updates " + join(updates, ",") + ": wanted in ascending order");
  }
};

const std::string slide = "Bound based on Model & Policy Error";
const std::string summary_slide = "Summary of Theoretic Analysis in MBRL";

// C(k) for some errors at two discounts, and where it is least.
const std::vector<double> discounts = {0.9, 0.99}, errors = {0.01, 0.05, 0.09, 0.2};
void log_curves(const Options& opt) {
  RunLog log(opt, {"gamma", "eps_pi", "eps_m_pi", "k", "bound", "k_star"}, "_curves.csv");
  for (const double gamma : discounts)
    for (const double eps_m : errors)
      for (int k = 0; k <= std::lround(3 / (1 - gamma)); ++k)
        log.row(gamma, 0.1, eps_m, k, bound(k, eps_m, 0.1, gamma, 1), optimal_k(eps_m, 0.1, gamma));
}

// On how many random settings a search over all k does not find k* rounded down or up.
long disagreements(int settings, Rng& rng) {
  long wrong = 0;
  for (int i = 0; i < settings; ++i) {
    const double eps_m = std::pow(10, rng.uniform(-4, 0)), eps_pi = std::pow(10, rng.uniform(-4, 0));
    const double gamma = 1 - std::pow(10, rng.uniform(-2.5, -0.1)), k_star = optimal_k(eps_m, eps_pi, gamma);
    int best = 0;
    for (int k = 1; k < 5000; ++k)
      if (bound(k, eps_m, eps_pi, gamma, 1) < bound(best, eps_m, eps_pi, gamma, 1)) best = k;
    wrong += best != std::floor(k_star) && best != std::ceil(k_star);
  }
  return wrong;
}

// A random MDP, and the policy that collects the data in it.
struct World {
  FiniteMdp mdp;
  Matrix pi_D;  // (states, actions)
};
World random_world(const Options& opt, Rng& rng) {
  const FiniteMdp mdp = random_mdp(opt.states, opt.actions, opt.successors, opt.gamma, rng);
  return {mdp, random_policy(opt.states, opt.actions, rng)};
}

// pi starts as pi_D and is improved G times in a model from n transitions, by rollouts of k steps. Returns and gaps in
// units of the gain that is possible: 0 is pi_D, 1 is the best policy.
//(b7) lower |eta - eta_hat| -> more use of the model (larger k, G) -> higher sample efficiency (return for the same n)
void improve(const Options& opt, int seed, const World& world, Rng& rng, RunLog& log) {
  const auto& [mdp, pi_D] = world;
  const Vector D = discounted_visits(mdp, pi_D);
  const double start = eta(mdp, pi_D), gain = eta(mdp, optimal_policy(mdp)) - start;
  for (const int n : opt.data) {
    const Kernel p_theta = estimate(count(mdp, pi_D, n, rng), opt.prior);
    for (const int k : opt.k) {
      Matrix pi = pi_D;
      int done = 0;
      for (const int G : opt.updates) {
        for (; done < G; ++done) climb(mdp, p_theta, pi, D, k, opt.step);
        const double truth = eta(mdp, pi), believed = eta_branch(mdp, p_theta, pi, pi_D, k).back();
        log.row(seed, n, k, G, policy_shift(pi, pi_D), model_error(mdp, p_theta, pi), (believed - start) / gain,
                std::abs(truth - believed) / gain, (truth - start) / gain);
      }
    }
  }
}

// A model from data of pi_D, a policy pi near pi_D: both sides of the inequality for each k.
void compare(const Options& opt, int seed, int number, const World& world, Rng& rng, RunLog& log) {
  const auto& [mdp, pi_D] = world;
  const double away = rng.uniform(0.02, 0.5);
  const Matrix pi = (1 - away) * pi_D + away * random_policy(mdp.states(), mdp.actions(), rng);
  const long n = std::lround(std::pow(10, rng.uniform(2.5, 4.5)));
  const Kernel p_theta = estimate(count(mdp, pi_D, n, rng), opt.prior);

  const double eps_pi = policy_shift(pi, pi_D), eps_m = model_error(mdp, p_theta, pi_D);
  const double eps_m_pi = model_error(mdp, p_theta, pi), k_star = optimal_k(eps_m_pi, eps_pi, mdp.gamma);
  const std::vector<double> branch = eta_branch(mdp, p_theta, pi, pi_D, opt.longest);
  const double truth = eta(mdp, pi);
  for (int k = 0; k <= opt.longest; ++k) {
    const double gap = std::abs(truth - branch[k]);
    const double C = bound(k, eps_m_pi, eps_pi, mdp.gamma, mdp.r_max());  //(b8) |eta - eta_hat| <= C(eps_m, eps_pi)
    log.row(seed, number, n, eps_pi, eps_m, eps_m_pi, k_star, k, gap, C, gap / C, 2 * mdp.r_max() / (1 - mdp.gamma));
  }
}

// C(k) and its least value at k*.
Panel plot_k(const Table& table, double gamma) {
  Panel panel{.title = "γ = " + to_text(gamma) + ", ε_π = 0.1", .x_label = "k, steps of a rollout",
              .y_label = "C(k) / C(0)", .x = {0, 3 / (1 - gamma)}, .y = {0, 2}};
  Layer best = points("k*", {}, {});
  best.colour = colour::black, best.width = 1.3;
  for (const double eps_m : errors) {
    const Table rows = table.where("gamma", to_text(gamma)).where("eps_m_pi", to_text(eps_m));
    if (rows.rows.empty()) continue;
    std::vector<double> C = rows.numbers("bound");
    const double C_0 = C[0], k_star = rows.numbers("k_star")[0];
    for (double& c : C) c /= C_0;
    panel.layers.push_back(line("ε_m' = " + to_text(eps_m), rows.numbers("k"), C));
    best.x.push_back(k_star), best.y.push_back(bound(k_star, eps_m, 0.1, gamma, 1) / C_0);
  }
  panel.layers.push_back(best);
  return panel;
}

Panel plot_mdps(const Table& runs, double gamma) {
  Panel panel{.title = to_text(long(runs.where("k", "0").rows.size())) + " random MDPs, γ = " + to_text(gamma),
              .x_label = "k, steps of a rollout", .y_label = "distance of returns (median, middle 90 %)",
              .log_y = true};
  Layer bound = over_mdps(runs, "bound C(k)", "k", "bound"), gap = over_mdps(runs, "true |η - η_branch|", "k", "gap");
  Layer possible = over_mdps(runs, "", "k", "possible");
  possible = dashed("2 r_max / (1 - γ)", possible.x, possible.y);
  bound.colour = colour::vermillion, gap.colour = colour::blue, possible.colour = colour::black;
  panel.layers = {bound, gap, possible};
  return panel;
}

// A point for each (n, k, G), the mean over the seeds' MDPs.
Panel plot_summary(const Options& opt, const Table& table) {
  Panel panel{.title = "π improved in a model; a line: one k, G to " + to_text(opt.updates.back()),
              .x_label = "|η[π] - η_branch[π]|, 1 is the possible gain",
              .y_label = "true return η[π]: 0 is π_D, 1 the best"};
  constexpr Colour colours[] = {colour::vermillion, colour::orange, colour::purple, colour::sky, colour::green,
                                colour::blue};
  for (std::size_t i = 0; i < opt.data.size(); ++i) {
    const Table of_n = table.where("env_steps", to_text(opt.data[i]));
    Layer lines = line("", {}, {}), dots = points("n = " + to_text(opt.data[i]), {}, {});
    for (const int k : opt.k) {
      const Table of_k = of_n.where("k", to_text(k));
      for (const int G : opt.updates) {
        const Table rows = of_k.where("G", to_text(G));
        if (rows.rows.empty()) continue;
        dots.x.push_back(mean(rows.numbers("gap"))), dots.y.push_back(mean(rows.numbers("return")));
        lines.x.push_back(dots.x.back()), lines.y.push_back(dots.y.back());
      }
      lines.x.push_back(open_end), lines.y.push_back(open_end);
    }
    lines.colour = dots.colour = colours[i % 6], lines.width = 1;
    panel.layers.push_back(lines), panel.layers.push_back(dots);
  }
  return panel;
}

// From the CSV files.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path("_curves.csv")), runs = read_csv(opt.path(".csv"));
  const Table summary = read_csv(opt.path("_summary.csv"));
  if (runs.rows.empty() || summary.rows.empty()) return;
  draw({.width = 1000, .height = 940, .columns = 2,
        .panels = {plot_k(table, discounts[0]), plot_k(table, discounts[1]), plot_mdps(runs, opt.gamma),
                   plot_summary(opt, summary)}},
       opt.path(".png"));
}

// Of the gap and the return.
double correlation(const Table& rows) { return rank_correlation(rows.numbers("gap"), rows.numbers("return")); }
// The mean of f over `values`.
template <class F> double average(const std::vector<int>& values, F f) {
  std::vector<double> x;
  for (const int value : values) x.push_back(f(to_text(value)));
  return mean(x);
}

// Returns how many (MDP, k) violate the inequality.
long claim(const Options& opt) {
  const Table runs = read_csv(opt.path(".csv")), summary = read_csv(opt.path("_summary.csv"));
  const std::vector<double> share = runs.numbers("share");
  const long violations = std::count_if(share.begin(), share.end(), [](double x) { return !(x <= 1); });
  std::vector<double> all, same_use, last, same_data;
  const std::string last_G = to_text(opt.updates.back());
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table mine = summary.where("seed", to_text(seed)), end = mine.where("G", last_G);
    all.push_back(correlation(mine)), last.push_back(correlation(end));
    same_use.push_back(average(opt.k, [&](const std::string& k) {
      return average(opt.updates, [&](const std::string& G) {
        return correlation(mine.where("k", k).where("G", G));
      });
    }));
    same_data.push_back(average(opt.data, [&](const std::string& n) {
      return correlation(end.where("env_steps", n));
    }));
  }
  Rng rng(opt.seed);
  Claims claims(opt);
  claims.at_most("settings of " + to_text(opt.settings) + " in which a search does not find k* rounded down or up",
                 slide, exact(double(disagreements(opt.settings, rng))), 0);
  claims.at_most("violations of the inequality on " + to_text(opt.mdps * opt.seeds) + " random MDPs at k = 0 to " +
                     to_text(opt.longest), summary_slide, exact(double(violations)), 0);
  const std::string what = "rank correlation of abs(eta - eta_hat) with return, ";
  claims.at_most(what + "over n at the same k and G", summary_slide, same_use, 0);
  claims.at_most(what + "over n and k at G = " + last_G, summary_slide, last, 0);
  claims.at_most(what + "over k at the same n and G = " + last_G, summary_slide, same_data, 0);
  claims.at_most(what + "over n, k and G", summary_slide, all, 0);
  return violations;
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"seed", "mdp", "env_steps", "eps_pi", "eps_m", "eps_m_pi", "k_star", "k", "gap", "bound", "share",
                     "possible"});
    RunLog summary(opt, {"seed", "env_steps", "k", "G", "eps_pi", "eps_m_pi", "believed", "gap", "return"},
                   "_summary.csv");
    log_curves(opt);
    Progress progress(opt, long(opt.seeds) * opt.mdps, "", "MDPs");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      for (int i = 0; i < opt.mdps && !interrupted(); ++i) {
        const World world = random_world(opt, rng);
        compare(opt, seed, i, world, rng, log);
        if (i == 0) improve(opt, seed, world, rng, summary);
        progress.show(++done);
      }
    }
    std::string headline = "stopped after " + to_text(done) + " MDPs";
    if (!interrupted()) {
      const long violations = claim(opt);
      const Table runs = read_csv(opt.path(".csv"));
      headline = to_text(violations) + " violations on " + to_text(done) + " random MDPs; the true gap is " +
                 to_text(std::round(1e5 * quantile(runs.numbers("share"), 0.5)) / 1e3) + " % of the bound";
    }
    if (!opt.no_plot) plot(opt);
    finish(opt, headline);
  });
}

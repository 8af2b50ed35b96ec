// The bound as a function of k, its best k, and what it is worth (slides "Bound based on Model & Policy Error" and
// "Summary of Theoretic Analysis in MBRL"): on random finite MDPs both sides are computed exactly.
// Read the bound for its shape, not for its size: as a number it is vacuous.
//
//   build/06_mbpo_bound                  20 seeds, 1000 MDPs: 3 s, 20 MB
#include <algorithm>
#include <cmath>
#include <numeric>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/06_mbpo/bound.h"
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
  int longest    = opt("longest", 50, "largest k, steps of a branched rollout", range(2, 1000));
  int settings   = opt("settings", 1000, "random (eps_m', eps_pi, gamma) on which k* is searched for", at_least(1));
  double prior   = opt("prior", 0.5, "a model's transitions of each (s, a) before the first, spread over all s'",
                       above(0));

  // The summary slide: policies that are improved with a model.
  std::vector<int> k       = opt("k", std::vector<int>{1, 2, 4, 8, 16}, "k, steps of a rollout", range(1, 1000));
  std::vector<int> updates = opt("updates", std::vector<int>{1, 3, 10, 30}, "G, improvements of pi, ascending",
                                 range(1, 10000));
  std::vector<int> data    = opt("data", std::vector<int>{100, 300, 1000, 3000}, "n, transitions of pi_D that the model "
                                 "learns from", range(1, 10000000));
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
  FiniteMdp mdp(Rng& rng) const { return random_mdp(states, actions, successors, gamma, rng); }
};

const std::string slide = "Bound based on Model & Policy Error", summary_slide = "Summary of Theoretic Analysis in MBRL";

// C(k) for some errors at two discounts, and where it is least.
void log_curves(const Options& opt) {
  RunLog log(opt, {"gamma", "eps_pi", "eps_m_pi", "k", "bound", "k_star"}, "_curves.csv");
  for (const double gamma : {0.9, 0.99})
    for (const double eps_m : {0.01, 0.05, 0.09, 0.2})
      for (int k = 0; k <= 300; ++k)
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

// One random MDP, a model from data of a random pi_D, a policy pi near pi_D: both sides of the inequality for each k.
void compare(const Options& opt, int seed, int number, Rng& rng, RunLog& log) {
  const FiniteMdp mdp = opt.mdp(rng);
  const Matrix pi_D = random_policy(mdp.states(), mdp.actions(), rng);
  const double away = rng.uniform(0.02, 0.5);
  const Matrix pi = (1 - away) * pi_D + away * random_policy(mdp.states(), mdp.actions(), rng);
  const long n = std::lround(std::pow(10, rng.uniform(3, 5)));
  const Kernel p_theta = estimate(count(mdp, pi_D, n, rng), opt.prior);

  const double eps_pi = policy_shift(pi, pi_D), eps_m = model_error(mdp, p_theta, pi_D);
  const double eps_m_pi = model_error(mdp, p_theta, pi), k_star = optimal_k(eps_m_pi, eps_pi, mdp.gamma);
  const std::vector<double> branch = eta_branch(mdp, p_theta, pi, pi_D, opt.longest);
  for (int k = 0; k <= opt.longest; ++k) {
    const double gap = std::abs(eta(mdp, pi) - branch[k]);
    const double C = bound(k, eps_m_pi, eps_pi, mdp.gamma, mdp.r_max());  //(b8) |eta - eta_hat| <= C(eps_m, eps_pi)
    log.row(seed, number, n, eps_pi, eps_m, eps_m_pi, k_star, k, gap, C, gap / C);
  }
}

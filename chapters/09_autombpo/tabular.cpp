// The hyper-controller on a problem where an inner training costs a millisecond: how much real data should the policy
// learn from while they grow? A schedule of the real ratio beta is learned by PPO and compared with constants and ramps
// on fresh MDPs (slides "AutoMBPO Framework" and "Hyperparameter Schedule Visualization").
//
//   build/09_autombpo_tabular            10 seeds, 6000 inner trainings: 20 s on one core, 30 MB
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include "chapters/00_toolbox/claims.h"    // Claims
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/errors.h"    // run_main, interrupted
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/00_toolbox/run_log.h"   // RunLog, read_csv
#include "chapters/09_autombpo/controller.h"
#include "chapters/09_autombpo/mixture.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "A learned schedule of the real ratio on random MDPs (slide \"AutoMBPO "
                                       "Framework\")";
  double sigma  = opt("sigma", 0.3, "sigma, chance with which the model follows another MDP", range(0, 1));
  int phases    = opt("phases", 20, "decisions of an inner training", range(2, 1000));
  int data      = opt("data", 100, "n, real samples of each state and action in the last phase; 1 in the first",
                      range(1, 10000));
  double start  = opt("start", 0.05, "beta before the first decision", range(0.01, 1));
  double factor = opt("factor", 1.4, "c, beta is multiplied by 1 / c, 1 or c", above(1));
  int stages    = opt("stages", 60, "updates of the controller", at_least(1));
  int runs      = opt("runs", 10, "inner trainings of a stage, each in an MDP of its own", at_least(2));
  int random    = opt("random-stages", 10, "stages in which the chance of uniform actions falls from 1 to 0",
                      at_least(0));
  std::vector<int> hidden = opt("hidden", std::vector<int>{32}, "sizes of the head's hidden layers", at_least(1));
  Real lr       = opt("lr", 1e-2f, "step size of the controller's Adam", above(0));
  Real clip     = opt("clip", 0.2f, "epsilon of PPO", above(0));
  int epochs    = opt("epochs", 10, "PPO's passes over a stage", at_least(1));
  int minibatch = opt("minibatch", 64, "decisions of a gradient step", at_least(1));
  int test      = opt("test", 150, "fresh MDPs on which the schedules are compared", at_least(2));
  static Preset lecture() { return {{"seeds", 10}}; }
  static Preset smoke() { return {{"seeds", 2}, {"stages", 3}, {"runs", 3}, {"phases", 5}, {"test", 4}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

const std::string slide = "AutoMBPO Framework", slide_schedule = "Hyperparameter Schedule Visualization";
constexpr double lowest = 0.01;

// n grows geometrically from 1 to opt.data.
std::vector<int> real_data(const Options& opt) {
  std::vector<int> n;
  for (int t = 0; t < opt.phases; ++t)
    n.push_back(int(std::lround(std::pow(opt.data, double(t) / (opt.phases - 1)))));
  return n;
}

//(b6) Idea: formulate hyperparameter scheduling as an MDP. Its state: progress and log beta, both in [-1, 1]; its
// action: beta times 1/c, 1 or c, within [0.01, 1]; its reward: the loss of the constant start beta minus the own.
Mat features(const Options& opt, int t, double beta) {
  Mat s(2, 1);
  s << Real(2.0 * t / (opt.phases - 1) - 1), Real(1 - 2 * std::log(beta) / std::log(lowest));
  return s;
}
double change(const Options& opt, double beta, const Decision& decision) {
  return std::clamp(beta * std::pow(opt.factor, double(decision.a(0, 0)) - 1), lowest, 1.0);
}

// A stage: inner trainings in MDPs of their own, then PPO. Returns the mean return of a training.
double improve(const Options& opt, Controller& controller, int stage, Rng& rng) {
  const double epsilon = std::max(0.0, 1 - double(stage) / std::max(1, opt.random));
  std::vector<Rng> rngs;
  for (int i = 0; i < opt.runs; ++i) rngs.push_back(rng.split());
  std::vector<HyperEpisode> runs(opt.runs);
  parallel_for(opt.runs, [&](int i, int) {
    const Mixture mixture = random_mixture({}, real_data(opt), rngs[i]);
    double beta = opt.start;
    for (int t = 0; t < opt.phases; ++t) {
      runs[i].push_back(controller.decide(features(opt, t, beta), epsilon, rngs[i]));
      beta = change(opt, beta, runs[i].back());
      runs[i].back().r = Real(mixture.loss(t, opt.start, opt.sigma) - mixture.loss(t, beta, opt.sigma));
    }
  });
  controller.learn(runs, rng);
  double sum = 0;
  for (const HyperEpisode& run : runs)
    for (const Decision& d : run) sum += d.r;
  return sum / opt.runs;
}

// ---- Schedules, compared on the same fresh MDPs and data ----

struct Schedule {
  std::string name;
  std::function<double(int t, double beta, Rng& rng)> next;  // beta of phase t, given that of the phase before
};
std::vector<Schedule> schedules(const Options& opt, const Controller& controller) {
  std::vector<Schedule> all = {{"learned", [&](int t, double beta, Rng& rng) {
    return change(opt, beta, controller.decide(features(opt, t, beta), 0, rng));
  }}};
  for (const double beta : {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0})
    all.push_back({to_text(beta), [=](int, double, Rng&) { return beta; }});
  for (const auto& [from, to] : {std::pair{0.05, 1.0}, {0.05, 0.7}, {0.2, 0.9}})
    all.push_back({to_text(from) + " to " + to_text(to), [=, last = opt.phases - 1](int t, double, Rng&) {
      return from + (to - from) * t / last;
    }});
  return all;
}

// The mean beta and loss of every schedule and phase.
void compare(const Options& opt, int seed, const Controller& controller, Rng& rng, RunLog& log) {
  const std::vector<int> n = real_data(opt);
  const std::vector<Schedule> all = schedules(opt, controller);
  std::vector<Rng> rngs;
  for (int m = 0; m < opt.test; ++m) rngs.push_back(rng.split());
  std::vector<Matrix> beta(opt.test, Matrix(all.size(), opt.phases)), loss = beta;
  parallel_for(opt.test, [&](int m, int) {
    const Mixture mixture = random_mixture({}, n, rngs[m]);
    for (std::size_t i = 0; i < all.size() && !interrupted(); ++i)
      for (int t = 0; t < opt.phases; ++t) {
        beta[m](i, t) = all[i].next(t, t == 0 ? opt.start : beta[m](i, t - 1), rngs[m]);
        loss[m](i, t) = mixture.loss(t, beta[m](i, t), opt.sigma);
      }
  });
  if (interrupted()) return;
  const Matrix mean_beta = std::accumulate(beta.begin(), beta.end(), Matrix(Matrix::Zero(all.size(), opt.phases)));
  const Matrix mean_loss = std::accumulate(loss.begin(), loss.end(), Matrix(Matrix::Zero(all.size(), opt.phases)));
  for (std::size_t i = 0; i < all.size(); ++i)
    for (int t = 0; t < opt.phases; ++t)
      log.row(seed, all[i].name, t + 1, n[t], mean_beta(i, t) / opt.test, mean_loss(i, t) / opt.test);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    RunLog log(opt, {"seed", "stage", "return"});
    RunLog test(opt, {"seed", "schedule", "phase", "n", "beta", "loss"}, "_test.csv");
    Progress progress(opt, long(opt.seeds) * opt.stages, "return", "stages");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      const PpoOptions ppo{.lr = opt.lr, .clip = opt.clip, .epochs = opt.epochs, .minibatch = opt.minibatch};
      Controller controller(ppo, 2, {3}, opt.hidden, rng);
      for (int stage = 0; stage < opt.stages && !interrupted(); ++stage) {
        const double value = improve(opt, controller, stage, rng);
        log.row(seed, stage, value);
        progress.show(long(seed - opt.seed) * opt.stages + stage + 1, value);
      }
      compare(opt, seed, controller, rng, test);
    }
    finish(opt, "");
  });
}

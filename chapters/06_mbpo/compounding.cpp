// How wrong is a branch after k steps, and what does it do to the policy? (slide "Bound based on Model & Policy Error":
// k steps in the model). Left: the error of a branch against its length, up to 200. Right: return against real steps of
// policies that learned from branches of k = 1, 5, 15, 50 steps, the same number of model transitions each.
//
//   build/06_mbpo_compounding            pendulum, 1 seed: TIME
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/06_mbpo/learn.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "Error of a k-step branch, and policies that learned from such branches";
  std::vector<int> k = opt("k", std::vector<int>{1, 5, 15, 50}, "lengths of branches to learn from", at_least(1));
  int horizon      = opt("horizon", 200, "longest branch whose error is measured", at_least(1));
  int trajectories = opt("trajectories", 100, "real trajectories to compare branches with", at_least(2));
  static std::vector<std::string> without() { return {"checkpoint", "checkpoint-every", "resume"}; }
  static Preset lecture() { return {{"steps", 1200}, {"updates", 10}, {"real-ratio", 0.05}}; }
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert_or_assign("k", Value{1, 3}), preset.insert_or_assign("horizon", 5);
    preset.insert_or_assign("trajectories", 5), preset.insert_or_assign("steps", 100);
    return preset;
  }
  void check() const {
    MbpoOptions::check();
    if (!uses_model()) throw BadInput("--real-ratio 1: without a model there is no branch to measure");
  }
  MbpoOptions with(int length) const {  // as many model transitions in D_model, whatever k
    MbpoOptions opt = *this;
    opt.rollout_length = {length}, opt.rollouts = std::max(1, rollouts / length);
    return opt;
  }
};

// Branches of the policy's own trajectories: real ones from states of theirs, and the model's mean prediction under the
// same actions. The squared error, in units of each dimension's variance, of each step: the median over trajectories,
// because a few that pass the other side of an upright pendulum would carry a mean.
void measure(const Options& opt, const Training& x, int k, Rng rng, RunLog& log) {
  const Env& env = *x.env;
  const int n = opt.trajectories;
  Sim sim(env.sim_dim(), n);
  for (int j = 0; j < n; ++j) sim.col(j) = env.start(rng).col(0);
  const auto act = [&](const Mat& s) { return x.agent.pi.sample(s, rng.normal(env.action_dim, n)).a; };
  for (int t = 0; t < env.time_limit / 2; ++t) {  // a branch begins at some state of an episode
    const Sim next = env.simulate(sim, act(env.observe(sim)));
    for (int j = 0; j < n; ++j)
      if (rng.uniform() < 0.9 && env.ended(next.col(j))(0, 0) == 0) sim.col(j) = next.col(j);
  }
  Mat s = env.observe(sim), alive = Mat::Ones(1, n);
  Normaliser scale(env.state_dim);
  scale.fit(x.D_env.all().s);
  for (int i = 1; i <= opt.horizon && !interrupted(); ++i) {
    const Mat a = act(env.observe(sim));
    sim = env.simulate(sim, a), s = x.model.mean(s, a).s_next;
    alive *= 1 - env.ended(sim).cast<Real>();
    const Mat error = Mat((s - env.observe(sim)).colwise() / scale.std.col(0)).square().colwise().mean();
    std::vector<double> errors;
    for (int j = 0; j < n; ++j)
      if (alive(0, j) > 0) errors.push_back(std::isfinite(error(0, j)) ? error(0, j) : INFINITY);
    if (errors.empty()) return;
    log.row("mbpo", opt.env, x.seed, x.step, k, i, median(errors));
  }
}

// From the CSV files.
void plot(const Options& opt) {
  Panel error{.x_label = "length of a branch (steps)", .y_label = "squared error / variance of s, median",
              .log_x = true, .log_y = true};
  Panel returns{.x_label = "real environment steps", .y_label = "return"};
  for (const Curve& c : curves(read_csv(opt.path("_error.csv")), {"k"}, "horizon", "mse"))
    error.layers.push_back(line("after learning at k = " + c.label, c.x, c.mean));
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"k"}, "env_steps", "eval_return"))
    returns.layers.push_back(curve("k = " + c.label, c.x, c.mean, c.low, c.high));
  draw({.width = 1000, .height = 460, .panels = {error, returns}}, opt.path(".png"));
}

// Error at the longest branch over the error of one step; the mean return of all evaluations, long branches over k = 1.
void claim(const Options& opt) {
  Claims claims(opt);
  const std::string slide = "Bound based on Model & Policy Error";
  const Table errors = read_csv(opt.path("_error.csv")), rows = read_csv(opt.path(".csv"));
  const std::string first = to_text(opt.k.front()), last = to_text(opt.k.back());
  std::vector<double> growth, loss;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const auto mean_of = [&](const std::string& k) {
      const std::vector<double> x = rows.where("seed", to_text(seed)).where("k", k).numbers("eval_return");
      return std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
    };
    const std::vector<double> e = errors.where("seed", to_text(seed)).where("k", first).numbers("mse");
    if (e.size() >= 50) growth.push_back(std::log10(e[49] / e[0]));
    loss.push_back(mean_of(first) - mean_of(last));
  }
  claims.at_least(opt.env + ": log10 of the error after 50 steps over that after 1", slide, growth, 1);
  claims.at_least(opt.env + ": mean return on the way, k = " + first + " minus k = " + last, slide, loss, 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    std::unique_ptr<Training> x;
    const auto start = [&](int seed, int k) {
      x = std::make_unique<Training>(opt.with(k), seed);
      if (!opt.load.empty()) load_learned(opt.load, *x);
    };
    start(opt.seed, opt.k[0]);  // a file that does not fit is refused before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "k"});
    RunLog errors(opt, {"algo", "env", "seed", "env_steps", "k", "horizon", "mse"}, "_error.csv");
    Progress progress(opt, long(opt.steps) * opt.seeds * long(opt.k.size()));
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed)
      for (const int k : opt.k) {
        if (interrupted()) break;
        start(seed, k);
        const MbpoOptions how = opt.with(k);
        learn(how, *x, opt.steps, [&](int) {
          progress.show(done + x->step);
          if (opt.eval_every > 0 && x->step % opt.eval_every == 0)
            log.row("mbpo", opt.env, seed, x->step, eval_return(how, *x), k);
        });
        measure(opt, *x, k, Rng(seed), errors);
        done += opt.steps;
      }
    if (!opt.save.empty()) save_learned(opt, *x);
    const auto action = [&](const Mat& s) { return x->agent.pi.mean_action(s); };
    if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), "MBPO"),
                         opt.path(".gif"));
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline = "no evaluation";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"k"}, "env_steps", "eval_return"))
      headline = (headline == "no evaluation" ? "return " : headline + ", ") + std::string("k = ") + c.label + ": " +
                 to_text(std::lround(c.mean.back()));
    finish(opt, headline);
  });
}

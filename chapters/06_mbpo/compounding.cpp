// How far is a branch from reality after k steps, and what does k do to the policy? (slide "Bound based on Model &
// Policy Error": k steps in the model.) Left: the error of a branch against its length, up to 200. Right: return
// against real steps of policies that learned from branches of k = 1, 5, 15, 50 steps. All have as many model
// transitions, so a larger k means fewer states to start from.
//
//   build/06_mbpo_compounding            pendulum, 1 seed: 27 s, 22 MB
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/06_mbpo/claims.h"
#include "chapters/06_mbpo/learn.h"
#include "plots/plot.h"  // Figure, draw

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "Error of a k-step branch, and policies that learned from such branches";
  std::vector<int> k = opt("k", std::vector<int>{1, 5, 15, 50}, "k, lengths of branches to learn from", at_least(1));
  int horizon      = opt("horizon", 200, "longest branch whose error is measured", at_least(1));
  int trajectories = opt("trajectories", 100, "real trajectories to compare branches with", at_least(2));
  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "rollout-length", "save", "load", "gif"};
  }
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

// States of the policy's episodes, each at a random time of its own: (sim_dim, n).
Sim visited(const Training& x, int n, Rng& rng) {
  const Env& env = *x.env;
  Sim sim(env.sim_dim(), n);
  std::vector<std::uint64_t> stays;  // from this step on
  for (int j = 0; j < n; ++j) sim.col(j) = env.start(rng).col(0), stays.push_back(rng.below(env.time_limit));
  for (std::uint64_t t = 0; t < std::uint64_t(env.time_limit); ++t) {
    const Sim next = env.simulate(sim, x.agent.pi.sample(env.observe(sim), rng.normal(env.action_dim, n)).a);
    for (int j = 0; j < n; ++j)
      if (t < stays[j] && env.ended(next.col(j))(0, 0) == 0) sim.col(j) = next.col(j);
  }
  return sim;
}

// The median over columns that are alive; a number that is not finite counts as infinite. Few branches that turn the
// other way would carry a mean.
double median_alive(const Mat& error, const Mat& alive) {
  std::vector<double> errors;
  for (Eigen::Index j = 0; j < error.cols(); ++j)
    if (alive(0, j) > 0) errors.push_back(std::isfinite(error(0, j)) ? error(0, j) : INFINITY);
  return median(errors);
}

// The squared distance of a branch from reality after each of its steps, in units of `scale`, the standard deviation of
// each dimension. Both begin in the same state. Branch: pi acts in the model as in reality, with the same noise xi.
// Replay: the model is given the actions of reality.
void measure(const Options& opt, Training& x, int k, const Mat& scale, RunLog& log) {
  const Env& env = *x.env;
  const int n = opt.trajectories;
  Sim sim = visited(x, n, x.rng);
  Mat branch = env.observe(sim), replay = branch, alive = Mat::Ones(1, n), alive_branch = alive;
  for (int i = 1; i <= opt.horizon && !interrupted(); ++i) {
    const Mat xi = x.rng.normal(env.action_dim, n), a = x.agent.pi.sample(env.observe(sim), xi).a;
    const Outcome o = x.model.mean(branch, x.agent.pi.sample(branch, xi).a);
    sim = env.simulate(sim, a), branch = o.s_next, replay = x.model.mean(replay, a).s_next;
    alive *= 1 - env.ended(sim).cast<Real>(), alive_branch *= o.not_done;
    const auto error = [&](const Mat& s) {
      return Mat(Mat((s - env.observe(sim)).colwise() / scale.col(0)).square().colwise().mean());
    };
    const double mse = median_alive(error(branch), alive * alive_branch);
    if (std::isnan(mse)) return;  // all have ended
    log.row("mbpo", opt.env, x.seed, x.step, k, i, mse, median_alive(error(replay), alive));
  }
}

// The squared distance against the length of a branch, its mean over seeds taken of the logarithm: one seed's large
// error would be all that a mean shows.
std::vector<Curve> geometric_means(Table table, const std::string& column) {
  const std::vector<double> x = table.numbers(column);
  table.columns.push_back("log10");
  for (std::size_t i = 0; i < x.size(); ++i) table.rows[i].push_back(to_text(std::log10(x[i])));
  std::vector<Curve> result = curves(table, {"k"}, "horizon", "log10");
  for (Curve& c : result)
    for (double& y : c.mean) y = std::pow(10, y);
  return result;
}

// From the CSV files.
void plot(const Options& opt) {
  Panel error{.title = "branches of policy and model that learned at k", .x_label = "steps of a branch",
              .y_label = "squared distance from reality / variance of s", .x = {1, double(opt.horizon)},
              .log_x = true, .log_y = true};
  Panel returns{.title = "policies that learned at k", .x_label = "real environment steps", .y_label = "return"};
  const Table errors = read_csv(opt.path("_error.csv"));
  for (const Curve& c : geometric_means(errors, "mse"))
    error.layers.push_back(line("k = " + c.label, c.x, c.mean));
  for (const Curve& c : geometric_means(errors.where("k", to_text(opt.k.front())), "mse_replay"))
    error.layers.push_back(dashed("replay", c.x, c.mean));
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"k"}, "env_steps", "eval_return"))
    returns.layers.push_back(curve("k = " + c.label, c.x, c.mean, c.low, c.high));
  draw({.width = 1000, .height = 500, .panels = {error, returns}}, opt.path(".png"));
}

// Error at the longest branch over the error of one step; the mean return of all evaluations, long branches over k = 1.
void claim(const Options& opt) {
  Claims claims(opt);
  const std::string slide = "Bound based on Model & Policy Error";
  const Table errors = read_csv(opt.path("_error.csv")), rows = read_csv(opt.path(".csv"));
  const std::string first = to_text(opt.k.front()), last = to_text(opt.k.back());
  std::vector<double> growth, loss;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table mine = rows.where("seed", to_text(seed));
    const std::vector<double> e = errors.where("seed", to_text(seed)).where("k", first).numbers("mse");
    growth.push_back(e.size() >= 50 ? std::log10(e[49] / e[0]) : std::numeric_limits<double>::quiet_NaN());
    loss.push_back(mean_return(mine.where("k", first)) - mean_return(mine.where("k", last)));
  }
  claims.at_least(opt.env + ": k = " + first + ", log10 of a branch's error after 50 steps over that after 1", slide,
                  growth, 1);
  if (opt.k.size() > 1)
    claims.at_least(opt.env + ": k = " + first + " minus k = " + last + ", mean return of all evaluations", slide, loss,
                    0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "k"});
    RunLog errors(opt, {"algo", "env", "seed", "env_steps", "k", "horizon", "mse", "mse_replay"}, "_error.csv");
    Progress progress(opt, long(opt.steps) * opt.seeds * long(opt.k.size()));
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Mat scale;  // the same for all k
      for (const int k : opt.k) {
        if (interrupted()) break;
        const MbpoOptions how = opt.with(k);
        Training x(how, seed);
        learn(how, x, [&] {
          progress.show(done + x.step);
          if (opt.eval_every > 0 && x.step % opt.eval_every == 0)
            log.row("mbpo", opt.env, seed, x.step, evaluate(how, x).eval_return, k);
        });
        if (k == opt.k.front()) {
          Normaliser states(x.env->state_dim);
          states.fit(x.D_env.all().s);
          scale = states.std;
        }
        measure(opt, x, k, scale, errors);
        done += opt.steps;
      }
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline = "no evaluation";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"k"}, "env_steps", "eval_return"))
      headline = (headline == "no evaluation" ? "return " : headline + ", ") + std::string("k = ") + c.label + ": " +
                 to_text(std::lround(c.mean.back()));
    finish(opt, headline);
  });
}

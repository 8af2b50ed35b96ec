// PPO, the on-policy side of "Model-free RL v.s. Model-based RL": every batch of real steps is used once, then thrown
// away. The picture: return against real steps and against wall-clock, SAC's curves beside it if 05_model_free has run
// before on the same task and into the same folder.
//
//   build/05_model_free_ppo                            pendulum, 100000 steps: 1 s, 25 MB
//   build/05_model_free_ppo --env cartpole             discrete actions
#include <filesystem>
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/05_model_free/evaluate.h"
#include "chapters/05_model_free/gae.h"
#include "chapters/05_model_free/running_moments.h"
#include "chapters/05_model_free/value.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "PPO (slide \"Model-free RL v.s. Model-based RL\")";
  int steps     = opt("steps", 300000, "real environment steps in all", at_least(1));
  int horizon   = opt("horizon", 2048, "T, real steps of a batch, which is used once", at_least(1));
  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64}, "sizes of the hidden layers", at_least(1));
  Real lr       = opt("lr", 3e-4f, "Adam's step size at the start; it falls to 0 in a straight line", above(0));
  Real gamma    = opt("gamma", 0.99f, "gamma, discount", range(0, 1));
  Real lambda   = opt("lambda", 0.95f, "lambda of the advantage estimation", range(0, 1));
  Real clip     = opt("clip", 0.2f, "epsilon, how far the policy's ratio may go", above(0));
  Real entropy  = opt("entropy", 0.0f, "weight of the entropy in the objective", at_least(0));
  Real max_norm = opt("max-norm", 0.5f, "a longer gradient is shortened to this", above(0));
  int epochs    = opt("epochs", 10, "passes over a batch", at_least(1));
  int minibatch = opt("minibatch", 64, "steps of a gradient update", at_least(1));
  int eval_every    = opt("eval-every", 2048, "real steps between two evaluations, at least; 0: none", at_least(0));
  int eval_episodes = opt("eval-episodes", 10, "episodes of an evaluation", at_least(1));
  static std::vector<std::string> environments() { return env_names("pendulum"); }
  static Presets lecture_of() {
    return {{"pendulum", {{"steps", 100000}, {"horizon", 1024}, {"gamma", 0.9}, {"lr", 1e-3}, {"eval-every", 1024}}},
            {"cartpole", {{"steps", 100000}}}};
  }
  static Presets paper() {  // CleanRL's ppo_continuous_action
    Presets presets;
    for (const char* name : {"inverted_pendulum", "hopper", "half_cheetah", "walker2d", "swimmer"})
      presets[name] = {{"steps", 1000000}};
    return presets;
  }
  static Preset smoke() {
    return {{"steps", 600}, {"horizon", 200}, {"hidden", {8, 8}}, {"epochs", 2}, {"eval-every", 200},
            {"eval-episodes", 2}};
  }
  PpoOptions ppo() const { return {lr, clip, entropy, max_norm, epochs, minibatch}; }
};

// Everything that is learned, and what --save keeps.
template <class Policy> struct Agent {
  Ppo<Policy> ppo;
  ValueFunction V;
  RunningMoments seen, returns;  // of the observations, and of the discounted return so far
  template <class... How> Agent(const Options& opt, int state_dim, Rng& rng, const How&... how)
      : ppo(opt.ppo(), state_dim, how..., opt.hidden, rng), V(state_dim, opt.hidden, opt.lr, rng), seen(state_dim),
        returns(1) {}
  template <class Ar> void io(Ar& ar) { ar("ppo", ppo), ar("V", V), ar("seen", seen), ar("returns", returns); }
};

// What the environment is given for an action of the policy: cut to its bounds, or the middle of the choice's interval.
Mat to_env(const Env& env, const Mat& a) {
  if (env.choices == 0) return a.max(-1).min(1);
  return a.unaryExpr([&](Real choice) { return Real(env.action_of(int(choice))); });
}

// A batch of consecutive real steps, in the order of time.
struct Rollout {
  Mat s, a, logp_old, r, s_next, terminated, over;
  Rollout(int state_dim, int action_dim, int n)
      : s(state_dim, n), a(action_dim, n), logp_old(1, n), r(1, n), s_next(state_dim, n), terminated(1, n),
        over(1, n) {}
};

// Acts for as many steps as `to` holds. Observations and rewards are stored as the networks see them: normalised by the
// moments at that time.
template <class Policy>
void collect(const Options& opt, Agent<Policy>& agent, Env& env, Mat& s, Real& so_far, Rollout& to, Rng& rng) {
  for (Eigen::Index i = 0; i < to.s.cols(); ++i) {
    agent.seen.add(s);
    to.s.col(i) = agent.seen.normalise(s).col(0);
    const Mat here = to.s.col(i), a = agent.ppo.pi.sample(here, rng);
    const Transition t = env.step(to_env(env, a));
    const bool over = t.terminated || t.truncated;
    so_far = opt.gamma * so_far + t.r;
    agent.returns.add(Mat::Constant(1, 1, so_far));
    to.a.col(i) = a.col(0), to.logp_old(0, i) = agent.ppo.pi.log_prob(here, a).logp(0, 0);
    to.r(0, i) = agent.returns.scale(Mat::Constant(1, 1, t.r))(0, 0);
    to.s_next.col(i) = agent.seen.normalise(t.s_next).col(0);
    to.terminated(0, i) = t.terminated, to.over(0, i) = over;
    s = over ? env.reset(rng) : t.s_next;
    if (over) so_far = 0;
  }
}

struct Logs {
  RunLog rows, seconds;
  Progress progress;
};

template <class Policy> void run(const Options& opt, int seed, Agent<Policy>& agent, Rng& rng, Logs& logs) {
  Rng eval_rng = rng.split();
  const std::unique_ptr<Env> env = make_env(opt.env), env_eval = make_env(opt.env);
  Stopwatch watch;
  Mat s = env->reset(rng);
  Real so_far = 0;
  for (int t = 0, evaluated = 0; t < opt.steps && !interrupted();) {
    agent.ppo.opt.lr = agent.V.opt.lr = opt.lr * (1 - Real(t) / opt.steps);
    Rollout data(env->state_dim, env->action_dim, std::min(opt.horizon, opt.steps - t));
    collect(opt, agent, *env, s, so_far, data, rng);
    t += int(data.s.cols());
    PpoNumbers numbers;
    at_step(t, [&] {
      const Mat V = agent.V(data.s);
      const Mat A = gae(data.r, V, agent.V(data.s_next), data.terminated, data.over, opt.gamma, opt.lambda);
      numbers = ppo_update(agent.ppo, {data.s, data.a, data.logp_old, A}, rng);
      fit_value(agent.V, data.s, A + V, opt.ppo(), rng);
    });
    logs.progress.show(long(seed - opt.seed) * opt.steps + t);
    if (opt.eval_every == 0 || (t - evaluated < opt.eval_every && t < opt.steps)) continue;
    watch.stop(), evaluated = t;
    const auto action = [&](const Mat& s) { return to_env(*env, agent.ppo.pi.mode(agent.seen.normalise(s))); };
    const auto value = [](const Mat&) { return 0; };  // not asked for
    const Evaluation e = evaluate(*env_eval, opt.eval_episodes, opt.gamma, eval_rng, action, value);
    logs.rows.row("ppo", opt.env, seed, t, e.eval_return, numbers.kl, numbers.clipped, numbers.entropy);
    logs.seconds.row("ppo", opt.env, seed, t, watch.seconds);
    logs.progress.show(long(seed - opt.seed) * opt.steps + t, e.eval_return);
    watch.start();
  }
}

// From the CSV files, SAC's too where they are of the same task.
void plot(const Options& opt) {
  Panel steps{.x_label = "real environment steps", .y_label = "return", .log_x = true}, clock = steps;
  clock.x_label = "seconds of training";
  const auto add = [&](const std::string& start, const std::vector<std::string>& keys, const std::string& name) {
    const std::vector<Curve> returns = curves(read_csv(start + ".csv"), keys, "env_steps", "eval_return");
    const std::vector<Curve> times = curves(read_csv(start + "_seconds.csv"), keys, "env_steps", "seconds");
    for (std::size_t i = 0; i < std::min(returns.size(), times.size()); ++i) {
      const Curve& c = returns[i];
      const std::string label = name + (keys.size() > 1 ? ", G = " + c.label.substr(5) : "");
      steps.layers.push_back(curve(label, c.x, c.mean, c.low, c.high));
      clock.layers.push_back(curve(label, times[i].mean, c.mean, c.low, c.high));
    }
  };
  const std::string sac = (std::filesystem::path(opt.out) / "05_model_free").string();
  if (std::filesystem::exists(sac + ".csv") && std::filesystem::exists(sac + "_seconds.csv") &&
      read_csv(sac + ".csv").options["env"] == opt.env)
    add(sac, {"algo", "G"}, "SAC");
  add(opt.path(""), {"algo"}, "PPO");
  draw({.width = 1000, .height = 440, .panels = {steps, clock}}, opt.path(".png"));
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  const std::string slide = "Model-free RL v.s. Model-based RL";
  const auto solved = [&](double threshold, double steps) {
    std::vector<double> when;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const Table rows = table.where("seed", to_text(seed));
      when.push_back(reaches(rows.numbers("env_steps"), rows.numbers("eval_return"), threshold));
    }
    claims.at_most(opt.env + ", PPO, median of " + to_text(opt.seeds) + " seeds: steps to " + to_text(threshold), slide,
                   exact(median(when)), steps);
  };
  if (opt.env == "inverted_pendulum") solved(900, 300000);
  if (opt.env == "cartpole") solved(499, 100000);
}

template <class Policy, class... How> void train(const Options& opt, Env& env, const How&... how) {
  std::unique_ptr<Agent<Policy>> agent;
  const auto start = [&](Rng& rng) {
    agent = std::make_unique<Agent<Policy>>(opt, env.state_dim, rng, how...);
    if (!opt.load.empty()) load_networks(opt.load, *agent), check_all_finite(*agent);
  };
  Rng first(opt.seed);
  start(first);  // a file that does not fit is refused before anything is written
  Logs logs{RunLog(opt, {"algo", "env", "seed", "env_steps", "eval_return", "kl", "clipped", "entropy"}),
            RunLog(opt, {"algo", "env", "seed", "env_steps", "seconds"}, "_seconds.csv"),
            Progress(opt, long(opt.steps) * opt.seeds)};
  for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
    Rng rng(seed);
    start(rng);
    run(opt, seed, *agent, rng, logs);
  }
  if (!opt.save.empty()) save_networks(opt.save, *agent, {{"program", opt.program}, {"env", opt.env}});
  const auto action = [&](const Mat& s) { return to_env(env, agent->ppo.pi.mode(agent->seen.normalise(s))); };
  if (opt.gif) animate(frames(env, episode(env, Rng(opt.seed), 300, action), "PPO"), opt.path(".gif"));
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    if (env->choices > 0) train<CategoricalPolicy>(opt, *env, std::vector<int>(env->action_dim, env->choices));
    else train<GaussianPolicy>(opt, *env, env->action_dim);
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline = "no evaluation";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {}, "env_steps", "eval_return"))
      headline = "return " + to_text(std::lround(c.mean.back())) + " at " + to_text(c.x.back());
    finish(opt, headline);
  });
}

// Q-planning (slide "Q-Planning"): learn a tabular model from random experience, then plan with it and never act again.
// The picture: the error of Q against planning updates, one curve per amount of experience.
//   build/01_q_planning                     both mazes, 5 seeds: 3 s, 10 MB
#include <cmath>
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/01_q_planning/draw_maze.h"
#include "chapters/01_q_planning/q_planning.h"
#include "envs/maze.h"   // dyna_maze
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Random-sample one-step tabular Q-planning (slide \"Q-Planning\")";
  int steps    = opt("steps", 1000000, "real environment steps of random experience; a curve for N/1000 to N each",
                     at_least(1000));
  int updates  = opt("updates", 3000000, "planning updates", at_least(100));
  double slip  = opt("slip", 0.2, "slippery maze: probability of moving sideways instead", range(0, 1));
  Real gamma   = opt("gamma", 0.95f, "gamma, discount", range(0, 0.999));
  Real alpha   = opt("alpha", 1.0f, "alpha, step size of the first update of a pair", range(0, 1));
  Real omega   = opt("omega", 0.7f, "slippery maze: the step size is alpha / n(S, A)^omega", range(0, 1));
  static std::vector<std::string> environments() { return {"both", "maze", "slippery_maze"}; }
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() { return {{"steps", 10000}, {"updates", 10000}, {"seeds", 2}}; }
};

struct Agent {  // what --save and --load keep
  Mat Q;        // (states, actions)
  template <class Ar> void io(Ar& ar) { ar("Q", Q); }
};

std::vector<std::string> mazes(const Options& opt) {
  return opt.env == "both" ? std::vector<std::string>{"maze", "slippery_maze"} : std::vector{opt.env};
}

Maze make_maze(const Options& opt, const std::string& env) { return dyna_maze(env == "maze" ? 0 : opt.slip); }

// || Q - Q* ||: the largest error over all states and actions.
Real max_error(const Mat& Q, const Mat& Q_star) { return (Q - Q_star).abs().maxCoeff(); }

// One seed on one maze: models from ever longer random experience, each planned with from the same start.
void run(const Options& opt, const std::string& env, int seed, Agent& agent, RunLog& log) {
  Rng rng(seed);
  Maze maze = make_maze(opt, env);
  const Real omega = env == "maze" ? 0 : opt.omega;               // a deterministic model needs no averaging
  const Mat Q_star = value_iteration(maze, opt.gamma), Q_start = agent.Q;
  CountModel model(maze.states(), Maze::actions);

  for (long experience = opt.steps / 1000, step = 0; experience <= opt.steps; experience *= 10) {
    for (; step < experience; ++step) {                           //(b1) first, learn a model from experience data
      if (maze.terminal(maze.state)) maze.reset();
      const int S = maze.state, A = int(rng.below(Maze::actions));
      const auto [R, S_next] = maze.step(A, rng);
      model.learn(S, A, R, S_next);
    }
    const Real model_error = max_error(value_iteration(model, maze.states(), Maze::actions, opt.gamma), Q_star);

    agent.Q = Q_start;                                            //(b2) then perform one-step sampling by the model
    Mat n = Mat::Zero(Q_start.rows(), Q_start.cols());
    long planned = 0;
    for (double mark = 100; planned < opt.updates && !interrupted(); mark *= std::pow(10, 0.125)) {
      const long target = std::min<long>(std::lround(mark), opt.updates);
      q_planning(agent.Q, n, model, target - planned, opt.alpha, omega, opt.gamma, rng);
      planned = target;
      log.row("q_planning", env, seed, experience, planned, max_error(agent.Q, Q_star), model_error);
    }
  }
}

// From the CSV file: the error of Q in full lines, that of the best Q which the model allows in dashed ones.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto visible = [](std::vector<double> y) {
    for (double& v : y) v = std::max(v, 1e-9);  // 0 has no logarithm: leave the picture at its lower edge
    return y;
  };
  Figure figure{.width = 1000, .height = 480};
  for (const std::string& env : mazes(opt)) {
    Panel panel{.title = env == "maze" ? "maze: deterministic" : "slippery maze: stochastic",
                .x_label = "planning updates", .y_label = "largest error of Q(s, a)",
                .x = {1e2, double(opt.updates)}, .y = {1e-3, 2}, .log_x = true, .log_y = true,
                .key = figure.panels.empty() ? Key::bottom_right : Key::off};
    const Table rows = table.where("env", env);
    constexpr Colour colours[] = {colour::blue, colour::vermillion, colour::green, colour::purple};
    int i = 0;
    for (const Curve& c : curves(rows, {"env_steps"}, "updates", "max_error")) {
      panel.layers.push_back(curve(c.label + " real steps", c.x, visible(c.mean), visible(c.low), visible(c.high)));
      panel.layers.back().colour = colours[i++ % 4];
    }
    i = 0;
    for (const Curve& c : curves(rows, {"env_steps"}, "updates", "model_error")) {
      panel.layers.push_back(dashed(i ? "" : "the model's own optimum", c.x, visible(c.mean)));
      panel.layers.back().colour = colours[i++ % 4];
      panel.layers.back().width = 1;
    }
    figure.panels.push_back(panel);
  }
  draw(figure, opt.path(".png"));
}

// What the slide says, from the CSV file: planning gives the optimum of the model, and no more.
void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  for (const std::string& env : mazes(opt)) {
    const auto at_end = [&](long env_steps, const std::string& column) {
      const Table rows = table.where("env", env).where("env_steps", to_text(env_steps));
      return rows.where("updates", to_text(opt.updates)).numbers(column);
    };
    const std::string slide = "Q-Planning";
    claims.at_most(env + ": error left after planning with a model from " + to_text(opt.steps) + " real steps", slide,
                   at_end(opt.steps, "max_error"), env == "maze" ? 1e-4 : 0.02);
    std::vector<double> gap = at_end(opt.steps / 1000, "max_error");
    const std::vector<double> floor = at_end(opt.steps / 1000, "model_error");
    for (std::size_t i = 0; i < gap.size(); ++i) gap[i] /= floor[i];
    claims.between(env + ": error after planning / that of the model's own optimum, " + to_text(opt.steps / 1000) +
                       " real steps", slide, gap, 0.95, 1.05);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "updates", "max_error", "model_error"});
    Progress progress(opt, long(opt.seeds) * mazes(opt).size(), "error", "runs");
    Agent agent;
    long done = 0;
    Real error = 0;
    for (const std::string& env : mazes(opt))
      for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
        agent.Q = Mat::Zero(dyna_maze().states(), Maze::actions);
        if (!opt.load.empty()) load_networks(opt.load, agent);
        run(opt, env, seed, agent, log);
        error = max_error(agent.Q, value_iteration(make_maze(opt, env), opt.gamma));
        progress.show(++done, error);
      }
    if (!opt.save.empty()) save_networks(opt.save, agent, {{"program", opt.program}, {"env", opt.env}});
    const Maze maze = make_maze(opt, mazes(opt).back());
    if (opt.gif) animate(episode_frames(maze, agent.Q, opt.seed, "greedy in Q"), opt.path(".gif"), 0.3);
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, "largest error of Q after planning: " + to_text(error));
  });
}

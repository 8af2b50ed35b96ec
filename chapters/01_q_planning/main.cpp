// Q-planning (slide "Q-Planning"): learn a model from random experience, then plan with it and never act again.
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
  int steps    = opt("steps", 1000000, "real steps of random experience; curves for N/1000 to N", at_least(1000));
  int updates  = opt("updates", 3000000, "planning updates", at_least(100));
  double slip  = opt("slip", 0.2, "slippery_maze: probability of moving sideways instead", range(0, 1));
  Real gamma   = opt("gamma", 0.95f, "gamma, discount", range(0, 0.999));
  Real alpha   = opt("alpha", 1.0f, "alpha, step size of the first update of a pair", range(0, 1));
  Real omega   = opt("omega", 0.7f, "slippery_maze: the step size is alpha / N(S, A)^omega", range(0, 1));
  static std::vector<std::string> environments() { return {"both", "maze", "slippery_maze"}; }
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() { return {{"steps", 10000}, {"updates", 10000}, {"seeds", 2}}; }
  void check() const {
    if (steps % 1000 != 0) throw BadInput("--steps " + to_text(steps) + ": wanted a multiple of 1000");
  }
};

std::vector<std::string> mazes(const Options& opt) {
  return opt.env == "both" ? std::vector<std::string>{"maze", "slippery_maze"} : std::vector{opt.env};
}

Maze make_maze(const Options& opt, const std::string& env) { return dyna_maze(env == "maze" ? 0 : opt.slip); }

// || Q - Q* ||: the largest error over all states and actions.
Real max_error(const Mat& Q, const Mat& Q_star) { return (Q - Q_star).abs().maxCoeff(); }

// One seed on one maze: models from ever longer random experience, each planned with from the same start.
// Returns the largest error that the last plan leaves.
Real run(const Options& opt, const std::string& env, int seed, SavedTable& agent, RunLog& log) {
  Rng rng(seed), planning = rng.split();
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
    const Mat Q_model = value_iteration(model, maze.states(), Maze::actions, opt.gamma);

    agent.Q = Q_start;                                            //(b2) then perform one-step sampling by the model
    Mat N = Mat::Zero(Q_start.rows(), Q_start.cols());
    long planned = 0;
    for (double mark = 100; planned < opt.updates && !interrupted(); mark *= std::pow(10, 0.125)) {
      const long target = std::min<long>(std::lround(mark), opt.updates);
      q_planning(agent.Q, N, model, target - planned, opt.alpha, omega, opt.gamma, planning);
      planned = target;
      check_finite(agent.Q);
      log.row("q_planning", env, seed, experience, planned, max_error(agent.Q, Q_star), max_error(Q_model, Q_star),
              max_error(agent.Q, Q_model));
    }
  }
  return max_error(agent.Q, Q_star);
}

// From the CSV file: the error of Q in full lines, that of the best Q which the model allows in dashed ones.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto visible = [](std::vector<double> y) {  // 0 has no logarithm: leave the picture at its lower edge
    for (double& v : y) v = std::max(v, 1e-9);
    return y;
  };
  Figure figure{.width = 1000, .height = 480};
  for (const std::string& env : mazes(opt)) {
    const Table rows = table.where("env", env);
    if (rows.rows.empty()) continue;  // a run with another --env
    Panel panel{.title = env == "maze" ? "maze: deterministic" : "slippery maze: stochastic",
                .x_label = "planning updates", .y_label = "largest error of Q(s, a)",
                .x = {1e2, double(opt.updates)}, .y = {1e-3, 2}, .log_x = true, .log_y = true,
                .key = figure.panels.empty() ? Key::bottom_right : Key::off};
    constexpr Colour colours[] = {colour::blue, colour::vermillion, colour::green, colour::purple};
    for (const std::string column : {"max_error", "model_error"}) {
      int i = 0;
      for (const Curve& c : curves(rows, {"env_steps"}, "updates", column)) {
        const std::vector<double> mean = visible(c.mean);
        Layer layer = column == "max_error"
                          ? curve(c.label + " real steps", c.x, mean, visible(c.low), visible(c.high))
                          : dashed(i == 0 ? "the model's optimum" : "", c.x, mean);
        layer.colour = colours[i++ % 4];
        panel.layers.push_back(layer);
      }
    }
    figure.panels.push_back(panel);
  }
  if (!figure.panels.empty()) draw(figure, opt.path(".png"));
}

// What the slide says, from the CSV file: planning gives the optimum of the model, and no more.
void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  for (const std::string& env : mazes(opt)) {
    const auto at_end = [&](int steps, const std::string& column) {
      const Table rows = table.where("env", env).where("env_steps", to_text(steps));
      return rows.where("updates", to_text(opt.updates)).numbers(column);
    };
    const auto text = [&](int steps) { return ", model from " + to_text(steps) + " real steps"; };
    const int little = opt.steps / 1000, some = opt.steps / 100;
    claims.at_least(env + ": largest error of Q" + text(little), "Q-Planning", at_end(little, "max_error"), 0.1);
    claims.at_most(env + ": distance to the model's own optimum" + text(some), "Q-Planning",
                   at_end(some, "planning_error"), 0.01);
    claims.at_most(env + ": largest error of Q" + text(opt.steps), "Q-Planning", at_end(opt.steps, "max_error"), 0.01);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    SavedTable start{Mat::Zero(dyna_maze().states(), Maze::actions)};
    if (!opt.load.empty()) load_networks(opt.load, start);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "updates", "max_error", "model_error", "planning_error"});
    Progress progress(opt, long(opt.seeds) * mazes(opt).size(), "error", "runs");
    SavedTable agent;
    long done = 0;
    Real error = 0;
    for (const std::string& env : mazes(opt))
      for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
        agent = start;
        error = run(opt, env, seed, agent, log);
        progress.show(++done, error);
      }
    if (!opt.save.empty()) save_networks(opt.save, agent, {{"program", opt.program}, {"env", opt.env}});
    const Maze maze = make_maze(opt, mazes(opt).back());
    if (opt.gif) animate(episode_frames(maze, agent.Q, opt.seed, "greedy in Q"), opt.path(".gif"), 0.3);
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, "largest error of Q after planning: " + to_text(std::round(error * 10000) / 10000));
  });
}

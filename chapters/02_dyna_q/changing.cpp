// When to trust the model (slide "Key Questions of Deep MBRL"): the maze changes, and what the model remembers is
// wrong. Dyna-Q believes its memory; Dyna-Q+ looks again at what it has not tried for long. The picture: reward so far.
//   build/02_dyna_q_changing                         both mazes, 20 seeds: 1 s, 10 MB
#include <algorithm>
#include <cmath>
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/01_q_planning/draw_maze.h" // episode_frames
#include "chapters/02_dyna_q/dyna_q.h"
#include "chapters/02_dyna_q/dyna_q_plus.h"
#include "envs/maze.h"   // blocking_maze, shortcut_maze
#include "plots/plot.h"  // Figure, draw, animate

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Dyna-Q and Dyna-Q+ on mazes that change (slide \"Key Questions of Deep MBRL\")";
  // Lists: a value for the blocking maze and one for the shortcut maze, or one value for both.
  std::vector<int> steps  = opt("steps", std::vector<int>{3000, 6000}, "real environment steps in all", at_least(1));
  std::vector<int> change = opt("change", std::vector<int>{1000, 3000}, "real step of the change", at_least(1));
  std::vector<int> n      = opt("n", std::vector<int>{10, 50}, "n, planning updates per real step", range(0, 1e6));
  std::vector<double> kappa = opt("kappa", std::vector<double>{1e-4, 1e-3}, "kappa, bonus' weight", at_least(0));
  Real alpha    = opt("alpha", 1.0f, "alpha, step size", range(0, 1));
  Real gamma    = opt("gamma", 0.95f, "gamma, discount", range(0, 1));
  Real epsilon  = opt("epsilon", 0.1f, "epsilon, probability of a random action", range(0, 1));
  int log_every = opt("log-every", 50, "real steps between two rows", at_least(1));
  static std::vector<std::string> environments() { return {"both", "blocking_maze", "shortcut_maze"}; }
  static Preset lecture() { return {{"seeds", 20}}; }
  static Presets paper() { return {{"both", {{"seeds", 20}}}}; }  // Sutton and Barto's figures are the lecture's
  static Preset smoke() { return {{"seeds", 2}, {"steps", 400}, {"change", 200}}; }
};

// A maze with the settings of its figure, unless an option says otherwise.
struct Task {
  std::string env;
  Maze maze;
  long steps;
  int n;
  Real kappa;
};
std::vector<Task> tasks(const Options& opt) {
  std::vector<Task> list;
  if (opt.env != "shortcut_maze")
    list.push_back({"blocking_maze", blocking_maze(opt.change.front()), opt.steps.front(), opt.n.front(),
                    Real(opt.kappa.front())});
  if (opt.env != "blocking_maze")
    list.push_back({"shortcut_maze", shortcut_maze(opt.change.back()), opt.steps.back(), opt.n.back(),
                    Real(opt.kappa.back())});
  return list;
}

// One run of either agent.
template <class Agent>
void run(const Options& opt, const Task& task, const std::string& algo, int seed, Agent& agent, RunLog& log) {
  Rng rng(seed);
  Maze maze = task.maze;
  Real eval_return = 0;
  while (maze.steps < task.steps && !interrupted()) {
    if (maze.terminal(maze.state)) maze.reset();
    eval_return += agent.step(maze, rng).R;  //(b2) the model is inaccurate once the walls have changed: who trusts it?
    if (maze.steps % opt.log_every == 0 || maze.steps == task.steps)
      log.row(algo, task.env, seed, maze.steps, eval_return);
  }
  check_finite(agent.Q);
}

// From the CSV file: cumulative reward with a band over seeds, and the moment of the change.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1000, .height = 440};
  for (const Task& task : tasks(opt)) {
    Panel panel{.title = task.env == "blocking_maze" ? "blocking maze" : "shortcut maze",
                .x_label = "real environment steps", .y_label = "cumulative reward", .y = {0, open_end}};
    const Table rows = table.where("env", task.env);
    if (rows.rows.empty()) continue;  // a run with another --env
    for (const Curve& c : curves(rows, {"algo"}, "env_steps", "eval_return"))
      panel.layers.push_back(curve(c.label == "dyna_q" ? "Dyna-Q" : "Dyna-Q+", c.x, c.mean, c.low, c.high));
    const double change = double(task.maze.change_step);
    const std::vector<double> rewards = rows.numbers("eval_return");
    const double top = *std::max_element(rewards.begin(), rewards.end());
    panel.layers.push_back(dashed("the walls change", {change, change}, {0, top}));
    panel.layers.back().colour = colour::grey;
    figure.panels.push_back(panel);
  }
  if (!figure.panels.empty()) draw(figure, opt.path(".png"));
}

// Reward after the change, Dyna-Q+ minus Dyna-Q, seed by seed.
void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  for (const Task& task : tasks(opt)) {
    std::vector<double> difference(opt.seeds);
    for (int i = 0; i < opt.seeds; ++i)
      for (const std::string algo : {"dyna_q", "dyna_q_plus"}) {
        const Table rows = table.where("env", task.env).where("algo", algo).where("seed", to_text(opt.seed + i));
        const std::vector<double> steps = rows.numbers("env_steps"), reward = rows.numbers("eval_return");
        const std::size_t change = std::upper_bound(steps.begin(), steps.end(), task.maze.change_step) - steps.begin();
        difference[i] += (algo == "dyna_q" ? -1 : 1) * (reward.back() - (change > 0 ? reward[change - 1] : 0));
      }
    if (task.steps > task.maze.change_step)
      claims.at_least(task.env + ": reward after the change, Dyna-Q+ minus Dyna-Q", "Key Questions of Deep MBRL",
                      difference, 0);
  }
}

struct Agents {
  DynaQ dyna_q;
  DynaQPlus dyna_q_plus;
  Agents(const Options& opt, const Task& task)
      : dyna_q(task.maze.states(), Maze::actions, task.n, opt.alpha, opt.gamma, opt.epsilon),
        dyna_q_plus(task.maze.states(), Maze::actions, task.n, opt.alpha, opt.gamma, opt.epsilon, task.kappa) {}
  template <class Ar> void io(Ar& ar) { ar("dyna_q", dyna_q), ar("dyna_q_plus", dyna_q_plus); }
};

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    Agents start(opt, tasks(opt).back()), agents = start, first = start;  // first: of the first seed, for the GIF
    if (!opt.load.empty()) load_networks(opt.load, start);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return"});
    Progress progress(opt, long(tasks(opt).size()) * opt.seeds, "reward", "runs");
    long done = 0;
    for (const Task& task : tasks(opt))
      for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
        agents = Agents(opt, task);
        agents.dyna_q.Q = start.dyna_q.Q, agents.dyna_q_plus.Q = start.dyna_q_plus.Q;
        run(opt, task, "dyna_q", seed, agents.dyna_q, log);
        run(opt, task, "dyna_q_plus", seed, agents.dyna_q_plus, log);
        if (seed == opt.seed) first = agents;
        progress.show(++done);
      }
    if (!opt.save.empty()) save_networks(opt.save, agents, {{"program", opt.program}, {"env", opt.env}});
    if (opt.gif) {
      Maze maze = tasks(opt).back().maze;
      maze.map = maze.changed;
      animate(episode_frames(maze, first.dyna_q_plus.Q, opt.seed, "Dyna-Q+ after the change"), opt.path(".gif"), 0.3);
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline;
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"env", "algo"}, "env_steps", "eval_return"))
      headline += (headline.empty() ? "reward " : ", ") + c.label + " " + to_text(std::lround(c.mean.back()));
    finish(opt, headline);
  });
}

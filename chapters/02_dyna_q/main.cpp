// Dyna-Q on a simple maze (slides "Dyna-Q" and "Dyna-Q on a Simple Maze"): act, learn, remember, and learn n more times
// from the memory. The pictures: steps per episode for n = 0, 5, 50, and the greedy policies halfway through episode 2.
//
//   build/02_dyna_q                    30 seeds: 1 s, 10 MB
//   build/02_dyna_q --n 0,1,200 --gif
#include <algorithm>
#include <array>
#include <numeric>
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/01_q_planning/draw_maze.h" // draw_maze, episode_frames
#include "chapters/02_dyna_q/dyna_q.h"
#include "envs/maze.h"   // dyna_maze
#include "plots/plot.h"  // Figure, draw, animate

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Dyna-Q on a simple maze (slides \"Dyna-Q\", \"Dyna-Q on a Simple Maze\")";
  std::vector<int> n = opt("n", std::vector<int>{0, 5, 50}, "n, planning updates per real step, one curve each",
                           range(0, 1e6));
  int episodes  = opt("episodes", 50, "episodes of a run", at_least(3));
  long steps    = opt("steps", 1000000L, "real environment steps after which a run ends at the latest", at_least(1));
  Real alpha    = opt("alpha", 0.1f, "alpha, step size", range(0, 1));
  Real gamma    = opt("gamma", 0.95f, "gamma, discount", range(0, 1));
  Real epsilon  = opt("epsilon", 0.1f, "epsilon, probability of a random action", range(0, 1));
  double slip   = opt("slip", 0.2, "slippery_maze: probability of moving sideways instead", range(0, 1));
  static std::vector<std::string> environments() { return {"maze", "slippery_maze"}; }
  static Preset lecture() { return {{"seeds", 30}}; }
  static Presets paper() { return {{"maze", {{"seeds", 30}}}}; }  // Sutton and Barto's figure is the lecture's
  static Preset smoke() { return {{"seeds", 2}, {"episodes", 3}, {"n", "0,5"}}; }
};

Maze make_maze(const Options& opt) { return dyna_maze(opt.env == "maze" ? 0 : opt.slip); }

// One run: `episodes` episodes from S to G. Logs the steps of each; of the first seed's episode 2 also the policy.
void run(const Options& opt, int seed, DynaQ& agent, RunLog& log, RunLog& policies) {
  Rng rng(seed);
  Maze maze = make_maze(opt);
  std::vector<std::pair<Mat, int>> episode_2;  // Q and the agent's state, step by step
  for (int episode = 1; episode <= opt.episodes && maze.steps < opt.steps && !interrupted(); ++episode) {
    const long start = maze.steps;
    Real eval_return = 0;
    maze.reset();
    while (!maze.terminal(maze.state) && maze.steps < opt.steps && !interrupted()) {
      if (episode == 2 && seed == opt.seed) episode_2.emplace_back(agent.Q, maze.state);
      eval_return += agent.step(maze, rng).R;  // (a) to (f)
    }
    check_finite(agent.Q);
    if (maze.terminal(maze.state))  // an episode that was cut off would look like a short one
      log.row("dyna_q", opt.env, seed, maze.steps, eval_return, agent.n, episode, maze.steps - start);
  }
  if (episode_2.empty()) return;
  const auto& [Q, agent_at] = episode_2[episode_2.size() / 2];  // halfway
  for (int S = 0; S < maze.states(); ++S)
    policies.row(agent.n, S, int(S == agent_at), Q(S, 0), Q(S, 1), Q(S, 2), Q(S, 3));
}

// From the CSV files: steps per episode with a band over seeds; the policies halfway through episode 2.
void plot(const Options& opt) {
  Panel panel{.x_label = "episode", .y_label = "steps per episode", .x = {2, double(opt.episodes)}, .y = {0, 800},
              .key = Key::top_right};
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"n"}, "episode", "steps"))
    panel.layers.push_back(curve(c.label + " planning steps" + (c.label == "0" ? " (direct RL only)" : ""), c.x, c.mean,
                                 c.low, c.high));
  draw({.panels = {panel}}, opt.path(".png"));

  Figure figure{.width = 1000, .height = 400};
  for (const int n : {opt.n.front(), opt.n.back()}) {
    const Table rows = read_csv(opt.path("_policies.csv")).where("n", to_text(n));
    const std::vector<double> agent = rows.numbers("agent");
    Mat Q(agent.size(), Maze::actions);
    for (int A = 0; A < Maze::actions; ++A) {
      const std::vector<double> q = rows.numbers(std::array{"up", "down", "left", "right"}[A]);
      for (std::size_t S = 0; S < q.size(); ++S) Q(S, A) = Real(q[S]);
    }
    const int at = int(std::find(agent.begin(), agent.end(), 1) - agent.begin());
    if (Q.rows() > 0) figure.panels.push_back(draw_maze(make_maze(opt), Q, at, "n = " + to_text(n)));
  }
  if (!figure.panels.empty()) draw(figure, opt.path("_policies.png"));
}

// The slide's message in numbers: how many episodes until one takes at most twice the 14 steps of the shortest path.
void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  for (const int n : opt.n) {
    if (opt.env != "maze" || (n != 0 && n != 5 && n != 50)) continue;  // what the slide's figure shows
    std::vector<double> until, last;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const std::vector<double> steps = table.where("n", to_text(n)).where("seed", to_text(seed)).numbers("steps");
      if (steps.size() < 10) continue;
      until.push_back(std::find_if(steps.begin(), steps.end(), [](double k) { return k <= 28; }) - steps.begin() + 1);
      last.push_back(std::accumulate(steps.end() - 10, steps.end(), 0.0) / 10);
    }
    const std::string slide = "Dyna-Q on a Simple Maze", text = "n = " + to_text(n) + ": ";
    if (n == 0) claims.at_least(text + "episodes until one takes at most 28 steps", slide, until, 10);
    else claims.at_most(text + "episodes until one takes at most 28 steps", slide, until, n < 50 ? 6 : 4);
    claims.between(text + "steps per episode, mean of the last ten", slide, last, 14, 20);
  }
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const Maze maze = make_maze(opt);
    DynaQ start(maze.states(), Maze::actions, 0, opt.alpha, opt.gamma, opt.epsilon), agent = start;
    if (!opt.load.empty()) load_networks(opt.load, start);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "n", "episode", "steps"});
    RunLog policies(opt, {"n", "state", "agent", "up", "down", "left", "right"}, "_policies.csv");
    Progress progress(opt, long(opt.n.size()) * opt.seeds, "n", "runs");
    long done = 0;
    for (const int n : opt.n)
      for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
        agent = start;
        agent.n = n;
        run(opt, seed, agent, log, policies);
        progress.show(++done, n);
      }
    if (!opt.save.empty()) save_networks(opt.save, agent, {{"program", opt.program}, {"env", opt.env}});
    if (opt.gif)
      animate(episode_frames(maze, agent.Q, opt.seed, "n = " + to_text(agent.n)), opt.path(".gif"), 0.3);
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline = "no episode was finished";
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"n"}, "episode", "steps"))
      headline = "n = " + c.label + ": " + to_text(std::lround(c.mean.back())) + " steps in the last episode";
    finish(opt, headline);
  });
}

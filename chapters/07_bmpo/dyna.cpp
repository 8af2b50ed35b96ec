// Planning in both directions, without networks: the maze of chapter 02, whose model is known from a random walk. How
// many planning updates until every greedy action is on a shortest path, if the rollouts go forwards, backwards or both
// ways, from states drawn by p(s) ~ exp(beta V(s))?
//
//   build/07_bmpo_dyna                 30 seeds: 2 s, 20 MB
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/05_model_free/evaluate.h"  // median
#include "chapters/07_bmpo/bidirectional_dyna.h"
#include "plots/plot.h"  // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Bidirectional Dyna on a simple maze (slide \"Other Components of BMPO\")";
  std::vector<double> beta = opt("beta", std::vector<double>{0, 3, 10}, "beta, how much starts prefer high values",
                                 range(0, 1e6));
  int k            = opt("k", 10, "k, steps each way; one way only: 2k", range(1, 10000));
  long most        = opt("most", 100000L, "planning updates after which a run gives up", at_least(1));
  Real alpha       = opt("alpha", 1.0f, "alpha, step size", range(0, 1));
  Real gamma       = opt("gamma", 0.95f, "gamma, discount", range(0, 1));
  std::vector<double> epsilon = opt("epsilon", std::vector<double>{0.1, 1}, "epsilon, probability of a random action "
                                    "forwards; 1: the policy is uniform", range(0, 1));
  static Preset lecture() { return {{"seeds", 30}}; }
  static Preset smoke() { return {{"seeds", 2}, {"most", 5000}}; }
  static std::vector<std::string> without() { return {"save", "load", "gif"}; }
};

// Which way a rollout goes; all have 2k steps.
struct Mode {
  std::string name;
  int k1, k2;
};
std::vector<Mode> modes(int k) { return {{"forward", 0, 2 * k}, {"backward", 2 * k, 0}, {"both", k, k}}; }

// A random walk until every action has been tried in every state from which the goal can be reached. Returns its steps.
long explore(Maze maze, BidirectionalDyna& agent, const std::vector<int>& distance, Rng& rng) {
  long left = Maze::actions * std::count_if(distance.begin(), distance.end(), [](int d) { return d > 0; });
  maze.reset();
  while (left > 0) {
    if (maze.terminal(maze.state)) maze.reset();
    const int S = maze.state, A = int(rng.below(Maze::actions));
    const std::size_t before = agent.Model.tried.actions[S].size();
    const auto [R, S_next] = maze.step(A, rng);
    agent.learn(S, A, R, S_next);
    left -= long(agent.Model.tried.actions[S].size() - before);
  }
  return maze.steps;
}

// Plans until every greedy action is on a shortest path, ties included; returns whether that came within `most`
// updates. visits: (states), to which the updates of each are added. Trap: at a very large beta all starts are at the
// goal, where nothing begins forwards: `most` starts in a row without an update also end it.
bool plan(const Options& opt, const Maze& maze, const std::vector<int>& distance, BidirectionalDyna& agent,
          const Mode& mode, double beta, Rng& rng, std::vector<long>& visits) {
  std::vector<bool> right(maze.states(), true);
  long wrong = 0;
  for (int S = 0; S < maze.states(); ++S)
    if (distance[S] > 0) right[S] = greedy_is_shortest(agent.Q, S, maze, distance), wrong += !right[S];
  const auto updated = [&](int S, int) {  // only the greedy actions of S can have changed
    const bool now = greedy_is_shortest(agent.Q, S, maze, distance);
    wrong += long(right[S]) - long(now);
    right[S] = now, ++visits[S];
    return wrong > 0 && agent.updates < opt.most;
  };
  for (long idle = 0; wrong > 0 && agent.updates < opt.most && idle < opt.most && !interrupted();) {
    const long before = agent.updates;
    agent.plan(agent.draw_start(beta, rng), mode.k1, mode.k2, rng, updated);
    idle = agent.updates > before ? 0 : idle + 1;
  }
  return wrong == 0;
}

// The share of the updates that each state gets, summed over seeds, by algo, beta and epsilon.
using Shares = std::map<std::array<std::string, 3>, std::vector<double>>;

// One seed: the same random walk, then each way of planning at each beta and epsilon.
void run(const Options& opt, int seed, RunLog& log, Shares& shares) {
  const Maze maze = dyna_maze();
  const std::vector<int> distance = distances(maze);
  const int goal = int(std::find(distance.begin(), distance.end(), 0) - distance.begin());
  Rng rng(seed);
  BidirectionalDyna known(maze.states(), Maze::actions, goal, opt.alpha, opt.gamma, 0);
  const long env_steps = explore(maze, known, distance, rng);
  for (const double beta : opt.beta)
    for (const Mode& mode : modes(opt.k))
      for (const double epsilon : opt.epsilon) {
        if (mode.k2 == 0 && epsilon != opt.epsilon.front()) continue;  // backwards there is no epsilon
        Rng planning = rng;
        BidirectionalDyna agent = known;
        agent.epsilon = Real(epsilon);
        std::vector<long> visits(maze.states());
        const bool reached = plan(opt, maze, distance, agent, mode, beta, planning, visits);
        if (interrupted()) return;
        check_finite(agent.Q);
        log.row(mode.name, seed, env_steps, beta, epsilon, reached ? agent.updates : opt.most, int(reached));
        std::vector<double>& share = shares[{mode.name, to_text(beta), to_text(epsilon)}];
        share.resize(visits.size());
        const double all = double(std::max(1L, agent.updates));
        for (std::size_t S = 0; S < share.size(); ++S) share[S] += double(visits[S]) / all;
      }
}

// A cell is as dark as its share of the planning updates, written in per cent.
Panel plot_shares(const Maze& maze, const Table& rows, const std::string& title) {
  Panel panel{.title = title, .equal = true, .axes = false, .key = Key::off};
  const std::vector<double> share = rows.numbers("share");
  const double most = std::max(1e-9, *std::max_element(share.begin(), share.end()));
  for (int S = 0; S < maze.states(); ++S) {
    const double x = S % maze.cols(), y = maze.rows() - 1 - S / maze.cols();
    Layer cell = rectangle(x + 0.02, y + 0.02, x + 0.98, y + 0.98, maze.wall(S) ? colour::grey : colour::vermillion);
    if (!maze.wall(S)) cell.opacity = maze.terminal(S) ? 0 : 0.8 * share[S] / most;
    panel.layers.push_back(cell);
    const std::string number = maze.terminal(S) ? "G" : to_text(std::round(1e3 * share[S]) / 10);
    if (!maze.wall(S)) panel.layers.push_back(text(x + 0.5, y + 0.5, number));
  }
  return panel;
}

// The median over seeds of one way of planning, with the middle half, against beta.
Layer over_seeds(const Options& opt, const Table& table, const std::string& label) {
  Layer layer = curve(label, {}, {}, {}, {});
  for (const double beta : opt.beta) {
    std::vector<double> updates = table.where("beta", to_text(beta)).numbers("updates");
    if (updates.empty()) continue;
    std::sort(updates.begin(), updates.end());
    layer.x.push_back(beta), layer.y.push_back(median(updates));
    layer.low.push_back(updates[updates.size() / 4]), layer.high.push_back(updates[(3 * updates.size() - 1) / 4]);
  }
  return layer;
}

// From the CSV files.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), cells = read_csv(opt.path("_cells.csv"));
  if (table.rows.empty()) return;
  Panel updates{.title = "until all greedy actions are right", .x_label = "β of the start states",
                .y_label = "planning updates (median, middle half)", .y = {open_end, 50.0 * double(opt.most)},
                .log_y = true, .key = Key::top_left};
  constexpr Colour colours[] = {colour::blue, colour::green, colour::vermillion};
  for (const double epsilon : opt.epsilon)
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string name = modes(opt.k)[i].name, with = ", ε = " + to_text(epsilon);
      const Table rows = table.where("algo", name).where("epsilon", to_text(epsilon));
      if (rows.rows.empty()) continue;
      updates.layers.push_back(over_seeds(opt, rows, name == "backward" ? name : name + with));
      updates.layers.back().colour = colours[i];
      updates.layers.back().dashed = epsilon != opt.epsilon.front();
    }
  Figure figure{.width = 1400, .height = 440, .panels = {updates}};
  for (const double beta : {opt.beta.front(), opt.beta.back()}) {
    const Table rows = cells.where("algo", "both").where("beta", to_text(beta))
                            .where("epsilon", to_text(opt.epsilon.front()));
    if (!rows.rows.empty())
      figure.panels.push_back(plot_shares(dyna_maze(), rows, "both ways, β = " + to_text(beta) + ": % of the updates"));
  }
  draw(figure, opt.path(".png"));
}

// log10 of (updates of a) / (updates of b), a value per seed. Who gave up counts with --most.
std::vector<double> log_ratio(const Table& a, const Table& b) {
  std::vector<double> x = a.numbers("updates");
  const std::vector<double> y = b.numbers("updates");
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::log10(x[i] / y[i]);
  return x;
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const std::string slide = "Other Components of BMPO";
  const auto rows = [&](const std::string& algo, double beta, double epsilon) {
    return table.where("algo", algo).where("beta", to_text(beta)).where("epsilon", to_text(epsilon));
  };
  Claims claims(opt);
  for (const double epsilon : opt.epsilon) {
    for (const double beta : {0.0, 3.0})
      if (const Table both = rows("both", beta, epsilon); !both.rows.empty())
        claims.at_least("beta = " + to_text(beta) + ", epsilon = " + to_text(epsilon) +
                            ": log10 of the updates forward only / both", slide,
                        log_ratio(rows("forward", beta, epsilon), both), 0.4772);  // log10 3
    for (const double beta : {3.0, 10.0})
      if (const Table more = rows("both", beta, epsilon), zero = rows("both", 0, epsilon);
          !more.rows.empty() && !zero.rows.empty())
        claims.at_most("epsilon = " + to_text(epsilon) + ": log10 of the updates of both, beta = " + to_text(beta) +
                       " / beta = 0", slide, log_ratio(more, zero), 0);
  }
}

std::string headline(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")).where("beta", to_text(opt.beta.front()))
                                                .where("epsilon", to_text(opt.epsilon.front()));
  if (table.rows.empty()) return "stopped before the first plan";
  std::string text = "beta = " + to_text(opt.beta.front()) + ": ";
  for (const Mode& mode : modes(opt.k))
    if (const Table rows = table.where("algo", mode.name); !rows.rows.empty())
      text += (mode.name == "forward" ? "" : ", ") + mode.name + " " +
              to_text(std::round(median(rows.numbers("updates"))));
  return text + " updates";
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "seed", "env_steps", "beta", "epsilon", "updates", "reached"});
    RunLog cells(opt, {"algo", "beta", "epsilon", "state", "share"}, "_cells.csv");
    Progress progress(opt, opt.seeds, "", "seeds");
    Shares shares;
    int done = 0;
    for (; done < opt.seeds && !interrupted(); progress.show(++done)) run(opt, opt.seed + done, log, shares);
    for (const auto& [how, share] : shares) {
      const double sum = std::accumulate(share.begin(), share.end(), 0.0);
      for (std::size_t S = 0; S < share.size(); ++S) cells.row(how[0], how[1], how[2], S, sum > 0 ? share[S] / sum : 0);
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, headline(opt));
  });
}

// What a run of BMPO shows: its picture and its claims, both from the CSV file.
#pragma once
#include "chapters/00_toolbox/curves.h"  // curves, interval95
#include "chapters/00_toolbox/run_log.h"  // read_csv
#include "chapters/06_mbpo/claims.h"      // Claims, mean_return, difference
#include "chapters/07_bmpo/bmpo_options.h"
#include "plots/plot.h"  // Figure, draw

inline std::string name_of(const std::string& algo) {
  const std::map<std::string, std::string> names = {{"bmpo", "BMPO"}, {"no_backward", "no backward steps"},
                                                    {"no_boltzmann", "uniform starts"}, {"no_mpc", "no MPC"},
                                                    {"mbpo", "MBPO"}};
  return names.at(algo);
}

// The slide's comparison: BMPO minus MBPO, and minus itself without each of its parts.
inline void claim(const BmpoOptions& opt, const Table& table) {
  Claims claims(opt);
  if (!opt.ablation || opt.Args::smoke || table.rows.empty()) return;
  const std::string slide = "Comparison with State-of-the-Arts";
  for (const auto& [what, last] : {std::pair("all evaluations", SIZE_MAX), std::pair("the last three", std::size_t(3))})
    for (const char* other : {"mbpo", "no_backward", "no_boltzmann", "no_mpc"})
      claims.at_least(opt.env + ": BMPO minus " + name_of(other) + ", mean return of " + what, slide,
                      difference(opt, table, "bmpo", other, last), 0);
}

// A point for each algorithm, with its interval: the area under the curve and the return at the end.
inline Panel areas(const BmpoOptions& opt, const Table& table) {
  const Colour palette[] = {colour::blue, colour::vermillion, colour::green, colour::purple, colour::orange};
  Panel panel{.title = "mean return of all evaluations, of the last three",
              .x_label = "1 BMPO, 2 no backward, 3 uniform, 4 no MPC, 5 MBPO",
              .y_label = "return", .x = {0.5, 5.5}, .key = Key::off};
  double at = 0;
  for (const std::string& algo : opt.algos()) {
    at += 1;
    for (const auto& [x, last] : {std::pair(at - 0.15, SIZE_MAX), std::pair(at + 0.15, std::size_t(3))}) {
      std::vector<double> returns;
      for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed)
        returns.push_back(mean_return(table.where("algo", algo).where("seed", to_text(seed)), last));
      const Interval m = interval95(returns);
      panel.layers.push_back(line("", {x, x}, {m.low, m.high}));
      panel.layers.push_back(points("", {x}, {m.mean}));
      for (auto layer = panel.layers.end() - 2; layer != panel.layers.end(); ++layer)
        layer->colour = palette[int(at) - 1];
    }
  }
  return panel;
}

inline void plot(const BmpoOptions& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto panel = [](const char* title, const char* y_label) {
    return Panel{.title = title, .x_label = "real environment steps", .y_label = y_label};
  };
  Panel returns = panel(opt.env.c_str(), "return");
  returns.key = Key::bottom_right;
  for (const Curve& c : curves(table, {"algo"}, "env_steps", "eval_return"))
    returns.layers.push_back(curve(name_of(c.label), c.x, c.mean, c.low, c.high));
  Figure figure{.width = 1000, .height = 800, .columns = 2, .panels = {returns}};
  const Table rows = table.where("algo", opt.algos()[0]);
  const auto add = [&](Panel panel, std::initializer_list<std::pair<const char*, const char*>> columns) {
    for (const auto& [column, label] : columns)
      for (const Curve& c : curves(rows, {}, "env_steps", column))
        panel.layers.push_back(panel.log_y ? line(label, c.x, c.mean) : curve(label, c.x, c.mean, c.low, c.high));
    figure.panels.push_back(panel);
  };
  add(panel("where rollouts begin", "mean V(s)"), {{"V_start", "start states"}, {"V_all", "all states"}});
  Panel error = panel("models", "holdout error");
  error.log_y = true;
  add(error, {{"holdout_mse", "forward"}, {"holdout_mse_back", "backward"}});
  if (opt.ablation) figure.panels.push_back(areas(opt, table));
  else add(panel("what the critics promise, and what comes out", "discounted return of an episode"),
           {{"value", "promised"}, {"discounted_return", "came out"}});
  draw(figure, opt.path(".png"));
}

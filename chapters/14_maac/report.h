// What a run of MAAC shows: its picture and its claims, both from the CSV file.
#pragma once
#include "chapters/00_toolbox/curves.h"   // curves
#include "chapters/00_toolbox/run_log.h"  // read_csv
#include "chapters/06_mbpo/claims.h"      // Claims, steps_to, difference
#include "chapters/14_maac/maac_options.h"
#include "plots/plot.h"  // Figure, draw

inline std::string name_of(const std::string& algo) {
  return algo == "mbpo" ? "MBPO" : algo == "sac" ? "SAC" : "MAAC, H = " + algo.substr(6);
}

// MAAC's steps on pendulum; each other run minus the one before it: is a longer H better, is the whitebox use of the
// model better than the blackbox, is that better than no model?
inline void claim(const MaacOptions& opt, const Table& table) {
  Claims claims(opt);
  if (opt.Args::smoke || table.rows.empty()) return;
  const std::string slide = "MAAC Algorithm", seeds = " of " + to_text(opt.seeds) + " seeds";
  const std::vector<std::string> algos = opt.algos();
  if (opt.env == "pendulum" && opt.steps >= 2000)
    for (const std::string& algo : algos)
      claims.at_most("pendulum, " + name_of(algo) + ": steps to -250, median" + seeds, slide,
                     exact(median(steps_to(opt, table.where("algo", algo), -250))), 1500);
  const auto compare = [&](const std::string& one, const std::string& other) {
    for (const auto& [what, last] : {std::pair("all evaluations", SIZE_MAX), {"the last three", std::size_t(3)}})
      claims.at_least(opt.env + ": " + name_of(one) + " minus " + name_of(other) + ", mean return of " + what,
                      "Experiments", difference(opt, table, one, other, last), 0);
  };
  for (const std::string& algo : algos)
    if (algo.starts_with("maac_h") && algo != "maac_h0" && opt.horizon.front() == 0) compare(algo, "maac_h0");
  if (!opt.compare) return;
  for (const char* other : {"mbpo", "sac"}) compare(algos[0], other);
  compare("mbpo", "sac");
}

inline void plot(const MaacOptions& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto panel = [&](const char* title, const char* y_label, const char* column) {
    Panel p{.title = title, .x_label = "real environment steps", .y_label = y_label};
    for (const Curve& c : curves(table, {"algo"}, "env_steps", column))
      p.layers.push_back(curve(name_of(c.label), c.x, c.mean, c.low, c.high));
    return p;
  };
  Panel norm = panel("the policy's gradient, before clipping", "norm, mean of a step's updates", "grad_norm");
  norm.log_y = true;
  for (Layer& l : norm.layers) l.kind = Kind::line;  // a band would reach below 0
  draw({.width = 1000, .height = 480, .panels = {panel(opt.env.c_str(), "return of an episode", "eval_return"), norm}},
       opt.path(".png"));
}

// What a run of AMPO shows: its picture and its claims, both from the CSV file.
#pragma once
#include "chapters/00_toolbox/curves.h"   // curves
#include "chapters/00_toolbox/run_log.h"  // read_csv
#include "chapters/06_mbpo/claims.h"      // Claims, difference
#include "chapters/08_ampo/ampo_options.h"
#include "plots/plot.h"  // Figure, draw

inline std::string name_of(const std::string& algo) {
  return algo == "ampo_w1" ? "AMPO, W1" : algo == "ampo_mmd" ? "AMPO, MMD" : "MBPO";
}

// The slide's comparison: AMPO minus MBPO.
inline void claim(const AmpoOptions& opt, const Table& table) {
  Claims claims(opt);
  if (!opt.compare || opt.Args::smoke || table.rows.empty()) return;
  const std::string slide = "Comparison with State-of-the-Arts";
  for (const char* algo : {"ampo_w1", "ampo_mmd"})
    for (const auto& [what, last] : {std::pair("all evaluations", SIZE_MAX), {"the last three", std::size_t(3)}})
      claims.at_least(opt.env + ": " + name_of(algo) + " minus MBPO, mean return of " + what, slide,
                      difference(opt, table, algo, "mbpo", last), 0);
}

inline void plot(const AmpoOptions& opt) {
  const Table table = read_csv(opt.path(".csv"));
  const auto panel = [&](const char* title, const char* y_label, const char* column) {
    Panel p{.title = title, .x_label = "real environment steps", .y_label = y_label};
    for (const Curve& c : curves(table, {"algo"}, "env_steps", column))
      p.layers.push_back(curve(name_of(c.label), c.x, c.mean, c.low, c.high));
    return p;
  };
  Panel error = panel("the model", "holdout error of the best member", "holdout_mse");
  error.log_y = true;
  for (Layer& l : error.layers) l.kind = Kind::line;  // a band would reach below 0
  draw({.width = 1000, .height = 800, .columns = 2,
        .panels = {panel(opt.env.c_str(), "return", "eval_return"),
                   panel("features, real and simulated", "MMD^2 after adaptation", "mmd2_after"), error,
                   panel("what the critics promise", "min_j Q_j at first states", "value")}},
       opt.path(".png"));
}

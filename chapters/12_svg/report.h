// What the learning programs of this chapter show: evaluations, curves, claims.
#pragma once
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/05_model_free/evaluate.h"  // evaluate, median
#include "chapters/12_svg/options.h"
#include "chapters/12_svg/policy.h"
#include "plots/plot.h"  // Panel

// Without its noise.
template <class Value>
Evaluation evaluate(const LearnerOptions& opt, const Policy& pi, Env& env, Rng& rng, const Value& value) {
  return evaluate(env, opt.eval_episodes, opt.gamma, rng, [&](const Mat& s) { return pi.mean(s); }, value);
}

// The mean evaluation of each seed at real steps from, ..., to; NaN of none.
inline std::vector<double> late_returns(const Args& opt, const Table& table, double from, double to) {
  std::vector<double> means;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("seed", to_text(seed));
    const std::vector<double> steps = rows.numbers("env_steps"), all = rows.numbers("eval_return");
    double sum = 0, n = 0;
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (from <= steps[i] && steps[i] <= to) sum += all[i], ++n;
    means.push_back(sum / n);
  }
  return means;
}
inline void claim_late_return(const LearnerOptions& opt, const std::string& name, const std::string& slide,
                              const Table& table, double from, double to) {
  Claims claims(opt);
  if (opt.env != "pendulum" || opt.steps < to || opt.Args::smoke) return;
  claims.at_least("pendulum, " + name + ": mean evaluation from " + to_text(from) + " to " + to_text(to) +
                      " real steps, median of " + to_text(opt.seeds) + " seeds",
                  slide, exact(median(late_returns(opt, table, from, to))), -300);
}

// Mean and band, or the mean alone, against thousands of real steps.
inline Layer against_thousands(const std::string& label, Curve c, bool band = true) {
  for (double& x : c.x) x /= 1000;
  return band ? curve(label, c.x, c.mean, c.low, c.high) : line(label, c.x, c.mean);
}
const std::string thousands = "real environment steps, thousands";

// Columns of a run of one algorithm, a curve for each label.
inline Panel panel_of(const Table& table, const std::string& title, const std::string& y_label,
                      const std::vector<std::pair<std::string, std::string>>& columns, bool band = true) {
  Panel panel{.title = title, .x_label = thousands, .y_label = y_label,
              .key = columns.size() > 1 ? Key::below : Key::off};
  for (const auto& [column, label] : columns)
    for (const Curve& c : curves(table, {}, "env_steps", column))
      panel.layers.push_back(against_thousands(label, c, band));
  return panel;
}

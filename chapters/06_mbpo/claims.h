// What the slide "MBPO Experiments" says, in numbers of the CSV files.
#pragma once
#include <numeric>
#include "chapters/00_toolbox/claims.h"        // Claims
#include "chapters/00_toolbox/curves.h"        // curves
#include "chapters/05_model_free/evaluate.h"   // reaches, median
#include "chapters/06_mbpo/mbpo_options.h"

// The real steps after which two evaluations in a row are above the threshold, per seed; infinite if never.
inline std::vector<double> steps_to(const MbpoOptions& opt, const Table& table, double threshold) {
  std::vector<double> steps;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("seed", to_text(seed));
    steps.push_back(reaches(rows.numbers("env_steps"), rows.numbers("eval_return"), threshold));
  }
  return steps;
}

// The mean return of a run's evaluations: of all, the area under its curve, or of the last few. NaN of none.
inline double mean_return(const Table& run, std::size_t last = SIZE_MAX) {
  const std::vector<double> all = run.numbers("eval_return");
  const long n = long(std::min(last, all.size()));
  return std::accumulate(all.end() - n, all.end(), 0.0) / double(n);
}
// Of one algorithm minus the other's, seed by seed; NaN where they were not evaluated at the same steps.
inline std::vector<double> difference(const MbpoOptions& opt, const Table& table, const std::string& algo,
                                      const std::string& other, std::size_t last = SIZE_MAX) {
  std::vector<double> d;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
    const Table rows = table.where("seed", to_text(seed)), a = rows.where("algo", algo), b = rows.where("algo", other);
    const bool same = a.numbers("env_steps") == b.numbers("env_steps");
    d.push_back(same ? mean_return(a, last) - mean_return(b, last) : std::numeric_limits<double>::quiet_NaN());
  }
  return d;
}

// What a run of several algorithms says at its end: the return of each at the last evaluation.
template <class Name> std::string last_returns(const Args& opt, const Name& name_of) {
  std::string text;
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"algo"}, "env_steps", "eval_return"))
    text += (text.empty() ? "" : "; ") + name_of(c.label) + ": return " + to_text(std::lround(c.mean.back())) +
            " at " + to_text(c.x.back());
  return text.empty() ? "no evaluation" : text;
}

// Of the main program's run.
inline void claim(const MbpoOptions& opt, const Table& table) {
  Claims claims(opt);
  if (!opt.uses_model() || opt.Args::smoke || table.rows.empty()) return;
  const std::string slide = "MBPO Experiments", seeds = " of " + to_text(opt.seeds) + " seeds";
  if (opt.env == "pendulum" && opt.preset == "lecture" && opt.steps >= 1400)
    claims.at_most("pendulum: steps to -250, median" + seeds, slide, exact(median(steps_to(opt, table, -250))), 1200);
  if (opt.env == "inverted_pendulum" && opt.preset == "paper" && opt.steps >= 5000) {
    double reached = 0;
    for (const double steps : steps_to(opt, table, 999)) reached += steps <= 5000;
    claims.at_least("inverted_pendulum: seeds that reach 1000 within 5000 steps, share" + seeds, slide,
                    exact(reached / opt.seeds), 0.8);
  }
}

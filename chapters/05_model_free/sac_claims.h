// What the slide "Model-free RL v.s. Model-based RL" says about model-free learning, in numbers of SAC's CSV file.
#pragma once
#include "chapters/00_toolbox/claims.h"  // Claims
#include "chapters/05_model_free/evaluate.h"
#include "chapters/05_model_free/sac_options.h"

// The mean of the evaluation at step `at` and the two before it; NaN if there are not so many.
inline double mean_of_three(const std::vector<double>& x, const std::vector<double>& y, double at) {
  for (std::size_t i = 2; i < x.size(); ++i)
    if (x[i] == at) return (y[i - 2] + y[i - 1] + y[i]) / 3;
  return std::numeric_limits<double>::quiet_NaN();
}

// Medians over the run's seeds, judged as they are: a seed that never gets there counts as infinite.
inline void claim(const SacProgram& opt, const Table& table) {
  Claims claims(opt);
  const std::string slide = "Model-free RL v.s. Model-based RL";
  for (std::size_t i = 0; i < opt.updates.size(); ++i) {
    const std::string G = to_text(opt.updates[i]);
    const std::string start = opt.env + ", SAC, G = " + G + ", median of " + to_text(opt.seeds) + " seeds: ";
    const auto per_seed = [&](auto f) {
      std::vector<double> values;
      for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
        const Table rows = table.where("G", G).where("seed", to_text(seed));
        values.push_back(f(rows.numbers("env_steps"), rows.numbers("eval_return")));
      }
      return values;
    };
    const auto steps_to = [&](double threshold) {
      return per_seed([=](const std::vector<double>& x, const std::vector<double>& y) {
        return reaches(x, y, threshold);
      });
    };
    //(b5) the best asymptotic performance
    const auto final_return = [&](double at, double threshold) {
      const std::vector<double> means = per_seed([=](const auto& x, const auto& y) { return mean_of_three(x, y, at); });
      if (opt.steps_of(i) >= at)
        claims.at_least(start + "mean of three evaluations at " + to_text(at), slide, exact(median(means)), threshold);
    };
    if (opt.env == "pendulum" && opt.updates[i] == 1) {
      claims.at_most(start + "steps to -250", slide, exact(median(steps_to(-250))), 4000);
      final_return(8000, -200), final_return(15000, -170);
    }
    if (opt.env == "pendulum" && opt.updates[i] == 10)
      claims.at_most(start + "steps to -250", slide, exact(median(steps_to(-250))), 1400);
    if (opt.env == "inverted_pendulum" && opt.updates[i] == 1) {
      double solved = 0;
      for (const double steps : steps_to(999)) solved += steps <= 20000;
      claims.at_least("inverted_pendulum, SAC, G = 1: share of seeds at 1000 by 20000 steps", slide,
                      exact(solved / opt.seeds), 0.8);
    }
  }
}

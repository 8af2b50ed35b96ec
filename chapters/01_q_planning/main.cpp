// Q-planning (slide "Q-Planning"): learn a tabular model from random experience, then plan with it and never act again.
// The picture: how far Q is from the optimum, against planning updates, for models from little and from much experience.
//
//   build/01_q_planning                     both mazes, 5 seeds, 2 s, 10 MB
//   build/01_q_planning --env slippery_maze --steps 100000
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/01_q_planning/q_planning.h"
#include "envs/maze.h"    // dyna_maze
#include "plots/plot.h"   // Figure, draw

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Random-sample one-step tabular Q-planning (slide \"Q-Planning\")";
  int steps      = opt("steps", 1000000, "real environment steps of random experience; models learn from N/1000 to N", at_least(1000));
  int updates    = opt("updates", 1000000, "planning updates", at_least(100));
  double slip    = opt("slip", 0.2, "slippery maze: probability of moving sideways instead", range(0, 1));
  Real gamma     = opt("gamma", 0.95f, "gamma, discount", range(0, 1));
  Real alpha     = opt("alpha", 1.0f, "alpha, step size of the first update of a pair", range(0, 1));
  Real omega     = opt("omega", 0.7f, "slippery maze: the step size is alpha / n(S, A)^omega; otherwise constant", range(0, 1));
  static std::vector<std::string> environments() { return {"both", "maze", "slippery_maze"}; }
  static Preset lecture() { return {{"seeds", 5}}; }
  static Preset smoke() { return {{"steps", 10000}, {"updates", 10000}, {"seeds", 2}}; }
};

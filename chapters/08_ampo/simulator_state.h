// From an observation back to the simulator: what would really have happened where a model has led.
#pragma once
#include "chapters/00_toolbox/errors.h"  // BadInput
#include "envs/env.h"

// Throws BadInput, one line, for a task whose state cannot be seen.
inline void check_observed(const std::string& env) {
  if (env != "pendulum" && env != "inverted_pendulum" && env != "swimmer")
    throw BadInput("--env " + env + ": wanted pendulum, inverted_pendulum or swimmer, whose state can be seen");
}

// The simulator state that is observed as s (state_dim, n): (sim_dim, n). Where the root of the swimmer lies cannot be
// seen and does not matter: it is 0. A cosine and a sine that a model has made belong to the nearest angle. Throws
// std::invalid_argument for a task whose observation hides more.
inline Sim simulator_state(const Env& env, const Mat& s) {
  const Sim wide = s.cast<double>();
  Sim sim = Sim::Zero(env.sim_dim(), s.cols());
  if (env.name == "pendulum") sim.row(0) = atan2(Sim(wide.row(1)), Sim(wide.row(0))), sim.row(1) = wide.row(2);
  else if (env.name == "inverted_pendulum") sim.topRows(s.rows()) = wide;
  else if (env.name == "swimmer") sim.middleRows(2, s.rows()) = wide;
  else throw std::invalid_argument("simulator_state: not of " + env.name);
  return sim;
}

// The options of SAC's program, its tasks and their published settings.
#pragma once
#include <memory>
#include "chapters/00_toolbox/args.h"    // Args
#include "chapters/00_toolbox/errors.h"  // BadInput
#include "chapters/05_model_free/sac.h"

// The robots that there are, each with the same preset.
inline Presets robots(const Preset& preset) {
  Presets presets;
  for (const std::string& name : env_names())
    for (const char* robot : {"swimmer", "hopper", "half_cheetah", "walker2d", "ant", "humanoid"})
      if (name.starts_with(robot)) presets[name] = preset;
  return presets;
}

struct SacProgram : Args {
  using Args::Args;
  std::vector<int> updates = opt("updates", std::vector<int>{1, 10, 20},
                                 "G, gradient updates per real step; a list: one run after another", at_least(0));
  std::vector<int> steps = opt("steps", std::vector<int>{15000, 3000, 2000},
                               "real environment steps, random ones included; for all G, or one each", at_least(1));
  int random_steps = opt("random-steps", 200, "uniform random steps before the first update", at_least(1));
  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64},
                                "hidden layers of policy and critics; a single number: two layers of it", at_least(1));
  int batch     = opt("batch", 256, "transitions of an update", at_least(1));
  int capacity  = opt("capacity", 1000000, "transitions that D keeps, the newest", at_least(1));
  Real lr       = opt("lr", 1e-3f, "Adam's step size for policy, critics and temperature", above(0));
  Real gamma    = opt("gamma", 0.99f, "gamma, discount", range(0, 1));
  Real tau      = opt("tau", 0.005f, "tau, step of the lagged critics", range(1e-6, 1));
  Real alpha    = opt("alpha", 1.0f, "alpha, temperature at the start", above(0));
  int eval_every    = opt("eval-every", 200, "real steps between two evaluations; 0: none", at_least(0));
  int eval_episodes = opt("eval-episodes", 10, "episodes of an evaluation", at_least(1));

  // Every environment; check() refuses those with discrete actions.
  static std::vector<std::string> environments() { return env_names("pendulum"); }
  static Presets lecture_of() {
    const Preset robot = {{"steps", 50000}, {"updates", 1}, {"random-steps", 1000}, {"hidden", {256, 256}},
                          {"lr", 3e-4}, {"eval-every", 1000}, {"eval-episodes", 5}};
    Presets presets = robots(robot);
    presets["cartpole_swingup"] = {{"steps", {20000, 10000}}, {"updates", {1, 10}}};
    presets["inverted_pendulum"] = {{"steps", 20000}, {"updates", 1}};
    return presets;
  }
  // softlearning, the baseline of MBPO: 10 episodes of random steps, 256 x 256, 3e-4; steps of MBPO's figure.
  static Presets paper() {
    Presets presets;
    const std::map<std::string, int> steps = {{"inverted_pendulum", 100000}, {"swimmer", 1000000}, {"hopper", 1000000},
                                              {"half_cheetah", 1000000}, {"walker2d", 1000000}};
    for (const auto& [name, n] : steps)
      presets[name] = {{"steps", n}, {"updates", 1}, {"random-steps", 10000}, {"hidden", {256, 256}}, {"lr", 3e-4},
                       {"eval-every", 1000}};
    // Hands-on-RL's pendulum, with one learning rate and hidden layers of one size.
    presets["pendulum"] = {{"steps", 20000}, {"updates", 1}, {"random-steps", 1000}, {"hidden", {128, 128}},
                           {"batch", 64}, {"alpha", 0.01}, {"lr", 3e-4}, {"capacity", 100000}};
    return presets;
  }
  static Preset smoke() {
    return {{"steps", 300}, {"updates", {1, 2}}, {"random-steps", 100}, {"hidden", {8, 8}}, {"batch", 16},
            {"eval-every", 100}, {"eval-episodes", 2}};
  }

  // Throws BadInput, one line with the rule.
  void check() const {
    const std::unique_ptr<Env> task = make_env(env);
    if (task->choices > 0)
      throw BadInput("--env " + env + ": SAC needs continuous actions, this task has " +
                     to_text(task->choices) + " discrete ones (05_model_free_ppo takes them)");
    if (batch > capacity)
      throw BadInput("--batch " + to_text(batch) + ": at most --capacity, which is " + to_text(capacity));
    if (steps.size() != 1 && steps.size() < updates.size())
      throw BadInput("--steps " + join(steps, ",") + ": one value, or one for each G of --updates " +
                     join(updates, ","));
  }
  int steps_of(std::size_t i) const { return steps.size() == 1 ? steps[0] : steps[i]; }
  SacOptions sac() const {
    return {.hidden = hidden.size() == 1 ? std::vector<int>(2, hidden[0]) : hidden, .lr = lr, .gamma = gamma,
            .tau = tau, .alpha = alpha};
  }
};

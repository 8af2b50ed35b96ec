// The options of MBPO and the settings of each task.
#pragma once
#include <algorithm>
#include <memory>
#include "chapters/00_toolbox/checkpoint.h"  // Checkpointed
#include "chapters/00_toolbox/errors.h"      // BadInput
#include "chapters/04_pets/ensemble.h"       // EnsembleOptions
#include "chapters/05_model_free/sac.h"      // SacOptions
#include "envs/env.h"

struct MbpoOptions : Checkpointed {
  using Checkpointed::Checkpointed;
  int steps        = opt("steps", 2000, "real environment steps in all, the random ones included", at_least(1));
  int random_steps = opt("random-steps", 200, "uniform random steps before the first model", at_least(1));
  int epoch_steps  = opt("epoch-steps", 50, "E, real steps between two model trainings", at_least(1));

  int rollouts      = opt("rollouts", 10000, "M, branches of a rollout", at_least(1));
  int rollout_every = opt("rollout-every", 50, "real steps between two rollouts, from each model training on",
                              at_least(1));
  std::vector<int> rollout_length = opt("rollout-length", std::vector<int>{1},
                                        "k, steps of a branch; or e0,e1,k0,k1: k0 until real step e0, k1 from e1 on",
                                        at_least(0));
  int retain        = opt("retain", 2, "rollouts that D_model holds", at_least(1));
  int updates       = opt("updates", 20, "G, gradient updates per real step", at_least(0));
  Real real_ratio   = opt("real-ratio", 0.5f, "share of D_env in a batch; 1: SAC, no model is trained", range(0, 1));

  int members      = opt("members", 5, "networks of the model", at_least(1));
  int elites       = opt("elites", 5, "of which the best predict", at_least(1));
  std::vector<int> model_hidden = opt("model-hidden", std::vector<int>{64, 64}, "hidden layers of the model",
                                      at_least(1));
  std::vector<double> decay = opt("decay", std::vector<double>{0}, "weight decay of each of its layers, or 0",
                                  at_least(0));
  bool raw_targets = opt("raw-targets", false, "do not standardise what the model predicts");
  int model_batch  = opt("model-batch", 32, "transitions of a step of the model's training", at_least(1));
  int model_epochs = opt("model-epochs", 200, "passes over D_env in a training, at most", at_least(1));
  int patience     = opt("patience", 8, "passes without a holdout loss 1 % better before it stops", at_least(0));

  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64}, "hidden layers of policy and critics", at_least(1));
  int batch    = opt("batch", 128, "transitions of an update", at_least(1));
  Real lr      = opt("lr", 1e-3f, "Adam's step size for policy, critics and temperature", above(0));
  Real gamma   = opt("gamma", 0.99f, "gamma, discount", range(0, 1));
  Real tau     = opt("tau", 0.005f, "tau, step of the lagged critics", range(1e-6, 1));
  Real alpha   = opt("alpha", 0.1f, "alpha, temperature at the start", above(0));
  Real target_entropy = opt("target-entropy", 0.0f, "H_bar; 0: minus the number of actions");
  int eval_every      = opt("eval-every", 200, "real steps between two evaluations; 0: none", at_least(0));
  int eval_episodes   = opt("eval-episodes", 10, "episodes of an evaluation", at_least(1));

  // Every environment; check() refuses those with discrete actions.
  static std::vector<std::string> environments() {
    std::vector<std::string> names = env_names();
    std::rotate(names.begin(), std::find(names.begin(), names.end(), "pendulum"), names.end());
    return names;
  }
  static Presets lecture_of() {
    const Preset robot = {{"steps", 10000}, {"random-steps", 1000}, {"epoch-steps", 250}, {"rollout-every", 250},
                          {"rollouts", 20000}, {"real-ratio", 0.05}, {"hidden", {128, 128}},
                          {"model-hidden", {128, 128}}, {"model-batch", 128}, {"model-epochs", 50}, {"lr", 3e-4},
                          {"updates", 10}, {"eval-every", 1000}, {"eval-episodes", 5}};
    Presets presets;
    for (const char* name : {"swimmer", "hopper", "half_cheetah", "half_cheetah_pets", "walker2d", "ant", "humanoid"})
      if (const auto all = env_names(); std::find(all.begin(), all.end(), name) != all.end()) presets[name] = robot;
    return presets;
  }
  // The authors' configuration files. Their schedules count epochs of 1000 real steps, here they are in real steps.
  static Presets paper() {
    const auto task = [](int steps, std::initializer_list<double> length, int G, Real target_entropy) {
      return Preset{{"steps", steps}, {"random-steps", 5000}, {"epoch-steps", 250}, {"rollouts", 100000},
                    {"rollout-every", 250}, {"rollout-length", length}, {"retain", 4}, {"updates", G},
                    {"real-ratio", 0.05}, {"members", 7}, {"model-hidden", {200, 200, 200, 200}},
                    {"decay", {2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4}}, {"raw-targets", "true"}, {"model-batch", 256},
                    {"model-epochs", 1000}, {"patience", 5}, {"hidden", {256, 256}}, {"batch", 256}, {"lr", 3e-4},
                    {"alpha", 1}, {"target-entropy", target_entropy}, {"eval-every", 1000}, {"eval-episodes", 5}};
    };
    const auto with = [](Preset preset, const Preset& more) {
      for (const auto& [name, value] : more) preset.insert_or_assign(name, value);
      return preset;
    };
    const Preset pendulums = {{"random-steps", 500}, {"retain", 1}, {"eval-every", 250}};
    Presets presets = {{"inverted_pendulum", with(task(20000, {1}, 10, -0.05), pendulums)},
                       {"inverted_double_pendulum", with(task(20000, {1}, 20, -0.5), pendulums)},
                       {"hopper", task(125000, {20000, 150000, 1, 15}, 20, -1)},
                       {"walker2d", task(300000, {1}, 20, -3)},
                       {"half_cheetah", task(400000, {1}, 40, -3)}};
#ifdef HAVE_MUJOCO
    presets["ant"] = task(300000, {20000, 100000, 1, 25}, 20, -4);
    presets["humanoid"] = with(task(300000, {20000, 300000, 1, 25}, 20, -2),
                               {{"model-hidden", {400, 400, 400, 400}}, {"epoch-steps", 1000},
                                {"rollout-every", 1000}, {"retain", 5}});
#endif
    return presets;
  }
  static Preset smoke() {
    return {{"steps", 160}, {"random-steps", 60}, {"epoch-steps", 20}, {"rollout-every", 20}, {"rollouts", 100},
            {"rollout-length", 2}, {"model-hidden", {8}}, {"model-epochs", 3}, {"hidden", {8, 8}}, {"batch", 16},
            {"updates", 1}, {"eval-every", 20}, {"eval-episodes", 1}, {"members", 3}, {"elites", 2}};
  }

  // Throws BadInput, one line with the rule.
  template <class T> static void check_schedule(const std::string& option, const std::vector<T>& of) {
    const std::string given = option + " " + join(of, ",") + ": ";
    if (of.size() != 1 && of.size() != 4) throw BadInput(given + "wanted one number, or four: e0,e1 and two");
    if (of.size() == 4 && of[1] < of[0]) throw BadInput(given + "e1 must not be before e0");
  }
  void check() const {
    check_schedule("--rollout-length", rollout_length);
    const auto [shortest, longest] = std::minmax(rollout_length[rollout_length.size() / 2], rollout_length.back());
    if (shortest < 1 || longest > 10000)
      throw BadInput("--rollout-length " + join(rollout_length, ",") + ": k must be from 1 to 10000");
    if (steps <= random_steps)
      throw BadInput("--steps " + to_text(steps) + ": wanted more than --random-steps, " + to_text(random_steps));
    if (const int choices = make_env(env)->choices; choices > 0)
      throw BadInput("--env " + env + ": SAC needs continuous actions, this task has " + to_text(choices) +
                     " discrete ones");
    if (elites > members)
      throw BadInput("--elites " + to_text(elites) + ": at most --members, which is " + to_text(members));
    if (decay != std::vector<double>{0} && decay.size() != model_hidden.size() + 1)
      throw BadInput("--decay " + join(decay, ",") + ": 0, or a value for each layer of --model-hidden " +
                     join(model_hidden, ",") + " and one for the last");
    ensemble().check();
  }
  EnsembleOptions ensemble() const {
    EnsembleOptions how{.members = members, .elites = elites, .hidden = model_hidden,
                        .standardise_targets = !raw_targets, .batch = model_batch, .epochs = model_epochs,
                        .patience = patience};
    if (decay != std::vector<double>{0}) how.decay.assign(decay.begin(), decay.end());
    return how;
  }
  SacOptions sac() const {
    return {.hidden = hidden.size() == 1 ? std::vector<int>(2, hidden[0]) : hidden, .lr = lr, .gamma = gamma,
            .tau = tau, .alpha = alpha};
  }
  bool uses_model() const { return real_ratio < 1; }
};

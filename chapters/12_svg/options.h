// The options that the learning programs of this chapter share.
#pragma once
#include "chapters/00_toolbox/checkpoint.h"  // Checkpointed
#include "chapters/00_toolbox/errors.h"      // BadInput
#include "chapters/04_pets/ensemble.h"       // EnsembleOptions
#include "envs/env.h"

struct LearnerOptions : Checkpointed {
  using Checkpointed::Checkpointed;
  int steps               = opt("steps", 20000, "real environment steps in all", at_least(1));
  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64}, "hidden layers of the policy", at_least(1));
  Real gamma              = opt("gamma", 0.98f, "gamma, discount", range(0, 1));
  int capacity            = opt("capacity", 10000, "transitions that D keeps, the newest", at_least(1));
  int eval_every          = opt("eval-every", 1000, "real steps between two evaluations; 0: none", at_least(0));
  int eval_episodes       = opt("eval-episodes", 10, "episodes of an evaluation", at_least(1));

  // Every environment; check() refuses those with discrete actions.
  static std::vector<std::string> environments() { return env_names("pendulum"); }
  static std::vector<std::string> without() { return {"checkpoint", "checkpoint-every", "resume"}; }
  static Preset small() { return {{"steps", 300}, {"hidden", 8}, {"eval-every", 20}, {"eval-episodes", 1}}; }

  void check() const {  // throws BadInput, one line with the rule
    if (const int choices = make_env(env)->choices; choices > 0)
      throw BadInput("--env " + env + ": wanted continuous actions, this task has " + to_text(choices) +
                     " discrete ones");
  }
};

// Of the programs with a model.
struct WhiteboxOptions : LearnerOptions {
  using LearnerOptions::LearnerOptions;
  bool learned_reward = opt("learned-reward", false, "differentiate a learned reward, not the environment's formula");
  std::vector<int> model_hidden = opt("model-hidden", std::vector<int>{64, 64}, "hidden layers of the model",
                                      at_least(1));
  int model_batch  = opt("model-batch", 64, "transitions of a step of the model's training", at_least(1));
  int model_epochs = opt("model-epochs", 20, "passes over D in a training, at most", at_least(1));
  int patience     = opt("patience", 2, "passes without a holdout loss 1 % better before it stops", at_least(0));

  static Preset small() {
    Preset preset = LearnerOptions::small();
    preset.insert({{"model-hidden", 8}, {"model-epochs", 2}});
    return preset;
  }
  void check() const {
    LearnerOptions::check();
    if (!learned_reward && !make_env(env)->has_reward)
      throw BadInput("--env " + env + ": its reward is no function of what is observed, so it takes --learned-reward");
  }
  EnsembleOptions model() const {
    return {.members = 1, .elites = 1, .hidden = model_hidden, .batch = model_batch, .epochs = model_epochs,
            .patience = patience};
  }
};

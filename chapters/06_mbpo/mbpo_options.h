// The options of MBPO and the settings of each task.
#pragma once
#include <memory>
#include "chapters/00_toolbox/checkpoint.h"  // Checkpointed
#include "chapters/00_toolbox/errors.h"      // BadInput
#include "chapters/04_pets/ensemble.h"       // EnsembleOptions
#include "chapters/05_model_free/sac.h"      // SacOptions
#include "envs/env.h"

struct MbpoOptions : Checkpointed {
  explicit MbpoOptions(std::shared_ptr<Registry> shared);
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
  std::vector<double> decay = opt("decay", std::vector<double>{0}, "weight decay of each layer of it, or 0",
                                  at_least(0));
  bool raw_targets = opt("raw-targets", false, "do not standardise what the model predicts");
  int model_batch  = opt("model-batch", 32, "transitions of a step of the model's training", at_least(1));
  int model_epochs = opt("model-epochs", 200, "passes over D_env in a training, at most", at_least(1));
  int patience     = opt("patience", 8, "passes without a holdout loss 1 % better before it stops", at_least(0));

  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64},
                                "hidden layers of policy and critics; a single number: two layers of it", at_least(1));
  int batch    = opt("batch", 128, "transitions of an update", at_least(1));
  Real lr      = opt("lr", 1e-3f, "Adam's step size for policy, critics and temperature", above(0));
  Real gamma   = opt("gamma", 0.99f, "gamma, discount", range(0, 1));
  Real tau     = opt("tau", 0.005f, "tau, step of the lagged critics", range(1e-6, 1));
  Real alpha   = opt("alpha", 0.1f, "alpha, temperature at the start", above(0));
  Real target_entropy = opt("target-entropy", 0.0f, "H_bar; 0: minus the number of actions");
  int eval_every      = opt("eval-every", 200, "real steps between two evaluations; 0: none", at_least(0));
  int eval_episodes   = opt("eval-episodes", 10, "episodes of an evaluation", at_least(1));

  // Every environment; check() refuses those with discrete actions.
  static std::vector<std::string> environments();
  static Presets lecture_of();
  // The authors' configuration files. Their schedules count epochs of 1000 real steps, here they are in real steps.
  static Presets paper();
  static Preset smoke();

  // Throws BadInput, one line with the rule.
  template <class T> static void check_schedule(const std::string& option, const std::vector<T>& of) {
    const std::string given = option + " " + join(of, ",") + ": ";
    if (of.size() != 1 && of.size() != 4) throw BadInput(given + "wanted one number, or four: e0,e1 and two");
    if (of.size() == 4 && of[1] < of[0]) throw BadInput(given + "e1 must not be before e0");
  }
  void check() const;
  EnsembleOptions ensemble() const;
  SacOptions sac() const;
  bool uses_model() const { return real_ratio < 1; }
};

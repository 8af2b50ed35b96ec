// The options of model and planner, and the settings of each task.
#pragma once
#include <map>
#include "chapters/00_toolbox/args.h"         // Args
#include "chapters/00_toolbox/errors.h"       // BadInput
#include "chapters/00_toolbox/safetensors.h"  // load_networks
#include "chapters/03_shooting/icem.h"        // CemOptions, Cem, Icem
#include "chapters/04_pets/propagation.h"

// Of the ensemble and its fit.
struct ModelOptions : Args {
  using Args::Args;
  std::string model = opt("model", "PE", "D: deterministic network, P: probabilistic, DE and PE: ensembles of them",
                          one_of({"D", "P", "DE", "PE"}));
  int members = opt("members", 5, "B, networks (bootstraps) of an ensemble", at_least(1));
  std::vector<int> hidden = opt("hidden", std::vector<int>{64, 64}, "sizes of the hidden layers", at_least(1));
  Real lr = opt("lr", 1e-3f, "Adam's step size", above(0));
  std::vector<double> decay = opt("decay", std::vector<double>{0}, "weight decay of each layer, or 0", at_least(0));
  bool raw_targets = opt("raw-targets", false, "do not standardise what the networks predict");
  int batch = opt("batch", 32, "samples of a gradient step", at_least(1));
  int epochs = opt("epochs", 100, "passes over the data in a training, at most", at_least(1));
  Real holdout = opt("holdout", 0.2f, "share of the data that decides when to stop; 0: run all epochs", range(0, 0.9));
  int patience = opt("patience", 8, "passes without a holdout loss 1 % better before it stops", at_least(0));

  EnsembleOptions ensemble() const {
    EnsembleOptions how;
    how.members = how.elites = model.ends_with("E") ? members : 1;
    how.probabilistic = model.starts_with("P"), how.standardise_targets = !raw_targets;
    how.hidden = hidden, how.lr = lr;
    if (decay != std::vector<double>{0}) how.decay.assign(decay.begin(), decay.end());
    how.batch = batch, how.epochs = epochs, how.holdout = holdout, how.patience = patience;
    return how;
  }
};

struct PetsOptions : ModelOptions {
  using ModelOptions::ModelOptions;
  int steps = opt("steps", 2600, "real environment steps in all, the random trial included", at_least(2));
  int trial_steps = opt("trial-steps", 0, "TaskHorizon, steps of a trial; 0: the task's time limit", at_least(0));
  Real noise = opt("noise", 0.0f, "standard deviation of noise on planned actions, their bound is 1", at_least(0));

  std::string propagation = opt("propagation", "TSinf", "how particles get their next state",
                                one_of({"E", "DS", "MM", "TS1", "TSinf"}));
  int particles = opt("particles", 5, "P, particles of a plan", at_least(1));
  std::string planner = opt("planner", "cem", "cem; icem or rs (random shooting) with as many samples",
                            one_of({"cem", "icem", "rs"}));
  int candidates = opt("candidates", 100, "NSamples, plans of a CEM iteration", range(1, 1000000));
  int elites = opt("elites", 10, "best plans that the next iteration is drawn around", at_least(1));
  int iterations = opt("iterations", 4, "CEM iterations of a control step", range(1, 1000));
  int horizon = opt("horizon", 25, "T, actions of a plan", at_least(1));

  // check() refuses those without a reward.
  static std::vector<std::string> environments() { return env_names("cartpole_swingup"); }
  static Presets lecture_of() {
    return {{"pendulum", {{"steps", 2200}}},
            {"half_cheetah_pets", {{"steps", 16000}, {"hidden", {128, 128, 128}}, {"batch", 64}, {"epochs", 60},
                                   {"horizon", 25}, {"candidates", 100}, {"iterations", 5}}},
            {"reacher7", {{"steps", 3150}, {"hidden", {128, 128}}}}};
  }
  // Chua et al. 2018; cartpole_continuous: mbrl-lib.
  static Presets paper() {
    const Preset chua = {{"raw-targets", "true"}, {"epochs", 5}, {"holdout", 0}, {"particles", 20},
                         {"candidates", 400}, {"elites", 40}, {"iterations", 5}, {"horizon", 25}};
    const auto with = [](Preset preset, const Preset& more) {
      for (const auto& [name, value] : more) preset.insert_or_assign(name, value);
      return preset;
    };
    return {{"cartpole_swingup", with(chua, {{"steps", 10200}, {"hidden", {500, 500, 500}},
                                             {"decay", {1e-4, 2.5e-4, 2.5e-4, 5e-4}}})},
            {"reacher7", with(chua, {{"steps", 15150}, {"hidden", {200, 200, 200, 200}}, {"lr", 7.5e-4},
                                     {"decay", {2.5e-4, 5e-4, 5e-4, 5e-4, 7.5e-4}}})},
#ifdef HAVE_MUJOCO
            {"pusher7", with(chua, {{"steps", 15150}, {"hidden", {200, 200, 200}}, {"candidates", 500}, {"elites", 50},
                                    {"decay", {2.5e-4, 5e-4, 5e-4, 7.5e-4}}})},
#endif
            {"half_cheetah_pets", with(chua, {{"steps", 301000}, {"hidden", {200, 200, 200, 200}}, {"candidates", 500},
                                              {"elites", 50}, {"horizon", 30},
                                              {"decay", {2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4}}})},
            {"cartpole_continuous", with(chua, {{"steps", 5000}, {"hidden", {200, 200, 200, 200}}, {"lr", 7.5e-4},
                                                {"decay", {3e-5, 3e-5, 3e-5, 3e-5, 3e-5}}, {"batch", 256},
                                                {"epochs", 25}, {"candidates", 350}, {"elites", 35},
                                                {"horizon", 15}})}};
  }
  static Preset smoke() {
    return {{"steps", 60}, {"trial-steps", 20}, {"hidden", {16}}, {"decay", 0}, {"epochs", 3}, {"candidates", 20},
            {"elites", 4}, {"iterations", 2}, {"horizon", 5}};
  }
  void check() const {
    const std::unique_ptr<Env> task = make_env(env);
    if (!task->has_reward)
      throw BadInput("--env " + env + ": planning needs a reward that follows from (s, a, s_next); here it is " +
                     task->reward_rule);
    if (candidates < elites)
      throw BadInput("--candidates " + to_text(candidates) + ": wanted at least --elites, " + to_text(elites));
    if (const int B = ensemble().members; mode() >= Propagation::TS1 && P() % B != 0)
      throw BadInput("--particles " + to_text(particles) + ": wanted a multiple of --members, " + to_text(B));
    ensemble().check();
  }

  CemOptions cem() const {
    return {.T = horizon, .candidates = candidates, .elites = elites, .iterations = iterations};
  }
  Propagation mode() const {
    return std::map<std::string, Propagation>{{"E", Propagation::E}, {"DS", Propagation::DS}, {"MM", Propagation::MM},
                                              {"TS1", Propagation::TS1}, {"TSinf", Propagation::TSinf}}.at(propagation);
  }
  int P() const { return propagation == "E" || model == "D" ? 1 : particles; }  // without randomness one is enough
  int task_horizon(const Env& task) const { return trial_steps > 0 ? trial_steps : task.time_limit; }
};

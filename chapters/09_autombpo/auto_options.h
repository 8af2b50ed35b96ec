// What the programs of AutoMBPO that train MBPO have in common: a run of chapter 06 cut down, so that a hundred of them
// fit into an hour, and the reach of the controller.
#pragma once
#include "chapters/06_mbpo/mbpo_options.h"  // MbpoOptions

struct AutoOptions : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  // --epoch-steps is tau_c, the real steps between two decisions.
  Real plain_ratio = opt("plain-ratio", 0.5f, "real ratio of plain MBPO; AutoMBPO begins with --real-ratio",
                         range(0, 1));
  Real factor      = opt("factor", 2.0f, "c: a decision multiplies the real ratio by 1/c, 1 or c", above(1));
  Real least_ratio = opt("least-ratio", 0.01f, "the real ratio stays between this and 1", range(0, 1));
  int most_updates = opt("most-updates", 10, "G stays between 1 and this", at_least(1));
  int most_length  = opt("most-length", 5, "k stays between 1 and this", at_least(1));
  Real model_scale  = opt("model-scale", 0.05f, "holdout error that the controller sees as 1", above(0));
  Real critic_scale = opt("critic-scale", 50.0f, "loss of the critics that it sees as 1", above(0));
  Real return_scale = opt("return-scale", 1500.0f, "return that it sees as 1", above(0));
  std::vector<int> controller_hidden = opt("controller-hidden", std::vector<int>{64},
                                           "hidden layers of each of the controller's networks", at_least(1));

  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif"};
  }
  static Preset lecture() {
    return {{"steps", 3000}, {"epoch-steps", 100}, {"updates", 10}, {"real-ratio", 0.05}, {"members", 3},
            {"elites", 3}, {"eval-every", 100}, {"eval-episodes", 5}};
  }
  void check() const {
    MbpoOptions::check();
    if (rollout_length.size() != 1)
      throw BadInput("--rollout-length " + join(rollout_length, ",") + ": wanted one number, a beginning");
    const auto at_most = [](const char* option, double x, const char* of, double most) {
      if (x > most)
        throw BadInput(std::string(option) + " " + to_text(x) + ": at most " + of + ", which is " + to_text(most));
    };
    at_most("--updates", updates, "--most-updates", most_updates);
    at_most("--rollout-length", rollout_length[0], "--most-length", most_length);
    at_most("--least-ratio", least_ratio, "--real-ratio", real_ratio);
    if (updates < 1) throw BadInput("--updates 0: wanted at least 1");
    if ((steps - random_steps) % epoch_steps != 0)
      throw BadInput("--steps " + to_text(steps) + ": wanted --random-steps and a multiple of --epoch-steps, " +
                     to_text(random_steps) + " + n " + to_text(epoch_steps));
  }
  int decisions() const { return (steps - random_steps) / epoch_steps; }
};

// The options of AMPO: those of MBPO, and what is new.
#pragma once
#include "chapters/06_mbpo/mbpo_options.h"  // MbpoOptions
#include "chapters/08_ampo/adaptation.h"  // AdaptationOptions

struct AmpoOptions : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  std::string distance = opt("distance", "w1", "what adaptation makes small: w1, mmd, or none, which is MBPO",
                             one_of({"w1", "mmd", "none"}));
  std::vector<int> adapt_steps = opt("adapt-steps", std::vector<int>{50},
                                     "G_2, steps of the extractor after each model training; or e0,e1,n0,n1",
                                     at_least(0));
  int adapt_until   = opt("adapt-until", 6000, "real steps after which the model is not adapted any more", at_least(0));
  int adapt_batch   = opt("adapt-batch", 64, "real and as many simulated (s, a) of a step", at_least(2));
  int critic_steps  = opt("critic-steps", 5, "steps of the critic before each step of the extractor", at_least(1));
  int critic_first  = opt("critic-first", 50, "more of them before the extractor's first", at_least(0));
  Real adapt_lr     = opt("adapt-lr", 1e-3f, "Adam's step size for extractor and critic", above(0));
  Real penalty      = opt("penalty", 10.0f, "weight of the critic's gradient penalty", at_least(0));

  bool compare      = opt("compare", false, "AMPO with w1, AMPO with mmd and MBPO, one after the other");

  // What is run, and its options.
  std::vector<std::string> algos() const {
    return compare ? std::vector<std::string>{"ampo_w1", "ampo_mmd", "mbpo"} : std::vector{algo_of(distance)};
  }
  static std::string algo_of(const std::string& distance) { return distance == "none" ? "mbpo" : "ampo_" + distance; }
  AmpoOptions with(const std::string& algo) const {
    AmpoOptions opt = *this;
    for (const char* d : {"w1", "mmd", "none"})
      if (algo_of(d) == algo) opt.distance = d;
    return opt;
  }

  // The authors' configuration files. Their schedules count epochs of 1000 real steps (inverted_pendulum: 250).
  static Presets paper() {
    const Presets mbpo = MbpoOptions::paper();
    const auto task = [&](const char* of, int steps, Value adapt_steps, int until, const Preset& more) {
      Preset preset = mbpo.at(of);
      preset.insert({{"adapt-steps", adapt_steps}, {"adapt-until", until}, {"adapt-lr", 1e-4}, {"adapt-batch", 256},
                     {"critic-first", 0}});
      preset.insert_or_assign("steps", steps);
      for (const auto& [name, value] : more) preset.insert_or_assign(name, value);
      return preset;
    };
    Presets presets = {
        {"inverted_pendulum", task("inverted_pendulum", 20000, 6, 1500,
                                   {{"random-steps", 300}, {"epoch-steps", 125}, {"rollout-every", 125}, {"retain", 2},
                                    {"updates", 30}, {"adapt-batch", 64}})},
        {"swimmer", task("hopper", 300000, 40, 6000, {{"random-steps", 2000}, {"rollout-length", 1}})},
        {"hopper", task("hopper", 300000, 400, 40000, {{"rollout-length", {5000, 45000, 1, 20}}})},
        {"walker2d", task("walker2d", 300000, 1000, 80000, {})},
        {"half_cheetah", task("half_cheetah", 300000, {0, 30000, 100, 1000}, 30000,
                              {{"rollout-length", {1000, 30000, 1, 5}}})}};
#ifdef HAVE_MUJOCO
    presets["ant_truncated"] = task("ant_truncated", 300000, 3000, 60000,
                                    {{"rollout-length", {10000, 50000, 1, 20}}});
#endif
    return presets;
  }
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert({{"adapt-steps", 2}, {"adapt-batch", 16}, {"critic-steps", 2}, {"critic-first", 2}});
    return preset;
  }

  // Throws BadInput, one line with the rule.
  void check() const {
    MbpoOptions::check();
    if (!uses_model()) throw BadInput("--real-ratio 1: AMPO learns from its model; 06_mbpo has SAC");
    check_schedule("--adapt-steps", adapt_steps);
    const bool adapts = (compare || distance != "none") && std::max(adapt_steps[adapt_steps.size() / 2],
                                                                    adapt_steps.back()) > 0;
    if (adapts && rollout_every < epoch_steps)
      throw BadInput("--rollout-every " + to_text(rollout_every) + ": wanted at least --epoch-steps, " +
                     to_text(epoch_steps) + ", so that a model that was adapted is trained again before it is used");
    if (compare && (gif || !save.empty())) throw BadInput("--compare: of its three runs --save and --gif want one");
  }
  AdaptationOptions adaptation() const {
    return {.distance = distance, .critic_steps = critic_steps, .critic_first = critic_first, .batch = adapt_batch,
            .lr = adapt_lr, .critic = {.penalty = penalty, .lr = adapt_lr}};
  }
};

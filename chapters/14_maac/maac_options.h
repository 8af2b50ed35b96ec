// The options of MAAC: those of MBPO, and what is new.
#pragma once
#include <limits>
#include <set>
#include "chapters/06_mbpo/mbpo_options.h"  // MbpoOptions
#include "chapters/14_maac/maac.h"

struct MaacOptions : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  std::vector<int> horizon = opt("horizon", std::vector<int>{3},
                                 "H, steps in the model before the critic; a list: one run after another",
                                 range(0, 1000));
  Real max_norm = opt("max-norm", 5.0f, "a longer gradient of the policy is shortened to this; 0: it is not",
                      at_least(0));
  bool compare  = opt("compare", false, "beside them MBPO and SAC with as many updates");

  static Preset lecture() { return {{"updates", 10}}; }
  static Presets paper() { return {}; }  // no code was published
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert_or_assign("horizon", 2);
    return preset;
  }

  // What is run: maac_h3, mbpo, sac; and the options of one of them.
  std::vector<std::string> algos() const {
    std::vector<std::string> all;
    for (const int H : horizon) all.push_back("maac_h" + to_text(H));
    if (compare) all.insert(all.end(), {"mbpo", "sac"});
    return all;
  }
  MaacOptions with(const std::string& algo) const {
    MaacOptions opt = *this;
    if (algo == "sac") opt.real_ratio = 1;
    for (const int H : horizon)
      if (algo == "maac_h" + to_text(H)) opt.horizon = {H};
    return opt;
  }

  // Throws BadInput, one line with the rule.
  void check() const {
    MbpoOptions::check();
    if (!uses_model()) throw BadInput("--real-ratio 1: MAAC trains and uses a model; --compare has SAC");
    if (std::set<int>(horizon.begin(), horizon.end()).size() != horizon.size())
      throw BadInput("--horizon " + join(horizon, ",") + ": each H once");
    if (algos().size() > 1 && (gif || !save.empty()))
      throw BadInput(std::string(compare ? "--compare" : "--horizon " + join(horizon, ",")) +
                     ": of several runs --save and --gif want one");
  }
  MaacUpdates maac_updates() const {
    return {.G_2 = updates, .H = horizon[0], .batch = batch, .real_ratio = real_ratio,
            .max_norm = max_norm > 0 ? max_norm : std::numeric_limits<Real>::infinity()};
  }
};

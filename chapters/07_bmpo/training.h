// Everything that a run of BMPO changes: what MBPO has, and what leads backwards.
#pragma once
#include "chapters/06_mbpo/training.h"      // Training, check_learned
#include "chapters/07_bmpo/bmpo.h"
#include "chapters/07_bmpo/bmpo_options.h"

struct BmpoTraining : Training {
  std::string algo;
  BackwardModel model_back;
  BackwardPolicy pi_back;
  double V_all = NAN, V_start = NAN;  // of the last rollout's Starts

  // The weights of what leads backwards come from a generator of their own: without them it is MBPO, to the last bit.
  BmpoTraining(const BmpoOptions& opt, const std::string& algo, int seed, Rng rng_back)
      : Training(opt, seed), algo(algo), model_back(*env, opt.ensemble(), rng_back),
        pi_back(env->state_dim, env->action_dim, opt.back(), rng_back) {}
  BmpoTraining(const BmpoOptions& opt, const std::string& algo, int seed)
      : BmpoTraining(opt, algo, seed, Rng(~std::uint64_t(seed))) {}

  template <class Ar> void io(Ar& ar) {
    Training::io(ar);
    ar("algo", algo), ar("model_back", model_back), ar("pi_back", pi_back);
    ar("V_all", V_all), ar("V_start", V_start);
  }
};

// What --save keeps of it: also what leads backwards.
struct LearnedBmpo {
  BmpoTraining& x;
  template <class Ar> void io(Ar& ar) {
    ar("agent", x.agent), ar("model", x.model), ar("model_back", x.model_back), ar("pi_back", x.pi_back);
  }
};
inline void save_learned(const BmpoOptions& opt, BmpoTraining& x) {
  save_networks(opt.save, LearnedBmpo{x}, {{"program", opt.program}, {"env", opt.env}});
}
// Throws BadInput as load_networks, and as check_learned.
inline void load_learned(const std::string& path, BmpoTraining& x) {
  LearnedBmpo learned{x};
  load_networks(path, learned);
  check_learned(learned, {&x.model.p, &x.model_back.q});
}

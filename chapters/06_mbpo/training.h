// Everything that a run of MBPO changes.
#pragma once
#include <memory>
#include "chapters/00_toolbox/safetensors.h"   // save_networks, load_networks
#include "chapters/05_model_free/evaluate.h"   // evaluate, Stopwatch
#include "chapters/06_mbpo/mbpo.h"
#include "chapters/06_mbpo/mbpo_options.h"

//(1) Initialize policy pi_phi, predictive model p_theta, environment dataset D_env, model dataset D_model
struct Training {
  int seed;
  long step = 0;  // real steps so far
  Rng rng, eval_rng;
  std::unique_ptr<Env> env, env_eval;
  Sac agent;
  LearnedModel model;
  Transitions D_env, D_model;
  Stopwatch watch;  // evaluations not counted

  static constexpr int most_steps = 1000000;  // that D_env keeps, more than any preset takes

  Training(const MbpoOptions& opt, int seed)
      : seed(seed), rng(seed), eval_rng(rng.split()), env(make_env(opt.env)), env_eval(make_env(opt.env)),
        agent(env->state_dim, env->action_dim, opt.sac(), rng), model(*env, opt.ensemble(), rng),
        D_env(env->state_dim, env->action_dim, most_steps), D_model(env->state_dim, env->action_dim, opt.rollouts) {
    if (opt.target_entropy != 0) agent.target_entropy = opt.target_entropy;
    env->reset(rng);
  }

  template <class Ar> void io(Ar& ar) {
    ar("seed", seed), ar("step", step), ar("rng", rng), ar("eval_rng", eval_rng), ar("env", *env);
    ar("agent", agent), ar("model", model), ar("D_env", D_env), ar("D_model", D_model);
    ar("seconds", watch.seconds);
  }
};

// The policy's worth, and what the smaller critic promises. The watch stands still meanwhile.
inline Evaluation evaluate(const MbpoOptions& opt, Training& x) {
  x.watch.stop();
  const Evaluation e = evaluate(*x.env_eval, opt.eval_episodes, opt.gamma, x.eval_rng,
                                [&](const Mat& s) { return x.agent.pi.mean_action(s); },
                                [&](const Mat& s) {
                                  const Mat s_a = concat(s, x.agent.pi.mean_action(s));
                                  return min(x.agent.Q[0](s_a), x.agent.Q[1](s_a))(0, 0);
                                });
  x.watch.start();
  return e;
}

// What --save keeps of it: policy, critics and model with their optimisers.
struct Learned {
  Training& x;
  template <class Ar> void io(Ar& ar) { ar("agent", x.agent), ar("model", x.model); }
};
inline void save_learned(const MbpoOptions& opt, Training& x) {
  save_networks(opt.save, Learned{x}, {{"program", opt.program}, {"env", opt.env}});
}
// Throws NotFinite if a number is not.
template <class T> void check_learned(T& learned, const std::vector<Ensemble*>& models) {
  std::vector<std::vector<double>> holdout_mse;  // NaN before the first training
  for (Ensemble* model : models) holdout_mse.push_back(std::exchange(model->holdout_mse, {}));
  check_all_finite(learned);
  for (std::size_t i = 0; i < models.size(); ++i) models[i]->holdout_mse = holdout_mse[i];
}
// Throws BadInput as load_networks, and as check_learned.
inline void load_learned(const std::string& path, Training& x) {
  Learned learned{x};
  load_networks(path, learned);
  check_learned(learned, {&x.model.p});
}

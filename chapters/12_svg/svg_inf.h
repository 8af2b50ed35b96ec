// What SVG(inf) learns, and everything that a run of it changes.
#pragma once
#include <memory>
#include "chapters/12_svg/model.h"
#include "chapters/12_svg/options.h"
#include "chapters/12_svg/policy.h"

struct SvgInfOptions {
  std::vector<int> hidden = {64, 64};
  Real std = 0.5;                          // sigma of the policy at the start
  Real lr = 1e-2, gamma = 0.95, max_norm = 10;
};

struct SvgInf {
  SvgInfOptions options;
  Policy pi;
  SvgModel f_hat;
  Adam pi_opt;

  SvgInf(const Env& env, const SvgInfOptions& o, bool learned_reward, const EnsembleOptions& model, Rng& rng)
      : options(o), pi(env.state_dim, env.action_dim, o.hidden, o.std, rng), f_hat(env, learned_reward, model, rng),
        pi_opt(params(pi), o.lr) {}
  SvgInf(const SvgInf&) = delete;  // the optimiser refers to the weights

  template <class Ar> void io(Ar& ar) { ar("pi", pi), ar("f_hat", f_hat), ar("pi_opt", pi_opt); }
};

struct SvgTraining {
  int seed;
  long step = 0;  // real steps so far
  Rng rng, eval_rng;
  std::unique_ptr<Env> env, env_eval;
  SvgInf agent;
  Transitions D;  //(1) Given empty experience database D
  Real norm = 0;  // of v_theta^0, of the last trajectory

  SvgTraining(const WhiteboxOptions& opt, const SvgInfOptions& how, int seed)
      : seed(seed), rng(seed), eval_rng(rng.split()), env(make_env(opt.env)), env_eval(make_env(opt.env)),
        agent(*env, how, opt.learned_reward, opt.model(), rng), D(env->state_dim, env->action_dim, opt.capacity) {
    env->reset(rng);
  }

  template <class Ar> void io(Ar& ar) {
    ar("seed", seed), ar("step", step), ar("rng", rng), ar("eval_rng", eval_rng), ar("env", *env);
    ar("agent", agent), ar("D", D), ar("norm", norm);
  }
};

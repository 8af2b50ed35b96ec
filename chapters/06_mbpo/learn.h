// The loop of main.cpp, for the programs that run it several times.
#pragma once
#include "chapters/05_model_free/evaluate.h"  // at_step
#include "chapters/06_mbpo/training.h"

// Goes on until opt.steps real steps; after() is called after each of them that the policy took.
template <class After> void learn(const MbpoOptions& opt, Training& x, After after) {
  act_at_random(x, opt.random_steps);
  for (int t = 0, k = 0; x.step < opt.steps && !interrupted(); t = (t + 1) % opt.epoch_steps) at_step(x.step, [&] {
    if (t == 0) {
      if (opt.uses_model()) train_model(x.model, x.D_env, x.rng);
      k = rollout_length(x.step, opt.rollout_length);
      resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * k);
    }
    x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng)), ++x.step;
    if (opt.uses_model() && t % opt.rollout_every == 0)
      rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, k, x.D_model, x.rng);
    improve_policy(x.agent, x.D_env, x.D_model, opt.updates, opt.batch, opt.real_ratio, x.rng);
    if (!interrupted()) after();
  });
}

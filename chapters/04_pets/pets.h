// PETS in verbs: collect a random trial, fit the model, act in a trial by planning in the model.
#pragma once
#include "chapters/03_shooting/cem.h"              // Cem
#include "chapters/03_shooting/icem.h"             // Icem
#include "chapters/03_shooting/random_shooting.h"  // RandomShooting
#include "chapters/04_pets/pets_options.h"
#include "chapters/04_pets/transitions.h"

// The model of an environment: from (net_input(s), a) to net_target(s, s').
inline Ensemble make_model(const Env& env, const EnsembleOptions& options, Rng& rng) {
  const Mat s = Mat::Zero(env.state_dim, 1);
  return Ensemble(int(env.net_input(s).rows()) + env.action_dim, int(env.net_target(s, s).rows()), options, rng);
}

// Trains it on all of D. Throws as Ensemble::fit.
inline void fit(Ensemble& model, const Env& env, const Transitions& D, Rng& rng) {
  const Batch all = D.all();
  model.fit(concat(env.net_input(all.s), all.a), env.net_target(all.s, all.s_next), rng);
}

// One real step with a (action_dim, 1) plus the options' noise. D is told the action that was asked for.
inline Transition interact(const PetsOptions& opt, Env& env, const Mat& a, Transitions& D, Rng& rng) {
  Transition step = env.step(opt.noise > 0 ? Mat(a + opt.noise * rng.normal(env.action_dim, 1)) : a);
  step.a = a;
  D.add(step);
  return step;
}

// `steps` random actions, begun again where an episode ends. Returns the sum of its rewards.
inline Real random_trial(Env& env, int steps, Transitions& D, Rng& rng) {
  Real trial_return = 0;
  env.reset(rng);
  for (int t = 0; t < steps && D.size < D.capacity; ++t) {
    const Transition step = env.step(rng.uniform(env.action_dim, 1, -1, 1));
    D.add(step);
    trial_return += step.r;
    if (step.terminated || step.truncated) env.reset(rng);
  }
  return trial_return;
}

//(b7) MPC: an optimal action sequence by sampling multiple sequences; apply the first action; until the task-horizon.
// A trial of it in the learned model, which ends with a terminal state, when D is full, or with Ctrl-C. Returns the sum
// of its rewards; the states on the way are left in `film`. Throws NotFinite if no plan has a finite return.
template <class Planner>
Real planned_trial(const PetsOptions& opt, Env& env, const Ensemble& model, Planner& planner, Transitions& D, Rng& rng,
                   std::vector<Sim>& film) {
  const Particles particles(model, env, opt.mode(), opt.P());
  Real trial_return = 0;
  planner.reset(), film.clear();
  Mat s = env.reset(rng);
  bool over = false;
  for (int t = 0; t < opt.task_horizon(env) && D.size < D.capacity && !over; ++t) {  //(4) for time t = 0 to TaskHorizon
    film.push_back(env.sim);
    const Mat a = planner.act(ModelReturn{particles, s, rng}, rng);  //(5) actions sampled ~ CEM //(8) update CEM
    const Transition step = interact(opt, env, a, D, rng);           //(9) execute first action a* (only)
    s = step.s_next;                                                 //(10) record outcome, see interact
    trial_return += step.r, over = step.terminated || interrupted();
  }
  return trial_return;
}

// f(planner), with the one that the options name.
template <class F> void with_planner(const PetsOptions& opt, int action_dim, F f) {
  const CemOptions cem = opt.cem();
  const int N = cem.candidates * cem.iterations;
  if (opt.planner == "rs") f(RandomShooting(action_dim, cem.T, N));
  else if (opt.planner == "icem") f(Icem(action_dim, icem_options(N, cem.T, cem.iterations)));
  else f(Cem(action_dim, cem));
}

// MBPO in verbs: train the model, act, roll out (rollout.h), improve the policy (slide "MBPO Algorithm"; Janner et al.
// 2019). None of them reads an option: k, G and the real ratio are arguments.
#pragma once
#include <cmath>
#include "chapters/00_toolbox/errors.h"  // interrupted
#include "chapters/05_model_free/sac.h"  // Sac, sac_update
#include "chapters/06_mbpo/rollout.h"

// Maximum likelihood on all of D_env, from where the model is. Throws as Ensemble::fit.
inline void train_model(LearnedModel& model, const Transitions& D_env, Rng& rng) {
  const Batch all = D_env.all();
  model.p.fit(model.x(all.s, all.a), model.y(all.s, all.r, all.s_next), rng);
}

// One real step with a = policy(s, rng); where an episode has ended the next one begins.
template <class Policy> Transition interact(Env& env, const Policy& policy, Rng& rng) {
  const Transition t = env.step(policy(env.observe(env.sim), rng));
  if (t.terminated || t.truncated) env.reset(rng);
  return t;
}
inline Mat uniform_action(int action_dim, Rng& rng) { return rng.uniform(action_dim, 1, -1, 1); }
// Uniform random steps into D_env until x has made n real steps. x: a Training of this chapter or of a later one.
template <class Training> void act_at_random(Training& x, long n) {
  const auto uniform = [&](const Mat&, Rng& rng) { return uniform_action(x.env->action_dim, rng); };
  for (; x.step < n; ++x.step) x.D_env.add(interact(*x.env, uniform, x.rng));
}

// A number between two, linear in real steps: y0 until step e0, y1 from step e1 on. {y} or {e0, e1, y0, y1}.
template <class T> double schedule(long step, const std::vector<T>& of) {
  if (of.size() == 1) return of[0];
  const double e0 = of[0], e1 = of[1], y0 = of[2], y1 = of[3];
  if (step < e0) return y0;
  return step >= e1 ? y1 : y0 + (double(step) - e0) * (y1 - y0) / (e1 - e0);
}
// The same rounded down: the length of a branch.
inline int rollout_length(long step, const std::vector<int>& of) { return int(std::floor(schedule(step, of))); }

// Gives D another capacity; the newest transitions that fit stay, in the order of their arrival.
inline void resize(Transitions& D, Eigen::Index capacity) {
  if (capacity == D.capacity) return;
  std::vector<int> newest(std::min(D.size, capacity));
  for (std::size_t i = 0; i < newest.size(); ++i)
    newest[i] = int((D.next + D.size - Eigen::Index(newest.size() - i)) % D.size);
  Transitions resized(int(D.data.s.rows()), int(D.data.a.rows()), capacity);
  if (!newest.empty()) resized.add(D.at(newest));
  D = std::move(resized);
}

// How many of a batch are real: floor(real_ratio batch), where 0.53f * 100, a little less than 53, counts as 53.
inline int real_samples(int batch, Real real_ratio) { return int(real_ratio * Real(batch) + Real(1e-3)); }

// So many transitions from D_env and the others from D_model.
struct Mixture {
  Batch real, model, both;  // memory of the last draw

  const Batch& draw(const Transitions& D_env, const Transitions& D_model, int batch, Real real_ratio, Rng& rng) {
    const int n = real_samples(batch, real_ratio);
    if (n == batch) return D_env.sample(n, rng, both), both;
    if (n == 0) return D_model.sample(batch, rng, both), both;
    D_env.sample(n, rng, real), D_model.sample(batch - n, rng, model);
    const auto join = [](Mat& to, const Mat& a, const Mat& b) { to.resize(a.rows(), a.cols() + b.cols()), to << a, b; };
    join(both.s, real.s, model.s), join(both.a, real.a, model.a), join(both.r, real.r, model.r);
    join(both.s_next, real.s_next, model.s_next), join(both.not_done, real.not_done, model.not_done);
    return both;
  }
};

// G updates on batches of which the share real_ratio is real. Returns the numbers of the last one. Throws as sac_update
// does, and std::invalid_argument if a store that is asked is empty.
inline SacNumbers improve_policy(Sac& agent, const Transitions& D_env, const Transitions& D_model, int G, int batch,
                                 Real real_ratio, Rng& rng) {
  Mixture mixture;
  SacNumbers numbers{};
  for (int g = 0; g < G && !interrupted(); ++g)
    numbers = sac_update(agent, mixture.draw(D_env, D_model, batch, real_ratio, rng), rng);  //(10*) and real data
  return numbers;
}

// The action ~ pi(.|s), for interact.
inline auto acting(const SquashedGaussian& pi) {
  return [&pi](const Mat& s, Rng& rng) { return pi.sample(s, rng.normal(pi.action_dim(), 1)).a; };
}

// The backward model (slide "Dynamics Model Learning"; Lai et al. 2020): from where one has arrived and with which
// action, back to where one came from.
//
//   BackwardModel back(*env, EnsembleOptions::mbpo(), rng);
//   train_model(back, D_env, rng);
//   const Predecessor o = back.sample(s_next, a, rng);   // o.s, the reward on the way from there, not_done
#pragma once
#include "chapters/06_mbpo/mbpo.h"     // train_model of the forward model
#include "chapters/06_mbpo/rollout.h"  // LearnedModel, of which this is the mirror image; sample_elites

// What a backward model answers to (s', a), one sample per column.
struct Predecessor {
  Mat r, s;      // (1, n), (state_dim, n)
  Mat not_done;  // (1, n), 0 where s', the later of the two states, is terminal
};

// q_theta'(s, r | s', a): an ensemble that predicts [r, d], d = s' - s, from (net_input(s'), a). net_input is a view of
// one state (an angle as sine and cosine), whatever the direction, so both models share it. net_target and net_apply
// lead forwards (a task may predict a row of s' outright), so a backward step has its own: the plain difference.
// Trap: q is no property of the environment alone. p(s | s', a) is in proportion to visits(s, a) p(s' | s, a), so it
// follows the policy that collected the data, unless each s' has one predecessor. Train it again with new data.
struct BackwardModel {
  const Env& env;
  Ensemble q;

  // Throws std::invalid_argument as EnsembleOptions::check.
  BackwardModel(const Env& env, const EnsembleOptions& options, Rng& rng)
      : env(env), q(model_inputs(env), 1 + env.state_dim, options, rng) {}

  Mat x(const Mat& s_next, const Mat& a) const { return concat(env.net_input(s_next), a); }
  Mat y(const Mat& s, const Mat& r, const Mat& s_next) const { return concat(r, Mat(s_next - s)); }
  // s = s' - d. Not every s is possible: where it is terminal itself, no step can have begun there.
  Predecessor predecessor(const Mat& s_next, const Mat& y) const {
    return {y.topRows(1), s_next - y.bottomRows(y.rows() - 1), 1 - env.terminated(s_next)};
  }

  // s_next (state_dim, n), a (action_dim, n): a sample, with noise on d and r, or the elites' mean. Throw as these.
  Predecessor sample(const Mat& s_next, const Mat& a, Rng& rng) const {
    return predecessor(s_next, sample_elites(q, x(s_next, a), rng));
  }
  Predecessor mean(const Mat& s_next, const Mat& a) const {
    return predecessor(s_next, mean_of_elites(q, x(s_next, a)));
  }
  double holdout_mse() const { return q.holdout_mse[q.elites[0]]; }  // of the best member

  template <class Ar> void io(Ar& ar) { ar("q", q); }
};

// L_b(theta') = sum_t [mu(s_{t+1}, a_t) - s_t]^T Sigma^-1 [mu(s_{t+1}, a_t) - s_t] + log det Sigma
// With mu = s_{t+1} - d and y = s_{t+1} - s_t this is [d - y]^T Sigma^-1 [d - y] + log det Sigma: the loss of the
// forward model, with other inputs. As there, a mean over samples and dimensions. Throws as Ensemble::fit.
inline void train_model(BackwardModel& model, const Transitions& D_env, Rng& rng) {
  const Batch all = D_env.all();
  model.q.fit(model.x(all.s_next, all.a), model.y(all.s, all.r, all.s_next), rng);  //(b3*) maximum likelihood
}

// The learned model and branched rollouts (slide "MBPO Algorithm", lines 6 to 8; Janner et al. 2019).
//
//   LearnedModel model(*env, {.members = 7}, rng);
//   rollout(model, agent.pi, D_env, 100000, k, D_model, rng);
#pragma once
#include "chapters/00_toolbox/parallel.h"            // parallel_for
#include "chapters/04_pets/ensemble.h"               // Ensemble
#include "chapters/04_pets/transitions.h"            // Batch, Transitions
#include "chapters/05_model_free/squashed_gaussian.h"  // pi
#include "envs/env.h"

// How many numbers a model of the environment is shown: net_input(s), a.
inline int model_inputs(const Env& env) {
  return int(env.net_input(Mat::Zero(env.state_dim, 1)).rows()) + env.action_dim;
}

// x (in, n) -> (out, n). Each column asks an elite that is drawn for it, and adds that elite's noise. Throws NotFinite.
inline Mat sample_elites(const Ensemble& f, const Mat& x, Rng& rng) {
  std::vector<std::vector<int>> asks(f.elites.size());
  for (int i = 0; i < x.cols(); ++i) asks[rng.below(asks.size())].push_back(i);
  Mat y(f.members[0].head.target.mean.rows(), x.cols());
  for (std::size_t e = 0; e < asks.size(); ++e)
    if (!asks[e].empty())
      y(Eigen::all, asks[e]) = f.elite(int(e)).sample(Mat(x(Eigen::all, asks[e])),
                                                      rng.normal(y.rows(), Eigen::Index(asks[e].size())));
  if (!y.isFinite().all()) throw NotFinite("the model's prediction is not finite");
  return y;
}
// The mean of the elites' means.
inline Mat mean_of_elites(const Ensemble& f, const Mat& x) {
  Mat sum = f.elite(0).predict(x).mu;
  for (std::size_t e = 1; e < f.elites.size(); ++e) sum += f.elite(int(e)).predict(x).mu;
  return sum / Real(f.elites.size());
}

// What a model answers to (s, a), one sample per column.
struct Outcome {
  Mat r, s_next;  // (1, n), (state_dim, n)
  Mat not_done;   // (1, n), 0 where s_next is terminal
};

// p_theta(s', r | s, a): an ensemble that predicts [r, net_target(s, s')]. The task itself says what is terminal.
struct LearnedModel {
  const Env& env;
  Ensemble p;

  // Throws std::invalid_argument as EnsembleOptions::check.
  LearnedModel(const Env& env, const EnsembleOptions& options, Rng& rng)
      : env(env), p(model_inputs(env), 1 + targets(env), options, rng) {}

  Mat x(const Mat& s, const Mat& a) const { return concat(env.net_input(s), a); }
  Mat y(const Mat& s, const Mat& r, const Mat& s_next) const { return concat(r, env.net_target(s, s_next)); }
  Outcome outcome(const Mat& s, const Mat& y) const {
    Outcome o{y.topRows(1), env.net_apply(s, y.bottomRows(y.rows() - 1)), {}};
    o.not_done = 1 - env.terminated(o.s_next);
    return o;
  }

  // s (state_dim, n), a (action_dim, n): a sample, the reward's noise included, or the elites' mean. Throw as these.
  Outcome sample(const Mat& s, const Mat& a, Rng& rng) const { return outcome(s, sample_elites(p, x(s, a), rng)); }
  Outcome mean(const Mat& s, const Mat& a) const { return outcome(s, mean_of_elites(p, x(s, a))); }
  double holdout_mse() const { return p.holdout_mse[p.elites[0]]; }  // of the best member

  template <class Ar> void io(Ar& ar) { ar("p", p); }

 private:
  static int targets(const Env& env) {
    const Mat s = Mat::Zero(env.state_dim, 1);
    return int(env.net_target(s, s).rows());
  }
};

// k steps of pi in the model from each column of s (state_dim, n), one Batch a step. A branch that has ended goes no
// further, so the batches become smaller.
template <class Model>
std::vector<Batch> branch(const Model& model, const SquashedGaussian& pi, Mat s, int k, Rng& rng) {
  std::vector<Batch> steps;
  for (int i = 0; i < k && s.cols() > 0; ++i) {
    const Mat a = pi.sample(s, rng.normal(pi.action_dim(), s.cols())).a;
    const Outcome o = model.sample(s, a, rng);
    steps.push_back({s, a, o.r, o.s_next, o.not_done});
    std::vector<int> alive;
    for (int j = 0; j < s.cols(); ++j)
      if (o.not_done(0, j) > 0) alive.push_back(j);
    s = Mat(o.s_next(Eigen::all, alive));
  }
  return steps;
}

// Branches from each column of s (state_dim, n) into D_model: the first step of all, then the second. They are split
// into blocks with a generator each, so the numbers do not depend on the number of threads. branch_of(s, rng) returns
// the steps of a block's branches.
template <class Branch>
void add_branches(const Mat& s, const Branch& branch_of, Transitions& D_model, Rng& rng) {
  constexpr int block = 500;
  const int n = int(s.cols()), blocks = (n + block - 1) / block;
  std::vector<Rng> rngs;
  for (int b = 0; b < blocks; ++b) rngs.push_back(rng.split());
  std::vector<std::vector<Batch>> branches(blocks);
  parallel_for(blocks, [&](int b, int) {
    branches[b] = branch_of(Mat(s.middleCols(b * block, std::min(block, n - b * block))), rngs[b]);
  });
  bool more = true;
  for (std::size_t i = 0; std::exchange(more, false); ++i)
    for (const std::vector<Batch>& steps : branches)
      if (i < steps.size()) D_model.add(steps[i]), more = true;
}

// M branches of k steps from states of D_env, into D_model. A Model has sample(s, a, rng), which returns an Outcome.
// Throws std::invalid_argument if D_env is empty, NotFinite as model.sample.
template <class Model>
void rollout(const Model& model, const SquashedGaussian& pi, const Transitions& D_env, int M, int k,
             Transitions& D_model, Rng& rng) {
  const Mat s = D_env.sample(M, rng).s;                                        //(7) s_t uniformly from D_env
  add_branches(s, [&](const Mat& s, Rng& rng) {                                //(8) k steps of pi, add to D_model
    return branch(model, pi, s, k, rng);
  }, D_model, rng);
}

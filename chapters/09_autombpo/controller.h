// The hyper-controller of slide "AutoMBPO Framework" (Lai et al. 2021): at each decision of a training run one choice
// per hyper-parameter, learned by PPO over complete runs.
//
//   Controller controller({}, features, {2, 3, 3}, {256}, rng);             // three hyper-parameters, 2, 3, 3 choices
//   HyperEpisode run;
//   run.push_back(controller.decide(s, epsilon, rng));                      // run.back().a(h, 0): the choice of head h
//   run.back().r += reward;                                                 // as soon as it is known
//   controller.learn(runs, rng);                                            // a stage: several runs, used once
#pragma once
#include <deque>
#include "chapters/05_model_free/ppo.h"  // Ppo, CategoricalPolicy, ppo_update

// What was decided, and the reward between this decision and the next.
struct Decision {
  Mat s, a, logp;  // (features, 1), (heads, 1): 0, ..., choices[h] - 1, (heads, 1): log pi_h(a_h|s)
  Real r = 0;
};
using HyperEpisode = std::vector<Decision>;  // a complete training run

// The return of decision t of run i, the undiscounted sum of the rewards from t on, minus its mean over the runs:
// (decisions, runs). Throws std::invalid_argument unless there are runs and they are equally long.
inline Mat advantages(const std::vector<HyperEpisode>& runs) {
  for (const HyperEpisode& run : runs)
    if (run.size() != runs[0].size()) throw std::invalid_argument("controller: the runs need equally many decisions");
  if (runs.empty()) throw std::invalid_argument("controller: no runs to learn from");
  Mat G(runs[0].size(), runs.size());
  for (Eigen::Index i = 0; i < G.cols(); ++i)
    for (Eigen::Index t = G.rows() - 1; t >= 0; --t)
      G(t, i) = runs[i][t].r + (t + 1 < G.rows() ? G(t + 1, i) : 0);
  return G.colwise() - G.rowwise().mean().eval();
}

// One head, a network with a clip of its own, per hyper-parameter.
struct Controller {
  std::deque<Ppo<CategoricalPolicy>> heads;  // a deque: a Ppo keeps its address

  Controller(const PpoOptions& options, int features, const std::vector<int>& choices, const std::vector<int>& hidden,
             Rng& rng) {
    for (const int n : choices) heads.emplace_back(options, features, std::vector<int>{n}, hidden, rng);
  }

  // A choice of each head: with the chance epsilon uniform, else drawn from the head. s: (features, 1). logp is the
  // head's own, also of uniform choices: PPO's clip keeps the head near what it was, not near the uniform one.
  Decision decide(const Mat& s, double epsilon, Rng& rng) const {
    Decision d{s, Mat(heads.size(), 1), Mat(heads.size(), 1)};
    for (std::size_t h = 0; h < heads.size(); ++h) {
      const CategoricalPolicy& pi = heads[h].pi;
      const bool uniform = rng.uniform() < epsilon;
      const Mat a = uniform ? Mat::Constant(1, 1, Real(rng.below(pi.choices[0]))) : pi.sample(s, rng);
      d.a(h, 0) = a(0, 0), d.logp(h, 0) = pi.log_prob(s, a).logp(0, 0);
    }
    return d;
  }

  //(b7) adopt some RL algorithm (e.g., PPO in the paper) to solve it
  // A stage. ppo_update divides the advantages by their deviation.
  void learn(const std::vector<HyperEpisode>& runs, Rng& rng) {
    const Mat A = advantages(runs);
    Mat s(runs[0][0].s.rows(), A.size()), a(heads.size(), A.size()), logp(heads.size(), A.size());
    Eigen::Index n = 0;
    for (const HyperEpisode& run : runs)
      for (const Decision& d : run) s.col(n) = d.s, a.col(n) = d.a, logp.col(n++) = d.logp;
    for (std::size_t h = 0; h < heads.size(); ++h)
      ppo_update(heads[h], {s, a.row(h), logp.row(h), A.reshaped(1, A.size())}, rng);
  }

  template <class Ar> void io(Ar& ar) {
    for (std::size_t h = 0; h < heads.size(); ++h) ar(("head" + std::to_string(h)).c_str(), heads[h]);
  }
};

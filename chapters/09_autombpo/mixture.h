// MBPO in a finite MDP, for the real ratio alone: the policy is the best one for a mixture of what the real data say
// and what a biased model says. Its loss is exact. In double.
#pragma once
#include "chapters/06_mbpo/finite_mdp.h"  // FiniteMdp, random_mdp, optimal_policy, eta

struct MixtureSizes {
  int states = 20, actions = 3, successors = 5;
  double gamma = 0.9;
};

struct MixedMdp {
  FiniteMdp mdp;             // rewards in [0, 1], start uniform
  double best;               // eta of the best policy
  Kernel bias;               // of another MDP, in which the model believes with the chance sigma
  std::vector<Kernel> real;  // P_n for every n: by (s, a) the shares of s' in n real samples

  // beta P_n + (1 - beta) P_model,   P_model = (1 - sigma) p + sigma bias
  Kernel transitions(std::size_t i, double beta, double sigma) const {
    Kernel p = real[i];
    for (int a = 0; a < mdp.actions(); ++a)
      p[a] = beta * p[a] + (1 - beta) * ((1 - sigma) * mdp.p[a] + sigma * bias[a]);
    return p;
  }

  // What the best policy for the mixture loses in the true MDP, in % of the best policy's return.
  double loss(std::size_t i, double beta, double sigma) const {
    const Matrix pi = optimal_policy({transitions(i, beta, sigma), mdp.r, mdp.start, mdp.gamma});
    return 100 * (1 - eta(mdp, pi) / best);
  }
};

// A random MDP with a random bias, and real data that grow: n samples of each (s, a), n ascending.
inline MixedMdp random_mixture(const MixtureSizes& sizes, const std::vector<int>& n, Rng& rng) {
  FiniteMdp mdp = random_mdp(sizes.states, sizes.actions, sizes.successors, sizes.gamma, rng);
  for (double& r : mdp.r.reshaped()) r = rng.uniform();
  mdp.start.setConstant(1.0 / sizes.states);
  MixedMdp mixture{mdp, eta(mdp, optimal_policy(mdp)), random_mdp(sizes.states, sizes.actions, sizes.successors,
                                                                 sizes.gamma, rng).p, {}};
  Kernel counts(sizes.actions, Matrix::Zero(sizes.states, sizes.states));
  int drawn = 0;
  for (const int all : n) {
    for (; drawn < all; ++drawn)
      for (int a = 0; a < sizes.actions; ++a)
        for (int s = 0; s < sizes.states; ++s) counts[a](s, draw(mdp.p[a].row(s), rng)) += 1;
    mixture.real.push_back(counts);
    for (Matrix& P : mixture.real.back()) P /= all;
  }
  return mixture;
}

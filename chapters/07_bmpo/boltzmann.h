// Where rollouts begin: states of high value more often than others (slide "Other Components of BMPO").
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <vector>
#include "autodiff/rng.h"
#include "autodiff/tape.h"  // NotFinite

//(b6) p(s) ~ exp(beta V(s)), over the states whose values are given. beta = 0: uniform; beta < 0 prefers bad states.
// Throws NotFinite if there is no value or beta V is not finite.
struct Boltzmann {
  std::vector<double> up_to;  // up_to[i] = sum_{j <= i} exp(beta (V_j - max V)), so that no exp overflows

  template <class Values> Boltzmann(const Values& V, double beta) {
    double most = -INFINITY, sum = 0;
    for (const double v : V) most = std::max(most, beta * v);
    for (const double v : V) {
      if (!std::isfinite(beta * v)) throw NotFinite("p(s) ~ exp(beta V(s)): a value V(s) is not finite");
      up_to.push_back(sum += std::exp(beta * v - most));
    }
    if (up_to.empty()) throw NotFinite("p(s) ~ exp(beta V(s)): there is no state to draw from");
  }

  // The index of a state.
  int draw(Rng& rng) const {
    return int(std::upper_bound(up_to.begin(), up_to.end(), rng.uniform() * up_to.back()) - up_to.begin());
  }
  double chance(int i) const { return (up_to[i] - (i > 0 ? up_to[i - 1] : 0)) / up_to.back(); }
};

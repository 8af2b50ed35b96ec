// The probabilistic ensemble: several Gaussian networks, each trained on its own bootstrap of the data (slide "PETS:
// Probabilistic Ensembles with Trajectory Sampling"; Chua et al. 2018, Janner et al. 2019).
//
//   Ensemble model(6, 4, {.members = 5}, rng);
//   model.fit(X, Y, rng);                             // one sample per column
//   const Gaussian<Mat> y = model.members[2].predict(x);
#pragma once
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>
#include "autodiff/adam.h"
#include "chapters/04_pets/gaussian.h"

// One network: standardise, hidden layers, head.
struct Member {
  Normaliser input;
  MLP extractor;  // all hidden layers
  GaussianHead head;

  Member(int in, int out, const std::vector<int>& hidden, Rng& rng);

  // x (in, batch) -> h (hidden, batch) -> Gaussian (out, batch). On a const Member the weights are frozen.
  Mat features(const Mat& x) const;
  Var features(Var x);
  Var features(Var x) const;
  Gaussian<Mat> predict(const Mat& x) const { return head(features(x)); }
  Gaussian<Var> predict(Var x) { return head(features(x)); }
  Gaussian<Var> predict(Var x) const { return head(features(x)); }

  // y = mu(x) + sigma(x) xi: the noise xi ~ N(0, 1), (out, batch), is an argument.
  template <class T> T sample(const T& x, const Mat& xi) const {
    const Gaussian<T> y = predict(x);
    return y.mu + exp(T(0.5 * y.log_var)) * xi;
  }

  template <class Ar> void io(Ar& ar) { ar("input", input), ar("extractor", extractor), ar("head", head); }
};

struct EnsembleOptions {
  int members = 5, elites = 5;  // elites: the best by holdout loss, which are used for prediction
  std::vector<int> hidden = {200, 200, 200, 200};
  Real lr = 1e-3;
  std::vector<Real> decay = {};  // lambda of each layer's W, the head's last; empty: none
  bool probabilistic = true;     // false: least squares, no variance
  bool standardise_targets = true;

  // How long a fit trains.
  int batch = 256;
  int epochs = 1000;        // at most
  Real holdout = 0.2;       // share of the data, at most max_holdout of them; 0: none, then all epochs are run
  int max_holdout = 5000;
  int patience = 5;         // stop after so many epochs without an improvement, and one more
  Real improvement = 0.01;  // what counts as one: relative, of any member's holdout loss

  // The schedules of the two papers' codes.
  static EnsembleOptions pets() { return {.standardise_targets = false, .batch = 32, .epochs = 5, .holdout = 0}; }
  static EnsembleOptions mbpo() {
    return {.members = 7, .decay = {2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4}, .standardise_targets = false};
  }

  // Throws std::invalid_argument, one line with the rule.
  void check() const;
};

struct Ensemble {
  EnsembleOptions options;
  std::vector<Member> members;
  std::vector<int> elites;          // indices of members, the lowest holdout loss first
  std::vector<double> holdout_mse;  // of each member's mean; in units of each target's variance if standardised
  int epochs = 0;                   // of the last fit

  // From `in` numbers to `out` numbers. Throws std::invalid_argument as EnsembleOptions::check.
  Ensemble(int in, int out, const EnsembleOptions& options, Rng& rng);

  const Member& elite(int i) const { return members[elites[i]]; }

  // Trains all members to predict Y (out, n) from X (in, n), from where they are. Throws std::invalid_argument for no
  // data or another shape, NotFinite for a NaN in the data (with its row and column) or in a loss.
  void fit(const Mat& X, const Mat& Y, Rng& rng);

  // The parts of a fit, for those who compute its epochs elsewhere (chapter 15). What it begins with: the normalisers
  // fitted, some columns held out, each member's bootstrap of the others. Throws as fit.
  struct Samples {
    std::vector<int> order;              // all columns; the first of them are held out
    std::size_t held_out;
    std::vector<std::vector<int>> rows;  // of each member
    std::vector<Rng> rngs;               // of each member, for the order of its rows

    std::span<const int> train() const { return std::span(order).subspan(held_out); }
    // What decides when to stop. Few data: there is nothing to hold out.
    std::span<const int> judge() const { return held_out > 0 ? std::span(order).first(held_out) : train(); }
  };
  Samples begin_fit(const Mat& X, const Mat& Y, Rng& rng);
  // One step of Adam for member m, down its loss on the given columns of X and Y.
  void descend(int m, const Mat& X, const Mat& Y, std::span<const int> columns, Tape& tape);
  // epoch() trains all members and sets holdout_mse; keep(m) is called when member m has become better. At the end
  // holdout_mse is that of the kept ones, and the best of them are the elites.
  void until_no_better(const std::function<void()>& epoch, const std::function<void(int)>& keep);

  // Throws std::invalid_argument if what it loads names an elite that is no member.
  template <class Ar> void io(Ar& ar) {
    ar("members", members), ar("optimisers", optimisers), ar("elites", elites), ar("holdout_mse", holdout_mse);
    for (const int m : elites)
      if (m < 0 || m >= int(members.size())) throw std::invalid_argument("elites names a member that is not there");
  }

 private:
  std::vector<Adam> optimisers;  // one per member
  std::vector<Tape> tapes;       // one per thread
};

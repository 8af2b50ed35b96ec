// The probabilistic ensemble: several Gaussian networks, each trained on its own bootstrap of the data (slide "PETS:
// Probabilistic Ensembles with Trajectory Sampling"; Chua et al. 2018, Janner et al. 2019).
//
//   Ensemble model(6, 4, {.members = 5}, rng);
//   model.fit(X, Y, rng);                             // one sample per column
//   const Gaussian<Mat> y = model.members[2].predict(x);
#pragma once
#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include "autodiff/adam.h"
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "chapters/04_pets/gaussian.h"

// One network: standardise, hidden layers, head.
struct Member {
  Normaliser input;
  MLP extractor;  // all hidden layers
  GaussianHead head;

  Member(int in, int out, const std::vector<int>& hidden, Rng& rng)
      : input(in), extractor(sizes(in, hidden), Activation::swish, Init::truncated_normal, rng),
        head(hidden.back(), out, rng) {}

  // x (in, batch) -> h (hidden, batch) -> Gaussian (out, batch). On a const Member the weights are frozen.
  Mat features(const Mat& x) const { return swish(extractor(input(x))); }
  Var features(Var x) { return swish(extractor(input(x))); }
  Var features(Var x) const { return swish(extractor(input(x))); }
  Gaussian<Mat> predict(const Mat& x) const { return head(features(x)); }
  Gaussian<Var> predict(Var x) { return head(features(x)); }
  Gaussian<Var> predict(Var x) const { return head(features(x)); }

  // y = mu(x) + sigma(x) xi: the noise xi ~ N(0, 1), (out, batch), is an argument.
  template <class T> T sample(const T& x, const Mat& xi) const {
    const Gaussian<T> y = predict(x);
    return y.mu + exp(T(0.5 * y.log_var)) * xi;
  }

  template <class Ar> void io(Ar& ar) { ar("input", input), ar("extractor", extractor), ar("head", head); }

 private:
  static std::vector<int> sizes(int in, std::vector<int> hidden) {
    hidden.insert(hidden.begin(), in);
    return hidden;
  }
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
  void check() const {
    const auto rule = [](bool holds, const char* text) {
      if (!holds) throw std::invalid_argument(std::string("ensemble: ") + text);
    };
    rule(members >= 1, "there must be at least one member");
    rule(1 <= elites && elites <= members, "elites must be between 1 and the number of members");
    rule(elites == members || holdout > 0, "without a holdout all members must be elites");
    rule(!hidden.empty() && *std::min_element(hidden.begin(), hidden.end()) >= 1, "hidden layers must have a size");
    rule(decay.empty() || decay.size() == hidden.size() + 1, "weight decay wants a value for each layer");
    rule(batch >= 1 && epochs >= 1 && patience >= 0, "batch and epochs must be at least 1, patience at least 0");
    rule(0 <= holdout && holdout < 1, "holdout must be in [0, 1)");
  }
};

struct Ensemble {
  EnsembleOptions options;
  std::vector<Member> members;
  std::vector<int> elites;          // indices of members, the lowest holdout loss first
  std::vector<double> holdout_mse;  // of each member's mean; in units of each target's variance if standardised
  int epochs = 0;                   // of the last fit

  // From `in` numbers to `out` numbers. Throws std::invalid_argument as EnsembleOptions::check.
  Ensemble(int in, int out, const EnsembleOptions& options, Rng& rng) : options(options) {
    options.check();
    members.reserve(options.members);  // the optimisers refer to their weights: they stay where they are
    for (int m = 0; m < options.members; ++m) {
      Member& member = members.emplace_back(in, out, options.hidden, rng);
      if (!options.decay.empty()) {
        set_decay(member.extractor, {options.decay.begin(), options.decay.end() - 1});
        member.head.out.W.decay = options.decay.back();
      }
      optimisers.emplace_back(params(member), options.lr);
      if (m < options.elites) elites.push_back(m);
    }
    holdout_mse.assign(options.members, std::numeric_limits<double>::quiet_NaN());
  }

  const Member& elite(int i) const { return members[elites[i]]; }

  // Trains all members to predict Y (out, n) from X (in, n), from where they are. Throws std::invalid_argument for no
  // data or another shape, NotFinite for a NaN in the data (with its row and column) or in a loss.
  void fit(const Mat& X, const Mat& Y, Rng& rng) {
    check_data(X, "X", members[0].input.mean.rows()), check_data(Y, "Y", members[0].head.target.mean.rows());
    if (X.cols() != Y.cols()) throw std::invalid_argument("ensemble: X and Y have different numbers of samples");
    std::vector<int> order(X.cols());
    std::iota(order.begin(), order.end(), 0);
    rng.shuffle(order);
    const long n_test = std::min(long(options.holdout * Real(order.size())), long(options.max_holdout));
    const std::span<const int> test(order.data(), n_test), train(order.data() + n_test, order.size() - n_test);
    normalise(X(Eigen::all, train), Y(Eigen::all, train));

    std::vector<std::vector<int>> rows(members.size());  //(b3) the bootstraps: drawn once, with replacement
    std::vector<Rng> rngs;
    for (std::vector<int>& mine : rows) {
      rngs.push_back(rng.split());
      for (std::size_t i = 0; i < train.size(); ++i) mine.push_back(train[rngs.back().below(train.size())]);
    }
    tapes.resize(std::max(int(tapes.size()), max_threads()));
    const auto epoch = [&](int m, int thread) {
      rngs[m].shuffle(rows[m]);  // its own rows, in another order
      for (std::size_t i = 0; i < rows[m].size(); i += options.batch)
        descend(m, X, Y, std::span(rows[m]).subspan(i, std::min(rows[m].size() - i, std::size_t(options.batch))),
                tapes[thread]);
    };
    // Few data: there is nothing to hold out, so the training data decide when to stop.
    const std::span<const int> judge = test.empty() ? train : test;
    if (options.holdout > 0) fit_until_no_better(epoch, X(Eigen::all, judge), Y(Eigen::all, judge));
    else
      for (epochs = 0; epochs < options.epochs; ++epochs) parallel_for(options.members, epoch);
  }

  // One step of Adam for member m, down its loss on the given columns of X and Y.
  void descend(int m, const Mat& X, const Mat& Y, std::span<const int> columns, Tape& tape) {
    Member& f = members[m];
    const auto gather = [&](const Mat& from) {
      return [&from, columns](Mat& to) {
        to.resize(from.rows(), Eigen::Index(columns.size()));
        for (std::size_t j = 0; j < columns.size(); ++j) to.col(j) = from.col(columns[j]);
      };
    };
    const Gaussian<Var> prediction = f.predict(tape.constant(gather(X)));
    const Var y = tape.constant(gather(Y));
    Var loss;
    if (options.probabilistic) {
      // The bounds are drawn together. 0.01 is for one pair of bounds that all members share; here each has its own.
      const Var bounds = sum(tape.param(f.head.max_log_var)) - sum(tape.param(f.head.min_log_var));
      loss = nll(prediction, y) + Real(0.01) / Real(options.members) * bounds;
    } else {
      loss = mean(square((prediction.mu - y) / f.head.target.std));
    }
    optimisers[m].minimize(loss);
  }

  // Throws std::invalid_argument if what it loads names an elite that is no member.
  template <class Ar> void io(Ar& ar) {
    ar("members", members), ar("optimisers", optimisers), ar("elites", elites), ar("holdout_mse", holdout_mse);
    for (const int m : elites)
      if (m < 0 || m >= int(members.size())) throw std::invalid_argument("elites names a member that is not there");
  }

 private:
  std::vector<Adam> optimisers;  // one per member
  std::vector<Tape> tapes;       // one per thread

  // After each epoch: members that have become better are remembered, and given back at the end; the best are elites.
  template <class Epoch> void fit_until_no_better(const Epoch& epoch, const Mat& X, const Mat& Y) {
    std::vector<Member> best = members;
    std::vector<double> least(members.size(), std::numeric_limits<double>::infinity());
    int waited = 0;
    for (epochs = 0; epochs < options.epochs && waited <= options.patience; ++epochs, ++waited) {
      parallel_for(options.members, [&](int m, int thread) {
        epoch(m, thread);
        holdout_mse[m] = mse(members[m], X, Y);
      });
      for (int m = 0; m < options.members; ++m)
        if (holdout_mse[m] < (1 - options.improvement) * least[m])
          least[m] = holdout_mse[m], best[m] = members[m], waited = -1;
    }
    members = best, holdout_mse = least;
    std::vector<int> order(members.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return least[i] < least[j]; });
    elites.assign(order.begin(), order.begin() + options.elites);
  }

  static double mse(const Member& f, const Mat& X, const Mat& Y) {
    return Mat((f.predict(X).mu - Y).colwise() / f.head.target.std.col(0)).square().mean();
  }

  void normalise(const Mat& X, const Mat& Y) {
    for (Member& f : members) {
      f.input.fit(X);
      if (options.standardise_targets) f.head.target.fit(Y);
    }
  }

  static void check_data(const Mat& x, const std::string& name, Eigen::Index rows) {
    if (x.cols() == 0) throw std::invalid_argument("ensemble: no data to fit, " + name + " has no columns");
    if (x.rows() != rows)
      throw std::invalid_argument("ensemble: " + name + " has " + std::to_string(x.rows()) + " rows instead of " +
                                  std::to_string(rows));
    for (Eigen::Index j = 0; j < x.cols(); ++j)
      for (Eigen::Index i = 0; i < x.rows(); ++i)
        if (!std::isfinite(x(i, j)))
          throw NotFinite("ensemble: " + name + " is " + std::to_string(x(i, j)) + " in row " + std::to_string(i) +
                          ", column " + std::to_string(j) + " of the data");
  }
};

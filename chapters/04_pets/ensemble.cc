#include "chapters/04_pets/ensemble.h"
#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include "chapters/00_toolbox/parallel.h"  // parallel_for

// ---- Member ----

static std::vector<int> sizes(int in, std::vector<int> hidden) {
  hidden.insert(hidden.begin(), in);
  return hidden;
}
Member::Member(int in, int out, const std::vector<int>& hidden, Rng& rng)
    : input(in), extractor(sizes(in, hidden), Activation::swish, Init::truncated_normal, rng),
      head(hidden.back(), out, rng) {}

Mat Member::features(const Mat& x) const { return swish(extractor(input(x))); }
Var Member::features(Var x) { return swish(extractor(input(x))); }
Var Member::features(Var x) const { return swish(extractor(input(x))); }

// ---- Ensemble ----

void EnsembleOptions::check() const {
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

Ensemble::Ensemble(int in, int out, const EnsembleOptions& options, Rng& rng) : options(options) {
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

Ensemble::Samples Ensemble::begin_fit(const Mat& X, const Mat& Y, Rng& rng) {
  check_data(X, "X", members[0].input.mean.rows()), check_data(Y, "Y", members[0].head.target.mean.rows());
  if (X.cols() != Y.cols()) throw std::invalid_argument("ensemble: X and Y have different numbers of samples");
  Samples data;
  data.order.resize(X.cols());
  std::iota(data.order.begin(), data.order.end(), 0);
  rng.shuffle(data.order);
  data.held_out = std::min(long(options.holdout * Real(X.cols())), long(options.max_holdout));
  const std::span<const int> train = data.train();
  const Mat X_train = X(Eigen::all, train), Y_train = Y(Eigen::all, train);
  for (Member& f : members) {
    f.input.fit(X_train);
    if (options.standardise_targets) f.head.target.fit(Y_train);
  }
  data.rows.resize(members.size());  //(b3) the bootstraps: drawn once, with replacement
  for (std::vector<int>& mine : data.rows) {
    Rng& own = data.rngs.emplace_back(rng.split());
    for (std::size_t i = 0; i < train.size(); ++i) mine.push_back(train[own.below(train.size())]);
  }
  return data;
}

static double mse(const Member& f, const Mat& X, const Mat& Y) {
  return Mat((f.predict(X).mu - Y).colwise() / f.head.target.std.col(0)).square().mean();
}

void Ensemble::fit(const Mat& X, const Mat& Y, Rng& rng) {
  Samples data = begin_fit(X, Y, rng);
  tapes.resize(std::max(int(tapes.size()), max_threads()));
  const auto epoch = [&](int m, int thread) {
    std::vector<int>& rows = data.rows[m];
    data.rngs[m].shuffle(rows);  // its own rows, in another order
    for (std::size_t i = 0; i < rows.size(); i += options.batch)
      descend(m, X, Y, std::span(rows).subspan(i, std::min(rows.size() - i, std::size_t(options.batch))),
              tapes[thread]);
  };
  if (options.holdout == 0) {
    for (epochs = 0; epochs < options.epochs; ++epochs) parallel_for(options.members, epoch);
    return;
  }
  const Mat X_judge = X(Eigen::all, data.judge()), Y_judge = Y(Eigen::all, data.judge());
  std::vector<Member> best = members;
  const auto epoch_of_all = [&] {
    parallel_for(options.members, [&](int m, int thread) {
      epoch(m, thread);
      holdout_mse[m] = mse(members[m], X_judge, Y_judge);
    });
  };
  until_no_better(epoch_of_all, [&](int m) { best[m] = members[m]; });
  members = best;
}

void Ensemble::until_no_better(const std::function<void()>& epoch, const std::function<void(int)>& keep) {
  std::vector<double> least(members.size(), std::numeric_limits<double>::infinity());
  int waited = 0;
  for (epochs = 0; epochs < options.epochs && waited <= options.patience; ++epochs, ++waited) {
    epoch();
    for (int m = 0; m < options.members; ++m)
      if (holdout_mse[m] < (1 - options.improvement) * least[m]) least[m] = holdout_mse[m], keep(m), waited = -1;
  }
  holdout_mse = least;
  std::vector<int> order(members.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return least[i] < least[j]; });
  elites.assign(order.begin(), order.begin() + options.elites);
}

void Ensemble::descend(int m, const Mat& X, const Mat& Y, std::span<const int> columns, Tape& tape) {
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

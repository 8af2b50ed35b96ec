// Chapter 04, the model: the options, the data and the fit of the ensemble.
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>
#include "chapters/04_pets/ensemble.h"
#include "tests/gradient_check.h"
#include "tests/threads.h"

namespace {

constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();
constexpr Real infinite = std::numeric_limits<Real>::infinity();

// The text of the E that f throws, one line; empty if none.
template <class E, class F> std::string thrown(F f) {
  try {
    f();
  } catch (const E& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
  return "";
}
bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

template <class Part> std::vector<Mat> values(Part& part) {
  std::vector<Mat> all;
  for (Param* p : params(part)) all.push_back(p->value);
  return all;
}
bool equal(const std::vector<Mat>& a, const std::vector<Mat>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] != b[i]).any()) return false;
  return a.size() == b.size();
}

// N samples that nothing connects: x_i is the i-th unit vector, y_i = +-1 at random. What is predicted of a sample is
// its y only if it was among those a member saw.
struct Unrelated {
  Mat X, Y;
  Unrelated(int N, std::uint64_t seed) {
    Rng rng(seed);
    X = Mat::Zero(N, N);
    for (int i = 0; i < N; ++i) X(i, i) = 1;
    Y = rng.uniform(1, N, -1, 1).sign();
  }
};
// Which of them a member has seen.
std::set<int> seen(const Member& member, const Unrelated& data) {
  const Mat mu = member.predict(data.X).mu;
  std::set<int> columns;
  for (int i = 0; i < mu.cols(); ++i)
    if (std::abs(mu(0, i) - data.Y(0, i)) < 0.3) columns.insert(i);
  return columns;
}

double squared_error(const Mat& a, const Mat& b) { return double((a - b).square().mean()); }

// X (2, n) uniform, Y = sin(2 x_1) + x_2 / 2 with noise.
struct Data {
  Mat X, Y;
  Data(int n, double noise, std::uint64_t seed) {
    Rng rng(seed);
    X = rng.uniform(2, n, -1, 1);
    Y = (2 * X.row(0)).sin() + X.row(1) / 2 + Real(noise) * rng.normal(1, n);
  }
};

// Small and quick.
EnsembleOptions small(int members = 2) {
  return {.members = members, .elites = members, .hidden = {16, 16}, .lr = Real(3e-3), .batch = 32, .epochs = 20,
          .holdout = Real(0.2)};
}

}  // namespace

// ---- options ----

TEST_CASE("the two schedules are those of the papers' codes", "[04]") {
  const EnsembleOptions pets = EnsembleOptions::pets(), mbpo = EnsembleOptions::mbpo();
  CHECK(pets.members == 5);
  CHECK(pets.elites == 5);
  CHECK(pets.batch == 32);
  CHECK(pets.epochs == 5);
  CHECK(pets.holdout == 0);
  CHECK(mbpo.members == 7);
  CHECK(mbpo.elites == 5);
  CHECK(mbpo.batch == 256);
  CHECK(mbpo.holdout == Real(0.2));
  CHECK(mbpo.max_holdout == 5000);
  CHECK(mbpo.patience == 5);
  CHECK(mbpo.improvement == Real(0.01));
  CHECK(mbpo.lr == Real(1e-3));
  CHECK(mbpo.hidden == std::vector<int>(4, 200));
  CHECK_FALSE(mbpo.standardise_targets);
  CHECK_FALSE(pets.standardise_targets);
  CHECK_NOTHROW(pets.check());
  CHECK_NOTHROW(mbpo.check());
}

TEST_CASE("no members, more elites than members and their kin are refused with the rule", "[04]") {
  const auto refused = [](const EnsembleOptions& options) {
    const std::string text = thrown<std::invalid_argument>([&] { options.check(); });
    Rng rng(100);
    CHECK(text == thrown<std::invalid_argument>([&] { Ensemble(2, 1, options, rng); }));
    return text;
  };
  CHECK(refused({.hidden = {4}}) == "");
  CHECK(refused({.members = 0, .elites = 0, .hidden = {4}}) != "");
  CHECK(refused({.members = 5, .elites = 0, .hidden = {4}}) != "");
  CHECK(says(refused({.members = 5, .elites = 6, .hidden = {4}}), "elites"));
  CHECK(refused({.hidden = {4, 0}}) != "");
  CHECK(refused({.hidden = {4}, .batch = 0}) != "");
  CHECK(refused({.hidden = {4}, .epochs = 0}) != "");
  CHECK(refused({.hidden = {4}, .holdout = Real(1)}) != "");
  CHECK(refused({.hidden = {4}, .holdout = Real(-0.1)}) != "");
  CHECK(says(refused({.hidden = {4}, .decay = {0, 0, 0}}), "decay"));
}

TEST_CASE("weight decay is set layer by layer, on weights only", "[04]") {
  Rng rng(100);
  EnsembleOptions options = small();
  options.decay = {Real(0.1), Real(0.2), Real(0.3)};
  Ensemble f(2, 1, options, rng);
  for (Member& m : f.members) {
    CHECK(m.extractor.layers[0].W.decay == Real(0.1));
    CHECK(m.extractor.layers[1].W.decay == Real(0.2));
    CHECK(m.head.out.W.decay == Real(0.3));
    CHECK(m.head.out.b.decay == 0);
    CHECK(m.head.max_log_var.decay == 0);
    CHECK(m.head.min_log_var.decay == 0);
    for (const Linear& layer : m.extractor.layers) CHECK(layer.b.decay == 0);
  }
  const Data data(100, 0.1, 100);  // and it acts: with a heavy one the weights shrink
  options.decay = {1, 1, 1}, options.epochs = 60, options.holdout = 0;
  Ensemble heavy(2, 1, options, rng);
  heavy.fit(data.X, data.Y, rng);
  const double largest = double(heavy.members[0].head.out.W.value.abs().maxCoeff());
  INFO(largest);
  CHECK(largest < 0.05);
}

// ---- bad data ----

TEST_CASE("an empty data set is an error that says so; so is another shape; nothing is changed", "[04]") {
  Rng rng(100);
  Ensemble f(2, 1, small(), rng);
  const std::vector<Mat> before = values(f.members);
  const std::string empty = thrown<std::invalid_argument>([&] { f.fit(Mat(2, 0), Mat(1, 0), rng); });
  CHECK((says(empty, "no data") || says(empty, "empty")));
  CHECK(thrown<std::invalid_argument>([&] { f.fit(Mat::Zero(3, 5), Mat::Zero(1, 5), rng); }) != "");
  CHECK(thrown<std::invalid_argument>([&] { f.fit(Mat::Zero(2, 5), Mat::Zero(2, 5), rng); }) != "");
  CHECK(thrown<std::invalid_argument>([&] { f.fit(Mat::Zero(2, 5), Mat::Zero(1, 6), rng); }) != "");
  CHECK(equal(values(f.members), before));
}

TEST_CASE("a NaN in the data is refused with its row and column", "[04]") {
  for (const bool in_target : {false, true})
    for (const Real bad : {not_a_number, infinite, -infinite}) {
      Rng rng(100);
      Ensemble f(3, 2, small(), rng);
      const std::vector<Mat> before = values(f.members);
      Mat X = rng.normal(3, 40), Y = rng.normal(2, 40);
      (in_target ? Y : X)(1, 17) = bad;
      const std::string text = thrown<NotFinite>([&] { f.fit(X, Y, rng); });
      INFO(text);
      CHECK(says(text, "row 1"));
      CHECK(says(text, "column 17"));
      CHECK(equal(values(f.members), before));
    }
}

TEST_CASE("a constant state dimension fits and predicts", "[04]") {
  for (const bool standardise : {false, true}) {
    Rng rng(100);
    EnsembleOptions options = small();
    options.standardise_targets = standardise, options.epochs = 100;
    Ensemble f(3, 2, options, rng);
    const Data data(300, 0.05, 100);
    Mat X(3, 300), Y(2, 300);
    X << data.X, Mat::Constant(1, 300, Real(7.3));
    Y << data.Y, Mat::Constant(1, 300, Real(-0.25));
    f.fit(X, Y, rng);
    const Gaussian<Mat> g = f.members[0].predict(X);
    CHECK(g.mu.isFinite().all());
    CHECK(g.log_var.isFinite().all());
    CHECK(squared_error(g.mu.row(0), Y.row(0)) < 0.05);
    CHECK(squared_error(g.mu.row(1), Y.row(1)) < 0.01);
  }
}

TEST_CASE("one sample, or fewer than a batch, is enough for a fit", "[04]") {
  for (const int n : {1, 2, 3, 7}) {
    Rng rng(100);
    Ensemble f(2, 1, small(), rng);
    const Data data(n, 0.1, 100);
    f.fit(data.X, data.Y, rng);
    INFO(n << " samples");
    for (const Member& m : f.members) {
      CHECK(m.predict(data.X).mu.isFinite().all());
      CHECK(m.predict(data.X).log_var.isFinite().all());
    }
    for (const double mse : f.holdout_mse) CHECK(std::isfinite(mse));
  }
}

// ---- the fit ----

TEST_CASE("a member sees 63 % of the data: its bootstrap is drawn once per fit, not once per epoch", "[04][train]") {
  const Unrelated data(60, 100);
  EnsembleOptions options = small(4);
  options.hidden = {32}, options.lr = Real(0.01), options.batch = 20, options.epochs = 150, options.holdout = 0;
  Rng rng(100);
  Ensemble f(60, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  CHECK(f.epochs == 150);
  std::vector<std::set<int>> before;
  double missed = 0;
  for (const Member& m : f.members) {
    before.push_back(seen(m, data));
    missed += 60.0 - double(before.back().size());
  }
  INFO("missed of 4 x 60: " << missed);
  // (1 - 1/60)^60 = 0.365 are never drawn, with a deviation of 2.4 of 60; a few of them are guessed right by chance
  CHECK(missed > 4 * 60 * 0.365 - 4 * 2 * 2.4 - 12);
  CHECK(missed < 4 * 60 * 0.365 + 4 * 2 * 2.4);
  for (int m = 1; m < 4; ++m) CHECK(before[m] != before[0]);  // bootstrap members differ

  f.fit(data.X, data.Y, rng);  // the next fit draws again
  for (int m = 0; m < 4; ++m) {
    std::set<int> now = seen(f.members[m], data), lost;
    int gained = 0;
    for (const int i : now) gained += !before[m].contains(i);
    CHECK(gained >= 5);
  }
}

TEST_CASE("training is a warm start: the next fit begins with the weights and moments of the last", "[04]") {
  const Data data(200, 0.1, 100);
  EnsembleOptions options = small();
  options.holdout = 0, options.epochs = 60;
  Rng rng(100);
  Ensemble f(2, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  const double before = squared_error(f.members[0].predict(data.X).mu, data.Y);
  CHECK(before < 0.05);
  f.options.epochs = 1;
  f.fit(data.X, data.Y, rng);
  CHECK(f.epochs == 1);
  CHECK(squared_error(f.members[0].predict(data.X).mu, data.Y) < 1.5 * before);
}

TEST_CASE("the next fit keeps Adam's moments: its first step is not one of full length", "[04]") {
  const Data data(64, 0.1, 100);
  EnsembleOptions options = small();
  options.holdout = 0, options.epochs = 50, options.batch = 64;
  Rng rng(100);
  Ensemble f(2, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  const std::vector<Mat> before = values(f.members);
  f.options.epochs = 1;  // one step: a new Adam would move every number by lr, exactly
  f.fit(data.X, data.Y, rng);
  const std::vector<Mat> after = values(f.members);
  int full = 0, all = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    const Mat length = (after[k] - before[k]).abs() / options.lr;
    full += int(((length - 1).abs() < Real(0.01)).count()), all += int(length.size());
  }
  CHECK(full < all / 10);
}

TEST_CASE("what is held out no member sees in training", "[04]") {
  const Unrelated data(60, 100);
  EnsembleOptions options = small(3);
  options.hidden = {32}, options.lr = Real(0.01), options.batch = 20, options.epochs = 150, options.patience = 150;
  options.holdout = Real(0.5);
  Rng rng(100);
  Ensemble f(60, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  for (const double mse : f.holdout_mse) CHECK(mse > 0.85);  // of +-1 nothing can be known
}

TEST_CASE("with standardised targets a fit does not depend on their units, with and without a variance", "[04]") {
  Rng rng(100);
  const Mat X = rng.uniform(2, 200, -1, 1);
  Mat Y(2, 200);
  Y.row(0) = (2 * X.row(0)).sin() + Real(0.1) * rng.normal(1, 200);
  Y.row(1) = X.row(1) + Real(0.3) * rng.normal(1, 200);
  Mat unit(2, 1);
  unit << 1024, Real(1) / 1024;  // powers of two: no rounding
  for (const bool probabilistic : {true, false}) {
    const auto fitted = [&](const Mat& targets) {
      Rng again(101);
      EnsembleOptions options = small();
      options.probabilistic = probabilistic, options.epochs = 10;
      Ensemble f(2, 2, options, again);
      f.fit(X, targets, again);
      return f;
    };
    const Ensemble f = fitted(Y), g = fitted(Y.colwise() * unit.col(0));
    for (int m = 0; m < 2; ++m) {
      CHECK(near(g.holdout_mse[m], f.holdout_mse[m], is_double ? 1e-9 : 1e-4));
      const Gaussian<Mat> a = f.members[m].predict(X), b = g.members[m].predict(X);
      CHECK(distance(b.mu.colwise() / unit.col(0), a.mu) < (is_double ? 1e-9 : 1e-3));
      CHECK(distance(b.log_var.colwise() - 2 * unit.col(0).log(), a.log_var) < (is_double ? 1e-9 : 1e-3));
    }
  }
}

// With one sample held out, which one it was can be read off the losses: for every member they are its squared errors.
// -1 if there is no such sample.
static int held_out(const Ensemble& f, const Mat& X, const Mat& Y) {
  int found = -1;
  for (int j = 0; j < X.cols(); ++j) {
    bool all = true;
    for (std::size_t m = 0; m < f.members.size(); ++m) {
      const Mat error = f.members[m].predict(X.col(j)).mu - Y.col(j);
      all = all && near(double(error.square().mean()), f.holdout_mse[m], is_double ? 1e-9 : 1e-5);
    }
    if (all) found = j;
  }
  return found;
}

TEST_CASE("the holdout loss is the squared error of the mean of each member's best weights, not of its last", "[04]") {
  std::set<int> drawn;
  for (int seed = 100; seed < 105; ++seed) {
    Rng rng(seed);
    const Mat X = rng.normal(2, 12), Y = rng.normal(2, 12);  // noise: it overfits soon
    EnsembleOptions options = small(4);
    options.elites = 2, options.epochs = 200, options.holdout = Real(0.5), options.max_holdout = 1;
    options.lr = Real(0.02), options.standardise_targets = false;
    Ensemble f(2, 2, options, rng);
    f.fit(X, Y, rng);
    INFO("seed " << seed);
    const int j = held_out(f, X, Y);
    REQUIRE(j >= 0);
    drawn.insert(j);

    // the scaler knows the training part only, and is the same for all members
    const Mat rest = append_cols(Mat(X.leftCols(j)), Mat(X.rightCols(11 - j)));
    const Mat mean = rest.rowwise().mean();
    const Mat std = (rest.colwise() - mean.col(0)).square().rowwise().mean().sqrt();
    for (const Member& m : f.members) {
      CHECK(distance(m.input.mean, mean) < rounding);
      CHECK(distance(m.input.std, std) < rounding);
      CHECK((m.head.target.mean == 0).all());
      CHECK((m.head.target.std == 1).all());
    }

    // the elites are the members of the lowest loss, the best first
    std::vector<int> order(4);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return f.holdout_mse[a] < f.holdout_mse[b]; });
    order.resize(2);
    CHECK(f.elites == order);
    for (int i = 0; i < 2; ++i) CHECK(&f.elite(i) == &f.members[order[i]]);
  }
  CHECK(drawn.size() >= 3);  // it is drawn at random
}

TEST_CASE("waiting longer in vain changes nothing: the best weights are restored, not the last", "[04]") {
  const Data data(60, 0.5, 100);
  int waited_in_vain = 0;
  for (int seed = 100; seed < 110; ++seed) {
    const auto fitted = [&](int patience) {
      Rng rng(seed);
      EnsembleOptions options = small(3);
      options.hidden = {32, 32}, options.lr = Real(0.02), options.patience = patience, options.epochs = 300;
      Ensemble f(2, 1, options, rng);
      f.fit(data.X, data.Y, rng);
      return f;
    };
    Ensemble f = fitted(5), g = fitted(8);
    if (g.epochs != f.epochs + 3) continue;  // it had not been in vain
    ++waited_in_vain;
    CHECK(f.holdout_mse == g.holdout_mse);
    CHECK(equal(values(f.members), values(g.members)));
  }
  CHECK(waited_in_vain >= 2);
}

TEST_CASE("training stops in the sixth epoch in a row without an improvement of 1 %, of any member", "[04]") {
  const Data data(100, 0.1, 100);
  EnsembleOptions options = small();
  options.lr = Real(1e-7), options.epochs = 50;
  Rng rng(100);
  Ensemble f(2, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  CHECK(f.epochs == 7);  // the first epoch improves on nothing at all
  options.patience = 2;
  Ensemble sooner(2, 1, options, rng);
  sooner.fit(data.X, data.Y, rng);
  CHECK(sooner.epochs == 4);
  options.improvement = 0;  // now every small step down is one
  options.lr = Real(1e-5);
  Ensemble later(2, 1, options, rng);
  later.fit(data.X, data.Y, rng);
  CHECK(later.epochs == 50);
  options.improvement = Real(0.01);
  Ensemble slow(2, 1, options, rng);
  slow.fit(data.X, data.Y, rng);
  CHECK(slow.epochs < 10);
}

TEST_CASE("an improvement is relative to the member's best, not to the epoch before", "[04]") {
  // An epoch brings less than what counts, six of them together bring more: the counter never runs out.
  const Data data(100, 0.1, 100);
  EnsembleOptions options = small(1);
  options.epochs = 40, options.lr = Real(1e-3), options.improvement = Real(0.08);
  Rng rng(100);
  Ensemble f(2, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  CHECK(f.epochs == 40);
}

TEST_CASE("the patience counter is common: a member that improves keeps the others in training", "[04]") {
  const Data data(200, 0.1, 100);
  EnsembleOptions options = small(2);
  options.epochs = 300;
  Rng rng(100);
  Ensemble good(2, 1, options, rng);
  good.fit(data.X, data.Y, rng);
  options.lr = Real(3e-4), options.epochs = 30;
  Ensemble f(2, 1, options, rng);
  f.members[1].extractor = good.members[1].extractor, f.members[1].head = good.members[1].head;  // has nothing to learn
  f.fit(data.X, data.Y, rng);
  CHECK(f.epochs == 30);
  CHECK(f.elites == std::vector<int>{1, 0});
}

TEST_CASE("the loss pulls the two bounds of the log-variance together: they are trained", "[04]") {
  // One step of Adam moves each number by lr, against the sign of its gradient.
  Rng rng(100);
  EnsembleOptions options = small(1);
  options.lr = Real(1e-3);
  Ensemble f(1, 1, options, rng);
  Tape tape;
  Member& m = f.members[0];
  m.head.out.W.value.setZero();
  m.head.out.b.value << 0, -6;  // mu = 0, log-variance -6: far from both bounds
  const Mat X = Mat::Zero(1, 4);
  const std::vector<int> all = {0, 1, 2, 3};
  Mat Y = Mat::Constant(1, 4, Real(0.07));  // error^2 exp(-lv) = 2: the likelihood alone would raise the upper bound
  f.descend(0, X, Y, all, tape);
  CHECK(double(m.head.max_log_var.value(0, 0)) == Approx(0.5 - 1e-3).margin(1e-5));
  CHECK(double(m.head.min_log_var.value(0, 0)) == Approx(-10 + 1e-3).margin(1e-5));

  // 0.01 belongs to one pair of bounds for all members: where each has its own, every one has its share.
  for (const int members : {1, 5}) {
    options = small(members);
    options.lr = Real(1e-3);
    Ensemble g(1, 1, options, rng);
    Member& n = g.members[0];
    n.head.out.W.value.setZero();
    n.head.out.b.value << 0, -4;
    Y.setConstant(Real(1e-4));  // no error to speak of: d NLL / d lv = 1, d lv / d min = 0.0025
    g.descend(0, X, Y, all, tape);
    CHECK(double(n.head.min_log_var.value(0, 0)) == Approx(members == 1 ? -10 + 1e-3 : -10 - 1e-3).margin(1e-5));
  }
}

TEST_CASE("one step descends the loss of the given columns only, of the given member only", "[04]") {
  Rng rng(100);
  const Data data(40, 0.1, 100);
  Ensemble f(2, 1, small(2), rng), g = [] { Rng again(100); return Ensemble(2, 1, small(2), again); }();
  const std::vector<Mat> start = values(f.members[0]);
  Tape tape;
  const std::vector<int> columns = {3, 7, 7, 12};
  Mat X = data.X, Y = data.Y;
  f.descend(1, X, Y, columns, tape);
  CHECK(equal(values(f.members[0]), start));
  Mat X4(2, 4), Y4(1, 4);
  for (int i = 0; i < 4; ++i) X4.col(i) = X.col(columns[i]), Y4.col(i) = Y.col(columns[i]);
  const std::vector<int> all = {0, 1, 2, 3};
  g.descend(1, X4, Y4, all, tape);
  CHECK(equal(values(f.members[1]), values(g.members[1])));
  CHECK_FALSE(equal(values(f.members[1]), values(f.members[0])));
}

TEST_CASE("a fit gives the same numbers with 1 and 2 threads, and for the same seed", "[04]") {
  const Data data(150, 0.1, 100);
  const auto fitted = [&](int threads, int seed) {
    return with_threads(threads, [&] {
      Rng rng(seed);
      EnsembleOptions options = small(3);
      options.epochs = 4;
      Ensemble f(2, 1, options, rng);
      f.fit(data.X, data.Y, rng);
      std::vector<Mat> result = values(f.members);
      result.push_back(rng.normal(1, 1));
      return result;
    });
  };
  const std::vector<Mat> once = fitted(1, 100);
  CHECK(equal(once, fitted(1, 100)));
  CHECK(equal(once, fitted(2, 100)));
  CHECK_FALSE(equal(once, fitted(2, 101)));
}

TEST_CASE("an ensemble that was moved trains its own weights", "[04]") {
  const Data data(100, 0.1, 100);
  Rng rng(100);
  Ensemble f(2, 1, small(), rng);
  Ensemble g = std::move(f);
  const std::vector<Mat> before = values(g.members);
  g.fit(data.X, data.Y, rng);
  CHECK_FALSE(equal(values(g.members), before));
}

TEST_CASE("a loss that is not finite ends the fit with NotFinite", "[04]") {
  const Data data(100, 0.1, 100);
  Rng rng(100);
  Ensemble f(2, 1, small(), rng);
  f.members[1].head.out.b.value.setConstant(not_a_number);
  CHECK(thrown<NotFinite>([&] { f.fit(data.X, data.Y, rng); }) != "");
}

TEST_CASE("a model fitted to a noisy linear system recovers A, B and the noise of each dimension", "[04][train]") {
  // s' = A s + B a + noise
  Mat A(2, 2), B(2, 1);
  A << Real(0.9), Real(0.3), Real(-0.2), Real(0.8);
  B << Real(0.1), Real(0.7);
  const double sigma[2] = {0.05, 0.2};
  for (const bool standardise : {true, false}) {
    Rng rng(100);
    const int n = 1500;
    const Mat s = rng.normal(2, n), a = rng.uniform(1, n, -1, 1);
    Mat noise = rng.normal(2, n), s_next = matmul(A, s);
    noise.row(0) *= Real(sigma[0]), noise.row(1) *= Real(sigma[1]);
    s_next += matmul(B, a);
    s_next += noise;
    EnsembleOptions options = small(2);
    options.hidden = {32}, options.epochs = 100, options.batch = 64, options.holdout = 0;
    options.standardise_targets = standardise;
    Ensemble f(3, 2, options, rng);
    f.fit(concat(s, a), s_next, rng);

    const Mat x = concat(rng.normal(2, 500) / 2, rng.uniform(1, 500, -1, 1));
    for (const Member& m : f.members) {
      // the slopes of the mean in each direction, by central differences
      for (int j = 0; j < 3; ++j) {
        Mat step = Mat::Zero(3, 1);
        step(j, 0) = Real(0.5);
        const Mat slope = (m.predict(x.colwise() + step.col(0)).mu - m.predict(x.colwise() - step.col(0)).mu);
        const Mat mean_slope = slope.rowwise().mean();
        for (int i = 0; i < 2; ++i) {
          INFO("d s'_" << i << " / d x_" << j << ": " << mean_slope(i, 0));
          CHECK(std::abs(double(mean_slope(i, 0)) - double(j < 2 ? A(i, j) : B(i, 0))) < 0.04);
        }
      }
      const Mat deviation = exp(m.predict(x).log_var / 2);
      for (int i = 0; i < 2; ++i) {
        const double measured = double(deviation.row(i).mean());
        INFO("sigma_" << i << ": " << measured);
        CHECK(measured > 0.85 * sigma[i]);
        CHECK(measured < 1.25 * sigma[i]);
      }
    }
  }
}

TEST_CASE("deterministic members learn the mean by least squares", "[04]") {
  const Data data(300, 0.3, 100);
  EnsembleOptions options = small();
  options.probabilistic = false, options.epochs = 100;
  Rng rng(100);
  Ensemble f(2, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  const Data fresh(300, 0, 101);
  for (const Member& m : f.members) CHECK(squared_error(m.predict(fresh.X).mu, fresh.Y) < 0.05);
}

// Chapter 07, BMPO's loop: the backward policy, start states, rollouts in both directions, MPC, schedules, options.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/07_bmpo/backward_model.h"
#include "chapters/07_bmpo/backward_policy.h"
#include "chapters/07_bmpo/bmpo.h"
#include "chapters/07_bmpo/bmpo_options.h"
#include "envs/pendulum.h"
#include "tests/scratch.h"
#include "tests/slope.h"
#include "tests/statistics.h"
#include "tests/threads.h"

namespace {

constexpr double rounding = sizeof(Real) == 8 ? 1e-12 : 2e-5;

bool same(const Mat& a, const Mat& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a == b).all();
}
std::vector<double> row(const Mat& x, int i) {
  std::vector<double> values;
  for (int j = 0; j < x.cols(); ++j) values.push_back(double(x(i, j)));
  return values;
}
double root_mean_square(const Mat& x) { return std::sqrt(double(x.square().mean())); }
double correlated(const Mat& a, const Mat& b) {
  const Mat da = a - a.mean(), db = b - b.mean();
  return double((da * db).sum() / std::sqrt(da.square().sum() * db.square().sum()));
}

// All numbers that x's io lists, as the bytes of a file.
template <class T> std::map<std::string, std::vector<unsigned char>> bytes_of(T& x) {
  SaveArchive archive;
  x.io(archive);
  std::map<std::string, std::vector<unsigned char>> all;
  for (const auto& [name, tensor] : archive.file.tensors) all[name] = tensor.bytes;
  return all;
}

// A network with one hidden layer of rectifiers is made W x + b: x = relu(x) - relu(-x). W (out, in), b (out, 1).
void make_linear(MLP& net, const Mat& W, const Mat& b) {
  Linear &first = net.layers.front(), &last = net.layers.back();
  const Eigen::Index n = W.cols();
  first.W.value.setZero(), first.b.value.setZero(), last.W.value.setZero();
  for (Eigen::Index i = 0; i < n; ++i) first.W.value(i, i) = 1, first.W.value(n + i, i) = -1;
  last.W.value.leftCols(n) = W, last.W.value.middleCols(n, n) = -W;
  last.b.value = b;
}
Mat one_row(const std::vector<double>& x) {
  Mat m(1, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) m(0, i) = Real(x[i]);
  return m;
}
// Q_j(s, a) = w_j (s, a) + b_j and a policy with atanh of its mean action p s, the same for all actions; the lagged
// critics are far off.
std::unique_ptr<Sac> known_agent(int state_dim, int action_dim, const std::vector<double>& w1, double b1,
                                 const std::vector<double>& w2, double b2, const std::vector<double>& p,
                                 double log_std) {
  Rng rng(1);
  auto agent = std::make_unique<Sac>(state_dim, action_dim, SacOptions{.hidden = {2 * (state_dim + action_dim)}}, rng);
  make_linear(agent->Q[0], one_row(w1), Mat::Constant(1, 1, Real(b1)));
  make_linear(agent->Q[1], one_row(w2), Mat::Constant(1, 1, Real(b2)));
  for (MLP& Q : agent->Q_targ) make_linear(Q, Mat::Zero(1, state_dim + action_dim), Mat::Constant(1, 1, -12345));
  Mat W = Mat::Zero(2 * action_dim, state_dim), b = Mat::Zero(2 * action_dim, 1);
  for (int i = 0; i < action_dim; ++i) W.row(i) = one_row(p);
  b.bottomRows(action_dim).setConstant(Real(log_std));
  make_linear(agent->pi.net, W, b);
  return agent;
}
// V(s) = slope s + b on states that are single numbers, whatever the action.
std::unique_ptr<Sac> valued(double slope, double b = 0, double log_std = 0) {
  return known_agent(1, 1, {slope, 0}, b, {slope, 0}, b + 2, {0}, log_std);
}

// A model that is a function of (s, a).
template <class F> struct Imagined {
  F f;
  Outcome sample(const Mat& s, const Mat& a, Rng&) const { return f(s, a); }
};
template <class F> Imagined(F) -> Imagined<F>;

// ---- the backward policy's toy: s' in [-1, 1]^2, a ~ N(mu(s'), sd(s')^2); s and r are noise ----

Mat toy_mean(const Mat& s) {
  Mat mu(2, s.cols());
  mu << Real(0.3) * s.row(0), Real(0.3) - Real(0.4) * s.row(1);
  return mu;
}
Mat toy_deviation(const Mat& s) {
  Mat sd(2, s.cols());
  sd << Real(0.12) * s.row(1).exp(), Mat::Constant(1, s.cols(), Real(0.1));
  return sd;
}
Batch toy(int n, double cut, Rng& rng) {  // noise within `cut` deviations
  const Mat s_next = rng.uniform(2, n, -1, 1);
  Mat xi(2, n);
  for (Real& x : xi.reshaped()) x = Real(rng.truncated_normal(cut));
  const Mat a = (toy_mean(s_next) + toy_deviation(s_next) * xi).max(-1).min(1);
  return {rng.uniform(2, n, -1, 1), a, rng.normal(1, n), s_next, Mat::Ones(1, n)};
}

Transitions numbered(int from, int to, Eigen::Index capacity) {
  Transitions D(2, 1, capacity);
  for (int i = from; i < to; ++i) {
    const Real x = Real(i);
    D.add(Transition{Mat::Constant(2, 1, x), Mat::Constant(1, 1, x / 100), 10 * x, Mat::Constant(2, 1, -x), i % 3 == 0,
                     false});
  }
  return D;
}
int number_of(const Batch& b, int j) {  // -1 where the parts do not belong together
  const int i = int(std::lround(double(b.s(0, j))));
  const Transition t{Mat::Constant(2, 1, Real(i)), Mat::Constant(1, 1, Real(i) / 100), Real(10 * i),
                     Mat::Constant(2, 1, -Real(i)), i % 3 == 0, false};
  const bool fits = same(b.s.col(j), t.s) && same(b.a.col(j), t.a) && b.r(0, j) == t.r &&
                    same(b.s_next.col(j), t.s_next) && b.not_done(0, j) == (t.terminated ? 0 : 1);
  return fits ? i : -1;
}

// States that are single numbers.
Transitions points(const std::vector<double>& x) {
  Transitions D(1, 1, Eigen::Index(x.size()));
  for (const double v : x)
    D.add(Transition{Mat::Constant(1, 1, Real(v)), Mat::Zero(1, 1), 0, Mat::Constant(1, 1, -77), false, false});
  return D;
}
std::map<double, long> counts_of(const Mat& s) {
  std::map<double, long> n;
  for (const double x : row(s, 0)) ++n[x];
  return n;
}

// s from s' and a on the pendulum without friction and limit.
struct UndoPendulum {
  const Pendulum& env;
  Predecessor sample(const Mat& s_next, const Mat& a, Rng&) const {
    const Mat w_next = s_next.row(2), theta = atan2(rows(s_next, 1, 1), rows(s_next, 0, 1)) - w_next * Real(env.dt);
    Mat s(3, s_next.cols());
    s << theta.cos(), theta.sin(), w_next - (15 * theta.sin() + 6 * a) * Real(env.dt);
    return {env.reward(s, a, s_next), s, 1 - env.terminated(s_next)};
  }
};
struct UniformBack {
  int action_dim = 1;
  Mat sample(const Mat& s_next, Rng& rng) const { return rng.uniform(action_dim, s_next.cols(), -1, 1); }
};

// ---- a line with branches that can be told apart: s = (id, x), the end at x > 5; all numbers are whole ----
// Backwards x = x' + 1 + id mod 3; where 5 divides id x = x' - 3, and from beyond the end x = x' - 4, so that whoever
// asks on from a terminal state comes back. Forwards x' = x + 1 + id mod 2.

struct Line {
  Mat terminated(const Mat& s) const { return (s.row(1) > 5).cast<Real>(); }
};
double back_step(int id, double x_next) { return id % 5 == 0 ? -3 : x_next > 5 ? -4 : 1 + id % 3; }
struct LineBack {
  Line env;
  Predecessor sample(const Mat& s_next, const Mat&, Rng&) const {
    Mat s = s_next;
    for (int j = 0; j < s.cols(); ++j) s(1, j) += Real(back_step(int(s(0, j)), double(s(1, j))));
    return {10 * s.row(1) + s.row(0), s, 1 - env.terminated(s_next)};
  }
};
struct LineAhead {
  Outcome sample(const Mat& s, const Mat&, Rng&) const {
    Mat s_next = s;
    for (int j = 0; j < s.cols(); ++j) s_next(1, j) += Real(1 + int(s(0, j)) % 2);
    return {1000 + s_next.row(1), s_next, 1 - Line().terminated(s_next)};
  }
};
struct LinePolicy {  // a tells s'
  Mat sample(const Mat& s_next, Rng&) const { return s_next.row(0) / 4096 + s_next.row(1) / 64; }
};
Mat line_starts(int n) {
  Mat s(2, n);
  for (int id = 0; id < n; ++id) s.col(id) << Real(id), Real(id % 10 == 5 ? 7 : id % 4);
  return s;
}
// The rows (s, a, r, s', not_done) that k steps from them make, step after step, a column at a time.
std::vector<std::vector<std::vector<double>>> line_back(const Mat& starts, int k) {
  std::vector<std::vector<std::vector<double>>> steps(k);
  for (int j = 0; j < starts.cols(); ++j) {
    const double id = double(starts(0, j));
    double x_next = double(starts(1, j));
    for (int i = 0; i < k; ++i) {
      const double x = x_next + back_step(int(id), x_next);
      if (x > 5) break;
      steps[i].push_back({id, x, id / 4096 + x_next / 64, 10 * x + id, id, x_next, x_next > 5 ? 0.0 : 1.0});
      x_next = x;
    }
  }
  return steps;
}
std::vector<std::vector<std::vector<double>>> line_ahead(const Mat& starts, int k) {
  std::vector<std::vector<std::vector<double>>> steps(k);
  for (int j = 0; j < starts.cols(); ++j) {
    const double id = double(starts(0, j));
    double x = double(starts(1, j));
    for (int i = 0; i < k; ++i) {
      const double x_next = x + 1 + int(id) % 2;
      steps[i].push_back({id, x, 0, 1000 + x_next, id, x_next, x_next > 5 ? 0.0 : 1.0});
      if (x_next > 5) break;
      x = x_next;
    }
  }
  return steps;
}
std::vector<double> line_row(const Batch& b, int j) {
  return {double(b.s(0, j)), double(b.s(1, j)), double(b.a(0, j)), double(b.r(0, j)),
          double(b.s_next(0, j)), double(b.s_next(1, j)), double(b.not_done(0, j))};
}

BmpoOptions options_of(const Scratch& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "07_bmpo");
  words.insert(words.end(), {"--quiet", "--no-plot", "--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  return parse<BmpoOptions>(int(argv.size()), argv.data());
}

}  // namespace

// ---- the backward policy ----

TEST_CASE("by maximum likelihood the backward policy learns the actions' mean and deviation as functions of s'",
          "[07][train]") {
  Rng rng(100);
  BackwardPolicy pi_back(2, 2, {.hidden = {32, 32}, .lr = Real(3e-3)}, rng);
  const Mat grid = rng.uniform(2, 1000, -1, 1);
  for (int step = 0; step < 3000; ++step) {
    if (step == 2000) pi_back.opt.lr /= 10;
    pi_back.learn(toy(128, 10, rng), rng);
  }
  const Gaussian<Mat> g = pi_back.predict(grid);
  const Mat sd = (g.log_var / 2).exp(), off = (g.mu - toy_mean(grid)) / toy_deviation(grid);
  const Mat ratio = sd / toy_deviation(grid);
  // The last 1000 batches tell some 100 parameters to sqrt(100 / 128000) = 3 % of a deviation. log det left out: sd is
  // the largest there is; a factor 2 in one of the terms: sd off by 40 %.
  for (const int i : {0, 1}) {
    INFO("action " << i << ": " << root_mean_square(off.row(i)) << ", " << root_mean_square(ratio.row(i) - 1));
    CHECK(root_mean_square(off.row(i)) < 0.12);
    CHECK(root_mean_square(ratio.row(i) - 1) < 0.1);
    CHECK(double(ratio.row(i).mean()) == Approx(1).margin(0.05));
  }
}

TEST_CASE("as a conditional GAN the backward policy learns the actions' mean and deviation as functions of s', too",
          "[07][train]") {
  Rng rng(101);
  BackwardPolicy pi_back(2, 2, {.hidden = {32, 32}, .lr = Real(2e-3), .gan = true}, rng);
  const Mat grid = rng.uniform(2, 500, -1, 1);
  // Both players circle around the solution: what is compared is the mean over the last steps, which are smaller.
  Mat mu = Mat::Zero(2, 500), sd = Mat::Zero(2, 500);
  const int steps = 8000, from = 5600, every = 20;
  const Real share = Real(every) / (steps - from);
  for (int step = 0; step < steps; ++step) {
    if (step == 4800) pi_back.opt.lr /= 10;
    pi_back.learn(toy(256, 2, rng), rng);
    if (step < from || step % every != 0) continue;
    const Gaussian<Mat> g = pi_back.predict(grid);
    mu += share * g.mu, sd += share * (g.log_var / 2).exp();
  }
  const Mat off = (mu - toy_mean(grid)) / toy_deviation(grid), ratio = sd / toy_deviation(grid);
  for (const int i : {0, 1}) {
    INFO("action " << i << ": " << root_mean_square(off.row(i)) << ", " << ratio.row(i).mean());
    // Six seeds: off 0.08 to 0.22, ratio 0.59 to 1.02, correlation 0.85 to 0.96. A fresh policy's ratio is about 7.
    CHECK(root_mean_square(off.row(i)) < 0.4);
    CHECK(double(ratio.row(i).mean()) > 0.4);
    CHECK(double(ratio.row(i).mean()) < 1.4);
  }
  INFO("correlation " << correlated(sd.row(0), toy_deviation(grid).row(0)));
  CHECK(correlated(sd.row(0), toy_deviation(grid).row(0)) > 0.75);
}

TEST_CASE("the discriminator tells the actions of the data by a positive logit", "[07]") {
  Rng rng(102);
  BackwardPolicy pi_back(2, 2, {.hidden = {32, 32}, .lr = Real(3e-3), .gan = true}, rng);
  for (int step = 0; step < 200; ++step) pi_back.learn(toy(128, 2, rng), rng);  // it is ahead of the policy at first
  const Batch b = toy(2000, 2, rng);
  const Mat real = pi_back.D(concat(b.a, b.s_next)), other = pi_back.D(concat(Mat(-b.a), b.s_next));
  CHECK(real.mean() > other.mean() + Real(0.1));
}

TEST_CASE("by maximum likelihood only the policy's network moves, in a GAN the discriminator's too, a step each",
          "[07]") {
  for (const bool gan : {false, true}) {
    Rng rng(103);
    BackwardPolicy pi_back(2, 2, {.hidden = {8}, .gan = gan}, rng);
    const auto net = bytes_of(pi_back.net), D = bytes_of(pi_back.D);
    pi_back.learn(toy(64, 2, rng), rng);
    CHECK(bytes_of(pi_back.net) != net);
    CHECK((bytes_of(pi_back.D) != D) == gan);
    CHECK(pi_back.opt.t == 1);
    CHECK(pi_back.D_opt.t == (gan ? 1 : 0));
  }
}

TEST_CASE("the GAN's policy learns from actions as it draws them: at most two deviations from the mean", "[07]") {
  for (const double from : {2.01, 1.9}) {
    Rng rng(130);
    BackwardPolicy pi_back(2, 2, {.hidden = {8}, .gan = true}, rng);
    pi_back.D_opt.lr = 0;  // and a discriminator that minds only the first action, from so many deviations on
    pi_back.net.layers.back().W.value.setZero();
    pi_back.net.layers.back().b.value << 0, 0, -3, -3;
    const double sd = std::exp(double(pi_back.predict(Mat::Zero(2, 1)).log_var(0, 0)) / 2);
    Linear &first = pi_back.D.layers.front(), &last = pi_back.D.layers.back();
    first.W.value.setZero(), first.b.value.setZero(), last.W.value.setZero();
    first.W.value(0, 0) = 1, first.b.value(0, 0) = Real(-from * sd), last.W.value(0, 0) = -10;
    const auto before = bytes_of(pi_back.net);
    pi_back.learn(toy(2000, 2, rng), rng);
    CHECK((bytes_of(pi_back.net) == before) == (from > 2));
  }
}

TEST_CASE("predicted means are in (-1, 1), variances between e^-10 and e, with a slope everywhere", "[07]") {
  Rng rng(104);
  BackwardPolicy pi_back(3, 2, {.hidden = {16}}, rng);
  Mat& W = pi_back.net.layers.back().W.value;
  Mat& b = pi_back.net.layers.back().b.value;
  REQUIRE(b.rows() == 4);  // the means, then the log-variances
  const Mat s = rng.normal(3, 50);
  W.setZero();
  const auto at = [&](double mean, double log_var) {
    b << Real(mean), Real(mean), Real(log_var), Real(log_var);
    return pi_back.predict(s);
  };
  for (const double x : {-2.0, -0.3, 0.0, 1.5}) CHECK(at(x, 0).mu(1, 7) == Approx(std::tanh(x)).epsilon(1e-4));
  for (const double x : {-7.0, -4.5, -3.0}) CHECK(double(at(0, x).log_var(0, 7)) == Approx(x).margin(0.06));
  CHECK(double(at(0, 80).log_var(0, 7)) == Approx(1).margin(0.01));
  CHECK(double(at(0, -80).log_var(0, 7)) == Approx(-10).margin(0.01));
  double before = -10.5;
  for (double x = -14; x <= 6; x += 0.5) {
    const double now = double(at(0, x).log_var(1, 3));
    CHECK(now > before);
    before = now;
  }
  CHECK(pi_back.predict(s).mu.rows() == 2);
  CHECK(pi_back.predict(s).log_var.cols() == 50);
}

TEST_CASE("a backward action is a normal one cut at two deviations from the mean, then clipped to [-1, 1]", "[07]") {
  for (const double std : {0.0, 0.1}) {
    Rng rng(105);
    BackwardPolicy pi_back(2, 2, {.hidden = {16}, .std = Real(std)}, rng);
    pi_back.net.layers.back().b.value.bottomRows(2).setConstant(-3);
    const int n = 20000;
    const Mat s_next = rng.normal(2, n), a = pi_back.sample(s_next, rng);
    REQUIRE(a.rows() == 2);
    REQUIRE(a.cols() == n);
    const Gaussian<Mat> g = pi_back.predict(s_next);
    const Mat sd = std > 0 ? Mat(Mat::Constant(2, n, Real(std))) : Mat((g.log_var / 2).exp());
    CHECK(a.abs().maxCoeff() <= 1);
    CHECK(((a - g.mu) / sd).abs().maxCoeff() <= 2 + 1e-3);
    CHECK(((a - g.mu) / sd).abs().maxCoeff() > 1.98);
    std::vector<double> z[2];
    for (const int i : {0, 1}) {
      for (int j = 0; j < n; ++j)
        if (std::abs(double(g.mu(i, j))) + 2 * double(sd(i, j)) < 1)
          z[i].push_back(double((a(i, j) - g.mu(i, j)) / sd(i, j)));
      REQUIRE(z[i].size() > 2000);
      CHECK(kolmogorov_smirnov(z[i], [](double x) { return truncated_normal_cdf(x, 2); }) < 2);
      const SampleMoments m(z[i]);
      CHECK(m.mean == Approx(0).margin(4 * std::sqrt(m.variance / double(z[i].size()))));
      CHECK(m.variance == Approx(truncated_normal_variance(2)).margin(4 * std::sqrt(2.0 / double(z[i].size()))));
    }
    const std::size_t both = std::min(z[0].size(), z[1].size());
    z[0].resize(both), z[1].resize(both);
    CHECK(std::abs(correlation(z[0], z[1])) < 4);
  }
}

TEST_CASE("near the bounds the mass beyond them lies on them: clipped, not drawn again", "[07]") {
  Rng rng(106);
  BackwardPolicy pi_back(1, 1, {.hidden = {4}, .std = Real(0.2)}, rng);
  pi_back.net.layers.back().W.value.setZero();
  pi_back.net.layers.back().b.value << Real(std::atanh(0.9)), 0;
  const int n = 40000;
  const Mat a = pi_back.sample(Mat::Zero(1, n), rng);
  const double beyond = 1 - truncated_normal_cdf(0.5, 2);  // 1 is half a deviation away
  CHECK(double((a == 1).cast<Real>().mean()) == Approx(beyond).margin(4 * std::sqrt(beyond * (1 - beyond) / n)));
  CHECK(a.minCoeff() >= Real(0.5) - Real(1e-4));
}

TEST_CASE("a backward policy is drawn from its seed and saved with both optimisers", "[07]") {
  const auto made = [](int seed, bool gan) {
    Rng rng(seed);
    auto pi_back = std::make_unique<BackwardPolicy>(2, 2, BackwardPolicyOptions{.hidden = {8}, .gan = gan}, rng);
    for (int i = 0; i < 3; ++i) pi_back->learn(toy(32, 2, rng), rng);
    return pi_back;
  };
  for (const bool gan : {false, true}) {
    const auto one = made(100, gan), two = made(100, gan), other = made(101, gan);
    CHECK(bytes_of(*one) == bytes_of(*two));
    CHECK(bytes_of(*one) != bytes_of(*other));
    const Scratch dir;
    save_networks(dir / "pi_back", *one);
    load_networks(dir / "pi_back", *other);
    Rng r1(5), r2(5);
    for (int i = 0; i < 3; ++i) one->learn(toy(32, 2, r1), r1), other->learn(toy(32, 2, r2), r2);
    CHECK(bytes_of(*one) == bytes_of(*other));
    CHECK(same(one->D(Mat::Ones(4, 1)), other->D(Mat::Ones(4, 1))));
    CHECK(same(one->predict(toy(32, 2, r1).s).mu, other->predict(toy(32, 2, r2).s).mu));
  }
}

TEST_CASE("a backward policy refuses settings without a meaning", "[07]") {
  const auto refused = [](const BackwardPolicyOptions& o) {
    return !message<std::invalid_argument>([&] { o.check(); }).empty() && !message<std::invalid_argument>([&] {
      Rng rng(1);
      BackwardPolicy(2, 1, o, rng);
    }).empty();
  };
  CHECK_FALSE(refused({}));
  CHECK_FALSE(refused({.hidden = {1}, .lr = 1, .gan = true, .std = Real(0.1)}));
  CHECK(refused({.hidden = {}}));
  CHECK(refused({.hidden = {8, 0}}));
  CHECK(refused({.lr = 0}));
  CHECK(refused({.lr = Real(nan_value)}));
  CHECK(refused({.std = Real(-0.1)}));
  CHECK(refused({.std = Real(nan_value)}));
}

TEST_CASE("the newest transitions are drawn uniformly, and no others: from a store that fills up, is full, wraps",
          "[07]") {
  Rng rng(107);
  for (const int added : {1, 12, 20, 21, 27, 33, 40, 47})  // into 20 places
    for (const int recent : {1, 5, 13, 20, 50}) {
      const Transitions D = numbered(0, added, 20);
      const int kept = std::min({recent, added, 20}), n = 400 * kept;
      const Batch b = sample_newest(D, recent, n, rng);
      INFO(added << " added, " << recent << " recent");
      REQUIRE(b.size() == n);
      std::vector<long> counts(kept);
      long wrong = 0;
      for (int j = 0; j < n; ++j) {
        const int i = number_of(b, j) - (added - kept);
        if (i < 0 || i >= kept) ++wrong;
        else ++counts[i];
      }
      CHECK(wrong == 0);
      if (kept > 1) CHECK(std::abs(chi_square(counts)) < 5);
      if (kept > 1) CHECK(std::count(counts.begin(), counts.end(), 400) < kept);  // not in turn
    }
  CHECK_THROWS_AS(sample_newest(Transitions(2, 1, 20), 5, 3, rng), std::invalid_argument);
  CHECK(sample_newest(numbered(0, 7, 20), 3, 1, rng).size() == 1);
}

// ---- V and start states ----

TEST_CASE("V(s) is the smaller of the two critics, not of the lagged ones, at an action drawn from pi", "[07]") {
  const auto agent = known_agent(1, 1, {2, 3}, 0.5, {-1, -1}, 1, {0.7}, -0.5);
  Rng rng(108), again(108);
  const int n = 3000;
  const Mat s = rng.uniform(1, n, -2, 2);
  again.uniform(1, n, -2, 2);
  const Mat V = value(*agent, s, rng), a = agent->pi.sample(s, again.normal(1, n)).a;
  const Mat Q1 = 2 * s + 3 * a + Real(0.5), Q2 = 1 - s - a;
  REQUIRE(V.rows() == 1);
  REQUIRE(V.cols() == n);
  CHECK((V - Q1.min(Q2)).abs().maxCoeff() < 10 * rounding);
  CHECK((Q1 < Q2).count() > 300);
  CHECK((Q2 < Q1).count() > 300);
}

TEST_CASE("start states at beta = 0 are D_env's own uniform draw, and nothing else is drawn", "[07]") {
  const auto agent = valued(0.5, 3);
  Rng data(109);
  const Transitions D = points(row(data.uniform(1, 300, -1, 1), 0));
  for (const int M : {1, 7, 1200}) {
    Rng rng(110), again(110);
    const Starts o = start_states(*agent, D, M, 0, rng);
    CHECK(same(o.s, D.sample(M, again).s));
    CHECK(rng.state == again.state);  // then BMPO without its parts is MBPO, number by number
  }
}

TEST_CASE("start states follow p(s) ~ exp(beta V(s)) among M uniform ones; V_all and V are the means of both draws",
          "[07]") {
  const auto agent = valued(2, -30);  // V = 2 s - 30: only differences matter
  const Transitions D = points({0, 0.5, 1, 1.5, 2, 2});
  const int M = 60000;
  for (const double beta : {0.3, 0.8, 2.0, 2.5}) {  // beta (max V - min V) <= 10
    Rng rng(111), again(111);
    const Starts o = start_states(*agent, D, M, beta, rng);
    REQUIRE(o.s.cols() == M);
    const Mat uniform = D.sample(M, again).s;
    double sum = 0, sum_V = 0, V_all = 0;
    for (const double s : row(uniform, 0)) {
      const double p = std::exp(beta * 2 * s);
      sum += p, sum_V += p * (2 * s - 30), V_all += (2 * s - 30) / M;
    }
    std::map<double, long> n = counts_of(o.s), from = counts_of(uniform);
    long all = 0;
    for (const double s : {0.0, 0.5, 1.0, 1.5, 2.0}) {
      const double expected = M * double(from[s]) * std::exp(beta * 2 * s) / sum;
      INFO("beta " << beta << ", s " << s << ": " << n[s] << " of " << expected);
      CHECK(std::abs(double(n[s]) - expected) < 4 * std::sqrt(expected) + 1);
      all += n[s];
    }
    CHECK(all == M);
    CHECK(o.V_all == Approx(V_all).epsilon(1e-5));
    CHECK(o.V == Approx(2 * double(o.s.cast<double>().mean()) - 30).epsilon(1e-5));
    CHECK(o.V == Approx(sum_V / sum).margin(0.05));
  }
}

TEST_CASE("beta (max V - min V) is at most 10: values 1e6 apart do not overflow, the worst state is e^10 times rarer",
          "[07]") {
  std::vector<double> x(200, -0.5);
  x.front() = x.back() = 0.5;  // one state in a hundred is better
  const Transitions D = points(x);
  const int M = 200000;
  for (const auto& [gap, b] : {std::pair{1e6, 0.0}, {1e6, -1e6}, {1.0, 0.0}})
    for (const double beta : {20.0, 1e6}) {
      const auto agent = valued(gap, b);
      Rng rng(112), again(112);
      const Starts o = start_states(*agent, D, M, beta, rng);
      std::map<double, long> n = counts_of(o.s), from = counts_of(D.sample(M, again).s);
      const double odds = double(from[-0.5]) / double(from[0.5]) / std::exp(10), expected = M * odds / (1 + odds);
      INFO("gap " << gap << ", beta " << beta << ": " << n[-0.5] << " of " << expected);
      CHECK(std::abs(double(n[-0.5]) - expected) < 4 * std::sqrt(expected));  // some 900
      CHECK(n[-0.5] + n[0.5] == M);
      CHECK(std::isfinite(o.V));
      CHECK(o.V > b + 0.45 * gap);
      CHECK(o.V_all == Approx(b + gap * (double(from[0.5]) - double(from[-0.5])) / 2 / M).epsilon(1e-4));
    }
  const auto agent = valued(3);  // all values between two: density ~ exp(10 V / (max - min)), mean at 1 - 1/10 + e^-10
  Rng rng(113);
  const Starts o = start_states(*agent, points(row(rng.uniform(1, 20000, 0, 1), 0)), 20000, 1e5, rng);
  CHECK(o.V_all == Approx(1.5).margin(0.03));
  CHECK(o.V == Approx(3 * 0.90005).margin(0.015));
}

TEST_CASE("start states of equal value are drawn uniformly; no data and values that are no numbers are refused",
          "[07]") {
  Rng rng(114);
  const Transitions D = points({0, 1, 2, 3, 4});
  const Starts o = start_states(*valued(0, 5), D, 20000, 1e6, rng);
  std::map<double, long> n = counts_of(o.s);
  for (int s = 0; s < 5; ++s) CHECK(std::abs(double(n[s]) - 4000) < 4 * std::sqrt(8000));  // drawn twice
  CHECK(start_states(*valued(1), D, 1, 2, rng).s.cols() == 1);
  CHECK_THROWS_AS(start_states(*valued(1), Transitions(1, 1, 5), 3, 1, rng), std::invalid_argument);
  CHECK_THROWS_AS(start_states(*valued(1), Transitions(1, 1, 5), 3, 0, rng), std::invalid_argument);
  CHECK_THROWS_AS(start_states(*valued(0, nan_value), D, 10, 1, rng), NotFinite);
}

// ---- backwards ----

TEST_CASE("what is imagined backwards is lived through: the pendulum's own step from (s, a) leads to s'", "[07]") {
  const Pendulum env(0, infinity);
  Rng rng(115);
  Sim sim(3, 80);
  for (int j = 0; j < 80; ++j) sim.col(j) << rng.uniform(-3, 3), rng.uniform(-6, 6), 0;
  const Mat starts = env.observe(sim);
  const std::vector<Batch> steps = branch_back(UndoPendulum{env}, UniformBack{}, starts, 6, rng);
  REQUIRE(steps.size() == 6);
  CHECK(same(steps[0].s_next, starts));
  std::vector<double> actions;
  for (int i = 0; i < 6; ++i) {
    const Batch& b = steps[i];
    REQUIRE(b.size() == 80);
    if (i > 0) CHECK(same(b.s_next, steps[i - 1].s));
    Sim from = Sim::Zero(3, 80);
    for (int j = 0; j < 80; ++j)
      from(0, j) = std::atan2(double(b.s(1, j)), double(b.s(0, j))), from(1, j) = double(b.s(2, j));
    const Sim a = b.a.cast<double>(), next = env.advance(from, a);
    CHECK((env.observe(next) - b.s_next).abs().maxCoeff() < 20 * rounding);
    CHECK((env.rewards(from, a, next).cast<Real>() - b.r).abs().maxCoeff() < 100 * rounding);
    CHECK((b.not_done == 1).all());
    for (const double x : row(b.a, 0)) actions.push_back(x);
  }
  CHECK(kolmogorov_smirnov(actions, [](double x) { return (x + 1) / 2; }) < 2);  // each step's drawn anew
}

TEST_CASE("a predecessor that is terminal is dropped and its branch ends, the others go on; the end is that of s'",
          "[07]") {
  Rng rng(116);
  const Mat starts = line_starts(24);
  for (const int k : {0, 1, 2, 3, 6, 9}) {
    const std::vector<Batch> steps = branch_back(LineBack{}, LinePolicy{}, starts, k, rng);
    const auto expected = line_back(starts, k);
    INFO("k = " << k);
    REQUIRE(int(steps.size()) <= k);
    for (int i = 0; i < k; ++i) {
      INFO("step " << i);
      std::vector<std::vector<double>> found;
      if (i < int(steps.size()))
        for (int j = 0; j < steps[i].size(); ++j) found.push_back(line_row(steps[i], j));
      CHECK(found == expected[i]);
    }
  }
  // The example is worth something: ends at different steps, and one that starts at an end and leaves it backwards.
  const auto expected = line_back(starts, 6);
  CHECK(expected[0].size() < 24);
  CHECK(expected[1].size() < expected[0].size());
  CHECK(expected[5].size() > 0);
  CHECK(std::count_if(expected[0].begin(), expected[0].end(), [](const auto& x) { return x[6] == 0; }) == 2);
  Mat far(2, 3);  // all of them came from beyond the end
  far << 1, 2, 3, 5, 5, 5;
  long left = 0;
  for (const Batch& b : branch_back(LineBack{}, LinePolicy{}, far, 4, rng)) left += b.size();
  CHECK(left == 0);
}

// ---- both directions ----

namespace {

struct Unasked {  // neither a model nor a policy that may be used
  Line env;
  Predecessor sample(const Mat&, const Mat&, Rng&) const { throw std::logic_error("asked for a predecessor"); }
  Mat sample(const Mat&, Rng&) const { throw std::logic_error("asked for an action"); }
};

}  // namespace

TEST_CASE("without backward steps, D_model and the generator are those of chapter 06's rollout", "[07]") {
  Slope env;
  env.wall = 1.5;
  Rng rng(117);
  const LearnedModel model(env, {.members = 3, .elites = 2, .hidden = {8}}, rng);
  const SquashedGaussian pi(1, 2, {8}, rng);
  Transitions D_env(1, 2, 200);
  D_env.add(Batch{rng.normal(1, 200), rng.normal(2, 200), rng.normal(1, 200), rng.normal(1, 200), Mat::Ones(1, 200)});
  for (const int M : {1, 300, 1201})
    for (const int k : {1, 4}) {
      Rng one = rng, two = rng;
      Transitions D_one(1, 2, 10000), D_two(1, 2, 10000);
      rollout(model, pi, D_env, M, k, D_one, one);
      const Mat s = D_env.sample(M, two).s;
      bidirectional_rollout(model, pi, Unasked{}, Unasked{}, s, 0, k, D_two, two);
      CHECK(D_two.size >= M);
      CHECK(bytes_of(D_one) == bytes_of(D_two));
      CHECK(one.state == two.state);
    }
}

TEST_CASE("k1 steps backwards and k2 forwards from the same states, backwards first, each step of all branches in turn",
          "[07]") {
  Rng rng(118);
  const SquashedGaussian pi(2, 1, {4}, rng);
  for (const int M : {1, 24, 1201})
    for (const auto& [k1, k2] : {std::pair{1, 1}, {3, 2}, {2, 5}, {4, 0}}) {
      Mat starts = line_starts(M);
      if (M > 500 && k1 == 3)  // a block that is over at once
        starts.topLeftCorner(1, 500).setConstant(1), starts.bottomLeftCorner(1, 500).setConstant(5);
      Transitions D_model(2, 1, 20000);
      bidirectional_rollout(LineAhead{}, pi, LineBack{}, LinePolicy{}, starts, k1, k2, D_model, rng);
      INFO("M = " << M << ", k1 = " << k1 << ", k2 = " << k2);
      std::vector<std::vector<double>> expected, found;
      for (const auto& step : line_back(starts, k1)) expected.insert(expected.end(), step.begin(), step.end());
      const std::size_t backwards = expected.size();
      for (const auto& step : line_ahead(starts, k2)) expected.insert(expected.end(), step.begin(), step.end());
      const Batch b = D_model.all();
      for (int j = 0; j < b.size(); ++j) found.push_back(line_row(b, j));
      REQUIRE(found.size() == expected.size());
      bool moved = false;
      for (std::size_t j = backwards; j < found.size(); ++j) moved |= found[j][2] != 0, found[j][2] = 0;
      CHECK(moved == (k2 > 0));  // forwards it is pi that acts
      const bool equal = found == expected;
      CHECK(equal);
    }
}

TEST_CASE("without ends a rollout in both directions adds M (k1 + k2) transitions, and a new one differs", "[07]") {
  const Slope env;
  Rng rng(119);
  const LearnedModel model(env, {.members = 2, .elites = 2, .hidden = {4}}, rng);
  const BackwardModel model_back(env, {.members = 2, .elites = 2, .hidden = {4}}, rng);
  const BackwardPolicy pi_back(1, 2, {.hidden = {4}}, rng);
  const SquashedGaussian pi(1, 2, {4}, rng);
  const Mat starts = rng.normal(1, 700);
  Transitions D_model(1, 2, 100000);
  for (const int i : {1, 2, 3}) {
    bidirectional_rollout(model, pi, model_back, pi_back, starts, 2, 3, D_model, rng);
    CHECK(D_model.size == i * 700 * 5);
  }
  const Batch b = D_model.all();
  CHECK(same(b.s_next.leftCols(700), starts));
  CHECK(same(b.s.middleCols(1400, 700), starts));
  CHECK((b.a.leftCols(700) != b.a.middleCols(3500, 700)).any());
  CHECK((b.a.leftCols(200) != b.a.middleCols(500, 200)).any());  // blocks have noise of their own
  CHECK((b.a.leftCols(500) != b.a.middleCols(700, 500)).any());  // and so have steps
}

TEST_CASE("start states, rollouts in both directions and MPC are the same with 1 and 2 threads", "[07]") {
  const auto run = [](int threads, int seed) {
    return with_threads(threads, [&] {
      Slope env;
      env.wall = 1.5;
      Rng rng(seed);
      const LearnedModel model(env, {.members = 3, .elites = 2, .hidden = {8}}, rng);
      const BackwardModel model_back(env, {.members = 3, .elites = 2, .hidden = {8}}, rng);
      const BackwardPolicy pi_back(1, 2, {.hidden = {8}}, rng);
      Sac agent(1, 2, {.hidden = {16}}, rng);
      Transitions D_env(1, 2, 500), D_model(1, 2, 30000);
      const Mat zero = Mat::Zero(1, 500);
      D_env.add(Batch{rng.normal(1, 500), Mat::Zero(2, 500), zero, zero, zero});
      const Starts o = start_states(agent, D_env, 3001, 2, rng);
      bidirectional_rollout(model, agent.pi, model_back, pi_back, o.s, 2, 3, D_model, rng);
      const Mat a = mpc(model, agent, Mat::Zero(1, 1), 2501, 4, Real(0.9), rng);
      return std::tuple(bytes_of(D_model), o.V, o.V_all, row(a.transpose(), 0), rng.state);
    });
  };
  const auto once = run(1, 100);
  CHECK((run(1, 100) == once));
  CHECK((run(2, 100) == once));
  CHECK_FALSE((run(1, 101) == once));
}

// ---- MPC ----

namespace {

// The true dynamics as a model.
struct Truth {
  const Env& env;
  std::function<Sim(const Mat&)> sim_of;
  Outcome sample(const Mat& s, const Mat& a, Rng&) const {
    const Sim sim = sim_of(s), action = a.cast<double>(), next = env.advance(sim, action);
    const Mat s_next = env.observe(next);
    return {env.rewards(sim, action, next).cast<Real>(), s_next, 1 - env.terminated(s_next)};
  }
};
Sim pendulum_sim(const Mat& s) {
  Sim sim = Sim::Zero(3, s.cols());
  for (int j = 0; j < s.cols(); ++j) sim(0, j) = std::atan2(double(s(1, j)), double(s(0, j))), sim(1, j) = s(2, j);
  return sim;
}
Sim slope_sim(const Mat& s) { return concat(Sim(s.cast<double>()), Sim(Sim::Zero(1, s.cols()))); }

// The sum of rewards of an episode from `start`; act(s, steps to go).
double return_from(Env& env, const Sim& start, const std::function<Mat(const Mat&, int)>& act) {
  env.set_sim_state(start);
  double sum = 0;
  for (int to_go = env.time_limit;; --to_go) {
    const Transition t = env.step(act(env.observe(env.sim), to_go));
    sum += t.r;
    if (t.terminated || t.truncated) return sum;
  }
}

// What MPC chooses, many times over: the share of actions above 0.
template <class F>
double share_above(const F& f, const Sac& agent, int H, double gamma, Rng& rng, int N = 24, int times = 40) {
  long above = 0;
  for (int i = 0; i < times; ++i) above += mpc(Imagined{f}, agent, Mat::Zero(1, 1), N, H, Real(gamma), rng)(0, 0) > 0;
  return double(above) / times;
}
Mat above_zero(const Mat& a) { return (a > 0).cast<Real>(); }

}  // namespace

TEST_CASE("on the pendulum with its true dynamics MPC to the end of the episode beats the policy it asks", "[07]") {
  Pendulum env;
  env.time_limit = 30;
  Rng rng(120);
  Sac agent(3, 1, {.hidden = {16}}, rng);  // fresh: nearly no torque on average
  for (MLP& Q : agent.Q) Q.layers.back().W.value.setZero(), Q.layers.back().b.value.setZero();
  const Truth model{env, pendulum_sim};
  double gain = 0;
  for (int i = 0; i < 10; ++i) {
    const Sim start = env.start(rng);
    const double plain = return_from(env, start, [&](const Mat& s, int) { return agent.pi.mean_action(s); });
    const double planned =
        return_from(env, start, [&](const Mat& s, int to_go) { return mpc(model, agent, s, 64, to_go, 1, rng); });
    INFO("from " << start(0, 0) << ", " << start(1, 0) << ": " << plain << " to " << planned);
    CHECK(planned > plain);
    gain += (planned - plain) / 10;
  }
  INFO("gain " << gain);
  CHECK(gain > 20);
}

TEST_CASE("uphill the best plan is known: MPC with the truth comes near it, in both dimensions of the action", "[07]") {
  Slope env(6);
  env.cost = 2;
  const auto agent = known_agent(1, 2, {0, 0, 0}, 0, {0, 0, 0}, 0, {0}, 0);
  const Truth model{env, slope_sim};
  Rng rng(121);
  const double best = 0.5 * (1 + 2 + 3 + 4 + 5 + 6);  // a = (1, 0) always, from x = 0
  const double planned = return_from(env, at_x(0), [&](const Mat& s, int to_go) {
    const Mat a = mpc(model, *agent, s, 500, to_go, 1, rng);
    CHECK(a.rows() == 2);
    CHECK(a.cols() == 1);
    return a;
  });
  CHECK(planned > 0.9 * best);
  CHECK(planned <= best);
  const double plain = return_from(env, at_x(0), [&](const Mat& s, int) { return agent->pi.mean_action(s); });
  CHECK(plain == Approx(0).margin(1e-4));
}

TEST_CASE("of N first actions from pi, one is returned; after it the policy's mean action is taken, H - 1 times",
          "[07]") {
  const auto agent = known_agent(1, 1, {0, 0}, 0, {0, 0}, 0, {0.4}, -0.3);
  std::vector<double> first, chosen;
  std::map<int, long> asked;
  long wrong = 0, not_offered = 0;
  with_threads(1, [&] {
    Rng rng(122);
    for (int i = 0; i < 200; ++i) {
      std::vector<double> offered;
      const auto watch = [&](const Mat& s, const Mat& a) {  // s counts steps: 0.5, 1.5, ...
        for (int j = 0; j < a.cols(); ++j) {
          ++asked[int(std::floor(double(s(0, j))))];
          if (s(0, j) == Real(0.5)) offered.push_back(double(a(0, j)));
          else wrong += std::abs(double(a(0, j) - agent->pi.mean_action(s.col(j))(0, 0))) > 1e-5;
        }
        return Outcome{a, s + 1, Mat::Ones(1, s.cols())};
      };
      const Mat a = mpc(Imagined{watch}, *agent, Mat::Constant(1, 1, Real(0.5)), 20, 5, Real(0.9), rng);
      const double largest = *std::max_element(offered.begin(), offered.end());
      not_offered += double(a(0, 0)) != largest;  // r = a, and what follows is the same for all
      first.insert(first.end(), offered.begin(), offered.end());
    }
    return 0;
  });
  CHECK(wrong == 0);
  CHECK(not_offered == 0);
  CHECK(asked == std::map<int, long>{{0, 4000}, {1, 4000}, {2, 4000}, {3, 4000}, {4, 4000}});
  for (double& x : first) x = (std::atanh(x) - 0.4 * 0.5) / std::exp(-0.3);
  CHECK(kolmogorov_smirnov(first, normal_cdf) < 2);
}

TEST_CASE("MPC's model is asked with noise that is new for each block of actions, each step and each call", "[07]") {
  const auto agent = valued(0);
  struct Noisy {
    std::vector<double>& seen;
    Outcome sample(const Mat& s, const Mat& a, Rng& rng) const {
      seen.push_back(rng.uniform());
      return {a, s, Mat::Ones(1, s.cols())};
    }
  };
  std::vector<double> seen;
  with_threads(1, [&] {
    Rng rng(129);
    for (int i = 0; i < 3; ++i) mpc(Noisy{seen}, *agent, Mat::Zero(1, 1), 5000, 2, 1, rng);
    return 0;
  });
  CHECK(seen.size() > 3 * 2);  // more than one block
  CHECK(std::set<double>(seen.begin(), seen.end()).size() == seen.size());
}

TEST_CASE("MPC with a single action is the policy itself, not its mean", "[07]") {
  const auto agent = known_agent(1, 1, {1, 1}, 0, {1, 1}, 0, {0.4}, -0.3);
  const auto stay = [](const Mat& s, const Mat& a) { return Outcome{a, s, Mat::Ones(1, s.cols())}; };
  Rng rng(123);
  std::vector<double> u;
  for (int i = 0; i < 3000; ++i)
    u.push_back(std::atanh(double(mpc(Imagined{stay}, *agent, Mat::Constant(1, 1, 1), 1, 2, 1, rng)(0, 0))));
  for (double& x : u) x = (x - 0.4) / std::exp(-0.3);
  CHECK(kolmogorov_smirnov(u, normal_cdf) < 2);
  std::vector<double> before(u.begin(), u.end() - 1), after(u.begin() + 1, u.end());
  CHECK(std::abs(correlation(before, after)) < 4);
}

TEST_CASE("MPC discounts the rewards it imagines by gamma^t", "[07]") {
  // Above 0: a reward of 1 at once. Else: x after `delay` more steps, where s counts them from -delay - 1 to 0.
  const auto agent = valued(0);
  Rng rng(124);
  for (const int delay : {1, 3})
    for (const double gamma : {0.5, 0.9}) {
      const double even = std::pow(gamma, -delay);  // worth as much later as 1 now
      for (const double x : {0.97 * even, 1.03 * even}) {
        const auto f = [&](const Mat& s, const Mat& a) {
          const Mat counting = (s < 0).cast<Real>(), last = (s == -1).cast<Real>(), above = above_zero(a);
          const Mat start = (s == 0).cast<Real>(), r = start * above + last * Real(x);
          const Mat s_next = start * (1 - above) * Real(-delay) + counting * (s + 1) + start * above * 9 +
                             (s > 0).cast<Real>() * 9 + last * 9;
          return Outcome{r, s_next, Mat::Ones(1, s.cols())};
        };
        INFO("delay " << delay << ", gamma " << gamma << ", x " << x);
        CHECK(share_above(f, *agent, 5, gamma, rng) == (x < even ? 1 : 0));
      }
    }
}

TEST_CASE("MPC adds gamma^H V of the state after H steps", "[07]") {
  // Above 0: a reward of 1 at once. Else: a state that is worth v at the end.
  Rng rng(125);
  const auto f = [](const Mat& s, const Mat& a) {
    const Mat start = (s == 0).cast<Real>(), above = above_zero(a);
    const Mat r = start * above, s_next = start * (1 - 2 * above) + (1 - start) * s;  // to -1 or 1, where one stays
    return Outcome{r, s_next, Mat::Ones(1, s.cols())};
  };
  for (const int H : {1, 2, 3, 6})
    for (const double gamma : {0.7, 0.9}) {
      const double even = std::pow(gamma, -H);
      for (const double v : {0.97 * even, 1.03 * even}) {
        INFO("H " << H << ", gamma " << gamma << ", v " << v);
        // V(s) = (s - 1) v / 2 is 0 at s = 1 and -v at s = -1: between them lies v.
        CHECK(share_above(f, *valued(v / 2, -v / 2), H, gamma, rng) == (v < even ? 1 : 0));
      }
    }
}

TEST_CASE("after a terminal state MPC counts neither V nor rewards, and the reward on the way there once", "[07]") {
  // Above 0 the task ends at once with the reward 1 (s = 2), whatever a model says to it afterwards. Else it goes on:
  // a reward of `now`, and a state of value 0.
  Rng rng(126);
  for (const double after : {0.0, 100.0, -100.0, nan_value})
    for (const double v : {0.0, 1000.0, -1000.0})
      for (const int H : {1, 2, 4})
        for (const double now : {0.9, 1.1}) {
          const auto f = [&](const Mat& s, const Mat& a) {
            Outcome o{Mat::Zero(1, s.cols()), s, Mat::Ones(1, s.cols())};
            for (int j = 0; j < s.cols(); ++j)
              if (s(0, j) == 0) {
                const bool end = a(0, j) > 0;
                o.r(0, j) = Real(end ? 1 : now), o.s_next(0, j) = Real(end ? 2 : 1), o.not_done(0, j) = Real(!end);
              } else if (s(0, j) == 2) {  // and it does not say again that all is over
                o.r(0, j) = Real(after);
              }
            return o;
          };
          INFO("after " << after << ", v " << v << ", H " << H << ", now " << now);
          CHECK(share_above(f, *valued(v, -v), H, 1, rng, 24, 10) == (now < 1 ? 1 : 0));
        }
}

TEST_CASE("the end may come late: V counts in a branch that goes on, not in one that ends with the last step", "[07]") {
  Rng rng(127);
  const auto f = [](const Mat& s, const Mat& a) {  // s: 0, then +-1, +-2, +-3; at -3 it is over
    Mat s_next = s + s.sign();
    for (int j = 0; j < s.cols(); ++j)
      if (s(0, j) == 0) s_next(0, j) = a(0, j) > 0 ? 1 : -1;
    return Outcome{Mat::Zero(1, s.cols()), s_next, (s_next > Real(-2.5)).cast<Real>()};
  };
  CHECK(share_above(f, *valued(0, 5), 3, 1, rng) == 1);    // 5 against an end
  CHECK(share_above(f, *valued(0, -5), 3, 1, rng) == 0);   // then the end is better
  CHECK(share_above(f, *valued(-1, 0), 2, 1, rng) == 0);   // not yet over: V(-2) = 2
  CHECK(share_above(f, *valued(-1, 4), 3, 1, rng) == 1);   // V(3) = 1, the end's is 0
}

TEST_CASE("an action whose imagined return is no number never wins; if none is one, MPC says so", "[07]") {
  const auto agent = valued(1);
  Rng rng(128);
  const auto wrong_where = [&](bool above, double r, double s_next) {
    return [=](const Mat& s, const Mat& a) {
      Outcome o{a, s, Mat::Ones(1, s.cols())};
      for (int j = 0; j < s.cols(); ++j)
        if (s(0, j) != 0) continue;
        else if ((a(0, j) > 0) == above) o.r(0, j) += Real(r), o.s_next(0, j) = Real(0.5 + s_next);
        else o.s_next(0, j) = Real(0.5);
      return o;
    };
  };
  for (const int H : {1, 3}) {
    CHECK(share_above(wrong_where(false, nan_value, 0), *agent, H, 1, rng) == 1);
    CHECK(share_above(wrong_where(true, nan_value, 0), *agent, H, 1, rng) == 0);
    CHECK(share_above(wrong_where(false, 0, nan_value), *agent, H, 1, rng) == 1);
    CHECK(share_above(wrong_where(true, 0, nan_value), *agent, H, 1, rng) == 0);
    CHECK(share_above(wrong_where(true, infinity, 0), *agent, H, 1, rng) == 0);
    const auto nothing = [](const Mat& s, const Mat&) {
      return Outcome{Mat::Constant(1, s.cols(), Real(nan_value)), s, Mat::Ones(1, s.cols())};
    };
    CHECK_THROWS_AS(mpc(Imagined{nothing}, *agent, Mat::Zero(1, 1), 8, H, 1, rng), NotFinite);
    const auto refuses = [](const Mat&, const Mat&) -> Outcome { throw NotFinite("as LearnedModel does"); };
    CHECK_THROWS_AS(mpc(Imagined{refuses}, *agent, Mat::Zero(1, 1), 8, H, 1, rng), NotFinite);
    std::atomic<int> asked = 0;  // of the blocks of 1000 candidates one is refused, the others have values
    const auto refuses_once = [&](const Mat& s, const Mat& a) {
      if (asked++ == 0) throw NotFinite("as LearnedModel does");
      return Outcome{a, s, Mat::Ones(1, s.cols())};
    };
    CHECK(mpc(Imagined{refuses_once}, *agent, Mat::Zero(1, 1), 1000, 1, 1, rng)(0, 0) > 0);
  }
}

// ---- schedules and options ----

TEST_CASE("a schedule: one value, the ends, the line between them, a step where e0 = e1", "[07]") {
  for (const long step : {0L, 7L, 1000000000L}) CHECK(schedule(step, std::vector<double>{0.25}) == 0.25);
  const std::vector<double> beta = {100, 300, 0.02, 0.005};
  CHECK(schedule(0, beta) == 0.02);
  CHECK(schedule(100, beta) == Approx(0.02));
  CHECK(schedule(200, beta) == Approx(0.0125));
  CHECK(schedule(250, beta) == Approx(0.00875));
  CHECK(schedule(299, beta) == Approx(0.005 + 0.015 / 200));
  CHECK(schedule(300, beta) == 0.005);
  CHECK(schedule(5000000000L, beta) == 0.005);
  const std::vector<double> jump = {50, 50, 1, 2};
  CHECK(schedule(49, jump) == 1);
  CHECK(schedule(50, jump) == 2);
  CHECK(schedule(51, jump) == 2);
  CHECK(schedule(0, std::vector<double>{0, 2000, 0.02, 0}) == 0.02);
  CHECK(schedule(2000, std::vector<double>{0, 2000, 0.02, 0}) == 0);
  const std::vector<int> k = {20, 120, 1, 5};
  CHECK(schedule(45, k) == Approx(2));
  CHECK(schedule(57, k) == Approx(1 + 4 * 0.37));
  for (int step = 0; step < 150; ++step) CHECK(rollout_length(step, k) == std::clamp(step - 20, 0, 100) * 4 / 100 + 1);
  CHECK(schedule(1000000000L, std::vector<int>{0, 2000000000, 1, 100}) == Approx(50.5));
}

TEST_CASE("the ablation: BMPO, BMPO without each of its parts, and MBPO whose branches are as long as both directions",
          "[07]") {
  const Scratch dir;
  const BmpoOptions plain = options_of(dir, {"--backward-length", "2", "--rollout-length", "3", "--mpc-horizon", "4"});
  CHECK(plain.algos() == std::vector<std::string>{"bmpo"});
  const BmpoOptions all = options_of(dir, {"--backward-length", "2", "--rollout-length", "3", "--mpc-horizon", "4",
                                           "--beta", "0.5", "--ablation"});
  CHECK(all.algos() == std::vector<std::string>{"bmpo", "no_backward", "no_boltzmann", "no_mpc", "mbpo"});
  struct Expected { const char* algo; int k1, k2; double beta; int H; };
  for (const Expected& x : {Expected{"bmpo", 2, 3, 0.5, 4}, {"no_backward", 0, 5, 0.5, 4},
                            {"no_boltzmann", 2, 3, 0, 4}, {"no_mpc", 2, 3, 0.5, 0}, {"mbpo", 0, 5, 0, 0}}) {
    const BmpoOptions o = all.with(x.algo);
    INFO(x.algo);
    CHECK(o.k1(0) == x.k1);
    CHECK(o.k2(0) == x.k2);
    CHECK(o.beta == std::vector<double>{x.beta});
    CHECK(o.mpc_horizon == x.H);
    CHECK(o.mpc_actions == all.mpc_actions);
    CHECK(o.rollouts == all.rollouts);
    CHECK(o.updates == all.updates);
  }
  const BmpoOptions growing = options_of(dir, {"--backward-length", "0,100,1,5", "--rollout-length", "20,200,2,4",
                                               "--ablation"});
  for (const char* algo : {"no_backward", "mbpo"})
    for (long step = 0; step < 250; ++step) {  // both lengths rounded down
      const int k1 = int(std::min(step, 100L) * 4 / 100 + 1), k2 = int(std::clamp(step - 20, 0L, 180L) * 2 / 180 + 2);
      CHECK(growing.with(algo).k2(step) == k1 + k2);
      CHECK(growing.with(algo).k1(step) == 0);
      CHECK(growing.with("no_mpc").k1(step) == k1);
      CHECK(growing.with("no_mpc").k2(step) == k2);
    }
}

TEST_CASE("--no-backward, --no-boltzmann and --no-mpc take out one part each", "[07]") {
  const Scratch dir;
  for (int parts = 1; parts < 8; ++parts) {
    std::vector<std::string> words = {"--backward-length", "2", "--rollout-length", "3"};
    if (parts & 1) words.push_back("--no-backward");
    if (parts & 2) words.push_back("--no-boltzmann");
    if (parts & 4) words.push_back("--no-mpc");
    const BmpoOptions given = options_of(dir, words);
    REQUIRE(given.algos().size() == 1);
    const BmpoOptions o = given.with(given.algos()[0]);
    CHECK(o.k1(0) == (parts & 1 ? 0 : 2));
    CHECK(o.k2(0) == 3);
    CHECK((o.beta == std::vector<double>{0}) == bool(parts & 2));
    CHECK((o.mpc_horizon == 0) == bool(parts & 4));
  }
}

TEST_CASE("BMPO's options reach the backward policy", "[07]") {
  const Scratch dir;
  const BackwardPolicyOptions plain = options_of(dir, {"--hidden", "5,6"}).back();
  CHECK_FALSE(plain.gan);
  CHECK(plain.std == 0);
  CHECK(plain.hidden == std::vector<int>{5, 6});
  const BackwardPolicyOptions o = options_of(dir, {"--backward-policy", "gan", "--backward-lr", "0.25"}).back();
  CHECK(o.gan);
  CHECK(o.lr == Real(0.25));
  CHECK(options_of(dir, {"--backward-std", "0.125"}).back().std == Real(0.125));
  CHECK_FALSE(options_of(dir, {"--backward-policy", "likelihood"}).back().gan);
}

TEST_CASE("BMPO refuses settings without a meaning, with the option's name", "[07]") {
  const Scratch dir;
  const auto refused = [&](const std::vector<std::string>& words) {
    return message<std::invalid_argument>([&] { options_of(dir, words); });
  };
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--backward-length", "1,5"}, "--backward-length"},
      {{"--backward-length", "0,100,1"}, "--backward-length"},
      {{"--backward-length", "200,100,1,5"}, "--backward-length"},
      {{"--backward-length", "-1"}, "--backward-length"},
      {{"--backward-length", "0.5"}, "--backward-length"},
      {{"--rollout-length", "0"}, "--rollout-length"},
      {{"--rollout-length", "1,5"}, "--rollout-length"},
      {{"--beta", "1,2"}, "--beta"},
      {{"--beta", "-1"}, "--beta"},
      {{"--beta", "nan"}, "--beta"},
      {{"--beta", "inf"}, "--beta"},
      {{"--beta", "200,100,0,1"}, "--beta"},
      {{"--mpc-horizon", "-1"}, "--mpc-horizon"},
      {{"--mpc-actions", "0"}, "--mpc-actions"},
      {{"--backward-policy", "bc"}, "--backward-policy"},
      {{"--recent", "0"}, "--recent"},
      {{"--backward-lr", "0"}, "--backward-lr"},
      {{"--backward-std", "-1"}, "--backward-std"},
      {{"--backward-std", "nan"}, "--backward-std"},
      {{"--real-ratio", "1"}, "--real-ratio"},
      {{"--ablation", "--no-mpc"}, "--ablation"},
      {{"--ablation", "--no-backward"}, "--ablation"},
      {{"--ablation", "--no-boltzmann"}, "--ablation"},
      {{"--ablation", "--backward-length", "0"}, "--ablation"},
      {{"--ablation", "--beta", "0"}, "--ablation"},
      {{"--ablation", "--mpc-horizon", "0"}, "--ablation"},
      {{"--ablation", "--save", "x"}, "--ablation"},
      {{"--ablation", "--gif"}, "--ablation"},
      {{"--backward-policy", "gan", "--backward-std", "0.1"}, "--backward-policy"},
      {{"--env", "cartpole"}, "--env cartpole"}};
  for (const auto& [words, name] : bad) {
    const std::string text = refused(words);
    INFO(words[0] << " " << words[1] << ": " << text);
    CHECK(contains(text, name));
  }
  CHECK_FALSE(fs::exists(dir / "out"));
  for (const char* k : {"0", "3", "0,100,0,5", "100,100,1,5", "0,100,5,1"})
    CHECK(refused({"--backward-length", k}).empty());
  for (const char* beta : {"0", "0.004", "0,100,0.02,0", "100,100,0,1"}) CHECK(refused({"--beta", beta}).empty());
  CHECK(refused({"--mpc-horizon", "0", "--recent", "1", "--backward-std", "0"}).empty());
}

TEST_CASE("the settings of the authors' code, in real steps; beta is twice theirs, whose value is about 2 V", "[07]") {
  struct Published {
    const char* env;
    int steps, random_steps, every, rollouts;
    std::vector<int> k1, k2;
    std::vector<double> beta;
    int H;
    double std;
    int recent;
    double target_entropy;
  };
  const std::vector<int> k = {20000, 150000, 1, 15}, k_pendulum = {200, 1000, 1, 5};
  const std::vector<Published> table = {
      {"pendulum", 4000, 200, 200, 80000, k_pendulum, k_pendulum, {0, 2000, 0.02, 0}, 6, 0, 1000, -1},
      {"hopper", 100000, 5000, 250, 100000, k, k, {20000, 30000, 0.008, 0.006}, 6, 0.1, 10000, -1},
      {"walker2d", 200000, 5000, 250, 100000, {1}, {1}, {0, 100000, 0.02, 0}, 1, 0.1, 10000, -3}};
  const Scratch dir;
  for (const Published& x : table) {
    const BmpoOptions o = options_of(dir, {"--preset", "paper", "--env", x.env});
    INFO(x.env);
    CHECK(o.steps == x.steps);
    CHECK(o.random_steps == x.random_steps);
    CHECK(o.epoch_steps == x.every);
    CHECK(o.rollout_every == x.every);
    CHECK(o.rollouts == x.rollouts);
    CHECK(o.backward_length == x.k1);
    CHECK(o.rollout_length == x.k2);
    CHECK(o.beta == x.beta);
    CHECK(o.mpc_horizon == x.H);
    CHECK(o.mpc_actions == 1000);
    CHECK(o.backward_std == Real(x.std));
    CHECK(o.backward_lr == Real(3e-4));
    CHECK(o.backward_policy == "likelihood");
    CHECK(o.recent == x.recent);
    CHECK(o.target_entropy == Real(x.target_entropy));
    CHECK(o.updates == 20);
    CHECK(o.real_ratio == Real(0.05));
    CHECK(o.hidden == std::vector<int>{256, 256});
    CHECK(o.members == 7);
    CHECK(o.elites == 5);
  }
}

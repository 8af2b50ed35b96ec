// Chapter 08: the critic and its gradient penalty, MMD, Wasserstein-1 by sorting, what is known of two Gaussians, the
// lower bound, the bound of domain adaptation; branches beside reality, the loss of several steps.
#include <cmath>
#include <memory>
#include <numbers>
#include <set>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/08_ampo/bound.h"
#include "chapters/08_ampo/branches.h"
#include "chapters/08_ampo/critic.h"
#include "chapters/08_ampo/domain.h"
#include "chapters/08_ampo/mmd.h"
#include "chapters/08_ampo/model_error.h"
#include "chapters/08_ampo/multi_step.h"
#include "chapters/08_ampo/shifted_normals.h"
#include "chapters/08_ampo/simulator_state.h"
#include "tests/catch.h"
#include "tests/gradient_check.h"

namespace {

std::vector<double> numbers(const Mat& x) { return {x.data(), x.data() + x.size()}; }

// A critic that is linear where |h| < 10: all hidden units are on.
Critic linear_critic(int features, Rng& rng) {
  Critic critic(features, {.hidden = 6}, rng);
  critic.f.layers[0].b.value.setConstant(100);
  return critic;
}

// The penalty of slopes g (features, batch), the norm taken down each sample, or, wrongly, along each feature.
double per_sample(const Mat& g) { return (g.square().colwise().sum().sqrt() - 1).square().mean(); }
double per_feature(const Mat& g) { return (g.square().rowwise().sum().sqrt() - 1).square().mean(); }

// MMD^2 by its definition, pair by pair, in double.
double slow_mmd2(const Mat& x, const Mat& y, const std::vector<Real>& sigmas) {
  const auto k = [&](const Mat& a, Eigen::Index i, const Mat& b, Eigen::Index j) {
    double d2 = 0, sum = 0;
    for (Eigen::Index r = 0; r < a.rows(); ++r) d2 += std::pow(double(a(r, i)) - double(b(r, j)), 2);
    for (const double sigma : sigmas) sum += std::exp(-d2 / (2 * sigma * sigma));
    return sum;
  };
  const auto mean = [&](const Mat& a, const Mat& b, bool same) {
    double sum = 0, n = 0;
    for (Eigen::Index i = 0; i < a.cols(); ++i)
      for (Eigen::Index j = 0; j < b.cols(); ++j)
        if (!same || i != j) sum += k(a, i, b, j), ++n;
    return sum / n;
  };
  return mean(x, x, true) + mean(y, y, true) - 2 * mean(x, y, false);
}

struct World {
  FiniteMdp mdp;
  Kernel T_hat;
  Matrix pi, pi_D;
};
World random_world(Rng& rng, int states = 6, int actions = 2) {
  World w{random_mdp(states, actions, 3, 0.8, rng), {}, random_policy(states, actions, rng),
          random_policy(states, actions, rng)};
  for (double& r : w.mdp.r.reshaped()) r = rng.uniform();
  for (const Matrix& T : w.mdp.p) w.T_hat.push_back(0.7 * T + 0.3 * random_policy(states, states, rng));
  return w;
}

}  // namespace

// ---- The critic ----

TEST_CASE("the critic's slope is the central difference of its value, sample by sample", "[08]") {
  Rng rng(100);
  const Critic critic(5, {.hidden = 40}, rng);
  const Mat h = rng.normal(5, 7), slope = critic.slope(h);
  const Real step = is_double ? Real(1e-6) : Real(1e-2);
  for (int i = 0; i < 5; ++i) {
    Mat up = h, down = h;
    up.row(i) += step, down.row(i) -= step;
    const Mat difference = (critic.f(up) - critic.f(down)) / (2 * step);
    CHECK((difference - slope.row(i)).abs().maxCoeff() < (is_double ? 1e-8 : 0.05));
  }
  Tape tape;
  Critic copy(5, {.hidden = 40}, rng);
  CHECK((copy.slope(tape, h).value() - copy.slope(h)).abs().maxCoeff() < 10 * rounding);
}

TEST_CASE("gradient penalty: its value from differences of f; its gradient, for all weights, by differences", "[08]") {
  Rng rng(101);
  Critic critic(4, {.hidden = 9}, rng);
  const Mat h = rng.normal(4, 6);
  Tape tape;
  const auto value = [&] {
    const double result = critic.gradient_penalty(tape, h).item();
    tape.clear();
    return result;
  };
  Mat g(4, 6);
  const Real step = is_double ? Real(1e-6) : Real(1e-2);
  for (int i = 0; i < 4; ++i) {
    Mat up = h, down = h;
    up.row(i) += step, down.row(i) -= step;
    g.row(i) = (critic.f(up) - critic.f(down)).row(0) / (2 * step);
  }
  CHECK(value() == Approx(per_sample(g)).epsilon(is_double ? 1e-7 : 0.03));

  for (Param* p : params(critic.f)) p->grad.setZero();
  tape.backward(critic.gradient_penalty(tape, h));
  tape.clear();
  CHECK(params(critic.f).size() == 4);
  CHECK(critic.f.layers[0].W.grad.abs().maxCoeff() > 0.01);
  CHECK(critic.f.layers[1].W.grad.abs().maxCoeff() > 0.01);
  CHECK(critic.f.layers[0].b.grad.abs().maxCoeff() == 0);  // the slope does not see biases, but where a unit is on
  if (is_double) CHECK(param_error(params(critic.f), value) < gradient_tolerance);
}

TEST_CASE("a linear critic's penalty is (|w2 W1| - 1)^2 for any batch; over the batch axis it is another", "[08]") {
  Rng rng(102);
  for (const int batch : {1, 3, 50}) {
    Critic critic = linear_critic(4, rng);
    const Mat w = matmul(critic.f.layers[1].W.value, critic.f.layers[0].W.value);  // (1, 4)
    const double norm = std::sqrt(double(w.square().sum())), expected = (norm - 1) * (norm - 1);
    Tape tape;
    const Mat h = rng.normal(4, batch);
    CHECK(critic.gradient_penalty(tape, h).item() == Approx(expected).epsilon(100 * rounding));
    const Mat g = critic.slope(h);
    CHECK(per_sample(g) == Approx(expected).epsilon(100 * rounding));
    CHECK(std::abs(per_feature(g) / expected - 1) > 0.05);
  }
}

TEST_CASE("where no hidden unit is on, the penalty is 1 and its gradient finite", "[08]") {
  Rng rng(103);
  Critic critic(3, {.hidden = 5}, rng);
  critic.f.layers[0].b.value.setConstant(-100);
  Tape tape;
  for (Param* p : params(critic.f)) p->grad.setZero();
  const Var penalty = critic.gradient_penalty(tape, rng.normal(3, 4));
  CHECK(penalty.item() == Approx(1).epsilon(1e-5));
  tape.backward(penalty);
  for (const Param* p : params(critic.f)) CHECK((p->grad.isFinite().all() && (p->grad == 0).all()));
}

TEST_CASE("the critic's loss: -(mean f(src) - mean f(tgt)) + weight * penalty between; one u a sample", "[08]") {
  Rng rng(104);
  Critic critic(3, {.hidden = 8, .penalty = 7}, rng);
  const Mat src = rng.normal(3, 5), tgt = rng.normal(3, 5) + Real(2);
  Mat u(1, 5);
  u << 0, 1, 0.5, 0.25, 0.75;
  Mat between(3, 5);
  for (int j = 0; j < 5; ++j) between.col(j) = u(0, j) * src.col(j) + (1 - u(0, j)) * tgt.col(j);
  Tape tape;
  const double W1 = critic.f(src).mean() - critic.f(tgt).mean();
  const double penalty = critic.gradient_penalty(tape, between).item();
  const auto loss = critic.loss(tape, src, tgt, u);
  CHECK(loss.W1.item() == Approx(W1).epsilon(100 * rounding));
  CHECK(loss.total.item() == Approx(7 * penalty - W1).epsilon(100 * rounding));
  CHECK(critic.estimate(src, tgt) == Approx(W1).epsilon(100 * rounding));
  if (!is_double) return;
  tape.clear();
  for (Param* p : params(critic.f)) p->grad.setZero();
  tape.backward(critic.loss(tape, src, tgt, u).total);
  tape.clear();
  CHECK(param_error(params(critic.f), [&] {
    const double value = critic.loss(tape, src, tgt, u).total.item();
    tape.clear();
    return value;
  }) < gradient_tolerance);
}

TEST_CASE("the recorded estimate goes to the features and leaves the critic's weights alone", "[08]") {
  Rng rng(105);
  Critic critic(3, {.hidden = 20}, rng);
  for (Param* p : params(critic.f)) p->grad.setZero();
  const Mat src = rng.normal(3, 4), tgt = rng.normal(3, 6);
  Tape tape;
  const Var x = tape.input(src), y = tape.input(tgt), W1 = frozen(critic).estimate(x, y);
  CHECK(W1.item() == Approx(critic.estimate(src, tgt)).epsilon(100 * rounding));
  tape.backward(W1);
  const Mat dx = x.grad(), dy = y.grad();
  CHECK((dx - critic.slope(src) / 4).abs().maxCoeff() < 10 * rounding);  // d mean f / dh_j = f'(h_j) / n
  CHECK((dy + critic.slope(tgt) / 6).abs().maxCoeff() < 10 * rounding);
  for (const Param* p : params(critic.f)) CHECK((p->grad == 0).all());
}

TEST_CASE("a critic's step: descends, decays, draws u from rng, refuses other shapes, stops at a NaN", "[08]") {
  Rng rng(106);
  Critic critic(2, {.hidden = 16, .lr = Real(1e-3)}, rng);
  CHECK(critic.f.layers[0].W.value.rows() == 16);
  for (const Linear& layer : critic.f.layers) CHECK(layer.W.decay == Real(1e-5));
  CHECK(critic.f.layers[0].b.decay == 0);
  const Mat src = rng.normal(2, 64), tgt = rng.normal(2, 64) + Real(1);
  Mat u(1, 64);
  rng.fill_uniform(u, 0, 1);
  Tape tape;
  const auto total = [&] {
    const double value = critic.loss(tape, src, tgt, u).total.item();
    tape.clear();
    return value;
  };
  const double before = total(), W1 = critic.estimate(src, tgt);
  CHECK(critic.step(src, tgt, rng) == Approx(W1).epsilon(100 * rounding));
  for (int i = 0; i < 20; ++i) critic.step(src, tgt, rng);
  CHECK(total() < before - 0.1);
  Rng one(1), same(1), other;
  Critic a(2, {}, one), b(2, {}, same);
  one = Rng(3), same = Rng(3), other = Rng(3);
  a.step(src, tgt, one), b.step(src, tgt, same);
  CHECK((a.f.layers[0].W.value == b.f.layers[0].W.value).all());
  other.fill_uniform(u, 0, 1);  // one number per sample, not per feature
  CHECK(one.state == other.state);
  CHECK_THROWS_AS(critic.step(src, cols(tgt, 0, 63), rng), std::invalid_argument);
  CHECK_THROWS_AS(critic.step(src, rows(tgt, 0, 1), rng), std::invalid_argument);
  CHECK_THROWS_AS(critic.step(Mat(2, 0), Mat(2, 0), rng), std::invalid_argument);
  const Mat W = critic.f.layers[0].W.value;
  for (const int j : {0, 3, 63}) {
    Mat bad = src;
    bad(1, j) = std::nan("");
    CHECK_THROWS_AS(critic.step(bad, tgt, rng), NotFinite);
    CHECK_THROWS_AS(critic.step(tgt, bad, rng), NotFinite);
  }
  CHECK((critic.f.layers[0].W.value == W).all());
}

TEST_CASE("a critic that was saved and loaded, and one that moved, go on as if nothing had happened", "[08]") {
  Rng rng(123);
  const Mat src = rng.normal(3, 20), tgt = rng.normal(3, 20) + Real(1);
  Critic critic(3, {.hidden = 7}, rng), loaded(3, {.hidden = 7}, rng);
  for (int i = 0; i < 5; ++i) critic.step(src, tgt, rng);
  SaveArchive archive;
  critic.io(archive);
  load_members("", archive.file, loaded);
  Rng one(1), same(1);
  for (int i = 0; i < 3; ++i) critic.step(src, tgt, one);
  Critic moved = std::move(loaded);
  for (int i = 0; i < 3; ++i) moved.step(src, tgt, same);
  for (int i = 0; i < 2; ++i) CHECK((critic.f.layers[i].W.value == moved.f.layers[i].W.value).all());
}

TEST_CASE("options of the critic that make no sense are refused", "[08]") {
  Rng rng(107);
  CHECK_THROWS_AS(Critic(2, {.hidden = 0}, rng), std::invalid_argument);
  CHECK_THROWS_AS(Critic(2, {.penalty = -1}, rng), std::invalid_argument);
  CHECK_THROWS_AS(Critic(2, {.penalty = std::numeric_limits<Real>::infinity()}, rng), std::invalid_argument);
  CHECK_THROWS_AS(Critic(2, {.decay = -1}, rng), std::invalid_argument);
  CHECK_THROWS_AS(Critic(2, {.lr = 0}, rng), std::invalid_argument);
  CHECK_NOTHROW(Critic(2, {.penalty = 0, .decay = 0}, rng));
  CHECK(CriticOptions().hidden == 100);
  CHECK(CriticOptions().penalty == 10);
}

TEST_CASE("a converged critic says W1 + int flow^2 / r / (2 weight): 1.54 instead of 1 at weight 1", "[08][train]") {
  Rng rng(108);
  for (const double penalty : {1.0, 100.0}) {
    Critic critic(1, {.penalty = 0, .lr = Real(1e-3)}, rng);
    for (int i = 0; i < 1000; ++i) {
      if (i == 50) critic.options.penalty = Real(penalty);
      critic.step(rng.normal(1, 256), rng.normal(1, 256) + Real(1), rng);
    }
    const double estimate = critic.estimate(rng.normal(1, 200000), Mat(rng.normal(1, 200000) + Real(1)));
    CHECK(estimate == Approx(ShiftedNormals{1}.critic(penalty)).epsilon(0.06));
  }
}

TEST_CASE("a strict critic that begins uphill stays there: a slope of the wrong sign has no penalty", "[08][train]") {
  Rng rng(109);
  Critic critic(1, {.penalty = 100, .lr = Real(1e-3)}, rng);
  critic.f.layers[0].W.value = critic.f.layers[0].W.value.abs();
  critic.f.layers[1].W.value = critic.f.layers[1].W.value.abs() * Real(3);
  critic.f.layers[0].b.value.setConstant(3);
  for (int i = 0; i < 1000; ++i) critic.step(rng.normal(1, 256), rng.normal(1, 256) + Real(1), rng);
  CHECK(critic.estimate(rng.normal(1, 100000), Mat(rng.normal(1, 100000) + Real(1))) < -0.7);
}

// ---- MMD and sorting ----

TEST_CASE("MMD^2 of two and two points by hand", "[08]") {
  Mat x(1, 2), y(1, 2);
  x << 0, 2, y << 1, 3;
  // sigma 1: k(1) = e^-0.5, k(2) = e^-2, k(3) = e^-4.5; distances x: 2; y: 2; between: 1, 3, 1, 1
  const double by_hand = 2 * std::exp(-2) - 2 * (3 * std::exp(-0.5) + std::exp(-4.5)) / 4;
  CHECK(mmd2(x, y, {1}) == Approx(by_hand).epsilon(100 * rounding));
  CHECK(by_hand < 0);
  // sigma, not its square: with 2 the exponents are divided by 4
  const double wider = 2 * std::exp(-0.5) - 2 * (3 * std::exp(-0.125) + std::exp(-1.125)) / 4;
  CHECK(mmd2(x, y, {2}) == Approx(wider).epsilon(100 * rounding));
  CHECK(mmd2(x, y, {1, 2}) == Approx(by_hand + wider).epsilon(100 * rounding));
}

TEST_CASE("MMD^2 by products is MMD^2 pair by pair, of unequal samples, for numbers and recorded numbers", "[08]") {
  Rng rng(110);
  for (const auto& [n, m] : {std::pair{2, 2}, {5, 9}, {30, 20}}) {
    const Mat x = rng.normal(6, n), y = Real(0.5) * rng.normal(6, m) + Real(1);
    for (const std::vector<Real>& sigmas : {ampo_bandwidths, std::vector<Real>{2}}) {
      const double slow = slow_mmd2(x, y, sigmas);
      CHECK(mmd2(x, y, sigmas) == Approx(slow).epsilon(1000 * rounding).margin(1000 * rounding));
      Tape tape;
      CHECK(mmd2(tape.constant(x), tape.constant(y), sigmas).item() ==
            Approx(slow).epsilon(1000 * rounding).margin(1000 * rounding));
      CHECK(mmd2(x, y, sigmas) == Approx(mmd2(y, x, sigmas)).epsilon(1000 * rounding).margin(1000 * rounding));
    }
  }
}

TEST_CASE("MMD of a sample with itself: 0 in the biased form, 2 (mean of the others - kernels) / n in the unbiased one",
          "[08]") {
  Rng rng(111);
  const Mat x = rng.normal(3, 12);
  const std::vector<Real> sigmas = {0.5, 1, 3};
  const double n = 12, all = gaussian_kernels<Mat>(squared_distances(x, x), sigmas).sum(), others = all - n * 3;
  CHECK(all / (n * n) + all / (n * n) - 2 * all / (n * n) == Approx(0).margin(1e-12));
  const double known = 2 * (others / (n * (n - 1)) - 3) / n;
  CHECK(mmd2(x, x, sigmas) == Approx(known).epsilon(1000 * rounding));
  CHECK(known < 0);
  // Moved or mirrored together, samples stay as far apart as they were.
  const Mat y = rng.normal(3, 9);
  CHECK(mmd2(Mat(5 - x), Mat(5 - y), sigmas) == Approx(mmd2(x, y, sigmas)).epsilon(1e-4));
}

TEST_CASE("MMD^2: gradients of both samples against central differences", "[08]") {
  Rng rng(112);
  for (const std::vector<Real>& sigmas : {std::vector<Real>{1}, std::vector<Real>{0.1, 1, 5}}) {
    const double error = gradient_error([&](const std::vector<Var>& x) { return mmd2(x[0], x[1], sigmas); },
                                        {rng.normal(3, 5), rng.normal(3, 4)}, rng);
    if (is_double) CHECK(error < gradient_tolerance);
  }
  Tape tape;  // far apart in one direction, the gradient brings them together
  const Var x = tape.input(rng.normal(2, 30)), y = tape.input(rng.normal(2, 30) + Real(1));
  tape.backward(mmd2(x, y, {2}));
  CHECK(x.grad().whole().sum() < 0);
  CHECK(y.grad().whole().sum() > 0);
}

TEST_CASE("unbiased MMD^2: its mean over many samples is the known one, 0 for equal distributions", "[08]") {
  Rng rng(113);
  for (const double d : {0.0, 0.5, 2.0})
    for (const std::vector<Real>& sigmas : {ampo_bandwidths, std::vector<Real>{1.5}}) {
      const int runs = 400;
      double sum = 0, square = 0;
      for (int i = 0; i < runs; ++i) {
        const double v = mmd2(rng.normal(1, 20), Mat(rng.normal(1, 20) + Real(d)), sigmas);
        sum += v, square += v * v;
      }
      const double mean = sum / runs, se = std::sqrt((square / runs - mean * mean) / runs);
      INFO("d " << d << ", " << mean << " +- " << se);
      CHECK(std::abs(mean - ShiftedNormals{d}.mmd2(sigmas)) < 3.5 * se);
      CHECK(se < 0.02);
    }
}

TEST_CASE("squared distances are never negative, far from the origin too; bad input to MMD is refused", "[08]") {
  Rng rng(114);
  const Mat x = Real(1e-3) * rng.normal(50, 40) + Real(1);
  const Mat twice = append_cols(x, x);
  CHECK(squared_distances(twice, twice).minCoeff() >= 0);
  CHECK(squared_distances(Mat(Mat::Constant(1, 1, std::nan(""))), Mat(Mat::Zero(1, 1))).isNaN().all());
  Mat a(2, 1), b(2, 2);
  a << 1, 2, b << 4, 1, 6, 2;
  CHECK(squared_distances(a, b)(0, 0) == 25);
  CHECK(squared_distances(a, b)(0, 1) == 0);
  // 1000 away from the origin the samples are moved to it first.
  const Mat near = rng.normal(2, 20), far = near + Real(1000), other = rng.normal(2, 20);
  CHECK(mmd2(far, Mat(other + Real(1000)), {0.5}) == Approx(mmd2(near, other, {0.5})).margin(is_double ? 1e-9 : 1e-3));
  CHECK_THROWS_AS(mmd2(a, b, {1}), std::invalid_argument);
  CHECK_THROWS_AS(mmd2(b, a, {1}), std::invalid_argument);
  CHECK_THROWS_AS(mmd2(b, b, {}), std::invalid_argument);
  CHECK_THROWS_AS(mmd2(b, b, {0}), std::invalid_argument);
}

TEST_CASE("the median heuristic is the median distance of both samples together, in their own units", "[08]") {
  Mat x(1, 2), y(1, 1);
  x << 0, 1, y << 4;
  CHECK(median_heuristic(x, y) == Approx(3));  // 1, 3, 4
  CHECK(median_heuristic(Mat(10 * x), Mat(10 * y)) == Approx(30));
  CHECK(median_heuristic(Mat(Mat::Ones(2, 3)), Mat(Mat::Ones(2, 2))) == 1);
  CHECK_THROWS_AS(median_heuristic(Mat::Ones(2, 1), Mat(2, 0)), std::invalid_argument);
}

TEST_CASE("W1 by sorting: by hand, of a shift, of uniforms of other widths, and the least over all matchings", "[08]") {
  CHECK(sorted_w1({3, 1}, {2, 5}) == 1.5);
  CHECK(sorted_w1({0, 0, 6}, {2, 2, 2}) == Approx(8.0 / 3));
  std::vector<double> x, wide;  // the quantiles of U(0, 1) and U(0, 3): W1 = 1
  for (int i = 0; i < 1000; ++i) x.push_back((i + 0.5) / 1000), wide.push_back(3 - 3 * (i + 0.5) / 1000);
  CHECK(sorted_w1(x, wide) == Approx(1));
  std::vector<double> moved = x;
  for (double& v : moved) v -= 0.3;
  CHECK(sorted_w1(x, moved) == Approx(0.3));
  CHECK(sorted_w1(x, x) == 0);
  Rng rng(115);
  for (int i = 0; i < 50; ++i) {
    std::vector<double> a = numbers(rng.normal(1, 6)), b = numbers(rng.normal(1, 6));
    const double sorted = sorted_w1(a, b);
    std::sort(b.begin(), b.end());
    double least = INFINITY;
    do {
      double cost = 0;
      for (int j = 0; j < 6; ++j) cost += std::abs(a[j] - b[j]) / 6;
      least = std::min(least, cost);
    } while (std::next_permutation(b.begin(), b.end()));
    CHECK(sorted == Approx(least));
  }
  CHECK_THROWS_AS(sorted_w1({1}, {1, 2}), std::invalid_argument);
  CHECK_THROWS_AS(sorted_w1({}, {}), std::invalid_argument);
}

// ---- What is known of N(0, 1) and N(d, 1) ----

TEST_CASE("two Gaussians: int flow = W1, the density between them integrates to 1 and is that of its samples", "[08]") {
  for (const double d : {0.5, 2.0}) {
    const ShiftedNormals known{d};
    double flow = 0, mass = 0, below = 0, loss_at = 0, nearby = INFINITY;
    const double weight = 3, step = 0.01;
    for (double x = -8; x < d + 8; x += step) {
      flow += step * known.flow(x), mass += step * known.between(x);
      if (x < d / 4) below += step * known.between(x);
    }
    CHECK(flow == Approx(d).epsilon(1e-6));
    CHECK(mass == Approx(1).epsilon(1e-6));
    Rng rng(116);
    double drawn = 0;
    for (int i = 0; i < 200000; ++i) {
      const double u = rng.uniform();
      drawn += (u * rng.normal() + (1 - u) * (rng.normal() + d) < d / 4) / 2e5;
    }
    CHECK(below == Approx(drawn).margin(0.005));
    // The critic's loss is least at the slope given, over slopes that are scaled or shifted.
    const auto loss = [&](double scale, double shift) {
      double sum = 0;
      for (double x = -5; x < d + 5; x += 0.02) {
        const double t = -known.slope(x, weight) * scale + shift;
        sum += 0.02 * (-t * known.flow(x) + weight * known.between(x) * (t - 1) * (t - 1));
      }
      return sum;
    };
    loss_at = loss(1, 0);
    for (const auto& [scale, shift] : {std::pair{1.01, 0.0}, {0.99, 0.0}, {1.0, 0.01}, {1.0, -0.01}})
      nearby = std::min(nearby, loss(scale, shift));
    CHECK(loss_at < nearby);
    double estimate = 0;
    for (double x = -8; x < d + 8; x += step) estimate -= step * known.slope(x, weight) * known.flow(x);
    CHECK(known.critic(weight) == Approx(estimate).epsilon(1e-4));
  }
  // Too much by about d / 20 of W1 at weight 10, and a little more.
  for (const double d : {0.5, 1.0, 2.0, 3.0}) {
    const double share = ShiftedNormals{d}.critic(10) / d - 1;
    CHECK(share > d / 20);
    CHECK(share < 1.15 * d / 20);
  }
}

// ---- The lower bound ----

TEST_CASE("occupancies: sums of simulated steps, discounted; rho adds up to nu and to 1; eta = E_rho[r]", "[08]") {
  Rng rng(117);
  const World w = random_world(rng);
  const Vector nu = state_visits(w.mdp, w.T_hat, w.pi);
  const Matrix rho = occupancy(w.mdp, w.T_hat, w.pi);
  Vector P_t = w.mdp.start, sum = Vector::Zero(6);
  for (int t = 0; t < 200; ++t) {
    sum += (1 - w.mdp.gamma) * std::pow(w.mdp.gamma, t) * P_t;
    P_t = steps(w.T_hat, w.pi).transpose() * P_t;
  }
  CHECK((nu - sum).cwiseAbs().maxCoeff() < 1e-12);
  CHECK((rho.rowwise().sum() - nu).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(rho.sum() == Approx(1));
  for (int s = 0; s < 6; ++s)
    for (int a = 0; a < 2; ++a) CHECK(rho(s, a) == Approx(nu[s] * w.pi(s, a)));
  const LowerBound b = lower_bound(w.mdp, w.T_hat, w.pi, w.pi_D);
  CHECK(b.eta_hat == Approx(rho.cwiseProduct(w.mdp.r).sum()));
  CHECK(b.eta == Approx(occupancy(w.mdp, w.mdp.p, w.pi).cwiseProduct(w.mdp.r).sum()));
}

TEST_CASE("the lower bound's terms, each computed a second time; the chain of its proof", "[08]") {
  Rng rng(118);
  for (int i = 0; i < 100; ++i) {
    World w = random_world(rng, 3 + i % 5, 2 + i % 2);
    if (i % 3 == 0) w.mdp.r = w.mdp.r.array() * 4 - 3;  // R is max |r|
    const int S = w.mdp.states(), A = w.mdp.actions();
    const double gamma = w.mdp.gamma, R = w.mdp.r.cwiseAbs().maxCoeff();
    const LowerBound b = lower_bound(w.mdp, w.T_hat, w.pi, w.pi_D);
    const Matrix rho = occupancy(w.mdp, w.mdp.p, w.pi_D), rho_hat = occupancy(w.mdp, w.T_hat, w.pi);
    double d_F = 0, kl_term = 0, l1_visits = 0, eps_pi = 0, ipm_sum = 0, l1_model = 0, l1_D = 0;
    for (int s_next = 0; s_next < S; ++s_next) {
      double difference = 0;
      for (int s = 0; s < S; ++s)
        for (int a = 0; a < A; ++a) difference += (rho(s, a) - rho_hat(s, a)) * w.T_hat[a](s, s_next);
      d_F = std::max(d_F, std::abs(difference)), ipm_sum += std::abs(difference);
    }
    for (int s = 0; s < S; ++s)
      for (int a = 0; a < A; ++a) {
        double divergence = 0;
        for (int s_next = 0; s_next < S; ++s_next) {
          const double p = w.mdp.p[a](s, s_next), q = w.T_hat[a](s, s_next);
          if (p > 0) divergence += p * (std::log(p) - std::log(q));
          l1_model += rho(s, a) * std::abs(p - q);
        }
        kl_term += rho(s, a) * std::sqrt(2 * divergence);
      }
    const Vector nu = occupancy(w.mdp, w.mdp.p, w.pi).rowwise().sum(), nu_D = rho.rowwise().sum();
    const Vector nu_hat = rho_hat.rowwise().sum();
    for (int s = 0; s < S; ++s) {
      eps_pi += std::abs(nu[s] - nu_D[s]), l1_visits += std::abs(nu[s] - nu_hat[s]);
      l1_D += std::abs(nu_D[s] - nu_hat[s]);
    }
    CHECK(b.R == R);
    CHECK(b.eps_pi == Approx(eps_pi));
    CHECK(b.d_F == Approx(d_F));
    CHECK(b.shift == Approx(R * eps_pi));
    CHECK(b.distance == Approx(gamma * R * d_F * S));
    CHECK(b.model == Approx(gamma * R * kl_term));
    CHECK(b.visits == Approx(R * l1_visits));
    CHECK(b.split == Approx(R * (eps_pi + l1_D)));
    CHECK(b.summed == Approx(R * (eps_pi + gamma * (ipm_sum + l1_model))));
    CHECK(b.eta >= b.eta_hat - b.subtracted() - 1e-12);
    CHECK(b.gap() <= b.visits + 1e-12);
    CHECK(b.visits <= b.split + 1e-12);
    CHECK(b.split <= b.summed + 1e-12);
    CHECK(b.summed <= b.subtracted() + 1e-12);
  }
}

TEST_CASE("the lower bound: 0 for the data's policy in a perfect model, infinite where T_hat excludes what happens",
          "[08]") {
  Rng rng(119);
  World w = random_world(rng);
  const LowerBound same = lower_bound(w.mdp, w.mdp.p, w.pi, w.pi);
  CHECK(same.subtracted() == Approx(0).margin(1e-12));
  CHECK(same.gap() == 0);
  // A perfect model and another policy: the first two terms stay.
  const LowerBound other = lower_bound(w.mdp, w.mdp.p, w.pi, w.pi_D);
  CHECK(other.model == 0);
  CHECK(other.shift > 0);
  CHECK(other.distance > 0);
  w.T_hat[0].row(0) = Matrix::Zero(1, 6);
  int unlikely;
  w.mdp.p[0].row(0).minCoeff(&unlikely);
  w.T_hat[0](0, unlikely) = 1;
  CHECK(std::isinf(lower_bound(w.mdp, w.T_hat, w.pi, w.pi_D).model));
}

TEST_CASE("KL: by hand, 0 of a distribution with itself, never less", "[08]") {
  Vector p(3), q(3);
  p << 0.5, 0.5, 0, q << 0.25, 0.5, 0.25;
  CHECK(kl(p, q) == Approx(0.5 * std::log(2)));
  CHECK(std::isinf(kl(q, p)));
  CHECK(kl(p, p) == 0);
}

// ---- Domain adaptation ----

TEST_CASE("W1 of measures on points is that of sorted samples", "[08]") {
  Rng rng(120);
  const int n = 12;
  for (int i = 0; i < 50; ++i) {
    TwoDomains D = random_domains(n, 1, rng);
    D.mu_s.setZero(), D.mu_t.setZero();
    std::vector<double> x, y;  // 30 draws of each
    for (int j = 0; j < 30; ++j) {
      const int a = int(rng.below(n)), b = int(rng.below(n));
      x.push_back(D.x[a]), y.push_back(D.x[b]);
      D.mu_s[a] += 1.0 / 30, D.mu_t[b] += 1.0 / 30;
    }
    CHECK(D.w1() == Approx(sorted_w1(x, y)));
  }
  const Vector x = Vector::LinSpaced(3001, -8, 12);
  CHECK(TwoDomains{x, normal_on(x, 0), normal_on(x, 2.5), x, x}.w1() == Approx(2.5).epsilon(1e-6));
}

TEST_CASE("normal_on has the normal's mean and variance; random_lipschitz rises as often as it falls", "[08]") {
  const Vector x = Vector::LinSpaced(2001, -10, 13);
  for (const double mean : {0.0, 2.5}) {
    const Vector mu = normal_on(x, mean);
    CHECK(mu.sum() == Approx(1));
    CHECK(mu.dot(x) == Approx(mean).margin(1e-6));
    CHECK(mu.dot((x.array() - mean).square().matrix()) == Approx(1).epsilon(1e-4));
  }
  Rng rng(128);
  const double K = 2;
  double sum = 0, square = 0;
  int rises = 0, n = 0;
  for (int i = 0; i < 100; ++i) {
    const Vector at = Vector::LinSpaced(101, 0, 10), h = random_lipschitz(at, K, rng);
    for (int j = 0; j < 100; ++j, ++n) {
      const double slope = (h[j + 1] - h[j]) / (at[j + 1] - at[j]);
      sum += slope, square += slope * slope, rises += slope > 0;
    }
  }
  const double deviation = K / std::sqrt(3.0);  // of a uniform in [-K, K]
  CHECK(std::abs(sum / n) < 4 * deviation / std::sqrt(double(n)));
  CHECK(square / n == Approx(deviation * deviation).epsilon(0.05));
  CHECK(std::abs(double(rises) / n - 0.5) < 0.02);
}

TEST_CASE("Theorem 1 holds for every hypothesis, is attained, and fails without lambda or with too small a K", "[08]") {
  Rng rng(121);
  int no_lambda = 0, same = 0;
  for (int i = 0; i < 200; ++i) {
    const double K = rng.uniform(0.1, 3);
    const TwoDomains D = random_domains(25, K, rng);
    same += D.y_s == D.y_t;
    CHECK(lipschitz(D.x, D.y_t) <= K * (1 + 1e-9));
    std::vector<Vector> H;
    for (int j = 0; j < 10; ++j) H.push_back(random_lipschitz(D.x, K, rng));
    double lambda = INFINITY;
    for (const Vector& h : H) {
      double sum = 0;
      for (int j = 0; j < 25; ++j)
        sum += D.mu_s[j] * std::abs(h[j] - D.y_s[j]) + D.mu_t[j] * std::abs(h[j] - D.y_t[j]);
      lambda = std::min(lambda, sum);
      CHECK(lipschitz(D.x, h) <= K * (1 + 1e-9));
      CHECK(lipschitz(D.x, h) > 0.5 * K);
    }
    CHECK(D.lambda(H) == Approx(lambda));
    for (const Vector& h : H) {
      CHECK(D.target_error(h) <= target_bound(D, h, H, K) + 1e-12);
      CHECK(target_bound(D, h, H, K) == Approx(D.source_error(h) + 2 * K * D.w1() + lambda));
      no_lambda += D.target_error(h) > target_bound(D, h, H, K) - lambda;
    }
  }
  CHECK(no_lambda > 0);
  CHECK(std::abs(same - 100) < 40);

  // Attained: labels K |x|, the hypothesis -K |x|, a point moved from 1 to 3.
  Vector x(2), source(2), target(2);
  x << 1, 3, source << 1, 0, target << 0, 1;
  const double K = 2;
  const TwoDomains D{x, source, target, K * x, K * x};
  const std::vector<Vector> H = {-K * x, K * x};
  CHECK(D.lambda(H) == 0);
  CHECK(D.target_error(H[0]) == Approx(target_bound(D, H[0], H, K)));
  CHECK(D.target_error(H[0]) > target_bound(D, H[0], H, K / 2) + 1);
}

TEST_CASE("shrinking the features shrinks W1, and the bound not at all: hypotheses grow as much steeper", "[08]") {
  Rng rng(122);
  const TwoDomains D = random_domains(20, 1, rng);
  std::vector<Vector> H;
  for (int j = 0; j < 5; ++j) H.push_back(random_lipschitz(D.x, 1, rng));
  TwoDomains small = D;
  small.x *= 0.1;
  CHECK(small.w1() == Approx(0.1 * D.w1()));
  for (const Vector& h : H) {
    CHECK(lipschitz(small.x, h) == Approx(10 * lipschitz(D.x, h)));
    CHECK(target_bound(small, h, H, 10) == Approx(target_bound(D, h, H, 1)));
  }
}

// ---- The mismatch ----

TEST_CASE("simulator_state undoes observe, and the same happens from there", "[08]") {
  Rng rng(123);
  for (const char* name : {"pendulum", "inverted_pendulum", "swimmer"}) {
    INFO(name);
    const std::unique_ptr<Env> env = make_env(name);
    Sim sim(env->sim_dim(), 20);
    for (int j = 0; j < 20; ++j) sim.col(j) = env->start(rng).col(0);
    for (int t = 0; t < 5; ++t) sim = env->simulate(sim, rng.uniform(env->action_dim, 20, -1, 1));
    const Mat s = env->observe(sim), a = rng.uniform(env->action_dim, 20, -1, 1);
    const Sim again = simulator_state(*env, s);
    CHECK(again.rows() == env->sim_dim());
    CHECK(distance(env->observe(again), s) < 10 * rounding);
    CHECK(distance(env->observe(env->simulate(again, a)), env->observe(env->simulate(sim, a))) < 100 * rounding);
  }
  // A model's cosine and sine off the circle: the nearest angle.
  const std::unique_ptr<Env> pendulum = make_env("pendulum");
  Mat s(3, 1);
  s << 0, 1.3, 2;
  CHECK(simulator_state(*pendulum, s)(0, 0) == Approx(std::numbers::pi / 2));
  CHECK_THROWS_AS(simulator_state(*make_env("cartpole"), Mat::Zero(4, 1)), std::invalid_argument);
}

TEST_CASE("branches in a perfect model are those of reality, at no distance; those of another drift away", "[08]") {
  Rng rng(124);
  for (const char* name : {"pendulum", "inverted_pendulum"}) {
    INFO(name);
    const std::unique_ptr<Env> env = make_env(name);
    const SquashedGaussian pi(env->state_dim, env->action_dim, {8}, rng);
    Mat s(env->state_dim, 30);
    for (int j = 0; j < 30; ++j) s.col(j) = env->observe(env->start(rng));
    Branches same{*env, pi, s, s}, other{*env, pi, s, s};
    const auto truth = [&](const Mat& s, const Mat& a) {
      return env->observe(env->simulate(simulator_state(*env, s), a));
    };
    double before = 0;
    for (int h = 0; h < 10; ++h) {
      const Rng xi = rng.split();
      Rng xi1 = xi, xi2 = xi;
      same.act(xi1), other.act(xi2);
      same.step(truth), other.step([&](const Mat& s, const Mat& a) -> Mat { return truth(s, a) + Real(0.01); });
      REQUIRE(same.model.cols() > 1);
      CHECK(mean_w1(same.real, same.real) == 0);
      CHECK(mean_w1(same.model, same.real) < 1000 * rounding);
      if (h == 0) before = mean_w1(other.model, other.real);
    }
    CHECK(before == Approx(0.01).epsilon(0.01));
    CHECK(mean_w1(other.model, other.real) > 2 * before);
  }
  // By hand: dimensions of 1 and 3 apart. A branch that ends on one side ends on the other.
  Mat x(2, 2), y(2, 2);
  x << 0, 1, 5, 5, y << 2, 1, 8, 2;
  CHECK(mean_w1(x, y) == Approx(2));
  const std::unique_ptr<Env> env = make_env("inverted_pendulum");
  const SquashedGaussian pi(4, 1, {8}, rng);
  Branches b{*env, pi, Mat::Zero(4, 3), Mat::Zero(4, 3)};
  b.act(rng);
  b.step([](const Mat& s, const Mat&) {
    Mat next = s;
    next(1, 1) = 1;  // fallen over
    return next;
  });
  CHECK(b.model.cols() == 2);
  CHECK(b.real.cols() == 2);
  CHECK(b.sim.cols() == 2);
}

namespace {

NextStates reality(const Env& env) {
  return [&env](const Mat& s, const Mat& a) { return env.observe(env.simulate(simulator_state(env, s), a)); };
}
Mat first_states(const Env& env, int n, Rng& rng) {
  Mat s(env.state_dim, n);
  for (int j = 0; j < n; ++j) s.col(j) = env.observe(env.start(rng));
  return s;
}

}  // namespace

TEST_CASE("a perfect model has no error, in one step or along branches; of identical models the ratio is 0", "[08]") {
  Rng rng(129);
  for (const char* name : {"pendulum", "inverted_pendulum"}) {
    INFO(name);
    const std::unique_ptr<Env> env = make_env(name);
    const SquashedGaussian pi(env->state_dim, env->action_dim, {8}, rng);
    const Mat s = first_states(*env, 30, rng);
    Normaliser z(env->state_dim);
    z.fit(s);
    const NextStates truth = reality(*env);
    const NextStates wrong = [&](const Mat& s, const Mat& a) { return Mat(truth(s, a) + Real(0.01)); };
    for (const bool perfect_leads : {true, false}) {
      const std::vector<NextStates> models = perfect_leads ? std::vector{truth, wrong, wrong}
                                                           : std::vector{wrong, truth, wrong};
      const std::vector<ModelErrors> e = model_errors(*env, models, pi, s, 10, z, rng);
      const ModelErrors &perfect = e[perfect_leads ? 0 : 1], &other = e[perfect_leads ? 1 : 0], &same = e[2];
      CHECK(perfect.as_it_is < 100 * rounding);
      CHECK(perfect.put_back < 100 * rounding);
      REQUIRE(perfect.branch.size() == 10);
      CHECK(*std::max_element(perfect.branch.begin(), perfect.branch.end()) < 100 * rounding);
      CHECK(other.put_back > 1e-6);
      CHECK(other.branch[9] > 10 * perfect.branch[9]);
      CHECK(other.as_it_is == same.as_it_is);
      CHECK(other.put_back == same.put_back);
      CHECK(log_ratio(other.branch, same.branch) == 0);
      CHECK(relative_change(other.branch, same.branch) == 0);
      double expected = 0;  // 0.01 in each dimension
      for (int i = 0; i < env->state_dim; ++i) expected += std::pow(0.01 / double(z.std(i, 0)), 2) / env->state_dim;
      CHECK(other.put_back == Approx(expected).epsilon(1e-3));
    }
  }
}

TEST_CASE("off the circle a model errs by its distance from it; put back only by what it gets wrong", "[08]") {
  const std::unique_ptr<Env> env = make_env("pendulum");
  Rng rng(130);
  Normaliser z(3);
  z.fit(first_states(*env, 100, rng));
  Mat s = first_states(*env, 20, rng);
  s.topRows(2) *= Real(1.5);
  const NextStates truth = reality(*env);
  const NextStates stays_off = [&](const Mat& s, const Mat& a) {  // right about the angle
    Mat next = truth(s, a);
    for (int j = 0; j < s.cols(); ++j) next.col(j).head(2) *= std::sqrt(s.col(j).head(2).square().sum());
    return next;
  };
  const OneStep e = one_step_error(*env, stays_off, s, rng.uniform(1, 20, -1, 1), z);
  CHECK(e.as_it_is.minCoeff() > 0.05);
  CHECK(e.put_back.maxCoeff() < 100 * rounding);
}

TEST_CASE("a branch counts until it ends, in reality or in one of the models", "[08]") {
  const std::unique_ptr<Env> env = make_env("inverted_pendulum");
  Rng rng(131);
  const SquashedGaussian pi(4, 1, {8}, rng);
  Normaliser z(4);
  const Mat s = first_states(*env, 20, rng);
  const NextStates truth = reality(*env);
  const NextStates falls = [&](const Mat& s, const Mat& a) {  // where the cart is on the right; what follows is wrong
    Mat next = truth(s, a);
    for (int j = 0; j < s.cols(); ++j)
      if (s(1, j) > 0.5) next.col(j) = 100;
      else if (s(0, j) > 0) next(1, j) = 1;
    return next;
  };
  const NextStates all_fall = [&](const Mat& s, const Mat& a) {
    Mat next = truth(s, a);
    next.row(1) = Mat::Ones(1, s.cols());
    return next;
  };
  const int right = int((s.row(0) > 0).count());
  REQUIRE((0 < right && right < 20));
  for (const std::vector<NextStates>& models : {std::vector{falls, truth}, std::vector{truth, falls}}) {
    for (const ModelErrors& e : model_errors(*env, models, pi, s, 4, z, rng)) {
      CHECK(e.as_it_is < 1);  // of a fallen one it is 100^2
      REQUIRE(e.branch.size() == 4);
      CHECK(e.branch[3] < 100 * rounding);
    }
  }
  for (const ModelErrors& e : model_errors(*env, {truth, all_fall}, pi, s, 4, z, rng)) CHECK(e.branch.empty());
}

TEST_CASE("the mean of log ratios and the change of a sum, by hand; nothing of different numbers", "[08]") {
  CHECK(log_ratio({100, 1}, {1, 1}) == Approx(1));
  CHECK(log_ratio({2, 3}, {2, 3}) == 0);
  CHECK(relative_change({1, 2}, {2, 4}) == Approx(-0.5));
  CHECK(relative_change({2, 3}, {2, 3}) == 0);
  for (const auto& f : {log_ratio, relative_change}) {
    CHECK(std::isnan(f({1, 2}, {1})));
    CHECK(std::isnan(f({}, {})));
  }
}

TEST_CASE("pieces never cross the end of an episode, nor the seam of a full store", "[08]") {
  Rng rng(125);
  for (const int capacity : {1000, 70}) {
    INFO(capacity);
    Transitions D(1, 1, capacity);
    const auto add = [&](double s, double s_next, bool terminated) {
      const Mat a = Mat::Zero(1, 1);
      D.add(Transition{Mat::Constant(1, 1, Real(s)), a, 0, Mat::Constant(1, 1, Real(s_next)), terminated, false});
    };
    // Episode e has the states 100 e, 100 e + 1, ...; every second one ends with a terminal state.
    int transitions = 0;
    for (int e = 1; e <= 20; ++e)
      for (int t = 0, steps = 1 + int(rng.below(9)); t < steps; ++t, ++transitions)
        add(100 * e + t, 100 * e + t + 1, t + 1 == steps && e % 2 == 0);
    REQUIRE(transitions > 70);
    for (const int n : {1, 2, 4}) {
      const std::vector<int> begins = consecutive(D, n);
      const std::vector<Batch> piece = pieces(D, begins, n);
      REQUIRE(piece.size() == std::size_t(n));
      for (int i = 0; i + 1 < n; ++i) {
        CHECK((piece[i].s_next == piece[i + 1].s).all());
        CHECK((piece[i].not_done == 1).all());
      }
      int expected = 0;  // counted from the states that are left
      std::set<int> there;
      for (Eigen::Index j = 0; j < D.size; ++j) there.insert(int(D.data.s(0, j)));
      for (const int s : there) {
        bool all = true;
        for (int i = 1; i < n; ++i) all = all && there.contains(s + i);
        expected += all;
      }
      CHECK(int(begins.size()) == expected);
      CHECK(begins.size() > 0);
    }
  }
  // A terminal state that happens to be the next start is an end all the same.
  Transitions D(1, 1, 10);
  for (const bool terminated : {false, true, false})
    D.add(Transition{Mat::Zero(1, 1), Mat::Zero(1, 1), 0, Mat::Zero(1, 1), terminated, false});
  CHECK(consecutive(D, 2) == std::vector<int>{0});
  CHECK(consecutive(D, 4).empty());
  CHECK(consecutive(Transitions(1, 1, 10), 2).empty());
}

TEST_CASE("the two-step loss: by hand, its gradient against differences; one own step is the one-step loss", "[08]") {
  Rng rng(126);
  const std::unique_ptr<Env> env = make_env("pendulum");
  Transitions D(3, 1, 100);
  env->reset(rng);
  for (int t = 0; t < 40; ++t) D.add(env->step(rng.uniform(1, 1, -1, 1)));
  const std::vector<Batch> piece = pieces(D, consecutive(D, 2), 2);
  REQUIRE(piece[0].size() == 39);
  const Batch all = D.all();
  Member f(4, 3, {6}, rng);
  f.input.fit(concat(all.s, all.a)), f.head.target.fit(all.s_next - all.s);
  const Mat std = f.head.target.std;
  const auto one = [&](const Mat& s, const Mat& a, const Mat& s_next) {  // of a prediction from s
    return double(Mat(Mat(f.predict(concat(s, a)).mu - (s_next - s)).colwise() / std.col(0)).square().mean());
  };
  const Mat s_hat = piece[0].s + f.predict(concat(piece[0].s, piece[0].a)).mu;
  const double first = one(piece[0].s, piece[0].a, piece[0].s_next);
  for (const int own : {1, 2}) {
    Tape tape;
    const auto value = [&] {
      const double loss = piece_loss(f, *env, piece, own, tape).item();
      tape.clear();
      return loss;
    };
    const Mat& from = own == 1 ? piece[1].s : s_hat;
    CHECK(value() == Approx((first + one(from, piece[1].a, piece[1].s_next)) / 2).epsilon(100 * rounding));
    const std::vector<Param*> weights = params(f.extractor, f.head.out);
    for (Param* p : params(f)) p->grad.setZero(p->value.rows(), p->value.cols());
    tape.backward(piece_loss(f, *env, piece, own, tape));
    tape.clear();
    CHECK(weights[0]->grad.abs().maxCoeff() > 1e-4);
    if (is_double) CHECK(param_error(weights, value) < gradient_tolerance);
  }
}

TEST_CASE("a network that learns from two steps of its own predicts both; no pieces: refused", "[08]") {
  Rng rng(127);
  const std::unique_ptr<Env> env = make_env("pendulum");
  Transitions D(3, 1, 300);
  for (int t = 0; t < 300; ++t) {
    if (t % 100 == 0) env->reset(rng);
    D.add(env->step(rng.uniform(1, 1, -1, 1)));
  }
  Member f(4, 3, {16}, rng);
  const std::vector<int> begins = consecutive(D, 2);
  CHECK(begins.size() == 297);
  const std::vector<Batch> piece = pieces(D, begins, 2);
  Tape tape;
  fit_pieces(f, *env, D, begins, {.epochs = 200, .lr = 1e-2}, rng);
  CHECK(piece_loss(f, *env, piece, 2, tape).item() < 0.05);
  CHECK_THROWS_AS(fit_pieces(f, *env, D, {}, {}, rng), std::invalid_argument);
}

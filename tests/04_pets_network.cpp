// Chapter 04, the model: the normaliser, the likelihood, the Gaussian head and a member of the ensemble.
#include <cmath>
#include <numbers>
#include <string>
#include <vector>
#include "chapters/04_pets/ensemble.h"
#include "tests/gradient_check.h"
#include "tests/statistics.h"

namespace {

template <class Part> double largest_grad(Part& part) {
  double largest = 0;
  for (Param* p : params(part)) largest = std::max(largest, double(p->grad.abs().maxCoeff()));
  return largest;
}
template <class Part> void clear_grads(Part& part) {
  for (Param* p : params(part)) p->grad.setZero(p->value.rows(), p->value.cols());
}

// A head that has left its start: every number different.
GaussianHead random_head(int hidden, int dim, Rng& rng) {
  GaussianHead head(hidden, dim, rng);
  head.out.W.value = rng.normal(2 * dim, hidden);
  head.out.b.value = rng.normal(2 * dim, 1);
  head.max_log_var.value += rng.uniform(dim, 1, -1, 1);
  head.min_log_var.value = rng.uniform(dim, 1, -4, -2);
  head.target.mean = rng.normal(dim, 1);
  head.target.std = rng.uniform(dim, 1, Real(0.5), 3);
  return head;
}
Member random_member(int in, int out, Rng& rng) {
  Member member(in, out, {6, 5}, rng);
  member.head = random_head(5, out, rng);
  member.input.mean = rng.normal(in, 1);
  member.input.std = rng.uniform(in, 1, Real(0.5), 3);
  clear_grads(member);
  return member;
}

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

}  // namespace

// ---- the normaliser ----

TEST_CASE("the normaliser gives mean 0 and deviation 1, and its inverse takes it back", "[04]") {
  Rng rng(100);
  Mat x = rng.normal(3, 500);
  x.row(1) = 100 + 7 * x.row(1), x.row(2) = Real(0.01) * x.row(2) - 3;
  Normaliser n(3);
  CHECK(distance(n(x), x) == 0);  // as it is made
  n.fit(x);
  const Mat y = n(x);
  CHECK(y.rowwise().mean().abs().maxCoeff() < (is_double ? 1e-10 : 1e-3));
  const Mat variance = y.square().rowwise().mean();
  CHECK(distance(variance, Mat::Ones(3, 1)) < (is_double ? 1e-10 : 1e-3));  // biased: divided by the count
  CHECK(distance(n.inverse(y), x) < rounding * 10);

  Tape tape;
  CHECK(distance(n(tape.constant(x)).value(), y) < rounding);
  CHECK(distance(n.inverse(tape.constant(y)).value(), x) < rounding * 10);
}

TEST_CASE("a dimension that never changes has deviation 1: no division by 0, whatever its value", "[04]") {
  for (const Real value : {Real(0), Real(1), Real(0.1), Real(-12345.678), Real(1e-3), Real(3e7)}) {
    Rng rng(100);
    Mat x(2, 777);
    x.row(0).setConstant(value);
    x.row(1) = rng.normal(1, 777);
    Normaliser n(2);
    n.fit(x);
    INFO(value);
    CHECK(n.std(0, 0) == 1);
    CHECK(n.std(1, 0) != 1);
    CHECK(n(x).row(0).abs().maxCoeff() <= 1e-5 * std::max(1.0, std::abs(double(value))));
  }
  Normaliser one(1);  // and so does a single sample
  one.fit(Mat::Constant(1, 1, 5));
  CHECK(one.std(0, 0) == 1);
}

TEST_CASE("a dimension that changes little beside its size is scaled nevertheless", "[04]") {
  Rng rng(100);
  Mat x = Real(1e-3) * rng.normal(1, 1000);
  Normaliser n(1);
  n.fit(x);
  CHECK(double(n.std(0, 0)) == Approx(1e-3).epsilon(0.1));
  x += 1;
  n.fit(x);
  CHECK(double(n.std(0, 0)) == Approx(1e-3).epsilon(0.1));
}

TEST_CASE("the normaliser's inverse shifts a Gaussian's mean and scales its deviation", "[04]") {
  Rng rng(100);
  Normaliser n(2);
  n.mean << 1, -2;
  n.std << 3, Real(0.5);
  const Gaussian<Mat> f{rng.normal(2, 4), rng.normal(2, 4)};
  const Gaussian<Mat> g = n.inverse(f);
  CHECK(distance(g.mu, n.inverse(f.mu)) < rounding);
  const Mat sigma = exp(g.log_var / 2), before = exp(f.log_var / 2);
  for (int j = 0; j < 4; ++j) {
    CHECK(near(sigma(0, j), 3 * before(0, j), rounding));
    CHECK(near(sigma(1, j), 0.5 * before(1, j), rounding));
  }
  Tape tape;
  const Gaussian<Var> v = n.inverse(Gaussian<Var>{tape.constant(f.mu), tape.constant(f.log_var)});
  CHECK(distance(v.mu.value(), g.mu) < rounding);
  CHECK(distance(v.log_var.value(), g.log_var) < rounding);
}

TEST_CASE("the normaliser's gradients equal central differences", "[04]") {
  Rng rng(100);
  Normaliser n(3);
  n.mean = rng.normal(3, 1), n.std = rng.uniform(3, 1, Real(0.3), 3);
  const Mat x = rng.normal(3, 4);
  CHECK(gradient_error([&](const std::vector<Var>& v) { return n(v[0]); }, {x}, rng) < gradient_tolerance);
  CHECK(gradient_error([&](const std::vector<Var>& v) { return n.inverse(v[0]); }, {x}, rng) < gradient_tolerance);
}

// ---- the likelihood ----

TEST_CASE("NLL is the mean over samples and dimensions of (mu - y)^2 exp(-lv) + lv", "[04]") {
  Rng rng(100);
  const Mat mu = rng.normal(3, 5), lv = rng.normal(3, 5), y = rng.normal(3, 5);
  double sum = 0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 5; ++j)
      sum += std::pow(double(mu(i, j)) - double(y(i, j)), 2) * std::exp(-double(lv(i, j))) + double(lv(i, j));
  Tape tape;
  const Var loss = nll({tape.constant(mu), tape.constant(lv)}, tape.constant(y));
  CHECK(near(loss.item(), sum / 15, rounding * 10));
}

TEST_CASE("NLL's gradient with respect to mean, log-variance and target equals central differences", "[04]") {
  Rng rng(100);
  for (const auto& [dim, n] : shapes) {
    const auto loss = [](const std::vector<Var>& v) { return nll({v[0], v[1]}, v[2]); };
    CHECK(gradient_error(loss, {rng.normal(dim, n), rng.normal(dim, n), rng.normal(dim, n)}, rng) < gradient_tolerance);
  }
}

TEST_CASE("D/2 (NLL + log 2 pi) of a perfect model equals the entropy of the noise", "[04]") {
  Rng rng(100);
  const int D = 3, n = 40000;
  const double sigma[D] = {0.1, 1, 5};
  Mat mu = rng.normal(D, n), lv(D, n), y(D, n);
  double entropy = 0;  // sum log(sigma sqrt(2 pi e))
  for (int i = 0; i < D; ++i) {
    lv.row(i).setConstant(Real(2 * std::log(sigma[i])));
    y.row(i) = mu.row(i) + Real(sigma[i]) * rng.normal(1, n);
    entropy += std::log(sigma[i] * std::sqrt(2 * std::numbers::pi * std::numbers::e));
  }
  Tape tape;
  const Var loss = nll({tape.constant(mu), tape.constant(lv)}, tape.constant(y));
  const double measured = D / 2.0 * (double(loss.item()) + std::log(2 * std::numbers::pi));
  CHECK(std::abs(measured - entropy) < 4 * std::sqrt(D / 2.0 / n) + (is_double ? 0 : 1e-3));
  // a wrong variance costs more
  const Var wider = nll({tape.constant(mu), tape.constant(lv + Real(0.5))}, tape.constant(y));
  const Var narrower = nll({tape.constant(mu), tape.constant(lv - Real(0.5))}, tape.constant(y));
  CHECK(wider.item() > loss.item() + 0.05);
  CHECK(narrower.item() > loss.item() + 0.05);
}

// ---- the head ----

TEST_CASE("the head: mean above raw log-variance, soft clamp with two softplus, units of the target", "[04]") {
  Rng rng(100);
  const GaussianHead head = random_head(4, 3, rng);
  const Mat h = rng.normal(4, 6);
  const Gaussian<Mat> f = head(h);
  const Mat out = head.out(h);
  const auto plus = [](double x) { return std::log1p(std::exp(x)); };
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 6; ++j) {
      const double max = head.max_log_var.value(i, 0), min = head.min_log_var.value(i, 0);
      double lv = max - plus(max - out(3 + i, j));
      lv = min + plus(lv - min);
      const double mean = head.target.mean(i, 0), std = head.target.std(i, 0);
      CHECK(near(f.mu(i, j), mean + std * out(i, j), rounding * 10));
      CHECK(near(f.log_var(i, j), lv + 2 * std::log(std), rounding * 10));
    }
}

TEST_CASE("the log-variance starts between -10 and 0.5 and stays in its bounds, whatever the network says", "[04]") {
  Rng rng(100);
  GaussianHead head(1, 2, rng);
  CHECK((head.max_log_var.value == Real(0.5)).all());
  CHECK((head.min_log_var.value == -10).all());
  CHECK(head.max_log_var.value.rows() == 2);
  CHECK((head.out.b.value == 0).all());
  head.out.W.value.setConstant(1);
  for (const double raw : {-1e4, -100.0, -10.0, -3.0, 0.0, 0.5, 10.0, 100.0, 1e4}) {
    const Mat lv = head(Mat::Constant(1, 1, Real(raw))).log_var;
    INFO("raw " << raw << ": " << lv(0, 0));
    CHECK(lv(0, 0) >= -10);
    CHECK(lv(0, 0) <= 0.5 + 1e-4);  // log(1 + exp(max - min)) is 2.7e-5 more than max - min
    if (std::abs(raw + 3) < 1) CHECK(near(lv(0, 0), raw, 0.02));  // untouched in the middle
  }
}

TEST_CASE("the head's gradients equal central differences: weights, both bounds, and its input", "[04]") {
  Rng rng(100);
  GaussianHead head = random_head(4, 3, rng);
  const Mat h = rng.normal(4, 5), weights = rng.normal(3, 5), more = rng.normal(3, 5);
  clear_grads(head);
  Tape tape;
  const Gaussian<Var> f = head(tape.constant(h));
  tape.backward(weighted_sum(f.mu, weights) + weighted_sum(f.log_var, more));
  const auto loss = [&] {
    const Gaussian<Mat> g = head(h);
    return (weights.cast<double>() * g.mu.cast<double>() + more.cast<double>() * g.log_var.cast<double>()).sum();
  };
  CHECK(param_error({&head.out.W, &head.out.b, &head.max_log_var, &head.min_log_var}, loss) < gradient_tolerance);
  const GaussianHead& fixed = head;
  const auto through = [&](const std::vector<Var>& v) {
    const Gaussian<Var> g = fixed(v[0]);
    return concat(g.mu, g.log_var);
  };
  CHECK(gradient_error(through, {h}, rng) < gradient_tolerance);
}

TEST_CASE("frozen bounds have no gradient, those of a head that learns have one", "[04]") {
  Rng rng(100);
  GaussianHead head = random_head(4, 3, rng);
  const Mat h = rng.normal(4, 5), y = rng.normal(3, 5);
  Tape tape;
  clear_grads(head);
  tape.backward(nll(frozen(head)(tape.input(h)), tape.constant(y)));
  CHECK(largest_grad(head) == 0);
  tape.clear();
  tape.backward(nll(head(tape.constant(h)), tape.constant(y)));
  CHECK((head.max_log_var.grad.abs() > 0).all());
  CHECK((head.min_log_var.grad.abs() > 0).all());
}

TEST_CASE("a new head can be recorded at once: its parameters' gradients have their shape", "[04]") {
  Rng rng(100);
  GaussianHead head(4, 3, rng);
  for (Param* p : params(head)) {
    CHECK(p->grad.rows() == p->value.rows());
    CHECK(p->grad.cols() == p->value.cols());
    CHECK((p->grad == 0).all());
  }
}

// ---- a member ----

TEST_CASE("a member standardises, applies swish after every hidden layer, then its head; Mat and Var agree", "[04]") {
  Rng rng(100);
  Member member = random_member(3, 2, rng);
  const Mat x = rng.normal(3, 7);
  Mat h = member.input(x);
  CHECK(member.extractor.layers.size() == 2);
  for (const Linear& layer : member.extractor.layers) h = Mat(swish(Mat(layer(h))));
  const Gaussian<Mat> f = member.predict(x), by_hand = member.head(h);
  CHECK(distance(member.features(x), h) < rounding * 10);
  CHECK(distance(f.mu, by_hand.mu) < rounding * 10);
  CHECK(distance(f.log_var, by_hand.log_var) < rounding * 10);

  Tape tape;
  const Gaussian<Var> learns = member.predict(tape.constant(x)), fixed = frozen(member).predict(tape.constant(x));
  for (const Gaussian<Var>& v : {learns, fixed}) {
    CHECK(distance(v.mu.value(), f.mu) < rounding * 10);
    CHECK(distance(v.log_var.value(), f.log_var) < rounding * 10);
  }
  CHECK(distance(member.features(tape.constant(x)).value(), h) < rounding * 10);
  CHECK(distance(frozen(member).features(tape.constant(x)).value(), h) < rounding * 10);
}

TEST_CASE("a sample is mu + sigma xi: differentiable in x, with the weights frozen", "[04]") {
  Rng rng(100);
  Member member = random_member(3, 2, rng);
  const Mat x = rng.normal(3, 5), xi = rng.normal(2, 5);
  const Gaussian<Mat> f = member.predict(x);
  const Mat by_hand = f.mu + exp(f.log_var / 2) * xi;
  CHECK(distance(frozen(member).sample(x, xi), by_hand) < rounding * 10);
  clear_grads(member);
  CHECK(gradient_error([&](const std::vector<Var>& v) { return frozen(member).sample(v[0], xi); }, {x}, rng) <
        gradient_tolerance);
  CHECK(largest_grad(member) == 0);
}

TEST_CASE("a member's weights learn through predict: gradients equal central differences", "[04]") {
  Rng rng(100);
  Member member = random_member(3, 2, rng);
  const Mat x = rng.normal(3, 4), y = rng.normal(2, 4);
  clear_grads(member);
  Tape tape;
  tape.backward(nll(member.predict(tape.constant(x)), tape.constant(y)));
  const auto loss = [&] {
    Tape numbers;
    return double(nll(frozen(member).predict(numbers.constant(x)), numbers.constant(y)).item());
  };
  CHECK(params(member).size() == 8);
  CHECK(param_error(params(member), loss) < gradient_tolerance);
}

TEST_CASE("weights start as a normal cut at two deviations, 1 / (2 sqrt(fan in)) each, biases at 0", "[04]") {
  Rng rng(100);
  Member member(50, 20, {100, 200}, rng);
  std::vector<const Linear*> layers = {&member.head.out};
  for (const Linear& layer : member.extractor.layers) layers.push_back(&layer);
  for (const Linear* layer : layers) {
    const double sd = 1 / (2 * std::sqrt(double(layer->W.value.cols())));
    const Mat z = layer->W.value / Real(sd);
    CHECK(kolmogorov_smirnov(elements(z), [](double x) { return truncated_normal_cdf(x, 2); }) < 2);
    CHECK(double(z.abs().maxCoeff()) < 2 + 1e-5);
    CHECK((layer->b.value == 0).all());
  }
}

TEST_CASE("extractor and head can be copied, replaced and optimised separately", "[04]") {
  Rng rng(100);
  Member a(2, 1, {16, 16}, rng), b(2, 1, {16, 16}, rng);
  const Mat x = rng.normal(2, 20), y = rng.normal(1, 20);
  clear_grads(a), clear_grads(b);
  CHECK(distance(a.predict(x).mu, b.predict(x).mu) > 1e-3);  // drawn separately

  b.extractor = a.extractor;
  CHECK(distance(a.features(x), b.features(x)) == 0);
  CHECK(distance(a.predict(x).mu, b.predict(x).mu) > 1e-3);
  b.head = a.head;
  CHECK(distance(a.predict(x).mu, b.predict(x).mu) == 0);

  const std::vector<Mat> a_before = values(a), b_head = values(b.head), b_extractor = values(b.extractor);
  Adam opt(params(b.extractor), Real(0.01));  // the extractor alone, through a frozen head
  Tape tape;
  opt.minimize(nll(frozen(b.head)(b.features(tape.constant(x))), tape.constant(y)));
  CHECK(equal(values(b.head), b_head));
  CHECK_FALSE(equal(values(b.extractor), b_extractor));

  const std::vector<Mat> b_features = values(b.extractor);
  Adam head_opt(params(b.head), Real(0.01));  // the head alone
  head_opt.minimize(nll(b.head(frozen(b).features(tape.constant(x))), tape.constant(y)));
  CHECK(equal(values(b.extractor), b_features));
  CHECK_FALSE(equal(values(b.head), b_head));
  CHECK(equal(values(a), a_before));  // a copy shares nothing
}

// Adam against its paper's algorithm, decay, clipping, what happens to a NaN, and moving about.
#include "autodiff/adam.h"
#include "tests/asserts.h"
#include "tests/gradient_check.h"

namespace {

// Algorithm 1 of Kingma and Ba (2015) for all numbers of a Param, one at a time, in double.
struct ReferenceAdam {
  std::vector<double> theta, m, v;
  double lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  int t = 0;
  ReferenceAdam(const Mat& x, double lr) : theta(elements(x)), m(theta.size()), v(theta.size()), lr(lr) {}
  void step(const std::vector<double>& g) {
    t = t + 1;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, t)), v_hat = v[i] / (1 - std::pow(beta2, t));
      theta[i] = theta[i] - lr * m_hat / (std::sqrt(v_hat) + eps);
    }
  }
  Mat value(const Mat& shape) const {
    Mat x(shape.rows(), shape.cols());
    for (Eigen::Index i = 0; i < x.size(); ++i) x.data()[i] = Real(theta[i]);
    return x;
  }
};

Param param(const Mat& value) { return {value, Mat::Zero(value.rows(), value.cols())}; }

constexpr Real infinity = std::numeric_limits<Real>::infinity(), not_a_number = std::numeric_limits<Real>::quiet_NaN();
constexpr double adam_tolerance = is_double ? 1e-12 : 1e-6;  // of a path some lr long

}  // namespace

TEST_CASE("Adam takes the steps of its paper's algorithm 1", "[autodiff]") {
  Rng rng(405);
  Param a = param(rng.normal(3, 4)), b = param(rng.normal(2, 1));
  ReferenceAdam ra(a.value, 0.02), rb(b.value, 0.02);
  Adam opt({&a, &b}, Real(0.02));
  CHECK(near(opt.beta1, 0.9, 1e-7));
  CHECK(near(opt.beta2, 0.999, 1e-7));
  CHECK(std::abs(opt.eps - 1e-8) < 1e-14);
  CHECK(opt.t == 0);
  for (int t = 1; t <= 10; ++t) {
    a.grad = rng.normal(3, 4), b.grad = Real(100) * rng.normal(2, 1);
    ra.step(elements(a.grad)), rb.step(elements(b.grad));
    opt.step();
    CHECK(opt.t == t);
    CHECK(distance(a.value, ra.value(a.value)) < adam_tolerance);
    CHECK(distance(b.value, rb.value(b.value)) < adam_tolerance);
  }
  opt.beta1 = Real(0.5), opt.beta2 = Real(0.9), opt.eps = Real(0.1), opt.lr = Real(0.3);  // settings are settings
  ra.beta1 = 0.5, ra.beta2 = 0.9, ra.eps = 0.1, ra.lr = 0.3;
  a.grad = rng.normal(3, 4);
  ra.step(elements(a.grad));
  opt.step();
  CHECK(distance(a.value, ra.value(a.value)) < 10 * adam_tolerance);
}

TEST_CASE("an optimiser gives its Params a gradient of zero, and starts with moments of zero", "[autodiff]") {
  Param bare, used{Mat::Ones(3, 1), Mat::Constant(3, 1, 5)};
  bare.value = Mat::Ones(1, 2);
  const Adam opt({&bare, &used}, Real(0.1));
  const Param* list[] = {&bare, &used};
  for (int k = 0; k < 2; ++k)
    for (const Mat& zero : {list[k]->grad, opt.m[k], opt.v[k]}) {
      CHECK(zero.rows() == list[k]->value.rows());
      CHECK(zero.cols() == list[k]->value.cols());
      CHECK((zero == 0).all());
    }
}

TEST_CASE("Adam's first step is lr against the sign of the gradient, whatever its size", "[autodiff]") {
  Param p = param(Mat::Zero(1, 3));
  Adam opt({&p}, Real(0.01));
  p.grad << Real(1e-3), -5, 1000;
  opt.step();
  Mat expected(1, 3);
  expected << Real(-0.01), Real(0.01), Real(-0.01);
  CHECK(distance(p.value, expected) < 1e-6);
}

TEST_CASE("eps matters where the gradient is tiny, and a gradient of zero moves nothing", "[autodiff]") {
  Param p = param(Mat::Zero(1, 3));
  Adam opt({&p}, Real(0.01));
  for (int t = 1; t <= 5; ++t) {
    p.grad << Real(1e-8), Real(-3e-8), 0;  // m_hat = g, sqrt(v_hat) = |g|: each step is lr g / (|g| + 1e-8)
    opt.step();
    CHECK(near(p.value(0, 0) / (Real(-0.01) * t), 0.5, 1e-3));
    CHECK(near(p.value(0, 1) / (Real(0.01) * t), 0.75, 1e-3));
    CHECK(p.value(0, 2) == 0);
  }
}

TEST_CASE("weight decay adds lambda W to the gradient of its own Param only", "[autodiff]") {
  Rng rng(406);
  Param a = param(rng.normal(3, 2)), b = param(rng.normal(3, 1));
  a.decay = Real(0.3);
  ReferenceAdam ra(a.value, 0.02), rb(b.value, 0.02);
  Adam opt({&a, &b}, Real(0.02));
  for (int t = 0; t < 8; ++t) {
    a.grad = Real(0.1) * rng.normal(3, 2), b.grad = rng.normal(3, 1);
    std::vector<double> g = elements(a.grad);
    for (std::size_t i = 0; i < g.size(); ++i) g[i] += double(a.decay) * ra.theta[i];
    ra.step(g), rb.step(elements(b.grad));
    opt.step();
    CHECK(distance(a.value, ra.value(a.value)) < adam_tolerance);
    CHECK(distance(b.value, rb.value(b.value)) < adam_tolerance);
  }
}

TEST_CASE("decay is the gradient of lambda/2 ||W||^2 in the loss", "[autodiff]") {
  Rng rng(407);
  MLP decayed({2, 4, 1}, Activation::tanh, Init::glorot, rng), written = decayed;
  set_decay(decayed, {Real(0.1), Real(0.05)});
  CHECK(decayed.layers[0].W.decay == Real(0.1));
  CHECK(decayed.layers[1].W.decay == Real(0.05));
  CHECK(decayed.layers[0].b.decay == 0);
  CHECK(decayed.layers[1].b.decay == 0);
  Adam opt(params(decayed), Real(0.01)), twin(params(written), Real(0.01));
  Tape tape;
  for (int i = 0; i < 20; ++i) {
    const Mat x = rng.normal(2, 8);
    opt.minimize(mean(square(decayed(tape.constant(x)))));
    const Var penalty = Real(0.05) * sum(square(tape.param(written.layers[0].W))) +
                        Real(0.025) * sum(square(tape.param(written.layers[1].W)));
    twin.minimize(mean(square(written(tape.constant(x)))) + penalty);
  }
  for (int l = 0; l < 2; ++l)
    CHECK(distance(decayed.layers[l].W.value, written.layers[l].W.value) < (is_double ? 1e-9 : 1e-4));
}

TEST_CASE("minimize steps with the gradient of this loss alone, and returns its norm", "[autodiff]") {
  Rng rng(408);
  Param a = param(rng.normal(2, 3)), b = param(rng.normal(1, 3));
  ReferenceAdam ra(a.value, 0.1), rb(b.value, 0.1);
  Adam opt({&a, &b}, Real(0.1));
  Tape tape;
  for (int t = 0; t < 5; ++t) {
    a.grad.setConstant(77), b.grad.setConstant(-77);  // what is left from elsewhere does not count
    const Mat c = rng.normal(2, 3);
    Mat da(2, 3), db = Mat::Zero(1, 3);
    double squares = 0;
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 3; ++j) da(i, j) = c(i, j) * b.value(0, j), db(0, j) += c(i, j) * a.value(i, j);
    for (double g : elements(da)) squares += g * g;
    for (double g : elements(db)) squares += g * g;
    ra.step(elements(da)), rb.step(elements(db));
    const Real norm = opt.minimize(sum(c * tape.param(a) * tape.param(b)));
    CHECK(near(norm, std::sqrt(squares), rounding));
    CHECK(distance(a.value, ra.value(a.value)) < 10 * adam_tolerance);
    CHECK(distance(b.value, rb.value(b.value)) < 10 * adam_tolerance);
    CHECK(tape.used == 0);
    ra.theta = elements(a.value), rb.theta = elements(b.value);
  }
}

TEST_CASE("clipping scales all gradients together to max_norm, and the norm returned is that before", "[autodiff]") {
  for (Real max_norm : {Real(0.5), Real(4.99), Real(5.01), infinity}) {
    CAPTURE(max_norm);
    Param a = param(Mat::Constant(1, 1, 2)), b = param(Mat::Constant(2, 1, 1));
    a.decay = Real(0.25);  // decay is no part of the norm and is not clipped
    Adam opt({&a, &b}, Real(0.1));
    ReferenceAdam ra(a.value, 0.1), rb(b.value, 0.1);
    Tape tape;
    Mat c(2, 1);
    c << 0, 4;
    for (int t = 0; t < 3; ++t) {
      const double size = t == 1 ? 0.5 : 1;  // (3, (0, 4)) has norm 5; half of it in the second step
      const double scale = std::min(1.0, double(max_norm) / (5 * size)) * size;
      ra.step({3 * scale + 0.25 * ra.theta[0]}), rb.step({0, 4 * scale});
      const Real norm = opt.minimize(Real(size) * (3 * tape.param(a) + sum(c * tape.param(b))), max_norm);
      CHECK(near(norm, 5 * size, rounding));
      CHECK(distance(opt.m[0], Mat::Constant(1, 1, Real(ra.m[0]))) < rounding);
      CHECK(near(opt.m[1](1, 0), rb.m[1], rounding));
      CHECK(near(opt.v[1](1, 0), rb.v[1], rounding));
      CHECK(distance(a.value, ra.value(a.value)) < 10 * adam_tolerance);
      CHECK(distance(b.value, rb.value(b.value)) < 10 * adam_tolerance);
    }
  }
}

TEST_CASE("a loss or a gradient that is not finite throws NotFinite and changes nothing", "[autodiff]") {
  struct Case {
    std::string named;
    std::function<Var(Tape&, Param&)> loss;
  };
  const std::vector<Case> cases = {
      {"loss", [](Tape& t, Param& p) { return sum(t.param(p)) + not_a_number; }},
      {"loss", [](Tape& t, Param& p) { return sum(t.param(p)) + infinity; }},
      {"loss", [](Tape& t, Param& p) { return sum(t.param(p)) - infinity; }},
      {"loss", [](Tape& t, Param& p) { return mean(log(t.param(p) - 100)); }},
      {"gradient", [](Tape& t, Param& p) { return sum(sqrt(t.param(p) - p.value)); }},               // 1 / (2 sqrt(0))
      {"gradient", [](Tape& t, Param& p) { return sum(abs(sqrt(square(t.param(p) - p.value)))); }},  // 0 inf
  };
  for (const Case& c : cases) {
    Rng rng(409);
    Param p = param(rng.normal(2, 2)), q = param(rng.normal(1, 2));
    Adam opt({&q, &p}, Real(0.1));
    Tape tape;
    opt.minimize(mean(square(tape.param(p))) + mean(square(tape.param(q))));
    const Mat before = p.value, q_before = q.value, m = opt.m[1], v = opt.v[1];
    std::string message;
    try {
      opt.minimize(c.loss(tape, p) + mean(tape.param(q)));
    } catch (const NotFinite& e) {
      message = e.what();
    }
    CAPTURE(message);
    CHECK(message.find(c.named) != std::string::npos);
    CHECK((p.value == before).all());
    CHECK((q.value == q_before).all());
    CHECK((opt.m[1] == m).all());
    CHECK((opt.v[1] == v).all());
    CHECK(opt.t == 1);
    CHECK(tape.used == 0);
    CHECK(std::isfinite(opt.minimize(mean(square(tape.param(p))) + mean(square(tape.param(q))))));  // and it goes on
    CHECK(p.value.allFinite());
  }
}

TEST_CASE("a single number steps with a gradient given in closed form", "[autodiff]") {
  Param log_alpha = param(Mat::Constant(1, 1, 0.5f));
  ReferenceAdam reference(log_alpha.value, 0.003);
  Adam opt({&log_alpha}, Real(0.003));
  for (Real g : {Real(0.7), Real(-1.2), Real(0.1)}) {
    reference.step({g});
    opt.step(log_alpha, g);
    CHECK(near(log_alpha.value(0, 0), reference.theta[0], adam_tolerance));
  }
}

#ifndef NDEBUG
TEST_CASE("debug builds assert that a closed-form step is for the optimiser's one Param", "[autodiff]") {
  Param a = param(Mat::Ones(1, 1)), b = param(Mat::Ones(1, 1));
  Adam one({&a}, Real(0.1)), two({&a, &b}, Real(0.1));
  CHECK_FALSE(asserts([&] { one.step(a, 1); }));
  CHECK(asserts([&] { one.step(b, 1); }));
  CHECK(asserts([&] { two.step(a, 1); }));
}
#endif

TEST_CASE("an optimiser that moved, of a network that moved, takes the same steps", "[autodiff]") {
  struct Learner {
    MLP net;
    Adam opt;
    explicit Learner(Rng rng) : net({2, 4, 1}, Activation::tanh, Init::glorot, rng), opt(params(net), Real(0.01)) {}
    void step(const Mat& x) {
      Tape tape;
      opt.minimize(mean(square(net(tape.constant(x)) - Real(1))));
    }
  };
  Rng rng(410);
  const Mat x = rng.normal(2, 8);
  Learner stays(Rng(1));
  std::vector<Learner> moves;
  for (int i = 0; i < 6; ++i) {  // the vector grows, and moves its elements, between the steps
    moves.emplace_back(Rng(1 + i));
    stays.step(x);
    moves[0].step(x);
  }
  Learner last = std::move(moves[0]);
  stays.step(x);
  last.step(x);
  CHECK((stays.net(x) == last.net(x)).all());
  CHECK(last.opt.t == 7);
}

TEST_CASE("grad_norm is the Euclidean norm over all Params", "[autodiff]") {
  Param a = param(Mat::Zero(1, 2)), b = param(Mat::Zero(1, 1));
  const Adam opt({&a, &b}, 1);
  a.grad << 2, -3;
  b.grad << 6;
  CHECK(near(opt.grad_norm(), 7, rounding));
}

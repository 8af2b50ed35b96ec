// The tape: which gradients arrive where, and networks and losses of many operations against central differences.
#include "tests/asserts.h"
#include "tests/gradient_check.h"

namespace {

// y = 2 x, which counts how often its derivative rule runs.
Var doubled(Var x, int& calls) {
  return record({x}, 2 * x.value(), [x, &calls](const Node& y) {
    ++calls;
    x.grad() += 2 * y.grad;
  });
}

double max_abs(const Mat& x) { return x.abs().maxCoeff(); }

// What a run of a tape gives, to compare two runs bit by bit.
struct Outcome {
  Mat value, dx;
  std::vector<Mat> grads;
};
bool operator==(const Outcome& a, const Outcome& b) {
  if (!(a.value == b.value).all() || !(a.dx == b.dx).all() || a.grads.size() != b.grads.size()) return false;
  for (std::size_t i = 0; i < a.grads.size(); ++i)
    if (!(a.grads[i] == b.grads[i]).all()) return false;
  return true;
}

void zero_grad(const std::vector<Param*>& list) {
  for (Param* p : list) p->grad.setZero();
}

const std::vector<Activation> activations = {Activation::tanh, Activation::relu, Activation::swish};

}  // namespace

TEST_CASE("a number used several times adds its gradients", "[autodiff]") {
  Rng rng(201);
  const Mat x = away_from_kinks(3, 3, 0.5, 2, rng), dy = rng.normal(3, 3);
  const auto gradient = [&](const std::function<Var(Var)>& f) {
    Tape tape;
    const Var in = tape.input(x);
    tape.backward(weighted_sum(f(in), dy));
    return Mat(in.grad());
  };
  CHECK(distance(gradient([](Var v) { return v + v; }), Mat(2 * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return v - v; }), Mat(0 * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return v * v; }), Mat(2 * x * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return v / v; }), Mat(0 * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return v * v * v + v; }), Mat((3 * x * x + 1) * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return min(v, v); }), dy) < rounding);
  CHECK(distance(gradient([](Var v) { return max(v, v); }), dy) < rounding);
  CHECK(distance(gradient([](Var v) { return atan2(v, v); }), Mat(0 * dy)) < rounding);
  CHECK(distance(gradient([](Var v) { return rows(concat(v, v), 0, 3) * rows(concat(v, v), 3, 3); }), Mat(2 * x * dy)) <
        rounding);
  CHECK(distance(gradient([](Var v) { return cols(append_cols(v, v), 2, 3); }), Mat([&] {
                   Mat sum = Mat::Zero(3, 3);
                   sum.col(2) += dy.col(0), sum.col(0) += dy.col(1), sum.col(1) += dy.col(2);
                   return sum;
                 }())) < rounding);
  CHECK(gradient_error([](const auto& v) { return matmul(v[0], v[0]); }, {x}, rng) < gradient_tolerance);
  CHECK(gradient_error(
            [](const auto& v) {
              const Var h = tanh(v[0] * v[1]);
              return exp(h) * h + sum(h) * v[0] / (1 + square(h));
            },
            {x, dy}, rng) < gradient_tolerance);
}

TEST_CASE("intermediate numbers have gradients; numbers that the loss does not depend on have zero", "[autodiff]") {
  Tape tape;
  const Mat two = Mat::Constant(2, 1, 2), three = Mat::Constant(2, 1, 3);
  const Var x = tape.input(two), y = tape.input(three);
  const Var unused = exp(y), product = x * y, square_of = square(product), after = sin(product);
  const Var loss = sum(square_of);
  const Var later = cos(x);
  tape.backward(loss);
  CHECK(product.grad()(0, 0) == 12);  // d(p^2)/dp = 2 p
  CHECK(square_of.grad()(1, 0) == 1);
  CHECK(loss.grad()(0, 0) == 1);
  CHECK(x.grad()(0, 0) == 36);  // 2 p y
  CHECK(y.grad()(1, 0) == 24);  // 2 p x
  for (Var none : {unused, after, later}) {
    const Mat grad = none.grad();
    CHECK(grad.rows() == 2);
    CHECK(grad.cols() == 1);
    CHECK((grad == 0).all());
  }
}

TEST_CASE("the gradient of an input is that of the last backward, also over a part of the tape", "[autodiff]") {
  Tape tape;
  const Var x = tape.input(Mat::Constant(1, 1, 3)), a = square(x), b = 5 * x;
  tape.backward(a);
  CHECK(x.grad()(0, 0) == 6);
  tape.backward(b);
  CHECK(x.grad()(0, 0) == 5);
  CHECK(a.grad()(0, 0) == 0);
  tape.backward(a);
  tape.backward(a);
  CHECK(x.grad()(0, 0) == 6);
}

TEST_CASE("backward twice without zeroing adds up in Param.grad", "[autodiff]") {
  Param p{Mat::Constant(1, 2, 3), Mat::Constant(1, 2, 0.5f)};
  Tape tape;
  const Var loss = sum(square(tape.param(p)));
  tape.backward(loss);
  CHECK((p.grad == 6.5f).all());
  tape.backward(loss);
  CHECK((p.grad == 12.5f).all());
}

TEST_CASE("a Param used several times adds its gradients, as a Var and in a layer", "[autodiff]") {
  Rng rng(202);
  Param W{rng.normal(3, 3), Mat::Zero(3, 3)}, b{rng.normal(3, 1), Mat::Zero(3, 1)};
  const Mat x = rng.normal(3, 4), weights = rng.normal(3, 4);
  const auto f = [&](Tape& tape) {
    const Var h = affine(W, tanh(affine(W, tape.constant(x), b)), b);
    return matmul(tape.param(W), h) + tape.param(b) + sum(tape.param(W));
  };
  Tape tape;
  tape.backward(weighted_sum(f(tape), weights));
  CHECK(param_error({&W, &b}, [&] {
          Tape numbers;
          return double((weights * f(numbers).value()).sum());
        }) < gradient_tolerance);
}

TEST_CASE("constants, and what is computed from them alone, get no gradient and their rules never run", "[autodiff]") {
  Tape tape;
  int on_constants = 0, on_input = 0;
  const Var c = tape.constant(Mat::Constant(2, 2, 3)), x = tape.input(Mat::Constant(2, 2, 5));
  const Var from_c = doubled(exp(c) + c, on_constants), from_x = doubled(x, on_input);
  const Var loss = mean(from_c * from_x);
  tape.backward(loss);
  CHECK(on_constants == 0);
  CHECK(on_input == 1);
  CHECK_FALSE(c.needs_grad());
  CHECK_FALSE(from_c.needs_grad());
  CHECK(from_x.needs_grad());
  CHECK(loss.needs_grad());
  CHECK(max_abs(c.grad()) == 0);
  CHECK(max_abs(from_c.grad()) == 0);
  CHECK(max_abs(x.grad()) > 0);
  const Mat numbers = Mat::Constant(2, 2, 4);
  for (Var y : {c + numbers, c - numbers, c * numbers, c / numbers, numbers + c, numbers - c, numbers * c, numbers / c,
                matmul(c, numbers), matmul(numbers, c), min(c, c), concat(c, c), mean(c), -c})
    CHECK_FALSE(y.needs_grad());
  CHECK_FALSE(tape.zero().needs_grad());
  CHECK(tape.zero().item() == 0);
  const Var constant_loss = sum(from_c);
  tape.backward(constant_loss);
  CHECK(on_constants == 0);
  CHECK(max_abs(x.grad()) == 0);
}

TEST_CASE("what the loss does not depend on costs nothing in backward", "[autodiff]") {
  Tape tape;
  int unused = 0, used = 0;
  const Var x = tape.input(Mat::Ones(2, 2));
  doubled(x, unused);
  const Var loss = sum(doubled(x, used));
  doubled(x, unused);
  tape.backward(loss);
  CHECK(unused == 0);
  CHECK(used == 1);
}

TEST_CASE("detach keeps the value and stops the gradient", "[autodiff]") {
  Rng rng(203);
  const Mat x = rng.normal(2, 3);
  Tape tape;
  const Var in = tape.input(x), stopped = detach(square(in));
  CHECK(distance(stopped.value(), Mat(x * x)) < rounding);
  CHECK(distance(detach(x), x) == 0);
  CHECK_FALSE(stopped.needs_grad());
  const Var loss = sum(stopped * in);
  tape.backward(loss);
  const Mat dx = in.grad();
  CHECK(distance(dx, Mat(x * x)) < rounding);  // 3 x^2 if the gradient went through both
}

TEST_CASE("a tape that is cleared and used again gives the same numbers", "[autodiff]") {
  Rng rng(204);
  MLP net({3, 6, 6, 2}, Activation::swish, Init::kaiming_uniform, rng);
  const Mat x = rng.normal(3, 5), other = rng.normal(3, 11);
  const auto run = [&](Tape& tape, const Mat& numbers) {
    zero_grad(params(net));
    const Var in = tape.input(numbers), y = net(in), loss = mean(square(concat(y, y)));
    tape.backward(loss);
    Outcome out{y.value(), in.grad(), {}};
    for (Param* p : params(net)) out.grads.push_back(p->grad);
    return out;
  };
  Tape fresh, used;
  const Outcome expected = run(fresh, x);
  run(used, other);  // other shapes, then another graph of which nothing may remain
  used.clear();
  const Var stale = used.input(Mat::Ones(4, 4));
  used.backward(sum(exp(stale)));
  used.clear();
  CHECK(used.used == 0);
  for (int i = 0; i < 3; ++i) {
    CHECK(run(used, x) == expected);
    used.clear();
  }
  CHECK(max_abs(expected.dx) > 0);
}

TEST_CASE("after clear, a number behind the loss has no gradient left from the step before", "[autodiff]") {
  Tape tape;
  for (int size : {1, 3}) {
    const Var x = tape.input(Mat::Ones(size, 1)), loss = sum(x), behind = exp(x);
    if (size == 1) tape.backward(behind);
    else tape.backward(loss);
    const Mat grad = behind.grad();
    CHECK(distance(grad, Mat::Constant(size, 1, size == 1)) == 0);
    tape.clear();
  }
}

TEST_CASE("an input that becomes a constant in the next step gets no gradient any more", "[autodiff]") {
  Tape tape;
  int calls = 0;
  for (bool learns : {true, false, true}) {
    const Var x = learns ? tape.input(Mat::Ones(1, 1)) : tape.constant(Mat::Ones(1, 1));
    const Var y = tape.input(Mat::Ones(1, 1)), loss = doubled(x, calls) * y;
    tape.backward(loss);
    CHECK(x.grad()(0, 0) == (learns ? 2 : 0));
    CHECK(y.grad()(0, 0) == 2);
    tape.clear();
  }
  CHECK(calls == 2);
}

TEST_CASE("a chain of 20000 operations does not overflow the stack", "[autodiff]") {
  Tape tape;
  const Var x = tape.input(Mat::Constant(2, 2, 0.5f));
  Var y = x;
  for (int i = 0; i < 10000; ++i) y = -(y + Real(0x1p-20));
  tape.backward(sum(y));
  CHECK((x.value() == Real(0.5)).all());
  const Mat dx = x.grad();
  CHECK((dx == 1).all());  // an even number of sign changes
  CHECK(tape.used == 1 + 20000 * 1 + 1);
}

#ifndef NDEBUG
TEST_CASE("debug builds assert: a Var used after clear, wrong shapes, two tapes", "[autodiff]") {
  if (!is_double) return;  // the float tests are linked to the programs' operations, which do not
  Tape tape, other;
  const Var x = tape.input(Mat::Ones(2, 3)), y = other.input(Mat::Ones(2, 3));
  CHECK_FALSE(asserts([&] { tape.backward(sum(x * x)); }));
  CHECK(asserts([&] { x + y; }));
  CHECK(asserts([&] { x + Mat::Ones(3, 2); }));
  CHECK(asserts([&] { x* Mat::Ones(2, 2); }));
  CHECK(asserts([&] { matmul(x, x); }));
  CHECK(asserts([&] { matmul(x.value(), x.value()); }));
  CHECK(asserts([&] { concat(x, transpose(x)); }));
  CHECK(asserts([&] { append_cols(x, transpose(x)); }));
  CHECK(asserts([&] { rows(x, 1, 2); }));
  CHECK(asserts([&] { cols(x, 2, 2); }));
  CHECK(asserts([&] { x.item(); }));
  CHECK(asserts([&] { tape.backward(x); }));
  CHECK(asserts([&] { other.backward(sum(x)); }));
  CHECK(asserts([&] { Var().value(); }));
  const Var old = sum(x);
  tape.clear();
  tape.input(Mat::Ones(2, 3));
  tape.input(Mat::Ones(1, 1));
  CHECK(asserts([&] { x.value(); }));
  CHECK(asserts([&] { x.grad(); }));
  CHECK(asserts([&] { exp(x); }));
  CHECK(asserts([&] { x + x; }));
  CHECK(asserts([&] { tape.backward(old); }));
}
#endif

TEST_CASE("all gradients of an MLP agree with central differences, for each activation", "[autodiff]") {
  for (Activation f : activations) {
    Rng rng(205);
    MLP net({3, 6, 5, 2}, f, Init::kaiming_uniform, rng);
    Mat x = rng.normal(3, 4);
    const Mat weights = rng.normal(2, 4);
    CAPTURE(int(f));
    Tape tape;
    const Var in = tape.input(x), y = net(in);
    CHECK(distance(y.value(), net(x)) < 1e-6);
    tape.backward(weighted_sum(y, weights));
    const auto loss = [&] { return (weights.cast<double>() * net(x).cast<double>()).sum(); };
    CHECK(params(net).size() == 6);
    CHECK(param_error(params(net), loss) < gradient_tolerance);
    const Mat dx = in.grad();
    CHECK(difference_error(x, dx, loss) < gradient_tolerance);
  }
}

TEST_CASE("an MLP is its layers in turn, the activation after every layer but the last", "[autodiff]") {
  Rng rng(206);
  for (Activation f : activations) {
    MLP net({2, 3, 4, 2}, f, Init::kaiming_uniform, rng);
    const Mat x = rng.normal(2, 5);
    Eigen::ArrayXXd h = x.cast<double>();
    for (std::size_t l = 0; l < net.layers.size(); ++l) {
      const Eigen::MatrixXd W = net.layers[l].W.value.cast<double>().matrix();
      h = ((W * h.matrix()).colwise() + net.layers[l].b.value.cast<double>().col(0).matrix()).array();
      if (l + 1 == net.layers.size()) break;
      for (double& v : h.reshaped())
        v = f == Activation::tanh ? std::tanh(v) : f == Activation::relu ? std::max(v, 0.0) : v / (1 + std::exp(-v));
    }
    CHECK(distance(net(x), h) < rounding);
    CHECK(distance(std::as_const(net)(x), h) < rounding);
    Tape tape;
    CHECK(distance(net(tape.constant(x)).value(), h) < rounding);
    CHECK(distance(frozen(net)(tape.constant(x)).value(), h) < rounding);
  }
}

TEST_CASE("a frozen network passes the gradient to its input and keeps its own weights' gradients", "[autodiff]") {
  Rng rng(207);
  MLP pi({3, 8, 2}, Activation::tanh, Init::kaiming_uniform, rng),
      Q1({5, 8, 1}, Activation::swish, Init::kaiming_uniform, rng),
      Q2({5, 8, 1}, Activation::swish, Init::kaiming_uniform, rng);
  const Mat s = rng.normal(3, 6);
  const auto objective = [&](Tape& tape) {
    const Var in = tape.constant(s), a = tanh(pi(in)), sa = concat(in, a);
    return mean(Real(0.25) * square(a)) - mean(min(frozen(Q1)(sa), frozen(Q2)(sa)));
  };
  zero_grad(params(pi));
  for (Param* p : params(Q1, Q2)) p->grad.setConstant(7);
  Tape tape;
  const Var loss = objective(tape);
  tape.backward(loss);
  CHECK(param_error(params(pi), [&] {
          Tape numbers;
          return double(objective(numbers).item());
        }) < gradient_tolerance);
  for (Param* p : params(Q1, Q2)) CHECK((p->grad == 7).all());
  CHECK_FALSE(frozen(Q1)(tape.constant(rng.normal(5, 2))).needs_grad());
}

TEST_CASE("ten steps of a recursion with shared weights: the gradient through time", "[autodiff]") {
  Rng rng(208);
  MLP pi({2, 5, 1}, Activation::tanh, Init::glorot, rng), model({3, 6, 2}, Activation::swish, Init::glorot, rng);
  Mat s0 = rng.normal(2, 3);
  const auto J = [&](Tape& tape, Var start) {
    Var s = start, total = tape.zero();
    for (int t = 0; t < 10; ++t) {
      const Var a = pi(s);
      s = s + Real(0.3) * frozen(model)(concat(s, a));
      total = total + Real(std::pow(0.9, t)) * mean(square(s) - Real(0.1) * rows(s, 0, 1) * a);
    }
    return total;
  };
  zero_grad(params(pi, model));
  Tape tape;
  const Var start = tape.input(s0), loss = J(tape, start);
  tape.backward(loss);
  const Mat ds = start.grad();
  const auto number = [&] {
    Tape numbers;
    return double(J(numbers, numbers.constant(s0)).item());
  };
  CHECK(param_error(params(pi), number) < gradient_tolerance);
  CHECK(difference_error(s0, ds, number) < gradient_tolerance);
  for (Param* p : params(model)) CHECK((p->grad == 0).all());
}

TEST_CASE("the gradient penalty of a two-layer ReLU critic in closed form", "[autodiff]") {
  Rng rng(209);
  Param W1{rng.normal(7, 3), Mat::Zero(7, 3)}, b1{rng.normal(7, 1), Mat::Zero(7, 1)},
      w2{rng.normal(7, 1), Mat::Zero(7, 1)};
  const Mat x = rng.normal(3, 5);
  const auto mask = [&] { return Mat((affine(W1, x, b1) > 0).cast<Real>()); };  // (hidden, batch)

  // dD/dx = W1^T (w2 * 1[h > 0]) for the critic D = w2^T relu(W1 x + b1)
  Tape tape;
  const Var slope = matmul(transpose(tape.param(W1)), tape.param(w2) * mask());  // (in, batch)
  const Var penalty = mean(square(sqrt(colwise_sum(square(slope))) - Real(1)));

  Tape critic;
  const Var in = critic.input(x);
  const Var D = matmul(transpose(critic.constant(w2.value)), relu(affine(std::as_const(W1), in, std::as_const(b1))));
  critic.backward(sum(D));
  const Mat dx = in.grad();
  CHECK(distance(slope.value(), dx) < rounding);

  tape.backward(penalty);
  const Mat fixed = mask();  // the penalty is differentiated where no unit changes sides
  const auto number = [&] {
    double total = 0;
    for (int n = 0; n < 5; ++n) {
      double squares = 0;
      for (int d = 0; d < 3; ++d) {
        double g = 0;
        for (int k = 0; k < 7; ++k) g += double(W1.value(k, d)) * w2.value(k, 0) * fixed(k, n);
        squares += g * g;
      }
      total += (std::sqrt(squares) - 1) * (std::sqrt(squares) - 1) / 5;
    }
    return total;
  };
  CHECK(near(penalty.item(), number(), rounding));
  CHECK(param_error({&W1, &w2}, number) < gradient_tolerance);
  CHECK((b1.grad == 0).all());
}

TEST_CASE("pairwise squared distances and a Gaussian kernel: the MMD of two sets of features", "[autodiff]") {
  Rng rng(210);
  const Mat x = rng.normal(3, 5), y = rng.normal(3, 4);
  const auto distances = [](Var a, Var b) {  // |a_i|^2 + |b_j|^2 - 2 a_i b_j, (a.cols, b.cols)
    return transpose(colwise_sum(square(a))) + colwise_sum(square(b)) - 2 * matmul(transpose(a), b);
  };
  const auto kernel = [&](Var a, Var b) { return mean(exp(distances(a, b) / Real(-2))); };
  const auto mmd = [&](Var a, Var b) { return kernel(a, a) + kernel(b, b) - 2 * kernel(a, b); };
  Tape tape;
  const Var d = distances(tape.input(x), tape.input(y));
  Mat expected(5, 4);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 4; ++j) expected(i, j) = (x.col(i) - y.col(j)).square().sum();
  CHECK(distance(d.value(), expected) < rounding);
  CHECK(gradient_error([&](const auto& v) { return distances(v[0], v[1]); }, {x, y}, rng) < gradient_tolerance);
  CHECK(gradient_error([&](const auto& v) { return mmd(v[0], v[1]); }, {x, y}, rng) < gradient_tolerance);
  CHECK(std::abs(mmd(tape.constant(x), tape.constant(x)).item()) < 1e-6);
}

TEST_CASE("the gradients of losses the chapters use agree with central differences", "[autodiff]") {
  Rng rng(211);
  const Mat mu = rng.normal(3, 4), log_var = rng.normal(3, 4), target = rng.normal(3, 4), xi = rng.normal(3, 4);
  // Gaussian negative log-likelihood with softly bounded log-variance
  CHECK(gradient_error(
            [&](const auto& v) {
              const Var high = v[2] - softplus(v[2] - v[1]), bounded = v[3] + softplus(high - v[3]);
              return mean(square(v[0] - target) * exp(-bounded) + bounded);
            },
            {mu, log_var, Mat::Constant(3, 1, 0.5f), Mat::Constant(3, 1, -2)}, rng) < gradient_tolerance);
  // squashed Gaussian: a = tanh(u), u = mu + sigma xi, log pi(a|s) per sample
  CHECK(gradient_error(
            [&](const auto& v) {
              const Var log_std = clamp(v[1], -5, 2), u = v[0] + exp(log_std) * xi;
              const Var logp = -log_std - 2 * (Real(std::log(2)) - u - softplus(-2 * u));
              return concat(tanh(u), colwise_sum(logp));
            },
            {mu, log_var}, rng) < gradient_tolerance);
  // cross-entropy with soft labels; an angle; a clipped ratio
  const Mat labels = exp(log_softmax(target));
  CHECK(gradient_error([&](const auto& v) { return -mean(colwise_sum(labels * log_softmax(v[0]))); }, {mu}, rng) <
        gradient_tolerance);
  CHECK(gradient_error(
            [&](const auto& v) {
              return atan2(sin(v[0]) * sigmoid(v[1]), cos(v[0]) + Real(1.5)) + sqrt(square(v[0]) + Real(0.25)) +
                     abs(v[1] + 9);
            },
            {mu, log_var}, rng) < gradient_tolerance);
  CHECK(gradient_error(
            [&](const auto& v) {
              const Var ratio = exp(v[0] - v[1]);
              return min(ratio * xi, clamp(ratio, Real(0.8), Real(1.2)) * xi);
            },
            {mu, Mat(mu + Real(0.31) * log_var.sign())}, rng) < gradient_tolerance);
}

TEST_CASE("a number behind the loss has zero gradient, even after the backward of a later loss", "[autodiff]") {
  Tape tape;
  const Var x = tape.input(Mat::Constant(1, 1, 3)), a = square(x), b = 5 * a, c = 2 * b;
  tape.backward(c);
  CHECK(b.grad()(0, 0) == 2);
  tape.backward(a);
  CHECK(x.grad()(0, 0) == 6);
  CHECK(b.grad()(0, 0) == 0);
}

TEST_CASE("the example of autodiff/README.md gives the numbers printed there", "[autodiff]") {
  Param w{.value = Mat(1, 2), .grad = Mat::Zero(1, 2)}, b{.value = Mat::Zero(1, 1), .grad = Mat::Zero(1, 1)};
  w.value << 0.5, -0.5;
  Mat x(2, 3);
  x << 1, 2, 3,  //
      1, 0, -1;
  Tape tape;
  Var h = affine(w, tape.constant(x), b);
  Var y = tanh(h);
  Var loss = mean(square(y));
  tape.backward(loss);
  const auto shows = [](const Mat& numbers, std::vector<double> printed) {
    for (std::size_t i = 0; i < printed.size(); ++i) CHECK(std::abs(numbers(0, i) - printed[i]) < 0.5e-4);
  };
  shows(h.value(), {0, 1, 2});
  shows(y.value(), {0, 0.7616, 0.9640});
  shows(loss.value(), {0.5031});
  shows(h.grad(), {0, 0.2132, 0.0454});
  shows(y.grad(), {0, 0.5077, 0.6427});
  shows(w.grad, {0.5627, -0.0454});
  shows(b.grad, {0.2586});
}

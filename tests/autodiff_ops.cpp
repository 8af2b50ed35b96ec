// Every operation: its value against a formula in double, its gradient against the derivative by hand and against
// central differences.
#include "tests/gradient_check.h"

namespace {

constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

struct Unary {
  std::string name;
  std::function<Var(Var)> recorded;
  std::function<Mat(const Mat&)> numbers;
  std::function<double(double)> value, derivative;
  double low, high;
};
template <class F, class V, class D>
Unary unary(const std::string& name, F f, V v, D d, double low = -3, double high = 3) {
  return {name, [f](Var x) { return f(x); }, [f](const Mat& x) -> Mat { return f(x); }, v, d, low, high};
}

std::vector<Unary> unary_operations() {
  return {
      unary(
          "exp", [](const auto& x) { return exp(x); }, [](double x) { return std::exp(x); },
          [](double x) { return std::exp(x); }),
      unary(
          "log", [](const auto& x) { return log(x); }, [](double x) { return std::log(x); },
          [](double x) { return 1 / x; }, 0.3, 3),
      unary(
          "sqrt", [](const auto& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); },
          [](double x) { return 0.5 / std::sqrt(x); }, 0.3, 3),
      unary(
          "square", [](const auto& x) { return square(x); }, [](double x) { return x * x; },
          [](double x) { return 2 * x; }),
      unary(
          "abs", [](const auto& x) { return abs(x); }, [](double x) { return std::fabs(x); },
          [](double x) { return x > 0 ? 1 : -1; }),
      unary(
          "sin", [](const auto& x) { return sin(x); }, [](double x) { return std::sin(x); },
          [](double x) { return std::cos(x); }),
      unary(
          "cos", [](const auto& x) { return cos(x); }, [](double x) { return std::cos(x); },
          [](double x) { return -std::sin(x); }),
      unary(
          "tanh", [](const auto& x) { return tanh(x); }, [](double x) { return std::tanh(x); },
          [](double x) { return 1 / (std::cosh(x) * std::cosh(x)); }),
      unary(
          "sigmoid", [](const auto& x) { return sigmoid(x); }, sigma, [](double x) { return sigma(x) * sigma(-x); }),
      unary(
          "softplus", [](const auto& x) { return softplus(x); }, [](double x) { return std::log(1 + std::exp(x)); },
          sigma),
      unary(
          "relu", [](const auto& x) { return relu(x); }, [](double x) { return x > 0 ? x : 0; },
          [](double x) { return x > 0 ? 1 : 0; }),
      unary(
          "swish", [](const auto& x) { return swish(x); }, [](double x) { return x * sigma(x); },
          [](double x) { return sigma(x) + x * sigma(x) * sigma(-x); }),
      unary(
          "clamp", [](const auto& x) { return clamp(x, Real(-0.75), Real(0.875)); },
          [](double x) { return x < -0.75   ? -0.75
                                : x > 0.875 ? 0.875
                                            : x; },
          [](double x) { return x > -0.75 && x < 0.875 ? 1 : 0; }),
      unary(
          "-x", [](const auto& x) { return -x; }, [](double x) { return -x; }, [](double) { return -1; }),
      unary(
          "x + c", [](const auto& x) { return x + Real(1.75); }, [](double x) { return x + 1.75; },
          [](double) { return 1; }),
      unary(
          "c + x", [](const auto& x) { return Real(1.75) + x; }, [](double x) { return x + 1.75; },
          [](double) { return 1; }),
      unary(
          "x - c", [](const auto& x) { return x - Real(1.75); }, [](double x) { return x - 1.75; },
          [](double) { return 1; }),
      unary(
          "c - x", [](const auto& x) { return Real(1.75) - x; }, [](double x) { return 1.75 - x; },
          [](double) { return -1; }),
      unary(
          "x c", [](const auto& x) { return x * Real(2.5); }, [](double x) { return 2.5 * x; },
          [](double) { return 2.5; }),
      unary(
          "c x", [](const auto& x) { return Real(2.5) * x; }, [](double x) { return 2.5 * x; },
          [](double) { return 2.5; }),
      unary(
          "x / c", [](const auto& x) { return x / Real(2.5); }, [](double x) { return x / 2.5; },
          [](double) { return 0.4; }),
      unary(
          "c / x", [](const auto& x) { return Real(2.5) / x; }, [](double x) { return 2.5 / x; },
          [](double x) { return -2.5 / (x * x); }, 0.4, 3),
  };
}

struct Binary {
  std::string name;
  std::function<Var(Var, Var)> recorded;
  std::function<Var(Var, const Mat&)> right_constant;
  std::function<Var(const Mat&, Var)> left_constant;
  std::function<Mat(const Mat&, const Mat&)> numbers;
  std::function<double(double, double)> value, by_a, by_b;
};

template <class F, class V, class A, class B>
Binary binary(const std::string& name, F f, V v, A by_a, B by_b) {
  return {name,
          [f](Var a, Var b) { return f(a, b); },
          nullptr,
          nullptr,
          [f](const Mat& a, const Mat& b) -> Mat { return f(a, b); },
          v,
          by_a,
          by_b};
}
// + - * / also take a Mat on one side.
template <class F, class V, class A, class B>
Binary arithmetic(const std::string& name, F f, V v, A by_a, B by_b) {
  Binary op = binary(name, f, v, by_a, by_b);
  op.right_constant = [f](Var a, const Mat& b) { return f(a, b); };
  op.left_constant = [f](const Mat& a, Var b) { return f(a, b); };
  return op;
}

std::vector<Binary> binary_operations() {
  return {
      arithmetic(
          "a + b", [](const auto& a, const auto& b) { return a + b; }, [](double a, double b) { return a + b; },
          [](double, double) { return 1; }, [](double, double) { return 1; }),
      arithmetic(
          "a - b", [](const auto& a, const auto& b) { return a - b; }, [](double a, double b) { return a - b; },
          [](double, double) { return 1; }, [](double, double) { return -1; }),
      arithmetic(
          "a b", [](const auto& a, const auto& b) { return a * b; }, [](double a, double b) { return a * b; },
          [](double, double b) { return b; }, [](double a, double) { return a; }),
      arithmetic(
          "a / b", [](const auto& a, const auto& b) { return a / b; }, [](double a, double b) { return a / b; },
          [](double, double b) { return 1 / b; }, [](double a, double b) { return -a / (b * b); }),
      binary(
          "min", [](const auto& a, const auto& b) { return min(a, b); },
          [](double a, double b) { return a < b ? a : b; }, [](double a, double b) { return a < b; },
          [](double a, double b) { return b < a; }),
      binary(
          "max", [](const auto& a, const auto& b) { return max(a, b); },
          [](double a, double b) { return a > b ? a : b; }, [](double a, double b) { return a > b; },
          [](double a, double b) { return b > a; }),
      binary(
          "atan2", [](const auto& a, const auto& b) { return atan2(a, b); },
          [](double a, double b) { return std::atan2(a, b); }, [](double a, double b) { return b / (a * a + b * b); },
          [](double a, double b) { return -a / (a * a + b * b); }),
  };
}

// Operands between which nothing is near a kink: b is a or -a, moved by at least 0.1 in size; |b| > 0.3.
Mat partner(const Mat& a, Rng& rng) {
  Mat b(a.rows(), a.cols());
  for (Eigen::Index i = 0; i < a.size(); ++i)
    b.data()[i] =
        (rng.below(2) ? 1 : -1) * Real(std::abs(a.data()[i]) < 1.2 ? rng.uniform(1.35, 2) : rng.uniform(0.4, 1.1));
  return b;
}

// Value and gradients that op must have for a and b broadcast to their common shape, in double, one element at a time.
struct Expected {
  Eigen::ArrayXXd y, da, db;
  Expected(const Binary& op, const Mat& a, const Mat& b, const Mat& dy)
      : y(dy.rows(), dy.cols()),
        da(Eigen::ArrayXXd::Zero(a.rows(), a.cols())),
        db(Eigen::ArrayXXd::Zero(b.rows(), b.cols())) {
    for (Eigen::Index j = 0; j < dy.cols(); ++j)
      for (Eigen::Index i = 0; i < dy.rows(); ++i) {
        const double p = at(a, i, j), q = at(b, i, j);
        y(i, j) = op.value(p, q);
        da(a.rows() == 1 ? 0 : i, a.cols() == 1 ? 0 : j) += dy(i, j) * op.by_a(p, q);
        db(b.rows() == 1 ? 0 : i, b.cols() == 1 ? 0 : j) += dy(i, j) * op.by_b(p, q);
      }
  }
};

}  // namespace

TEST_CASE("a function of one number: value and derivative are those of the formula, element by element", "[autodiff]") {
  Rng rng(101);
  for (const Unary& op : unary_operations())
    for (const auto& [rows, cols] : shapes) {
      CAPTURE(op.name, rows, cols);
      const Mat x = away_from_kinks(rows, cols, op.low, op.high, rng), dy = rng.normal(rows, cols);
      Mat value(rows, cols), dx(rows, cols);
      for (Eigen::Index i = 0; i < x.size(); ++i) {
        value.data()[i] = Real(op.value(x.data()[i]));
        dx.data()[i] = Real(dy.data()[i] * op.derivative(x.data()[i]));
      }
      Tape tape;
      const Var in = tape.input(x), y = op.recorded(in);
      tape.backward(weighted_sum(y, dy));
      const Mat gradient = in.grad();
      CHECK(distance(y.value(), value) < rounding);
      CHECK(distance(op.numbers(x), value) < rounding);
      CHECK(distance(gradient, dx) < rounding);
      CHECK(distance(op.numbers(x), y.value()) < 1e-6);
      CHECK(gradient_error([&](const auto& v) { return op.recorded(v[0]); }, {x}, rng) < gradient_tolerance);
    }
}

TEST_CASE("a function of two numbers: value and derivatives are right for every way of broadcasting", "[autodiff]") {
  Rng rng(102);
  for (const Binary& op : binary_operations())
    for (const auto& [rows, cols] : shapes)
      for (int kind = 0; kind < 16; ++kind) {  // each operand whole, one row, one column, one number
        const int a_rows = kind & 1 ? 1 : rows, a_cols = kind & 2 ? 1 : cols;
        const int b_rows = kind & 4 ? 1 : rows, b_cols = kind & 8 ? 1 : cols;
        const int y_rows = std::max(a_rows, b_rows), y_cols = std::max(a_cols, b_cols);
        CAPTURE(op.name, a_rows, a_cols, b_rows, b_cols);
        const Mat whole = away_from_kinks(rows, cols, -2, 2, rng), other = partner(whole, rng);
        Mat a = whole.topLeftCorner(a_rows, a_cols), b = other.topLeftCorner(b_rows, b_cols);
        if (a.size() != b.size())
          a = a.sign() * (a.abs() * Real(0.2) + Real(0.5)), b = b.sign() * (b.abs() * Real(0.2) + Real(1.3));
        const Mat dy = rng.normal(y_rows, y_cols);
        const Expected expected(op, a, b, dy);

        Tape tape;
        const Var a_in = tape.input(a), b_in = tape.input(b), y = op.recorded(a_in, b_in);
        tape.backward(weighted_sum(y, dy));
        const Mat da = a_in.grad(), db = b_in.grad();
        CHECK(distance(y.value(), expected.y) < rounding);
        CHECK(distance(da, expected.da) < rounding);
        CHECK(distance(db, expected.db) < rounding);
        if (a.rows() == b.rows() && a.cols() == b.cols()) CHECK(distance(op.numbers(a, b), expected.y) < rounding);
        CHECK(gradient_error([&](const auto& v) { return op.recorded(v[0], v[1]); }, {a, b}, rng) < gradient_tolerance);
      }
}

TEST_CASE("a Mat beside a Var is a constant, broadcast like any other", "[autodiff]") {
  Rng rng(103);
  for (const Binary& op : binary_operations())
    for (int kind = 0; kind < 16; ++kind) {
      if (!op.right_constant) continue;
      CAPTURE(op.name, kind);
      const Mat a = away_from_kinks(kind & 1 ? 1 : 3, kind & 2 ? 1 : 4, 0.5, 2, rng);
      const Mat b = away_from_kinks(kind & 4 ? 1 : 3, kind & 8 ? 1 : 4, 0.5, 2, rng);
      const Mat dy = rng.normal(std::max(a.rows(), b.rows()), std::max(a.cols(), b.cols()));
      const Expected expected(op, a, b, dy);
      Tape tape;
      const Var a_in = tape.input(a), b_in = tape.input(b);
      const Var right = op.right_constant(a_in, b), left = op.left_constant(a, b_in);
      CHECK(distance(right.value(), expected.y) < rounding);
      CHECK(distance(left.value(), expected.y) < rounding);
      tape.backward(weighted_sum(right, dy));
      const Mat da = a_in.grad(), none = b_in.grad();
      CHECK(distance(da, expected.da) < rounding);
      CHECK((none == 0).all());
      tape.backward(weighted_sum(left, dy));
      const Mat db = b_in.grad();
      CHECK(distance(db, expected.db) < rounding);
    }
}

TEST_CASE("an expression of Mats may stand beside a Var", "[autodiff]") {
  Rng rng(104);
  const Mat a = rng.normal(3, 4), b = rng.normal(3, 4);
  Tape tape;
  const Var x = tape.input(a);
  CHECK(distance((x * (2 * b + 1)).value(), Mat(a * (2 * b + 1))) < rounding);
  CHECK(distance(((2 * b + 1) - x).value(), Mat(2 * b + 1 - a)) < rounding);
}

TEST_CASE("of two equal numbers min and max give the gradient to exactly one", "[autodiff]") {
  const Mat x = Mat::Constant(2, 3, 0.5f), dy = Mat::Constant(2, 3, 1.5f);
  for (bool smaller : {true, false}) {
    Tape tape;
    const Var a = tape.input(x), b = tape.input(x), y = smaller ? min(a, b) : max(a, b);
    tape.backward(weighted_sum(y, dy));
    const Mat da = a.grad(), db = b.grad();
    CHECK((y.value() == x).all());
    CHECK((da + db == dy).all());
    CHECK((da * db == 0).all());
  }
}

TEST_CASE("a kink has a finite derivative that lies between its two sides", "[autodiff]") {
  const auto derivative = [&](const std::function<Var(Var)>& f, Real at) {
    Tape tape;
    const Var x = tape.input(Mat::Constant(1, 1, at));
    tape.backward(f(x));
    return x.grad()(0, 0);
  };
  CHECK(derivative([](Var x) { return abs(x); }, 0) == 0);
  CHECK(derivative([](Var x) { return relu(x); }, 0) == 0);
  CHECK(derivative([](Var x) { return clamp(x, -1, 1); }, 1) == 0);
  CHECK(derivative([](Var x) { return clamp(x, -1, 1); }, -1) == 0);
  CHECK(derivative([](Var x) { return abs(x); }, Real(-0.0)) == 0);
}

TEST_CASE("a NaN is never swallowed", "[autodiff]") {
  for (const Unary& op : unary_operations())
    for (Eigen::Index place : {0, 1, 7, 16, 18}) {  // in a packet of the vectorised loop, and in the rest
      CAPTURE(op.name, place);
      Mat x = Mat::Constant(19, 1, Real(0.5));
      x(place, 0) = not_a_number;
      Tape tape;
      const Mat recorded = op.recorded(tape.input(x)).value(), numbers = op.numbers(x);
      CHECK(std::isnan(recorded(place, 0)));
      CHECK(std::isnan(numbers(place, 0)));
      CHECK(recorded.isNaN().count() == 1);
    }
  for (const Binary& op : binary_operations())
    for (Eigen::Index place : {0, 3, 18}) {
      CAPTURE(op.name, place);
      Mat x = Mat::Constant(19, 1, Real(0.5));
      const Mat low = Mat::Constant(19, 1, Real(0.25)), high = Mat::Constant(19, 1, Real(0.75));
      x(place, 0) = not_a_number;
      Tape tape;
      for (const Mat& other : {low, high}) {
        CHECK(std::isnan(op.recorded(tape.input(x), tape.input(other)).value()(place, 0)));
        CHECK(std::isnan(op.recorded(tape.input(other), tape.input(x)).value()(place, 0)));
        CHECK(std::isnan(op.numbers(x, other)(place, 0)));
        CHECK(std::isnan(op.numbers(other, x)(place, 0)));
      }
    }
  Mat x = Mat::Zero(3, 2);
  x(1, 0) = not_a_number;
  CHECK(log_softmax(x).col(0).isNaN().any());
  CHECK(std::isnan(sum(x)));
  CHECK(std::isnan(mean(x)));
}

TEST_CASE("softplus, sigmoid, swish and tanh stay finite and right far out", "[autodiff]") {
  struct Row {
    Real x;
    double softplus, sigmoid, swish, tanh, d_softplus, d_swish;
  };
  for (const Row& r : {Row{100, 100, 1, 100, 1, 1, 1}, Row{-100, 0, 0, 0, -1, 0, 0}, Row{10000, 1e4, 1, 1e4, 1, 1, 1},
                       Row{-10000, 0, 0, 0, -1, 0, 0}, Row{0, std::log(2), 0.5, 0, 0, 0.5, 0.5}})
    for (int n : {1, 19}) {  // alone, and in a vectorised loop
      CAPTURE(r.x, n);
      Tape tape;
      const Var x = tape.input(Mat::Constant(n, 1, r.x));
      const auto is = [&](const std::function<Var(Var)>& f, double value, double slope) {
        const Var y = f(x);
        const Mat ones = Mat::Ones(n, 1);
        tape.backward(weighted_sum(y, ones));
        const Mat dx = x.grad();
        CHECK(distance(y.value(), Mat::Constant(n, 1, Real(value))) < 1e-6);
        CHECK(distance(dx, Mat::Constant(n, 1, Real(slope))) < 1e-6);
      };
      is([](Var x) { return softplus(x); }, r.softplus, r.d_softplus);
      is([](Var x) { return sigmoid(x); }, r.sigmoid, r.sigmoid * (1 - r.sigmoid));
      is([](Var x) { return swish(x); }, r.swish, r.d_swish);
      is([](Var x) { return tanh(x); }, r.tanh, 1 - r.tanh * r.tanh);
    }
  const Mat small = Mat::Constant(19, 1, Real(-30));
  CHECK(near(softplus(small)(3) * std::exp(30.0), 1, 1e-4));  // log(1 + y), not rounded to log(1)
  CHECK(near(sigmoid(small)(3) * std::exp(30.0), 1, 1e-4));
}

TEST_CASE("log_softmax is x - log sum exp(x) in each column, however large x is", "[autodiff]") {
  Rng rng(105);
  for (const auto& [rows, cols] : shapes) {
    CAPTURE(rows, cols);
    const Mat x = rng.normal(rows, cols), dy = rng.normal(rows, cols);
    Mat value(rows, cols), dx(rows, cols);
    for (int j = 0; j < cols; ++j) {
      double total = 0, dy_total = 0;
      for (int i = 0; i < rows; ++i) total += std::exp(double(x(i, j))), dy_total += dy(i, j);
      for (int i = 0; i < rows; ++i) {
        value(i, j) = Real(x(i, j) - std::log(total));
        dx(i, j) = Real(dy(i, j) - std::exp(double(x(i, j))) / total * dy_total);
      }
    }
    Tape tape;
    const Var in = tape.input(x), y = log_softmax(in);
    tape.backward(weighted_sum(y, dy));
    const Mat gradient = in.grad();
    CHECK(distance(y.value(), value) < rounding);
    CHECK(distance(log_softmax(x), value) < rounding);
    CHECK(distance(gradient, dx) < rounding);
    CHECK(gradient_error([](const auto& v) { return log_softmax(v[0]); }, {x}, rng) < gradient_tolerance);
  }
  Mat x(3, 4);
  x << 1e4f, -1e4f, -1e4f, 1e4f, -1e4f, -1e4f, 0, 1e4f, -1e4f, -1e4f, 1e4f, 1e4f;
  const double third = -std::log(3.0);
  Mat y(3, 4);
  y << 0, Real(third), -2e4f, Real(third), -2e4f, Real(third), -1e4f, Real(third), -2e4f, Real(third), 0, Real(third);
  CHECK(distance(log_softmax(x), y) < rounding);
  Tape tape;
  const Var in = tape.input(x), out = log_softmax(in);
  Mat first = Mat::Zero(3, 4);
  first.matrix().diagonal().setOnes();
  tape.backward(weighted_sum(out, first));
  Mat expected(3, 4);  // identity - softmax(x), column by column; nothing comes back from the last column
  expected << 0, Real(-1.0 / 3), 0, 0, 0, Real(2.0 / 3), 0, 0, 0, Real(-1.0 / 3), 0, 0;
  const Mat dx = in.grad();
  CHECK(distance(dx, expected) < rounding);
}

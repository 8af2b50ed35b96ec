// Each operation with its derivative rule, in the letters of the chain rule: dx is d(loss)/dx.
#include <cmath>
#include "autodiff/ops.h"

// ---- Shapes ----

// Repeats a (1, 1), (rows, 1) or (1, cols) to (rows, cols).
Mat broadcast(const Mat& x, Eigen::Index rows, Eigen::Index cols) {
  assert((x.rows() == rows || x.rows() == 1) && (x.cols() == cols || x.cols() == 1));
  if (x.rows() != rows || x.cols() != 1) return x.replicate(rows / x.rows(), cols / x.cols());
  Mat y(rows, cols);  // a column, which is the common case and much faster so
  y.colwise() = x.col(0);
  return y;
}
// dx += dy summed over the repetitions
Var broadcast(Var x, Eigen::Index rows, Eigen::Index cols) {
  if (x.rows() == rows && x.cols() == cols) return x;
  return record({x}, [&](Mat& y) { y = broadcast(x.value(), rows, cols); }, [x](const Node& y) {
    const bool down = x.rows() == 1 && y.grad.rows() > 1, across = x.cols() == 1 && y.grad.cols() > 1;
    if (down && across) x.grad() += Mat::Constant(1, 1, y.grad.sum());
    else if (down) x.grad() += y.grad.colwise().sum();
    else x.grad() += y.grad.rowwise().sum();
  });
}

// Rows i, ..., i + n - 1.   dx[rows] += dy
Var rows(Var x, Eigen::Index i, Eigen::Index n) {
  return record({x}, x.value().middleRows(i, n), [x, i, n](const Node& y) {
    x.grad().whole().middleRows(i, n) += y.grad;
  });
}

// Columns j, ..., j + n - 1.   dx[cols] += dy
Var cols(Var x, Eigen::Index j, Eigen::Index n) {
  return record({x}, x.value().middleCols(j, n), [x, j, n](const Node& y) {
    x.grad().whole().middleCols(j, n) += y.grad;
  });
}

// a above b: a state and its action, sample by sample.   da += dy[upper rows]   db += dy[lower rows]
Mat concat(const Mat& a, const Mat& b) {
  assert(a.cols() == b.cols());
  Mat y(a.rows() + b.rows(), a.cols());
  Real* to = y.data();  // columns are short: plain loops are faster than blocks
  for (Eigen::Index j = 0; j < y.cols(); ++j) {
    for (Eigen::Index i = 0; i < a.rows(); ++i) *to++ = a(i, j);
    for (Eigen::Index i = 0; i < b.rows(); ++i) *to++ = b(i, j);
  }
  return y;
}
Var concat(Var a, Var b) {
  assert(a.cols() == b.cols());
  return record({a, b}, [&](Mat& y) {
    y.resize(a.rows() + b.rows(), a.cols());
    y.topRows(a.rows()) = a.value();
    y.bottomRows(b.rows()) = b.value();
  }, [a, b](const Node& y) {
    a.grad() += y.grad.topRows(a.rows());
    b.grad() += y.grad.bottomRows(b.rows());
  });
}

// a left of b: more samples.   da += dy[left columns]   db += dy[right columns]
Mat append_cols(const Mat& a, const Mat& b) {
  assert(a.rows() == b.rows());
  Mat y(a.rows(), a.cols() + b.cols());
  y << a, b;
  return y;
}
Var append_cols(Var a, Var b) {
  assert(a.rows() == b.rows());
  return record({a, b}, [&](Mat& y) {
    y.resize(a.rows(), a.cols() + b.cols());
    y.leftCols(a.cols()) = a.value();
    y.rightCols(b.cols()) = b.value();
  }, [a, b](const Node& y) {
    a.grad() += y.grad.leftCols(a.cols());
    b.grad() += y.grad.rightCols(b.cols());
  });
}

// y = x^T:   dx += dy^T
Var transpose(Var x) {
  return record({x}, x.value().transpose(), [x](const Node& y) { x.grad() += y.grad.transpose(); });
}

// ---- Arithmetic, element by element ----

static void match(Var& a, Var& b) {
  const Eigen::Index rows = std::max(a.rows(), b.rows()), cols = std::max(a.cols(), b.cols());
  a = broadcast(a, rows, cols), b = broadcast(b, rows, cols);
}

// y = a + b:   da += dy   db += dy
Var operator+(Var a, Var b) {
  match(a, b);
  return record({a, b}, a.value() + b.value(), [a, b](const Node& y) {
    a.grad() += y.grad;
    b.grad() += y.grad;
  });
}
// y = a - b:   da += dy   db -= dy
Var operator-(Var a, Var b) {
  match(a, b);
  return record({a, b}, a.value() - b.value(), [a, b](const Node& y) {
    a.grad() += y.grad;
    b.grad() += -y.grad;
  });
}
// y = a b:   da += dy b   db += dy a
Var operator*(Var a, Var b) {
  match(a, b);
  return record({a, b}, a.value() * b.value(), [a, b](const Node& y) {
    a.grad() += y.grad * b.value();
    b.grad() += y.grad * a.value();
  });
}
// y = a / b:   da += dy / b   db -= dy y / b
Var operator/(Var a, Var b) {
  match(a, b);
  return record({a, b}, a.value() / b.value(), [a, b](const Node& y) {
    a.grad() += y.grad / b.value();
    b.grad() += -y.grad * y.value / b.value();
  });
}
// y = min(a, b):   the smaller one gets dy, a where they are equal. A NaN on either side stays NaN.
Var min(Var a, Var b) {
  match(a, b);
  return record({a, b}, min(a.value(), b.value()), [a, b](const Node& y) {
    a.grad() += (a.value() <= b.value()).select(y.grad, Real(0));
    b.grad() += (a.value() <= b.value()).select(Real(0), y.grad);
  });
}
// y = max(a, b):   the larger one gets dy, a where they are equal
Var max(Var a, Var b) {
  match(a, b);
  return record({a, b}, max(a.value(), b.value()), [a, b](const Node& y) {
    a.grad() += (a.value() >= b.value()).select(y.grad, Real(0));
    b.grad() += (a.value() >= b.value()).select(Real(0), y.grad);
  });
}
// y = atan2(a, b), the angle of the point (b, a):   da += dy b / (a^2 + b^2)   db -= dy a / (a^2 + b^2)
Mat atan2(const Mat& a, const Mat& b) {
  return a.binaryExpr(b, [](Real a, Real b) { return std::atan2(a, b); });
}
Var atan2(Var a, Var b) {
  match(a, b);
  return record({a, b}, [&](Mat& y) { y = atan2(a.value(), b.value()); }, [a, b](const Node& y) {
    a.grad() += y.grad * b.value() / (a.value().square() + b.value().square());
    b.grad() += -y.grad * a.value() / (a.value().square() + b.value().square());
  });
}

// With plain numbers:   y = x + c: dx += dy   y = c x: dx += c dy   y = c / x: dx -= dy y / x
Var operator+(Var x, Real c) {
  return record({x}, x.value() + c, [x](const Node& y) { x.grad() += y.grad; });
}
Var operator*(Var x, Real c) {
  return record({x}, x.value() * c, [x, c](const Node& y) { x.grad() += c * y.grad; });
}
Var operator/(Real c, Var x) {
  return record({x}, c / x.value(), [x](const Node& y) { x.grad() += -y.grad * y.value / x.value(); });
}

// ---- Functions, element by element ----

// y = exp(x):   dx += dy y
Var exp(Var x) {
  return record({x}, x.value().exp(), [x](const Node& y) { x.grad() += y.grad * y.value; });
}
// y = log(x):   dx += dy / x
Var log(Var x) {
  return record({x}, x.value().log(), [x](const Node& y) { x.grad() += y.grad / x.value(); });
}
// y = sqrt(x):   dx += dy / (2 y)
Var sqrt(Var x) {
  return record({x}, x.value().sqrt(), [x](const Node& y) { x.grad() += y.grad / (2 * y.value); });
}
// y = x^2:   dx += 2 dy x
Var square(Var x) {
  return record({x}, x.value().square(), [x](const Node& y) { x.grad() += 2 * y.grad * x.value(); });
}
// y = |x|:   dx += dy sign(x)
Var abs(Var x) {
  return record({x}, x.value().abs(), [x](const Node& y) { x.grad() += y.grad * x.value().sign(); });
}
// y = sin(x):   dx += dy cos(x)
Var sin(Var x) {
  return record({x}, x.value().sin(), [x](const Node& y) { x.grad() += y.grad * x.value().cos(); });
}
// y = cos(x):   dx -= dy sin(x)
Var cos(Var x) {
  return record({x}, x.value().cos(), [x](const Node& y) { x.grad() += -y.grad * x.value().sin(); });
}
// y = tanh(x):   dx += dy (1 - y^2)
Var tanh(Var x) {
  return record({x}, x.value().tanh(), [x](const Node& y) { x.grad() += y.grad * (1 - y.value.square()); });
}
// y = sigmoid(x) = 1 / (1 + exp(-x)):   dx += dy y (1 - y)
Var sigmoid(Var x) {
  return record({x}, sigmoid(x.value()), [x](const Node& y) { x.grad() += y.grad * y.value * (1 - y.value); });
}
// y = softplus(x) = log(1 + exp(x)), written so that neither end overflows:   dx += dy sigmoid(x)
Var softplus(Var x) {
  return record({x}, softplus(x.value()), [x](const Node& y) { x.grad() += y.grad * sigmoid(x.value()); });
}
// y = relu(x) = max(x, 0):   dx += dy where x > 0. NaN stays NaN.
Var relu(Var x) {
  return record({x}, relu(x.value()), [x](const Node& y) { x.grad() += (y.value > Real(0)).select(y.grad, Real(0)); });
}
// y = swish(x) = x sigmoid(x):   dx += dy sigmoid(x) (1 + x - y)
Var swish(Var x) {
  return record({x}, swish(x.value()), [x](const Node& y) {
    x.grad() += y.grad * sigmoid(x.value()) * (1 + x.value() - y.value);
  });
}
// y = x cut to [low, high]:   dx += dy strictly inside. NaN stays NaN.
Var clamp(Var x, Real low, Real high) {
  return record({x}, clamp(x.value(), low, high), [=](const Node& y) {
    x.grad() += (x.value() > low && x.value() < high).select(y.grad, Real(0));
  });
}

// ---- Sums ----

// The sum of all elements, (1, 1) as a Var:   dx += dy everywhere
Var sum(Var x) {
  return record({x}, Mat::Constant(1, 1, x.value().sum()), [x](const Node& y) {
    x.grad() += Mat::Constant(x.rows(), x.cols(), y.grad(0, 0));
  });
}
// The mean over samples and dimensions:   dx += dy / (number of elements)
Var mean(Var x) {
  return record({x}, Mat::Constant(1, 1, x.value().mean()), [x](const Node& y) {
    x.grad() += Mat::Constant(x.rows(), x.cols(), y.grad(0, 0) / x.value().size());
  });
}
// One sum per sample, (1, cols):   dx += dy, repeated down
Var colwise_sum(Var x) {
  return record({x}, x.value().colwise().sum(), [x](const Node& y) { x.grad() += y.grad.replicate(x.rows(), 1); });
}
// One sum per dimension, (rows, 1):   dx += dy, repeated across
Var rowwise_sum(Var x) {
  return record({x}, x.value().rowwise().sum(), [x](const Node& y) { x.grad() += y.grad.replicate(1, x.cols()); });
}
// y = x - log sum exp(x) in each column:   dx += dy - exp(y) (sum of dy over the column)
static void log_softmax(const Mat& x, Mat& y) {
  y = x.rowwise() - x.colwise().maxCoeff();  // the largest becomes 0, so that exp cannot overflow
  y.rowwise() -= y.exp().colwise().sum().log().eval();
}
Mat log_softmax(const Mat& x) {
  Mat y;
  log_softmax(x, y);
  return y;
}
Var log_softmax(Var x) {
  return record({x}, [&](Mat& y) { log_softmax(x.value(), y); }, [x](const Node& y) {
    x.grad() += y.grad - y.value.exp() * y.grad.colwise().sum().replicate(y.grad.rows(), 1);
  });
}

// ---- Matrix products ----

// y = a b:   da += dy b^T   db += a^T dy
Var matmul(Var a, Var b) {
  return record({a, b}, matmul(a.value(), b.value()), [a, b](const Node& y) {
    a.grad() += matmul(y.grad, b.value().transpose());
    b.grad() += matmul(a.value().transpose(), y.grad);
  });
}

// y = W x + b, batch in the columns of x. W (out, in), b (out, 1), x (in, batch), y (out, batch).
void affine(const Param& W, const Mat& x, const Param& b, Mat& y) {
  y.resize(W.value.rows(), x.cols());
  y.colwise() = b.value.col(0);
  y += matmul(W.value, x);
}
Mat affine(const Param& W, const Mat& x, const Param& b) {
  Mat y;
  affine(W, x, b, y);
  return y;
}
// dW += dy x^T   db += dy 1   dx += W^T dy
Var affine(Param& W, Var x, Param& b) {
  return record({x}, [&](Mat& y) { affine(W, x.value(), b, y); }, [&W, x, &b](const Node& y) {
    W.grad += matmul(y.grad, x.value().transpose());
    b.grad += y.grad.rowwise().sum();
    x.grad() += matmul(W.value.transpose(), y.grad);
  }, /*learns=*/true);
}
// The same with frozen weights:   dx += W^T dy
Var affine(const Param& W, Var x, const Param& b) {
  return record({x}, [&](Mat& y) { affine(W, x.value(), b, y); }, [&W, x](const Node& y) {
    x.grad() += matmul(W.value.transpose(), y.grad);
  });
}

// y = relu(W x + b) with one matrix for both: the numbers and gradients of relu(affine(W, x, b)), which to read first.
// dz = dy where y > 0, in the place of dy; then as for affine with dz
Mat affine_relu(const Param& W, const Mat& x, const Param& b) {
  Mat y = affine(W, x, b);
  y = relu(y);
  return y;
}
Var affine_relu(Param& W, Var x, Param& b) {
  return record({x}, [&](Mat& y) { affine(W, x.value(), b, y), y = relu(y); }, [&W, x, &b](Node& y) {
    y.grad = (y.value > Real(0)).select(y.grad, Real(0));
    W.grad += matmul(y.grad, x.value().transpose());
    b.grad += y.grad.rowwise().sum();
    x.grad() += matmul(W.value.transpose(), y.grad);
  }, /*learns=*/true);
}
Var affine_relu(const Param& W, Var x, const Param& b) {
  return record({x}, [&](Mat& y) { affine(W, x.value(), b, y), y = relu(y); }, [&W, x](Node& y) {
    y.grad = (y.value > Real(0)).select(y.grad, Real(0));
    x.grad() += matmul(W.value.transpose(), y.grad);
  });
}

// The operations. Each stands with its derivative rule in ops.cpp, in the letters of the chain rule.
// Every name works on Mat too (exp, tanh, sqrt and their kin come from Eigen), so that one templated body serves
// numbers and recorded numbers. x is (rows, cols): one dimension per row, one sample per column.
// Wrong shapes are caught by assertions in debug builds.
#pragma once
#include "autodiff/tape.h"

// ---- Shapes ----

// Repeats a (1, 1), (rows, 1) or (1, cols) to (rows, cols).
Mat broadcast(const Mat& x, Eigen::Index rows, Eigen::Index cols);
Var broadcast(Var x, Eigen::Index rows, Eigen::Index cols);

// Rows i, ..., i + n - 1, and columns j, ..., j + n - 1.
inline Mat rows(const Mat& x, Eigen::Index i, Eigen::Index n) { return x.middleRows(i, n); }
Var rows(Var x, Eigen::Index i, Eigen::Index n);
inline Mat cols(const Mat& x, Eigen::Index j, Eigen::Index n) { return x.middleCols(j, n); }
Var cols(Var x, Eigen::Index j, Eigen::Index n);

// a above b: a state and its action, sample by sample.
Mat concat(const Mat& a, const Mat& b);
Var concat(Var a, Var b);

// a left of b: more samples.
Mat append_cols(const Mat& a, const Mat& b);
Var append_cols(Var a, Var b);

inline Mat transpose(const Mat& x) { return x.transpose(); }
Var transpose(Var x);

// The value of x without its history: no gradient flows back ("stop-gradient").
inline const Mat& detach(const Mat& x) { return x; }
inline Var detach(Var x) { return x.tape->constant(x.value()); }

// ---- Arithmetic, element by element. A (1, 1), (rows, 1) or (1, cols) Var is broadcast to the other's shape. ----

Var operator+(Var a, Var b);
Var operator-(Var a, Var b);
Var operator*(Var a, Var b);
Var operator/(Var a, Var b);

// The smaller, the larger one. A NaN on either side stays NaN.
inline auto min(const Mat& a, const Mat& b) { return (a <= b || a.isNaN()).select(a, b); }
Var min(Var a, Var b);
inline auto max(const Mat& a, const Mat& b) { return (a >= b || a.isNaN()).select(a, b); }
Var max(Var a, Var b);

// The angle of the point (b, a).
Mat atan2(const Mat& a, const Mat& b);
Var atan2(Var a, Var b);

// With plain numbers.
Var operator+(Var x, Real c);
Var operator*(Var x, Real c);
Var operator/(Real c, Var x);
inline Var operator-(Var x) { return x * Real(-1); }
inline Var operator+(Real c, Var x) { return x + c; }
inline Var operator-(Var x, Real c) { return x + -c; }
inline Var operator-(Real c, Var x) { return -x + c; }
inline Var operator*(Real c, Var x) { return x * c; }
inline Var operator/(Var x, Real c) { return x * (1 / c); }

// With a Mat: it becomes a constant of the same tape.
template <class E> Var operator+(Var x, const Eigen::ArrayBase<E>& c) { return x + x.tape->constant(c); }
template <class E> Var operator-(Var x, const Eigen::ArrayBase<E>& c) { return x - x.tape->constant(c); }
template <class E> Var operator*(Var x, const Eigen::ArrayBase<E>& c) { return x * x.tape->constant(c); }
template <class E> Var operator/(Var x, const Eigen::ArrayBase<E>& c) { return x / x.tape->constant(c); }
template <class E> Var operator+(const Eigen::ArrayBase<E>& c, Var x) { return x.tape->constant(c) + x; }
template <class E> Var operator-(const Eigen::ArrayBase<E>& c, Var x) { return x.tape->constant(c) - x; }
template <class E> Var operator*(const Eigen::ArrayBase<E>& c, Var x) { return x.tape->constant(c) * x; }
template <class E> Var operator/(const Eigen::ArrayBase<E>& c, Var x) { return x.tape->constant(c) / x; }

// ---- Functions, element by element ----

Var exp(Var x);
Var log(Var x);
Var sqrt(Var x);
Var square(Var x);
Var abs(Var x);
Var sin(Var x);
Var cos(Var x);
Var tanh(Var x);

// 1 / (1 + exp(-x))
template <class E> auto sigmoid(const Eigen::ArrayBase<E>& x) { return x.derived().logistic(); }
Var sigmoid(Var x);

// log(1 + exp(x)), written so that neither end overflows
template <class E> auto softplus(const Eigen::ArrayBase<E>& x) {
  return x.derived().max(Real(0)) + (-x.derived().abs()).exp().log1p();
}
Var softplus(Var x);

// max(x, 0). NaN stays NaN.
template <class E> auto relu(const Eigen::ArrayBase<E>& x) {
  return (x.derived() < Real(0)).select(Real(0), x.derived());
}
Var relu(Var x);

// x sigmoid(x)
template <class E> auto swish(const Eigen::ArrayBase<E>& x) { return x.derived() * sigmoid(x.derived()); }
Var swish(Var x);

// x cut to [low, high]. NaN stays NaN.
inline auto clamp(const Mat& x, Real low, Real high) {
  return (x < low).select(low, (x > high).select(high, x));
}
Var clamp(Var x, Real low, Real high);

// ---- Sums ----

// The sum of all elements, and the mean over samples and dimensions; (1, 1) as a Var.
inline Real sum(const Mat& x) { return x.sum(); }
Var sum(Var x);
inline Real mean(const Mat& x) { return x.mean(); }
Var mean(Var x);

// One sum per sample, (1, cols), and one per dimension, (rows, 1).
inline Mat colwise_sum(const Mat& x) { return x.colwise().sum(); }
Var colwise_sum(Var x);
inline Mat rowwise_sum(const Mat& x) { return x.rowwise().sum(); }
Var rowwise_sum(Var x);

// x - log sum exp(x) in each column; no exp overflows.
Mat log_softmax(const Mat& x);
Var log_softmax(Var x);

// ---- Matrix products ----

Var matmul(Var a, Var b);
inline Var matmul(const Mat& a, Var b) { return matmul(b.tape->constant(a), b); }
inline Var matmul(Var a, const Mat& b) { return matmul(a, a.tape->constant(b)); }

// y = W x + b, batch in the columns of x. W (out, in), b (out, 1), x (in, batch), y (out, batch). Of const W and b the
// weights are frozen: the gradient goes to x only.
void affine(const Param& W, const Mat& x, const Param& b, Mat& y);
Mat affine(const Param& W, const Mat& x, const Param& b);
Var affine(Param& W, Var x, Param& b);
Var affine(const Param& W, Var x, const Param& b);

// y = relu(W x + b) with one matrix for both: the numbers and gradients of relu(affine(W, x, b)).
Mat affine_relu(const Param& W, const Mat& x, const Param& b);
Var affine_relu(Param& W, Var x, Param& b);
Var affine_relu(const Param& W, Var x, const Param& b);

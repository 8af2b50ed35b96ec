// Mat, a matrix of numbers, matmul, the one matrix product, and solve. Element-wise algebra is Eigen's:
// a * b, exp(a), a.max(b) act on each element. One sample per column everywhere.
#pragma once
#include <Eigen/Core>

#ifndef REAL
#define REAL float  // -DREAL=double: the whole binary computes in double (gradient checks need it)
#endif
using Real = REAL;
using Mat = Eigen::Array<Real, Eigen::Dynamic, Eigen::Dynamic>;

// c += op(a) op(b), op(x) = x^T where the flag says so. Defined in matmul.cpp, for float and double.
template <class T>
void add_product(Eigen::Array<T, -1, -1>& c, const Eigen::Array<T, -1, -1>& a, bool a_transposed,
                 const Eigen::Array<T, -1, -1>& b, bool b_transposed);

// One side of a product: a Mat or its transpose. Refers to the Mat, so it lives no longer than the expression.
struct Factor {
  const Mat& m;
  bool transposed = false;
  Factor(const Mat& x) : m(x) {}
  Factor(const Eigen::Transpose<const Mat>& x) : m(x.nestedExpression()), transposed(true) {}
  Factor(const Eigen::Transpose<Mat>& x) : m(x.nestedExpression()), transposed(true) {}
  Eigen::Index rows() const { return transposed ? m.cols() : m.rows(); }
  Eigen::Index cols() const { return transposed ? m.rows() : m.cols(); }
};

// A product that has not been computed yet: `c += matmul(a, b)` adds it in place (c is neither a nor b), and
// `Mat c = matmul(a, b)` makes it.
struct Product {
  Factor a, b;
  void add_to(Mat& c) const {
    eigen_assert(&c != &a.m && &c != &b.m && "matmul: the target is also a factor");
    add_product<Real>(c, a.m, a.transposed, b.m, b.transposed);
  }
  void assign_to(Mat& c) const {
    c.resize(a.rows(), b.cols());
    c.setZero();
    add_to(c);
  }
  operator Mat() const {
    Mat c;
    assign_to(c);
    return c;
  }
};

// The matrix product a b, (n, k) times (k, m); either may be x.transpose(). Wrong shapes: an assertion in debug builds.
inline Product matmul(Factor a, Factor b) {
  eigen_assert(a.cols() == b.rows() && "matmul: inner dimensions differ");
  return {a, b};
}
inline Mat& operator+=(Mat& c, const Product& p) {
  p.add_to(c);
  return c;
}

// In double whatever Real is, for what is exact: A B, and x of A x = b (A square, not singular). Also in matmul.cpp:
// Eigen's products and decompositions take seconds to compile.
Eigen::MatrixXd product(const Eigen::MatrixXd& A, const Eigen::MatrixXd& B);
Eigen::VectorXd solve(const Eigen::MatrixXd& A, const Eigen::VectorXd& b);

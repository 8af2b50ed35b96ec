// The matrix products, compiled once with full optimisation for float and double, whatever the rest is compiled with;
// and what is exact in double.
#include <Eigen/LU>
#include "autodiff/mat.h"

template <class T>
void add_product(Eigen::Array<T, -1, -1>& c, const Eigen::Array<T, -1, -1>& a, bool a_transposed,
                 const Eigen::Array<T, -1, -1>& b, bool b_transposed) {
  if (a_transposed && b_transposed)
    c.matrix().noalias() += a.matrix().transpose() * b.matrix().transpose();
  else if (a_transposed)
    c.matrix().noalias() += a.matrix().transpose() * b.matrix();
  else if (b_transposed)
    c.matrix().noalias() += a.matrix() * b.matrix().transpose();
  else
    c.matrix().noalias() += a.matrix() * b.matrix();
}

using MatF = Eigen::ArrayXXf;
using MatD = Eigen::ArrayXXd;
template void add_product<float>(MatF&, const MatF&, bool, const MatF&, bool);
template void add_product<double>(MatD&, const MatD&, bool, const MatD&, bool);

Eigen::MatrixXd product(const Eigen::MatrixXd& A, const Eigen::MatrixXd& B) { return A * B; }
Eigen::VectorXd solve(const Eigen::MatrixXd& A, const Eigen::VectorXd& b) { return A.partialPivLu().solve(b); }

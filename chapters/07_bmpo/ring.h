// A ring of states with a drift, on which the error of k learned steps can be computed exactly: forwards, and backwards
// in time. In double.
#pragma once
#include <cmath>
#include <numbers>
#include "chapters/06_mbpo/bound.h"  // Matrix, Vector, total_variation

// From s to s + 1 with the chance 0.6 + 0.2 cos(2 pi s / n), to s - 1 with 0.1, else it stays: a drift of 0.5 +
// 0.2 cos(2 pi s / n) states a step, faster on one side of the ring than on the other. (n, n), row s is p(. | s).
inline Matrix ring(int n) {
  Matrix P = Matrix::Zero(n, n);
  for (int s = 0; s < n; ++s) {
    const double ahead = 0.6 + 0.2 * std::cos(2 * std::numbers::pi * s / n);
    P(s, (s + 1) % n) += ahead, P(s, (s + n - 1) % n) += 0.1, P(s, s) += 0.9 - ahead;
  }
  return P;
}

// The distribution d = P^T d that the chain settles at: (n).
inline Vector stationary(const Matrix& P) {
  Matrix A = Matrix::Identity(P.rows(), P.rows()) - P.transpose();
  A.row(0).setOnes();  // one of the equations follows from the others; sum d = 1 takes its place
  return solve(A, Vector::Unit(P.rows(), 0));
}

// Where the chain came from, once it has settled: q(s | s') = d(s) p(s' | s) / d(s'), Q = D^-1 P^T D.
inline Matrix reversed(const Matrix& P) {
  const Vector d = stationary(P);
  return d.cwiseInverse().asDiagonal() * P.transpose() * d.asDiagonal();
}

// A model that is wrong by at most D_TV = eps in each row: with the chance eps it believes that the chain is put into
// the state `wrong` instead. 0 <= eps <= 1.
inline Matrix mislearned(const Matrix& P, double eps, int wrong) {
  Matrix M = (1 - eps) * P;
  M.col(wrong).array() += eps;
  return M;
}

// D_TV between the distributions of the state after k true and k learned steps, P_k and M_k the k-th powers, from a
// known state; the mean over all states to start from. At most k eps.
inline double marginals_distance(const Matrix& P_k, const Matrix& M_k) {
  double sum = 0;
  for (int s = 0; s < P_k.rows(); ++s) sum += total_variation(P_k.row(s), M_k.row(s));
  return sum / double(P_k.rows());
}

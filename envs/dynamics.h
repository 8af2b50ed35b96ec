// What chain.h and arm.h share: Runge-Kutta, soft rows (limits and contacts), and the acceleration that answers them.
// All of it as MuJoCo 2.2.2 does it: README.md, "What the simulator does"; MuJoCo's documentation, "Computation".
#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

template <int N> using Vector = Eigen::Matrix<double, N, 1>;  // one number a joint
template <int N> using Square = Eigen::Matrix<double, N, N>;

// How hard a violated row is, from dmin at the surface to dmax at depth `width` (m, rad): MuJoCo's solimp.
struct Impedance { double dmin = 0.9, dmax = 0.95, width = 0.001; };

template <int N> struct Row {  // wanted: J a >= a_ref, with softness R
  Vector<N> J;
  double a_ref, R;
  bool violated;
};
template <int N> struct Rows {  // on the stack; the constructors of Chain and Arm see to it that they suffice
  static constexpr int capacity = 2 * N + 6 * (N + 1) + 3;  // limits, 3 for each end of N + 1 capsules, self contacts
  std::array<Row<N>, capacity> row;
  int size = 0;
  void add(const Row<N>& r) { row[size++] = r; }
};

// What a row J with violation r < 0 asks for: a damped spring a_ref = -b (J v) - k d r, and its softness R.
// The spring is critically damped with time constant 0.02 s, but never faster than two time steps h.
template <int N>
Row<N> soft_row(const Vector<N>& J, double r, const Vector<N>& v, const Impedance& imp, double weight, double h) {
  const double x = std::min(1.0, std::abs(r) / imp.width);
  const double y = x <= 0.5 ? 2 * x * x : 1 - 2 * (1 - x) * (1 - x);
  const double dmin = std::max(1e-4, imp.dmin), dmax = std::min(0.9999, imp.dmax);
  const double d = dmin + y * (dmax - dmin), tc = std::max(0.02, 2 * h);
  const double b = 2 / (dmax * tc), k = 1 / (dmax * dmax * tc * tc);
  return {J, -b * J.dot(v) - k * d * r, (1 - d) / d * weight, false};
}

// The two limits of joint i, lo <= q_i <= hi.
template <int N>
void add_limit(Rows<N>& rows, int i, double lo, double hi, const Vector<N>& q, const Vector<N>& v,
               const Impedance& imp, double margin, double weight, double h) {
  if (q[i] - lo < margin) rows.add(soft_row<N>(Vector<N>::Unit(i), q[i] - lo - margin, v, imp, weight, h));
  if (hi - q[i] < margin) rows.add(soft_row<N>(-Vector<N>::Unit(i), hi - q[i] - margin, v, imp, weight, h));
}

// x with A x = b for a symmetric positive definite A: Gaussian elimination, which then needs no pivots.
template <int N> Vector<N> divide(Square<N> A, Vector<N> b) {
  for (int j = 0; j < N; ++j) {
    A(j, j) = 1 / A(j, j);
    for (int i = j + 1; i < N; ++i) {
      const double f = A(i, j) * A(j, j);
      if (f == 0) continue;  // joints of different branches
      for (int k = i; k < N; ++k) A(k, i) -= f * A(k, j);
      b[i] -= f * b[j];
    }
  }
  for (int j = N - 1; j >= 0; --j) {
    for (int k = j + 1; k < N; ++k) b[j] -= A(k, j) * b[k];
    b[j] *= A(j, j);
  }
  return b;
}

// C(a) = 1/2 a^T M a - force^T a + sum over rows with J a < a_ref of (J a - a_ref)^2 / (2 R)
template <int N> double cost(const Square<N>& M, const Vector<N>& force, const Rows<N>& rows, const Vector<N>& a) {
  double C = 0.5 * a.dot(M * a) - force.dot(a);
  for (int k = 0; k < rows.size; ++k) {
    const double gap = std::min(0.0, rows.row[k].J.dot(a) - rows.row[k].a_ref);
    C += gap * gap / (2 * rows.row[k].R);
  }
  return C;
}

// The acceleration that minimises C. With the violated rows known this is linear:
//   (M + sum J^T J / R) a = force + sum J^T a_ref / R
// Guess them from the acceleration without rows, solve, mark again, until the marks stay (Newton's method).
template <int N> Vector<N> solve(const Square<N>& M, const Vector<N>& force, Rows<N>& rows) {
  Vector<N> a = divide<N>(M, force);
  for (int iteration = 0; iteration < 100; ++iteration) {
    Square<N> H = M;
    Vector<N> g = force;
    bool changed = false;
    for (int k = 0; k < rows.size; ++k) {
      Row<N>& row = rows.row[k];
      const bool violated = row.J.dot(a) < row.a_ref;
      changed |= violated != row.violated;
      row.violated = violated;
      if (!violated) continue;
      const Vector<N> J_R = row.J / row.R;
      H.noalias() += J_R * row.J.transpose();
      g += J_R * row.a_ref;
    }
    if (!changed) break;
    const Vector<N> a_full = divide<N>(H, g), step = a_full - a;
    double t = 1;  // rarely the marks go round in a circle: then go only as far as C falls
    while (iteration > 10 && t > 1e-3 && cost<N>(M, force, rows, a + t * step) > cost<N>(M, force, rows, a)) t /= 2;
    a = t == 1 ? a_full : Vector<N>(a + t * step);
  }
  return a;
}

// One step h of q' = v, v' = acceleration(q, v) by the classical Runge-Kutta method, in place.
template <int N, class F> void runge_kutta(double h, Vector<N>& q, Vector<N>& v, const F& acceleration) {
  const Vector<N> v1 = v, a1 = acceleration(q, v1);
  const Vector<N> v2 = v + h / 2 * a1, a2 = acceleration(q + h / 2 * v1, v2);
  const Vector<N> v3 = v + h / 2 * a2, a3 = acceleration(q + h / 2 * v2, v3);
  const Vector<N> v4 = v + h * a3, a4 = acceleration(q + h * v3, v4);
  q += h / 6 * (v1 + 2 * v2 + 2 * v3 + v4);
  v += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4);
}

// A solid capsule, a cylinder of length L between two half balls: mass, and moments of inertia about its middle, across
// and along its own axis. A ball has L = 0.
struct Capsule { double mass, across, along; };
inline Capsule weigh_capsule(double L, double r, double density) {
  const double pi = std::numbers::pi, m_c = pi * r * r * L * density, m_s = 4.0 / 3 * pi * r * r * r * density;
  return {m_c + m_s, m_c * (3 * r * r + L * L) / 12 + m_s * (0.4 * r * r + 0.375 * r * L + 0.25 * L * L),
          m_c * r * r / 2 + 0.4 * m_s * r * r};
}

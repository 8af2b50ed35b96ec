// An arm of N hinges one after another in space, without gravity and contacts: chain.h's dynamics with vectors and
// 3 x 3 inertias. Read chain.cpp first.
#pragma once
#include <Eigen/Geometry>
#include <limits>
#include <vector>
#include "envs/dynamics.h"

using Vec3 = Eigen::Vector3d;

struct Tube { Vec3 from, to; double radius; };  // a capsule in the link's frame (m), a ball if from == to

struct ArmLink {
  Vec3 at, axis;            // the joint in the frame of the link before, at q = 0; the direction it turns about
  double lo, hi, damping;   // rad, N m s
  std::vector<Tube> tubes;
};

template <int N> struct Arm {
  using Vec = Vector<N>;
  struct Solid { double mass = 0; Vec3 com = Vec3::Zero(); Eigen::Matrix3d inertia = Eigen::Matrix3d::Zero(); };
  struct Frame { Vec3 joint, axis; Eigen::Matrix3d turn; };  // of a link, in the world

  std::array<ArmLink, N> links;
  double h, density, armature;   // time step (s), kg/m^3, kg m^2
  std::array<Solid, N> solid;
  Vec damping, limit_weight;     // diag(M^-1) at q = 0

  Arm(std::array<ArmLink, N> table, double h, double density, double armature)
      : links(std::move(table)), h(h), density(density), armature(armature) {
    for (int i = 0; i < N; ++i) {
      damping[i] = links[i].damping;
      solid[i] = weigh(links[i].tubes);
    }
    Square<N> M;
    Vec force = Vec::Zero();
    forces(Vec::Zero(), Vec::Zero(), M, force);
    for (int i = 0; i < N; ++i) limit_weight[i] = divide<N>(M, Vec::Unit(i))[i];
  }

  // One time step in place; torque: one a joint (N m).
  void step(Vec& q, Vec& v, const Vec& torque) const {
    runge_kutta<N>(h, q, v, [&](const Vec& q, const Vec& v) { return acceleration(q, v, torque); });
  }
  Vec acceleration(const Vec& q, const Vec& v, const Vec& torque) const {
    Square<N> M;
    Vec force = torque - damping.cwiseProduct(v);
    forces(q, v, M, force);
    Rows<N> rows;
    for (int i = 0; i < N; ++i)
      add_limit<N>(rows, i, links[i].lo, links[i].hi, q, v, Impedance{}, 0, limit_weight[i], h);
    return solve<N>(M, force, rows);
  }
  std::array<Frame, N> frames(const Vec& q) const {
    std::array<Frame, N> f;
    for (int i = 0; i < N; ++i) {
      const Eigen::Matrix3d before = i == 0 ? Eigen::Matrix3d::Identity() : f[i - 1].turn;
      f[i].joint = (i == 0 ? Vec3(Vec3::Zero()) : f[i - 1].joint) + before * links[i].at;
      f[i].axis = before * links[i].axis;
      f[i].turn = before * Eigen::AngleAxisd(q[i], links[i].axis).toRotationMatrix();
    }
    return f;
  }

 private:
  // M = sum_i m_i J_i^T J_i + W_i^T I_i W_i + armature,   J_i: speed of the com of link i, W_i: its angular velocity
  // force -= sum_i m_i J_i^T acc_i + W_i^T (I_i alpha_i + w_i x I_i w_i),   acc, alpha: while joint accelerations are 0
  void forces(const Vec& q, const Vec& v, Square<N>& M, Vec& force) const {
    const std::array<Frame, N> f = frames(q);
    M = armature * Square<N>::Identity();
    Eigen::Matrix<double, 3, N> J, W = Eigen::Matrix<double, 3, N>::Zero();
    Vec3 w = Vec3::Zero(), alpha = Vec3::Zero(), acc = Vec3::Zero();  // acc: of the joint
    for (int i = 0; i < N; ++i) {
      const Vec3 arm = f[i].joint - (i == 0 ? f[0].joint : f[i - 1].joint);
      acc += alpha.cross(arm) + w.cross(w.cross(arm));
      alpha += w.cross(f[i].axis) * v[i];
      w += f[i].axis * v[i];
      const Vec3 to_com = f[i].turn * solid[i].com, com = f[i].joint + to_com;
      const Vec3 com_acc = acc + alpha.cross(to_com) + w.cross(w.cross(to_com));
      W.col(i) = f[i].axis;
      J.setZero();
      for (int j = 0; j <= i; ++j) J.col(j) = f[j].axis.cross(com - f[j].joint);
      const Eigen::Matrix3d I = f[i].turn * solid[i].inertia * f[i].turn.transpose();
      M += solid[i].mass * J.transpose() * J + W.transpose() * I * W;
      force -= solid[i].mass * J.transpose() * com_acc + W.transpose() * (I * alpha + w.cross(I * w));
    }
  }
  Solid weigh(const std::vector<Tube>& tubes) const {
    Solid s;
    for (const Tube& t : tubes) {
      const double m = weigh_capsule((t.to - t.from).norm(), t.radius, density).mass;
      s.mass += m, s.com += m * (t.from + t.to) / 2;
    }
    s.com /= s.mass;
    for (const Tube& t : tubes) {  // across everything, then less along the axis; parallel axes
      const Capsule c = weigh_capsule((t.to - t.from).norm(), t.radius, density);
      const Vec3 axis = t.to == t.from ? Vec3(Vec3::UnitX()) : Vec3((t.to - t.from).normalized());
      const Vec3 r = (t.from + t.to) / 2 - s.com;
      s.inertia += c.across * Eigen::Matrix3d::Identity() + (c.along - c.across) * axis * axis.transpose();
      s.inertia += c.mass * (r.squaredNorm() * Eigen::Matrix3d::Identity() - r * r.transpose());
    }
    return s;
  }
};

// The dynamics of a planar chain, in the order of a time step: where the links are, which forces act, which rows
// (limits, contacts) are violated, which acceleration follows, how it moves the state.
#include "envs/chain.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

// ---- where the links are -------------------------------------------------------------------------------------------

template <int N>
auto Chain<N>::pose(const Vec& q, const Vec& v) const -> Pose {
  Pose P;
  for (int i = 0; i < N; ++i) {
    const Link& link = model.links[i];
    const int p = parent[i];
    Vec2 joint = link.at + link.axis * q[i], acc = Vec2::Zero();
    P.cos[i] = 1, P.sin[i] = 0, P.spin[i] = 0;
    if (p >= 0) {
      const Vec2 arm = rotate({P.cos[p], P.sin[p]}, joint);
      joint = Vec2(P.x[p], P.y[p]) + arm;
      acc = Vec2(P.acc_x[p], P.acc_y[p]) - P.spin[p] * P.spin[p] * arm;  // centripetal
      P.cos[i] = P.cos[p], P.sin[i] = P.sin[p], P.spin[i] = P.spin[p];
    }
    if (link.turn != 0) {
      const double angle = link.turn * q[i];
      const Vec2 dir = rotate({P.cos[i], P.sin[i]}, {std::cos(angle), std::sin(angle)});
      P.cos[i] = dir.x(), P.sin[i] = dir.y(), P.spin[i] += link.turn * v[i];
    }
    P.x[i] = joint.x(), P.y[i] = joint.y(), P.acc_x[i] = acc.x(), P.acc_y[i] = acc.y();
  }
  return P;
}

// A slide j below the link moves every point of it along its axis; a hinge j turns it about the joint:
// d(point)/dq_j = axis_j   or   turn_j (-(p_y - y_j), p_x - x_j).
template <int N>
auto Chain<N>::jacobian(const Pose& P, int link, const Vec2& p) const -> Jacobian {
  return {slide_x.col(link) - turns.col(link).cwiseProduct(Vec::Constant(p.y()) - P.y),
          slide_y.col(link) + turns.col(link).cwiseProduct(Vec::Constant(p.x()) - P.x)};
}

// ---- smooth forces -------------------------------------------------------------------------------------------------

// M = sum_i mass_i J_i^T J_i + inertia_i turns_i turns_i^T + armature,   J_i = Jacobian of the com of link i
// force -= sum_i mass_i J_i^T (acc_i - gravity)
template <int N>
void Chain<N>::forces(const Pose& P, const Vec& v, Matrix& M, Vec& force) const {
  M = constant_mass;
  for (int i = 0; i < N; ++i) {
    if (solid[i].mass == 0) continue;
    const Vec2 arm = rotate({P.cos[i], P.sin[i]}, solid[i].com);
    const Jacobian J = jacobian(P, i, Vec2(P.x[i], P.y[i]) + arm);
    const Vec2 acc = Vec2(P.acc_x[i], P.acc_y[i]) - P.spin[i] * P.spin[i] * arm;
    const Vec mJx = solid[i].mass * J.x, mJy = solid[i].mass * J.y;
    M.noalias() += mJx * J.x.transpose();
    M.noalias() += mJy * J.y.transpose();
    force -= mJx * (acc.x() - model.gravity.x()) + mJy * (acc.y() - model.gravity.y());
    if (model.fluid_density > 0) drag(i, P, J, v, force);
  }
}

// The fluid's force and torque on a link, from the speed of its com in its own directions:
// f = -linear v - quadratic |v| v,   torque = -spin w - spin2 |w| w
template <int N>
void Chain<N>::drag(int i, const Pose& P, const Jacobian& J, const Vec& v, Vec& force) const {
  const Drag& d = drags[i];
  const Vec2 along = rotate({P.cos[i], P.sin[i]}, d.axis), across(-along.y(), along.x());
  const Vec2 speed(J.x.dot(v), J.y.dot(v));
  const double va = speed.dot(along), vc = speed.dot(across), w = P.spin[i];
  const Vec2 f = -(d.linear + d.along * std::abs(va)) * va * along - (d.linear + d.across * std::abs(vc)) * vc * across;
  force += f.x() * J.x + f.y() * J.y - (d.spin + d.spin2 * std::abs(w)) * w * turns.col(i);
}

// ---- contacts as soft rows -----------------------------------------------------------------------------------------

// A sphere at each end of a capsule against the line z = 0. Coulomb's cone becomes a pyramid whose edges are the rows
// n + mu t, n - mu t, n + mu t', n - mu t'; t' is normal to the plane, so the last two are both n: one row of half R.
template <int N>
void Chain<N>::floor_rows(const Pose& P, const Vec& v, Rows<N>& rows) const {
  for (int i = 0; i < N; ++i) {
    for (const Geom& g : model.links[i].geoms) {
      const double mu = std::max(g.friction, model.floor_friction);
      for (int end = 0; end < (g.from == g.to ? 1 : 2); ++end) {
        const Vec2 centre = P.point(i, end == 0 ? g.from : g.to);
        const double dist = centre.y() - g.radius, r = dist - model.contact_margin;
        if (r >= 0) continue;
        const Jacobian J = jacobian(P, i, {centre.x(), dist / 2});
        const double edge = 2 * mu * mu * (1 + mu * mu) * weight[i];
        rows.add(soft_row<N>(J.y + mu * J.x, r, v, model.contact, edge, model.h));
        rows.add(soft_row<N>(J.y - mu * J.x, r, v, model.contact, edge, model.h));
        rows.add(soft_row<N>(J.y, r, v, model.contact, edge / 2, model.h));
      }
    }
  }
}

// The closest points of two segments, as MuJoCo finds them: x1, x2 in [-1, 1] along half axes a1, a2, diff = p1 - p2.
static std::pair<double, double> closest(const Vec2& a1, const Vec2& a2, const Vec2& diff) {
  const double ma = a1.dot(a1), mb = -a1.dot(a2), mc = a2.dot(a2), u = -a1.dot(diff), w = a2.dot(diff);
  const double det = ma * mc - mb * mb;
  if (std::abs(det) < 1e-15) return {0, std::clamp(w / mc, -1.0, 1.0)};  // parallel: never close in our robots
  double x1 = (mc * u - mb * w) / det, x2 = (ma * w - mb * u) / det;
  if (std::abs(x1) > 1) {
    x1 = std::clamp(x1, -1.0, 1.0);
    x2 = (w - mb * x1) / mc;
  }
  if (std::abs(x2) > 1) {
    x2 = std::clamp(x2, -1.0, 1.0);
    x1 = std::clamp((u - mb * x2) / ma, -1.0, 1.0);
  }
  return {x1, x2};
}

// Capsule against capsule without friction: one row along the line that joins the closest points.
template <int N>
void Chain<N>::self_rows(const Pose& P, const Vec& v, Rows<N>& rows) const {
  for (int i = 0; i < N; ++i) {
    for (int j = i + 1; j < N; ++j) {
      if (parent[j] == i) continue;
      for (const Geom& g : model.links[i].geoms) {
        for (const Geom& o : model.links[j].geoms) {
          const Vec2 p1 = P.point(i, (g.from + g.to) / 2), a1 = P.point(i, g.from) - p1;
          const Vec2 p2 = P.point(j, (o.from + o.to) / 2), a2 = P.point(j, o.from) - p2;
          const auto [x1, x2] = closest(a1, a2, p1 - p2);
          const Vec2 c1 = p1 + x1 * a1, gap = p2 + x2 * a2 - c1;
          const double length = gap.norm(), dist = length - g.radius - o.radius, r = dist - model.contact_margin;
          if (r >= 0 || length < 1e-15) continue;  // axes that cross have no normal in the plane
          const Vec2 n = gap / length, touch = c1 + (g.radius + dist / 2) * n;
          const Jacobian J1 = jacobian(P, i, touch), J2 = jacobian(P, j, touch);
          const Vec J = n.x() * (J2.x - J1.x) + n.y() * (J2.y - J1.y);
          rows.add(soft_row<N>(J, r, v, model.contact, weight[i] + weight[j], model.h));
        }
      }
    }
  }
}

// ---- acceleration --------------------------------------------------------------------------------------------------

template <int N>
auto Chain<N>::constrained(const Vec& q, const Vec& v, const Vec& motor, Matrix& M) const -> Vec {
  const Pose P = pose(q, v);
  Vec force = motor - damping.cwiseProduct(v) - stiffness.cwiseProduct(q);
  forces(P, v, M, force);
  Rows<N> rows;
  for (int i = 0; i < N; ++i)
    add_limit<N>(rows, i, model.links[i].lo, model.links[i].hi, q, v, model.limit, model.limit_margin, limit_weight[i],
                 model.h);
  if (model.floor) floor_rows(P, v, rows);
  if (model.self_contact) self_rows(P, v, rows);
  return solve<N>(M, force, rows);
}

template <int N>
auto Chain<N>::acceleration(const Vec& q, const Vec& v, const Vec& force) const -> Vec {
  Matrix M;
  return constrained(q, v, force, M);
}

template <int N>
auto Chain<N>::motor_force(const Vec& control) const -> Vec {
  return gear.cwiseProduct(control.cwiseMax(-model.control_range).cwiseMin(model.control_range));
}

// M a - force
template <int N>
auto Chain<N>::constraint_force(const Vec& q, const Vec& v, const Vec& control) const -> Vec {
  Matrix M;
  const Vec motor = motor_force(control), a = constrained(q, v, motor, M);
  Vec force = motor - damping.cwiseProduct(v) - stiffness.cwiseProduct(q);
  forces(pose(q, v), v, M, force);
  return M * a - force;
}

// ---- a time step ---------------------------------------------------------------------------------------------------

template <int N>
void Chain<N>::step(Vec& q, Vec& v, const Vec& control) const {
  const double h = model.h;
  const Vec motor = motor_force(control);
  if (model.integrator == Model::euler) {
    // Semi-implicit: damping acts at the new speed, (M + h D) a' = M a; then the new speed moves the position.
    Matrix M;
    const Vec a = constrained(q, v, motor, M);
    const Vec force = M * a;
    M.diagonal() += h * damping;
    v += h * divide<N>(M, force);
    q += h * v;
    return;
  }
  runge_kutta<N>(h, q, v, [&](const Vec& q, const Vec& v) { return acceleration(q, v, motor); });
}

template <int N>
auto Chain<N>::mass_matrix(const Vec& q) const -> Matrix {
  Matrix M;
  Vec ignored = Vec::Zero();
  forces(pose(q, Vec::Zero()), Vec::Zero(), M, ignored);
  return M;
}

// 1/2 v^T M v - sum_i mass_i gravity . com_i + 1/2 stiffness q^2
template <int N>
double Chain<N>::energy(const Vec& q, const Vec& v) const {
  const Pose P = pose(q, v);
  double E = 0.5 * v.dot(mass_matrix(q) * v) + 0.5 * stiffness.dot(q.cwiseAbs2());
  for (int i = 0; i < N; ++i) E -= solid[i].mass * model.gravity.dot(P.point(i, solid[i].com));
  return E;
}

// ---- from the table to the numbers above ---------------------------------------------------------------------------

static Capsule weigh(const Geom& g, double density) { return weigh_capsule((g.to - g.from).norm(), g.radius, density); }

template <int N>
Chain<N>::Chain(const Model& table) : model(table) {
  read_tree();
  weigh_links();
  // What the softness of rows is scaled with: how easily each joint and each com gives way at q = 0.
  Matrix M_inv;
  for (int i = 0; i < N; ++i) M_inv.col(i) = divide<N>(mass_matrix(Vec::Zero()), Vec::Unit(i));
  const Pose P = pose(Vec::Zero(), Vec::Zero());
  limit_weight = M_inv.diagonal();
  for (int i = 0; i < N; ++i) {
    const Jacobian J = jacobian(P, i, P.point(i, solid[i].com));
    weight[i] = (J.x.dot(M_inv * J.x) + J.y.dot(M_inv * J.y)) / 3;  // of x, y, z: in the plane one of them is 0
  }
}

template <int N>
void Chain<N>::read_tree() {
  const auto demand = [&](bool ok, const char* what) {
    if (!ok) throw std::invalid_argument("model " + model.name + ": " + what);
  };
  demand(model.links.size() == N, "another number of links than the chain");
  turns.setZero(), slide_x.setZero(), slide_y.setZero();
  std::size_t geoms = 0;
  for (int i = 0; i < N; ++i) {
    const Link& link = model.links[i];
    const int p = parent[i] = link.parent;
    demand(p >= -1 && p < i, "a parent must come before its child");
    demand((link.turn != 0) != (link.axis != Vec2::Zero()), "a link slides or turns");
    demand(link.turn != 0 || p < 0 || model.links[p].turn == 0, "a slide hangs on the world or on a slide");
    if (p >= 0) turns.col(i) = turns.col(p), slide_x.col(i) = slide_x.col(p), slide_y.col(i) = slide_y.col(p);
    turns(i, i) = link.turn, slide_x(i, i) = link.axis.x(), slide_y(i, i) = link.axis.y();
    damping[i] = link.damping, stiffness[i] = link.stiffness, gear[i] = link.gear;
    geoms += link.geoms.size();
  }
  const std::size_t rows = 2 * N + 6 * geoms + (model.self_contact ? geoms * (geoms - 1) / 2 : 0);
  demand(rows <= Rows<N>::capacity, "more limits and contacts than there is room for");
}

template <int N>
void Chain<N>::weigh_links() {
  double total = 0;
  for (int i = 0; i < N; ++i) {
    const std::vector<Geom>& geoms = model.links[i].geoms;
    for (const Geom& g : geoms) {
      const double m = weigh(g, model.density).mass;
      solid[i].mass += m, solid[i].com += m * (g.from + g.to) / 2;
    }
    if (solid[i].mass > 0) solid[i].com /= solid[i].mass;
    for (const Geom& g : geoms) {  // parallel axes
      const Capsule c = weigh(g, model.density);
      solid[i].inertia += c.across + c.mass * ((g.from + g.to) / 2 - solid[i].com).squaredNorm();
    }
    total += solid[i].mass;
    if (model.fluid_density > 0 && geoms.size() == 1) drags[i] = box_drag(geoms[0], weigh(geoms[0], model.density));
  }
  constant_mass.setZero();
  for (int i = 0; i < N; ++i) {
    if (model.total_mass > 0) solid[i].mass *= model.total_mass / total, solid[i].inertia *= model.total_mass / total;
    constant_mass += solid[i].inertia * turns.col(i) * turns.col(i).transpose();
    constant_mass(i, i) += model.links[i].armature;
  }
}

// The fluid sees a link as the box of the same mass and inertia, sides b (along) and s, s (across).
template <int N>
auto Chain<N>::box_drag(const Geom& g, const Capsule& c) const -> Drag {
  const double pi = std::numbers::pi, density = model.fluid_density, viscosity = model.fluid_viscosity;
  const double s = std::sqrt(6 * c.along / c.mass), b = std::sqrt(6 * (2 * c.across - c.along) / c.mass);
  const double d = (b + 2 * s) / 3;
  return {.linear = 3 * pi * d * viscosity, .along = 0.5 * density * s * s, .across = 0.5 * density * s * b,
          .spin = pi * d * d * d * viscosity, .spin2 = density * s * (std::pow(b, 4) + std::pow(s, 4)) / 64,
          .axis = (g.to - g.from).normalized()};
}

template struct Chain<2>;  // cart and pole
template struct Chain<3>;  // cart and two poles
template struct Chain<4>;  // reacher
template struct Chain<5>;  // swimmer
template struct Chain<6>;  // hopper
template struct Chain<9>;  // half cheetah, walker

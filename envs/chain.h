// A planar chain of rigid links, stepped as MuJoCo 2.2.2 steps it: joints that slide or turn, soft joint limits, a
// fluid, and soft contact with friction on a floor. Written once; a robot is a small table (half_cheetah.h, ...).
//
//   M(q) a + c(q, v) = u - damping v - stiffness q + J^T f        q joint positions, v joint speeds, a accelerations
//
// c collects gravity and centrifugal forces; the rows of J are the violated limits and contacts, f >= 0 their forces.
// Read in this order: Link, Model, Chain here, chain.cpp from top to bottom, dynamics.h.
#pragma once
#include <array>
#include <limits>
#include <string>
#include <vector>
#include "envs/dynamics.h"

// A point of the plane: (x, z) for robots that stand upright, (x, y) for the swimmer and the reacher, which lie in it.
using Vec2 = Eigen::Vector2d;

inline Vec2 rotate(const Vec2& dir, const Vec2& p) {  // p turned by the angle whose (cos, sin) is dir
  return {dir.x() * p.x() - dir.y() * p.y(), dir.y() * p.x() + dir.x() * p.y()};
}

// A capsule (all points within `radius` of the segment from-to, in the link's frame, m); a sphere if from == to.
struct Geom {
  Vec2 from, to;
  double radius;
  double friction = 1;  // Coulomb's mu against a floor that has less of it
};

// A capsule given by its middle, half its length, and its tilt from vertical about MuJoCo's +y (clockwise, rad).
inline Geom tilted(const Vec2& middle, double tilt, double half, double radius, double friction) {
  const Vec2 arm = half * Vec2(std::sin(tilt), std::cos(tilt));
  return {middle + arm, middle - arm, radius, friction};
}

// One joint and the solid that hangs on it. The joint is the origin of the link's frame.
// A link slides (axis != 0) or turns (turn != 0). Slides come first in a tree: they hang on the world or on a slide.
struct Link {
  std::string name;
  int parent = -1;       // index of the link it hangs on, -1: the world; parents come before children
  Vec2 at{0, 0};         // where the joint sits in the parent's frame at q = 0 (m)
  Vec2 axis{0, 0};       // slide: direction in the plane, length 1
  double turn = 0;       // hinge: +1 counter-clockwise in the picture; -1 clockwise, which is a hinge about MuJoCo's +y
  double lo = -std::numeric_limits<double>::infinity(), hi = -lo;  // limits of q (m or rad)
  double damping = 0, stiffness = 0, armature = 0;  // N s/m, N/m, kg (slide); N m s, N m, kg m^2 (hinge)
  double gear = 0;       // force or torque of this joint's motor at control 1 (N, N m); 0: no motor
  std::vector<Geom> geoms{};
};

// A robot: the table of its links and the world around it.
struct Model {
  std::string name;
  double h;                             // time step (s)
  int frame_skip;                       // time steps in one environment step
  enum { euler, rk4 } integrator;
  std::vector<Link> links;              // row i is coordinate i of q and v
  Vec2 gravity{0, -9.81};               // m/s^2
  double control_range = 1;             // motors' controls are clamped to +- this
  double density = 1000;                // of the solids, kg/m^3
  double total_mass = 0;                // kg: masses and inertias are scaled to this sum; 0: as they weigh
  Impedance limit{}, contact{};
  double limit_margin = 0;              // a limit acts from this distance on (m, rad)
  bool floor = false, self_contact = false;  // touches the line z = 0; links touch each other, but not their parents
  double floor_friction = 1, contact_margin = 0;
  double fluid_density = 0, fluid_viscosity = 0;  // kg/m^3, Pa s
};

// The dynamics of a Model with N links. Stateless: every function is pure and may be called from several threads.
// Throws std::invalid_argument if the table has another number of links or breaks an assumption above.
// Source: README.md, "What the simulator does"; MuJoCo's documentation, "Computation".
template <int N>
struct Chain {
  using Vec = Vector<N>;
  using Matrix = Square<N>;
  struct Solid { double mass = 0, inertia = 0; Vec2 com{0, 0}; };  // kg; kg m^2 about the com; com in the link's frame
  struct Drag { double linear = 0, along = 0, across = 0, spin = 0, spin2 = 0; Vec2 axis{1, 0}; };  // of the fluid
  struct Pose {           // where every link is and how it moves, in the world
    Vec x, y;             // joints (m)
    Vec cos, sin;         // orientation of the link frames
    Vec spin;             // angular speed, counter-clockwise (rad/s)
    Vec acc_x, acc_y;     // acceleration of the joints while all joint accelerations are 0 (m/s^2)
    Vec2 point(int link, const Vec2& p) const { return Vec2(x[link], y[link]) + rotate({cos[link], sin[link]}, p); }
  };
  struct Jacobian { Vec x, y; };                // d(point)/dq

  explicit Chain(const Model& model);

  // One time step of length model.h from (q, v), in place; control: one a joint (those without motor are ignored).
  void step(Vec& q, Vec& v, const Vec& control) const;
  Vec acceleration(const Vec& q, const Vec& v, const Vec& force) const;  // force: of the motors, one a joint
  Vec motor_force(const Vec& control) const;                              // gear * clamped control
  Vec constraint_force(const Vec& q, const Vec& v, const Vec& control) const;  // J^T f of limits and contacts

  Pose pose(const Vec& q, const Vec& v) const;
  Vec2 point(const Vec& q, int link, const Vec2& p) const { return pose(q, Vec::Zero()).point(link, p); }
  Matrix mass_matrix(const Vec& q) const;
  double energy(const Vec& q, const Vec& v) const;  // kinetic + gravity's + springs' (J)

  Model model;
  std::array<Solid, N> solid;
  std::array<double, N> weight;                 // mean of diag(J M^-1 J^T) of the link's com at q = 0 (1/kg)
  Vec limit_weight;                             // diag(M^-1) at q = 0

 private:
  void read_tree();
  void weigh_links();
  Drag box_drag(const Geom& g, const Capsule& c) const;
  Jacobian jacobian(const Pose& P, int link, const Vec2& p) const;
  void forces(const Pose& P, const Vec& v, Matrix& M, Vec& force) const;
  void drag(int link, const Pose& P, const Jacobian& J, const Vec& v, Vec& force) const;
  void floor_rows(const Pose& P, const Vec& v, Rows<N>& rows) const;
  void self_rows(const Pose& P, const Vec& v, Rows<N>& rows) const;
  Vec constrained(const Vec& q, const Vec& v, const Vec& force, Matrix& M) const;

  std::array<int, N> parent;
  Matrix turns;                                 // turns(j, i) = turn of hinge j if it carries link i, else 0
  Matrix slide_x, slide_y;                      // the same with the axes of the slides
  Matrix constant_mass;                         // the part of M that does not depend on q
  Vec damping, stiffness, gear;
  std::array<Drag, N> drags;
};

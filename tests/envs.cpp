// The environments against conservation laws, closed forms, published numbers and their own promises.
#include <Eigen/LU>
#include <cmath>
#include <limits>
#include <set>
#include "envs/cartpole.h"
#include "envs/cartpole_swingup.h"
#include "envs/env.h"
#include "envs/grid.h"
#include "envs/half_cheetah.h"
#include "envs/hopper.h"
#include "envs/inverted_double_pendulum.h"
#include "envs/inverted_pendulum.h"
#include "envs/mountain_car.h"
#include "envs/pendulum.h"
#include "envs/reacher.h"
#include "envs/reacher7.h"
#include "envs/swimmer.h"
#include "envs/walker2d.h"
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "tests/catch.h"
#include "tests/count_malloc.h"
#include "tests/scratch.h"

namespace {

// Nothing takes energy away: no damping, limits, floor or fluid; Runge-Kutta with a small step.
Model free_of_losses(Model m) {
  for (Link& link : m.links) link.damping = 0, link.lo = -infinity, link.hi = infinity;
  m.floor = m.self_contact = false, m.fluid_density = 0, m.integrator = Model::rk4, m.h = 5e-4;
  return m;
}

template <int N> typename Chain<N>::Vec random_vector(Rng& rng, double size) {
  typename Chain<N>::Vec x;
  for (int i = 0; i < N; ++i) x[i] = size * rng.normal();
  return x;
}

// The largest change of the energy over 1000 steps, relative to the energy that moves.
template <int N> double energy_drift(const Model& model) {
  const Chain<N> chain(free_of_losses(model));
  Rng rng(100);
  auto q = random_vector<N>(rng, 0.3), v = random_vector<N>(rng, 1);
  const double E0 = chain.energy(q, v), scale = 0.5 * v.dot(chain.mass_matrix(q) * v);
  double drift = 0;
  for (int t = 0; t < 1000; ++t) {
    chain.step(q, v, Chain<N>::Vec::Zero());
    drift = std::max(drift, std::abs(chain.energy(q, v) - E0) / scale);
  }
  return drift;
}

// The robot seen in a mirror: x to the other side, angles the other way round.
Model mirrored(Model m) {
  m.gravity.x() *= -1;
  for (Link& link : m.links) {
    link.at.x() *= -1;
    for (Geom& g : link.geoms) g.from.x() *= -1, g.to.x() *= -1;
    if (link.turn != 0 || link.axis.x() != 0) std::swap(link.lo, link.hi), link.lo *= -1, link.hi *= -1;
  }
  return m;
}

template <int N> double mirror_error(const Model& model) {
  const Chain<N> chain(model), mirror(mirrored(model));
  typename Chain<N>::Vec sign = Chain<N>::Vec::Constant(-1);
  for (int i = 0; i < N; ++i)
    if (model.links[i].axis.y() != 0) sign[i] = 1;  // heights stay
  Rng rng(100);
  typename Chain<N>::Vec q = random_vector<N>(rng, 0.1), v = random_vector<N>(rng, 0.5);
  if (model.floor) q[1] += model.name == "half_cheetah" ? 0 : 1.25;
  typename Chain<N>::Vec q2 = sign.cwiseProduct(q), v2 = sign.cwiseProduct(v);
  double error = 0;
  for (int t = 0; t < 50; ++t) {
    const auto u = random_vector<N>(rng, 0.5);
    chain.step(q, v, u), mirror.step(q2, v2, sign.cwiseProduct(u));
    error = std::max({error, (q2 - sign.cwiseProduct(q)).norm(), (v2 - sign.cwiseProduct(v)).norm()});
  }
  return error;
}

// A ball of 1 kg or so on two slides: the simplest thing that can lie on a floor.
Model ball_model() {
  return {.name = "ball", .h = 0.002, .frame_skip = 1, .integrator = Model::rk4,
          .links = {{.name = "x", .axis = {1, 0}},
                    {.name = "z", .parent = 0, .axis = {0, 1},
                     .geoms = {{.from = {0, 0}, .to = {0, 0}, .radius = 0.06, .friction = 0.5}}}},
          .floor = true, .floor_friction = 0.5};
}

// Random but plausible observations of a task: those of states along random episodes.
struct Batch { Mat s, a, s_next; };
Batch random_batch(Env& env, Rng& rng) {
  Batch b;
  Mat s = env.reset(rng);
  for (int t = 0; t < 6; ++t) {
    const Mat a = rng.uniform(env.action_dim, 1, Real(-0.9), Real(0.9));
    const Transition step = env.step(a);
    b.s = t == 0 ? step.s : append_cols(b.s, step.s), b.a = t == 0 ? a : append_cols(b.a, a);
    b.s_next = t == 0 ? step.s_next : append_cols(b.s_next, step.s_next);
  }
  return b;
}

std::vector<std::unique_ptr<Env>> all_envs() {
  std::vector<std::unique_ptr<Env>> envs;
  for (const std::string& name : env_names()) envs.push_back(make_env(name));
  return envs;
}

Sim column(std::initializer_list<double> x) {
  Sim sim(x.size(), 1);
  std::copy(x.begin(), x.end(), sim.data());
  return sim;
}
Mat mat(std::initializer_list<double> x) { return column(x).cast<Real>(); }

}  // namespace

// ---- the chain ----

TEST_CASE("without losses the chain conserves its energy", "[envs]") {
  CHECK(energy_drift<2>(cartpole_swingup_model()) < 1e-8);
  CHECK(energy_drift<3>(inverted_double_pendulum_model()) < 1e-8);
  CHECK(energy_drift<4>(reacher_model()) < 1e-8);
  CHECK(energy_drift<5>(swimmer_model()) < 1e-8);
  CHECK(energy_drift<6>(hopper_model()) < 1e-8);
  CHECK(energy_drift<9>(walker2d_model()) < 1e-8);
  CHECK(energy_drift<9>(half_cheetah_model()) < 1e-8);
}

TEST_CASE("a body free in space keeps its momentum and its angular momentum, whatever its motors do", "[envs]") {
  Model model = free_of_losses(walker2d_model());
  model.gravity = {0, 0};
  for (Link& link : model.links) link.armature = 0;  // a rotor's inertia turns with its joint only
  const Chain<9> chain(model);
  Rng rng(100);
  auto q = random_vector<9>(rng, 0.3), v = random_vector<9>(rng, 1);
  const auto momenta = [&] {  // rows 0, 1 of M v: the sums of m v; row 2: about the torso's joint, clockwise
    const Eigen::Matrix<double, 9, 1> p = chain.mass_matrix(q) * v;
    return Eigen::Vector3d(p[0], p[1], -p[2] + q[0] * p[1] - q[1] * p[0]);
  };
  const Eigen::Vector3d before = momenta();
  for (int t = 0; t < 500; ++t) {
    auto u = random_vector<9>(rng, 0.01);
    chain.step(q, v, u);
  }
  CHECK((momenta() - before).norm() < 1e-8 * before.norm());
}

TEST_CASE("a free body falls with g", "[envs]") {
  const Chain<9> chain(free_of_losses(half_cheetah_model()));
  Rng rng(100);
  auto q = random_vector<9>(rng, 0.3), v = random_vector<9>(rng, 1);
  const auto p_z = [&] { return chain.mass_matrix(q).row(1).dot(v); };
  const double before = p_z();
  for (int t = 0; t < 100; ++t) chain.step(q, v, Chain<9>::Vec::Zero());
  CHECK(p_z() - before == Approx(-14 * 9.81 * 100 * chain.model.h).epsilon(1e-8));
}

TEST_CASE("masses and inertias are the published ones", "[envs]") {
  const Chain<9> cheetah(half_cheetah_model()), walker(walker2d_model());
  const Chain<6> hopper(hopper_model());
  const Chain<2> cartpole(cartpole_swingup_model());
  const double masses[] = {6.2502092, 1.5435146, 1.5874477, 1.0953975, 1.4380753, 1.2008368, 0.88451883};
  for (int i = 0; i < 7; ++i) CHECK(cheetah.solid[2 + i].mass == Approx(masses[i]).epsilon(1e-7));
  CHECK(cheetah.solid[2].com.x() == Approx(0.15239).epsilon(1e-5));
  CHECK(cheetah.solid[2].com.y() == Approx(0.0253983).epsilon(1e-5));
  CHECK(cheetah.solid[2].inertia == Approx(0.897118).epsilon(1e-5));  // about y, the largest of the three
  const double hopper_masses[] = {3.6651914, 4.0578905, 2.7813567, 5.3155748};
  for (int i = 0; i < 4; ++i) CHECK(hopper.solid[2 + i].mass == Approx(hopper_masses[i]).epsilon(1e-7));
  CHECK(hopper.solid[2].inertia == Approx(0.0692459).epsilon(1e-5));
  CHECK(hopper.solid[5].inertia == Approx(0.103523).epsilon(1e-5));
  CHECK(walker.solid[8].mass == Approx(3.1667254).epsilon(1e-7));
  CHECK(walker.solid[8].inertia == Approx(0.0239977).epsilon(1e-5));
  CHECK(Chain<5>(swimmer_model()).solid[3].inertia == Approx(3.917566039).epsilon(1e-9));
  CHECK(Chain<4>(reacher_model()).solid[3].mass == Approx(4.0 / 3 * std::acos(-1.0) * std::pow(0.009, 3) * 1000));
  CHECK(Chain<3>(inverted_double_pendulum_model()).solid[2].inertia == Approx(0.1549706698).epsilon(1e-9));
  CHECK(cartpole.solid[0].mass == Approx(10.47197551).epsilon(1e-9));
  CHECK(cartpole.solid[1].mass == Approx(5.018591641).epsilon(1e-9));
  CHECK(cartpole.solid[1].inertia == Approx(0.1887497669).epsilon(1e-9));
}

TEST_CASE("cart and pole move as in their closed form", "[envs]") {
  const Chain<2> chain(cartpole_swingup_model());
  const double Mc = 10.47197551, m = 5.018591641, I = 0.1887497669, p = 0.0005, l = -0.3;
  Rng rng(100);
  for (int k = 0; k < 100; ++k) {
    const Eigen::Vector2d q(rng.uniform(-2, 2), rng.uniform(-4, 4)), v(3 * rng.normal(), 5 * rng.normal());
    const double F = rng.uniform(-300, 300), t = q[1];
    const double Z = -p * std::sin(t) + l * std::cos(t), C = p * std::cos(t) + l * std::sin(t);
    Eigen::Matrix2d M;
    M << Mc + m, m * Z, m * Z, I + m * (p * p + l * l);
    const Eigen::Vector2d a = chain.acceleration(q, v, {F, 0});
    const Eigen::Vector2d force(F - v[0] + m * C * v[1] * v[1], m * 9.81 * C - v[1]);
    CHECK((M * a - force).norm() < 1e-6 * (1 + force.norm()));  // the constants have ten digits
  }
}

TEST_CASE("a mirrored robot makes the mirrored motion", "[envs]") {
  CHECK(mirror_error<9>(half_cheetah_model()) < 1e-9);
  CHECK(mirror_error<9>(walker2d_model()) < 1e-9);
  CHECK(mirror_error<6>(hopper_model()) < 1e-9);
  CHECK(mirror_error<2>(cartpole_swingup_model()) < 1e-9);
}

TEST_CASE("a soft limit pushes with f = max(0, (a_ref - a_free) / (A + R))", "[envs]") {
  Model model = cartpole_swingup_model();
  model.links[1].damping = model.links[0].damping = 0;
  const Chain<2> chain(model);
  const Eigen::Vector2d q(2.5005, 0), v(0.3, 0);  // half a millimetre too far, hanging
  const Eigen::Matrix2d A_inv = chain.mass_matrix(q).inverse();
  // d = 0.9 + 0.05 y(0.5), tc = 0.04
  const double d = 0.9 + 0.05 * 0.5, b = 2 / (0.95 * 0.04), k = 1 / std::pow(0.95 * 0.04, 2);
  const double R = (1 - d) / d * chain.mass_matrix(Eigen::Vector2d::Zero()).inverse()(0, 0);
  const Eigen::Vector2d a_free = chain.acceleration({0, 0}, v, {0, 0});
  const double a_ref = b * 0.3 + k * d * 0.0005, A = A_inv(0, 0);  // along -x
  const double f = (a_ref + a_free[0]) / (A + R);
  const Eigen::Vector2d a = chain.acceleration(q, v, {0, 0});
  CHECK(a[0] == Approx(a_free[0] - A_inv(0, 0) * f).epsilon(1e-9));
  CHECK(chain.acceleration({2.4999, 0}, v, {0, 0})[0] == Approx(a_free[0]).margin(1e-9));  // not yet
  CHECK(chain.constraint_force(q, v, {0, 0})[0] == Approx(-f).epsilon(1e-9));
}

TEST_CASE("a ball comes to rest on the floor, which carries its weight; sliding, friction slows it by mu g", "[envs]") {
  const Chain<2> chain(ball_model());
  Eigen::Vector2d q(0, 0.2), v(0, 0);
  for (int t = 0; t < 2000; ++t) chain.step(q, v, {0, 0});
  CHECK(q[1] == Approx(0.06).margin(1e-3));
  CHECK(v.norm() < 1e-6);
  CHECK(chain.constraint_force(q, v, {0, 0})[1] == Approx(chain.solid[1].mass * 9.81).epsilon(1e-6));
  // how deep: four rows of softness R, each pushing with -k d r / R
  const double m = chain.solid[1].mass, r = q[1] - 0.06, x = -r / 0.001, mu = 0.5;
  const double d = 0.9 + 0.05 * (x <= 0.5 ? 2 * x * x : x < 1 ? 1 - 2 * (1 - x) * (1 - x) : 1);
  const double R = 2 * mu * mu * (1 + mu * mu) * (1 - d) / d * (2 / m) / 3;
  CHECK(-4 * r * d / (0.95 * 0.02 * 0.95 * 0.02) / R == Approx(m * 9.81).epsilon(1e-6));
  v[0] = 2;
  for (int t = 0; t < 50; ++t) chain.step(q, v, {0, 0});
  CHECK(v[0] == Approx(2 - 0.5 * 9.81 * 0.1).epsilon(0.02));
}

TEST_CASE("the swimmer's fluid stops it, and pushes across 6.6 times harder than along", "[envs]") {
  const Chain<5> chain(swimmer_model());
  const Eigen::Matrix<double, 5, 1> q = Eigen::Matrix<double, 5, 1>::Zero();
  const auto force = [&](const Eigen::Matrix<double, 5, 1>& v) {
    return Eigen::Matrix<double, 5, 1>(chain.mass_matrix(q) * chain.acceleration(q, v, Chain<5>::Vec::Zero()));
  };
  // three links, each f = -0.4645027526 v - quadratic v |v|
  CHECK(force({2, 0, 0, 0, 0})[0] == Approx(-3 * (0.4645027526 * 2 + 58.58823529 * 4)).epsilon(1e-8));
  CHECK(force({0, -2, 0, 0, 0})[1] == Approx(3 * (0.4645027526 * 2 + 388.9495035 * 4)).epsilon(1e-8));
  // the last link turning about its end at 1 rad/s: its com moves at 0.5 m/s, 0.5 m away, and it spins
  CHECK(force({0, 0, 0, 0, 1})[4] ==
        Approx(-0.5 * (0.4645027526 * 0.5 + 388.9495035 * 0.25) - 0.03760982965 - 17.83962911).epsilon(1e-8));
}

TEST_CASE("a table that breaks an assumption is refused", "[envs]") {
  Model late_parent = hopper_model(), no_joint = hopper_model(), sliding_leg = hopper_model();
  late_parent.links[3].parent = 4;
  no_joint.links[3].turn = 0;
  sliding_leg.links[4].turn = 0, sliding_leg.links[4].axis = {1, 0};
  CHECK_THROWS_AS(Chain<6>(late_parent), std::invalid_argument);
  CHECK_THROWS_AS(Chain<6>(no_joint), std::invalid_argument);
  CHECK_THROWS_AS(Chain<6>(sliding_leg), std::invalid_argument);
  CHECK_THROWS_AS(Chain<5>(hopper_model()), std::invalid_argument);
}

TEST_CASE("a time step allocates nothing", "[envs]") {
  const Chain<9> chain(half_cheetah_model());
  Chain<9>::Vec q = Chain<9>::Vec::Zero(), v = q, u = Chain<9>::Vec::Ones();
  const long before = malloc_calls();
  for (int t = 0; t < 100; ++t) chain.step(q, v, u);
  CHECK(malloc_calls() == before);
}

// ---- the interface, for every task ----

TEST_CASE("every task keeps the interface's promises", "[envs]") {
  for (const auto& env : all_envs()) {
    CAPTURE(env->name);
    Rng rng(100), same(100), other(101);
    const Mat s = env->reset(rng);
    const Sim start = env->sim_state();
    CHECK(s.rows() == env->state_dim);
    CHECK(start.rows() == env->sim_dim());
    CHECK(start(start.rows() - 1, 0) == 0);
    CHECK(int(env->action_scale.size()) == env->action_dim);
    CHECK(!env->reward_rule.empty());
    CHECK((env->reset(same) == s).all());                        // same seed, same start
    if (env->name != "maze" && env->name != "cliff_walking") CHECK(!(env->reset(other) == s).all());

    env->set_sim_state(start);
    const Mat a = rng.uniform(env->action_dim, 1, -1, 1);
    const Transition one = env->step(a);
    CHECK((one.s == s).all());
    CHECK((one.a == a).all());
    CHECK((env->simulate(start, a) == env->sim_state()).all());  // step is simulate, observe, reward, terminated
    CHECK((env->observe(env->sim_state()) == one.s_next).all());
    CHECK(one.terminated == (env->terminated(one.s_next)(0) != 0));
    CHECK(env->sim_state()(start.rows() - 1, 0) == 1);
    if (env->has_reward) CHECK(env->reward(one.s, a, one.s_next)(0) == Approx(one.r).epsilon(1e-4));
    else CHECK_THROWS_AS(env->reward(one.s, a, one.s_next), std::logic_error);

    env->set_sim_state(Sim(env->sim_state()));                   // changes nothing that follows
    const std::unique_ptr<Env> twin = make_env(env->name);
    twin->set_sim_state(env->sim_state());
    for (int t = 0; t < 5; ++t) {
      const Mat b = rng.uniform(env->action_dim, 1, -1, 1);
      const Transition x = env->step(b), y = twin->step(b);
      CHECK((x.s_next == y.s_next).all());
      CHECK(x.r == y.r);
    }
    CHECK(!env->draw(env->sim_state()).strokes.empty());
  }
}

TEST_CASE("a batch is its columns, with one thread or more", "[envs]") {
  for (const auto& env : all_envs()) {
    CAPTURE(env->name);
    Rng rng(100);
    const int n = env->hidden > 10 ? 3 : 130;  // MuJoCo's go one by one
    Sim sim(env->sim_dim(), n);
    for (int i = 0; i < n; ++i) sim.col(i) = env->start(rng).col(0);
    const Mat a = rng.uniform(env->action_dim, n, -1, 1);
    const Sim next = env->simulate(sim, a);
    const Mat s = env->observe(next);
    for (int i = 0; i < n; i += 43) {
      CHECK((env->simulate(Sim(sim.col(i)), Mat(a.col(i))).col(0) == next.col(i)).all());
      CHECK((env->observe(Sim(next.col(i))).col(0) == s.col(i)).all());
    }
  }
}

TEST_CASE("reward on recorded numbers is reward on numbers, its gradient that of finite differences", "[envs]") {
  for (const auto& env : all_envs()) {
    if (!env->has_reward) continue;
    CAPTURE(env->name);
    Rng rng(100);
    const Batch b = random_batch(*env, rng);
    Tape tape;
    const Var s = tape.input(b.s), a = tape.input(b.a), s_next = tape.input(b.s_next);
    const Var r = env->reward(s, a, s_next);
    CHECK(r.rows() == 1);
    CHECK((r.value() - env->reward(b.s, b.a, b.s_next)).abs().maxCoeff() < 1e-5);
    if (sizeof(Real) == 4 || !r.needs_grad()) continue;  // finite differences need double; constants have no gradient
    tape.backward(sum(r));
    const Real h = Real(1e-6);
    const auto check = [&](const Mat& x, const Mat& gradient, auto reward_at) {
      for (Eigen::Index i = 0; i < x.size(); ++i) {
        Mat up = x, down = x;
        up(i) += h, down(i) -= h;
        const Real slope = (reward_at(up).sum() - reward_at(down).sum()) / (2 * h);
        CHECK(gradient(i) == Approx(slope).epsilon(1e-6).margin(1e-6));
      }
    };
    check(b.s, s.grad(), [&](const Mat& x) { return env->reward(x, b.a, b.s_next); });
    check(b.a, a.grad(), [&](const Mat& x) { return env->reward(b.s, x, b.s_next); });
    check(b.s_next, s_next.grad(), [&](const Mat& x) { return env->reward(b.s, b.a, x); });
  }
}

TEST_CASE("net_apply undoes net_target, on numbers and on recorded numbers", "[envs]") {
  for (const auto& env : all_envs()) {
    CAPTURE(env->name);
    Rng rng(100);
    const Batch b = random_batch(*env, rng);
    const Real tolerance = sizeof(Real) == 4 ? Real(1e-4) : Real(1e-12);
    const Mat y = env->net_target(b.s, b.s_next);
    CHECK((env->net_apply(b.s, y) - b.s_next).abs().maxCoeff() < tolerance * (1 + b.s_next.abs().maxCoeff()));
    Tape tape;
    const Var s = tape.input(b.s), s_next = tape.input(b.s_next);
    CHECK((env->net_target(s, s_next).value() == y).all());
    CHECK((env->net_apply(s, env->net_target(s, s_next)).value() == env->net_apply(b.s, y)).all());
    CHECK((env->net_input(s).value() == env->net_input(b.s)).all());
  }
}

TEST_CASE("a time-out truncates and does not terminate", "[envs]") {
  Pendulum env;
  Rng rng(100);
  env.reset(rng);
  for (int t = 1; t <= 200; ++t) {
    const Transition step = env.step(mat({0.1}));
    CHECK(step.truncated == (t >= 200));
    CHECK_FALSE(step.terminated);
  }
}

TEST_CASE("an environment saved in the middle of an episode goes on where it was, noise included", "[envs]") {
  const Scratch dir;
  Pendulum env(0, 8, 0.5), again(0, 8, 0.5);
  Rng rng(100);
  env.reset(rng), again.reset(rng);
  for (int t = 0; t < 7; ++t) env.step(mat({0.3}));
  save_networks(dir / "env", env, {});
  load_networks(dir / "env", again);
  for (int t = 0; t < 5; ++t) CHECK((env.step(mat({0.3})).s_next == again.step(mat({0.3})).s_next).all());
  CHECK(again.steps() == 12);
}

TEST_CASE("bad input is refused with a reason", "[envs]") {
  CHECK_THROWS_WITH(make_env("pendolum"), Catch::Contains("pendolum") && Catch::Contains("pendulum, "));
  Pendulum env;
  Rng rng(100);
  env.reset(rng);
  CHECK_THROWS_AS(env.step(Mat::Zero(2, 1)), std::invalid_argument);
  CHECK_THROWS_AS(env.set_sim_state(Sim::Zero(2, 1)), std::invalid_argument);
  CHECK_THROWS_AS(env.step(mat({std::nan("")})), NotFinite);
  CHECK(env.sim_state()(2) == 0);  // and nothing has moved
}

// ---- single tasks ----

TEST_CASE("episodes end on the right side of each threshold", "[envs]") {
  const double e = 1e-4;
  const auto ends = [](const Env& env, std::initializer_list<double> s) { return env.terminated(mat(s))(0) != 0; };
  const Cartpole cartpole;
  CHECK_FALSE(ends(cartpole, {2.4 - e, 9, 0.2094 - e, 9}));
  CHECK(ends(cartpole, {2.4 + e, 0, 0, 0}));
  CHECK(ends(cartpole, {-2.4 - e, 0, 0, 0}));
  CHECK(ends(cartpole, {0, 0, 0.20944 + e, 0}));
  CHECK(ends(cartpole, {0, 0, -0.20944 - e, 0}));
  const MountainCar car;
  CHECK(ends(car, {0.45 + e, 0}));
  CHECK_FALSE(ends(car, {0.45 - e, 0.05}));
  CHECK_FALSE(ends(car, {0.45 + e, -e}));
  const InvertedPendulum pole;
  CHECK_FALSE(ends(pole, {0.9, 0.2 - e, 9, 9}));
  CHECK(ends(pole, {0, 0.2 + e, 0, 0}));
  CHECK(ends(pole, {0, -0.2 - e, 0, 0}));
  CHECK(ends(pole, {std::nan(""), 0, 0, 0}));
  const Hopper hopper;
  CHECK_FALSE(ends(hopper, {0.7 + e, 0.2 - e, 0, 0, 0, 99.9, 0, 0, 0, 0, 0}));
  CHECK(ends(hopper, {0.7 - e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(ends(hopper, {1, 0.2 + e, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(ends(hopper, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100 + e}));
  CHECK(ends(hopper, {1, 0, 0, 0, -100 - e, 0, 0, 0, 0, 0, 0}));  // both sides, MBPO's code tested one
  CHECK(ends(hopper, {1, 0, 0, std::nan(""), 0, 0, 0, 0, 0, 0, 0}));
  const Walker2d walker;
  const auto walks = [&](double z, double angle) {
    Mat s = Mat::Zero(17, 1);
    s(0) = Real(z), s(1) = Real(angle);
    return walker.terminated(s)(0) == 0;
  };
  CHECK(walks(0.8 + e, 1 - e));
  CHECK(walks(2 - e, -1 + e));
  CHECK_FALSE(walks(0.8 - e, 0));
  CHECK_FALSE(walks(2 + e, 0));
  CHECK_FALSE(walks(1.2, 1 + e));
  CHECK_FALSE(walks(1.2, -1 - e));
  const InvertedDoublePendulum two;
  const auto tip_at = [&](double a1, double a2) {  // s of the two hinge angles
    return two.terminated(mat({0, std::sin(a1), std::sin(a2), std::cos(a1), std::cos(a2), 0, 0, 0, 0, 0, 0}))(0) != 0;
  };
  const double limit = std::acos(1 / 1.2);  // both poles lean by it: Z = 1
  CHECK_FALSE(tip_at(limit - e, 0));
  CHECK(tip_at(limit + e, 0));
  CHECK(tip_at(-limit - e, 0));
  CHECK_FALSE(tip_at(0.5, -0.9));
  CHECK(tip_at(0.5, 0.9));
  for (const std::string name : {"pendulum", "cartpole_swingup", "swimmer", "reacher", "half_cheetah"})
    CHECK(make_env(name)->terminated(Mat::Constant(make_env(name)->state_dim, 1, 50))(0) == 0);
}

TEST_CASE("the pendulum: Gymnasium's step, friction, no speed limit, noise", "[envs]") {
  Pendulum env;
  const double theta = 3, speed = -1, u = 2 * 0.4;
  const double speed_next = speed + (15 * std::sin(theta) + 3 * u) * 0.05;
  const Sim next = env.simulate(column({theta, speed, 0}), column({0.4}));
  CHECK(next(1) == Approx(speed_next).epsilon(1e-14));
  CHECK(next(0) == Approx(theta + 0.05 * speed_next).epsilon(1e-14));
  const Sim r = env.rewards(column({theta + 4 * std::acos(-1.0), speed, 0}), column({0.4}), next);
  CHECK(r(0) == Approx(-(9 + 0.1 + 0.001 * u * u)).epsilon(1e-12));  // the old state, its angle wrapped
  CHECK(env.rewards(column({theta, speed, 0}), column({7}), next)(0) == Approx(-(9 + 0.1 + 0.004)));
  CHECK(env.simulate(column({1.5, 7.9, 0}), column({1}))(1) == 8);
  CHECK(Pendulum(0, infinity).simulate(column({1.5, 7.9, 0}), column({1}))(1) > 8.5);
  CHECK(Pendulum(4).simulate(column({theta, speed, 0}), column({0.4}))(1) == Approx(speed_next + 4 * 0.05));

  Pendulum noisy(0, infinity, 0.3);
  Rng rng(100);
  noisy.reset(rng);
  double sum = 0, squares = 0;
  const int n = 4000;
  for (int t = 0; t < n; ++t) {
    const Sim before = noisy.sim_state(), mean = noisy.simulate(before, mat({0}));
    noisy.step(mat({0}));
    const double kick = noisy.sim_state()(1) - mean(1);
    sum += kick, squares += kick * kick;
  }
  CHECK(sum / n == Approx(0).margin(4 * 0.3 / std::sqrt(n)));
  CHECK(std::sqrt(squares / n) == Approx(0.3).epsilon(0.05));
}

TEST_CASE("cart-poles: Euler with the old speeds; 0 and 1 push left and right; no pay after the end", "[envs]") {
  Cartpole discrete;
  const CartpoleContinuous continuous;
  const double x = 0.1, x_dot = 0.5, t = 0.05, t_dot = -0.4;
  const double q = (-10 + 0.05 * t_dot * t_dot * std::sin(t)) / 1.1;
  const double lever = 0.5 * (4.0 / 3 - 0.1 * std::cos(t) * std::cos(t) / 1.1);
  const double t_acc = (9.8 * std::sin(t) - q * std::cos(t)) / lever;
  const double x_acc = q - 0.05 * t_acc * std::cos(t) / 1.1;
  const Sim sim = column({x, x_dot, t, t_dot, 0}), next = discrete.simulate(sim, column({discrete.action_of(0)}));
  CHECK(next(0) == Approx(x + 0.02 * x_dot).epsilon(1e-14));
  CHECK(next(1) == Approx(x_dot + 0.02 * x_acc).epsilon(1e-14));
  CHECK(next(2) == Approx(t + 0.02 * t_dot).epsilon(1e-14));
  CHECK(next(3) == Approx(t_dot + 0.02 * t_acc).epsilon(1e-14));
  CHECK((continuous.simulate(sim, column({-1})) == next).all());
  CHECK((continuous.simulate(sim, column({-5})) == next).all());
  CHECK(discrete.simulate(sim, column({discrete.action_of(1)}))(1) > x_dot);
  CHECK(discrete.choice(-1) == 0);
  CHECK(discrete.choice(1) == 1);

  discrete.set_sim_state(column({2.39, 3, 0, 0, 0}));
  const Transition last = discrete.step(mat({1})), after = discrete.step(mat({1}));
  CHECK(last.terminated);
  CHECK(last.r == 1);
  CHECK(after.r == 0);
}

TEST_CASE("the mountain car: both walls, the goal's 100, the cost of the action as given", "[envs]") {
  const MountainCar env;
  const Sim left = env.simulate(column({-1.19, -0.07, 0}), column({-1}));
  CHECK(left(0) == -1.2);
  CHECK(left(1) == 0);
  CHECK(env.simulate(column({0.59, 0.07, 0}), column({1}))(0) == 0.6);
  const Sim next = env.simulate(column({-0.5, 0.01, 0}), column({0.5}));
  CHECK(next(1) == Approx(0.01 + 0.00075 - 0.0025 * std::cos(-1.5)).epsilon(1e-14));
  CHECK(next(0) == Approx(-0.5 + next(1)).epsilon(1e-14));
  CHECK(env.rewards(column({0.44, 0.03, 0}), column({2}), column({0.46, 0.03, 1}))(0) == Approx(99.6));
  CHECK(env.rewards(column({0.40, 0.03, 0}), column({1}), column({0.43, 0.03, 1}))(0) == Approx(-0.1));
}

TEST_CASE("the grids: 14 steps through the maze, 13 along the cliff, a fall costs 100", "[envs]") {
  MazeEnv maze;
  Rng rng(100);
  maze.reset(rng);
  CliffWalking cliff;
  cliff.reset(rng);
  double total = 0;
  Transition step;
  for (const char move : std::string("urrrrrrrrrrrd")) {
    step = cliff.step(mat({cliff.action_of(move == 'u' ? 0 : move == 'd' ? 1 : 3)}));
    total += step.r;
  }
  CHECK(total == -13);
  CHECK(step.terminated);
  cliff.reset(rng);
  step = cliff.step(mat({cliff.action_of(3)}));
  CHECK(step.r == -100);
  CHECK(step.terminated);

  const Sim in_a_wall = column({1, 2, 0}), at_the_end = column({3, 11, 0});  // nothing moves there
  CHECK((maze.simulate(in_a_wall, column({maze.action_of(3)})) == column({1, 2, 1})).all());
  CHECK((cliff.simulate(at_the_end, column({cliff.action_of(0)})) == column({3, 11, 1})).all());

  // value iteration's 14 moves, found by search over the environment itself
  std::set<std::pair<int, int>> seen;
  std::vector<Sim> front = {maze.start(rng)};
  int length = 0;
  for (bool found = false; !found; ++length) {
    std::vector<Sim> next_front;
    for (const Sim& sim : front) {
      for (int move = 0; move < 4; ++move) {
        const Sim next = maze.simulate(sim, column({maze.action_of(move)}));
        if (!seen.insert({int(next(0)), int(next(1))}).second) continue;
        next_front.push_back(next);
        found = found || maze.ended(next)(0) != 0;
        if (maze.ended(next)(0) != 0) CHECK(maze.rewards(sim, column({0}), next)(0) == 1);
      }
    }
    front = next_front;
  }
  CHECK(length == 14);
  CHECK(seen.size() == 47);
}

TEST_CASE("what a robot is paid for, at hand-made states", "[envs]") {
  const CartpoleSwingup swingup;
  const auto upright = column({0, std::acos(-1.0), 0, 0, 0}), hanging = column({0, 0, 0, 0, 0});
  CHECK(swingup.rewards(hanging, column({0}), upright)(0) == Approx(1));
  CHECK(swingup.rewards(hanging, column({0.5}), upright)(0) == Approx(1 - 0.01 * 1.5 * 1.5));
  CHECK(swingup.rewards(upright, column({0}), hanging)(0) == Approx(std::exp(-1.44 / 0.36)));
  const double X = 0.1 - 0.6 * std::sin(2), Z = -0.6 * std::cos(2);
  CHECK(swingup.rewards(hanging, column({0}), column({0.1, 2, 0, 0, 0}))(0) ==
        Approx(std::exp(-(X * X + (Z - 0.6) * (Z - 0.6)) / 0.36)));

  const Reacher reacher;
  const Sim stretched = column({0, 0, 0.1, 0.1, 3, 4, 0, 0, 0}), away = column({2, 2, 0.1, 0.1, 0, 0, 0, 0, 0});
  const double gap = std::hypot(0.11, 0.1);  // of the old position
  CHECK(reacher.rewards(stretched, column({0.5, -1}), away)(0) == Approx(-gap - 1.25));

  const InvertedDoublePendulum two;
  const Sim lean = column({0.2, 0.3, -0.1, 0.5, 2, -12, 0, 0});
  const double X2 = 0.2 + 0.6 * (std::sin(0.3) + std::sin(0.2)), Z2 = 0.6 * (std::cos(0.3) + std::cos(0.2));
  CHECK(two.rewards(lean, column({0}), lean)(0) ==
        Approx(10 - 0.01 * X2 * X2 - (Z2 - 2) * (Z2 - 2) - 0.001 * 4 - 0.005 * 144));
  const Vec2 tip = two.chain.point(lean.col(0).head<3>(), 2, {0, 0.6});
  CHECK(tip.x() == Approx(X2));
  CHECK(tip.y() == Approx(Z2));

  const HalfCheetah cheetah;
  Sim before = Sim::Zero(19, 1), after = before;
  before(0) = 1, after(0) = 1.2;
  CHECK(cheetah.rewards(before, Sim::Constant(6, 1, 0.5), after)(0) == Approx(0.2 / 0.05 - 0.1 * 1.5));
  const Walker2d walker;
  CHECK(walker.rewards(before, Sim::Constant(6, 1, 0.5), after)(0) == Approx(0.2 / 0.008 + 1 - 0.001 * 1.5));
}

TEST_CASE("reacher7: without losses the arm keeps energy and momentum; its tip is its frames'", "[envs]") {
  Reacher7 env;
  Rng rng(100);
  for (int k = 0; k < 20; ++k) {
    const Vector<7> q = random_vector<7>(rng, 1);
    Sim s = Sim::Zero(17, 1);
    s.col(0).head<7>() = q.array();
    const auto hand = env.arm.frames(q)[6];
    const Vec3 tip = env.tip<Sim>(s).col(0).matrix(), expected = hand.joint + hand.turn * Vec3(0.16828, 0, 0);
    CHECK((tip - expected).norm() < 1e-12);
  }
  CHECK(env.rewards(env.start(rng), Sim::Constant(7, 1, 0.1), Sim::Zero(21, 1))(0) ==
        Approx(-(0.98928 * 0.98928 + 0.188 * 0.188) - 0.01 * 7 * 4));  // stretched along x, target at 0

  Arm<7> arm = reacher7_arm();
  arm.damping.setZero(), arm.h = 5e-4;
  for (ArmLink& link : arm.links) link.lo = -infinity, link.hi = infinity;
  Vector<7> q = random_vector<7>(rng, 0.5), v = random_vector<7>(rng, 1);
  const Vector<7> p = arm.mass_matrix(q) * v;
  const double energy = v.dot(p);
  for (int t = 0; t < 1000; ++t) arm.step(q, v, Vector<7>::Zero());
  const Vector<7> p_after = arm.mass_matrix(q) * v;
  CHECK(v.dot(p_after) == Approx(energy).epsilon(1e-8));
  CHECK(p_after[0] == Approx(p[0]).epsilon(1e-8));  // all turn alike about the first axis: that momentum stays
}

TEST_CASE("half_cheetah_pets observes the mean speed of the last step, and is paid for it", "[envs]") {
  HalfCheetahPets env;
  HalfCheetah gym;
  Rng rng(100);
  const Mat s = env.reset(rng);
  CHECK(s(0) == 0);
  gym.set_sim_state(Sim(concat<double>(env.sim.topRows(18), env.sim.bottomRows(1))));
  const Mat a = rng.uniform(6, 1, -1, 1);
  const Transition x = env.step(a), y = gym.step(a);
  CHECK((x.s_next.bottomRows(17) == y.s_next).all());
  CHECK(x.r == Approx(y.r).epsilon(1e-5));
  CHECK(x.s_next(0) == Approx(y.r + 0.1 * a.square().sum()).epsilon(1e-4).margin(1e-5));
  CHECK(env.net_input(s).rows() == 18);
  CHECK(CartpoleSwingup().net_input(Mat::Zero(4, 1)).rows() == 5);
}

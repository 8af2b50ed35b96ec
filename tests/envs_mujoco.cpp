// The planar chain against MuJoCo 2.2.2, step by step. Compiled only where MuJoCo is installed.
#ifdef HAVE_MUJOCO
#include <algorithm>
#include "envs/ant.h"
#include "envs/env.h"
#include "envs/humanoid.h"
#include "envs/pusher.h"
#include "envs/half_cheetah.h"
#include "envs/hopper.h"
#include "envs/inverted_double_pendulum.h"
#include "envs/inverted_pendulum.h"
#include "envs/cartpole_swingup.h"
#include "envs/mujoco/planar.h"
#include "envs/mujoco/reacher7_model.h"
#include "envs/mujoco/runners.h"
#include "envs/mujoco/simulator.h"
#include "envs/reacher.h"
#include "envs/reacher7.h"
#include "envs/swimmer.h"
#include "envs/walker2d.h"
#include "tests/catch.h"

namespace {

template <int N> struct Pair {  // the same robot twice
  using Vec = typename Chain<N>::Vec;
  Chain<N> chain;
  Simulator simulator;
  Vec q, v;

  Pair(const Model& model, const char* xml) : chain(model), simulator(xml) { set(Vec::Zero(), Vec::Zero()); }
  void set(const Vec& q0, const Vec& v0) {
    q = q0, v = v0;
    simulator.set(q.data(), v.data());
  }
  // An environment step of both with controls of U(-amplitude, amplitude) times the range.
  void step(double amplitude, Rng& rng) {
    Vec u = Vec::Zero();
    std::vector<double> ctrl;
    for (int i = 0; i < N; ++i)
      if (chain.model.links[i].gear != 0)
        ctrl.push_back(u[i] = amplitude * chain.model.control_range * rng.uniform(-1, 1));
    for (int k = 0; k < chain.model.frame_skip; ++k) chain.step(q, v, u);
    simulator.step(ctrl.data(), chain.model.frame_skip);
  }
  double difference() const {
    const Eigen::Map<Vec> q2(simulator.data->qpos), v2(simulator.data->qvel);
    return std::max((q - q2).cwiseAbs().maxCoeff(), (v - v2).cwiseAbs().maxCoeff() / (1 + v2.cwiseAbs().maxCoeff()));
  }
  // The environment's own start, or close to it.
  void reset(Rng& rng) {
    Vec q0, v0;
    for (int i = 0; i < N; ++i) q0[i] = rng.uniform(-0.1, 0.1), v0[i] = 0.1 * rng.normal();
    if (chain.model.name == "hopper" || chain.model.name == "walker2d") q0[1] += 1.25;
    set(q0, v0);
  }
};

// The largest difference over `steps` steps of 5 episodes.
template <int N> double follow(const Model& model, const char* xml, double amplitude, int steps = 100) {
  Pair<N> pair(model, xml);
  double worst = 0;
  for (int episode = 0; episode < 5; ++episode) {
    Rng rng(100 + episode);
    pair.reset(rng);
    for (int t = 0; t < steps; ++t) {
      pair.step(amplitude, rng);
      worst = std::max(worst, pair.difference());
    }
  }
  return worst;
}

// One step from random states: limits overrun, bodies in the floor, each joint fast. The sorted differences.
template <int N> std::vector<double> one_step(const Model& model, const char* xml, int states, double speed = 5) {
  Pair<N> pair(model, xml);
  Rng rng(100);
  std::vector<double> differences;
  for (int k = 0; k < states; ++k) {
    typename Chain<N>::Vec q, v;
    for (int i = 0; i < N; ++i) {
      const Link& link = model.links[i];
      q[i] = std::isfinite(link.lo) ? rng.uniform(link.lo - 0.1, link.hi + 0.1) : rng.uniform(-0.8, 0.8);
      v[i] = speed * rng.normal();
    }
    if (model.name == "hopper" || model.name == "walker2d") q[1] += 1.25;
    pair.set(q, v);
    pair.step(1, rng);
    differences.push_back(pair.difference());
  }
  std::sort(differences.begin(), differences.end());
  return differences;
}

template <int N> void check_mass(const Model& model, const char* xml) {
  const Pair<N> pair(model, xml);
  double mass = 0;
  for (const auto& solid : pair.chain.solid) mass += solid.mass;
  CHECK(mass == Approx(mj_getTotalmass(pair.simulator.model.get())).epsilon(1e-12));
}

}  // namespace

TEST_CASE("the chain follows MuJoCo for 100 steps, small and large actions", "[envs][mujoco]") {
  for (const double amplitude : {0.1, 0.8}) {
    CAPTURE(amplitude);
    CHECK(follow<2>(cartpole_swingup_model(), cartpole_swingup_xml, amplitude) < 1e-11);
    CHECK(follow<2>(inverted_pendulum_model(), inverted_pendulum_xml, amplitude) < 1e-11);
    CHECK(follow<5>(swimmer_model(), swimmer_xml, amplitude) < 1e-11);
    CHECK(follow<4>(reacher_model(), reacher_xml, amplitude) < 1e-11);
    CHECK(follow<9>(walker2d_model(), walker2d_xml, amplitude) < 1e-9);
    CHECK(follow<6>(hopper_model(), hopper_xml, amplitude) < 1e-10);
  }
  CHECK(follow<9>(half_cheetah_model(), half_cheetah_xml, 0.1) < 1e-10);
}

TEST_CASE("where the motion is chaotic the chain follows MuJoCo until the rounding has grown", "[envs][mujoco]") {
  CHECK(follow<9>(half_cheetah_model(), half_cheetah_xml, 0.8, 20) < 1e-8);
  CHECK(follow<3>(inverted_double_pendulum_model(), inverted_double_pendulum_xml, 0.1, 60) < 1e-9);  // hits its stops
  CHECK(follow<3>(inverted_double_pendulum_model(), inverted_double_pendulum_xml, 0.8, 60) < 1e-9);
}

TEST_CASE("one step of the chain is one step of MuJoCo, from any state", "[envs][mujoco]") {
  const int n = 2000;
  CHECK(one_step<2>(cartpole_swingup_model(), cartpole_swingup_xml, n).back() < 1e-11);
  CHECK(one_step<2>(inverted_pendulum_model(), inverted_pendulum_xml, n).back() < 1e-11);
  CHECK(one_step<3>(inverted_double_pendulum_model(), inverted_double_pendulum_xml, n).back() < 1e-11);
  CHECK(one_step<5>(swimmer_model(), swimmer_xml, n, 0.5).back() < 1e-11);
  CHECK(one_step<4>(reacher_model(), reacher_xml, n).back() < 1e-11);
  CHECK(one_step<9>(half_cheetah_model(), half_cheetah_xml, n).back() < 1e-10);
  CHECK(one_step<9>(walker2d_model(), walker2d_xml, n).back() < 1e-10);
  // A thigh that has passed through the foot has no normal in the plane; MuJoCo then takes what rounding leaves of one.
  CHECK(one_step<6>(hopper_model(), hopper_xml, n)[n * 99 / 100] < 1e-10);
}

TEST_CASE("the hopper's links touch each other as in MuJoCo", "[envs][mujoco]") {
  Pair<6> pair(hopper_model(), hopper_xml);
  Rng rng(100);
  int touching = 0;
  for (int k = 0; k < 3000; ++k) {
    typename Chain<6>::Vec q, v;
    q << 0, 3, 0, rng.uniform(-2.6, 0), rng.uniform(-2.6, 0), rng.uniform(-0.8, 0.8);  // in the air
    for (int i = 0; i < 6; ++i) v[i] = rng.normal();
    pair.set(q, v);
    mj_forward(pair.simulator.model.get(), pair.simulator.data.get());
    const mjData& d = *pair.simulator.data;
    const auto in_plane = [](const mjContact& c) { return std::abs(c.frame[1]) < 0.5; };
    if (d.ncon == 0 || !std::all_of(d.contact, d.contact + d.ncon, in_plane)) continue;
    ++touching;
    pair.step(1, rng);
    if (pair.difference() > 1e-10) {  // allowed only where axes cross
      const auto crossed = [](const mjContact& c) { return c.dist < -0.06; };
      CHECK(std::any_of(d.contact, d.contact + d.ncon, crossed));
    }
  }
  CHECK(touching > 50);
}

TEST_CASE("reacher7 follows MuJoCo for 100 steps, through its limits; its tip is MuJoCo's", "[envs][mujoco]") {
  Reacher7 env;
  Simulator simulator(reacher7_xml);
  double worst = 0, tip_error = 0;
  long at_limit = 0;
  for (const double amplitude : {0.1, 0.8}) {
    for (int episode = 0; episode < 5; ++episode) {
      Rng rng(100 + episode);
      Sim sim = env.start(rng);
      for (int i = 17; i < 20; ++i) sim(i) = 0.1 * rng.normal();  // the target drifts
      simulator.set(&sim(0), &sim(10));
      for (int t = 0; t < 100; ++t) {
        Sim a(7, 1);
        for (double& x : a.reshaped()) x = rng.uniform(-amplitude, amplitude);
        const Sim u = 20 * a;
        sim = env.advance(sim, a);
        simulator.step(u.data(), 2);
        mj_forward(simulator.model.get(), simulator.data.get());
        at_limit += simulator.data->nefc;
        const Eigen::Map<Eigen::ArrayXd> q(simulator.data->qpos, 10), v(simulator.data->qvel, 10);
        worst = std::max(worst, (sim.col(0).head(10) - q).abs().maxCoeff());
        worst = std::max(worst, (sim.col(0).segment(10, 10) - v).abs().maxCoeff());
        // the tip lies 0.16828 m along the hand
        const int hand = mj_name2id(simulator.model.get(), mjOBJ_BODY, "r_wrist_roll_link");
        const double *p = simulator.data->xpos + 3 * hand, *R = simulator.data->xmat + 9 * hand;
        const Sim tip = env.tip<Sim>(sim.topRows(17));
        for (int k = 0; k < 3; ++k) tip_error = std::max(tip_error, std::abs(tip(k) - (p[k] + 0.16828 * R[3 * k])));
      }
    }
  }
  CHECK(at_limit > 100);
  CHECK(worst < 1e-10);
  CHECK(tip_error < 1e-12);
}

TEST_CASE("masses are MuJoCo's", "[envs][mujoco]") {
  check_mass<2>(cartpole_swingup_model(), cartpole_swingup_xml);
  check_mass<2>(inverted_pendulum_model(), inverted_pendulum_xml);
  check_mass<3>(inverted_double_pendulum_model(), inverted_double_pendulum_xml);
  check_mass<5>(swimmer_model(), swimmer_xml);
  check_mass<4>(reacher_model(), reacher_xml);
  check_mass<9>(half_cheetah_model(), half_cheetah_xml);
  check_mass<9>(walker2d_model(), walker2d_xml);
  check_mass<6>(hopper_model(), hopper_xml);
}

TEST_CASE("the force of limits is MuJoCo's qfrc_constraint", "[envs][mujoco]") {
  Pair<3> pair(inverted_double_pendulum_model(), inverted_double_pendulum_xml);
  const Eigen::Vector3d q(1.003, 0.2, -0.3), v(0.4, 1, -2), u(0.7, 0, 0);
  pair.set(q, v);
  pair.simulator.data->ctrl[0] = u[0];
  mj_forward(pair.simulator.model.get(), pair.simulator.data.get());
  const Eigen::Vector3d force = pair.chain.constraint_force(q, v, u), expected(pair.simulator.data->qfrc_constraint);
  CHECK(expected[0] < -1);
  CHECK((force - expected).norm() < 1e-10 * expected.norm());
}

TEST_CASE("a MuJoCo task continues from its state exactly as the simulator runs on", "[envs][mujoco]") {
  for (const std::string name : {"ant", "humanoid", "pusher"}) {
    CAPTURE(name);
    const std::unique_ptr<Env> env = make_env(name), other = make_env(name);
    Rng rng(100);
    env->reset(rng);
    for (int t = 0; t < 20; ++t) {
      const Mat a = rng.uniform(env->action_dim, 1, -1, 1);
      other->set_sim_state(env->sim_state());
      const Transition one = env->step(a), two = other->step(a);
      REQUIRE((one.s_next == two.s_next).all());
      REQUIRE(one.r == two.r);
    }
  }
  Ant ant;  // and against a simulator that was never interrupted
  Simulator simulator(ant_xml);
  Rng rng(100);
  ant.reset(rng);
  simulator.set(ant.sim.data(), ant.sim.data() + 15);
  for (int t = 0; t < 50; ++t) {
    const Mat a = rng.uniform(8, 1, -1, 1);
    ant.step(a);
    const Eigen::ArrayXd u = a.col(0).cast<double>();
    simulator.step(u.data(), 5);
    REQUIRE((Eigen::Map<Eigen::ArrayXd>(simulator.data->qpos, 15) == ant.sim.col(0).head(15)).all());
  }
}

TEST_CASE("body masses of ant, humanoid and pusher are the published ones", "[envs][mujoco]") {
  const auto total = [](const char* xml) { return mj_getTotalmass(Simulator(xml).model.get()); };
  CHECK(total(ant_xml) == Approx(0.9108800827).epsilon(1e-9));
  CHECK(total(humanoid_xml) == Approx(42.11603049).epsilon(1e-9));
  CHECK(total(pusher_xml) == Approx(13.67299664).epsilon(1e-9));
  CHECK(Simulator(ant_xml).model->body_mass[1] == Approx(0.32724923).epsilon(1e-7));
}
#endif

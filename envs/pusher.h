// An arm pushes an object to a goal on a table: Pusher of Gymnasium (v4), and the one of PETS. On MuJoCo.
#pragma once
#include "envs/mujoco/pusher_model.h"
#include "envs/mujoco_env.h"

template <class Task> struct PusherEnv : MujocoEnv<Task> {
  using MujocoEnv<Task>::MujocoEnv;
  static constexpr int tips = 11;  // bodies of MuJoCo: tips_arm, and after it the object and the goal

  // joints 7, their speeds 7, positions of the tips, the object and, where there is room, the goal
  Sim observation(const Sim& sim) const override {
    Sim s(this->state_dim, sim.cols());
    s.topRows(7) = sim.topRows(7), s.middleRows(7, 7) = sim.middleRows(this->nq, 7);
    this->positions(sim, [&](Eigen::Index i, const mjData& d) {
      for (int body = tips, row = 14; row < this->state_dim; ++body, row += 3)
        std::copy_n(d.xpos + 3 * body, 3, &s(row, i));
    });
    return s;
  }
};

struct Pusher : PusherEnv<Pusher> {
  Pusher() : PusherEnv(pusher_xml, 5) {
    name = "pusher", about = "push an object to a goal with an arm of 7 joints", state_dim = 23, time_limit = 100;
    reward_rule = "-|object - goal| - 0.5 |object - tips| - 0.1 sum u^2, positions before the step";
    view = {-0.6, 1.2, -1, 0.8}, follow = false, from_above = true;
  }
  void start_at(Sim& sim, Rng& rng) const {
    do sim(7, 0) = rng.uniform(-0.3, 0), sim(8, 0) = rng.uniform(-0.2, 0.2);
    while (std::hypot(sim(7, 0), sim(8, 0)) <= 0.17);
    add_uniform(sim, nq, 7, 0.005, rng);
  }
  template <class T> T reward_of(const T& s, const T& a, const T&) const {
    const auto norm = [](const T& x) { return T(sqrt(colwise_sum(T(square(x))) + 1e-16)); };  // finite gradient at 0
    const T to_goal = norm(rows(s, 17, 3) - rows(s, 20, 3)), to_tips = norm(rows(s, 17, 3) - rows(s, 14, 3));
    return -to_goal - 0.5 * to_tips - 0.1 * colwise_sum(T(square(2.0 * a)));
  }
};

struct Pusher7 : PusherEnv<Pusher7> {
  Pusher7() : PusherEnv(wider(pusher_xml), 4) {
    name = "pusher7", about = "pusher in the observation and with the reward of PETS", state_dim = 20, time_limit = 150;
    reward_rule = "-1.25 |object - goal|_1 - 0.5 |object - tips|_1 - 0.1 sum u^2, positions before the step";
    view = {-0.6, 1.2, -1, 0.8}, follow = false, from_above = true;
  }
  void start_at(Sim& sim, Rng& rng) const {
    sim(7, 0) = -0.25, sim(8, 0) = 0.15;
    add_normal(sim, 7, 2, 0.025, rng);
    add_uniform(sim, nq, 7, 0.005, rng);
  }
  template <class T> T reward_of(const T& s, const T& a, const T&) const {
    const auto distance = [](const T& x) { return T(colwise_sum(T(abs(x)))); };  // L1
    const T x = rows(s, 17, 1), y = rows(s, 18, 1), z = rows(s, 19, 1);
    const T to_goal = distance(concat(T(x - 0.45), T(y + 0.05), T(z + 0.323)));
    return -1.25 * to_goal - 0.5 * distance(rows(s, 17, 3) - rows(s, 14, 3)) - 0.1 * colwise_sum(T(square(2.0 * a)));
  }

 private:
  static std::string wider(std::string xml) {  // PETS lets the shoulder turn to 2.0
    return xml.replace(xml.find("1.714602"), 8, "2.0");
  }
};

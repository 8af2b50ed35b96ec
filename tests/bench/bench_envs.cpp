// Steps per second of the environments, with observation and reward; MuJoCo's bare steps beside them.
#include <functional>
#ifdef _OPENMP
#include <omp.h>
#endif
#include "envs/env.h"
#include "tests/bench/bench.h"
#ifdef HAVE_MUJOCO
#include "envs/mujoco/planar.h"
#include "envs/mujoco/reacher7_model.h"
#include "envs/mujoco/runners.h"
#include "envs/mujoco/simulator.h"
#endif

namespace {

constexpr int steps = 1000;

// `steps` steps of random actions, a new episode at each end.
std::function<void()> episodes(const std::string& name) {
  const std::shared_ptr<Env> env = make_env(name);
  auto rng = std::make_shared<Rng>(1);
  env->reset(*rng);
  return [=, a = Mat(env->action_dim, 1)]() mutable {
    for (int t = 0; t < steps; ++t) {
      rng->fill_uniform(a, -1, 1);
      const Transition step = env->step(a);
      if (step.terminated || step.truncated) env->reset(*rng);
    }
  };
}

// The same on MuJoCo, without observation and reward; an episode ends when the task's own would.
std::function<void()> mujoco_episodes([[maybe_unused]] const std::string& name) {
#ifdef HAVE_MUJOCO
  struct Robot { const char *name, *xml; int frame_skip; };
  static constexpr Robot robots[] = {
      {"cartpole_swingup", cartpole_swingup_xml, 2}, {"inverted_pendulum", inverted_pendulum_xml, 2},
      {"inverted_double_pendulum", inverted_double_pendulum_xml, 5}, {"swimmer", swimmer_xml, 4},
      {"reacher", reacher_xml, 2}, {"reacher7", reacher7_xml, 2}, {"half_cheetah", half_cheetah_xml, 5},
      {"walker2d", walker2d_xml, 4}, {"hopper", hopper_xml, 4}};
  for (const Robot& robot : robots) {
    if (robot.name != name) continue;
    const std::shared_ptr<Env> env = make_env(name);
    const auto simulator = std::make_shared<Simulator>(robot.xml);
    const int nq = simulator->model->nq, nu = simulator->model->nu, frame_skip = robot.frame_skip;
    return [=, rng = Rng(1), t = env->time_limit, sim = Sim(env->start(*std::make_unique<Rng>(1)))]() mutable {
      for (int k = 0; k < steps; ++k) {
        if (t >= env->time_limit || env->ended(sim)(0) != 0) {
          sim = env->start(rng), t = 0;
          simulator->set(sim.data(), sim.data() + nq);
        }
        double u[20];
        for (int i = 0; i < nu; ++i) u[i] = env->action_scale[i] * rng.uniform(-1, 1);
        simulator->step(u, frame_skip), ++t;
        std::copy_n(simulator->data->qpos, nq, sim.data()), std::copy_n(simulator->data->qvel, nq, sim.data() + nq);
      }
    };
  }
#endif
  return {};
}

// simulate on a batch of n columns.
std::function<void()> batch(const std::string& name, int n) {
  const std::shared_ptr<Env> env = make_env(name);
  Rng rng(1);
  Sim sim(env->sim_dim(), n);
  for (int i = 0; i < n; ++i) sim.col(i) = env->start(rng).col(0);
  return [=, a = Mat(rng.uniform(env->action_dim, n, -1, 1))] { env->simulate(sim, a); };
}

void row(const std::string& name, int threads, int steps, const std::function<void()>& ours,
         const std::function<void()>& mujocos = {}) {
#ifdef _OPENMP
  omp_set_num_threads(threads);
#endif
  std::vector<std::function<void()>> both = {ours};
  if (mujocos) both.push_back(mujocos);
  const std::vector<double> ms = time_in_turn(both);
  BenchRow row;
  row.name = name, row.threads = threads, row.median_ms = ms[0];
  row.steps_per_s = steps / ms[0] * 1e3;
  if (mujocos) row.mujoco_steps_per_s = steps / ms[1] * 1e3;
  print(row);
}

// One thread and two, in turn.
void batch_rows(const std::string& name, int n) {
  const std::function<void()> step = batch(name, n);
  std::vector<std::function<void()>> functions;
  for (const int threads : {1, 2})
    functions.push_back([=] {
#ifdef _OPENMP
      omp_set_num_threads(threads);
#endif
      step();
    });
  const std::vector<double> ms = time_in_turn(functions);
  for (const int threads : {1, 2}) {
    BenchRow row;
    row.name = "env_" + name + "_batch", row.threads = threads, row.median_ms = ms[threads - 1];
    row.steps_per_s = n / row.median_ms * 1e3;
    print(row);
  }
}

}  // namespace

void bench_envs() {
  row("env_pendulum", 1, 1024, batch("pendulum", 1024));
  for (const std::string& name : env_names())
    if (name != "pendulum") row("env_" + name, 1, steps, episodes(name), mujoco_episodes(name));
  batch_rows("half_cheetah", 256);
}

#include "envs/env.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>
#include "envs/cartpole.h"
#include "envs/cartpole_swingup.h"
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
#ifdef HAVE_MUJOCO
#include "envs/ant.h"
#include "envs/humanoid.h"
#include "envs/pusher.h"
#endif

Mat Env::reset(Rng& rng) {
  sim = start(rng);
  noise_rng = rng.split();
  return observe(sim);
}

Transition Env::step(const Mat& a) {
  if (a.rows() != action_dim || a.cols() != 1)
    throw std::invalid_argument(name + ": an action is " + std::to_string(action_dim) + " x 1, not " +
                                std::to_string(a.rows()) + " x " + std::to_string(a.cols()));
  const auto demand_finite = [this](const auto& x, const char* what) {
    if (!x.isFinite().all())
      throw NotFinite(name + ", step " + std::to_string(steps() + 1) + ": " + what + " is not finite");
  };
  demand_finite(a, "the action");
  const Sim action = a.cast<double>();
  Sim next = advance(sim, action);
  disturb(next, noise_rng);
  demand_finite(next, "the next state");
  Transition t{.s = observe(sim), .a = a, .r = Real(rewards(sim, action, next)(0)), .s_next = observe(next),
               .terminated = ended(next)(0) != 0, .truncated = next(next.rows() - 1, 0) >= time_limit};
  sim = std::move(next);
  return t;
}

void Env::set_sim_state(const Sim& state) {
  if (state.rows() != sim_dim() || state.cols() != 1)
    throw std::invalid_argument(name + ": a simulator state is " + std::to_string(sim_dim()) + " x 1");
  sim = state;
}

using Makers = std::map<std::string, std::function<std::unique_ptr<Env>()>>;
template <class Task> static std::unique_ptr<Env> make() { return std::make_unique<Task>(); }

static const Makers& makers() {
  static const Makers all = {
      {"maze", make<MazeEnv>},
      {"cliff_walking", make<CliffWalking>},
      {"pendulum", make<Pendulum>},
      {"cartpole", make<Cartpole>},
      {"cartpole_continuous", make<CartpoleContinuous>},
      {"mountain_car", make<MountainCar>},
      {"cartpole_swingup", make<CartpoleSwingup>},
      {"inverted_pendulum", make<InvertedPendulum>},
      {"inverted_double_pendulum", make<InvertedDoublePendulum>},
      {"swimmer", make<Swimmer>},
      {"reacher", make<Reacher>},
      {"reacher7", make<Reacher7>},
      {"half_cheetah", make<HalfCheetah>},
      {"half_cheetah_pets", make<HalfCheetahPets>},
      {"walker2d", make<Walker2d>},
      {"hopper", make<Hopper>},
#ifdef HAVE_MUJOCO
      {"ant", make<Ant>},
      {"ant_truncated", make<AntTruncated>},
      {"humanoid", make<Humanoid>},
      {"humanoid_truncated", make<HumanoidTruncated>},
      {"pusher", make<Pusher>},
      {"pusher7", make<Pusher7>},
#endif
  };
  return all;
}

std::vector<std::string> env_names(const std::string& first) {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  const auto at = std::find(names.begin(), names.end(), first);
  if (at != names.end()) std::rotate(names.begin(), at, names.end());
  return names;
}

std::unique_ptr<Env> make_env(const std::string& name) {
  const auto found = makers().find(name);
  if (found != makers().end()) return found->second();
  std::string known;
  for (const std::string& n : env_names()) known += (known.empty() ? "" : ", ") + n;
  throw std::invalid_argument("--env " + name + ": unknown; there are " + known);
}

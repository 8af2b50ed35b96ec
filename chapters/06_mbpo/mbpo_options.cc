#include "chapters/06_mbpo/mbpo_options.h"
#include <algorithm>
#include <utility>
#include "chapters/05_model_free/sac_options.h"  // robots

MbpoOptions::MbpoOptions(std::shared_ptr<Registry> shared) : Checkpointed(std::move(shared)) {}

std::vector<std::string> MbpoOptions::environments() { return env_names("pendulum"); }

Presets MbpoOptions::lecture_of() {
  const Preset robot = {{"steps", 10000}, {"random-steps", 1000}, {"epoch-steps", 250}, {"rollout-every", 250},
                        {"rollouts", 20000}, {"real-ratio", 0.05}, {"hidden", {128, 128}},
                        {"model-hidden", {128, 128}}, {"model-batch", 128}, {"model-epochs", 50}, {"lr", 3e-4},
                        {"updates", 10}, {"eval-every", 1000}, {"eval-episodes", 5}};
  return robots(robot);
}

Presets MbpoOptions::paper() {
  const auto task = [](int steps, std::initializer_list<double> length, int G, Real target_entropy) {
    return Preset{{"steps", steps}, {"random-steps", 5000}, {"epoch-steps", 250}, {"rollouts", 100000},
                  {"rollout-every", 250}, {"rollout-length", length}, {"retain", 4}, {"updates", G},
                  {"real-ratio", 0.05}, {"members", 7}, {"model-hidden", {200, 200, 200, 200}},
                  {"decay", {2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4}}, {"raw-targets", "true"}, {"model-batch", 256},
                  {"model-epochs", 1000}, {"patience", 5}, {"hidden", {256, 256}}, {"batch", 256}, {"lr", 3e-4},
                  {"alpha", 1}, {"target-entropy", target_entropy}, {"eval-every", 1000}, {"eval-episodes", 5}};
  };
  const auto with = [](Preset preset, const Preset& more) {
    for (const auto& [name, value] : more) preset.insert_or_assign(name, value);
    return preset;
  };
  const Preset pendulums = {{"random-steps", 500}, {"retain", 1}, {"eval-every", 250}};
  Presets presets = {{"inverted_pendulum", with(task(20000, {1}, 10, -0.05), pendulums)},
                     {"inverted_double_pendulum", with(task(20000, {1}, 20, -0.5), pendulums)},
                     {"hopper", task(125000, {20000, 150000, 1, 15}, 20, -1)},
                     {"walker2d", task(300000, {1}, 20, -3)},
                     {"half_cheetah", task(400000, {1}, 40, -3)}};
#ifdef HAVE_MUJOCO
  presets["ant_truncated"] = task(300000, {20000, 100000, 1, 25}, 20, -4);
  presets["humanoid_truncated"] = with(task(300000, {20000, 300000, 1, 25}, 20, -2),
                                       {{"model-hidden", {400, 400, 400, 400}}, {"epoch-steps", 1000},
                                        {"rollout-every", 1000}, {"retain", 5}});
#endif
  return presets;
}

Preset MbpoOptions::smoke() {
  return {{"steps", 160}, {"random-steps", 60}, {"epoch-steps", 20}, {"rollout-every", 20}, {"rollouts", 100},
          {"rollout-length", 2}, {"model-hidden", {8}}, {"decay", 0}, {"model-epochs", 3}, {"hidden", {8, 8}},
          {"batch", 16}, {"updates", 1}, {"eval-every", 20}, {"eval-episodes", 1}, {"members", 3}, {"elites", 2}};
}

void MbpoOptions::check() const {
  check_schedule("--rollout-length", rollout_length);
  const auto [shortest, longest] = std::minmax(rollout_length[rollout_length.size() / 2], rollout_length.back());
  if (shortest < 1 || longest > 10000)
    throw BadInput("--rollout-length " + join(rollout_length, ",") + ": k must be from 1 to 10000");
  if (steps <= random_steps)
    throw BadInput("--steps " + to_text(steps) + ": wanted more than --random-steps, " + to_text(random_steps));
  if (!checkpoint.empty() && (steps - random_steps) % epoch_steps != 0)
    throw BadInput("--steps " + to_text(steps) + ": a --checkpoint lies between two epochs, so wanted --random-steps " +
                   to_text(random_steps) + " + n --epoch-steps " + to_text(epoch_steps));
  if (const int choices = make_env(env)->choices; choices > 0)
    throw BadInput("--env " + env + ": SAC needs continuous actions, this task has " + to_text(choices) +
                   " discrete ones");
  if (elites > members)
    throw BadInput("--elites " + to_text(elites) + ": at most --members, which is " + to_text(members));
  if (decay != std::vector<double>{0} && decay.size() != model_hidden.size() + 1)
    throw BadInput("--decay " + join(decay, ",") + ": 0, or a value for each layer of --model-hidden " +
                   join(model_hidden, ",") + " and one for the last");
  ensemble().check();
}

EnsembleOptions MbpoOptions::ensemble() const {
  EnsembleOptions how{.members = members, .elites = elites, .hidden = model_hidden,
                      .standardise_targets = !raw_targets, .batch = model_batch, .epochs = model_epochs,
                      .patience = patience};
  if (decay != std::vector<double>{0}) how.decay.assign(decay.begin(), decay.end());
  return how;
}

SacOptions MbpoOptions::sac() const {
  return {.hidden = hidden.size() == 1 ? std::vector<int>(2, hidden[0]) : hidden, .lr = lr, .gamma = gamma,
          .tau = tau, .alpha = alpha};
}

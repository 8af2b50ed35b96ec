// make fuzz: whatever stands in the files of --init and --actions, rollout replays finite states or says in one line
// what is wrong. The first byte names the task, a zero byte ends the first file.
#define main rollout_main
#include "envs/rollout.cpp"
#undef main
#include "tests/fuzz/place.h"

namespace {

const Place place;
const std::vector<std::string> names = env_names();

std::string example(const Env& env) {
  std::string init, zeros, actions;
  for (const std::string& name : env.sim_names) init += name + ",", zeros += "0.1,";
  for (int i = 0; i < env.action_dim; ++i) actions += "action_" + std::to_string(i) + ",";
  init.back() = zeros.back() = actions.back() = '\n';
  for (int t = 0; t < 2; ++t)
    for (int i = 0; i < env.action_dim; ++i) actions += i + 1 < env.action_dim ? "1," : "1\n";
  return init + zeros + '\0' + actions;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (size_t i = 0; i < names.size(); ++i)
    add_to_corpus(*argc, *argv, names[i], char(i) + example(*make_env(names[i])));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  place.write("init", bytes.substr(0, end));
  place.write("actions", bytes.substr(std::min(end + 1, bytes.size())));
  try {
    const std::unique_ptr<Env> env = make_env(names[data[0] % names.size()]);
    Sim sim = read_start(*env, place / "init");
    const Sim actions = read_actions(*env, place / "actions");
    for (Eigen::Index t = 0; t < std::min<Eigen::Index>(actions.cols(), 10) && sim.isFinite().all(); ++t) {
      const Sim next = env->advance(sim, actions.col(t));
      env->rewards(sim, actions.col(t), next), env->ended(next), env->observation(next), env->draw(next);
      sim = next;
    }
  } catch (const std::invalid_argument& e) {
    check_one_line(e);
  } catch (const NotFinite& e) {
    check_one_line(e);
  }
  return 0;
}

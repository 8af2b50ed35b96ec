// make fuzz: MBPO goes on from a damaged checkpoint, or refuses it in one line and leaves its CSV file alone. The
// checksum is set right first: a fuzzer never guesses it.
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "chapters/00_toolbox/files.h"  // fnv1a, hex16
#include "chapters/06_mbpo/training.h"
#include "tests/fuzz/place.h"

namespace {

const Place place;
const std::string csv = place / "06_mbpo.csv";

MbpoOptions options(const char* which) {
  const std::string out = place.path, state = place / "state";
  const char* argv[] = {"06_mbpo", "--out", out.c_str(), which, state.c_str(), "--smoke", "--rollouts", "20",
                        "--hidden", "3", "--members", "2", "--elites", "1", "--model-hidden", "3"};
  return parse<MbpoOptions>(std::size(argv), argv);
}

void go_on(const MbpoOptions& opt, Training& x) {
  x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng));
  rollout(x.model, x.agent.pi, x.D_env, 20, 2, x.D_model, x.rng);
  improve_policy(x.agent, x.D_env, x.D_model, 1, 8, opt.real_ratio, x.rng);
}

// The state of a short training: what the fuzzer damages.
std::string state_of_training() {
  const MbpoOptions opt = options("--checkpoint");
  RunLog log(opt, {"env_steps"});
  Training x(opt, 0);
  for (; x.step < 8; ++x.step)
    x.D_env.add(interact(*x.env, [&](const Mat&, Rng& rng) { return uniform_action(1, rng); }, x.rng));
  train_model(x.model, x.D_env, x.rng);
  go_on(opt, x);
  log.row(x.step);
  Checkpoint(opt, {&log}).save(x);
  return read_bytes(opt.checkpoint);
}

void seal(std::string& bytes) {
  const std::string key = "\"checksum\":\"";
  const size_t at = bytes.find(key) + key.size();
  if (at < key.size() || bytes.size() < at + 16) return;
  bytes.replace(at, 16, hex16(fnv1a(std::string_view(bytes).substr(at + 16), fnv1a(bytes.substr(0, at)))));
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  add_to_corpus(*argc, *argv, "state", state_of_training());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MbpoOptions opt = options("--resume");
  static const std::string rows = read_bytes(csv);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  seal(bytes);
  place.write("state", bytes);
  RunLog log(opt, {"env_steps"});
  Training x(opt, 0);
  try {
    Checkpoint(opt, {&log}).resume(x);
    go_on(opt, x);
  } catch (const std::invalid_argument& e) {
    check_one_line(e);
  } catch (const NotFinite& e) {
    check_one_line(e);
  }
  if (read_bytes(csv) != rows) std::abort();
  return 0;
}

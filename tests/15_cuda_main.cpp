// Chapter 15, PETS with the device's planner, which runs on the CPU here.
#include "chapters/15_cuda/main.cu"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

// The rows of a smoke run with more options.
Table smoke_run(std::vector<const char*> more) {
  const Scratch scratch;
  const std::string out = scratch.path;
  std::vector<const char*> words = {"15_cuda", "--smoke",   "--quiet", "--no-plot", "--out",
                                    out.c_str(), "--steps", "40",      "--horizon", "2"};
  words.insert(words.end(), more.begin(), more.end());
  const Options opt = parse<Options>(int(words.size()), words.data());
  run_all(opt);
  return read_csv(opt.path(".csv"));
}

}  // namespace

TEST_CASE("PETS with the device's planner differs from the CPU's only in what was planned", "[15]") {
  const Table device = smoke_run({"--device", "cuda", "--seed", "3"});
  const Table cpu = smoke_run({"--device", "cpu", "--seed", "3"});
  CHECK(device.numbers("eval_return").size() == 3);  // in the true model, the random trial, a planned one
  CHECK(device.numbers("env_steps") == cpu.numbers("env_steps"));
  const auto first = [](const Table& t, const std::string& column, int n) {
    const std::vector<double> all = t.numbers(column);
    return std::vector<double>(all.begin(), all.begin() + n);
  };
  CHECK(first(device, "eval_return", 2) == first(cpu, "eval_return", 2));
  CHECK(device.where("trial", "1").numbers("holdout_mse") == cpu.where("trial", "1").numbers("holdout_mse"));
  CHECK(device.numbers("eval_return")[2] != cpu.numbers("eval_return")[2]);
}

TEST_CASE("what the device's planner cannot do is refused in the options", "[15]") {
  for (const std::vector<const char*>& words : std::vector<std::vector<const char*>>{
           {"--planner", "rs"}, {"--propagation", "E"}, {"--hidden", "600"}, {"--env", "reacher7"}}) {
    INFO(words[0]);
    CHECK_THROWS_AS(smoke_run(words), BadInput);
  }
  CHECK_NOTHROW(smoke_run({"--planner", "rs", "--device", "cpu"}));
}

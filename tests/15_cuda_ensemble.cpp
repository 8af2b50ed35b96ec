// An ensemble's kernels against its CPU reference, and that against chapter 04. The programs without a device.
#include <cstdlib>
#include <filesystem>
#include "chapters/04_pets/ensemble.h"
#include "chapters/15_cuda/ensemble.cu"
#include "tests/checked.h"  // check_each

namespace {

// A member of chapter 04 with nothing as it is at birth.
Ensemble lived(int members, Rng& rng) {
  Ensemble f(6, 4, {.members = members, .elites = members, .hidden = {20, 33}}, rng);
  for (Member& m : f.members) {
    const Network from = random_network({6, 20, 33, 8}, rng);
    m.input.mean = from.mean, m.input.std = from.std;
    m.head.target.mean = from.target_mean, m.head.target.std = from.target_std;
    m.head.max_log_var.value = from.max_log_var, m.head.min_log_var.value = from.min_log_var;
    for (Linear& layer : m.extractor.layers) layer.b.value = rng.normal(layer.b.value.rows(), 1);
    m.head.out.b.value = rng.normal(8, 1);
  }
  return f;
}

}  // namespace

TEST_CASE("Network predicts and samples what chapter 04's Member does", "[15]") {
  Rng rng(100);
  const Ensemble f = lived(1, rng);
  const Mat x = rng.normal(6, 50), xi = rng.normal(4, 50);
  const Gaussian<Mat> expected = f.members[0].predict(x);
  const Prediction p = Network(f.members[0]).predict(x, xi);
  CHECK(error_of(p.mu, expected.mu) < 1e-6);
  CHECK(error_of(p.log_var, expected.log_var) < 1e-6);
  CHECK(error_of(p.y, f.members[0].sample(x, xi)) < 1e-6);
}

TEST_CASE("a network's numbers lie where Shape says", "[15]") {
  Rng rng(100);
  const Network f = random_network({3, 5, 7, 4}, rng);
  const Shape s = f.shape();
  std::vector<float> numbers;
  f.append_to(numbers);
  REQUIRE(int(numbers.size()) == s.numbers());
  CHECK(s.layers == 3);
  CHECK((s.in() == 3 && s.out() == 2 && s.widest() == 7));
  CHECK(numbers[s.W_at(1) + 5 * 2 + 3] == f.W[1].data()[5 * 2 + 3]);
  CHECK(numbers[s.W_at(2) - 1] == f.b[1](6, 0));
  CHECK(numbers[s.bounds_at()] == f.max_log_var(0, 0));
  CHECK(numbers[s.bounds_at() + 6] == f.target_std(0, 0));
  CHECK(s.flop() == 2 * (3 * 5 + 5 * 7 + 7 * 4));
}

TEST_CASE("each version of the ensemble predicts and samples what the CPU does, at odd sizes too", "[15]") {
  const std::vector<Size> sizes = {{1, 1, {1, 1, 2}}, {3, 45, {7, 33, 20, 6}}, {2, 33, {9, 200, 200, 14}},
                                   {4, 1, {5, 3, 40}}, {1, 70, {6, 8}}};
  const std::vector<Checked> checks = check(sizes, 100);
  CHECK(checks.size() == 5 * 4 * 3);
  check_each(checks);
}

TEST_CASE("log-variances on the device stay between the bounds, however far the input is from the data", "[15]") {
  Rng rng(100);
  std::vector<Network> f = {random_network({3, 16, 4}, rng)};
  f[0].target_std.setOnes();
  DeviceEnsemble on_device(f, 1000 * rng.normal(3, 40));
  for (const Version& v : versions) {
    v.predict(on_device, 100);
    const Mat log_var = on_device.log_var.to_mat(2, 40);
    CHECK((log_var.colwise() - f[0].max_log_var.col(0)).maxCoeff() < 0.32);  // the clamp is soft
    CHECK((log_var.colwise() - f[0].min_log_var.col(0)).minCoeff() > -1e-5);
  }
}

TEST_CASE("noise is another one for each member and seed, the same for the same seed", "[15]") {
  CHECK((noise(100, 0, 4, 9) == noise(100, 0, 4, 9)).all());
  CHECK((noise(100, 0, 4, 9) != noise(100, 1, 4, 9)).all());
  CHECK((noise(100, 0, 4, 9) != noise(101, 0, 4, 9)).all());
}

TEST_CASE("a CUDA program ends with status 0, with a device or without", "[program]") {
  for (const std::string name : {"_affine", "_ensemble", "_planner", "_sac", "_ensemble_fit", "", "_mbpo"}) {
    const std::string program = "build/15_cuda" + name;
    if (!std::filesystem::exists(program)) continue;  // built where there is nvcc
    INFO(program);
    const bool learns = name.empty() || name == "_mbpo";
    const std::string options = learns ? " --smoke --no-plot --out build/15_cuda.out" : "";
    CHECK(std::system((program + options + " > build/15_cuda.txt").c_str()) == 0);
  }
}

// Chapter 15, the planner: its kernels run on the CPU, and main.cu's loop with them.
#include "chapters/15_cuda/planner.cu"
#include "tests/checked.h"  // check_each

namespace {

constexpr float nan_ = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();

struct Small {  // a small model of cartpole_swingup
  std::unique_ptr<Env> env = make_env("cartpole_swingup");
  Rng rng{100};
  Ensemble model = random_model(*env, {.members = 2, .elites = 2, .hidden = {8}}, rng);
  CemOptions options{.T = 3, .candidates = 6, .elites = 2, .iterations = 4};
  Mat s = Mat::Constant(4, 1, 0.1f);
};

// Of an iteration whose trajectories had these returns.
std::vector<int> elites_of(const std::vector<float>& returns) {
  Small x;
  x.options.candidates = int(returns.size()) / 2;
  DeviceCem<CartpoleSwingupTask> cem(x.model, x.options, 2, 1);
  cem.begin(), cem.sums.upload(returns.data()), cem.choose();
  std::vector<int> best = cem.best.to_vector();
  best.resize(cem.state.to_vector()[0].elites);
  return best;
}

}  // namespace

TEST_CASE("the planner's kernels on the CPU: returns, elites and refit are those of chapters 03 and 04", "[15]") {
  check_each(check());
}

TEST_CASE("elites: the best mean of particles, the first of equal ones, never NaN or infinity", "[15]") {
  CHECK(elites_of({0, 5, 1, 2, 0, 1, 7, 4}) == std::vector<int>{2, 1});  // means 0, 3, 4, 3
  CHECK(elites_of({1, 1, 1, 1, 1, 1}) == std::vector<int>{0, 1});
  CHECK(elites_of({1, nan_, 2, infinite, 1, 1, 2, 1}) == std::vector<int>{2, 0});
  CHECK(elites_of({nan_, 3, nan_, 1, 3, nan_}) == std::vector<int>{1});
  CHECK(elites_of({nan_, 3, -infinite, 1, nan_, 3}).empty());
}

TEST_CASE("a model that says NaN stops the device's planning", "[15]") {
  Small x;
  DeviceCem<CartpoleSwingupTask> cem(x.model, x.options, 2, 1);
  CHECK(cem.act(x.s).isFinite().all());
  for (Member& m : x.model.members) m.head.out.b.value.setConstant(nan_);
  cem.set_model(x.model);
  CHECK_THROWS_AS(cem.act(x.s), NotFinite);
}

TEST_CASE("the device's search ends when no variance is above epsilon", "[15]") {
  Small x;
  for (const auto& [epsilon, iterations] : {std::pair(0.3f, 0), std::pair(0.24f, 1), std::pair(0.0f, 4)}) {
    x.options.epsilon = epsilon;
    DeviceCem<CartpoleSwingupTask> cem(x.model, x.options, 2, 1);
    const Mat last = x.rng.uniform(3, 1, -0.9f, 0.9f);
    cem.mu.upload(last);
    const Mat a = cem.act(x.s);
    CHECK(int(cem.state.to_vector()[0].calls) == iterations);
    if (iterations == 0) CHECK(a(0, 0) == last(1, 0));
  }
}

TEST_CASE("no plan of the device leaves [-1, 1], and no two iterations draw the same", "[15]") {
  Small x;
  x.options.candidates = 200;
  DeviceCem<CartpoleSwingupTask> cem(x.model, x.options, 2, 1);
  Mat last(3, 1);
  last << 0, 0.95f, -1;
  cem.mu.upload(last), cem.s.upload(x.s), cem.begin(), cem.draw();
  const Mat plans = cem.plans.to_mat(3, 200);
  CHECK(double(plans.abs().maxCoeff()) <= 1);
  CHECK(double(plans.row(0).minCoeff()) > 0.89);  // 0.95 +- 2 (1 - 0.95) / 2
  CHECK(double(plans.row(2).abs().maxCoeff()) > 0.9);
  cem.roll_out(3, cem.tile), cem.choose(), cem.fit(), cem.mu.upload(last), cem.begin(), cem.draw();
  CHECK(double((cem.plans.to_mat(3, 200).row(2) - plans.row(2)).abs().minCoeff()) > 0);
}

TEST_CASE("the tile of the published size is one round on 132 processors; a layer of 520 units is refused", "[15]") {
  const std::unique_ptr<Env> env = make_env("half_cheetah_pets");
  Rng rng(100);
  const PackedModel f = layout_of(random_model(*env, {.hidden = {200, 200, 200, 200}}, rng));
  const TileSize tile = best_tile<HalfCheetahTask>(f, 2000, {});
  CHECK(tile.columns == 80);
  CHECK(tile.threads == 256);
  CHECK(tile.shared_bytes <= Limits().shared_bytes);
  CHECK(best_tile<HalfCheetahTask>(f, 2000, {.processors = 46, .shared_bytes = 64 << 10}).columns >= 8);
  CHECK_THROWS_AS(best_tile<HalfCheetahTask>(f, 2000, {.shared_bytes = 8 << 10}), std::invalid_argument);
  CHECK_THROWS_AS(layout_of(random_model(*env, {.hidden = {520}}, rng)), std::invalid_argument);
}

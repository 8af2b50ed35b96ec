// A real step of MBPO on hopper at the published settings against its matrix products alone, split over the threads in
// the same way: an action, 20 updates, and the 250th part of a rollout of 100000 branches at k = 1 and of a training of
// the model on 20000 real transitions (15 passes, as a training takes after the first).
#include <memory>
#include "chapters/06_mbpo/training.h"
#include "tests/bench/bench.h"
#include "tests/bench/sac_products.h"

namespace {

constexpr int G = 20, M = 100000, real = 20000, passes = 15, timed = 5, E = 250, batch = 256, block = 500;

MbpoOptions hopper() {
  const char* words[] = {"bench", "--env", "hopper", "--preset", "paper", "--model-epochs", "5", "--out", "build"};
  return parse<MbpoOptions>(9, words);
}

struct State {
  MbpoOptions opt = hopper();
  Training x{opt, 1};
  std::vector<int> model_sizes = {14, 200, 200, 200, 200, 24};
  SacProducts sac{11, 3, {256, 256}, batch, x.agent.large(batch)};
  std::vector<Products> fit, holdout, ask, pi;  // one per member or block

  State() {
    const auto uniform = [&](const Mat&, Rng& rng) { return uniform_action(3, rng); };
    while (x.D_env.size < real) x.D_env.add(interact(*x.env, uniform, x.rng));
    train_model(x.model, x.D_env, x.rng);
    resize(x.D_model, 4 * M);
    for (int i = 0; i < 4; ++i) roll();
    for (int m = 0; m < 7; ++m)
      fit.emplace_back(model_sizes, batch), holdout.emplace_back(model_sizes, real / 5);
    for (int thread = 0; thread < 2; ++thread)
      ask.emplace_back(model_sizes, block / 5), pi.emplace_back(std::vector<int>{11, 256, 256, 6}, block);
  }
  void roll() { rollout(x.model, x.agent.pi, x.D_env, M, 1, x.D_model, x.rng); }
};

}  // namespace

void bench_mbpo() {
  use_threads(2);
  const auto s = std::make_shared<State>();
  Training& x = s->x;
  const std::vector<double> ms = time_in_turn({
      [&] {
        x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng));
        improve_policy(x.agent, x.D_env, x.D_model, G, batch, Real(0.05), x.rng);
      },
      [&] {
        for (int g = 0; g < G; ++g) s->sac.update();
      },
      [&] { s->roll(); },
      [&] {
        parallel_for(M / block, [&](int, int thread) {
          s->pi[thread].forward();
          for (int elite = 0; elite < 5; ++elite) s->ask[thread].forward();
        });
      },
      [&] { train_model(x.model, x.D_env, x.rng); },
      [&] {
        parallel_for(7, [&](int m, int) {
          for (int i = 0; i < real * 4 / 5; i += batch) s->fit[m].training_step();
          s->holdout[m].forward();
        });
      },
  });
  BenchRow row{"mbpo_step_hopper", 2, {}, {}, {}, {}, {}};
  row.median_ms = ms[0] + (ms[2] + passes * ms[4] / timed) / E;
  row.gemm_ms = ms[1] + (ms[3] + passes * ms[5]) / E;
  row.steps_per_s = 1e3 / row.median_ms;
  print(row);
  use_threads(1);
}

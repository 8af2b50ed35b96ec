// The ensemble and the planner of PETS against their matrix products alone, split over the threads in the same way.
#include <memory>
#include "chapters/03_shooting/cem.h"
#include "chapters/04_pets/pets.h"
#include "tests/bench/bench.h"

namespace {

const std::vector<int> hidden = {200, 200, 200, 200}, sizes = {24, 200, 200, 200, 200, 36};

void print_row(const std::string& name, int threads, std::vector<std::function<void()>> functions) {
  use_threads(threads);
  if (!functions.back()) functions.pop_back();
  const std::vector<double> ms = time_in_turn(functions);
  BenchRow row{name, threads, ms[0], ms[1], {}, {}, {}};
  if (ms.size() > 2) row.libtorch_ms = ms[2];
  print(row);
}

// One gradient step of all members.
void fit_row(int threads) {
  struct State {
    Rng rng{1};
    Ensemble model{24, 18, {.members = 7}, rng};
    Mat X = rng.normal(24, 256), Y = rng.normal(18, 256);
    std::vector<int> columns = std::vector<int>(256);
    std::vector<Tape> tapes = std::vector<Tape>(2);
    std::vector<Products> products = std::vector<Products>(7, Products(sizes, 256));
  };
  auto s = std::make_shared<State>();
  std::iota(s->columns.begin(), s->columns.end(), 0);
  std::function<void()> torch, one = threads == 1 ? libtorch_mlp_step(sizes, true, 256) : nullptr;
  if (one) torch = [one] { for (int m = 0; m < 7; ++m) one(); };
  print_row("ensemble_fit_200x4_b256", threads,
            {[s] {
               parallel_for(7, [&](int m, int thread) {
                 s->model.descend(m, s->X, s->Y, s->columns, s->tapes[thread]);
               });
             },
             [s] { parallel_for(7, [&](int m, int) { s->products[m].training_step(); }); }, torch});
}

// One CEM iteration: 400 candidates, 20 particles, horizon 25, 5 members of the size of half_cheetah's.
void plan_row(int threads) {
  struct State {
    Rng rng{1};
    std::unique_ptr<Env> env = make_env("half_cheetah_pets");
    Ensemble model = make_model(*env, {}, rng);
    Particles particles{model, *env, Propagation::TSinf, 20};
    Cem cem{6, {.iterations = 1}};
    Mat s = env->reset(rng);
    // as many batches as the planner has blocks, of as many columns as a member's share of one
    std::vector<Products> products = std::vector<Products>(8, Products(sizes, block_size * 4));
  };
  auto s = std::make_shared<State>();
  print_row("pets_plan_200x4", threads,
            {[s] { s->cem.search(Mat::Zero(150, 1), ModelReturn{s->particles, s->s, s->rng}, s->rng); },
             [s] {
               parallel_for(8, [&](int i, int) {
                 for (int t = 0; t < 25; ++t)
                   for (int m = 0; m < 5; ++m) s->products[i].forward();
               });
             },
             threads == 1 ? libtorch_ensemble_plan(sizes, 5, 1600, 25) : nullptr});
}

}  // namespace

void bench_pets() {
  for (int threads : {1, 2}) fit_row(threads);
  for (int threads : {1, 2}) plan_row(threads);
}

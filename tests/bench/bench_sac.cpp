// One complete update of SAC against its matrix products alone, split over the threads in the same way.
#include <memory>
#include "chapters/05_model_free/sac.h"
#include "tests/bench/bench.h"
#include "tests/bench/sac_products.h"

namespace {

void rows(const std::string& name, int state_dim, int action_dim, const std::vector<int>& hidden, int batch) {
  struct State {
    Rng rng{1};
    Transitions D;
    Sac agent;
    Batch b;
    SacProducts products;
    State(int state_dim, int action_dim, const std::vector<int>& hidden, int batch)
        : D(state_dim, action_dim, 10000), agent(state_dim, action_dim, {.hidden = hidden}, rng),
          products(state_dim, action_dim, hidden, batch, agent.large(batch)) {
      D.add(Batch{rng.normal(state_dim, 10000), rng.uniform(action_dim, 10000, -1, 1), rng.normal(1, 10000),
                  rng.normal(state_dim, 10000), Mat::Ones(1, 10000)});
    }
  };
  auto s = std::make_shared<State>(state_dim, action_dim, hidden, batch);
  std::vector<std::function<void()>> functions;
  for (const int threads : {1, 2}) {
    functions.push_back([=] {
      use_threads(threads);
      s->D.sample(batch, s->rng, s->b);
      sac_update(s->agent, s->b, s->rng);
    });
    functions.push_back([=] {
      use_threads(threads);
      s->products.update();
    });
  }
  const std::vector<double> ms = time_in_turn(functions);
  for (const int threads : {1, 2}) {
    BenchRow row;
    row.name = name, row.threads = threads, row.median_ms = ms[2 * threads - 2], row.gemm_ms = ms[2 * threads - 1];
    print(row);
  }
  use_threads(1);
}

// A step of a whole run on pendulum, one update each: act, remember, improve; the buffer filled by 10000 steps.
void run_row() {
  struct State {
    Rng rng{1};
    std::unique_ptr<Env> env = make_env("pendulum");
    Transitions D{3, 1, 1000000};
    Sac agent{3, 1, {}, rng};
    Batch b;
    SacProducts products{3, 1, {64, 64}, 100, false};
    Mat s = env->reset(rng), xi = Mat(1, 1);
    void step() {
      rng.fill_normal(xi);
      const Transition t = env->step(agent.pi.sample(s, xi).a);
      D.add(t);
      s = t.terminated || t.truncated ? env->reset(rng) : t.s_next;
      if (D.size < 100) return;
      D.sample(100, rng, b);
      sac_update(agent, b, rng);
    }
  };
  use_threads(1);
  auto s = std::make_shared<State>();
  for (int t = 0; t < 10000; ++t) s->step();
  const std::vector<double> ms = time_in_turn({[s] { s->step(); }, [s] { s->products.update(); }});
  BenchRow row{"sac_run_64x64_b100", 1, ms[0], ms[1], {}, {}, {}};
  row.steps_per_s = 1e3 / ms[0];
  print(row);
}

}  // namespace

void bench_sac() {
  rows("sac_64x64_b100", 3, 1, {64, 64}, 100);
  rows("sac_256x256_b256", 17, 6, {256, 256}, 256);
  run_row();
}

// The policy's update of MAAC at H = 5, networks of pendulum's size, against its matrix products alone.
#include <memory>
#include "chapters/14_maac/objective.h"
#include "envs/pendulum.h"
#include "tests/bench/bench.h"

namespace {

constexpr int H = 5, batch = 256;

struct State {
  Rng rng{1};
  Pendulum env;
  Sac agent{3, 1, {}, rng};
  LearnedModel model{env, {.hidden = {64, 64}}, rng};
  Mat s = rng.normal(3, batch);
  Paths paths;
  std::vector<Products> pi, f_hat, Q;  // one per step, one per critic

  State() {
    pi.assign(H + 1, Products({3, 64, 64, 2}, batch));
    f_hat.assign(H, Products({4, 64, 64, 8}, batch));
    Q.assign(2, Products({4, 64, 64, 1}, batch));
  }
  void products() {
    for (Products& p : pi) p.forward();
    for (auto* frozen : {&f_hat, &Q})
      for (Products& p : *frozen) p.forward(), p.input_gradient();
    for (Products& p : pi) {
      p.backward();
      if (&p == &pi[0]) continue;  // its input is a constant
      p.layers[0].dx.matrix().noalias() = p.layers[0].W.matrix().transpose() * p.layers[0].dy.matrix();
    }
  }
};

}  // namespace

void bench_maac() {
  use_threads(1);
  const auto s = std::make_shared<State>();
  const std::vector<double> ms = time_in_turn({[s] { ascend(s->agent, s->model, s->s, H, 5, s->paths, s->rng); },
                                               [s] { s->products(); }});
  print({"maac_update_h5", 1, ms[0], ms[1], {}, {}, {}});
}

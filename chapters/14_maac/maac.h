// The inner loop of MAAC (slide "MAAC Algorithm", lines 8 to 12). It reads no option.
#pragma once
#include "chapters/00_toolbox/errors.h"  // interrupted
#include "chapters/06_mbpo/mbpo.h"       // Mixture
#include "chapters/14_maac/objective.h"

struct MaacUpdates {
  int G_2 = 10, H = 3;                         // updates; steps in the model
  int batch = 128;                             // start states of the policy's step, transitions of the critics'
  Real real_ratio = 0.5;                       // of them from D_env
  Real max_norm = 5;                           // the policy's gradient is clipped to this norm
};
struct MaacMemory {
  Mixture mixture;
  Paths paths;
};

// Returns the means of the numbers of all updates. Throws NotFinite, and std::invalid_argument if a store that is asked
// is empty.
inline MaacNumbers improve(Sac& agent, const LearnedModel& model, const Transitions& D_env, const Transitions& D_model,
                           const MaacUpdates& how, MaacMemory& memory, Rng& rng) {
  MaacNumbers sum{0, 0, 0, 0};
  int done = 0;
  //(8*) D = D_model u D_env is not copied: each batch has its share of both.
  for (; done < how.G_2 && !interrupted(); ++done) {                                   //(9) for i = 1 ... G_2 do
    const Batch& b = memory.mixture.draw(D_env, D_model, how.batch, how.real_ratio, rng);
    const MaacNumbers now = ascend(agent, model, b.s, how.H, how.max_norm, memory.paths, rng);  //(10) theta, up J_pi
    const Real Q_loss = learn_Q(agent, b, rng);                                        //(11) psi, down J_Q
    sum.J += now.J, sum.grad_norm += now.grad_norm, sum.entropy += now.entropy, sum.Q_loss += Q_loss;
  }                                                                                    //(12) end for
  const Real n = Real(done);
  return {sum.J / n, sum.grad_norm / n, sum.entropy / n, sum.Q_loss / n};
}

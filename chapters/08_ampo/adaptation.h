// Unsupervised model adaptation (slides "Unsupervised Model Adaptation" and "AMPO"; Shen et al. 2020): the features of
// simulated inputs are made to look like those of real ones. No labels are used.
//
//   Adaptation adaptation(model, {.distance = "w1"}, rng);
//   adaptation.adapt(model, x_real, x_simulated, 50, rng);   // 50 steps; inputs of the model, one sample per column
#pragma once
#include <deque>
#include "chapters/00_toolbox/errors.h"    // interrupted
#include "chapters/00_toolbox/parallel.h"  // parallel_for
#include "chapters/04_pets/ensemble.h"     // Ensemble, Member
#include "chapters/08_ampo/critic.h"
#include "chapters/08_ampo/mmd.h"

struct AdaptationOptions {
  std::string distance = "w1";  // w1, mmd, or none
  int critic_steps = 5;         // of W1, before each step of the extractor
  int critic_first = 50;        // more of them before the first: the features have changed since
  int batch = 256;              // of real and of simulated inputs
  Real lr = 1e-4;
  CriticOptions critic = {};
  std::vector<Real> bandwidths = ampo_bandwidths;  // of MMD; empty: the median heuristic

  // Throws std::invalid_argument, one line with the rule.
  void check() const {
    const auto rule = [](bool holds, const char* text) {
      if (!holds) throw std::invalid_argument(std::string("adaptation: ") + text);
    };
    rule(distance == "w1" || distance == "mmd" || distance == "none", "the distance must be w1, mmd or none");
    rule(critic_steps >= 1 && batch >= 2, "there must be a critic's step and at least 2 samples in a batch");
    rule(critic_first >= 0, "the critic's first steps must not be negative");
    rule(std::isfinite(lr) && lr > 0, "the learning rate must be finite and positive");
    for (const Real sigma : bandwidths)
      rule(std::isfinite(sigma) && sigma > 0, "a bandwidth must be finite and positive");
    critic.check();
  }
};

// n columns of x (rows, at least one column), drawn with replacement, into a matrix that is there already.
inline void draw_columns(const Mat& x, int n, Mat& into, Rng& rng) {
  into.resize(x.rows(), n);
  for (int j = 0; j < n; ++j) into.col(j) = x.col(Eigen::Index(rng.below(x.cols())));
}

// A member's feature extractor is all of it but the head, the decoder. A copy of it sees the real inputs (source) while
// the member's own sees the simulated ones (target); both move until their features are alike. Then the copy is thrown
// away. The decoder never changes, so the member has to be trained again before it is used.
struct Adaptation {
  AdaptationOptions options;
  std::deque<Critic> critics;  // one per member; a deque, because optimisers refer to weights

  // Throws std::invalid_argument as AdaptationOptions::check.
  Adaptation(const Ensemble& model, const AdaptationOptions& o, Rng& rng) : options((o.check(), o)) {
    for (const Member& f : model.members) critics.emplace_back(f.head.out.W.value.cols(), o.critic, rng);
  }

  // `steps` steps of each member's extractor. x_source (in, n), x_target (in, m): what the model is shown of real and
  // of simulated (s, a). Throws std::invalid_argument if one of them has no columns, NotFinite if an input, a loss or a
  // gradient is not finite.
  void adapt(Ensemble& model, const Mat& x_source, const Mat& x_target, int steps, Rng& rng) {
    std::vector<Rng> rngs;
    for (std::size_t m = 0; m < critics.size(); ++m) rngs.push_back(rng.split());
    if (options.distance == "none") return;
    for (const Mat* x : {&x_source, &x_target}) {
      if (x->cols() == 0) throw std::invalid_argument("adaptation: there must be real and simulated inputs");
      if (!x->isFinite().all()) throw NotFinite("adaptation: an input is not finite");
    }
    parallel_for(int(critics.size()), [&](int m, int) {
      adapt(model.members[m], critics[m], x_source, x_target, steps, rngs[m]);
    });
  }

  // With the distance: of a run of several algorithms any one may be loaded.
  template <class Ar> void io(Ar& ar) { ar("distance", options.distance), ar("critics", critics); }

 private:
  void adapt(Member& target, Critic& critic, const Mat& x_source, const Mat& x_target, int steps, Rng& rng) const {
    Member source = target;
    std::vector<Param*> both = params(source.extractor);
    for (Param* p : params(target.extractor)) both.push_back(p);
    Adam optimiser(both, options.lr);
    const bool w1 = options.distance == "w1";
    if (!w1) optimiser.beta1 = 0.5;  // as the authors' code, for MMD only
    Tape tape;
    Mat x_src, x_tgt;
    const auto draw = [&] {
      draw_columns(x_source, options.batch, x_src, rng);
      draw_columns(x_target, options.batch, x_tgt, rng);
    };
    for (int i = 0; i < steps && !interrupted(); ++i) {
      const int n = w1 ? options.critic_steps + (i == 0 ? options.critic_first : 0) : 0;
      for (int j = 0; j < n; ++j) {
        draw();
        critic.step(source.features(x_src), target.features(x_tgt), rng);
      }
      if (!w1) draw();  // with W1 the extractor sees the critic's last batch
      tape.clear();
      const Var h_src = source.features(tape.constant(x_src));  //(b13) source domain: model training data
      const Var h_tgt = target.features(tape.constant(x_tgt));  //(b14) target domain: model rollout data
      //(b15) Aligning the latent feature distributions by minimizing IPMs.
      optimiser.minimize(w1 ? critic.estimate(h_src, h_tgt) : mmd(h_src, h_tgt));
    }
  }
  // sqrt(MMD^2), kept away from 0, where the root has no derivative.
  Var mmd(Var h_src, Var h_tgt) const {
    const std::vector<Real> sigmas =
        options.bandwidths.empty() ? std::vector<Real>{median_heuristic(h_src.value(), h_tgt.value())}
                                   : options.bandwidths;
    return sqrt(relu(mmd2(h_src, h_tgt, sigmas) - Real(1e-6)) + Real(1e-6));
  }
};

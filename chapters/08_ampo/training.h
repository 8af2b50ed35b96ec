// Everything that a run of AMPO changes: what MBPO has, and the critics of the adaptation.
#pragma once
#include "chapters/06_mbpo/training.h"     // Training
#include "chapters/08_ampo/ampo_options.h"  // AmpoOptions

//(1) Initialize policy pi_phi, dynamics model T_hat_theta, environment buffer D_e, model buffer D_m
struct AmpoTraining : Training {
  std::string algo;
  Rng adapt_rng;  // apart, so that without adaptation it is MBPO, to the last bit
  Adaptation adaptation;
  bool adapted = false;                        // since the model was trained
  double mmd2_before = NAN, mmd2_after = NAN;  // of the first elite's features, at the last adaptation

  AmpoTraining(const AmpoOptions& opt, const std::string& algo, int seed)
      : Training(opt, seed), algo(algo), adapt_rng(~std::uint64_t(seed)),
        adaptation(model.p, opt.adaptation(), adapt_rng) {}

  template <class Ar> void io(Ar& ar) {
    Training::io(ar);
    ar("algo", algo), ar("adapt_rng", adapt_rng), ar("adaptation", adaptation);
    ar("adapted", adapted), ar("mmd2_before", mmd2_before), ar("mmd2_after", mmd2_after);
  }
};

// On all of D_env.
inline void train_model(AmpoTraining& x) { train_model(x.model, x.D_env, x.rng), x.adapted = false; }

// What --save keeps, its model trained once more if it has been adapted.
inline void save_learned(const AmpoOptions& opt, AmpoTraining& x) {
  if (x.adapted) train_model(x);
  save_learned(static_cast<const MbpoOptions&>(opt), static_cast<Training&>(x));
}

// MMD^2 between a member's features of 500 real and 500 simulated inputs, one bandwidth by the median heuristic.
inline double feature_mmd2(const Member& f, const Mat& x_source, const Mat& x_target, Rng& rng) {
  Mat x_src, x_tgt;
  draw_columns(x_source, 500, x_src, rng), draw_columns(x_target, 500, x_tgt, rng);
  const Mat h_src = f.features(x_src), h_tgt = f.features(x_tgt);
  return mmd2(h_src, h_tgt, {median_heuristic(h_src, h_tgt)});
}

// W1 between them, as a critic of its own sees it that is trained for it.
inline double feature_w1(const Member& f, const Mat& x_source, const Mat& x_target, Rng& rng) {
  Critic judge(int(f.head.out.W.value.cols()), {.lr = 1e-3}, rng);
  Mat x_src, x_tgt;
  const auto draw = [&](int n) { draw_columns(x_target, n, x_tgt, rng), draw_columns(x_source, n, x_src, rng); };
  for (int i = 0; i < 250 && !interrupted(); ++i) draw(128), judge.step(f.features(x_src), f.features(x_tgt), rng);
  draw(2000);
  return judge.estimate(f.features(x_src), f.features(x_tgt));
}

//(10*) G_2 steps to train the feature extractor with (s, a) from both D_e and D_m by the adaptation loss L_WD, or MMD
inline void adapt_model(AmpoTraining& x, int steps) {
  const Batch real = x.D_env.all(), simulated = x.D_model.all();
  const Mat x_source = x.model.x(real.s, real.a), x_target = x.model.x(simulated.s, simulated.a);
  const Rng same = x.adapt_rng.split();
  const auto distance = [&] { Rng rng = same; return feature_mmd2(x.model.p.elite(0), x_source, x_target, rng); };
  x.mmd2_before = distance();
  x.adaptation.adapt(x.model.p, x_source, x_target, steps, x.adapt_rng);
  x.adapted = x.adapted || (steps > 0 && x.adaptation.options.distance != "none");
  x.mmd2_after = distance();
}

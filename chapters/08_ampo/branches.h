// Branches in a model beside the same branches in reality, and how far apart two samples of states are.
#pragma once
#include "chapters/05_model_free/squashed_gaussian.h"  // pi
#include "chapters/08_ampo/mmd.h"
#include "chapters/08_ampo/simulator_state.h"

// Branches of pi in a model and in reality, from the same states (state_dim, n) with the same noise xi. Both sides of a
// pair end where one of them does.
//
//   Branches b{env, pi, s, s};
//   b.act(rng), b.step([&](const Mat& s, const Mat& a) { return model.mean(s, a).s_next; });
struct Branches {
  const Env& env;
  const SquashedGaussian& pi;
  Mat model, real;  // (state_dim, n)
  Sim sim = simulator_state(env, real);
  Mat a_model = {}, a_real = {};

  void act(Rng& rng) {
    const Mat xi = rng.normal(env.action_dim, model.cols());
    a_model = pi.sample(model, xi).a, a_real = pi.sample(real, xi).a;
  }
  // predict(s, a): the model's next states.
  template <class Predict> void step(const Predict& predict) { advance(predict), keep(over()); }

  // Its two halves, for several models side by side. over: (1, n), 0 where both sides go on.
  template <class Predict> void advance(const Predict& predict) {
    model = predict(model, a_model), sim = env.simulate(sim, a_real), real = env.observe(sim);
  }
  Mat over() const { return env.terminated(model) + env.ended(sim).cast<Real>(); }
  void keep(const Mat& over) {
    std::vector<int> both;
    for (int j = 0; j < over.cols(); ++j)
      if (over(0, j) == 0) both.push_back(j);
    model = Mat(model(Eigen::all, both)), real = Mat(real(Eigen::all, both)), sim = Sim(sim(Eigen::all, both));
  }
};

// W1 between two samples (dim, n): of each dimension by sorting, the mean over dimensions. Throws as sorted_w1.
inline double mean_w1(const Mat& x, const Mat& y) {
  double sum = 0;
  const auto row = [](const Mat& m, Eigen::Index i) {
    const Mat r = m.row(i);
    return std::vector<double>(r.data(), r.data() + r.size());
  };
  for (Eigen::Index i = 0; i < x.rows(); ++i) sum += sorted_w1(row(x, i), row(y, i)) / double(x.rows());
  return sum;
}

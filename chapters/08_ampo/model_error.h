// How wrong models are: one step from where branches lead, and along branches of their own beside reality. In units of
// each dimension's variance.
#pragma once
#include <cmath>
#include <functional>
#include <numeric>
#include "chapters/05_model_free/evaluate.h"  // median
#include "chapters/06_mbpo/rollout.h"         // LearnedModel
#include "chapters/08_ampo/branches.h"

// The next states that a model predicts. Of a learned one: the elites' mean, of a model that outlives this.
using NextStates = std::function<Mat(const Mat& s, const Mat& a)>;
inline NextStates mean_of(const LearnedModel& model) {
  return [&model](const Mat& s, const Mat& a) { return model.mean(s, a).s_next; };
}

// The squared error of a prediction, mean over dimensions in units of each one's variance: (1, n).
inline Mat squared_error(const Mat& s_hat, const Mat& s, const Normaliser& z) {
  return Mat(z(s_hat) - z(s)).square().colwise().mean();
}

// The error of one step from s (state_dim, n) with a (action_dim, n), each (1, n). Reality goes on from the state that
// is observed as s, or nearest to it. The model goes on from s as it is, which may be no possible state (a cosine and a
// sine off the circle), so that it errs by the distance to one at least; or from that state, `put_back`.
// Throws std::invalid_argument as simulator_state.
struct OneStep {
  Mat as_it_is, put_back;
};
inline OneStep one_step_error(const Env& env, const NextStates& predict, const Mat& s, const Mat& a,
                              const Normaliser& z) {
  const Sim sim = simulator_state(env, s);
  const Mat truth = env.observe(env.simulate(sim, a));
  return {squared_error(predict(s, a), truth, z), squared_error(predict(env.observe(sim), a), truth, z)};
}

// The errors of several models at the same places, and along branches of their own from the same starts (state_dim, n)
// with the same noise. A branch counts until it ends, in reality or in one of the models: the same ones for all.
struct ModelErrors {
  double as_it_is = 0, put_back = 0;  // of one step, where branches of the first model lead; the mean over all of them
  std::vector<double> branch;         // after 1, 2, ... steps, the median; shorter where all branches have ended
};
inline std::vector<ModelErrors> model_errors(const Env& env, const std::vector<NextStates>& models,
                                             const SquashedGaussian& pi, const Mat& starts, int horizon,
                                             const Normaliser& z, Rng& rng) {
  std::vector<ModelErrors> errors(models.size());
  std::vector<Branches> b(models.size(), Branches{env, pi, starts, starts});
  double steps = 0;
  for (int h = 1; h <= horizon && b[0].real.cols() > 0; ++h) {
    const Rng noise = rng.split();
    for (Branches& of_model : b) {
      Rng same = noise;
      of_model.act(same);
    }
    steps += double(b[0].real.cols());
    Mat over = Mat::Zero(1, b[0].real.cols());
    for (std::size_t m = 0; m < models.size(); ++m) {
      const OneStep error = one_step_error(env, models[m], b[0].model, b[0].a_model, z);
      errors[m].as_it_is += error.as_it_is.sum(), errors[m].put_back += error.put_back.sum();
    }
    for (std::size_t m = 0; m < models.size(); ++m) b[m].advance(models[m]), over += b[m].over();
    for (std::size_t m = 0; m < models.size(); ++m) {
      b[m].keep(over);
      const Mat error = squared_error(b[m].model, b[m].real, z);
      if (error.cols() > 0) errors[m].branch.push_back(median({error.data(), error.data() + error.size()}));
    }
  }
  for (ModelErrors& e : errors) e.as_it_is /= steps, e.put_back /= steps;
  return errors;
}

// The mean of log10 x_i / other_i; NaN of none, or of different numbers of them.
inline double log_ratio(const std::vector<double>& x, const std::vector<double>& other) {
  if (x.size() != other.size()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::log10(x[i] / other[i]);
  return sum / double(x.size());
}
// The sum of x over that of the other, minus 1; NaN of none, or of different numbers of them.
inline double relative_change(const std::vector<double>& x, const std::vector<double>& other) {
  if (x.size() != other.size()) return std::numeric_limits<double>::quiet_NaN();
  const auto total = [](const std::vector<double>& of) { return std::accumulate(of.begin(), of.end(), 0.0); };
  return total(x) / total(other) - 1;
}

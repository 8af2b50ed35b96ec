// Environments, in the words of Gymnasium: reset, step, terminated, truncated. An agent sees observations s and acts
// with a in [-1, 1]; behind them is the simulator state, which can be read, set and advanced: simulate is the true
// model.
//
//   std::unique_ptr<Env> env = make_env("pendulum");
//   Mat s = env->reset(rng);
//   const Transition t = env->step(a);          // s, a, r, s_next, terminated, truncated
//
// One's own environment is a file of about 40 lines: see pendulum.h and README.md.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "autodiff/ops.h"
#include "autodiff/rng.h"
#include "envs/drawing.h"

// Numbers in double, one sample per column: simulator states, and what the physics computes from them.
using Sim = Eigen::ArrayXXd;

struct Transition {
  Mat s, a;                       // (state_dim, 1), (action_dim, 1)
  Real r;
  Mat s_next;
  bool terminated, truncated;     // truncated: the time limit, which is not a terminal state: bootstrap through it
};

struct Env {
  std::string name, about;        // about: one line, what the task is
  std::string reward_rule;        // the reward as a formula, in text
  int state_dim = 0, action_dim = 0, time_limit = 0;
  int choices = 0;                // > 0: this many discrete actions, chosen by where a lies in [-1, 1]
  std::vector<double> action_scale;           // a in [-1, 1] times this is the action in the task's own units
  std::vector<double> state_low, state_high;  // bounds of s; empty: unbounded
  std::vector<std::string> sim_names;         // the first rows of a simulator state: q, v of the mechanical tasks
  int hidden = 0;                 // rows after them, 0 at the start; the very last row counts the steps
  bool has_reward = true;         // whether (s, a, s_next) determines the reward
  Sim sim;                        // (sim_dim, 1), where step() is
  Rng noise_rng;                  // of the dynamics' noise, set by reset

  virtual ~Env() = default;
  int sim_dim() const { return int(sim_names.size()) + hidden + 1; }
  long steps() const { return long(sim(sim.rows() - 1, 0)); }  // of this episode

  // A new episode from the task's random start. The same rng, the same start.
  Mat reset(Rng& rng);
  // One step with a (action_dim, 1) in [-1, 1], values outside act as the bounds. Throws std::invalid_argument if a has
  // another shape, NotFinite if a or the next state is not finite. The caller resets at the end of an episode.
  Transition step(const Mat& a);
  Sim sim_state() const { return sim; }
  void set_sim_state(const Sim& state);  // throws std::invalid_argument for another shape

  // Pure functions over a batch, one sample per column.
  // simulate: (sim_dim, n), (action_dim, n) -> (sim_dim, n), the dynamics without their noise.
  template <class S> Sim simulate(const Sim& sim, const Eigen::Array<S, -1, -1>& a) const {
    return advance(sim, a.template cast<double>());
  }
  Mat observe(const Sim& sim) const { return observation(sim).cast<Real>(); }  // (state_dim, n)
  virtual Mat terminated(const Mat& s_next) const = 0;                          // (1, n), 1 at a terminal state

  // Throws std::logic_error unless has_reward. (1, n); the same formula on numbers and on recorded numbers.
  virtual Mat reward(const Mat& s, const Mat& a, const Mat& s_next) const = 0;
  virtual Var reward(Var s, Var a, Var s_next) const = 0;

  // What goes into and comes out of a learned model: y is trained on net_target(s, s_next), and
  // net_apply(s, net_target(s, s_next)) = s_next. Unless a task says otherwise: s itself, and the difference.
  virtual Mat net_input(const Mat& s) const = 0;
  virtual Var net_input(Var s) const = 0;
  virtual Mat net_target(const Mat& s, const Mat& s_next) const = 0;
  virtual Var net_target(Var s, Var s_next) const = 0;
  virtual Mat net_apply(const Mat& s, const Mat& y) const = 0;
  virtual Var net_apply(Var s, Var y) const = 0;

  // The task in double precision, a (action_dim, n) in [-1, 1].
  virtual Sim start(Rng& rng) const = 0;                                        // (sim_dim, 1)
  virtual Sim advance(const Sim& sim, const Sim& a) const = 0;
  virtual Sim observation(const Sim& sim) const = 0;
  virtual Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const = 0;  // (1, n)
  virtual Sim ended(const Sim& sim) const = 0;                                   // (1, n)
  virtual void disturb(Sim&, Rng&) const {}                                      // noise, added by step after advance
  virtual Drawing draw(const Sim& sim) const = 0;                                // of one column

  int choice(double a) const { return std::clamp(int((a + 1) / 2 * choices), 0, choices - 1); }
  double action_of(int choice) const { return (2 * choice + 1.0) / choices - 1; }  // the middle of its interval

  template <class Ar> void io(Ar& ar) { ar("sim", sim), ar("noise_rng", noise_rng); }
};

// The names of all environments, sorted, then rotated until `first` is the first; which there are depends on whether
// MuJoCo was found when this was compiled.
std::vector<std::string> env_names(const std::string& first = "");
// Throws std::invalid_argument that lists the names for an unknown one.
std::unique_ptr<Env> make_env(const std::string& name);

// f(0), ..., f(n - 1), split over the threads by index.
template <class F> void for_columns(Eigen::Index n, F f) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static) if (n >= 64)
#endif
  for (Eigen::Index i = 0; i < n; ++i) f(i);
}

// What the formulas below need of ops.h, for Sim as well.
template <class S> Eigen::Array<S, -1, -1> rows(const Eigen::Array<S, -1, -1>& x, Eigen::Index i, Eigen::Index n) {
  return x.middleRows(i, n);
}
template <class S> Eigen::Array<S, -1, -1> colwise_sum(const Eigen::Array<S, -1, -1>& x) { return x.colwise().sum(); }
template <class S> Eigen::Array<S, -1, -1> clamp(const Eigen::Array<S, -1, -1>& x, double low, double high) {
  return x.max(S(low)).min(S(high));
}
template <class S>
Eigen::Array<S, -1, -1> concat(const Eigen::Array<S, -1, -1>& a, const Eigen::Array<S, -1, -1>& b) {
  Eigen::Array<S, -1, -1> y(a.rows() + b.rows(), a.cols());
  y << a, b;
  return y;
}
template <class S> Eigen::Array<S, -1, -1> atan2(const Eigen::Array<S, -1, -1>& a, const Eigen::Array<S, -1, -1>& b) {
  return a.binaryExpr(b, [](S a, S b) { return std::atan2(a, b); });
}
template <class T, class... Rest> T concat(const T& a, const T& b, const T& c, const Rest&... rest) {
  return concat(concat(a, b), c, rest...);
}
// The numbers of x; and numbers as what `like` is, without a gradient (what jumps has none).
template <class S> const Eigen::Array<S, -1, -1>& numbers(const Eigen::Array<S, -1, -1>& x) { return x; }
inline const Mat& numbers(const Var& x) { return x.value(); }
template <class S, class E> Eigen::Array<S, -1, -1> constant(const Eigen::Array<S, -1, -1>&, const E& x) {
  return x.template cast<S>();
}
template <class E> Var constant(const Var& like, const E& x) {
  return like.tape->constant(Mat(x.template cast<Real>()));
}

// A task writes each formula once, as a template on T = Mat, Var or Sim; this makes the virtual functions of it.
//   T reward_of(s, a, s_next)   T ended_at(s_next)   T input_of(s)   T target_of(s, s_next)   T apply_to(s, y)
// Those it leaves out are the ones below; ended_at is not wanted for Var.
template <class Task> struct EnvOf : Env {
  template <class T> T reward_of(const T&, const T&, const T&) const {
    throw std::logic_error(name + ": the reward is no function of what is observed (has_reward is false)");
  }
  template <class T> T ended_at(const T& s_next) const { return T::Zero(1, s_next.cols()); }
  template <class T> T input_of(const T& s) const { return s; }
  template <class T> T target_of(const T& s, const T& s_next) const { return s_next - s; }
  template <class T> T apply_to(const T& s, const T& y) const { return s + y; }

  Mat terminated(const Mat& s_next) const final { return task().ended_at(s_next); }
  Mat reward(const Mat& s, const Mat& a, const Mat& s_next) const final { return task().reward_of(s, a, s_next); }
  Var reward(Var s, Var a, Var s_next) const final { return task().reward_of(s, a, s_next); }
  Mat net_input(const Mat& s) const final { return task().input_of(s); }
  Var net_input(Var s) const final { return task().input_of(s); }
  Mat net_target(const Mat& s, const Mat& s_next) const final { return task().target_of(s, s_next); }
  Var net_target(Var s, Var s_next) const final { return task().target_of(s, s_next); }
  Mat net_apply(const Mat& s, const Mat& y) const final { return task().apply_to(s, y); }
  Var net_apply(Var s, Var y) const final { return task().apply_to(s, y); }

  Sim rewards(const Sim& sim, const Sim& a, const Sim& next) const override {
    return task().reward_of(this->observation(sim), a, this->observation(next));
  }
  Sim ended(const Sim& sim) const override { return task().ended_at(this->observation(sim)); }

 private:
  const Task& task() const { return static_cast<const Task&>(*this); }
};

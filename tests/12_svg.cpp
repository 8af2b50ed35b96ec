// Chapter 12: the deterministic policy gradient, and SVG(0), SVG(1), SVG(inf): gradients through policy, model, value.
#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/05_model_free/evaluate.h"
#include "chapters/06_mbpo/mbpo.h"
#include "chapters/12_svg/dpg.h"
#include "chapters/12_svg/estimators.h"
#include "chapters/12_svg/svg1.h"
#include "chapters/12_svg/svg_inf.h"
#include "chapters/12_svg/svg_recursion.h"
#include "chapters/12_svg/svg_tape.h"
#include "envs/pendulum.h"
#include "tests/gradient_check.h"
#include "tests/scratch.h"
#include "tests/slope.h"

namespace {

Mat matrix(int rows, std::initializer_list<double> by_row) {
  Mat m(rows, Eigen::Index(by_row.size()) / rows);
  Eigen::Index i = 0;
  for (const double x : by_row) m(i / m.cols(), i % m.cols()) = Real(x), ++i;
  return m;
}

// ---- a linear-Gaussian task, whose model is exact ----

//   s' = A s + B a + C xi,   r = -sum_i q_i s_i^2 - sum_i c_i a_i^2 - 0.3 s'_1,   one sample a column
struct LinearModel {
  Mat A = matrix(2, {0.9, 0.2, -0.1, 0.8}), B = matrix(2, {0.5, 0, 0.1, 0.4}), C = matrix(2, {0.1, 0.2});
  Mat q = matrix(2, {1, 0.5}), c = matrix(2, {0.1, 0.2});
  Real last = 0.3;  // of s'_1

  template <class T> Step<T> operator()(const T& s, const T& a, const Mat& xi) const {
    const T s_next = T(T(matmul(A, s)) + T(matmul(B, a))) + Mat(broadcast(C, 2, s.cols()) * xi);
    const T q_s = T(broadcast(like(s, q), 2, s.cols())) * square(s);
    const T c_a = T(broadcast(like(s, c), 2, s.cols())) * square(a);
    return {-T(colwise_sum(T(q_s + c_a))) - last * T(rows(s_next, 0, 1)), s_next};
  }
  Mat infer(const Batch& b) const {
    return (b.s_next - Mat(matmul(A, b.s)) - Mat(matmul(B, b.a))) / broadcast(C, 2, b.size());
  }
  static Mat like(const Mat&, const Mat& x) { return x; }
  static Var like(Var s, const Mat& x) { return s.tape->constant(x); }
};

// a = K s + exp(log_std) eta
struct LinearPolicy {
  Param K, log_std;
  LinearPolicy(const Mat& gain, double std)
      : K{gain, Mat::Zero(gain.rows(), gain.cols())},
        log_std{Mat::Constant(gain.rows(), 1, Real(std::log(std))), Mat::Zero(gain.rows(), 1)} {}
  Mat mean(const Mat& s) const { return matmul(K.value, s); }
  Mat sample(const Mat& s, const Mat& eta) const { return mean(s) + broadcast(log_std.value.exp(), 2, s.cols()) * eta; }
  Var sample(Var s, const Mat& eta) {
    return matmul(s.tape->param(K), s) + exp(s.tape->param(log_std)) * eta;
  }
  Mat infer(const Mat& s, const Mat& a) const { return (a - mean(s)) / broadcast(log_std.value.exp(), 2, s.cols()); }
  template <class Ar> void io(Ar& ar) { ar("K", K), ar("log_std", log_std); }
};
const Mat gain = matrix(2, {-0.3, 0.2, 0.1, -0.5});

// Steps that follow one another, from s with the given noise.
template <class Policy, class Model>
Transitions act(const Policy& pi, const Model& f, Mat s, const std::vector<Mat>& eta, const std::vector<Mat>& xi) {
  Transitions trajectory(int(s.rows()), int(eta[0].rows()), Eigen::Index(eta.size()));
  for (std::size_t t = 0; t < eta.size(); ++t) {
    const Mat a = pi.sample(s, eta[t]);
    const Step<Mat> next = f(s, a, xi[t]);
    trajectory.add(Batch{s, a, next.r, next.s_next, Mat::Ones(1, 1)});
    s = next.s_next;
  }
  return trajectory;
}
std::vector<Mat> noise(int n, int dim, Rng& rng) {
  std::vector<Mat> all;
  for (int t = 0; t < n; ++t) all.push_back(rng.normal(dim, 1));
  return all;
}

// sum_t gamma^t r_t by plain numbers, with the noise as it was drawn.
double discounted(const LinearPolicy& pi, const LinearModel& f, const Mat& s0, const std::vector<Mat>& eta,
                  const std::vector<Mat>& xi, double gamma) {
  double s[2] = {double(s0(0, 0)), double(s0(1, 0))}, J = 0, discount = 1;
  for (std::size_t t = 0; t < eta.size(); ++t, discount *= gamma) {
    double a[2], s_next[2], r = 0;
    for (int i = 0; i < 2; ++i) {
      a[i] = std::exp(double(pi.log_std.value(i, 0))) * double(eta[t](i, 0));
      for (int j = 0; j < 2; ++j) a[i] += double(pi.K.value(i, j)) * s[j];
    }
    for (int i = 0; i < 2; ++i) {
      s_next[i] = double(f.C(i, 0)) * double(xi[t](i, 0));
      for (int j = 0; j < 2; ++j) s_next[i] += double(f.A(i, j)) * s[j] + double(f.B(i, j)) * a[j];
      r -= double(f.q(i, 0)) * s[i] * s[i] + double(f.c(i, 0)) * a[i] * a[i];
    }
    J += discount * (r - double(f.last) * s_next[0]);
    s[0] = s_next[0], s[1] = s_next[1];
  }
  return J;
}

// v_theta into the grad of each Param.
void set_grad(const std::vector<Param*>& theta, const Jacobian& v_theta) {
  Eigen::Index column = 0;
  for (Param* p : theta)
    for (Real& g : p->grad.reshaped()) g = v_theta(0, column++);
  CHECK(column == v_theta.cols());
}
Jacobian grads(const std::vector<Param*>& theta) {
  Jacobian all(1, count(theta));
  Eigen::Index column = 0;
  for (const Param* p : theta)
    for (const Real g : p->grad.reshaped()) all(0, column++) = g;
  return all;
}
template <class Policy, class Model>
Jacobian by_tape(Policy& pi, const Model& f, const Transitions& trajectory, Real gamma) {
  Tape tape;
  for (Param* p : params(pi)) p->grad.setZero(p->value.rows(), p->value.cols());
  tape.backward(svg_objective(pi, f, trajectory, gamma, tape));
  return grads(params(pi));
}
double distance(const Jacobian& a, const Jacobian& b) { return ::distance(a.array(), b.array()); }

// ---- the chapter's own policy and model, not trained, on real trajectories ----

struct Learner {
  Policy pi;
  SvgModel f;
  Transitions trajectory;

  Learner(Env& env, bool learned_reward, int steps, std::uint64_t seed)
      : Learner(env, learned_reward, steps, Rng(seed)) {}
  Learner(Env& env, bool learned_reward, int steps, Rng rng)
      : pi(env.state_dim, env.action_dim, {7}, Real(0.4), rng),
        f(env, learned_reward, {.members = 1, .elites = 1, .hidden = {9}, .batch = 8, .epochs = 3}, rng),
        trajectory(env.state_dim, env.action_dim, 1000) {
    env.reset(rng);
    pi.net.layers.back().W.value *= 10;
    for (int t = 0; t < steps; ++t)
      trajectory.add(env.step(pi.sample(env.observe(env.sim), rng.normal(env.action_dim, 1))));
    f.fit(trajectory.all(), rng);  // so that the normalisers mean something
    for (Linear* layer : {&f.net.members[0].head.out})  // and sigma depends on s and a
      layer->W.value += Real(0.3) * rng.normal(layer->W.value.rows(), layer->W.value.cols());
  }
};
std::vector<std::unique_ptr<Env>> tasks() {
  std::vector<std::unique_ptr<Env>> all;
  all.push_back(std::make_unique<Pendulum>());
  auto slope = std::make_unique<Slope>(1000);
  slope->grow = 0.9, slope->cost = 0.3;
  all.push_back(std::move(slope));
  return all;
}

// All numbers that x's io lists, as the bytes of a file.
template <class T> std::map<std::string, std::vector<unsigned char>> bytes_of(T& x) {
  SaveArchive archive;
  x.io(archive);
  std::map<std::string, std::vector<unsigned char>> all;
  for (const auto& [name, tensor] : archive.file.tensors) all[name] = tensor.bytes;
  return all;
}

}  // namespace

TEST_CASE("inferred noise gives the recorded actions, next states and rewards again", "[12]") {
  for (const std::unique_ptr<Env>& env : tasks())
    for (const bool learned_reward : {false, true}) {
      INFO(env->name);
      Learner x(*env, learned_reward, 40, 3);
      const Batch b = x.trajectory.all();
      const Mat eta = x.pi.infer(b.s, b.a), xi = x.f.infer(b);
      CHECK(distance(x.pi.sample(b.s, eta), b.a) < rounding);
      const Step<Mat> again = x.f(b.s, b.a, xi);
      CHECK(distance(again.s_next, b.s_next) < rounding);
      CHECK(distance(again.r, b.r) < 10 * rounding);
      CHECK(eta.abs().maxCoeff() < 5);  // it was drawn from N(0, 1)
      CHECK(eta.abs().maxCoeff() > 1);
      CHECK(xi.abs().maxCoeff() > Real(0.01));  // this model is not right: there is something to infer
    }
}

TEST_CASE("the hand recursion is the tape's gradient, along real trajectories of the chapter's own networks", "[12]") {
  for (const std::unique_ptr<Env>& env : tasks())
    for (const bool learned_reward : {false, true})
      for (const int T : {1, 2, 12}) {
        INFO(env->name << ", " << T << " steps");
        Learner x(*env, learned_reward, 40, 5);
        Transitions trajectory(env->state_dim, env->action_dim, T);
        for (int t = 0; t < T; ++t) trajectory.add(x.trajectory.at({t}));
        const Jacobian by_hand = svg_recursion(x.pi, x.f, trajectory, Real(0.9));
        CHECK(by_hand.norm() > 1e-3);
        CHECK(distance(by_hand, by_tape(x.pi, x.f, trajectory, Real(0.9))) < (is_double ? 1e-10 : 1e-3));
      }
}

TEST_CASE("SVG(inf)'s gradient is that of the return with common random numbers, on a linear-Gaussian task", "[12]") {
  Rng rng(7);
  const LinearModel f;
  for (const int T : {1, 5, 20}) {
    LinearPolicy pi(gain, 0.3);
    const Mat s0 = matrix(2, {1, -0.5});
    const std::vector<Mat> eta = noise(T, 2, rng), xi = noise(T, 2, rng);
    const Transitions trajectory = act(pi, f, s0, eta, xi);
    const auto J = [&] { return discounted(pi, f, s0, eta, xi, 0.95); };
    INFO(T << " steps");
    set_grad(params(pi), svg_recursion(pi, f, trajectory, Real(0.95)));
    CHECK(param_error(params(pi), J) < gradient_tolerance);
    set_grad(params(pi), by_tape(pi, f, trajectory, Real(0.95)));
    CHECK(param_error(params(pi), J) < gradient_tolerance);
  }
}

TEST_CASE("the recursion on the chapter's own policy and model is the gradient of their return", "[12]") {
  for (const std::unique_ptr<Env>& env : tasks()) {
    INFO(env->name);
    Learner x(*env, false, 40, 9);
    Transitions trajectory(env->state_dim, env->action_dim, 6);  // not from s = 0, where relu has its kink
    for (int t = 5; t < 11; ++t) trajectory.add(x.trajectory.at({t}));
    const Batch b = trajectory.all();
    const Mat eta = x.pi.infer(b.s, b.a), xi = x.f.infer(b);
    set_grad(params(x.pi), svg_recursion(x.pi, x.f, trajectory, Real(0.9)));
    CHECK(param_error(params(x.pi), [&] {
      double J = 0;
      Mat s = b.s.col(0);
      for (int t = 0; t < 6; ++t) {
        const Step<Mat> next = x.f(s, x.pi.sample(s, eta.col(t)), xi.col(t));
        J += std::pow(0.9, t) * double(next.r(0, 0)), s = next.s_next;
      }
      return J;
    }) < (is_double ? 1e-5 : 0.1));
  }
}

TEST_CASE("V'_theta is the future policy: without it a trajectory's gradient is that of its first action", "[12]") {
  Rng rng(8);
  const LinearModel f;
  const std::vector<Mat> eta = noise(6, 2, rng), xi = noise(6, 2, rng);
  LinearPolicy pi(gain, 0.3);
  const Transitions trajectory = act(pi, f, matrix(2, {1, -0.5}), eta, xi);
  Transitions rest(2, 2, 5);
  for (int t = 1; t < 6; ++t) rest.add(trajectory.at({t}));

  LinearPolicy first(gain, 0.3);  // the first action's parameters apart from those of the others
  Tape tape;
  const Batch b = trajectory.all();
  Var s = tape.constant(b.s.col(0)), J = tape.zero();
  for (int t = 0; t < 6; ++t) {
    const Var a = t == 0 ? first.sample(s, eta[0]) : pi.sample(s, eta[t]);
    const auto [r, s_next] = f(s, a, xi[t]);
    J = J + std::pow(Real(0.9), Real(t)) * r, s = s_next;
  }
  tape.backward(J);
  const Jacobian of_first = grads(params(first)), v_theta_next = svg_recursion(pi, f, rest, Real(0.9));
  CHECK(distance(svg_recursion(pi, f, trajectory, Real(0.9)), Jacobian(of_first + Real(0.9) * v_theta_next)) <
        (is_double ? 1e-12 : 1e-4));
}

TEST_CASE("the policy: its gradients, its density, its noise, its floor", "[12]") {
  Rng rng(4);
  Policy pi(3, 2, {6, 5}, Real(0.4), rng);
  pi.net.layers.back().W.value *= 10;
  const Mat s = rng.normal(3, 4), eta = rng.normal(2, 4), weights = rng.normal(2, 4);
  const auto loss = [&] { return double((weights * pi.sample(s, eta)).sum()); };
  Tape tape;
  tape.backward(weighted_sum(pi.sample(tape.constant(s), eta), weights));
  CHECK(param_error(params(pi), loss) < gradient_tolerance);

  CHECK(distance(pi.sample(s, Mat::Zero(2, 4)), pi.mean(s)) < rounding);
  CHECK(distance(Mat(pi.sample(s, Mat::Ones(2, 4)) - pi.mean(s)), Mat::Constant(2, 4, Real(0.4))) < 1e-5);
  CHECK(pi.mean(100 * s).abs().maxCoeff() <= 1);
  pi.log_std.value.setConstant(-100);
  CHECK(near(double(pi.std()), double(Policy::min_std), 1e-6));

  pi.log_std.value << Real(std::log(0.3)), Real(std::log(0.5));
  double integral = 0;  // of the density over both actions
  const Mat here = s.col(0), mu = pi.mean(here);
  for (int i = 0; i < 400; ++i) {
    Mat a(2, 400);
    for (int j = 0; j < 400; ++j) a.col(j) << Real(0.02 * (i - 199.5)), Real(0.02 * (j - 199.5));
    a += mu.replicate(1, 400);
    integral += double(pi.log_prob(Mat(here.replicate(1, 400)), a).exp().cast<double>().sum()) * 0.02 * 0.02;
  }
  CHECK(near(integral, 1, 1e-4));
}

// ---- a linear-quadratic task without noise, in closed form ----

namespace {

//   V(s) = -s^T P s,   P = q + K^T c K + gamma (A + B K)^T P (A + B K)
struct Lqr {
  using Small = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, 2, 2>;
  LinearModel f;
  double gamma = 0.9;

  Lqr() { f.last = 0, f.C.setConstant(1); }
  static Small wide(const Mat& x) { return x.cast<double>().matrix(); }
  Small P(const Mat& K) const {
    const Small k = wide(K), closed = wide(f.A) + wide(f.B) * k, q = wide(f.q).col(0).asDiagonal(),
                 c = wide(f.c).col(0).asDiagonal();
    Small p = Small::Zero(2, 2);
    for (int i = 0; i < 2000; ++i) p = q + k.transpose() * c * k + gamma * closed.transpose() * p * closed;
    return p;
  }
  double J(const Mat& K, const Mat& s0) const { return -(wide(s0).transpose() * P(K) * wide(s0))(0, 0); }

  // The discounted distribution of states: s_t times sqrt(gamma^t), as every quantity here is quadratic in s.
  Mat states(const Mat& K, const Mat& s0) const {
    const int n = 300;
    Mat all(2, n), s = s0;
    for (int t = 0; t < n; ++t) {
      all.col(t) = Real(std::pow(gamma, t / 2.0)) * s.col(0);
      s = Mat(matmul(f.A, s)) + Mat(matmul(f.B, Mat(matmul(K, s))));
    }
    return all;
  }
};

struct ExactV {
  Mat P;
  Var operator()(Var s) const { return -colwise_sum(s * matmul(P, s)); }
};
// Q(s, a) = r(s, a) + gamma V(s')
struct ExactQ {
  const Lqr& task;
  ExactV V;
  Var operator()(Var s_a) const {
    const auto [r, s_next] = task.f(rows(s_a, 0, 2), rows(s_a, 2, 2), Mat::Zero(2, s_a.cols()));
    return r + Real(task.gamma) * V(s_next);
  }
};

}  // namespace

TEST_CASE("the deterministic policy gradient theorem: E[pi_theta Q_a] is dJ/dtheta, on LQR with the exact Q", "[12]") {
  const Lqr task;
  const Mat s0 = matrix(2, {1, -0.7});
  LinearPolicy pi(gain, 0.1);
  const ExactQ Q{task, {task.P(gain).cast<Real>().array()}};
  const Mat s = task.states(gain, s0);
  Tape tape;
  const Var a = matmul(tape.param(pi.K), s);
  tape.backward(dpg_loss(s, a, Q));
  pi.K.grad *= -Real(s.cols());  // up, and the sum over states instead of the mean
  CHECK(difference_error(pi.K.value, pi.K.grad, [&] { return task.J(pi.K.value, s0); }) < gradient_tolerance);
}

TEST_CASE("one-step gradients with the exact V add up to dJ/dtheta, on LQR; a weight scales its sample's", "[12]") {
  const Lqr task;
  const Mat s0 = matrix(2, {1, -0.7});
  LinearPolicy pi(gain, 1);
  const ExactV V{task.P(gain).cast<Real>().array()};
  Batch b{task.states(gain, s0), {}, {}, {}, {}};
  b.a = matmul(gain, b.s), b.not_done = Mat::Ones(1, b.size());
  b.s_next = task.f(b.s, b.a, Mat::Zero(2, b.size())).s_next;
  const auto gradient = [&](const Batch& of, const Mat& w) {
    Tape tape;
    pi.K.grad.setZero();
    tape.backward(svg1_objective(pi, task.f, V, of, w, Real(task.gamma), tape));
    return Mat(pi.K.grad * Real(of.size()));
  };
  const Mat all = gradient(b, Mat::Ones(1, b.size()));
  CHECK(difference_error(pi.K.value, all, [&] { return task.J(pi.K.value, s0); }) < gradient_tolerance);

  const auto column = [&](int j) {
    return Batch{b.s.col(j), b.a.col(j), {}, b.s_next.col(j), b.not_done.col(j)};
  };
  Mat w = Mat::Zero(1, b.size());
  w(0, 0) = Real(0.5), w(0, 3) = 2;
  const Mat expected = Real(0.5) * gradient(column(0), Mat::Ones(1, 1)) + 2 * gradient(column(3), Mat::Ones(1, 1));
  CHECK(distance(gradient(b, w), expected) < rounding);

  Batch last = column(0);  // beyond a terminal state there is no value
  last.not_done.setZero();
  CHECK(distance(gradient(last, Mat::Ones(1, 1)), gradient(column(0), Mat::Ones(1, 1))) > 0.01);
  pi.K.grad.setZero();
  Tape tape;
  const Var s = tape.constant(last.s), a = matmul(tape.param(pi.K), s);
  tape.backward(sum(task.f(s, a, Mat::Zero(2, 1)).r));
  const Mat of_reward = pi.K.grad;
  CHECK(distance(gradient(last, Mat::Ones(1, 1)), of_reward) < rounding);
}

TEST_CASE("ascent along SVG(inf)'s gradient with the exact model ends at LQR's optimal gain", "[12][train]") {
  Lqr task;
  LinearPolicy pi(Mat::Zero(2, 2), 0.05);
  Adam opt({&pi.K}, Real(0.02));
  Rng rng(2);
  for (int i = 0; i < 1500; ++i) {
    const int T = 40;
    std::vector<Mat> eta(T, Mat::Zero(2, 1)), xi(T, Mat::Zero(2, 1));
    const Transitions trajectory = act(pi, task.f, rng.normal(2, 1), eta, xi);
    const Jacobian v_theta = svg_recursion(pi, task.f, trajectory, Real(task.gamma));
    opt.lr = Real(0.02) * (1 - Real(i) / 1500);
    ascend(opt, {&pi.K}, v_theta.leftCols(4), 10);
  }
  // Riccati: K = -(c + gamma B^T P B)^-1 gamma B^T P A, again and again
  Mat best = gain;
  for (int i = 0; i < 200; ++i) {
    const Lqr::Small P = task.P(best), A = Lqr::wide(task.f.A), B = Lqr::wide(task.f.B),
                          c = Lqr::wide(task.f.c).col(0).asDiagonal();
    const Lqr::Small left = c + task.gamma * B.transpose() * P * B, right = task.gamma * B.transpose() * P * A;
    Lqr::Small inverse(2, 2);
    inverse << left(1, 1), -left(0, 1), -left(1, 0), left(0, 0);
    best = (-inverse * right / (left(0, 0) * left(1, 1) - left(0, 1) * left(1, 0))).cast<Real>().array();
  }
  INFO(pi.K.value << "\n\n" << best);
  CHECK((pi.K.value - best).abs().maxCoeff() < 0.02);
}

TEST_CASE("importance weights turn an average over old actions into one over new ones", "[12]") {
  Rng rng(6);
  Policy before(3, 1, {5}, Real(0.5), rng), now = before;
  const Mat s = rng.normal(3, 1), mu = before.mean(s);
  now.net.layers.back().b.value.setConstant(Real(0.3)), now.log_std.value.setConstant(Real(std::log(0.3)));
  const int n = 4000;
  Batch b{Mat(s.replicate(1, n)), Mat(1, n), {}, {}, {}};
  for (int j = 0; j < n; ++j) b.a(0, j) = mu(0, 0) + Real(0.002 * (j - n / 2));
  const Mat logp = before.log_prob(b.s, b.a), w = importance_weights(now, b, logp, 1e30f);
  const auto average = [&](const Policy& pi, const Mat& weight) {  // of a^2 + a
    return double((pi.log_prob(b.s, b.a).exp() * weight * (b.a.square() + b.a)).cast<double>().sum() * 0.002);
  };
  CHECK(near(average(before, w), average(now, Mat::Ones(1, n)), 1e-4));
  CHECK(std::abs(average(before, Mat::Ones(1, n)) - average(now, Mat::Ones(1, n))) > 0.05);
  const double m = double(now.mean(s)(0, 0)), m0 = double(mu(0, 0)), x = double(b.a(0, 2100));
  const double expected = std::exp(-std::pow((x - m) / 0.4, 2) / 2 + std::pow((x - m0) / 0.5, 2) / 2) * 0.5 / 0.4;
  CHECK(near(double(w(0, 2100)), expected, is_double ? 1e-7 : 1e-4));
  CHECK(distance(importance_weights(before, b, logp, 5), Mat::Ones(1, n)) < 1e-5);
  CHECK(importance_weights(now, b, logp, Real(1.1)).maxCoeff() == Real(1.1));
}

TEST_CASE("the replay remembers how likely each action was to the policy that chose it, also when it is full", "[12]") {
  Rng rng(3);
  Policy pi(3, 1, {5}, Real(0.5), rng);
  Replay replay(3, 1, 4);
  std::vector<Mat> expected;
  for (int i = 0; i < 11; ++i) {
    pi.net.layers.back().b.value.setConstant(Real(0.1) * Real(i));
    const Transition t{rng.normal(3, 1), rng.normal(1, 1), Real(i), rng.normal(3, 1), false, false};
    replay.add(t, pi);
    expected.push_back(pi.log_prob(t.s, t.a));
  }
  REQUIRE(replay.D.size == 4);
  for (int j = 0; j < 4; ++j) CHECK(replay.logp(0, j) == expected[std::size_t(replay.D.data.r(0, j))](0, 0));
}

TEST_CASE("the critic's loss is L(w) with the lagged copies' target, which ends at a terminal state", "[12]") {
  Rng rng(12);
  ActorCritic x(3, 2, {.actor = {6}, .critic = {7}}, rng);
  for (Param* p : params(x.Q_targ)) p->value += Real(0.1) * rng.normal(p->value.rows(), p->value.cols());
  Batch b{rng.normal(3, 5), rng.normal(2, 5), rng.normal(1, 5), rng.normal(3, 5), Mat::Ones(1, 5)};
  b.not_done(0, 1) = b.not_done(0, 4) = 0;
  const Mat a_next = rng.normal(2, 5);
  double L = 0;
  for (int j = 0; j < 5; ++j) {
    const auto at = [&](const MLP& Q, const Mat& s, const Mat& a) { return double(Q(concat(s, a))(0, 0)); };
    const double next = j == 1 || j == 4 ? 0 : at(x.Q_targ, b.s_next.col(j), a_next.col(j));
    const double y = double(b.r(0, j)) + 0.98 * next;
    L += std::pow(at(x.Q, b.s.col(j), b.a.col(j)) - y, 2) / 5;
  }
  CHECK(near(double(critic_step(x, b, a_next)), L, rounding * 10));
}

TEST_CASE("the value function's loss is weighted, ends at a terminal state, and moves its lagged copy by tau", "[12]") {
  Rng rng(13);
  Pendulum env;
  Svg1 x(env, {.hidden = {6}}, false, {.members = 1, .elites = 1, .hidden = {4}}, rng);
  for (Param* p : params(x.V_targ)) p->value += Real(0.1) * rng.normal(p->value.rows(), p->value.cols());
  Batch b{rng.normal(3, 4), rng.normal(1, 4), rng.normal(1, 4), rng.normal(3, 4), Mat::Ones(1, 4)};
  b.not_done(0, 2) = 0;
  const Mat w = matrix(1, {0.5, 2, 1, 0}), V = x.V(b.s), V_next = x.V_targ(b.s_next);
  double L = 0;
  for (int j = 0; j < 4; ++j) {
    const double y = double(b.r(0, j)) + (j == 2 ? 0 : 0.98 * double(V_next(0, j)));
    L += double(w(0, j)) * std::pow(double(V(0, j)) - y, 2) / 4;
  }
  const MLP targ = x.V_targ;
  CHECK(near(double(value_step(x, b, w)), L, rounding * 10));
  CHECK(distance(x.V(b.s), V) > 1e-6);
  const Mat moved = targ.layers[0].W.value + Real(0.005) * (x.V.layers[0].W.value - targ.layers[0].W.value);
  CHECK(distance(x.V_targ.layers[0].W.value, moved) < rounding);
}

TEST_CASE("an update moves the lagged copies by tau, the critic down and the policy up", "[12]") {
  Rng rng(14);
  ActorCritic x(2, 1, {.actor = {6}, .critic = {7}, .actor_lr = Real(1e-4), .critic_lr = Real(1e-4)}, rng);
  const Batch b{rng.normal(2, 9), rng.normal(1, 9), rng.normal(1, 9), rng.normal(2, 9), Mat::Ones(1, 9)};
  const MLP targ = x.Q_targ, net = x.Q;
  const Policy pi_before = x.pi;
  ddpg_update(x, b);
  const Mat moved = targ.layers[0].W.value + Real(0.005) * (x.Q.layers[0].W.value - targ.layers[0].W.value);
  CHECK(distance(x.Q_targ.layers[0].W.value, moved) < rounding);
  CHECK(distance(x.Q.layers[0].W.value, net.layers[0].W.value) > 1e-6);
  const auto promised = [&](const Policy& pi) { return double(x.Q(concat(b.s, pi.mean(b.s))).mean()); };
  CHECK(promised(x.pi) > promised(pi_before));
  CHECK(distance(x.pi.log_std.value, pi_before.log_std.value) == 0);  // DDPG has no sigma

  ActorCritic y(2, 1, {.actor = {6}, .critic = {7}}, rng);
  y.Q = x.Q;
  const Policy before = y.pi;
  svg0_update(y, b, rng.normal(1, 9), rng.normal(1, 9));
  CHECK(distance(y.pi.log_std.value, before.log_std.value) > 1e-6);
}

TEST_CASE("DDPG, SVG(0) and SVG(1) find the best action, and noise that only costs goes down", "[12][train]") {
  Rng rng(20);
  // One step, r = -(a - s / 2)^2: the best action is half the state.
  const auto reward = [](const Mat& s, const Mat& a) -> Mat { return -(a - Real(0.5) * s.topRows(1)).square(); };
  ActorCritic ddpg(1, 1, {.actor = {16}, .critic = {32, 32}, .actor_lr = Real(2e-3)}, rng);
  ActorCritic svg0(1, 1, {.actor = {16}, .critic = {32, 32}, .actor_lr = Real(2e-3)}, rng);
  for (int i = 0; i < 2500; ++i) {
    Batch b{rng.uniform(1, 64, -1, 1), rng.uniform(1, 64, -1, 1), {}, Mat::Zero(1, 64), Mat::Zero(1, 64)};
    b.r = reward(b.s, b.a);
    ddpg_update(ddpg, b);
    svg0_update(svg0, b, rng.normal(1, 64), rng.normal(1, 64));
  }
  const Mat s = matrix(1, {-0.9, -0.4, 0, 0.5, 0.8});
  CHECK((ddpg.pi.mean(s) - s / 2).abs().maxCoeff() < 0.1);
  CHECK((svg0.pi.mean(s) - s / 2).abs().maxCoeff() < 0.1);
  CHECK(svg0.pi.std() < 0.2);
}

TEST_CASE("SVG(1) learns the pendulum within 10000 steps", "[12][train]") {
  Rng rng(100), eval_rng(1);
  Pendulum env, env_eval;
  Svg1 agent(env, {}, false, {.members = 1, .elites = 1, .hidden = {64, 64}, .batch = 64, .epochs = 20, .patience = 2},
             rng);
  Replay replay(3, 1, 10000);
  env.reset(rng);
  const auto act = [&](const Mat& s, Rng& r) { return agent.pi.sample(s, r.normal(1, 1)); };
  for (int t = 1; t <= 10000; ++t) {
    replay.add(interact(env, act, rng), agent.pi);
    if (t < 1000) continue;
    if (t % 500 == 0) agent.f_hat.fit(replay.D.all(), rng);
    svg1_update(agent, replay, rng);
  }
  const Evaluation e = evaluate(env_eval, 10, Real(0.98), eval_rng, [&](const Mat& s) { return agent.pi.mean(s); },
                                [](const Mat&) { return 0.0; });
  CHECK(e.eval_return > -300);
}

TEST_CASE("pathwise and score-function gradients: known moments, and the same mean", "[12]") {
  Rng rng(30);
  const int n = 200000;
  const Estimates one = estimate(1, n, rng);
  // T = 1: J = -1 - 0.1 (theta + 0.5 eta)^2, pathwise -0.2 (theta + 0.5 eta): mean 0.1, variance 0.01
  const SampleMoments pathwise = moments(one.pathwise), score = moments(one.score);
  CHECK(near(pathwise.mean, 0.1, 1e-3));
  CHECK(near(pathwise.variance, 0.01, 2e-4));
  double mean = 0, square = 0;  // score: 2 eta J, by quadrature
  for (double eta = -8; eta < 8; eta += 0.001) {
    const double p = std::exp(-eta * eta / 2) / std::sqrt(2 * M_PI) * 0.001;
    const double g = 2 * eta * (-1 - 0.1 * std::pow(-0.5 + 0.5 * eta, 2));
    mean += p * g, square += p * g * g;
  }
  CHECK(near(mean, 0.1, 1e-6));
  CHECK(near(score.mean, mean, 0.02));
  CHECK(near(score.variance, square - mean * mean, 0.02));

  const Estimates five = estimate(5, n, rng);
  const SampleMoments p = moments(five.pathwise), q = moments(five.score);
  CHECK(std::abs(p.mean - q.mean) < 4 * std::sqrt((p.variance + q.variance) / n));
  CHECK(q.variance > 10 * p.variance);
}

TEST_CASE("an action beyond its bound is its bound: to the model too, and without a slope", "[12]") {
  Pendulum env;
  Learner x(env, false, 40, 6);
  const Mat s = env.observe(env.sim), xi = Mat::Zero(4, 1);
  const Mat beyond = Mat::Constant(1, 1, Real(1.7)), bound = Mat::Ones(1, 1);
  CHECK(distance(x.f(s, beyond, xi).s_next, x.f(s, bound, xi).s_next) == 0);
  Tape tape;
  const Var a = tape.input(beyond);
  const auto [r, s_next] = x.f(tape.constant(s), a, xi);
  CHECK(jacobian(s_next, a).norm() == 0);
  CHECK(jacobian(r, a).norm() == 0);
}

TEST_CASE("a step up the gradient: its direction, its length, and none if it is not finite", "[12]") {
  Param p{Mat::Zero(2, 1), Mat::Zero(2, 1)};
  Adam opt({&p}, Real(0.1));
  Jacobian v(1, 2);
  v << 3, -4;
  CHECK(near(double(ascend(opt, {&p}, v, 1)), 5, rounding));
  CHECK(near(double(p.value(0, 0)), 0.1, 1e-6));  // Adam's first step has the length lr in each coordinate
  CHECK(near(double(p.value(1, 0)), -0.1, 1e-6));
  CHECK(near(double(opt.m[0](0, 0)), -0.1 * 3 / 5, 1e-6));  // shortened to 1
  v(0, 1) = Real(NAN);
  const Mat before = p.value;
  CHECK(contains(message<NotFinite>([&] { ascend(opt, {&p}, v, 1); }), "gradient"));
  CHECK(distance(p.value, before) == 0);
}

// ---- options, and a training that goes on ----

namespace {

struct SvgProgram : WhiteboxOptions {
  using WhiteboxOptions::WhiteboxOptions;
  static Preset smoke() { return WhiteboxOptions::small(); }
};
SvgProgram options_of(const Scratch& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "12_svg");
  words.insert(words.end(), {"--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse<SvgProgram>(int(argv.size()), argv.data());
}
// Trajectories of 20 steps, as main.cpp has them.
void go_on(SvgTraining& x, int trajectories) {
  for (int i = 0; i < trajectories; ++i) {
    Transitions trajectory(x.env->state_dim, x.env->action_dim, 20);
    for (int t = 0; t < 20; ++t, ++x.step) {
      const Transition step = interact(
          *x.env, [&](const Mat& s, Rng& rng) { return x.agent.pi.sample(s, rng.normal(1, 1)); }, x.rng);
      x.D.add(step), trajectory.add(step);
    }
    x.agent.f_hat.fit(x.D.all(), x.rng);
    const Jacobian v_theta = svg_recursion(x.agent.pi, x.agent.f_hat, trajectory, Real(0.9));
    x.norm = ascend(x.agent.pi_opt, params(x.agent.pi), v_theta, 1);
  }
}

}  // namespace

TEST_CASE("a training that is saved and loaded goes on with the same numbers; the same seed is the same", "[12]") {
  const Scratch dir;
  const SvgProgram opt = options_of(dir, {"--smoke"});
  SvgTraining one(opt, {.hidden = {8}}, 100), two(opt, {.hidden = {8}}, 101), same(opt, {.hidden = {8}}, 100);
  CHECK(bytes_of(one) == bytes_of(same));
  go_on(one, 4), go_on(same, 4);
  CHECK(bytes_of(one) == bytes_of(same));
  CHECK(bytes_of(one) != bytes_of(two));
  save_networks(dir / "training", one);
  load_networks(dir / "training", two);
  CHECK(bytes_of(one) == bytes_of(two));
  go_on(one, 4), go_on(two, 4);
  CHECK(one.step == 160);
  CHECK(two.step == 160);
  CHECK(bytes_of(one) == bytes_of(two));
}

TEST_CASE("SVG refuses what has no meaning, in one line", "[12]") {
  const Scratch dir;
  const auto refused = [&](const std::vector<std::string>& words) {
    return message<std::invalid_argument>([&] { options_of(dir, words); });
  };
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--env", "cartpole"}, "--env cartpole"},
      {{"--gamma", "1.1"}, "--gamma"},
      {{"--gamma", "nan"}, "--gamma"},
      {{"--capacity", "0"}, "--capacity"},
      {{"--steps", "0"}, "--steps"},
      {{"--model-hidden", "0"}, "--model-hidden"},
      {{"--preset", "paper"}, "--preset"},
      {{"--resume", "x"}, "--resume"}};
  for (const auto& [words, name] : bad) {
    const std::string text = refused(words);
    INFO(words[0] << " " << words[1] << ": " << text);
    CHECK(contains(text, name));
  }
  CHECK_FALSE(fs::exists(dir / "out"));
  Rng rng(1);
  LinearPolicy pi(gain, 1);
  const Transitions empty(2, 2, 1);
  Tape tape;
  const LinearModel f;
  CHECK(contains(message<std::invalid_argument>([&] { svg_recursion(pi, f, empty, 1); }), "one step"));
  CHECK(contains(message<std::invalid_argument>([&] { svg_objective(pi, f, empty, 1, tape); }), "one step"));
}

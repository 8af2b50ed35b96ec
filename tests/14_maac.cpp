// Chapter 14: the H-step objective and its gradient, the loop around it, linear systems with a known answer, the
// bounds' ingredients.
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/14_maac/clipped.h"
#include "chapters/14_maac/linear_quadratic.h"
#include "chapters/14_maac/scalar.h"
#include "chapters/14_maac/training.h"
#include "envs/pendulum.h"
#include "tests/catch.h"
#include "tests/count_malloc.h"
#include "tests/gradient_check.h"
#include "tests/scratch.h"
#include "tests/threads.h"

namespace {

// An agent and a model of pendulum that has seen some data, and states to start from.
struct World {
  Rng rng;
  Pendulum env;
  Sac agent;
  LearnedModel model;
  Transitions D{3, 1, 300};
  Mat s_0;
  Paths paths;

  explicit World(std::uint64_t seed, int batch = 16)
      : rng(seed), agent(3, 1, {.hidden = {16, 16}, .alpha = Real(0.3)}, rng),
        model(env, {.members = 3, .elites = 2, .hidden = {16}, .batch = 32, .epochs = 20}, rng) {
    env.reset(rng);
    while (D.size < D.capacity) D.add(interact(env, [](const Mat&, Rng& r) { return uniform_action(1, r); }, rng));
    train_model(model, D, rng);
    s_0 = D.sample(batch, rng).s;
  }
  PathModel f_hat() const { return {env, model.p.elite(0)}; }
  auto Q() const {
    return [this](Var s, Var a) {
      const Var s_a = concat(s, a);
      return min(frozen(agent.Q[0])(s_a), frozen(agent.Q[1])(s_a));
    };
  }
  Objective objective_of() { return objective(agent.pi, f_hat(), Q(), s_0, paths, agent.options.gamma, agent.alpha()); }
};

std::vector<Mat> gradients(SquashedGaussian& pi) {
  std::vector<Mat> all;
  for (const Param* p : params(pi)) all.push_back(p->grad);
  return all;
}
double distance(const std::vector<Mat>& a, const std::vector<Mat>& b, double scale = 1) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, ::distance(a[i], Mat(Real(scale) * b[i])));
  return worst;
}
double norm_of(const std::vector<Mat>& all) {
  double sum = 0;
  for (const Mat& m : all) sum += double(m.square().sum());
  return std::sqrt(sum);
}

// A model that counts: s = (id, t) -> (id, t + 1), r = a; branch id ends after 1 + id steps.
struct Clock {
  PathStep sample(Var s, Var a, const Mat&) const {
    Mat tick = Mat::Zero(2, s.cols());
    tick.row(1).setOnes();
    return {a, s + tick};
  }
  Mat terminated(const Mat& s_next) const { return (s_next.row(1) > s_next.row(0)).cast<Real>(); }
};
// a = theta + xi, and a density that is not 1.
struct Pusher {
  Param theta{Mat::Constant(1, 1, 2), Mat::Zero(1, 1)};
  Sampled<Var> sample(Var s, const Mat& xi) {
    const Var a = s.tape->param(theta) + xi;
    return {a, Real(0.5) * a};
  }
};

struct Linear1 {  // the scalar system as a task of one dimension, its model's slope off
  LinearQuadratic truth;
  double slope_error;
  PathStep sample(Var s, Var a, const Mat& xi) const {
    const PathStep step = truth.sample(s, a, xi);
    return {step.r, step.s_next + Real(slope_error) * s};
  }
  Mat terminated(const Mat& s_next) const { return Mat::Zero(1, s_next.cols()); }
};
Mat one(double x) { return Mat::Constant(1, 1, Real(x)); }

double taped_gradient(const Scalar& x, int H, const LearnedScalar& hat) {
  const LinearQuadratic task(one(x.a), one(1));
  LinearPolicy pi(one(x.theta));
  Paths paths;
  Rng rng(1);
  paths.draw(H, 1, 1, 1, rng);
  const Real gamma = Real(x.gamma);
  const auto Q = [&](Var s, Var a) { return Real(hat.Q_scale) * exact_Q(task, one(x.p()), gamma, s, a); };
  paths.tape.backward(objective(pi, Linear1{task, hat.slope_error}, Q, one(1), paths, gamma, 0).J);
  return double(pi.K.grad(0, 0));
}

MaacOptions options_of(const Scratch& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "14_maac");
  words.insert(words.end(), {"--quiet", "--no-plot", "--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  return parse<MaacOptions>(int(argv.size()), argv.data());
}

template <class T> std::map<std::string, std::vector<unsigned char>> bytes_of(T& x) {
  SaveArchive archive;
  x.io(archive);
  std::map<std::string, std::vector<unsigned char>> all;
  for (const auto& [name, tensor] : archive.file.tensors) all[name] = tensor.bytes;
  return all;
}

// Steps as the program takes them.
void go_on(MaacTraining& x, const MaacOptions& opt, int steps) {
  for (int i = 0; i < steps; ++i, ++x.step) {
    x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng));
    if (x.step % opt.epoch_steps == 0) {
      train_model(x.model, x.D_env, x.rng);
      resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts);
      rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, 1, x.D_model, x.rng);
    }
    x.numbers = improve(x.agent, x.model, x.D_env, x.D_model, opt.maac_updates(), x.memory, x.rng);
  }
}
void act_randomly(MaacTraining& x, int steps) {
  const auto uniform = [](const Mat&, Rng& r) { return uniform_action(1, r); };
  for (; x.step < steps; ++x.step) x.D_env.add(interact(*x.env, uniform, x.rng));
}

}  // namespace

// ---- The objective ----

TEST_CASE("H = 0 is SAC's actor loss: the same value and the same gradient of each weight", "[14]") {
  World w(100), sac(100);
  const MaacNumbers maac = ascend(w.agent, w.model, w.s_0, 0, 5, w.paths, w.rng);

  sac.agent.pi_tape.clear();
  const Sampled<Var> now = sac.agent.pi.sample(sac.agent.pi_tape.constant(sac.s_0), w.paths.xi_a[0]);
  const double sac_logp = now.logp.value().mean();
  const double Q = policy_step(sac.agent, sac.s_0, now);
  CHECK(double(maac.entropy) == Approx(-sac_logp).epsilon(100 * rounding));
  CHECK(double(maac.J) == Approx(Q - double(sac.agent.alpha()) * sac_logp).epsilon(100 * rounding));
  CHECK(maac.grad_norm > 0.01);
  CHECK(distance(gradients(w.agent.pi), gradients(sac.agent.pi)) < 100 * rounding);
}

TEST_CASE("the policy's gradient through 5 steps of the learned model is the central difference", "[14]") {
  for (const int H : {1, 5}) {
    World w(101, 4);
    w.paths.draw(H, 1, 4, w.s_0.cols(), w.rng);
    const auto value = [&] { return double(w.objective_of().J.item()); };
    for (Param* p : params(w.agent.pi)) p->grad.setZero();
    w.paths.tape.backward(w.objective_of().J);
    INFO("H = " << H);
    CHECK(norm_of(gradients(w.agent.pi)) > 0.01);
    if (is_double) CHECK(param_error(params(w.agent.pi), value) < gradient_tolerance);
  }
}

TEST_CASE("the gradient reaches neither the start states nor the weights of model and critics", "[14]") {
  World w(102);
  std::vector<Param*> others = params(w.model.p.members, w.agent.Q[0], w.agent.Q[1]);
  for (Param* p : others) p->grad.setConstant(p->value.rows(), p->value.cols(), 7);
  ascend(w.agent, w.model, w.s_0, 5, 5, w.paths, w.rng);
  CHECK(others.size() > 10);
  for (const Param* p : others) CHECK((p->grad == 7).all());
  CHECK((w.paths.tape.nodes[0].value == w.s_0).all());
  CHECK_FALSE(w.paths.tape.nodes[0].needs_grad);
}

TEST_CASE("the objective step by step: rewards, entropy at each step, the critic at the end", "[14]") {
  World w(103);
  const int H = 3;
  w.paths.draw(H, 1, 4, w.s_0.cols(), w.rng);
  const double J = w.objective_of().J.item(), gamma = w.agent.options.gamma, beta = w.agent.alpha();
  Mat s = w.s_0;
  double sum = 0;
  for (int t = 0; t <= H; ++t) {
    const auto [a, logp] = w.agent.pi.sample(s, w.paths.xi_a[t]);
    sum -= std::pow(gamma, t) * beta * double(logp.mean());
    if (t == H) {
      const Mat s_a = concat(s, a);
      sum += std::pow(gamma, t) * double(Mat(min(w.agent.Q[0](s_a), w.agent.Q[1](s_a))).mean());
    } else {
      const Mat y = w.model.p.elite(0).sample(w.model.x(s, a), w.paths.xi_s[t]);
      const Outcome o = w.model.outcome(s, y);
      sum += std::pow(gamma, t) * double(o.r.mean()), s = o.s_next;
    }
  }
  CHECK(J == Approx(sum).epsilon(100 * rounding));
}

TEST_CASE("a branch that has ended contributes nothing more: value, gradient and critic", "[14]") {
  const int H = 4, n = 7;
  const double gamma = 0.9, beta = 0.25, theta = 2;
  Mat s_0 = Mat::Zero(2, n);
  for (int id = 0; id < n; ++id) s_0(0, id) = Real(id);
  Pusher pi;
  Paths paths;
  Rng rng(104);
  paths.draw(H, 1, 2, n, rng);
  const auto Q = [](Var s, Var a) { return Real(100) + Real(0) * rows(s, 0, 1) + a; };
  const auto J = [&] { return objective(pi, Clock{}, Q, s_0, paths, Real(gamma), Real(beta)).J; };
  double expected = 0, slope = 0;  // r - beta logp = (1 - beta / 2) a
  for (int id = 0; id < n; ++id)
    for (int t = 0; t <= std::min(H, id); ++t) {
      const double a = theta + double(paths.xi_a[t](0, id)), weight = std::pow(gamma, t) / n;
      expected += weight * ((1 - beta / 2) * a + (t == H ? 100 : 0)), slope += weight * (1 - beta / 2);
    }
  const Var now = J();
  CHECK(now.item() == Approx(expected).epsilon(100 * rounding));
  paths.tape.backward(now);
  CHECK(double(pi.theta.grad(0, 0)) == Approx(slope).epsilon(100 * rounding));
  const Real before = J().item();
  paths.xi_a[1](0, 0) += 5, paths.xi_a[H](0, 2) += 5;  // these branches ended after 1 and 3 steps
  CHECK(J().item() == before);
  paths.xi_a[H](0, H) += 5;  // this one has not
  CHECK(J().item() != before);
}

TEST_CASE("clipping: the norm before it is returned, the step is made with the gradient cut to max_norm", "[14]") {
  World w(105), clipped(105);
  const MaacNumbers free = ascend(w.agent, w.model, w.s_0, 3, Real(1e9), w.paths, w.rng);
  const MaacNumbers cut = ascend(clipped.agent, clipped.model, clipped.s_0, 3, Real(0.01), clipped.paths, clipped.rng);
  CHECK(free.J == cut.J);
  CHECK(free.grad_norm == cut.grad_norm);
  CHECK(double(free.grad_norm) == Approx(norm_of(gradients(w.agent.pi))).epsilon(100 * rounding));
  REQUIRE(free.grad_norm > 0.1);
  CHECK(norm_of(w.agent.pi_opt.m) == Approx(0.1 * double(free.grad_norm)).epsilon(100 * rounding));
  CHECK(norm_of(clipped.agent.pi_opt.m) == Approx(0.1 * 0.01).epsilon(100 * rounding));  // m = (1 - beta1) g
}

TEST_CASE("a step of ascend raises the objective, and moves the temperature as SAC does", "[14]") {
  World w(106, 64);
  w.agent.pi_opt.lr = Real(1e-4);
  w.paths.draw(3, 1, 4, w.s_0.cols(), w.rng);
  const double before = w.objective_of().J.item(), alpha = w.agent.alpha();
  w.agent.pi_opt.minimize(-w.objective_of().J);
  CHECK(w.objective_of().J.item() > before);
  const MaacNumbers now = ascend(w.agent, w.model, w.s_0, 3, 5, w.paths, w.rng);
  CHECK(((now.entropy > w.agent.target_entropy) == (w.agent.alpha() < Real(alpha))));
}

TEST_CASE("an ascent reuses the memory of its graph; only the task's answer to `terminated` is new", "[14]") {
  World w(107, 64);
  const int H = 5;
  const auto ascents = [&](int n) {
    for (int i = 0; i < n; ++i) ascend(w.agent, w.model, w.s_0, H, 5, w.paths, w.rng);
  };
  const auto addresses = [&] {
    std::vector<const Real*> all;
    for (const Node& node : w.paths.tape.nodes) all.push_back(node.value.data()), all.push_back(node.grad.data());
    return all;
  };
  with_threads(1, [&] {
    ascents(10);
    const std::vector<const Real*> before = addresses();
    const long calls = malloc_calls();
    ascents(20);
    const long made = malloc_calls() - calls;
    if (COUNTS_MALLOC) CHECK(made == 20 * H);
    const bool same = addresses() == before;
    CHECK(same);
    return 0;
  });
}

TEST_CASE("a NaN in a start state or a weight of the model stops the ascent and names the policy", "[14]") {
  World w(108);
  w.s_0(1, 3) = Real(nan_value);
  CHECK(contains(message<NotFinite>([&] { ascend(w.agent, w.model, w.s_0, 2, 5, w.paths, w.rng); }), "policy"));
  World v(108);
  for (Member& m : v.model.p.members) m.head.out.b.value(1, 0) = Real(infinity);
  CHECK(contains(message<NotFinite>([&] { ascend(v.agent, v.model, v.s_0, 2, 5, v.paths, v.rng); }), "policy"));
}

// ---- The critics and the loop ----

TEST_CASE("learn_Q is SAC's step of the critics: the same targets, losses and weights", "[14]") {
  World w(109), sac(109);
  const Batch b = w.D.sample(32, w.rng);
  Rng rng(5), same(5);
  const Real loss = learn_Q(w.agent, b, rng);
  const Mat xi = same.normal(1, 32);
  const auto [a, logp] = sac.agent.pi.sample(b.s_next, xi);
  const Mat s_a = concat(b.s_next, a);
  const Mat y = b.r + sac.agent.options.gamma * b.not_done *
                          (min(sac.agent.Q_targ[0](s_a), sac.agent.Q_targ[1](s_a)) - sac.agent.alpha() * logp);
  CHECK(::distance(w.agent.y, y) < 10 * rounding);
  sac.agent.y = y;
  CHECK(double(loss) == Approx(double(critic_step(sac.agent, b))).epsilon(100 * rounding));
  CHECK(w.agent.pi_opt.t == 0);
}

TEST_CASE("improve makes G_2 steps of policy, critics and temperature, on batches of both stores", "[14]") {
  World w(110);
  Transitions D_model(3, 1, 10), empty(3, 1, 10);
  D_model.add(w.D.sample(10, w.rng));
  MaacMemory memory;
  const MaacUpdates how{.G_2 = 7, .H = 2, .batch = 12, .real_ratio = Real(0.25)};
  const MaacNumbers n = improve(w.agent, w.model, w.D, D_model, how, memory, w.rng);
  CHECK(w.agent.pi_opt.t == 7);
  CHECK(w.agent.Q_opt[0].t == 7);
  CHECK(w.agent.Q_opt[1].t == 7);
  CHECK(w.agent.alpha_opt.t == 7);
  CHECK(memory.mixture.real.size() == 3);
  CHECK(memory.mixture.model.size() == 9);
  CHECK(memory.paths.xi_a.size() == 3);
  CHECK((memory.paths.tape.nodes[0].value == memory.mixture.both.s).all());  // the start states
  CHECK(memory.paths.xi_a[0].cols() == 12);
  for (const Real x : {n.J, n.grad_norm, n.entropy, n.Q_loss}) CHECK(std::isfinite(x));
  CHECK_THROWS_AS(improve(w.agent, w.model, w.D, empty, {}, memory, w.rng), std::invalid_argument);
}

TEST_CASE("a training that is saved and loaded goes on with the same numbers; threads do not matter", "[14]") {
  const Scratch dir;
  const MaacOptions options = options_of(dir, {"--smoke"});
  MaacTraining one(options, "maac_h2", 100), two(options, "maac_h2", 101);
  act_randomly(one, 60);
  with_threads(1, [&] { return go_on(one, options, 30), 0; });
  CHECK(bytes_of(one) != bytes_of(two));
  save_networks(dir / "training", one);
  load_networks(dir / "training", two);
  CHECK(bytes_of(one) == bytes_of(two));
  with_threads(1, [&] { return go_on(one, options, 30), 0; });
  with_threads(2, [&] { return go_on(two, options, 30), 0; });
  CHECK(bytes_of(one) == bytes_of(two));
  CHECK(one.numbers.J == two.numbers.J);
}

TEST_CASE("options that make no sense are refused by name, and nothing is written", "[14]") {
  const Scratch dir;
  const auto refused = [&](const std::vector<std::string>& words) {
    return message<BadInput>([&] { options_of(dir, words); });
  };
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--horizon", "-1"}, "--horizon"},         {{"--horizon", "3,3"}, "--horizon"},
      {{"--horizon", "x"}, "--horizon"},          {{"--max-norm", "-1"}, "--max-norm"},
      {{"--real-ratio", "1"}, "--real-ratio"},    {{"--preset", "paper"}, "--preset"},
      {{"--compare", "--gif"}, "--compare"},      {{"--horizon", "0,3", "--save", "x"}, "--horizon"},
      {{"--env", "cartpole"}, "--env cartpole"},  {{"--steps", "200"}, "--steps"}};
  for (const auto& [words, name] : bad) {
    INFO(words[0] << " " << words[1]);
    CHECK(contains(refused(words), name));
  }
  CHECK_FALSE(fs::exists(dir / "out"));
  CHECK(refused({"--horizon", "0,1,3,5,10", "--compare"}).empty());
  CHECK(std::isinf(options_of(dir, {"--max-norm", "0"}).maac_updates().max_norm));
  const MaacOptions several = options_of(dir, {"--horizon", "0,3", "--compare"});
  CHECK(several.algos() == std::vector<std::string>{"maac_h0", "maac_h3", "mbpo", "sac"});
  CHECK(several.with("maac_h3").maac_updates().H == 3);
  CHECK(several.with("sac").real_ratio == 1);
  CHECK(several.with("mbpo").real_ratio == several.real_ratio);
}

TEST_CASE("MAAC swings the pendulum up within 2400 steps", "[14][train]") {
  const Scratch dir;
  const MaacOptions options = options_of(dir, {});
  MaacTraining x(options, "maac_h3", 100);
  act_randomly(x, 200);
  double eval_return = -1e9;
  for (int steps = 200; eval_return <= -250 && steps < 2400; steps += 200) {
    go_on(x, options, 200);
    eval_return = evaluate(options, x).eval_return;
  }
  CHECK(eval_return > -250);
}

// ---- Systems with a known answer ----

TEST_CASE("linear-quadratic: MAAC's gradient at H = 20 with the true model is the analytic one", "[14]") {
  Rng rng(111);
  const LinearQuadratic task((Mat(2, 2) << 0.9, 0.2, -0.1, 0.8).finished(), (Mat(2, 1) << 0.3, 0.5).finished());
  LinearPolicy pi((Mat(1, 2) << -0.6, -0.7).finished());
  const Mat s_0 = rng.uniform(2, 50, -1, 1);
  const Real gamma = Real(0.9);
  const LinearSolution known(task, pi.K.value, s_0, double(gamma));
  const auto Q = [&](Var s, Var a) { return exact_Q(task, known.P, gamma, s, a); };
  Paths paths;
  const auto gradient = [&](int H) {
    paths.draw(H, 1, 1, 50, rng);
    pi.K.grad.setZero();
    paths.tape.backward(objective(pi, task, Q, s_0, paths, gamma, 0).J);
    return pi.K.grad;
  };
  CHECK(::distance(gradient(20), known.gradient) < (is_double ? 1e-7 : 1e-3));
  CHECK(::distance(gradient(1), known.gradient) > 0.005);  // Q moves with theta too: a short H does not see it

  Mat difference(1, 2);  // of the analytic return, in double by its own formula
  for (int i = 0; i < 2 && is_double; ++i) {
    const auto J = [&](double step) {
      Mat K = pi.K.value;
      K(0, i) += Real(step);
      const Mat P = LinearSolution(task, K, s_0, double(gamma)).P;
      return -(s_0 * Mat(matmul(P, s_0))).colwise().sum().mean();
    };
    difference(0, i) = Real((J(1e-5) - J(-1e-5)) / 2e-5);
  }
  if (is_double) CHECK(::distance(known.gradient, difference) < 1e-7);
}

TEST_CASE("the scalar recursion is the tape's gradient, for any H and any error of slope and Q", "[14]") {
  for (const double a : {0.9, 1.05})
    for (const int H : {0, 1, 2, 5, 20})
      for (const LearnedScalar& hat : {LearnedScalar{}, {.slope_error = 0.05}, {.Q_scale = 1.1}, {-0.1, 0.7}}) {
        const Scalar x{.a = a, .theta = -0.3};
        CHECK(gradient(x, H, hat) == Approx(taped_gradient(x, H, hat)).epsilon(is_double ? 1e-10 : 1e-4));
      }
}

TEST_CASE("the table of the gradient's errors on the scalar system, to two digits", "[14]") {
  struct Row { int H; double fraction, model, Q; };
  const std::map<double, std::vector<Row>> table = {
      {0.9, {{0, 0.64, 0, 0.180}, {1, 0.87, 0.267, 0.251}, {2, 0.95, 0.543, 0.156}, {5, 1.00, 0.882, 0.016},
             {10, 1.00, 0.933, 2e-4}, {20, 1.00, 0.934, 0}}},
      {1.05, {{0, 0.44, 0, 0.332}, {1, 0.69, 0.480, 0.523}, {2, 0.83, 1.203, 0.480}, {5, 0.97, 3.001, 0.180},
              {10, 1.00, 4.046, 0.018}, {20, 1.00, 4.243, 1e-4}}}};
  CHECK(Scalar{.a = 0.9}.gradient() == Approx(-2.80).epsilon(0.001));
  CHECK(Scalar{.a = 1.05}.gradient() == Approx(-7.50).epsilon(0.001));
  for (const auto& [a, rows] : table)
    for (const Row& row : rows) {
      const Scalar x{.a = a};
      const double g = gradient(x, row.H, {}), f = gradient(x, row.H, {.slope_error = 0.05});
      const double Q = gradient(x, row.H, {.Q_scale = 1.1});
      INFO("a = " << a << ", H = " << row.H);
      CHECK(std::abs(g / x.gradient() - row.fraction) < 0.0051);
      CHECK(std::abs(std::abs(f - g) - row.model) < 0.001);
      CHECK(std::abs(std::abs(Q - g) - row.Q) < (row.Q < 0.01 ? 5e-5 : 0.001));
    }
}

TEST_CASE("the true gradient of the scalar system is the difference of its value", "[14]") {
  for (const double a : {0.9, 1.05}) {
    const double h = 1e-6, up = -Scalar{a, -0.3 + h}.p(), down = -Scalar{a, -0.3 - h}.p();
    CHECK(Scalar{.a = a}.gradient() == Approx((up - down) / (2 * h)).epsilon(1e-6));
  }
}

// ---- The bounds' system ----

TEST_CASE("largest total variation of two policies: the integral of the densities' difference, at |s| = 1", "[14]") {
  const Clipped x{.sigma = 0.2};
  const double theta1 = -0.3, theta2 = -0.15;
  double largest = 0;
  for (const double s : {-1.0, -0.5, 0.0, 0.7, 1.0}) {
    double tv = 0;
    const double du = 1e-4;
    for (double u = -3; u < 3; u += du) {
      const auto density = [&](double theta) {
        const double z = (u - theta * s) / x.sigma;
        return std::exp(-z * z / 2) / (x.sigma * std::sqrt(2 * M_PI));
      };
      tv += std::abs(density(theta1) - density(theta2)) * du / 2;
    }
    largest = std::max(largest, tv);
  }
  CHECK(x.max_tv(theta1, theta2) == Approx(largest).epsilon(1e-4));
  CHECK(x.max_tv(theta1, theta2) < x.c_3() * std::abs(theta1 - theta2));
  CHECK(x.max_tv(theta1, theta1 + 1e-6) == Approx(x.c_3() * 1e-6).epsilon(1e-4));  // attained by small steps
}

TEST_CASE("the clipped system: its values are those of simulated episodes, its reward is bounded", "[14]") {
  const Clipped x{.a = 1.1, .theta = -0.2, .sigma = 0.4, .gamma = 0.8, .r_max = 0.3};
  CHECK(std::abs(x.transition(x.theta, 0.1).rowwise().sum().maxCoeff() - 1) < 1e-12);
  CHECK(x.reward(x.theta).minCoeff() >= -0.3 - 1e-12);
  CHECK(x.reward(x.theta).maxCoeff() < 0);
  Rng rng(112);
  double sum = 0;
  const int episodes = 20000;
  for (int i = 0; i < episodes; ++i) {
    double s = Clipped::state(int(rng.below(Clipped::states))), discount = 1;
    for (int t = 0; t < 40; ++t, discount *= x.gamma) {
      const double u = x.theta * s + x.sigma * rng.normal();
      sum -= discount * std::min(s * s + u * u / 10, x.r_max);
      s = std::clamp(x.a * s + u, -1.0, 1.0);
    }
  }
  CHECK(x.J(x.theta) == Approx(sum / episodes).epsilon(0.01));
}

TEST_CASE("the clipped system: without errors a long objective has the true gradient, any H the true value", "[14]") {
  const Clipped x;
  const Eigen::VectorXd V = x.value(x.theta);
  for (const int H : {0, 1, 7}) CHECK(x.J_hat(x.theta, V, H, 0, 1) == Approx(x.J(x.theta)).epsilon(1e-9));
  CHECK(x.gradient_hat(300, 0, 1) == Approx(x.gradient()).epsilon(1e-4));
  CHECK(std::abs(x.gradient_hat(0, 0, 1) / x.gradient() - 1) > 0.1);
  const TwoSteps b(x, 0.1, 2, 1.5);
  CHECK(b.tv_bound == Approx(0.1 * x.c_3() * 0.5));
  CHECK(b.tv == Approx(x.max_tv(0, 0.05)));
  CHECK(b.subtracted == Approx(2 * 1 / (1 - 0.95) * b.tv_bound));
  CHECK(b.as_printed == Approx(0.1 * b.subtracted));
}

// SAC: the squashed Gaussian's density, targets, temperature, gradients, and a task whose answer is known.
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
#include <sys/wait.h>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/05_model_free/evaluate.h"
#include "chapters/05_model_free/sac.h"
#include "tests/count_malloc.h"
#include "tests/gradient_check.h"
#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

void use_threads([[maybe_unused]] int n) {
#ifdef _OPENMP
  omp_set_num_threads(n);
#endif
}

// A policy with the same mu and log std in every state.
SquashedGaussian constant_policy(const std::vector<double>& mu, const std::vector<double>& log_std) {
  Rng rng(1);
  const int n = int(mu.size());
  SquashedGaussian pi(2, n, {4}, rng);
  Linear& last = pi.net.layers.back();
  last.W.value.setZero();
  for (int i = 0; i < n; ++i) last.b.value(i, 0) = Real(mu[i]), last.b.value(n + i, 0) = Real(log_std[i]);
  return pi;
}

// The integral of f over (-1, 1) in the middle of n cells.
template <class F> double integral(F f, int n = 20000) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += f(-1 + (2 * i + 1.0) / n) * 2 / n;
  return sum;
}

// log pi(a) of a policy with one action, by the noise that leads to a.
double logp_of(const SquashedGaussian& pi, double a, double mu, double log_std) {
  const Mat xi = Mat::Constant(1, 1, Real((std::atanh(a) - mu) / std::exp(log_std)));
  return pi.sample(Mat::Zero(2, 1), xi).logp(0, 0);
}

Batch random_batch(int state_dim, int action_dim, int n, Rng& rng) {
  return {rng.normal(state_dim, n), rng.uniform(action_dim, n, -1, 1), rng.normal(1, n), rng.normal(state_dim, n),
          Mat::Ones(1, n)};
}

std::vector<double> numbers_of(Sac& agent) {
  std::vector<double> all;
  for (const Param* p : params(agent.pi, agent.Q[0], agent.Q[1], agent.Q_targ[0], agent.Q_targ[1]))
    for (const double x : elements(p->value)) all.push_back(x);
  all.push_back(agent.log_alpha.value(0, 0));
  return all;
}

}  // namespace

TEST_CASE("exp(log pi) of the squashed Gaussian integrates to 1; with tanh taken twice it does not", "[05]") {
  for (const auto& [mu, log_std] : {std::pair(0.3, -0.7), std::pair(-1.0, -0.3), std::pair(0.0, -2.0)}) {
    const SquashedGaussian pi = constant_policy({mu}, {log_std});
    const auto density = [&, mu = mu, log_std = log_std](double a) { return std::exp(logp_of(pi, a, mu, log_std)); };
    CHECK(std::abs(integral(density) - 1) < (is_double ? 1e-5 : 1e-3));
    if (log_std < -1) continue;  // far from the ends the correction hardly matters
    // The mistake of Hands-on-RL #121: log(1 - tanh(a)^2) where a is a tanh already.
    const auto twice = [&](double a) {
      return density(a) * (1 - a * a) / (1 - std::pow(std::tanh(a), 2));
    };
    CHECK(std::abs(integral(twice) - 1) > 0.02);
    // And the density of u instead of a / the deviation forgotten.
    CHECK(std::abs(integral([&](double a) { return density(a) * (1 - a * a); }) - 1) > 0.01);
    CHECK(std::abs(integral([&, s = log_std](double a) { return density(a) * std::exp(s); }) - 1) > 0.02);
  }
}

TEST_CASE("log pi of several actions is the sum of each one's, finite also where tanh is 1", "[05]") {
  const SquashedGaussian pi = constant_policy({0.3, -1}, {-0.7, -0.3});
  Mat xi(2, 1);
  xi << Real(0.4), Real(-1.1);
  const double first = constant_policy({0.3}, {-0.7}).sample(Mat::Zero(2, 1), xi.topRows(1)).logp(0, 0);
  const double second = constant_policy({-1}, {-0.3}).sample(Mat::Zero(2, 1), xi.bottomRows(1)).logp(0, 0);
  CHECK(near(pi.sample(Mat::Zero(2, 1), xi).logp(0, 0), first + second, rounding));
  for (const double mu : {-30.0, 30.0, 300.0}) {
    const Sampled<Mat> far = constant_policy({mu}, {0}).sample(Mat::Zero(2, 1), Mat::Zero(1, 1));
    CHECK(std::abs(far.a(0, 0)) == Real(1));
    // log(1 - tanh(u)^2) -> 2 log 2 - 2 |u|
    CHECK(near(far.logp(0, 0), -0.5 * std::log(2 * M_PI) - 2 * std::log(2) + 2 * std::abs(mu), rounding));
  }
}

TEST_CASE("the deviation is kept between exp(-5) and exp(2)", "[05]") {
  const Mat one = Mat::Ones(1, 1), s = Mat::Zero(2, 1);
  CHECK(near(constant_policy({0}, {-9}).sample(s, one).a(0, 0), std::tanh(std::exp(-5)), rounding));
  CHECK(near(constant_policy({0}, {9}).sample(s, one * Real(0.1)).a(0, 0), std::tanh(0.1 * std::exp(2)), rounding));
}

TEST_CASE("a sample's action and log pi: recorded as in numbers, gradients as central differences say", "[05]") {
  Rng rng(2);
  SquashedGaussian pi(3, 2, {8}, rng);
  pi.net.layers.back().W.value *= 5;
  const Mat s = rng.normal(3, 6), xi = rng.normal(2, 6), weights = rng.normal(2, 6), w = rng.normal(1, 6);
  const auto loss = [&] {
    const Sampled<Mat> x = pi.sample(s, xi);
    return double((weights * x.a).sum() + (w * x.logp).sum());
  };
  Tape tape;
  const Sampled<Var> x = pi.sample(tape.constant(s), xi);
  const Var J = sum(x.a * weights) + sum(x.logp * w);
  CHECK(near(J.item(), loss(), rounding));
  tape.backward(J);
  CHECK(param_error(params(pi), loss) < gradient_tolerance);
}

TEST_CASE("the critics' target by hand: a terminal, a time-out and an ordinary transition", "[05]") {
  Rng rng(3);
  Sac agent(2, 1, {.hidden = {8}, .gamma = Real(0.9), .alpha = Real(0.3)}, rng);
  Transitions D(2, 1, 3);
  const auto add = [&](double r, bool terminated, bool truncated) {
    D.add(Transition{rng.normal(2, 1), rng.uniform(1, 1, -1, 1), Real(r), rng.normal(2, 1), terminated, truncated});
  };
  add(1, true, false), add(2, false, true), add(3, false, false);
  const Batch b = D.all();
  const Mat xi = rng.normal(1, 3);
  Tape tape;
  critic_targets(agent, b, frozen(agent.pi).sample(tape.constant(b.s_next), xi));
  const Sampled<Mat> next = agent.pi.sample(b.s_next, xi);
  const Mat s_a = concat(b.s_next, next.a), Q1 = agent.Q_targ[0](s_a), Q2 = agent.Q_targ[1](s_a);
  CHECK(agent.y(0, 0) == Real(1));  // nothing comes after a terminal state
  for (const int j : {1, 2}) {      // a time-out is not one
    const double smaller = std::min(Q1(0, j), Q2(0, j)), larger = std::max(Q1(0, j), Q2(0, j));
    REQUIRE(larger - smaller > 0.01);
    CHECK(near(agent.y(0, j), b.r(0, j) + 0.9 * (smaller - 0.3 * next.logp(0, j)), 10 * rounding));
  }
}

TEST_CASE("the temperature rises while the entropy is below its target and falls while it is above", "[05]") {
  for (const auto& [log_std, sign] : {std::pair(-5.0, 1), std::pair(-0.5, -1)}) {  // entropy about -3.6 and 0.6
    Rng rng(4);
    Sac agent(2, 1, {.hidden = {8}}, rng);
    REQUIRE(agent.target_entropy == -1);
    agent.pi.net.layers.back().W.value.setZero();
    agent.pi.net.layers.back().b.value << 0, Real(log_std);
    const Batch b = random_batch(2, 1, 32, rng);
    const SacNumbers numbers = sac_update(agent, b, rng);
    CHECK((numbers.entropy - agent.target_entropy) * sign < 0);
    CHECK((agent.alpha() - 1) * sign > 0);
  }
}

TEST_CASE("the policy's step: the gradient of one tape's J_pi, and of central differences; critics stay", "[05]") {
  Rng rng(5);
  Sac agent(3, 2, {.hidden = {16}, .alpha = Real(0.4)}, rng);
  agent.pi.net.layers.back().W.value *= 5;
  const Mat s = rng.normal(3, 20), xi = rng.normal(2, 20);
  const Mat s_mean = concat(s, agent.pi.sample(s, xi).a);
  agent.Q[1].layers.back().b.value += (agent.Q[0](s_mean) - agent.Q[1](s_mean)).mean();
  const auto J_pi = [&] {
    const Sampled<Mat> x = agent.pi.sample(s, xi);
    const Mat s_a = concat(s, x.a), Q1 = agent.Q[0](s_a), Q2 = agent.Q[1](s_a);
    REQUIRE((Q1 < Q2).any());  // both critics have a say
    REQUIRE((Q1 > Q2).any());
    return double(Mat(agent.alpha() * x.logp - Mat(min(Q1, Q2))).mean());
  };
  // All on one tape, as in the paper.
  Tape tape;
  const Sampled<Var> x = agent.pi.sample(tape.constant(s), xi);
  const Var s_a = concat(tape.constant(s), x.a);
  for (Param* p : params(agent.pi)) p->grad.setZero();
  const Var J = mean(agent.alpha() * x.logp - min(frozen(agent.Q[0])(s_a), frozen(agent.Q[1])(s_a)));
  CHECK(near(J.item(), J_pi(), 10 * rounding));
  tape.backward(J);
  CHECK(param_error(params(agent.pi), J_pi) < gradient_tolerance);
  std::vector<Mat> expected;
  for (const Param* p : params(agent.pi)) expected.push_back(p->grad);

  std::vector<Mat> critics;
  for (const Param* p : params(agent.Q[0], agent.Q[1])) critics.push_back(p->value), critics.push_back(p->grad);
  agent.pi_tape.clear();
  policy_step(agent, s, agent.pi.sample(agent.pi_tape.constant(s), xi));
  std::size_t i = 0;
  for (const Param* p : params(agent.pi)) CHECK(distance(p->grad, expected[i++]) < 10 * rounding);
  i = 0;
  for (const Param* p : params(agent.Q[0], agent.Q[1])) {
    CHECK((p->value == critics[i++]).all());
    CHECK((p->grad == critics[i++]).all());
  }
}

TEST_CASE("the critics' step: the gradient of E[(Q - y)^2] for each, and the targets follow by tau", "[05]") {
  Rng rng(6);
  Sac agent(3, 2, {.hidden = {16}, .tau = Real(0.25)}, rng);
  const Batch b = random_batch(3, 2, 20, rng);
  agent.y = rng.normal(1, 20);
  std::array<MLP, 2> before = agent.Q;
  const Real loss = critic_step(agent, b);
  const auto J_Q = [&](int j) { return double(Mat(before[j](concat(b.s, b.a)) - agent.y).square().mean()); };
  CHECK(near(loss, J_Q(0) + J_Q(1), 10 * rounding));
  for (const int j : {0, 1}) {
    const std::vector<Param*> old = params(before[j]), now = params(agent.Q[j]), targ = params(agent.Q_targ[j]);
    for (std::size_t i = 0; i < old.size(); ++i) {
      const Mat expected = Real(0.75) * old[i]->value + Real(0.25) * now[i]->value;
      CHECK(distance(targ[i]->value, expected) < 10 * rounding);
      CHECK(distance(now[i]->value, old[i]->value) > 1e-5);
      old[i]->grad = now[i]->grad;
    }
    CHECK(param_error(old, [&] { return J_Q(j); }) < gradient_tolerance);
  }
}

TEST_CASE("a batch in place is the batch by value, and costs no allocation", "[05]") {
  Rng rng(7);
  Transitions D(3, 2, 50);
  Batch into;
  CHECK_THROWS_AS(D.sample(8, rng, into), std::invalid_argument);
  CHECK_THROWS_AS(Transitions(3, 2, 0), std::invalid_argument);
  D.add(random_batch(3, 2, 30, rng));
  Rng one(8), two(8);
  for (int i = 0; i < 3; ++i) {
    const long before = malloc_calls();
    D.sample(8, one, into);
    if (COUNTS_MALLOC && i > 0) CHECK(malloc_calls() == before);
    const Batch b = D.sample(8, two);
    CHECK(((into.s == b.s).all() && (into.a == b.a).all() && (into.r == b.r).all()));
    CHECK(((into.s_next == b.s_next).all() && (into.not_done == b.not_done).all()));
  }
}

TEST_CASE("an update allocates nothing after the first ten, and the heap does not grow", "[05]") {
  struct Size { int threads, hidden, batch, updates; };
  for (const Size& size : {Size{1, 16, 32, 990}, Size{2, 128, 256, 40}}) {  // the second is work enough for two threads
    use_threads(size.threads);
    Rng rng(9);
    Sac agent(3, 1, {.hidden = {size.hidden, size.hidden}}, rng);
    Transitions D(3, 1, 100);
    D.add(random_batch(3, 1, 100, rng));
    Batch b;
    const auto updates = [&](int n) {
      for (int i = 0; i < n; ++i) {
        D.sample(size.batch, rng, b);
        sac_update(agent, b, rng);
      }
    };
    updates(10);
    [[maybe_unused]] const long calls = malloc_calls();
#if COUNTS_MALLOC
    const std::size_t heap = mallinfo2().uordblks;
    updates(size.updates);
    const std::size_t heap_after = mallinfo2().uordblks;
    CHECK(malloc_calls() - calls == 0);
    CHECK(heap_after == heap);
#endif
  }
}

TEST_CASE("same seed, same numbers, with one thread and with two", "[05]") {
  const auto run = [](int threads) {
    use_threads(threads);
    Rng rng(10);
    Sac agent(11, 3, {.hidden = {128, 128}}, rng);  // large enough for two threads
    const Batch b = random_batch(11, 3, 256, rng);
    for (int i = 0; i < 5; ++i) sac_update(agent, b, rng);
    return numbers_of(agent);
  };
  const std::vector<double> once = run(1);
  CHECK(run(2) == once);
  CHECK(run(2) == once);
}

TEST_CASE("saved and loaded: the same actions, and the same training from there", "[05]") {
  Rng rng(11);
  const SacOptions how{.hidden = {8, 8}};
  Sac one(3, 2, how, rng), two(3, 2, how, rng);
  const Batch b = random_batch(3, 2, 16, rng);
  for (int i = 0; i < 3; ++i) sac_update(one, b, rng);
  const std::string file = "build/test_sac.safetensors";
  save_networks(file, one);
  CHECK_FALSE((one.pi.mean_action(b.s) == two.pi.mean_action(b.s)).all());
  load_networks(file, two);
  std::remove(file.c_str());
  CHECK((one.pi.mean_action(b.s) == two.pi.mean_action(b.s)).all());
  Rng same = rng;
  sac_update(one, b, rng), sac_update(two, b, same);
  CHECK(numbers_of(one) == numbers_of(two));
  two.Q[1].layers[0].W.value(0, 0) = NAN;
  CHECK_THROWS_AS(check_all_finite(two), NotFinite);
}

TEST_CASE("bad settings are refused, and a diverging critic stops with its name", "[05]") {
  Rng rng(12);
  for (const SacOptions& bad : {SacOptions{.gamma = Real(1.01)}, SacOptions{.gamma = Real(-0.1)}, SacOptions{.tau = 0},
                                SacOptions{.alpha = 0}, SacOptions{.hidden = {}}, SacOptions{.lr = 0}})
    CHECK_THROWS_AS(Sac(3, 1, bad, rng), std::invalid_argument);
  Sac agent(3, 1, {.hidden = {8, 8}, .lr = 1e3}, rng);
  const Batch b = random_batch(3, 1, 16, rng);
  std::string what;
  for (int i = 0; i < 2000 && what.empty(); ++i) try {
      sac_update(agent, b, rng);
    } catch (const NotFinite& e) {
      what = e.what();
    }
  INFO(what);
  if (!is_double) CHECK(what.find("critic") != std::string::npos);
}

TEST_CASE("reaches: above the threshold twice in a row, the first of them counts", "[05]") {
  CHECK(reaches({1, 2, 3, 4, 5}, {0, 9, 0, 9, 9}, 5) == 4);
  CHECK(std::isinf(reaches({1, 2, 3}, {0, 9, 0}, 5)));
  CHECK(median({3, 1, INFINITY}) == 3);
  CHECK(median({1, 2}) == 1.5);
}

// s' = A s + B a, r = -(s^2 + rho a^2). Without noise the best action is a = -K s, with P = 1 + gamma A^2 P -
// (gamma A B P)^2 / (rho + gamma B^2 P) and K = gamma A B P / (rho + gamma B^2 P).
TEST_CASE("on a linear-quadratic task SAC's mean action approaches the Riccati solution", "[05][train]") {
  const double A = 0.9, B = 0.5, rho = 0.5, gamma = 0.9;
  double P = 1;
  for (int i = 0; i < 200; ++i)
    P = 1 + gamma * A * A * P - std::pow(gamma * A * B * P, 2) / (rho + gamma * B * B * P);
  const double K = gamma * A * B * P / (rho + gamma * B * B * P);
  Rng rng(13);
  Sac agent(1, 1, {.hidden = {32, 32}, .lr = 1e-3, .gamma = Real(gamma), .tau = Real(0.02), .alpha = Real(0.1)}, rng);
  agent.target_entropy = -3;  // little noise at the end
  Transitions D(1, 1, 4000);
  const Mat s = rng.uniform(1, 4000, -1, 1), a = rng.uniform(1, 4000, -1, 1);
  D.add(Batch{s, a, -(s.square() + Real(rho) * a.square()), Real(A) * s + Real(B) * a, Mat::Ones(1, 4000)});
  Batch b;
  for (int i = 0; i < 6000; ++i) {
    if (i == 4000) agent.pi_opt.lr = agent.Q_opt[0].lr = agent.Q_opt[1].lr = Real(2e-4);
    D.sample(64, rng, b);
    sac_update(agent, b, rng);
  }
  for (const double x : {-0.8, -0.4, 0.0, 0.4, 0.8}) {
    INFO("s = " << x << ", K = " << K);
    CHECK(std::abs(agent.pi.mean_action(Mat::Constant(1, 1, Real(x)))(0, 0) + K * x) < 0.05);
  }
}

TEST_CASE("the program refuses what SAC cannot take, with the rule, and stops where a critic diverges",
          "[05][program]") {
  const auto run = [](const std::string& words) {
    const std::string out = "build/test_sac";
    std::filesystem::remove_all(out);
    const int status = std::system(("mkdir -p build; build/05_model_free --smoke --quiet --no-plot --out " + out + " " +
                                    words + " > /dev/null 2> build/test_sac.txt").c_str());
    std::ifstream in("build/test_sac.txt");
    return std::pair(WEXITSTATUS(status), std::string(std::istreambuf_iterator<char>(in), {}));
  };
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"--batch 512 --capacity 256", "--capacity"}, {"--capacity 0", "at least 1"}, {"--gamma 1.5", "0 to 1"},
      {"--gamma -0.1", "0 to 1"}, {"--env cartpole", "continuous"}, {"--updates 1,2,3 --steps 9,9", "--updates"}};
  for (const auto& [words, rule] : bad) {
    const auto [status, err] = run(words);
    INFO(words << ": " << err);
    CHECK(status == 2);
    CHECK(std::count(err.begin(), err.end(), '\n') == 1);
    CHECK(err.find(rule) != std::string::npos);
    CHECK(!std::filesystem::exists("build/test_sac"));
  }
  const auto [status, err] = run("--lr 1e3 --updates 10 --steps 3000 --eval-every 50");
  INFO(err);
  CHECK(status == 3);
  CHECK(err.find("step ") != std::string::npos);
  CHECK(err.find("critic") != std::string::npos);
  std::ifstream csv("build/test_sac/05_model_free.csv");
  const std::string rows(std::istreambuf_iterator<char>(csv), {});
  CHECK(rows.find("sac,pendulum,0,50,") != std::string::npos);
  std::filesystem::remove_all("build/test_sac");
}

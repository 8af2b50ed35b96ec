// Chapter 04 as a whole: calibration, a fit to an environment, files, options, and a small PETS that has to learn.
#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/03_shooting/cem.h"
#include "chapters/04_pets/pets.h"
#include "envs/pendulum.h"
#include "tests/scratch.h"
#include "tests/slope.h"
#include "tests/threads.h"

namespace {

double difference(const Mat& a, const Mat& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols() || !(a - b).isFinite().all()) return infinity;
  return a.size() ? double((a - b).abs().maxCoeff()) : 0;
}
// Y = sin 3x + sigma(x) noise, sigma(x) = 0.05 + 0.25 (x > 0 ? x : 0), x uniform in [-1, 1].
double sigma_of(double x) { return 0.05 + 0.25 * std::max(x, 0.0); }
struct Heteroscedastic {
  Mat X, Y;
  Heteroscedastic(int n, Rng& rng) : X(rng.uniform(1, n, -1, 1)), Y(rng.normal(1, n)) {
    for (int i = 0; i < n; ++i) {
      const double x = double(X(0, i));
      Y(0, i) = Real(std::sin(3 * x) + sigma_of(x) * double(Y(0, i)));
    }
  }
};

}  // namespace

TEST_CASE("calibration: the 95 % aleatoric band covers 92 to 98 % of new samples; off the data members disagree",
          "[04][train]") {
  Rng rng(100);
  const Heteroscedastic data(2000, rng), fresh(4000, rng);
  EnsembleOptions options{.members = 5, .elites = 5, .hidden = {32, 32}, .lr = Real(3e-3), .batch = 64, .epochs = 60,
                          .holdout = 0};
  Ensemble f(1, 1, options, rng);
  f.fit(data.X, data.Y, rng);

  const Moments m = moments(f, fresh.X);
  const Mat deviation = m.aleatoric.sqrt();
  const auto covered = [&](double from, double to) {
    int inside = 0, n = 0;
    for (int i = 0; i < fresh.X.cols(); ++i) {
      if (double(fresh.X(0, i)) < from || double(fresh.X(0, i)) > to) continue;
      ++n, inside += std::abs(fresh.Y(0, i) - m.mean(0, i)) <= Real(1.96) * deviation(0, i);
    }
    return double(inside) / n;
  };
  CHECK(covered(-1, 1) > 0.92);
  CHECK(covered(-1, 1) < 0.98);
  for (const auto& [from, to] : {std::pair{-1.0, -0.3}, {-0.3, 0.3}, {0.3, 1.0}}) {  // everywhere, not in the mean only
    INFO(from << " to " << to);
    CHECK(covered(from, to) > 0.90);
    CHECK(covered(from, to) < 0.985);
  }
  for (const double x : {-0.8, -0.4, 0.5, 0.9}) {
    const double measured = std::sqrt(double(moments(f, Mat::Constant(1, 1, Real(x))).aleatoric(0, 0)));
    INFO("at " << x << ": " << measured << " for " << sigma_of(x));
    CHECK(measured > 0.75 * sigma_of(x));
    CHECK(measured < 1.35 * sigma_of(x));
  }

  const double on = double(m.epistemic.mean());
  const Mat right = rng.uniform(1, 500, 2, 3), left = rng.uniform(1, 500, -3, -2);
  CHECK(double(moments(f, right).epistemic.mean()) > 5 * on);
  CHECK(double(moments(f, left).epistemic.mean()) > 5 * on);
}

TEST_CASE("the model is fitted to net_target(s, s') from net_input(s) and a", "[04]") {
  Slope env;
  env.drift = 0.1;
  Rng rng(100);
  Transitions D(1, 2, 400);
  for (int i = 0; i < 400; ++i) {
    env.set_sim_state(at_x(rng.uniform(-1, 1)));
    D.add(env.step(rng.uniform(2, 1, -1, 1)));
  }
  EnsembleOptions options{.members = 2, .elites = 2, .hidden = {16, 16}, .lr = Real(3e-3), .batch = 32, .epochs = 60};
  Ensemble f = make_model(env, options, rng);
  fit(f, env, D, rng);
  const Mat s = rng.uniform(1, 100, -1, 1), a = rng.uniform(2, 100, -1, 1);
  const Mat expected = 4 * (a.row(0) / 2 + Real(0.1));
  for (const Member& m : f.members) {
    CHECK(difference(m.predict(concat(3 * s, a)).mu, expected) < 0.4);
    CHECK(double((m.predict(concat(3 * s, a)).mu - expected).square().mean()) < 0.005);
    CHECK(std::abs(double(m.input.std(0, 0)) - 3 / std::sqrt(3.0)) < 0.2);  // the input is 3 s
  }

  const Transitions nothing(1, 2, 10);
  const std::string text = message<std::invalid_argument>([&] { fit(f, env, nothing, rng); });
  CHECK((contains(text, "no data") || contains(text, "empty")));
}

TEST_CASE("an ensemble from a file predicts the same, and so does its next fit", "[04]") {
  const Scratch dir;
  Rng rng(100);
  const Heteroscedastic data(200, rng);
  const EnsembleOptions options{.members = 3, .elites = 2, .hidden = {8, 8}, .lr = Real(3e-3), .batch = 32,
                                .epochs = 5};
  Ensemble f(1, 1, options, rng), g(1, 1, options, rng);
  f.fit(data.X, data.Y, rng);
  save_networks(dir / "f", f);
  load_networks(dir / "f", g);
  CHECK(g.elites == f.elites);
  CHECK(g.holdout_mse == f.holdout_mse);
  const auto same = [&] {
    for (int m = 0; m < 3; ++m) {
      const Gaussian<Mat> a = f.members[m].predict(data.X), b = g.members[m].predict(data.X);
      if (difference(a.mu, b.mu) != 0 || difference(a.log_var, b.log_var) != 0) return false;
    }
    return true;
  };
  CHECK(same());
  Rng r1(101), r2(101);
  f.fit(data.X, data.Y, r1);
  CHECK_FALSE(same());
  g.fit(data.X, data.Y, r2);
  CHECK(same());
}

TEST_CASE("PETS refuses a task whose reward is no function of what is seen, and impossible planners, with the rule",
          "[04]") {
  const Scratch dir;
  const auto refused = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "04_pets");
    words.insert(words.end(), {"--out", dir / "out"});
    std::vector<const char*> argv;
    for (const std::string& w : words) argv.push_back(w.c_str());
    return message<std::invalid_argument>([&] { parse<PetsOptions>(int(argv.size()), argv.data()); });
  };
  for (const char* env : {"hopper", "half_cheetah", "walker2d", "swimmer"}) {
    const std::string text = refused({"--env", env});
    INFO(text);
    CHECK(contains(text, env));
    CHECK(contains(text, "reward"));
  }
  CHECK(contains(refused({"--horizon", "0"}), "horizon"));
  CHECK(contains(refused({"--candidates", "9", "--elites", "10"}), "elites"));
  CHECK(contains(refused({"--particles", "7", "--members", "5"}), "particles"));
  CHECK(contains(refused({"--members", "0"}), "members"));
  CHECK_FALSE(fs::exists(dir / "out"));
  CHECK(refused({"--env", "pendulum"}).empty());
}

TEST_CASE("regression: PETS on the pendulum with 60 candidates reaches -400 within 6 trials", "[04][train]") {
  const double best = with_threads(1, [] {
    Rng rng(100);
    Pendulum env;
    EnsembleOptions options{.members = 5, .elites = 5, .hidden = {32, 32}, .batch = 32, .epochs = 50, .holdout = 0};
    Ensemble model = make_model(env, options, rng);
    Transitions D(3, 1, 200 * 7);
    env.reset(rng);
    for (bool end = false; !end;) {
      const Transition t = env.step(rng.uniform(1, 1, -1, 1));
      D.add(t), end = t.truncated;
    }
    Cem cem(1, {.T = 20, .candidates = 60, .elites = 10, .iterations = 3});
    const Particles particles(model, env, Propagation::TSinf, 5);
    double best = -infinity;
    for (int trial = 1; trial <= 6 && best < -400; ++trial) {
      fit(model, env, D, rng);
      Mat s = env.reset(rng);
      cem.reset();
      double sum = 0;
      for (bool end = false; !end;) {
        const Transition t = env.step(cem.act(ModelReturn{particles, s, rng}, rng));
        D.add(t), sum += double(t.r), s = t.s_next, end = t.truncated;
      }
      UNSCOPED_INFO("trial " << trial << ": " << sum);
      best = std::max(best, sum);
    }
    return best;
  });
  CHECK(best > -400);
}

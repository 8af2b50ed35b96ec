// Chapter 09, MBPO as an MDP over its hyper-parameters: actions, states, reward, transitions, files of hyper-episodes.
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>
#include "chapters/06_mbpo/learn.h"
#include "chapters/09_autombpo/hyper_episode.h"
#include "chapters/09_autombpo/side_by_side.h"
#include "tests/scratch.h"
#include "tests/threads.h"

namespace {

AutoOptions options_of(const Scratch& dir, std::vector<std::string> words = {}) {
  words.insert(words.begin(), "09_autombpo");
  words.insert(words.end(), {"--quiet", "--no-plot", "--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  return parse<AutoOptions>(int(argv.size()), argv.data());
}
Mat choice(int train, int ratio, int G, int k) { return (Mat(4, 1) << train, ratio, G, k).finished(); }

// A policy of one state and one action with this mean and deviation of u, whatever the state.
SquashedGaussian constant_policy(double mu, double std) {
  Rng rng(1);
  SquashedGaussian pi(1, 1, {2}, rng);
  pi.net.layers.back().W.value.setZero();
  pi.net.layers.back().b.value << Real(mu), Real(std::log(std));
  return pi;
}

Finished some_episode(int number, int decisions) {
  Rng rng(number);
  Finished run(number, decisions);
  run.s = rng.normal(hyper_state_dim, decisions), run.a = rng.uniform(4, decisions, 0, 1).round();
  run.logp = rng.normal(4, decisions), run.hyper = rng.normal(4, decisions), run.eval_return = rng.normal(1, decisions);
  return run;
}

}  // namespace

TEST_CASE("a decision multiplies the real ratio, adds to G and k, and leaves none of them its range", "[09]") {
  const Scratch dir;
  const AutoOptions opt = options_of(dir, {"--factor", "2", "--least-ratio", "0.02", "--most-updates", "10",
                                           "--most-length", "5"});
  const Hyper h{true, Real(0.1), 5, 3};
  const Hyper up = changed(opt, h, choice(0, 2, 2, 0)), down = changed(opt, h, choice(1, 0, 0, 2));
  CHECK((!up.train && same_to(up.real_ratio, 0.2, 1e-6) && up.G == 6 && up.k == 2));
  CHECK((down.train && same_to(down.real_ratio, 0.05, 1e-6) && down.G == 4 && down.k == 4));
  const Hyper same = changed(opt, h, keep);
  CHECK((same.train && same.real_ratio == h.real_ratio && same.G == 5 && same.k == 3));
  Hyper high = h, low = h;
  for (int i = 0; i < 20; ++i)
    high = changed(opt, high, choice(1, 2, 2, 2)), low = changed(opt, low, choice(1, 0, 0, 0));
  CHECK((high.real_ratio == 1 && high.G == 10 && high.k == 5));
  CHECK((low.real_ratio == Real(0.02) && low.G == 1 && low.k == 1));
}

TEST_CASE("the reward is the return beyond plain MBPO's in units of 300, and a little for not training", "[09]") {
  CHECK(hyper_reward(-200, -500, false) == Approx(1.05));
  CHECK(hyper_reward(-200, -500, true) == Approx(0.95));
  const Scratch dir;
  Finished run(0, 2);
  run.s.setRandom(), run.logp.setRandom();
  run.a << 1, 0, 2, 1, 0, 1, 1, 1;
  run.eval_return << -300, -150;
  const HyperEpisode rewarded = run.rewarded((Mat(1, 2) << -600, -150).finished());
  CHECK(rewarded[0].r == Approx(0.95));
  CHECK(rewarded[1].r == Approx(0.05));
  CHECK((rewarded[1].s == run.s.col(1)).all());
  CHECK((rewarded[1].a == run.a.col(1)).all());
  CHECK((rewarded[1].logp == run.logp.col(1)).all());
}

TEST_CASE("the policy shift is sqrt(KL/2) of the Gaussians, from a quadrature, and at most 1", "[09]") {
  const Mat s = Mat::Zero(1, 3);
  const auto normal = [](double u, double mu, double std) {
    return std::exp(-(u - mu) * (u - mu) / (2 * std * std)) / (std * std::sqrt(2 * std::numbers::pi));
  };
  for (const auto& [mu, std] : {std::pair(0.3, 1.0), {0.0, 1.4}, {-0.2, 0.7}}) {
    double KL = 0;
    for (double u = -9; u < 9; u += 1e-3)
      KL += 1e-3 * normal(u, 0.1, 0.9) * std::log(normal(u, 0.1, 0.9) / normal(u, mu, std));
    const Real shift = policy_shift(constant_policy(0.1, 0.9), constant_policy(mu, std), s);
    CHECK(shift == Approx(std::sqrt(KL / 2)).epsilon(1e-3));
  }
  CHECK(policy_shift(constant_policy(0.1, 0.9), constant_policy(0.1, 0.9), s) == Approx(0).margin(1e-3));
  CHECK(policy_shift(constant_policy(-3, 0.5), constant_policy(3, 0.5), s) == 1);
}

TEST_CASE("the controller's state, on a run that is made by hand", "[09]") {
  const Scratch dir;
  const AutoOptions opt = options_of(dir, {"--smoke", "--steps", "260", "--model-scale", "0.5", "--critic-scale", "20",
                                           "--return-scale", "1000", "--most-updates", "8", "--most-length", "4"});
  HyperRun run(opt, 0);
  const Mat begin = run.state();
  CHECK(begin(0, 0) == Approx(60.0 / 260));
  CHECK(begin(1, 0) == 1);  // no model yet
  CHECK((begin(2, 0) == 0 && begin(4, 0) == 0));
  CHECK(begin(3, 0) == Approx(0).margin(1e-3));
  run.x.step = 130, run.learned = true, run.Q_loss = 5, run.eval_return = -250, run.h = {true, Real(0.2), 6, 3};
  run.x.model.p.holdout_mse.assign(3, 0.1);
  run.pi_before.net.layers.back().b.value(0, 0) += 100;  // far away
  const Mat s = run.state();
  const double expected[] = {0.5, 0.2, 0.25, 1, -0.25, 0.2, 0.75, 0.75};
  for (int i = 0; i < hyper_state_dim; ++i) CHECK(s(i, 0) == Approx(expected[i]));
  run.Q_loss = 1e9, run.eval_return = -1e9;
  CHECK((run.state()(2, 0) == 1 && run.state()(4, 0) == -1));
}

TEST_CASE("without decisions a hyper-episode is a run of chapter 06, row by row; at real ratio 1 it is SAC", "[09]") {
  const Scratch dir;
  for (const std::string ratio : {"0.3", "1"}) {
    INFO("real ratio " << ratio);
    const AutoOptions opt = options_of(dir, {"--smoke", "--real-ratio", ratio});
    std::vector<double> returns;
    Training x(opt, 4);
    learn(opt, x, [&] {
      if (x.step % opt.eval_every == 0) returns.push_back(evaluate(opt, x).eval_return);
    });
    REQUIRE(int(returns.size()) == opt.decisions());
    const Finished run = hyper_episode(opt, 0, 4, [](const Mat& s) { return Decision{s, keep, Mat::Zero(4, 1)}; });
    for (int t = 0; t < opt.decisions(); ++t) CHECK(run.eval_return(0, t) == Real(returns[t]));
  }
}

TEST_CASE("at real ratio 1 no model is trained and none is asked, also where the ratio came there", "[09]") {
  const Scratch dir;
  const AutoOptions opt = options_of(dir, {"--smoke", "--real-ratio", "0.9"});
  HyperRun run(opt, 0);
  run.h = changed(opt, run.h, choice(1, 2, 1, 1));
  run.Q_loss = 1e9;  // of the steps before
  run.step();
  CHECK(run.Q_loss < 1e6);
  CHECK((run.h.real_ratio == 1 && !run.learned && run.x.D_model.size == 0));
  run.h = changed(opt, run.h, choice(0, 0, 1, 1));  // not asked for, but there is none yet
  run.step();
  CHECK((run.learned && run.x.D_model.size > 0));
  const double before = run.x.model.holdout_mse();
  run.step();
  CHECK(run.x.model.holdout_mse() == before);
  run.h.train = true;
  run.step();
  CHECK(run.x.model.holdout_mse() != before);
}

TEST_CASE("a hyper-episode's file comes back; damaged, of other options or of another number it does not", "[09]") {
  const Scratch dir;
  const AutoOptions opt = options_of(dir, {"--smoke"});
  const std::string path = dir / "run.safetensors";
  const Finished run = some_episode(7, opt.decisions());
  Finished back(7, opt.decisions());
  CHECK_FALSE(read_episode(opt, path, back));
  write_episode(opt, path, run);
  REQUIRE(read_episode(opt, path, back));
  CHECK(((back.s == run.s).all() && (back.a == run.a).all() && (back.logp == run.logp).all()));
  CHECK(((back.hyper == run.hyper).all() && (back.eval_return == run.eval_return).all()));
  const auto refused = [&](const AutoOptions& how, int number) {
    const Capture err(2);
    Finished other(number, how.decisions());
    const Mat before = other.s = some_episode(1, how.decisions()).s;
    const bool read = read_episode(how, path, other);
    CHECK((other.s == before).all());
    const std::string said = err.text();
    CHECK(std::count(said.begin(), said.end(), '\n') == 1);
    CHECK(contains(said, "run.safetensors"));
    return !read;
  };
  CHECK(refused(opt, 8));
  CHECK(refused(options_of(dir, {"--smoke", "--gamma", "0.9"}), 7));
  CHECK(refused(options_of(dir, {"--smoke", "--steps", "200"}), 7));
  const std::string bytes = read(path);
  write(path, bytes.substr(0, bytes.size() - 9));
  CHECK(refused(opt, 7));
  std::string flipped = bytes;
  flipped[bytes.size() - 5] ^= 4;
  write(path, flipped);
  CHECK(refused(opt, 7));
  write(path, "");
  CHECK(refused(opt, 7));
}

TEST_CASE("runs side by side: each once, reported in order, the exception of the first that throws", "[09]") {
  std::vector<int> worked(20, 0), order;
  side_by_side(20, [&](int i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
    ++worked[i];
  }, [&](int i) { order.push_back(i); });
  for (int i = 0; i < 20; ++i) CHECK((worked[i] == 1 && order[i] == i));
  order.clear();
  std::atomic<int> begun = 0;
  std::atomic<bool> threw = false;
  CHECK_THROWS_WITH(side_by_side(20, [&](int i) {
    ++begun;
    if (i == 3) threw = true, throw NotFinite("third");
    while (i > 3 && !threw) std::this_thread::yield();
    if (i > 3) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }, [&](int i) { order.push_back(i); }), "third");
  CHECK(order == std::vector<int>{0, 1, 2});
  CHECK(begun < 20);
}

TEST_CASE("AutoMBPO refuses settings without a meaning", "[09]") {
  const Scratch dir;
  const auto text = [&](const std::vector<std::string>& words) {
    return message<BadInput>([&] { options_of(dir, words); });
  };
  CHECK(contains(text({"--updates", "11"}), "--updates 11: at most --most-updates"));
  CHECK(contains(text({"--rollout-length", "6"}), "--rollout-length 6: at most --most-length"));
  CHECK(contains(text({"--rollout-length", "0,9,1,2"}), "--rollout-length"));
  CHECK(contains(text({"--real-ratio", "0.001"}), "--least-ratio"));
  CHECK(contains(text({"--steps", "3050"}), "--steps 3050"));
  CHECK(contains(text({"--factor", "1"}), "--factor"));
  CHECK(contains(text({"--updates", "0"}), "--updates 0"));
}

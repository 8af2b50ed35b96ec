// Chapter 08, AMPO's loop: what adaptation moves and what it leaves alone, its distances, its options.
#include <string>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/08_ampo/training.h"
#include "tests/catch.h"
#include "tests/scratch.h"
#include "tests/threads.h"

namespace {

// Everything that a struct's io lists, as bytes.
template <class T> std::string bytes(const T& x) {
  SaveArchive archive;
  const_cast<T&>(x).io(archive);
  return encode(archive.file);
}

// A model of three inputs and two outputs, and inputs of two domains that differ.
struct Toy {
  Ensemble model;
  Mat real, simulated;

  explicit Toy(Rng rng, Real shift = 1)
      : model(3, 2, {.members = 3, .elites = 3, .hidden = {16, 12}}, rng), real(rng.normal(3, 400)),
        simulated(rng.normal(3, 300) + shift) {}
};
Toy toy(std::uint64_t seed, Real shift = 1) { return Toy(Rng(seed), shift); }

double distance(const Toy& t, const std::string& kind, Rng rng) {
  double sum = 0;
  for (const Member& f : t.model.members)
    sum += kind == "w1" ? feature_w1(f, t.real, t.simulated, rng)
                        : double(mmd2(f.features(t.real), f.features(t.simulated), ampo_bandwidths));
  return sum / double(t.model.members.size());
}

AmpoOptions options_of(const Scratch& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "08_ampo");
  words.insert(words.end(), {"--quiet", "--no-plot", "--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  return parse<AmpoOptions>(int(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("adaptation moves each member's extractor and leaves decoder and standardisation alone", "[08]") {
  for (const std::string distance : {"w1", "mmd"}) {
    INFO(distance);
    Toy t = toy(1);
    const Toy before = toy(1);
    Rng rng(2);
    Adaptation adaptation(t.model, {.distance = distance, .batch = 32}, rng);
    adaptation.adapt(t.model, t.real, t.simulated, 3, rng);
    for (std::size_t m = 0; m < t.model.members.size(); ++m) {
      const Member &now = t.model.members[m], &was = before.model.members[m];
      CHECK((bytes(now.head) == bytes(was.head)));
      CHECK((bytes(now.input) == bytes(was.input)));
      for (std::size_t i = 0; i < now.extractor.layers.size(); ++i) {
        CHECK((now.extractor.layers[i].W.value != was.extractor.layers[i].W.value).any());
        CHECK((now.extractor.layers[i].W.value - was.extractor.layers[i].W.value).abs().maxCoeff() < 1e-3);
      }
    }
  }
}

TEST_CASE("no steps, or no distance: nothing moves", "[08]") {
  Toy t = toy(3);
  Rng rng(4);
  const std::string before = bytes(t.model);
  Adaptation none(t.model, {.distance = "none"}, rng), w1(t.model, {}, rng);
  none.adapt(t.model, t.real, t.simulated, 10, rng);
  CHECK((bytes(t.model) == before));
  w1.adapt(t.model, t.real, t.simulated, 0, rng);
  CHECK((bytes(t.model) == before));
}

TEST_CASE("adaptation brings the features together, by either distance", "[08][train]") {
  for (const std::string kind : {"w1", "mmd"})
    for (const std::uint64_t seed : {5, 6, 7}) {
      INFO(kind << ", seed " << seed);
      Toy t = toy(seed);
      Rng rng(seed + 100);
      Adaptation adaptation(t.model, {.distance = kind, .batch = 64, .lr = 1e-3, .critic = {.lr = 1e-3}}, rng);
      const double before = distance(t, kind, Rng(9));
      adaptation.adapt(t.model, t.real, t.simulated, 150, rng);
      const double after = distance(t, kind, Rng(9));
      CHECK(before > 0);
      CHECK(after < 0.9 * before);
    }
}

TEST_CASE("both extractors go down the root of MMD^2, the copy is thrown away: against a second loop", "[08]") {
  Rng rng(8);
  const Mat real = broadcast(Mat(rng.normal(3, 1)), 3, 5), simulated = broadcast(Mat(rng.normal(3, 1)), 3, 5);
  Toy t = toy(9);  // all samples of a domain are one, so that it does not matter which are drawn
  Adaptation adaptation(t.model, {.distance = "mmd", .batch = 4, .lr = 0.01, .bandwidths = {2}}, rng);
  Member target = t.model.members[0], source = target;
  adaptation.adapt(t.model, real, simulated, 5, rng);

  std::vector<Param*> both = params(target.extractor);
  for (Param* p : params(source.extractor)) both.push_back(p);
  Adam optimiser(both, Real(0.01));
  optimiser.beta1 = 0.5;
  for (int i = 0; i < 5; ++i) {
    Tape tape;
    const Var h = source.features(tape.constant(real)), h_hat = target.features(tape.constant(simulated));
    optimiser.minimize(sqrt(mmd2(h, h_hat, {2})));
  }
  const MLP &now = t.model.members[0].extractor, &expected = target.extractor;
  for (std::size_t i = 0; i < now.layers.size(); ++i) {
    CHECK((now.layers[i].W.value - expected.layers[i].W.value).abs().maxCoeff() < 1e-4);
    CHECK((now.layers[i].W.value - toy(9).model.members[0].extractor.layers[i].W.value).abs().maxCoeff() > 1e-2);
  }
}

TEST_CASE("the critic takes its steps before each of the extractors', and more before the first", "[08]") {
  Toy t = toy(10);
  Rng rng(11);
  Adaptation adaptation(t.model, {.critic_steps = 4, .critic_first = 7, .batch = 8}, rng);
  adaptation.adapt(t.model, t.real, t.simulated, 3, rng);
  for (const Critic& critic : adaptation.critics) CHECK(critic.optimiser.t == 7 + 3 * 4);
}

TEST_CASE("adaptation gives the same numbers with one thread and with two", "[08]") {
  const auto adapted = [](int threads) {
    return with_threads(threads, [] {
      Toy t = toy(11);
      Rng rng(12);
      Adaptation adaptation(t.model, {.batch = 16}, rng);
      adaptation.adapt(t.model, t.real, t.simulated, 3, rng);
      return bytes(t.model) + bytes(adaptation);
    });
  };
  CHECK((adapted(1) == adapted(2)));
}

TEST_CASE("MMD of adaptation has a gradient where the distance is 0 or below", "[08]") {
  Toy t = toy(13, 0);
  Rng rng(14);
  Adaptation adaptation(t.model, {.distance = "mmd", .batch = 8}, rng);  // of 8 samples MMD^2 is often negative
  adaptation.adapt(t.model, t.real, t.real, 50, rng);
  for (const Member& f : t.model.members) CHECK(f.features(t.real).isFinite().all());
}

TEST_CASE("the critic goes up before both extractors go down its estimate: against a second loop", "[08]") {
  Rng rng(30);
  const Mat real = broadcast(Mat(rng.normal(3, 1)), 3, 4), simulated = broadcast(Mat(rng.normal(3, 1)), 3, 4);
  Toy t = toy(31);  // all samples of a domain are one, and nothing depends on u
  const AdaptationOptions how{.critic_steps = 3, .critic_first = 4, .batch = 4, .lr = 0.01,
                              .critic = {.penalty = 0, .lr = 0.01}};
  Rng one(32), same(32);
  Adaptation adaptation(t.model, how, one);
  Critic critic(12, how.critic, same);
  Member target = t.model.members[0], source = target;
  adaptation.adapt(t.model, real, simulated, 5, one);

  std::vector<Param*> both = params(target.extractor);
  for (Param* p : params(source.extractor)) both.push_back(p);
  Adam optimiser(both, Real(0.01));
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < (i == 0 ? 7 : 3); ++j) critic.step(source.features(real), target.features(simulated), rng);
    Tape tape;
    const Var h = source.features(tape.constant(real)), h_hat = target.features(tape.constant(simulated));
    const Critic& frozen = critic;
    optimiser.minimize(mean(frozen.f(h)) - mean(frozen.f(h_hat)));
  }
  const MLP &now = t.model.members[0].extractor, &expected = target.extractor;
  for (std::size_t i = 0; i < now.layers.size(); ++i) {
    CHECK((now.layers[i].W.value - expected.layers[i].W.value).abs().maxCoeff() < 1e-4);
    CHECK((now.layers[i].W.value - toy(31).model.members[0].extractor.layers[i].W.value).abs().maxCoeff() > 1e-2);
  }
  for (int i = 0; i < 2; ++i)
    CHECK((adaptation.critics[0].f.layers[i].W.value - critic.f.layers[i].W.value).abs().maxCoeff() < 1e-4);
}

TEST_CASE("each step of the critic has real and simulated inputs of its own", "[08]") {
  Toy t = toy(33);
  const Member f = t.model.members[0];
  const AdaptationOptions how{.critic_steps = 6, .critic_first = 0, .batch = 4};
  Rng one(34), same(34);
  Adaptation adaptation(t.model, how, one);
  adaptation.adapt(t.model, t.real, t.simulated, 1, one);

  std::deque<Critic> critics;
  for (int m = 0; m < 3; ++m) critics.emplace_back(12, how.critic, same);
  Rng rng = same.split();
  const auto draw = [&](const Mat& x) {
    Mat drawn(3, 4);
    for (int j = 0; j < 4; ++j) drawn.col(j) = x.col(Eigen::Index(rng.below(x.cols())));
    return drawn;
  };
  for (int j = 0; j < 6; ++j) {
    const Mat real = draw(t.real), simulated = draw(t.simulated);
    critics[0].step(f.features(real), f.features(simulated), rng);
  }
  CHECK((bytes(adaptation.critics[0]) == bytes(critics[0])));
}

TEST_CASE("no bandwidths: the median heuristic of the batch", "[08]") {
  Rng rng(35);
  const Mat real = broadcast(Mat(rng.normal(3, 1)), 3, 4), simulated = broadcast(Mat(rng.normal(3, 1)), 3, 4);
  const Member f = toy(36).model.members[0];
  const auto adapted = [&](const std::vector<Real>& bandwidths) {
    Toy t = toy(36);
    Rng rng(37);
    Adaptation adaptation(t.model, {.distance = "mmd", .batch = 4, .lr = 0.01, .bandwidths = bandwidths}, rng);
    adaptation.adapt(t.model, real, simulated, 1, rng);
    return bytes(t.model.members[0]);
  };
  const Real median = median_heuristic(f.features(real), f.features(simulated));
  CHECK((adapted({}) == adapted({median})));
  CHECK((adapted({}) != adapted({3 * median})));
}

TEST_CASE("inputs that are missing or not finite, in the last column too, and options without a meaning: refused",
          "[08]") {
  for (const std::string distance : {"w1", "mmd"}) {
    INFO(distance);
    Toy t = toy(38);
    Rng rng(39);
    const std::string before = bytes(t.model);
    Adaptation adaptation(t.model, {.distance = distance, .batch = 2}, rng);
    Mat bad = t.real;
    bad(1, bad.cols() - 1) = std::nan("");
    CHECK_THROWS_AS(adaptation.adapt(t.model, bad, t.simulated, 1, rng), NotFinite);
    CHECK_THROWS_AS(adaptation.adapt(t.model, t.real, bad, 1, rng), NotFinite);
    CHECK_THROWS_AS(adaptation.adapt(t.model, Mat(3, 0), t.simulated, 1, rng), std::invalid_argument);
    CHECK_THROWS_AS(adaptation.adapt(t.model, t.real, Mat(3, 0), 1, rng), std::invalid_argument);
    CHECK((bytes(t.model) == before));
  }
  const Real infinite = std::numeric_limits<Real>::infinity();
  for (const AdaptationOptions& o :
       {AdaptationOptions{.distance = "kl"}, {.critic_steps = 0}, {.critic_first = -1}, {.batch = 1}, {.lr = 0},
        {.lr = infinite}, {.critic = {.lr = infinite}}, {.bandwidths = {1, 0}}, {.bandwidths = {infinite}}})
    CHECK_THROWS_AS(o.check(), std::invalid_argument);
  CHECK_NOTHROW(AdaptationOptions{.critic_first = 0, .bandwidths = {}}.check());
}

TEST_CASE("MMD^2 of features by 500 draws: near that of all inputs, about 0 of equal distributions", "[08]") {
  for (const std::uint64_t seed : {41, 42, 43}) {
    Rng rng(seed);
    const Toy t = toy(seed);
    const Member& f = t.model.members[0];
    const Mat real = rng.normal(3, 1500), more = rng.normal(3, 1500), simulated = rng.normal(3, 1500) + Real(1);
    const Mat h_src = f.features(real), h_tgt = f.features(simulated);
    const double known = mmd2(h_src, h_tgt, {median_heuristic(h_src, h_tgt)});
    CHECK(known > 0.05);
    CHECK(feature_mmd2(f, real, simulated, rng) == Approx(known).epsilon(0.25));
    CHECK(std::abs(feature_mmd2(f, real, more, rng)) < 0.01);
  }
}

TEST_CASE("W1 of features by a critic: of the same inputs below a tenth of that of shifted ones", "[08][train]") {
  for (const std::uint64_t seed : {44, 45}) {
    Rng rng(seed);
    const Toy t = toy(seed);
    const Member& f = t.model.members[0];
    const Mat shifted = t.real + Real(1);
    const double apart = feature_w1(f, t.real, shifted, rng), same = feature_w1(f, t.real, t.real, rng);
    INFO(apart << ", " << same);
    CHECK(apart > 0.1);
    CHECK(std::abs(same) < 0.1 * apart);
  }
}

// ---- The training ----

namespace {

// Random real steps, and branches of them in a model that has learned nothing yet.
void fill(AmpoTraining& x) {
  Rng rng(46);
  const auto uniform = [&](const Mat&, Rng& rng) { return uniform_action(x.env->action_dim, rng); };
  for (int t = 0; t < 60; ++t) x.D_env.add(interact(*x.env, uniform, rng));
  rollout(x.model, x.agent.pi, x.D_env, 100, 2, x.D_model, rng);
}

}  // namespace

TEST_CASE("adapt_model: inputs of D_env are the source, of D_model the target; MMD^2 before and after", "[08]") {
  const Scratch dir;
  const AmpoOptions opt = options_of(dir, {"--smoke"});
  for (const std::string algo : {"ampo_w1", "ampo_mmd", "mbpo"}) {
    INFO(algo);
    AmpoTraining x(opt.with(algo), algo, 0), y(opt.with(algo), algo, 0);
    fill(x), fill(y);
    adapt_model(x, 5);

    const Mat real = y.model.x(y.D_env.all().s, y.D_env.all().a);
    const Mat simulated = y.model.x(y.D_model.all().s, y.D_model.all().a);
    const Rng judge = y.adapt_rng.split();
    const auto distance = [&] {
      Rng rng = judge;
      return feature_mmd2(y.model.p.elite(0), real, simulated, rng);
    };
    CHECK(x.mmd2_before == distance());
    y.adaptation.adapt(y.model.p, real, simulated, 5, y.adapt_rng);
    CHECK(x.mmd2_after == distance());
    CHECK((x.mmd2_after != x.mmd2_before) == (algo != "mbpo"));
    CHECK((bytes(x.model) == bytes(y.model)));
    CHECK((bytes(x.adaptation) == bytes(y.adaptation)));
    CHECK(x.adapt_rng.state == y.adapt_rng.state);
    CHECK(x.adapted == (algo != "mbpo"));
  }
}

TEST_CASE("a run that was saved goes on as if nothing had happened, loaded where another algorithm began", "[08]") {
  const Scratch dir;
  const AmpoOptions opt = options_of(dir, {"--smoke", "--compare"});
  for (const std::string algo : {"ampo_w1", "ampo_mmd", "mbpo"}) {
    INFO(algo);
    AmpoTraining x(opt.with(algo), algo, 3), loaded(opt.with("ampo_w1"), "ampo_w1", 0);
    fill(x);
    adapt_model(x, 3);
    SaveArchive archive;
    x.io(archive);
    load_members("", archive.file, loaded);
    CHECK((bytes(loaded) == bytes(x)));
    adapt_model(x, 3), adapt_model(loaded, 3);
    CHECK((bytes(loaded) == bytes(x)));
  }
}

TEST_CASE("--save keeps a model that was trained after its adaptation", "[08]") {
  const Scratch dir;
  for (const std::string algo : {"ampo_w1", "mbpo"}) {
    INFO(algo);
    const AmpoOptions opt = options_of(dir, {"--smoke", "--save", dir / "x"}).with(algo);
    AmpoTraining x(opt, algo, 0), y(opt, algo, 0), loaded(opt, algo, 1);
    fill(x), fill(y);
    train_model(x), train_model(y);
    const std::string trained = bytes(y.model);
    adapt_model(x, 3), adapt_model(y, 3);
    CHECK((bytes(y.model) == trained) == (algo == "mbpo"));
    if (algo != "mbpo") train_model(y);
    CHECK_FALSE(y.adapted);
    save_learned(opt, x);
    load_learned(dir / "x", loaded);
    CHECK((bytes(loaded.model) == bytes(y.model)));
  }
}

TEST_CASE("AMPO's algorithms by name; what is not adapted is MBPO", "[08]") {
  const Scratch dir;
  CHECK(options_of(dir, {}).algos() == std::vector<std::string>{"ampo_w1"});
  CHECK(options_of(dir, {"--distance", "none"}).algos() == std::vector<std::string>{"mbpo"});
  const AmpoOptions all = options_of(dir, {"--compare", "--critic-steps", "7", "--adapt-lr", "0.5", "--penalty", "3"});
  CHECK(all.algos() == std::vector<std::string>{"ampo_w1", "ampo_mmd", "mbpo"});
  CHECK(all.with("ampo_mmd").adaptation().distance == "mmd");
  CHECK(all.with("ampo_w1").adaptation().distance == "w1");
  CHECK(all.with("mbpo").adaptation().distance == "none");
  CHECK(all.adaptation().critic_steps == 7);
  CHECK(all.adaptation().lr == Real(0.5));
  CHECK(all.adaptation().critic.lr == Real(0.5));
  CHECK(all.adaptation().critic.penalty == 3);
}

TEST_CASE("the authors' settings of AMPO", "[08]") {
  const Scratch dir;
  struct Expected { const char* env; int G, n_first, n_last, until, random; };
  for (const Expected& x : {Expected{"inverted_pendulum", 30, 6, 6, 1500, 300}, {"swimmer", 20, 40, 40, 6000, 2000},
                            {"hopper", 20, 400, 400, 40000, 5000}, {"walker2d", 20, 1000, 1000, 80000, 5000},
                            {"half_cheetah", 40, 100, 1000, 30000, 5000}}) {
    const AmpoOptions o = options_of(dir, {"--env", x.env, "--preset", "paper"});
    INFO(x.env);
    CHECK(o.updates == x.G);
    CHECK(rollout_length(0, o.adapt_steps) == x.n_first);
    CHECK(rollout_length(30000, o.adapt_steps) == x.n_last);
    CHECK(o.adapt_until == x.until);
    CHECK(o.random_steps == x.random);
    CHECK(o.adapt_lr == Real(1e-4));
    CHECK(o.adaptation().critic_first == 0);
    CHECK(o.adapt_batch == (std::string(x.env) == "inverted_pendulum" ? 64 : 256));
  }
}

TEST_CASE("AMPO refuses settings without a meaning", "[08]") {
  const Scratch dir;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--distance", "kl"}, {"--adapt-steps", "1,2"}, {"--adapt-steps", "-1"},
        {"--real-ratio", "1"}, {"--adapt-batch", "1"}, {"--critic-steps", "0"}, {"--adapt-lr", "0"},
        {"--penalty", "-1"}, {"--compare", "--save", "x"}})
    CHECK(message<std::invalid_argument>([&] { options_of(dir, words); }).find(words[0]) != std::string::npos);
  // The policy would learn from a model that was adapted and not trained again.
  CHECK(message<std::invalid_argument>([&] {
          options_of(dir, {"--rollout-every", "10"});
        }).find("--rollout-every 10") != std::string::npos);
  for (const std::vector<std::string>& adapts_not :
       {std::vector<std::string>{"--distance", "none"}, {"--adapt-steps", "0"}, {"--adapt-steps", "1,2,0,0"}})
    CHECK_NOTHROW(options_of(dir, {"--rollout-every", "10", adapts_not[0], adapts_not[1]}));
}

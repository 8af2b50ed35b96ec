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
      CHECK(bytes(now.head) == bytes(was.head));
      CHECK(bytes(now.input) == bytes(was.input));
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
  CHECK(bytes(t.model) == before);
  w1.adapt(t.model, t.real, t.simulated, 0, rng);
  CHECK(bytes(t.model) == before);
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
  CHECK(adapted(1) == adapted(2));
}

TEST_CASE("MMD of adaptation has a gradient where the distance is 0 or below", "[08]") {
  Toy t = toy(13, 0);
  Rng rng(14);
  Adaptation adaptation(t.model, {.distance = "mmd", .batch = 8}, rng);  // of 8 samples MMD^2 is often negative
  adaptation.adapt(t.model, t.real, t.real, 50, rng);
  for (const Member& f : t.model.members) CHECK(f.features(t.real).isFinite().all());
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
}

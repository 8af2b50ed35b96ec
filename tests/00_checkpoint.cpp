// chapters/00_toolbox/checkpoint.h: a run that is killed and resumed is the run that was not.
#include "tests/catch.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <sys/ptrace.h>
#include <sys/syscall.h>
#endif

#include "autodiff/adam.h"
#include "chapters/00_toolbox/checkpoint.h"  // Checkpointed, Checkpoint
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/04_pets/transitions.h"    // Transitions
#include "tests/scratch.h"                   // Scratch, message

namespace {

struct Options : Checkpointed {
  using Checkpointed::Checkpointed;
  int steps = opt("steps", 30, "real environment steps", at_least(1));
  int hidden = opt("hidden", 4, "hidden units", at_least(1));
  static std::vector<std::string> environments() { return {"pendulum", "mountain_car"}; }
};

// One of everything that a training holds: networks, optimiser, store, generator, environment, counters.
struct Training {
  int seed;
  long t = 0;
  Rng rng;
  std::unique_ptr<Env> env;
  Mat s;
  MLP net;
  Adam adam;
  Transitions D;
  double total = 0;
  Tape tape;

  Training(const Options& opt, int seed)
      : seed(seed),
        rng(seed),
        env(make_env(opt.env)),
        s(env->reset(rng)),
        net({env->state_dim + env->action_dim, opt.hidden, env->state_dim}, Activation::tanh, Init::glorot, rng),
        adam(params(net), 1e-2f),
        D(env->state_dim, env->action_dim, 20) {}

  void step() {
    const Transition step = env->step(rng.uniform(env->action_dim, 1, -1, 1));
    D.add(step);
    total += step.r;
    s = step.terminated || step.truncated ? env->reset(rng) : step.s_next;
    const Batch b = D.sample(3, rng);
    const Mat s_a = concat(b.s, b.a);
    adam.minimize(mean(square(net(tape.constant(s_a)) - b.s_next)));
    ++t;
  }
  Real prediction() const { return net(concat(s, Mat(Mat::Zero(env->action_dim, 1)))).sum(); }

  template <class Ar>
  void io(Ar& ar) {
    ar("seed", seed), ar("t", t), ar("rng", rng), ar("env", *env), ar("s", s), ar("net", net), ar("adam", adam);
    ar("D", D), ar("total", total);
  }
};

std::string bytes_of(Training& training) {
  SaveArchive archive;
  training.io(archive);
  return encode(archive.file);
}

// A program: the state at its end. `stop`: it is gone after so many steps of this start, without a farewell.
std::string train(const Options& opt, int stop = 1000000) {
  RunLog log(opt, {"seed", "env_steps", "prediction", "total"});
  RunLog second(opt, {"env_steps", "size"}, "_second.csv");
  Training training(opt, opt.seed);
  Checkpoint checkpoint(opt, {&log, &second});
  checkpoint.resume(training);
  for (;;) {
    while (training.t < opt.steps) {
      if (stop-- == 0) return bytes_of(training);
      training.step();
      log.row(training.seed, training.t, training.prediction(), training.total);
      if (training.t % 5 == 0) second.row(training.t, training.D.size);
      checkpoint.save_if_due(training.t, training);
    }
    if (training.seed + 1 >= opt.seed + opt.seeds) break;
    training = Training(opt, training.seed + 1);
  }
  return bytes_of(training);
}

// In memory where that is possible: fsync takes no time there.
struct Place : Scratch {
  Place() : Scratch(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()) {}
  std::string out = *this / "out", file = *this / "c", previous = *this / "c.previous";

  template <class T = Options>
  T options(std::vector<std::string> words = {}, const char* program = "bin/06_demo") const {
    words.insert(words.begin(), {"--out", out, "--checkpoint", file});
    if (std::find(words.begin(), words.end(), "--checkpoint-every") == words.end())
      words.insert(words.end(), {"--checkpoint-every", "7"});
    std::vector<const char*> argv = {program};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return parse<T>(static_cast<int>(argv.size()), argv.data());
  }
  Options resumed(std::vector<std::string> words = {}) const {
    words.insert(words.end(), {"--resume", file});
    return options(words);
  }
  std::string csv() const { return read(out + "/06_demo.csv") + "|" + read(out + "/06_demo_second.csv"); }
  // All that a refused start must leave alone.
  std::string everything() const { return csv() + "|" + read(file) + "|" + read(previous); }
  void clear() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) fs::remove_all(entry.path());
  }
  // The line that refuses to go on, from parse or from resume; nothing has changed then.
  std::string refusal(const std::vector<std::string>& words = {}) const {
    const std::string before = everything();
    const std::string line = message<BadInput>([&] { train(resumed(words)); });
    CHECK((everything() == before));
    return line;
  }
};

struct Small {
  int count = 0;
  template <class Ar>
  void io(Ar& ar) {
    ar("count", count);
  }
};

// The rows of both files without their heads of options.
std::string rows(const std::string& csv) {
  std::istringstream lines(csv);
  std::string rows;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("#") && !line.starts_with("|#")) rows += line + "\n";
  return rows;
}

// Another checkpoint with a checksum that is right.
void reseal(const std::string& path, TensorFile file) {
  file.metadata["checksum"] = std::string(16, '0');
  std::string bytes = encode(file);
  const size_t at = bytes.find("\"checksum\":\"") + 12;
  bytes.replace(at, 16, hex16(fnv1a(bytes.substr(at + 16), fnv1a(bytes.substr(0, at)))));
  write(path, bytes);
}

}  // namespace

TEST_CASE("a run that stops anywhere and is resumed writes the same CSV files and ends in the same state",
          "[00][checkpoint]") {
  const Place place;
  const std::string end = train(place.options({"--seeds", "2"})), csv = place.csv();
  for (int stop = 7; stop < 60; ++stop) {
    INFO("stopped after " << stop);
    place.clear();
    train(place.options({"--seeds", "2"}), stop);
    CHECK((place.csv() != csv));
    CHECK((train(place.resumed({"--seeds", "2"})) == end));
    CHECK((place.csv() == csv));
  }
}

TEST_CASE("a run that is stopped again and again, and one that goes on from the previous checkpoint",
          "[00][checkpoint]") {
  const Place place;
  const std::string end = train(place.options()), csv = place.csv();
  CHECK((train(place.resumed()) == end));  // of a run that was complete: from its last checkpoint
  CHECK((place.csv() == csv));
  fs::copy_file(place.previous, place / "p");
  CHECK((train(place.options({"--resume", place / "p"})) == end));
  CHECK((place.csv() == csv));

  place.clear();
  train(place.options(), 8);
  for (int start = 0; start < 100 && place.csv() != csv; ++start) train(place.resumed(), 8);
  CHECK((place.csv() == csv));
}

TEST_CASE("--resume with more --steps goes on for longer; other files, threads and switches do not matter",
          "[00][checkpoint]") {
  const Place place;
  const std::string end = train(place.options()), longer = rows(place.csv());
  place.clear();
  train(place.options({"--steps", "21"}));
  fs::rename(place.out, place / "moved");
  std::vector<std::string> words = {"06_demo", "--out",   place / "moved", "--steps",  "30",      "--threads",
                                    "1",       "--quiet", "--no-plot",     "--resume", place.file};
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  CHECK((train(parse<Options>(static_cast<int>(argv.size()), argv.data())) == end));
  fs::rename(place / "moved", place.out);
  CHECK((rows(place.csv()) == longer));
}

TEST_CASE("a checkpoint cut off anywhere, or with any bit flipped, is refused, and the previous one is there",
          "[00][checkpoint]") {
  const Place place;
  Small small;
  {
    const Options opt = place.options();
    RunLog log(opt, {"count"});
    Checkpoint checkpoint(opt, {&log});
    for (small.count = 1; small.count <= 2; ++small.count) log.row(small.count), checkpoint.save(small);
    log.row(3);
  }
  const std::string good = read(place.file), csv = place.csv();
  const Options opt = place.resumed();
  RunLog log(opt, {"count"});
  Checkpoint checkpoint(opt, {&log});
  const std::string line =
      place.file + ": was truncated or altered, or is no checkpoint; " + place.previous + " is there";
  int tried = 0, refused = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    write(place.file, bytes);
    small.count = -1;
    const std::string text = message<BadInput>([&] { checkpoint.resume(small); });
    ++tried;
    refused += text == line && small.count == -1 && place.csv() == csv && read(place.file) == bytes;
  };
  for (size_t size = 0; size < good.size(); ++size) try_bytes(good.substr(0, size));
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      try_bytes(bad);
    }
  try_bytes(good + " ");
  CHECK(tried == refused);

  write(place.file, good);
  checkpoint.resume(small);
  CHECK(small.count == 2);
  CHECK((place.csv() == csv.substr(0, csv.find("\n3\n") + 1) + "|"));
  save_networks(place.file, small);
  fs::remove(place.previous);
  CHECK(message<BadInput>([&] { checkpoint.resume(small); }) ==
        place.file + ": was truncated or altered, or is no checkpoint");
}

TEST_CASE("a checkpoint of another program, environment, option, Real or size is refused with the rule",
          "[00][checkpoint]") {
  const Place place;
  train(place.options(), 20);
  CHECK(contains(place.refusal({"--env", "mountain_car"}), "c: written with --env pendulum, here it is mountain_car"));
  CHECK(contains(place.refusal({"--hidden", "5"}), "c: written with --hidden 4, here it is 5"));
  CHECK(contains(place.refusal({"--seed", "1"}), "c: written with --seed 0, here it is 1"));

  const std::string good = read(place.file);
  const auto other = [&](const auto& change) {
    TensorFile file = decode(good, "good");
    change(file);
    reseal(place.file, file);
    return place.refusal();
  };
  CHECK(contains(other([](TensorFile& f) { f.metadata["program"] = "05_demo"; }),
                 "c: written with program 05_demo, here it is 06_demo"));
  const bool floats = sizeof(Real) == sizeof(float);
  CHECK(contains(
      other([&](TensorFile& f) { f.metadata["Real"] = floats ? "double" : "float"; }),
      floats ? "c: written with Real double, here it is float" : "c: written with Real float, here it is double"));
  CHECK(contains(other([](TensorFile& f) { f.metadata["--updates"] = "20"; }),
                 "c: written with --updates 20, here there is none"));
  CHECK(contains(other([](TensorFile& f) { f.metadata.erase("--hidden"); }),
                 "c: written without --hidden, here it is 4"));
  CHECK(contains(other([](TensorFile& f) { f.metadata.erase("06_demo_second.csv"); }),
                 "c: written without the file 06_demo_second.csv"));
  CHECK(contains(other([](TensorFile& f) { f.metadata["06_demo_third.csv"] = "1 2"; }),
                 "c: written with 06_demo_third.csv"));
  CHECK(contains(other([](TensorFile& f) {
                   Tensor& W = f.tensors["net.layers.0.W"];
                   W.shape = {5, 4}, W.bytes.resize(20 * sizeof(Real));
                 }),
                 "c: net.layers.0.W is 5 x 4 in the file, 4 x 4 here"));
  CHECK(contains(other([](TensorFile& f) { f.tensors.erase("total"); }), "c: total is missing"));
  CHECK(contains(other([](TensorFile& f) { f.tensors["more"] = f.tensors["total"]; }),
                 "c: more is in the file, but not here"));
  reseal(place.file, decode(good, "good"));
  CHECK(read(place.file) == good);
  train(place.resumed());
}

TEST_CASE("a CSV file that is missing, shorter, or altered in the part that is kept is refused; the rest is cut off",
          "[00][checkpoint]") {
  const Place place;
  train(place.options(), 20);
  for (const std::string name : {"06_demo.csv", "06_demo_second.csv"}) {
    const std::string path = place.out + "/" + name, good = read(path);
    const std::string length = decode(read(place.file), "c").metadata.at(name);
    const size_t kept = std::stoul(length);
    CHECK(kept < good.size());
    fs::remove(path);
    CHECK(contains(place.refusal(), name + ": there is no such file"));
    write(path, good.substr(0, kept - 1));
    const std::string lengths = to_text(kept - 1) + " bytes, the checkpoint counts " + to_text(kept);
    CHECK(contains(place.refusal(), name + ": has " + lengths));
    for (const size_t at : {size_t(0), kept / 2, kept - 1}) {
      std::string bad = good;
      bad[at] ^= 1;
      write(path, bad);
      CHECK(contains(place.refusal(), name + ": its first " + to_text(kept) + " bytes are not those"));
    }
    write(path, good.substr(0, kept) + "half a ro");
  }
  const Options opt = place.resumed();
  RunLog log(opt, {"seed", "env_steps", "prediction", "total"}), second(opt, {"env_steps", "size"}, "_second.csv");
  Training training(opt, 0);
  Checkpoint checkpoint(opt, {&log, &second});
  CHECK_THROWS_AS(log.row(1, 2, 3, 4), std::logic_error);
  CHECK_THROWS_AS(checkpoint.save(training), std::logic_error);
  checkpoint.resume(training);
  CHECK(training.t == 14);
  const Table table = read_csv(place.out + "/06_demo.csv");
  CHECK(table.rows.size() == 14);
  CHECK(read_csv(place.out + "/06_demo_second.csv").rows.size() == 2);
  CHECK(place.csv().find("half") == std::string::npos);
}

TEST_CASE("a damaged checkpoint does not push out the previous one", "[00][checkpoint]") {
  const Place place;
  train(place.options(), 20);
  const std::string good = read(place.previous);
  CHECK(decode(good, "p").tensors.at("t").bytes[0] == 7);
  write(place.file, "damaged");
  CHECK(contains(place.refusal(), "c.previous is there"));
  train(place.options({"--resume", place.previous}), 1);  // writes one
  CHECK(decode(read(place.file), "c").tensors.at("t").bytes[0] == 8);
  CHECK((read(place.previous) == good));
  CHECK(place.files() == 3);  // nothing else is left behind
}

TEST_CASE("a full disk stops the run, and the checkpoint before is as it was", "[00][checkpoint]") {
  const Place place;
  const Options opt = place.options();
  RunLog log(opt, {"x"});
  Training training(opt, 0);
  Checkpoint checkpoint(opt, {&log});
  checkpoint.save(training);
  checkpoint.save(training);
  const std::string before = place.everything();
  training.step();
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small = {1000, limit.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text = message<LostOutput>([&] { checkpoint.save(training); });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK(contains(text, place.file + ": cannot be written"));
  CHECK((place.everything() == before));
  CHECK(place.files() == 3);
  fs::remove(place.file);  // moved away: no reason to stop
  checkpoint.save(training);
  CHECK(fs::exists(place.file));
}

TEST_CASE("a checkpoint is due when so many real steps have passed, also in strides, and when the count begins again",
          "[00][checkpoint]") {
  const Place place;
  const Options opt = place.options({"--checkpoint-every", "10"});
  Training training(opt, 0);
  Checkpoint checkpoint(opt, {});
  std::vector<long> written;
  for (const long step : {1, 9, 10, 11, 19, 25, 60, 61, 1, 2, 9, 10}) {
    fs::remove(place.file);
    checkpoint.save_if_due(step, training);
    if (fs::exists(place.file)) written.push_back(step);
  }
  CHECK(written == std::vector<long>{10, 25, 60, 1, 10});
}

TEST_CASE("after Ctrl-C no checkpoint is written: the step may have been cut short", "[00][checkpoint]") {
  const Place place;
  const Options opt = place.options();
  Training training(opt, 0);
  Checkpoint checkpoint(opt, {});
  ctrl_c = 1;
  checkpoint.save(training);
  ctrl_c = 0;
  CHECK(!fs::exists(place.file));
  checkpoint.save(training);
  CHECK(fs::exists(place.file));
}

TEST_CASE("--resume without the file or with --load, and a --checkpoint that cannot be written, are refused",
          "[00][checkpoint]") {
  const Place place;
  const auto refused = [&](const std::vector<std::string>& words) {
    std::vector<const char*> argv = {"06_demo", "--out", place.out.c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    const std::string text = message<BadInput>([&] { parse<Options>(static_cast<int>(argv.size()), argv.data()); });
    CHECK(!fs::exists(place.out));
    return text;
  };
  write(place / "x", "");
  CHECK(contains(refused({"--resume", place.file}), "--resume " + place.file + ": there is no such file"));
  CHECK(contains(refused({"--resume", place / "x", "--load", place / "x"}), "--load"));
  CHECK(contains(refused({"--checkpoint", "no/where/x"}), "--checkpoint no/where/x: there is no directory"));
  CHECK(contains(refused({"--checkpoint", place.path.string()}), "is a directory"));
  CHECK(contains(refused({"--checkpoint", "/dev/null"}), "--checkpoint /dev/null: is not a file"));
  CHECK(contains(refused({"--checkpoint-every", "0"}), "--checkpoint-every 0"));
  write(place / "x", "anything");
  CHECK(contains(message<BadInput>([&] { train(place.options({"--resume", place / "x"})); }), "is no checkpoint"));
  CHECK(!fs::exists(place.out));
}

TEST_CASE("claims are measured anew with --resume, and --redraw does not ask for the run's checkpoint",
          "[00][checkpoint]") {
  const Place place;
  train(place.options());
  Claims(place.resumed()).at_least("c", "s", exact(1), 0);
  CHECK(read_csv(place.out + "/06_demo_claims.csv").rows.size() == 1);
  const char* argv[] = {"06_demo", "--out", place.out.c_str(), "--redraw"};
  fs::remove(place.file);
  CHECK(parse<Options>(4, argv).checkpoint.empty());
}

// --- killed at any moment ------------------------------------------------------------------------------------------

namespace {

// A process of its own that trains and ends with 0.
pid_t start(const Place& place, const std::vector<std::string>& words, bool traced = false) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
#ifdef __GLIBC__
  if (traced) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(2);
    std::raise(SIGSTOP);
  }
#endif
  try {
    train(place.options(words));
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

int finish(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// The words with which a run goes on, whatever it has left behind.
std::vector<std::string> again(const Place& place, std::vector<std::string> words) {
  if (fs::exists(place.file)) words.insert(words.end(), {"--resume", place.file});
  return words;
}

}  // namespace

TEST_CASE("a run that is killed at random moments until it gets through has the CSV files of one that was not",
          "[00][checkpoint]") {
  const Place place;
  const std::vector<std::string> words = {"--steps", "60", "--seeds", "2", "--checkpoint-every", "2"};
  train(place.options(words));
  const std::string csv = place.csv();
  Rng rng(100);
  int kills = 0;
  for (int run = 0; run < 10; ++run) {
    place.clear();
    for (int status = -1, attempt = 0; status != 0; ++attempt) {
      REQUIRE(attempt < 1000);
      const pid_t child = start(place, again(place, words));
      usleep(useconds_t(rng.below(2000 * (attempt + 1))));
      kill(child, SIGKILL);
      status = finish(child);
      REQUIRE((status == 0 || status == 1000 + SIGKILL));
      kills += status != 0;
    }
    CHECK((place.csv() == csv));
    CHECK(place.files() <= 5);  // out, c, c.previous, c.tmp, c.previous.tmp
  }
  CHECK(kills > 0);
}

#ifdef __GLIBC__
namespace {

// Lets a traced process come to its n-th stop before or after a system call, then kills it. What it had done so far,
// in letters: F fsync, L link, R rename; "?" where they cannot be read. Nothing if it came to its end before.
std::optional<std::string> kill_at_stop(pid_t child, int n) {
  std::string calls;
  int status = 0;
  waitpid(child, &status, 0);  // its SIGSTOP
  if (!WIFSTOPPED(status)) return {};
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
  for (int i = 0; i < n; ++i) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) return {};
    __ptrace_syscall_info info = {};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0) calls = "?";
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    const long call = long(info.entry.nr);
    if (call == SYS_fsync) calls += 'F';
    if (call == SYS_linkat) calls += 'L';
    if (call == SYS_renameat || call == SYS_renameat2) calls += 'R';
#ifdef SYS_link
    if (call == SYS_link) calls += 'L';
#endif
#ifdef SYS_rename
    if (call == SYS_rename) calls += 'R';
#endif
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return calls;
}

}  // namespace

TEST_CASE("a run that is killed before or after any system call goes on, and a complete checkpoint is never gone",
          "[00][checkpoint]") {
  const Place place;
  const std::vector<std::string> words = {"--steps", "3", "--checkpoint-every", "1"};
  train(place.options(words));
  const std::string csv = place.csv();
  bool written = false, kept = false;
  std::string calls;
  for (int n = 1;; ++n) {
    INFO("killed at stop " << n);
    REQUIRE(n < 5000);
    place.clear();
    const std::optional<std::string> before = kill_at_stop(start(place, words, true), n);
    if (!before && n == 1) {
      WARN("processes cannot be traced here");
      return;
    }
    if (!before) break;
    calls = *before;
    // Is anything begun after the n-th rename? How many stops come before is not the same in each run.
    const auto renamed = [&](int n) {
      std::size_t at = 0;
      for (; n > 0 && at < calls.size(); ++at) n -= calls[at] == 'R';
      return n == 0 && at < calls.size();
    };
    if (renamed(1)) REQUIRE(fs::exists(place.file));
    if (renamed(2)) REQUIRE(fs::exists(place.previous));
    written = written || fs::exists(place.file), kept = kept || fs::exists(place.previous);
    if (fs::exists(place.previous)) {
      Training training(place.options(words), 0);
      CHECK(message<BadInput>([&] { load_networks(place.previous, training); }) == "");
    }
    REQUIRE(finish(start(place, again(place, words))) == 0);
    CHECK(place.files() == 3);  // out, c, c.previous: what a killed run left behind is gone
    CHECK((place.csv() == csv));
  }
  CHECK(written);
  CHECK(kept);
  // Each log and its directory, then the checkpoint; the previous one gets its name, then the new one does.
  const std::string logs = "FFFFF", first = logs + "RF", later = logs + "LRFRF";
  CHECK((calls.starts_with("?") || calls == first + later + later));
}
#endif

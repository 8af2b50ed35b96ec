// chapters/00_toolbox and plots: options, errors, run log, curves, claims, progress, networks in files, pictures.
#include "tests/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chapters/00_toolbox/args.h"         // parse, range, at_least, above, one_of
#include "chapters/00_toolbox/claims.h"       // Claims, exact
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/errors.h"       // run_main, BadInput, LostOutput
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/00_toolbox/statistics.h"   // mean, quantile, rank_correlation
#include "tests/scratch.h"                    // Scratch, Capture, message

namespace {

struct Options : Args {
  using Args::Args;
  int steps = opt("steps", 5000, "real environment steps in all", at_least(1));
  long updates = opt("updates", 20L, "G, updates per step", range(0, 100));
  Real real_ratio = opt("real-ratio", 0.05f, "share of D_env in a batch", range(0, 1));
  double temperature = opt("temperature", 1.0, "beta", above(0));
  double max_norm = opt("max-norm", infinity, "largest gradient norm");
  bool anneal = opt("anneal", false, "lower the temperature");
  std::string model = opt("model", "ensemble", "kind of model", one_of({"ensemble", "single"}));
  std::vector<int> n = opt("n", std::vector<int>{0, 5, 50}, "n, planning updates", at_least(0));
  std::vector<double> schedule = opt("schedule", std::vector<double>{100000, 0.5}, "rollout lengths");

  static constexpr const char* about = "A program for tests.";
  static std::vector<std::string> environments() { return {"cartpole", "pendulum", "maze"}; }
  static Presets paper() {
    return {{"cartpole", {{"steps", 300000}, {"n", {1, 2}}, {"real-ratio", 0.25}, {"updates", 40}}}};
  }
  static Presets lecture_of() { return {{"pendulum", {{"steps", 700}, {"updates", 3}}}}; }
  static Preset smoke() { return {{"steps", 50}, {"updates", 1}}; }
  void check() const {
    if (n[0] > steps) throw BadInput("--n " + to_text(n[0]) + ": at most --steps " + to_text(steps));
  }
};

std::vector<const char*> argv_of(const std::vector<std::string>& words) {
  std::vector<const char*> argv = {"/some/where/06_demo"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return argv;
}

template <class T = Options>
T parsed(const Scratch& dir, std::vector<std::string> words = {}) {
  words.insert(words.begin(), {"--out", dir / "out"});
  const std::vector<const char*> argv = argv_of(words);
  return parse<T>(static_cast<int>(argv.size()), argv.data());
}

template <class T = Options>
std::string refused(const std::vector<std::string>& words) {
  const Scratch dir;
  const std::vector<const char*> argv = argv_of(words);
  const std::string text = message<BadInput>([&] {
    const fs::path here = fs::current_path();
    fs::current_path(dir.path);
    const std::shared_ptr<void> back(nullptr, [&](void*) { fs::current_path(here); });
    parse<T>(static_cast<int>(argv.size()), argv.data());
  });
  CHECK((text.empty() || dir.files() == 0));  // refused: nothing is written
  return text;
}

}  // namespace

// --- options ---------------------------------------------------------------------------------------------------

TEST_CASE("an option has its default, or what the command line says", "[00][args]") {
  const Scratch dir;
  const Options plain = parsed(dir);
  CHECK(plain.steps == 5000);
  CHECK(plain.real_ratio == Real(0.05));  // not the float 0.05 widened
  CHECK(plain.max_norm == infinity);
  CHECK(plain.n == std::vector<int>{0, 5, 50});
  CHECK(plain.schedule == std::vector<double>{100000, 0.5});
  CHECK(plain.env == "cartpole");
  CHECK(plain.program == "06_demo");
  CHECK(plain.path("_claims.csv") == dir / "out/06_demo_claims.csv");
  CHECK_FALSE(fs::exists(dir / "out"));

  const Options given =
      parsed(dir, {"--steps", "7", "--real-ratio=1", "--anneal", "--env", "maze", "--n", "3", "4", "--schedule",
                   "1e5,-0.25", "--model", "single", "--updates", "100", "--seed", "9"});
  CHECK(given.steps == 7);
  CHECK(given.real_ratio == 1);
  CHECK(given.anneal);
  CHECK(given.env == "maze");
  CHECK(given.n == std::vector<int>{3, 4});
  CHECK(given.schedule == std::vector<double>{1e5, -0.25});
  CHECK(given.model == "single");
  CHECK(given.updates == 100);
  CHECK(given.seed == 9);
}

TEST_CASE("what an option may not be is refused in one line that names option, value and what is allowed",
          "[00][args]") {
  const auto wrong = [](const std::vector<std::string>& words, const std::vector<std::string>& parts) {
    const std::string text = refused(words);
    INFO(words.back() << " -> " << text);
    CHECK_FALSE(text.empty());
    for (const std::string& part : parts) CHECK(contains(text, part));
  };
  wrong({"--steps", "0"}, {"--steps", "0", "at least 1"});
  wrong({"--steps", "abc"}, {"--steps", "abc", "whole number"});
  wrong({"--steps", "1.5"}, {"--steps", "1.5", "whole number"});
  wrong({"--steps", "99999999999"}, {"--steps", "99999999999"});
  wrong({"--updates", "101"}, {"--updates", "101", "0 to 100"});
  wrong({"--real-ratio", "1.001"}, {"--real-ratio", "1.001", "0 to 1"});
  wrong({"--real-ratio", "-0.001"}, {"--real-ratio", "0 to 1"});
  wrong({"--real-ratio", "nan"}, {"--real-ratio", "nan", "0 to 1"});
  wrong({"--temperature", "0"}, {"--temperature", "above 0"});
  wrong({"--temperature", "inf"}, {"--temperature", "inf", "above 0"});
  wrong({"--max-norm", "nan"}, {"--max-norm", "nan"});
  wrong({"--model", "triple"}, {"--model", "triple", "ensemble", "single"});
  wrong({"--n", "1,-1"}, {"--n", "1,-1", "at least 0"});
  wrong({"--n", ""}, {"--n"});
  wrong({"--n", "1,,2"}, {"--n", "1,,2"});
  wrong({"--n", "1,"}, {"--n", "1,"});
  wrong({"--anneal=2"}, {"--anneal", "2", "true or false"});
  wrong({"--steps", std::string(1000, '9')}, {"--steps", "999...:"});
  wrong({"--env", "ant"}, {"--env", "ant", "cartpole", "pendulum", "maze"});
  wrong({"--stepz", "3"}, {"--stepz", "unknown"});
  wrong({"extra"}, {"extra"});
  wrong({"--steps"}, {"--steps"});
  wrong({"--steps", "1", "--steps", "2"}, {"--steps"});
  wrong({"--preset", "paper", "--env", "maze"}, {"paper", "maze", "cartpole"});
  wrong({"--preset", "fast"}, {"--preset", "fast", "lecture", "paper"});
  wrong({"--n", "6", "--steps", "5"}, {"--n 6", "--steps 5"});
  wrong({"--config", "nowhere.ini"}, {"nowhere.ini"});
  wrong({"--config", "/dev/zero"}, {"/dev/zero"});
  wrong({"--save", std::string(250, 'x')}, {"--save", "shorter"});  // at the end of a run it would be too late
  wrong({"--load", "nowhere.safetensors"}, {"--load", "nowhere.safetensors"});
  wrong({"--save", "no/where/x"}, {"--save", "no/where"});
  wrong({"--out", ""}, {"--out"});
}

TEST_CASE("each end of a range belongs to it, above() leaves its end out", "[00][args]") {
  CHECK(range(0, 1).accepts("0"));
  CHECK(range(0, 1).accepts("1"));
  CHECK_FALSE(range(0, 1).accepts("1.0000001"));
  CHECK(at_least(1).accepts("1"));
  CHECK_FALSE(at_least(1).accepts("0.999"));
  CHECK_FALSE(above(0).accepts("0"));
  CHECK(above(0).accepts("1e-300"));
  CHECK_FALSE(at_least(1).accepts("inf"));
  CHECK_FALSE(range(-infinity, infinity).accepts("nan"));
  CHECK(one_of({"a", "b"}).accepts("b"));
  CHECK_FALSE(one_of({"a", "b"}).accepts("ab"));
}

TEST_CASE("precedence: command line, --config, --smoke, --preset, default", "[00][args]") {
  const Scratch dir;
  write(dir / "run.ini", "steps=60\nn=7,8\nanneal=true\n");
  CHECK(parsed(dir, {"--preset", "paper"}).steps == 300000);
  CHECK(parsed(dir, {"--preset", "paper"}).n == std::vector<int>{1, 2});
  CHECK(parsed(dir, {"--preset", "paper"}).real_ratio == Real(0.25));
  CHECK(parsed(dir, {"--preset", "paper", "--smoke"}).steps == 50);
  CHECK(parsed(dir, {"--preset", "paper", "--smoke"}).real_ratio == Real(0.25));
  CHECK(parsed(dir, {"--preset", "paper", "--smoke", "--config", dir / "run.ini"}).steps == 60);
  CHECK(parsed(dir, {"--smoke", "--config", dir / "run.ini"}).updates == 1);
  CHECK(parsed(dir, {"--config", dir / "run.ini"}).anneal);
  CHECK(parsed(dir, {"--config", dir / "run.ini"}).n == std::vector<int>{7, 8});
  CHECK(parsed(dir, {"--preset", "paper", "--smoke", "--config", dir / "run.ini", "--steps", "70"}).steps == 70);
  CHECK(parsed(dir, {"--env", "pendulum"}).steps == 700);
  CHECK(parsed(dir, {"--env", "pendulum", "--steps", "70"}).steps == 70);
  CHECK(parsed(dir, {"--env", "pendulum", "--smoke"}).updates == 1);
  CHECK(parsed(dir, {"--env", "cartpole"}).steps == 5000);

  write(dir / "unknown.ini", "stepz=1\n");
  CHECK(contains(refused({"--config", dir / "unknown.ini"}), "stepz"));
  write(dir / "range.ini", "steps=0\n");
  CHECK(contains(refused({"--config", dir / "range.ini"}), "at least 1"));
}

namespace {

struct BadPreset : Args {
  using Args::Args;
  int steps = opt("steps", 1, "steps", at_least(1));
  static Preset smoke() { return {{"stepz", 1}}; }
};
struct BadValue : Args {
  using Args::Args;
  int steps = opt("steps", 1, "steps", at_least(1));
  static Presets paper() { return {{"", {{"steps", 0}}}}; }
};
struct Twice : Args {
  using Args::Args;
  int steps = opt("steps", 1, "steps"), again = opt("steps", 1, "steps");
};
struct Bare : Args {
  using Args::Args;
};

}  // namespace

TEST_CASE("a preset that does not fit its program, or an option declared twice, is found at every start",
          "[00][args]") {
  const Scratch dir;
  CHECK_THROWS_AS(parsed<BadPreset>(dir), std::logic_error);
  CHECK(contains(message<BadInput>([&] { parsed<BadValue>(dir); }), "--steps 0"));
  CHECK(contains(message<std::logic_error>([&] { parsed<Twice>(dir); }), "twice"));
}

TEST_CASE("a program without environments has no --env, one without published settings refuses the preset",
          "[00][args]") {
  const Scratch dir;
  CHECK(parsed<Bare>(dir).env.empty());
  CHECK(contains(refused<Bare>({"--env", "maze"}), "--env"));
  CHECK(contains(refused<Bare>({"--preset", "paper"}), "no published settings"));
}

TEST_CASE("the run log creates --out, with its parents; a file in its place is refused", "[00][args]") {
  const Scratch dir;
  const auto start = [&](const std::string& out) {
    const std::vector<std::string> words = {"--out", out, "--save", out + "/nets.safetensors"};
    const std::vector<const char*> argv = argv_of(words);
    RunLog(parse<Bare>(static_cast<int>(argv.size()), argv.data()), {"x"});
  };
  start(dir / "a/b/c");
  CHECK(fs::is_directory(dir / "a/b/c"));
  start(dir / "it's; \"odd\" `name`");
  CHECK(fs::is_directory(dir / "it's; \"odd\" `name`"));
  write(dir / "file", "");
  CHECK(contains(message<BadInput>([&] { start(dir / "file"); }), "--out"));
  CHECK(contains(message<BadInput>([&] { start(dir / "file/below"); }), "--out"));
  CHECK(contains(message<BadInput>([&] { start(dir / std::string(256, 'x')); }), "shorter"));
}

TEST_CASE("--redraw takes the options of the run from its CSV file, and creates nothing", "[00][args]") {
  const Scratch dir;
  CHECK(contains(message<BadInput>([&] { parsed(dir, {"--redraw"}); }), "06_demo.csv"));
  CHECK(dir.files() == 0);
  { const RunLog log(parsed(dir, {"--seed", "7", "--steps", "123", "--quiet"}), {"x"}); }
  const Options again = parsed(dir, {"--redraw", "--steps", "9"});
  CHECK(again.redraw);
  CHECK(again.seed == 7);
  CHECK(again.steps == 9);  // the command line comes first
  CHECK(!again.quiet);
  write(dir / "out/06_demo.csv", "# stepz=1\nx\n");
  CHECK(contains(message<BadInput>([&] { parsed(dir, {"--redraw"}); }), "--stepz"));
}

TEST_CASE("--help shows the program's own options first, with their defaults", "[00][args]") {
  const char* argv[] = {"06_demo", "--help"};
  std::string text;
  try {
    parse<Options>(2, argv);
  } catch (const HelpWanted& help) {
    text = help.text;
  }
  CHECK(contains(text, "A program for tests."));
  CHECK(contains(text, "INT=5000"));
  CHECK(contains(text, "=0,5,50"));
  CHECK(text.find("--steps") < text.find("--seed"));
  CHECK(contains(text, "--threads"));
}

TEST_CASE("every option is remembered with its value, for the head of the CSV file", "[00][args]") {
  const Scratch dir;
  const Options opt = parsed(dir, {"--steps", "12"});
  const std::map<std::string, std::string> named(opt.named.begin(), opt.named.end());
  CHECK(named.at("steps") == "12");
  CHECK(named.at("schedule") == "100000,0.5");
  CHECK(named.at("anneal") == "false");
  CHECK(named.at("env") == "cartpole");
}

TEST_CASE("a number's text is the shortest that reads back, whole numbers without exponent", "[00][text]") {
  CHECK(to_text(0.1f) == "0.1");
  CHECK(to_text(0.1) == "0.1");
  CHECK(to_text(300000.0) == "300000");
  CHECK(to_text(1e300) == "1e+300");
  CHECK(to_text(-0.0) == "-0");
  CHECK(to_text(true) == "true");
  CHECK(to_text(nan_value) == "nan");
  for (double x : {1.0 / 3, 1e-320, 123456.789, -2e15, 0x1p62}) {
    double back = 0;
    CHECK(read_number(to_text(x), back));
    CHECK(back == x);
  }
  CHECK(one_line("a\nb\x01") == "a\\nb\\x01");
}

// --- errors and exit statuses ----------------------------------------------------------------------------------

namespace {

template <class Body>
std::pair<int, std::string> status_of(Body body) {
  char name[] = "/bin/06_demo";
  char* argv[] = {name, nullptr};
  const Capture err(2);
  const int status = run_main(1, argv, body);
  return {status, err.text()};
}

}  // namespace

TEST_CASE("each error has its exit status and one line on stderr", "[00][errors]") {
  using Result = std::pair<int, std::string>;
  CHECK(status_of([] {}) == Result{0, ""});
  CHECK(status_of([] { return 7; }) == Result{7, ""});
  CHECK(status_of([] { throw BadInput("--steps 0: two\nlines"); }) == Result{2, "06_demo: --steps 0: two\\nlines\n"});
  CHECK(status_of([] { throw std::invalid_argument("from below"); }) == Result{2, "06_demo: from below\n"});
  CHECK(status_of([] { throw NotFinite("loss is nan"); }) == Result{3, "06_demo: loss is nan\n"});
  CHECK(status_of([] { throw LostOutput("x.csv: gone"); }) == Result{4, "06_demo: x.csv: gone\n"});
  CHECK(status_of([] { throw std::system_error(ENOSPC, std::generic_category(), "x.png"); }).first == 4);
  CHECK(status_of([] { throw std::bad_alloc(); }) == Result{1, "06_demo: out of memory\n"});
  CHECK(status_of([] { throw std::logic_error("a bug"); }) == Result{1, "06_demo: a bug\n"});
}

TEST_CASE("the first Ctrl-C lets the run end by itself with status 130, the second ends it at once", "[00][errors]") {
  int after = 0;
  CHECK_FALSE(interrupted());
  CHECK(status_of([&] {
          std::raise(SIGINT);
          if (interrupted()) after = 1;
        }).first == 130);
  CHECK(after == 1);
  ctrl_c = 0;

  const pid_t child = fork();
  if (child == 0) {
    char* argv[] = {nullptr, nullptr};
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    run_main(0, argv, [] {
      std::raise(SIGINT);
      std::raise(SIGINT);
    });
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
  std::signal(SIGINT, SIG_DFL);
}

// --- run log ---------------------------------------------------------------------------------------------------

TEST_CASE("what the run log writes reads back exactly, texts with commas, quotes and line breaks included",
          "[00][csv]") {
  const Scratch dir;
  const Options opt = parsed(dir);
  {
    RunLog log(opt, {"algo", "seed", "x", "y"});
    log.row("a,b", 1, 0.1, 1.0 / 3);
    log.row("say \"hi\"\nthere", 2L, 0.1f, nan_value);
    log.row("", size_t{3}, true, "");
    CHECK(read_csv(opt.path(".csv")).rows.size() == 3);  // flushed, though the log is still open
  }
  const Table table = read_csv(opt.path(".csv"));
  CHECK(table.columns == std::vector<std::string>{"algo", "seed", "x", "y"});
  CHECK(table.texts("algo") == std::vector<std::string>{"a,b", "say \"hi\"\nthere", ""});
  CHECK(table.numbers("seed") == std::vector<double>{1, 2, 3});
  CHECK(table.numbers("y")[0] == 1.0 / 3);
  CHECK(std::isnan(table.numbers("y")[1]));
  CHECK(std::isnan(table.numbers("y")[2]));  // an empty cell
  CHECK(table.options.at("steps") == "5000");
  CHECK(contains(read(opt.path(".csv")), "# real-ratio=0.05\n"));
  CHECK(contains(message<BadInput>([&] { (void)table.numbers("x"); }), "column x: 'true'"));
}

TEST_CASE("a line break in an option's value stays within its line of the head", "[00][csv]") {
  const Scratch dir;
  Options opt = parsed(dir);
  opt.named.emplace_back("note", "two\nlines");
  { RunLog log(opt, {"x"}); }
  CHECK(contains(read(opt.path(".csv")), "# note=two\\nlines\nx\n"));
}

TEST_CASE("a row of the wrong width is a mistake in the program", "[00][csv]") {
  const Scratch dir;
  RunLog log(parsed(dir), {"x", "y"});
  CHECK_THROWS_AS(log.row(1), std::logic_error);
  CHECK_THROWS_AS(log.row(1, 2, 3), std::logic_error);
}

TEST_CASE("a full disk and a removed output directory stop the run log", "[00][csv]") {
  const Scratch dir;
  const Options opt = parsed(dir);
  if (fs::exists("/dev/full")) {
    fs::create_directories(opt.out);
    fs::create_symlink("/dev/full", opt.path(".csv"));
    CHECK(contains(message<LostOutput>([&] { RunLog(opt, {"x"}); }), "06_demo.csv"));
    fs::remove(opt.path(".csv"));
  }
  RunLog log(opt, {"x"});
  log.row(1);
  fs::remove_all(opt.out);
  CHECK(contains(message<LostOutput>([&] { log.row(2); }), "removed"));
  write(opt.out, "a file");
  CHECK(contains(message<LostOutput>([&] { RunLog(opt, {"x"}); }), "cannot be created"));
}

TEST_CASE("a damaged CSV file is refused with file and line; a cut-off last line is left out", "[00][csv]") {
  const Scratch dir;
  const std::string path = dir / "x.csv";
  const auto complaint = [&](const std::string& text) {
    write(path, text);
    return message<BadInput>([&] { (void)read_csv(path).numbers("b"); });
  };
  CHECK(contains(complaint("# k=v\na,b\n1,2\n3\n"), "x.csv, line 4"));
  CHECK(contains(complaint("a,b\n1,2,3\n"), "line 2"));
  CHECK(contains(complaint("a,b\n\"x\ny\",1\n1,zwei\n"), "line 4, column b: 'zwei'"));
  CHECK(contains(complaint("a,c\n1,2\n"), "no column b"));
  CHECK(contains(complaint("# only=head\n"), "no header row"));
  CHECK_FALSE(complaint("").empty());
  CHECK(complaint("a,b\r\n1,2\r\n").empty());
  CHECK(complaint("a,b\n1,2\n3,4").empty());
  CHECK(read_csv(path).rows.size() == 1);
  CHECK(contains(message<BadInput>([&] { read_csv(dir / "nowhere.csv"); }), "nowhere.csv"));
  CHECK(contains(message<BadInput>([&] { read_csv(dir.path.string()); }), dir.path.string()));
}

// --- curves and claims -----------------------------------------------------------------------------------------

TEST_CASE("the 95 % interval is Student's: 1..5 gives 3 +- 2.776445105 sqrt(1/2)", "[00][curves]") {
  const Interval five = interval95({1, 2, 3, 4, 5});
  CHECK(five.mean == 3);
  CHECK(same_to(five.high - 3, 2.7764451051977987 * std::sqrt(0.5)));
  CHECK(same_to(3 - five.low, 2.7764451051977987 * std::sqrt(0.5)));
  const double t_1 = std::tan(0.475 * std::acos(-1.0));  // one degree of freedom is the Cauchy distribution
  CHECK(same_to(interval95({0, 2}).high, 1 + t_1));
  CHECK(interval95({7, 7, 7}).low == 7);
}

TEST_CASE("one sample has no interval, no sample has no mean", "[00][curves]") {
  CHECK(interval95({4}).mean == 4);
  CHECK(std::isnan(interval95({4}).low));
  CHECK(std::isnan(interval95({4}).high));
  CHECK(std::isnan(interval95({}).mean));
}

TEST_CASE("a curve averages over seeds at each x, groups by its keys, and skips empty cells", "[00][curves]") {
  const Scratch dir;
  write(dir / "x.csv",
        "algo,env,seed,t,v\n"
        "sac,maze,0,10,1\nsac,maze,1,10,3\n"
        "mbpo,maze,0,10,8\n"
        "sac,maze,0,5,2\nsac,maze,1,5,\n"
        "sac,maze,0,20,4\nsac,maze,0,20,6\nsac,maze,1,20,9\n");
  const std::vector<Curve> all = curves(read_csv(dir / "x.csv"), {"algo", "env"}, "t", "v");
  REQUIRE(all.size() == 2);
  CHECK(all[0].label == "sac, maze");
  CHECK(all[1].label == "mbpo, maze");
  CHECK(all[0].x == std::vector<double>{5, 10, 20});
  CHECK(all[0].mean == std::vector<double>{2, 2, 7});  // at 20 seed 0 counts once, with 5
  CHECK(same_to(all[0].high[1], 2 + std::tan(0.475 * std::acos(-1.0))));
  CHECK(all[0].low[0] == 2);  // one seed only
  CHECK(curves(read_csv(dir / "x.csv"), {}, "t", "v").size() == 1);
  CHECK(contains(message<BadInput>([&] { curves(read_csv(dir / "x.csv"), {"nix"}, "t", "v"); }), "nix"));
}

TEST_CASE("a claim holds if the whole interval is on its side, fails if it is on the other, else it is unclear",
          "[00][claims]") {
  const Scratch dir;
  const Options opt = parsed(dir, {"--seed", "10"});
  Claims claims(opt);
  const std::vector<double> x = {1, 2, 3, 4, 5};  // 1.04 to 4.96
  CHECK(claims.at_least("c", "s", x, 1.0) == "holds");
  CHECK(claims.at_least("c", "s", x, 1.1) == "unclear");
  CHECK(claims.at_least("c", "s", x, 4.9) == "unclear");
  CHECK(claims.at_least("c", "s", x, 5.0) == "does not hold");
  CHECK(claims.at_most("c", "s", x, 5.0) == "holds");
  CHECK(claims.at_most("c", "s", x, 4.9) == "unclear");
  CHECK(claims.at_most("c", "s", x, 1.0) == "does not hold");
  CHECK(claims.between("c", "s", x, 1, 5) == "holds");
  CHECK(claims.between("c", "s", x, 1.1, 5) == "unclear");
  CHECK(claims.between("c", "s", x, 5, 6) == "does not hold");
  CHECK(claims.between("c", "s", x, 0, 1) == "does not hold");
}

TEST_CASE("one seed is unclear however far it lies, an exact number is judged itself, NaN never holds",
          "[00][claims]") {
  const Scratch dir;
  Claims claims(parsed(dir));
  CHECK(claims.at_least("c", "s", std::vector<double>{100}, 1) == "unclear");
  CHECK(claims.at_least("c", "s", std::vector<double>{}, 1) == "unclear");
  CHECK(claims.at_least("c", "s", std::vector<double>{5, nan_value, 5}, 1) == "unclear");
  CHECK(claims.at_least("c", "s", exact(nan_value), 1) == "unclear");
  CHECK(claims.at_least("c", "s", exact(1), 1) == "holds");
  CHECK(claims.at_least("c", "s", exact(0.999), 1) == "does not hold");
  CHECK(claims.at_most("c", "s", exact(1), 1) == "holds");
  CHECK(claims.between("c", "s", exact(14), 14, 14) == "holds");
  CHECK(claims.between("c", "s", exact(15), 14, 14) == "does not hold");
}

TEST_CASE("differences that are 0 in every seed say nothing against a limit of 0; an exact 0 does", "[00][claims]") {
  const Scratch dir;
  Claims claims(parsed(dir));
  const std::vector<double> none = {0, 0, 0}, little = {1e-9, 1e-9, 1e-9};
  CHECK(claims.at_least("c", "s", none, 0) == "unclear");
  CHECK(claims.at_most("c", "s", none, 0) == "unclear");
  CHECK(claims.at_least("c", "s", none, -1) == "holds");
  CHECK(claims.at_most("c", "s", none, 1) == "holds");
  CHECK(claims.at_least("c", "s", none, 1) == "does not hold");
  CHECK(claims.at_least("c", "s", little, 0) == "holds");
  CHECK(claims.at_least("c", "s", std::vector<double>{2, 2, 2}, 2) == "holds");
  CHECK(claims.at_most("c", "s", exact(0), 0) == "holds");
  CHECK(claims.at_least("c", "s", exact(0), 0) == "holds");
}

TEST_CASE("the claims file names claim, slide, expectation, measurement, interval and seeds", "[00][claims]") {
  const Scratch dir;
  const Options opt = parsed(dir, {"--seed", "10", "--seeds", "5"});
  {
    Claims claims(opt);
    claims.at_most("fewer steps, \"much\" fewer", "Dyna-Q", std::vector<double>{1, 2, 3, 4, 5}, 9);
    claims.between("shortest path", "Maze", exact(14), 14, 14);
    claims.at_least("one seed", "Maze", std::vector<double>{3}, 2);
  }
  const Table table = read_csv(opt.path("_claims.csv"));
  CHECK(table.columns ==
        std::vector<std::string>{"claim", "slide", "expected", "measured", "low", "high", "seeds", "verdict"});
  CHECK(table.texts("claim")[0] == "fewer steps, \"much\" fewer");
  CHECK(table.texts("expected") == std::vector<std::string>{"at most 9", "14", "at least 2"});
  CHECK(table.numbers("measured") == std::vector<double>{3, 14, 3});
  CHECK(same_to(table.numbers("high")[0], interval95({1, 2, 3, 4, 5}).high, 1e-5));
  CHECK(table.texts("low")[1].empty());
  CHECK(table.texts("low")[2].empty());
  CHECK(table.texts("seeds") == std::vector<std::string>{"10-14", "", "10"});
}

// --- progress --------------------------------------------------------------------------------------------------

TEST_CASE("without a terminal a run prints at most 20 progress lines, under --quiet none", "[00][progress]") {
  const Scratch dir;
  const auto run = [&](const Options& opt, long total) {
    const Capture err(2);
    {
      Progress progress(opt, total, "return");
      for (long t = 0; t <= total; ++t) progress.show(t, 0.5 * t);
    }
    return err.text();
  };
  const std::string text = run(parsed(dir), 1000);
  CHECK(std::count(text.begin(), text.end(), '\n') == 20);
  CHECK(contains(text, "06_demo  50/1000 steps  return 25"));
  CHECK(contains(text, "1000/1000 steps  return 500"));
  CHECK(contains(text, "left"));
  CHECK_FALSE(contains(text, "\r"));
  CHECK(run(parsed(dir, {"--quiet"}), 1000).empty());
  CHECK_FALSE(contains(run(parsed(dir), 3), "nan"));
}

TEST_CASE("the last line names program, seconds, headline and the picture that this run drew", "[00][progress]") {
  const Scratch dir;
  const auto last_line = [](const Options& opt) {
    const Capture out(1);
    finish(opt, "14 steps");
    return out.text();
  };
  const Options opt = parsed(dir);
  CHECK(contains(last_line(opt), "06_demo | 0.0 s | 14 steps | \n"));
  fs::create_directories(opt.out);
  write(opt.path(".png"), "");
  CHECK(contains(last_line(opt), "| 14 steps | " + opt.path(".png") + "\n"));
  fs::last_write_time(opt.path(".png"), fs::file_time_type::clock::now() - std::chrono::hours(1));
  CHECK(contains(last_line(opt), "| 14 steps | \n"));
}

// --- networks in files -----------------------------------------------------------------------------------------

namespace {

struct Layer2 {
  Mat W, b;
  template <class Ar>
  void io(Ar& ar) {
    ar("W", W);
    ar("b", b);
  }
};
struct Net {
  std::vector<Layer2> layers;
  template <class Ar>
  void io(Ar& ar) {
    ar("layers", layers);
  }
};
Net make_net(int inputs, int hidden, Real value) {
  Net net;
  net.layers = {{Mat::Constant(hidden, inputs, value), Mat::Constant(hidden, 1, value)},
                {Mat::Constant(1, hidden, value), Mat::Constant(1, 1, value)}};
  return net;
}

// One of everything that an archive takes.
struct Everything {
  Mat W = Mat::Zero(2, 3), none = Mat(0, 0), thin = Mat(0, 4);
  Eigen::ArrayXXd table = Eigen::ArrayXXd::Zero(2, 2);
  double d = 0;
  float f = 0;
  int i = 0;
  long l = 0;
  bool b = false;
  uint64_t state[4] = {};
  size_t n = 0;
  std::string name;
  std::vector<double> list = std::vector<double>(3);
  std::vector<bool> bits = std::vector<bool>(3);
  std::vector<std::string> words = std::vector<std::string>(2);
  std::array<int, 2> pair = {};
  std::vector<double> empty;
  Net net = make_net(2, 3, 0);
  template <class Ar>
  void io(Ar& ar) {
    ar("W", W), ar("none", none), ar("thin", thin), ar("table", table), ar("d", d), ar("f", f), ar("i", i), ar("l", l);
    ar("b", b), ar("state", state), ar("n", n), ar("name", name), ar("list", list), ar("bits", bits);
    ar("words", words), ar("pair", pair), ar("empty", empty), ar("net", net);
  }
};

struct FloatMat {
  Eigen::ArrayXXf W;
  template <class Ar>
  void io(Ar& ar) {
    ar("W", W);
  }
};
struct DoubleMat {
  Eigen::ArrayXXd W;
  template <class Ar>
  void io(Ar& ar) {
    ar("W", W);
  }
};

// A file by hand: the header's text, then the data.
std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

}  // namespace

TEST_CASE("everything an archive takes comes back bit by bit, NaN, empty and 0 x 0 included", "[00][safetensors]") {
  const Scratch dir;
  Everything in;
  in.W << 1, 2, 3, 4, Real(nan_value), -Real(infinity);
  in.table << 0.1, -0.0, 1e-320, 4;
  in.d = 0.1, in.f = 0.1f, in.i = -7, in.l = -(1l << 60), in.b = true, in.n = 12;
  in.state[3] = ~uint64_t{0};
  in.name = std::string("θ \0 \n", 6);
  in.list = {1, 2, 3}, in.bits = {true, false, true}, in.words = {"", "two"}, in.pair = {4, 5};
  in.net = make_net(2, 3, 8);
  const Everything& constant = in;
  save_networks(dir / "x", constant, {{"program", "06_demo"}, {"env", "maze \"1\""}});

  Everything out;
  load_networks(dir / "x", out);
  CHECK(out.W(0, 1) == 2);
  CHECK(out.W(1, 0) == 4);
  CHECK(std::isnan(out.W(1, 1)));
  CHECK(out.W(1, 2) == -Real(infinity));
  CHECK((out.table == in.table).all());
  CHECK(std::signbit(out.table(0, 1)));
  CHECK((out.d == 0.1 && out.f == 0.1f && out.i == -7 && out.l == in.l && out.b && out.n == 12));
  CHECK(out.state[3] == ~uint64_t{0});
  CHECK(out.name == in.name);
  CHECK(out.list == in.list);
  CHECK(out.bits == in.bits);
  CHECK(out.words == in.words);
  CHECK(out.pair == in.pair);
  CHECK(out.net.layers[1].W(0, 2) == 8);
  CHECK((out.none.size() == 0 && out.thin.cols() == 4));

  const TensorFile file = read_safetensors(dir / "x");
  CHECK(file.metadata.at("env") == "maze \"1\"");
  CHECK(file.tensors.contains("net.layers.1.W"));
  CHECK(file.tensors.at("b").dtype == "BOOL");
  CHECK(file.tensors.at("d").shape.empty());
  CHECK(dir.files() == 1);  // the temporary file is gone
}

TEST_CASE("a matrix lies row by row: numpy sees W[i, j] as we do", "[00][safetensors]") {
  FloatMat m;
  m.W.resize(2, 3);
  m.W << 1, 2, 3, 4, 5, 6;
  SaveArchive archive;
  m.io(archive);
  const Tensor& tensor = archive.file.tensors.at("W");
  CHECK(tensor.dtype == "F32");
  CHECK(tensor.shape == std::vector<size_t>{2, 3});
  const float* rows = reinterpret_cast<const float*>(tensor.bytes.data());
  CHECK(std::vector<float>(rows, rows + 6) == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("what the reference implementation writes is read, and written again alike", "[00][safetensors]") {
  // safetensors.numpy.save({"W": np.array([[1, 2, 3], [4, 5, 6]], np.float32)}, {"env": "maze"}), version 0.8.0
  const std::string header =
      R"({"__metadata__":{"env":"maze"},"W":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  const TensorFile file = decode(file_of(padded, std::string(reinterpret_cast<const char*>(numbers), 24)), "python");
  CHECK(file.metadata.at("env") == "maze");
  CHECK(file.tensors.at("W").shape == std::vector<size_t>{2, 3});
  const std::string ours = encode(file);
  CHECK((ours.size() - 24) % 8 == 0);
  CHECK(decode(ours, "ours").tensors.at("W").bytes == file.tensors.at("W").bytes);
}

TEST_CASE("float and double convert into each other; a double beyond float's range does not", "[00][safetensors]") {
  const Scratch dir;
  DoubleMat d;
  d.W = Eigen::ArrayXXd::Constant(2, 2, 0.1);
  d.W(1, 0) = nan_value;
  d.W(0, 1) = infinity;
  save_networks(dir / "double", d);
  FloatMat f;
  f.W.resize(2, 2);
  load_networks(dir / "double", f);
  CHECK(f.W(0, 0) == 0.1f);
  CHECK(std::isnan(f.W(1, 0)));
  CHECK(std::isinf(f.W(0, 1)));
  save_networks(dir / "float", f);
  load_networks(dir / "float", d);
  CHECK(d.W(0, 0) == 0.1f);

  d.W(1, 1) = 1e300;
  save_networks(dir / "double", d);
  f.W.setConstant(3);
  CHECK(contains(message<BadInput>([&] { load_networks(dir / "double", f); }), "beyond the range of F32"));
  CHECK((f.W == 3).all());
}

TEST_CASE("a file that does not fit names file, tensor and mismatch, and leaves the networks as they were",
          "[00][safetensors]") {
  const Scratch dir;
  const auto complaint = [&](const auto& saved, auto loaded) {
    save_networks(dir / "x", saved);
    SaveArchive before, after;
    loaded.io(before);
    const std::string text = message<BadInput>([&] { load_networks(dir / "x", loaded); });
    loaded.io(after);
    CHECK(encode(before.file) == encode(after.file));
    CHECK((text.empty() || contains(text, dir / "x")));
    return text;
  };
  CHECK(complaint(make_net(2, 3, 1), make_net(2, 3, 1)).empty());
  CHECK(contains(complaint(make_net(2, 3, 1), make_net(4, 3, 0)), "layers.0.W is 3 x 2 in the file, 3 x 4 here"));
  Net deep = make_net(2, 3, 1);
  deep.layers.push_back({Mat::Zero(1, 1), Mat::Zero(1, 1)});
  CHECK(contains(complaint(deep, make_net(2, 3, 0)), "layers.2.W is in the file, but not here"));
  CHECK(contains(complaint(make_net(2, 3, 1), deep), "layers.2.W is missing"));

  Everything other;
  other.list.resize(4);
  CHECK(contains(complaint(Everything{}, other), "list is of length 3 in the file, of length 4 here"));
  CHECK(contains(message<BadInput>([&] { load_networks(dir / "nowhere", deep); }), "nowhere"));
  CHECK(contains(message<BadInput>([&] { load_networks(dir.path.string(), deep); }), dir.path.string()));
}

namespace {

struct One {
  long x = 5;
  template <class Ar>
  void io(Ar& ar) {
    ar("x", x);
  }
};
struct SameNameTwice {
  long x = 5;
  template <class Ar>
  void io(Ar& ar) {
    ar("x", x);
    ar("x", x);
  }
};

}  // namespace

TEST_CASE("integers of another size or sign are refused, two members of one name are a mistake in io",
          "[00][safetensors]") {
  const Scratch dir;
  One one;
  for (const std::string dtype : {"U64", "F64", "I32"}) {
    const size_t size = element_size(dtype);
    write(dir / "x", encode({{{"x", {dtype, {}, std::vector<unsigned char>(size)}}}, {}}));
    CHECK(contains(message<BadInput>([&] { load_networks(dir / "x", one); }),
                   "x is " + dtype + " in the file, I64 here"));
    CHECK(one.x == 5);
  }
  CHECK_THROWS_AS(save_networks(dir / "y", SameNameTwice{}), std::logic_error);
}

TEST_CASE("a damaged file is refused in one line that names it and says what is wrong", "[00][safetensors]") {
  const std::string four(4, 'x'), eight(8, 'x');
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto complaint = [](const std::string& bytes) {
    const std::string text = message<BadInput>([&] { decode(bytes, "nets"); });
    CHECK((text.empty() || contains(text, "nets: not a safetensors file: ")));
    return text;
  };
  const std::string good = R"({"a":)" + entry("F32", "[1]", "[0,4]") + "}";
  CHECK(complaint(file_of(good, four)).empty());

  CHECK(contains(complaint(""), "ends within the header's length"));
  CHECK(contains(complaint("1234567"), "ends within the header's length"));
  CHECK(contains(complaint(file_of(good, four).substr(0, 20)), "ends within the header"));
  CHECK(contains(complaint(std::string(16, '\xff')), "not believable"));
  CHECK(contains(complaint(file_of("")), "not a JSON object"));
  CHECK(contains(complaint(file_of("[1,2]")), "not a JSON object"));
  CHECK(contains(complaint(file_of(good.substr(0, good.size() - 1), four)), "not valid JSON"));
  CHECK(contains(complaint(file_of("{\"\xff\":1}")), "not valid JSON"));
  CHECK(contains(complaint(file_of(good, "abc")), "beyond the end"));
  CHECK(contains(complaint(file_of(good, eight)), "4 bytes after the last tensor"));
  const auto two = [&](const std::string& a, const std::string& b, const std::string& second = "b") {
    return R"({"a":)" + entry("F32", "[1]", a) + R"(,")" + second + R"(":)" + entry("F32", "[1]", b) + "}";
  };
  CHECK(complaint(file_of(two("[0,4]", "[4,8]"), eight)).empty());
  CHECK(contains(complaint(file_of(two("[0,4]", "[0,4]"), eight)), "overlaps"));
  CHECK(contains(complaint(file_of(two("[0,4]", "[2,6]"), eight)), "overlaps"));
  CHECK(contains(complaint(file_of(two("[0,4]", "[5,9]"), eight + "x")), "gap"));
  CHECK(contains(complaint(file_of(two("[0,4]", "[4,8]", "a"), eight)), "'a' twice"));
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return complaint(file_of(R"({"a":)" + entry(dtype, shape, offsets) + "}", four));
  };
  CHECK(contains(one("BF16", "[2]", "[0,4]"), "dtype BF16, which is not supported"));
  CHECK(contains(one("F32", "[2]", "[0,4]"), "needs 8 bytes"));
  CHECK(contains(one("F32", "[-1]", "[0,4]"), "shape holds something"));
  CHECK(contains(one("F32", "[1.5]", "[0,4]"), "shape holds something"));
  CHECK(contains(one("F32", "1", "[0,4]"), "no shape"));
  CHECK(contains(one("F32", "[4611686018427387904,4]", "[0,4]"), "too large"));
  CHECK(contains(one("F32", "[1]", "[4,0]"), "not a begin and an end"));
  CHECK(contains(one("F32", "[1]", "[0,4,8]"), "not a begin and an end"));
  CHECK(contains(one("F32", "[1]", "[99999999999999999999,4]"), "data_offsets holds something"));
  CHECK(contains(one("BOOL", "[4]", "[0,4]"), "neither 0 nor 1"));
  CHECK(contains(complaint(file_of(R"({"a":3})")), "not described by an object"));
  CHECK(contains(complaint(file_of(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", four)), "no dtype"));
  CHECK(contains(complaint(file_of(R"({"a":{"dtype":"F32","shape":[1]}})", four)), "no data_offsets"));
  CHECK(contains(complaint(file_of(R"({"__metadata__":{"k":1}})")), "__metadata__"));
  CHECK(contains(complaint(file_of(R"({"__metadata__":[]})")), "__metadata__"));
  CHECK(contains(complaint(file_of("{\"a\":" + std::string(100000, '[') + "}")), "nested too deeply"));
  CHECK_FALSE(complaint(file_of(R"({"a\nb":3})")).empty());  // a name with a line break: still one line
}

TEST_CASE("a file cut off anywhere, or with any bit flipped, is refused in one line or read in full",
          "[00][safetensors]") {
  SaveArchive archive;
  archive.file.metadata = {{"env", "maze"}};
  make_net(1, 2, Real(0.5)).io(archive);
  const std::string good = encode(archive.file);
  size_t refusals = 0;
  for (size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(message<BadInput>([&] { decode(good.substr(0, size), "cut"); }).empty());
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      refusals += !message<BadInput>([&] {
                     const TensorFile file = decode(bad, "flipped");
                     Net net = make_net(1, 2, 0);
                     LoadArchive check("flipped", file, false);
                     net.io(check);
                     check.check_left_over();
                   }).empty();
    }
  CHECK(refusals > 8 * 100);  // most of the header's bits matter
}

TEST_CASE("saving replaces the old file or leaves it alone, and leaves nothing else behind", "[00][safetensors]") {
  const Scratch dir;
  save_networks(dir / "x", make_net(2, 3, 1));
  save_networks(dir / "x", make_net(2, 3, 2));
  Net net = make_net(2, 3, 0);
  load_networks(dir / "x", net);
  CHECK(net.layers[0].W(0, 0) == 2);
  CHECK(contains(message<LostOutput>([&] { save_networks(dir / "gone/x", net); }), "gone/x"));
  fs::create_directory(dir / "folder");
  write(dir / "folder/file", "");
  CHECK_FALSE(message<LostOutput>([&] { save_networks(dir / "folder", net); }).empty());

  rlimit before;  // a disk that is full after 100 bytes
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small = {100, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text = message<LostOutput>([&] { save_networks(dir / "x", make_net(20, 30, 3)); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK(contains(text, "cannot be written"));
  load_networks(dir / "x", net);
  CHECK(net.layers[0].W(0, 0) == 2);
  CHECK(dir.files() == 2);
}

TEST_CASE("means; a quantile is one of the values; ranks correlate as defined, equal values included", "[00]") {
  CHECK(mean({1, 2, 6}) == 3);
  CHECK(std::isnan(mean({})));
  CHECK(quantile({3, 1, 2}, 0) == 1);
  CHECK(quantile({3, 1, 2}, 0.5) == 2);
  CHECK(quantile({3, 1, 2}, 1) == 3);
  CHECK(quantile({5, 1, 4, 2, 3, 9, 8, 6, 7, 10, 11}, 0.1) == 2);
  CHECK(std::isnan(quantile({}, 0.5)));
  CHECK(rank_correlation({1, 2, 30}, {-5, 0, 0.1}) == Approx(1));
  CHECK(rank_correlation({1, 2, 30}, {7, 6, 1}) == Approx(-1));
  // without equal values 1 - 6 sum d^2 / (n (n^2 - 1)), here d = 1, 1, 1, 1, 0
  CHECK(rank_correlation({10, 20, 30, 40, 50}, {2, 1, 4, 3, 5}) == Approx(1 - 6 * 4 / 120.0));
  // ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 1.5, variances 1.5 and 2
  CHECK(rank_correlation({4, 4, 9}, {1, 2, 3}) == Approx(1.5 / std::sqrt(1.5 * 2)));
  CHECK(std::isnan(rank_correlation({1, 1}, {1, 2})));
}

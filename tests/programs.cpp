// Every program as a user starts it: a smoke run, the same numbers again, bad input, Ctrl-C, a lost output directory.
// Needs the programs in build/ (make test builds them) and runs from the top folder.
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>
#include "chapters/00_toolbox/run_log.h"  // read_csv
#include "tests/catch.h"

namespace fs = std::filesystem;

namespace {

const fs::path scratch = "build/test_programs";

struct Run {
  int status = -1;
  std::string out, err;
};

std::string content(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Starts a program without a shell; after `interrupt_ms` (if not 0) it gets a Ctrl-C, or another signal.
Run run(const std::string& program, const std::vector<std::string>& arguments, int interrupt_ms = 0,
        int signal = SIGINT) {
  fs::create_directories(scratch);
  const fs::path out = scratch / "stdout", err = scratch / "stderr";
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (!std::freopen(out.c_str(), "w", stdout) || !std::freopen(err.c_str(), "w", stderr)) _exit(126);
    std::vector<std::string> words = {"build/" + program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  if (interrupt_ms > 0) {
    usleep(1000 * interrupt_ms);
    kill(child, signal);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), content(out), content(err)};
}

// chapters/02_dyna_q/main.cpp is 02_dyna_q, any other x.cpp there is 02_dyna_q_x.
std::vector<std::string> programs() {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator("chapters")) {
    const std::string folder = entry.path().parent_path().filename(), file = entry.path().stem();
    if (entry.path().extension() != ".cpp" || folder == "00_toolbox") continue;
    names.push_back(file == "main" ? folder : folder + "_" + file);
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path fresh(const std::string& name) {
  fs::remove_all(scratch / name);
  return scratch / name;
}

bool one_line(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n') == 1 && text.back() == '\n';
}

// The rows of a CSV file without its head of options.
std::string rows(const fs::path& path) {
  std::istringstream in(content(path));
  std::string result;
  for (std::string line; std::getline(in, line);)
    if (!line.starts_with("#")) result += line + "\n";
  return result;
}

// Kills a training again and again, later each time, and resumes it until it ends: are its rows those of a run that was
// left alone?
void check_killed_and_resumed(const std::string& program, const std::string& seed,
                              const std::vector<std::string>& more = {}) {
  INFO(program << " --seed " << seed);
  const fs::path whole = fresh("whole"), killed = fresh("killed"), checkpoint = killed / "state";
  std::vector<std::string> words = {"--smoke", "--quiet", "--no-plot", "--seed", seed, "--seeds", "2"};
  words.insert(words.end(), {"--steps", "400", "--checkpoint-every", "20", "--out"});
  words.insert(words.begin(), more.begin(), more.end());
  std::vector<std::string> alone = words;
  alone.push_back(whole);
  REQUIRE(run(program, alone).status == 0);
  words.insert(words.end(), {killed, "--checkpoint", checkpoint});
  int kills = 0;
  for (int status = -1; status != 0; ++kills) {
    REQUIRE(kills < 300);
    std::vector<std::string> again = words;
    if (fs::exists(checkpoint)) again.insert(again.end(), {"--resume", checkpoint});
    status = run(program, again, 20 + 20 * kills, SIGKILL).status;
    REQUIRE((status == 0 || status == 1000 + SIGKILL));
  }
  CHECK(kills > 2);
  CHECK(rows(killed / (program + ".csv")) == rows(whole / (program + ".csv")));
}

// The common options that a program has.
bool has_option(const std::string& program, const std::string& option) {
  return run(program, {"--help"}).out.find(option + " ") != std::string::npos;
}

bool gnuplot() { return std::system("command -v gnuplot > /dev/null 2>&1") == 0; }

}  // namespace

TEST_CASE("every program has a smoke run that writes CSV, claims and picture", "[program]") {
  for (const std::string& program : programs()) {
    INFO(program);
    const fs::path out = fresh("smoke");
    const bool gif = has_option(program, "--gif");
    std::vector<std::string> words = {"--smoke", "--quiet", "--out", out};
    if (gif) words.push_back("--gif");
    const Run result = run(program, words);
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK(result.out.starts_with(program + " | "));
    const std::string csv = content(out / (program + ".csv"));
    CHECK(csv.starts_with("# "));
    CHECK(csv.find("# seed=0\n") != std::string::npos);
    CHECK(std::count(csv.begin(), csv.end(), '\n') > 10);
    const std::string claims = content(out / (program + "_claims.csv"));
    CHECK(claims.find("claim,slide,expected,measured,low,high,seeds,verdict\n") != std::string::npos);
    if (gnuplot()) {
      CHECK(content(out / (program + ".png")).substr(1, 3) == "PNG");
      if (gif) CHECK(content(out / (program + ".gif")).substr(0, 3) == "GIF");
    }
  }
}

TEST_CASE("same seed, same numbers, with one thread and with two; another seed, other numbers", "[program]") {
  for (const std::string& program : programs()) {
    INFO(program);
    const auto numbers = [&](std::vector<std::string> more) {
      const fs::path out = fresh("same");
      more.insert(more.end(), {"--smoke", "--quiet", "--no-plot", "--out", out.string()});
      CHECK(run(program, more).status == 0);
      return rows(out / (program + ".csv"));
    };
    const std::string once = numbers({"--threads", "1"});
    CHECK(once == numbers({"--threads", "1"}));
    CHECK(once == numbers({"--threads", "2"}));
    CHECK(once != numbers({"--seed", "7"}));
  }
}

namespace {

// Command lines that every program refuses, and one for each of its own options, and each without a value.
std::vector<std::vector<std::string>> bad_lines(const std::string& program) {
  std::vector<std::vector<std::string>> lines = {
      {"--no-such-option"}, {"--no-such=1"}, {"-x"}, {"stray"}, {"---seed", "1"}, {"--Seed", "1"}, {"", "1"}, {"-"},
      {"--seed", "1", "--seed", "2"}, {"--seed", "1", "2"}, {"--steps", "1.5x"}, {"--seeds", "0"}, {"--seed", "-1"},
      {"--seeds", "10001"}, {"--threads", "nan"}, {"--threads", "4097"}, {"--env", "nowhere"}, {"--preset", "mine"},
      {"--load", "/no/x"}, {"--load", "tests"}, {"--load", "/dev/zero"}, {"--load", "Makefile"},
      {"--resume", "/no/x"}, {"--resume", "Makefile"}, {"--checkpoint", "/no/x"}, {"--checkpoint", "/proc/x"},
      {"--save", "/no/x"}, {"--save", "tests"}, {"--save", "/dev/null"}, {"--save", "/proc/x"},
      {"--save", std::string(250, 'x')}, {"--config", "/no/x"}, {"--config", "tests"}, {"--config", "/dev/zero"}};
  const std::map<std::string, std::vector<std::string>> texts = {
      {"", {"maybe", "2", "-1", "1e999"}},
      {"INT", {"", "x", "1.5", "nan", "inf", "1e3", "0x10", "9223372036854775808", "-9223372036854775809", " 1"}},
      {"NUMBER", {"", "x", "nan", "-nan", "1e999", "-1e999", "1e", "0x1p3", " 1", "1;2", "1..2"}}};
  std::istringstream help(run(program, {"--help"}).out);
  for (std::string line; std::getline(help, line);) {
    std::istringstream words(line);
    std::string option, kind;
    if (!(words >> option >> kind) || !option.starts_with("--") || option == "--help") continue;
    kind = kind.substr(0, kind.find_first_of("=:"));
    if (kind != "INT" && kind != "NUMBER" && kind != "TEXT") kind = "";  // a flag
    if (kind != "") lines.push_back({option});
    if (kind == "TEXT" && line.find("one of") != std::string::npos) lines.push_back({option, "x\ny"});
    if (!texts.contains(kind)) continue;
    const std::vector<std::string>& all = texts.at(kind);
    lines.push_back({option + "=" + all[lines.size() % all.size()]});
  }
  return lines;
}

}  // namespace

TEST_CASE("bad command lines: one line, exit status 2, nothing written", "[program]") {
  size_t tried = 0;
  for (const std::string& program : programs()) {
    for (std::vector<std::string> words : bad_lines(program)) {
      const std::string named = words[0].substr(0, words[0].find('='));
      INFO(program << " " << words[0] << " " << words.back());
      const fs::path out = fresh("bad");
      words.insert(words.begin(), {"--out", out.string(), "--quiet"});
      const Run result = run(program, words);
      CHECK(result.status == 2);
      CHECK(one_line(result.err));
      CHECK(result.err.size() < 1000);
      CHECK((result.err.find(named) != std::string::npos || result.err.find(words.back()) != std::string::npos));
      CHECK(result.out.empty());
      CHECK(!fs::exists(out));
      ++tried;
    }
    INFO(program);
    const Run unknown = run(program, {"--env", "nowhere"});
    CHECK((!has_option(program, "--env") || unknown.err.find("maze") != std::string::npos));
    for (const std::string& out : {std::string("Makefile"), std::string("/proc/x"), std::string(300, 'x')}) {
      const Run file = run(program, {"--out", out});
      CHECK(file.status == 2);
      CHECK(one_line(file.err));
    }
  }
  CHECK(tried > 200);
}

TEST_CASE("--save and --load: what was saved loads, a damaged or foreign file is refused in one line", "[program]") {
  const std::string empty = std::string("\2\0\0\0\0\0\0\0", 8) + "{}";  // a file without networks
  for (const std::string& program : programs()) {
    if (!has_option(program, "--save")) continue;
    INFO(program);
    const fs::path out = fresh("save"), file = out / "net.safetensors", bad = out / "bad.safetensors";
    REQUIRE(run(program, {"--smoke", "--quiet", "--no-plot", "--out", out, "--save", file}).status == 0);
    CHECK(run(program, {"--smoke", "--quiet", "--no-plot", "--out", out, "--load", file}).status == 0);
    const std::string whole = content(file), before = content(out / (program + ".csv"));
    std::string flipped = whole;
    flipped[12] ^= 1;  // within the first name of the header
    for (const std::string& bytes :
         {whole.substr(0, whole.size() / 2), flipped, whole + "x", whole.substr(8), std::string(), empty,
          std::string(8, '\xff') + whole.substr(8)}) {
      std::ofstream(bad) << bytes;
      const Run damaged = run(program, {"--smoke", "--quiet", "--no-plot", "--out", out, "--load", bad});
      CHECK(content(out / (program + ".csv")) == before);
      CHECK(damaged.status == 2);
      CHECK(one_line(damaged.err));
      CHECK(damaged.err.find(bad.string()) != std::string::npos);
    }
  }
}

TEST_CASE("Ctrl-C at any moment: what is done is on disk, exit status 130", "[program]") {
  for (const std::string& program : programs())
    for (const int ms : {15, 50, 400}) {
      INFO(program << " after " << ms << " ms");
      const fs::path out = fresh("interrupt");
      std::vector<std::string> words = {"--seeds", "10000", "--quiet", "--out", out};
      const bool saves = has_option(program, "--save");
      if (saves) words.insert(words.end(), {"--save", out / "net"});
      const Run result = run(program, words, ms);
      if (ms < 400 && result.status == 1000 + SIGINT) continue;  // it had not come to main yet
      CHECK(result.status == 130);
      const std::string csv = content(out / (program + ".csv"));
      CHECK((csv.empty() || csv.ends_with("\n")));
      if (ms < 400) continue;
      CHECK(std::count(csv.begin(), csv.end(), '\n') > 15);  // the options, and the header
      CHECK(fs::exists(out / "net") == saves);
      const std::string table = rows(out / (program + ".csv"));
      const bool has_rows = std::count(table.begin(), table.end(), '\n') > 1;  // beyond the header
      if (gnuplot() && has_rows) CHECK(fs::exists(out / (program + ".png")));
    }
}

TEST_CASE("a run that is too short for its picture, and a picture of a run with other options", "[program]") {
  const fs::path out = fresh("short");
  CHECK(run("02_dyna_q", {"--steps", "10", "--quiet", "--out", out}).status == 0);
  CHECK(run("02_dyna_q_changing", {"--steps", "10", "--quiet", "--out", out}).status == 0);
  CHECK(run("02_dyna_q_changing", {"--env", "shortcut_maze", "--quiet", "--out", out}).status == 0);
  CHECK(run("02_dyna_q_changing", {"--redraw", "--out", out}).status == 0);
  CHECK(run("02_dyna_q_changing", {"--redraw", "--env", "both", "--out", out}).status == 0);
  CHECK(run("01_q_planning", {"--steps", "1500", "--out", out}).status == 2);
}

TEST_CASE("a table or a network with a NaN stops the run with exit status 3", "[program]") {
  const fs::path out = fresh("nan"), file = out / "Q.safetensors";
  for (const std::string& program : programs()) {
    if (!has_option(program, "--save")) continue;
    INFO(program);
    REQUIRE(run(program, {"--smoke", "--quiet", "--no-plot", "--out", out, "--save", file}).status == 0);
    std::string bytes = content(file);
    for (std::size_t i = bytes.size() - 4; i < bytes.size(); ++i) bytes[i] = '\xff';  // its last number
    std::ofstream(file) << bytes;
    const Run result = run(program, {"--smoke", "--quiet", "--no-plot", "--out", out, "--load", file});
    CHECK(result.status == 3);
    CHECK(one_line(result.err));
  }
}

TEST_CASE("a full disk ends the run with one line and exit status 4", "[program]") {
  for (const std::string& program : programs()) {
    INFO(program);
    const fs::path out = fresh("full");
    fs::create_directories(out);
    fs::create_symlink("/dev/full", out / (program + ".csv"));
    const Run result = run(program, {"--smoke", "--quiet", "--no-plot", "--out", out});
    CHECK(result.status == 4);
    CHECK(one_line(result.err));
  }
}

TEST_CASE("a directory whose name is gnuplot code is just a directory", "[program]") {
  const fs::path out = fresh("x'; system \"touch pwned\"; '`touch pwned`$(touch pwned)");
  CHECK(run("02_dyna_q", {"--smoke", "--quiet", "--out", out}).status == 0);
  CHECK(!fs::exists("pwned"));
  if (gnuplot()) CHECK(fs::exists(out / "02_dyna_q.png"));
  fs::remove_all(out);
}

TEST_CASE("--redraw draws the picture again from the CSV file and writes nothing else", "[program]") {
  for (const std::string& program : programs()) {
    INFO(program);
    const fs::path out = fresh("redraw");
    REQUIRE(run(program, {"--smoke", "--quiet", "--out", out}).status == 0);
    const std::string before = content(out / (program + ".csv"));
    fs::remove(out / (program + ".png"));
    CHECK(run(program, {"--redraw", "--quiet", "--out", out}).status == 0);  // with the run's options
    CHECK(content(out / (program + ".csv")) == before);
    if (gnuplot()) CHECK(fs::exists(out / (program + ".png")));
    CHECK(run(program, {"--redraw", "--out", out / "nothing"}).status == 2);
  }
}

TEST_CASE("a training that is killed at any moment and resumed writes the same CSV, byte for byte", "[program]") {
  for (const std::string& program : programs())
    if (has_option(program, "--checkpoint")) check_killed_and_resumed(program, "0");
  check_killed_and_resumed("07_bmpo", "0", {"--ablation"});
  check_killed_and_resumed("08_ampo", "0", {"--compare", "--adapt-steps", "20"});
}

TEST_CASE("the controller's training is killed and continued: the same CSV, and no finished run again", "[program]") {
  const std::string program = "09_autombpo_train";
  const fs::path whole = fresh("whole"), killed = fresh("killed"), first = killed / (program + "_runs/0_0.safetensors");
  std::vector<std::string> words = {"--smoke", "--quiet", "--no-plot", "--updates", "2", "--out"};
  words.push_back(whole);
  REQUIRE(run(program, words).status == 0);
  words.back() = killed;
  words.push_back("--continue");
  fs::file_time_type written = {};
  int kills = 0;
  for (int status = -1; status != 0; ++kills) {
    REQUIRE(kills < 500);
    status = run(program, words, 4 * (kills + 1), SIGKILL).status;
    REQUIRE((status == 0 || status == 1000 + SIGKILL));
    if (!fs::exists(first)) continue;
    if (written != fs::file_time_type{}) CHECK(fs::last_write_time(first) == written);
    written = fs::last_write_time(first);
  }
  CHECK(kills > 2);
  CHECK(rows(killed / (program + ".csv")) == rows(whole / (program + ".csv")));
}

TEST_CASE("the same with ten seeds", "[.][kill][program]") {  // make claims
  for (int seed = 1; seed <= 10; ++seed) check_killed_and_resumed("06_mbpo", std::to_string(seed));
}

TEST_CASE("MBPO beside others, BMPO and AMPO without what is new, learn what MBPO alone learns", "[program]") {
  const auto curve = [](const std::string& program, std::vector<std::string> words) {  // env_steps, eval_return of MBPO
    const fs::path out = fresh("loop");
    words.insert(words.end(), {"--smoke", "--quiet", "--no-plot", "--out", out});
    REQUIRE(run(program, words).status == 0);
    std::istringstream in(rows(out / (program + ".csv")));
    std::string result;
    for (std::string line, cell; std::getline(in, line);) {
      std::istringstream cells(line);
      for (int i = 0; line.starts_with("mbpo,") && i < 5 && std::getline(cells, cell, ','); ++i) result += cell + ",";
    }
    return result;
  };
  const auto scheduled = [&](const std::string& program, std::vector<std::string> words) {
    words.insert(words.end(), {"--rollout-length", "60,120,1,3", "--rollout-every", "10"});
    return curve(program, words);
  };
  const std::string mbpo = scheduled("06_mbpo", {});
  CHECK(mbpo.size() > 100);
  CHECK(mbpo != curve("06_mbpo", {}));
  CHECK(mbpo == scheduled("06_mbpo_experiments", {}));
  CHECK(mbpo == scheduled("07_bmpo", {"--no-backward", "--no-boltzmann", "--no-mpc"}));
  CHECK(mbpo == scheduled("08_ampo", {"--distance", "none"}));
  CHECK(curve("07_bmpo", {"--ablation"}) == curve("06_mbpo", {"--rollout-length", "4"}));  // k1 + k2 = 2 + 2
}

TEST_CASE("MBPO's schedule of k is in the CSV file, and D_model has the branches of every rollout", "[program]") {
  const fs::path out = fresh("schedule");
  REQUIRE(run("06_mbpo", {"--smoke", "--quiet", "--no-plot", "--rollout-length", "60,120,1,3", "--rollout-every", "10",
                          "--retain", "9", "--out", out}).status == 0);
  const Table table = read_csv(out / "06_mbpo.csv");  // epochs of 20 steps, two rollouts of 100 branches in each
  CHECK(table.numbers("env_steps") == std::vector<double>{80, 100, 120, 140, 160});
  CHECK(table.numbers("k") == std::vector<double>{1, 1, 2, 3, 3});
  CHECK(table.numbers("model_size") == std::vector<double>{200, 400, 800, 1400, 2000});
}

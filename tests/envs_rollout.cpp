// build/rollout as a user starts it. Needs the program (make test builds it) and runs from the top folder.
#include <cstdlib>
#include "envs/env.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

struct Result {
  int status;
  std::string out, err;
};

// The options of a replay.
std::string replay(const Scratch& dir, const std::string& env, const std::string& init, const std::string& actions) {
  return "--env " + env + " --init " + dir / init + " --actions " + dir / actions + " --out " + dir / "path";
}

Result rollout(const Scratch& dir, const std::string& words) {
  const int status = std::system(("build/rollout " + words + " > " + dir / "stdout" + " 2> " + dir / "stderr").c_str());
  return {WEXITSTATUS(status), read(dir / "stdout"), read(dir / "stderr")};
}

std::vector<std::vector<double>> rows_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::vector<double>> table;
  std::string line, cell;
  std::getline(in, line);
  while (std::getline(in, line)) {
    table.emplace_back();
    for (std::istringstream cells(line); std::getline(cells, cell, ',');) table.back().push_back(std::stod(cell));
  }
  return table;
}

}  // namespace

TEST_CASE("rollout replays what the environment does, with all digits, in the task's own units", "[program][envs]") {
  const Scratch dir;
  write(dir / "start", "qpos_0,qpos_1,qvel_0,qvel_1\n0.1,0.2,-0.3,0.4\n");
  write(dir / "actions", "action_0\n1.5\n-3\n0\n");
  const Result result = rollout(dir, replay(dir, "cartpole_swingup", "start", "actions"));
  REQUIRE(result.status == 0);
  const std::string header = "step,qpos_0,qpos_1,qvel_0,qvel_1,obs_0,obs_1,obs_2,obs_3,reward,terminated\n";
  CHECK(read(dir / "path").starts_with(header + "0,"));
  const std::vector<std::vector<double>> path = rows_of(dir / "path");
  REQUIRE(path.size() == 4);
  const std::unique_ptr<Env> env = make_env("cartpole_swingup");
  Sim sim(5, 1), a(1, 1);
  sim << 0.1, 0.2, -0.3, 0.4, 0;
  CHECK(path[0][9] == 0);
  for (int t = 1; t <= 3; ++t) {
    a(0) = std::vector<double>{0.5, -1, 0}[t - 1];
    const Sim next = env->advance(sim, a);
    CHECK(path[t][0] == t);
    // Program and test are compiled with different flags: the last of 17 digits may differ.
    for (int i = 0; i < 4; ++i) CHECK(path[t][1 + i] == Approx(next(i)).epsilon(1e-13));
    CHECK(path[t][9] == Approx(env->rewards(sim, a, next)(0)).epsilon(1e-13));
    sim = next;
  }
}

TEST_CASE("rollout stops at a terminal state, or goes on if told", "[program][envs]") {
  const Scratch dir;
  write(dir / "start", "x,x_dot,theta,theta_dot\n2.35,3,0,0\n");
  write(dir / "actions", "action_0\n1\n1\n0\n1\n");
  const std::string words = replay(dir, "cartpole", "start", "actions");
  REQUIRE(rollout(dir, words).status == 0);
  std::vector<std::vector<double>> path = rows_of(dir / "path");
  CHECK(path.size() == 2);
  CHECK(path.back()[9] == 1);  // reward of the step that ends it
  CHECK(path.back()[10] == 1);
  REQUIRE(rollout(dir, words + " --through-termination").status == 0);
  path = rows_of(dir / "path");
  CHECK(path.size() == 5);
  CHECK(path[2][9] == 0);       // no pay after the end
}

TEST_CASE("rollout refuses a bad file with file, line and column, and writes nothing", "[program][envs]") {
  const Scratch dir;
  write(dir / "good", "action_0\n1\n");
  const std::string header = "theta,theta_dot\n";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "line 1"}, {header, "line 2"},
      {header + "1\n", "line 2, column 2"}, {header + "1,2,3\n", "line 2, column 3"},
      {header + "1,2\n3,4\n", "line 3"}, {header + "1,two\n", "line 2, column 2"},
      {header + "nan,1\n", "line 2, column 1"}, {header + "1,inf\n", "line 2, column 2"},
      {header + "1,\n", "line 2, column 2"}, {header + "1,2x\n", "line 2, column 2"},
      {"theta\n1\n", "line 1, column 2"}, {"theta,speed\n1,2\n", "line 1, column 2"}};
  for (const auto& [text, where] : bad) {
    CAPTURE(text);
    write(dir / "bad", text);
    const Result result = rollout(dir, replay(dir, "pendulum", "bad", "good"));
    CHECK(result.status == 2);
    CHECK(contains(result.err, "bad, " + where));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(dir / "path"));
  }
  write(dir / "bad", "action_0\n1\n2\n");
  CHECK(contains(rollout(dir, "--env cartpole --actions " + dir / "bad").err, "bad, line 3, column 1"));
  CHECK(rollout(dir, "--env pendulum --init " + dir / "missing").status == 2);
  CHECK(contains(rollout(dir, "--env pendolum").err, "pendulum"));
  CHECK(rollout(dir, "--env pendulum --steps -1").status == 2);
  CHECK(rollout(dir, "--env pendulum --stepz 1").status == 2);
  for (const char* words : {"--env", "--env ''", "--steps 1e9", "--steps 9999999999", "--seed nan", "--out ''",
                            "--out tests", "--gif tests", "--gif /nowhere/x", "--init /dev/zero", "--actions tests"}) {
    CAPTURE(words);
    const Result result = rollout(dir, "--env pendulum --steps 2 " + std::string(words));
    CHECK(result.status == 2);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  }
  CHECK(rollout(dir, "--env pendulum --out /nowhere/path").status == 2);
}

TEST_CASE("rollout reads files with or without a last line break, blanks and carriage returns", "[program][envs]") {
  const Scratch dir;
  write(dir / "start", "theta, theta_dot\r\n1e-1, +2\r\n");
  write(dir / "actions", "action_0\n 1\n2");
  const Result result = rollout(dir, replay(dir, "pendulum", "start", "actions"));
  CHECK(result.err == "");
  CHECK(rows_of(dir / "path").size() == 3);
  CHECK(rows_of(dir / "path")[0][2] == 2);
}

TEST_CASE("rollout describes every task", "[program][envs]") {
  const Scratch dir;
  for (const std::string& name : env_names()) {
    const Result result = rollout(dir, "--env " + name + " --describe");
    CHECK(result.status == 0);
    CHECK(contains(result.out, name + ": "));
    for (const char* what : {"observation", "action", "state", "time limit", "reward"})
      CHECK(contains(result.out, what));
  }
}

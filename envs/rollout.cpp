// Replays actions in an environment from a given simulator state and writes what happened, in double precision.
//
//   rollout --env pendulum --init start.csv --actions actions.csv --out path.csv     replay
//   rollout --env hopper --gif hopper.gif                                            random actions, as a picture
//   rollout --env hopper --describe                                                  what the task is
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include "chapters/00_toolbox/errors.h"  // run_main, BadInput, LostOutput, HelpWanted
#include "envs/env.h"
#include "plots/picture.h"

namespace {

const char* const help = R"(Replays actions in an environment and writes what happened, in double precision.
  --env NAME             the task; without it --describe lists all
  --init FILE            start: header of state names and one row; without it the task's random start
  --actions FILE         header action_0,... and one row a step, in the task's own units; without it random actions
  --steps N              number of random actions (default 200)
  --seed S               of the random start and the random actions (default 0)
  --out FILE             step,<state names>,obs_0,...,reward,terminated; row 0 is the start
  --gif FILE             an animated picture
  --through-termination  go on after a terminal state
  --describe             print dimensions, bounds, time limit and reward
)";

using Words = std::map<std::string, std::string>;

Words read_words(int argc, char** argv) {
  Words words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") throw HelpWanted{help};
    if (word == "--through-termination" || word == "--describe") words[word] = "yes";
    else if (word == "--env" || word == "--init" || word == "--actions" || word == "--out" || word == "--gif" ||
             word == "--steps" || word == "--seed") {
      if (++i == argc || !*argv[i]) throw BadInput(word + ": a value is missing");
      words[word] = argv[i];
    } else throw BadInput(word + ": unknown option (--help lists them)");
  }
  return words;
}

long whole_number(const Words& words, const std::string& name, long fallback) {
  if (!words.contains(name)) return fallback;
  const std::string& text = words.at(name);
  long x = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (error != std::errc() || end != text.data() + text.size() || x < 0 || x > 1000000000)
    throw BadInput(name + " " + text + ": a whole number from 0 to 1000000000 is wanted");
  return x;
}

std::vector<std::string> cells(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  for (std::string& part : parts) {  // blanks around a cell mean nothing
    part.erase(0, part.find_first_not_of(" \t"));
    part.erase(part.find_last_not_of(" \t") + 1);
  }
  return parts;
}

// A CSV file of finite numbers under exactly this header, one sample per column.
// Throws BadInput: file, line and column.
Sim read_numbers(const std::string& path, const std::vector<std::string>& header) {
  std::error_code ignored;
  const bool ends = std::filesystem::is_regular_file(path, ignored) || std::filesystem::is_fifo(path, ignored);
  std::ifstream in(path);
  if (!in || !ends) throw BadInput(path + ": cannot be read");
  std::string line;
  if (!std::getline(in, line)) throw BadInput(path + ", line 1: the file is empty, a header is wanted");
  const std::vector<std::string> names = cells(line);
  for (std::size_t i = 0; i < std::max(names.size(), header.size()); ++i) {
    if (i < names.size() && i < header.size() && names[i] == header[i]) continue;
    throw BadInput(path + ", line 1, column " + std::to_string(i + 1) + ": " +
                   (i < header.size() ? "'" + header[i] + "' is wanted, not " : "nothing is wanted, not ") +
                   (i < names.size() ? "'" + names[i] + "'" : "the end of the line"));
  }
  std::vector<double> values;
  for (long number = 2; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos && in.peek() == EOF) break;
    const std::vector<std::string> row = cells(line);
    const std::string where = path + ", line " + std::to_string(number);
    if (row.size() != header.size())
      throw BadInput(where + ", column " + std::to_string(std::min(row.size(), header.size()) + 1) + ": " +
                     std::to_string(row.size()) + " numbers instead of " + std::to_string(header.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const char *begin = row[i].data() + (row[i].starts_with('+') ? 1 : 0), *stop = row[i].data() + row[i].size();
      double x = 0;
      const auto [end, error] = std::from_chars(begin, stop, x);
      if (error != std::errc() || end != stop || !std::isfinite(x))
        throw BadInput(where + ", column " + std::to_string(i + 1) + " (" + header[i] + "): '" + row[i] +
                       "' is no finite number");
      values.push_back(x);
    }
  }
  if (values.empty()) throw BadInput(path + ", line 2: no numbers under the header");
  return Eigen::Map<Sim>(values.data(), header.size(), values.size() / header.size());
}

Sim read_start(const Env& env, const std::string& path) {
  const Sim named = read_numbers(path, env.sim_names);
  if (named.cols() != 1)
    throw BadInput(path + ", line 3, column 1: one row is wanted, not " + std::to_string(named.cols()));
  Sim sim = Sim::Zero(env.sim_dim(), 1);
  sim.topRows(named.rows()) = named;
  return sim;
}

// Actions in the task's units as numbers in [-1, 1].
Sim read_actions(const Env& env, const std::string& path) {
  std::vector<std::string> header;
  for (int i = 0; i < env.action_dim; ++i) header.push_back("action_" + std::to_string(i));
  Sim a = read_numbers(path, header);
  for (Eigen::Index t = 0; t < a.cols(); ++t) {
    for (int i = 0; i < env.action_dim; ++i) {
      if (env.choices == 0) {
        a(i, t) /= env.action_scale[i];
        continue;
      }
      if (a(i, t) != std::floor(a(i, t)) || a(i, t) < 0 || a(i, t) >= env.choices)
        throw BadInput(path + ", line " + std::to_string(t + 2) + ", column " + std::to_string(i + 1) + " (" +
                       header[i] + "): a whole number from 0 to " + std::to_string(env.choices - 1) + " is wanted");
      a(i, t) = env.action_of(int(a(i, t)));
    }
  }
  return a;
}

void describe(const Env& env) {
  const auto list = [](const std::vector<double>& x) {
    std::ostringstream text;
    for (const double v : x) text << (text.tellp() > 0 ? ", " : "") << v;
    return text.str();
  };
  std::printf("%s: %s\n", env.name.c_str(), env.about.c_str());
  std::printf("  observation   %d numbers", env.state_dim);
  if (!env.state_low.empty())
    std::printf(" in [%s] to [%s]", list(env.state_low).c_str(), list(env.state_high).c_str());
  if (env.choices > 0) std::printf("\n  action        one of 0 to %d", env.choices - 1);
  else std::printf("\n  action        %d numbers within +-[%s]", env.action_dim, list(env.action_scale).c_str());
  std::string names;
  for (const std::string& name : env.sim_names) names += (names.empty() ? "" : ",") + name;
  std::printf("\n  state         %s\n  time limit    %d steps\n  reward        %s%s\n", names.c_str(), env.time_limit,
              env.reward_rule.c_str(), env.has_reward ? "" : " (no function of the observation)");
}

struct Output {  // the CSV file, if one is wanted
  std::FILE* file = nullptr;
  std::string path;

  Output(const Env& env, const std::string& path) : path(path) {
    if (path.empty()) return;
    file = std::fopen(path.c_str(), "w");
    if (!file) throw BadInput("--out " + path + ": cannot be written");
    std::fputs("step", file);
    for (const std::string& name : env.sim_names) std::fprintf(file, ",%s", name.c_str());
    for (int i = 0; i < env.state_dim; ++i) std::fprintf(file, ",obs_%d", i);
    std::fputs(",reward,terminated\n", file);
  }
  ~Output() {
    if (file) std::fclose(file);
  }
  Output(const Output&) = delete;

  void row(const Env& env, long step, const Sim& sim, double reward, bool terminated) {
    if (!file) return;
    std::fprintf(file, "%ld", step);
    for (std::size_t i = 0; i < env.sim_names.size(); ++i) std::fprintf(file, ",%.17g", sim(i, 0));
    for (const double x : env.observation(sim).reshaped()) std::fprintf(file, ",%.17g", x);
    std::fprintf(file, ",%.17g,%d\n", reward, int(terminated));
    if (std::fflush(file) != 0) throw LostOutput(path + ": cannot be written any more");
  }
};

void replay(const Env& env, Sim sim, const Sim& actions, bool through, const std::string& out, const std::string& gif) {
  Output output(env, out);
  std::vector<Figure> frames;
  double total = 0;
  bool terminated = env.ended(sim)(0) != 0;
  output.row(env, 0, sim, 0, terminated);
  long step = 0;
  while (step < actions.cols() && (through || !terminated) && !interrupted()) {
    const Sim a = actions.col(step), next = env.advance(sim, a);
    ++step;
    if (!next.isFinite().all())
      throw NotFinite(env.name + ", step " + std::to_string(step) + ": the next state is not finite");
    const double reward = env.rewards(sim, a, next)(0);
    if (!gif.empty()) frames.push_back(picture(env.draw(sim), env.name + ", step " + std::to_string(step - 1)));
    sim = next, total += reward, terminated = env.ended(sim)(0) != 0;
    output.row(env, step, sim, reward, terminated);
  }
  std::printf("%s: %ld steps, return %.6g%s\n", env.name.c_str(), step, total, terminated ? ", terminal state" : "");
  if (gif.empty()) return;
  frames.push_back(picture(env.draw(sim), env.name + ", step " + std::to_string(step)));
  if (animate(frames, gif)) std::printf("%s\n", gif.c_str());
}

void run(int argc, char** argv) {
  const Words words = read_words(argc, argv);
  const auto word = [&](const std::string& name) { return words.contains(name) ? words.at(name) : std::string(); };
  const long steps = whole_number(words, "--steps", 200), seed = whole_number(words, "--seed", 0);
  if (words.contains("--describe") && !words.contains("--env")) {
    for (const std::string& name : env_names()) describe(*make_env(name));
    return;
  }
  if (!words.contains("--env")) throw BadInput("--env is missing (--describe lists the tasks, --help the options)");
  std::error_code ignored;
  if (words.contains("--gif"))
    if (const std::filesystem::path gif = std::filesystem::absolute(word("--gif"));
        is_directory(gif, ignored) || !is_directory(gif.parent_path(), ignored))
      throw BadInput("--gif " + word("--gif") + ": cannot be written");
  const std::unique_ptr<Env> env = make_env(word("--env"));
  if (words.contains("--describe")) return describe(*env);
  Rng rng(seed);
  const Sim random_start = env->start(rng);
  const Sim start = words.contains("--init") ? read_start(*env, word("--init")) : random_start;
  const Sim actions = words.contains("--actions") ? read_actions(*env, word("--actions"))
                                                  : rng.uniform(env->action_dim, steps, -1, 1).cast<double>().eval();
  replay(*env, start, actions, words.contains("--through-termination"), word("--out"), word("--gif"));
}

}  // namespace

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] { run(argc, argv); });
}

// Options: one line per option in a struct, read from the command line, a file or a preset.
//
//   struct Options : Args {
//     using Args::Args;
//     int  steps      = opt("steps", 5000, "real environment steps in all", at_least(1));
//     Real real_ratio = opt("real-ratio", 0.05f, "share of D_env in a batch", range(0, 1));
//     static std::vector<std::string> environments() { return {"cartpole", "maze"}; }  // the first is the default
//     static Preset lecture() { return {{"seeds", 30}}; }   // other defaults for the options of every program
//     static Presets lecture_of() { return {{"ant", {{"steps", 99000}}}}; }  // what a task needs otherwise
//     static Presets paper() { return {{"cartpole", {{"steps", 30000}}}}; }            // --preset paper
//     static Preset  smoke() { return {{"steps", 50}}; }                               // --smoke
//     void check() const;                          // relations between options: throws BadInput
//     static constexpr const char* about = "MBPO (slide \"MBPO Algorithm\")";  // first line of --help
//     static std::vector<std::string> without() { return {"save", "load"}; }  // options that mean nothing here
//   };
//   const Options opt = parse<Options>(argc, argv);
//
// All but the options may be left out. Precedence: command line, --config, --smoke, --preset, default.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/tape.h"             // Real
#include "chapters/00_toolbox/text.h"  // to_text

// What a value may be: in words, and as a test of its text. A number with a check is always finite.
struct Check {
  std::string allowed;
  std::function<bool(const std::string&)> accepts;  // empty: everything of the option's type
};
Check range(double low, double high);            // low <= x <= high
Check at_least(double low);                      // x >= low
Check above(double low);                         // x > low
Check one_of(std::vector<std::string> choices);  // for texts

// A value in a preset, as text: 5000, 0.05, "pendulum", {20000, 150000}.
struct Value : std::string {
  Value(const char* text) : std::string(text) {}
  Value(const std::string& text) : std::string(text) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> Value(Number x) : std::string(to_text(x)) {}
  Value(std::initializer_list<double> list) : std::string(join(std::vector<double>(list), ",")) {}
};
using Preset = std::map<std::string, Value>;    // option -> value
using Presets = std::map<std::string, Preset>;  // environment -> published settings; "" for a program without --env

// What parse() reads off an Options struct besides its options.
struct Description {
  std::string program, about;
  std::vector<std::string> environments;
  Preset lecture;
  Presets lecture_of, paper;
  Preset smoke;
  std::vector<std::string> without;
};
struct Registry;  // the options seen so far and their values; CLI11 stays behind it in args.cpp
std::shared_ptr<Registry> make_registry(Description description);
void read_command_line(Registry& registry, int argc, const char* const* argv);

struct Args {
  explicit Args(std::shared_ptr<Registry> shared);

 private:
  std::shared_ptr<Registry> registry;  // first: the options below are read from it

 public:
  // One option: name, default, meaning with the slide's letter, what is allowed. Lists are written 0,5,50 or 0 5 50.
  bool opt(const std::string& name, bool fallback, const std::string& help);
  int opt(const std::string& name, int fallback, const std::string& help, const Check& check = {});
  long opt(const std::string& name, long fallback, const std::string& help, const Check& check = {});
  Real opt(const std::string& name, float fallback, const std::string& help, const Check& check = {});
  double opt(const std::string& name, double fallback, const std::string& help, const Check& check = {});
  std::string opt(const std::string& name, const char* fallback, const std::string& help, const Check& check = {});
  std::string opt(const std::string& name, const std::string& fallback, const std::string& help,
                  const Check& check = {});
  std::vector<int> opt(const std::string& name, const std::vector<int>& fallback, const std::string& help,
                       const Check& check = {});
  std::vector<double> opt(const std::string& name, const std::vector<double>& fallback, const std::string& help,
                          const Check& check = {});

  // Options that every program has, with the same meaning everywhere.
  std::string env;  // the task, one of environments()
  std::string preset = opt("preset", "lecture", "lecture: minutes on two cores; paper: the published settings",
                           one_of({"lecture", "paper"}));
  int seed = opt("seed", 0, "first seed", range(0, 1e9));
  int seeds = opt("seeds", 1, "number of seeds; curves show their mean with a 95 % band", range(1, 10000));
  int threads = opt("threads", 0, "OpenMP threads, 0: all; the numbers do not depend on it", range(0, 4096));
  std::string out = opt("out", "plots", "directory for CSV, PNG and GIF files");
  std::string save = opt("save", "", "write what was learned (networks, tables) to this file at the end");
  std::string load = opt("load", "", "start from what --save wrote");
  bool gif = opt("gif", false, "draw one episode of the learned policy as an animated picture");
  bool no_plot = opt("no-plot", false, "no picture, CSV files only");
  bool quiet = opt("quiet", false, "no progress line");
  bool smoke = opt("smoke", false, "a complete but tiny run");
  bool redraw = opt("redraw", false, "draw the picture of the run in --out again, from its CSV file, and stop");

  std::string checkpoint, resume;  // files: options of the programs whose Options derive from Checkpointed

  std::string program;                                     // the binary's name, "06_mbpo"
  std::vector<std::pair<std::string, std::string>> named;  // every option and its value as text, for the CSV head
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  // <out>/<program><ending>: path(".csv"), path("_claims.csv").
  std::string path(const std::string& ending) const;
};

// Whether an option says how this start of a program is carried out and not what it computes: threads, files, pictures.
bool of_this_start(const std::string& option);

// The last checks, and the only side effect of parse(): --threads is set. RunLog creates --out. Throws BadInput.
void prepare(Args& opt);

// Reads the options of a program. Throws BadInput, one line that names the option, its value and what is allowed,
// before anything is written; throws HelpWanted for --help. The struct is built twice: to register, then with values.
template <class Options>
Options parse(int argc, const char* const* argv) {
  const std::string path = argc > 0 ? argv[0] : "program";
  Description about;
  about.program = path.substr(path.rfind('/') + 1);
  if constexpr (requires { Options::about; }) about.about = Options::about;
  if constexpr (requires { Options::environments(); }) about.environments = Options::environments();
  if constexpr (requires { Options::lecture(); }) about.lecture = Options::lecture();
  if constexpr (requires { Options::lecture_of(); }) about.lecture_of = Options::lecture_of();
  if constexpr (requires { Options::paper(); }) about.paper = Options::paper();
  if constexpr (requires { Options::smoke(); }) about.smoke = Options::smoke();
  if constexpr (requires { Options::without(); }) about.without = Options::without();

  const std::shared_ptr<Registry> registry = make_registry(std::move(about));
  Options{registry};
  read_command_line(*registry, argc, argv);
  Options opt{registry};
  if constexpr (requires { opt.check(); }) opt.check();
  prepare(opt);
  return opt;
}

// The only file that sees CLI11: it splits the command line and writes --help; values are checked here, wherever
// they come from.
#include "chapters/00_toolbox/args.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "chapters/00_toolbox/errors.h"   // BadInput, HelpWanted
#include "chapters/00_toolbox/run_log.h"  // read_csv

namespace fs = std::filesystem;

namespace {

enum class Kind { flag, integer, number, text };

struct Spec {
  std::string name, fallback, help;
  Kind kind;
  bool list;  // several values, joined by commas
  Check check;
  bool (*fits)(const std::string&);  // the text is a value of the option's C++ type
  std::string value;
};

template <class T>
bool fits(const std::string& text) {
  T x;
  if constexpr (std::floating_point<T>) return read_number(text, x) && !std::isnan(x);
  else return read_number(text, x);
}
template <>
bool fits<bool>(const std::string& text) {
  return text == "true" || text == "false";
}
template <>
bool fits<std::string>(const std::string&) {
  return true;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items;
  size_t begin = 0;
  for (size_t comma; !text.empty() && begin != std::string::npos;
       begin = comma == std::string::npos ? comma : comma + 1) {
    comma = text.find(',', begin);
    items.push_back(text.substr(begin, comma - begin));
  }
  return items;
}

// "a whole number, at least 1"
std::string wanted(const Spec& spec) {
  const char* one[] = {"true or false", "a whole number", "a number", "a text"};
  const char* many[] = {"", "whole numbers", "numbers", "texts"};
  const int kind = static_cast<int>(spec.kind);
  if (spec.check.allowed.empty()) return spec.list ? many[kind] : one[kind];
  if (spec.kind == Kind::text) return spec.check.allowed;
  return spec.list ? many[kind] + (", each " + spec.check.allowed) : one[kind] + (", " + spec.check.allowed);
}

// What a message quotes of a text that may be long.
std::string beginning(const std::string& text) { return text.size() > 300 ? text.substr(0, 300) + "..." : text; }

// Throws BadInput unless every item of `text` fits the option's type and passes its check.
void check_value(const Spec& spec, const std::string& text) {
  const std::vector<std::string> items = spec.list ? split(text) : std::vector<std::string>{text};
  if (items.empty()) throw BadInput("--" + spec.name + " '': wanted " + wanted(spec));
  for (const std::string& item : items)
    if (!spec.fits(item) || (spec.check.accepts && !spec.check.accepts(item)))
      throw BadInput("--" + spec.name + " " + beginning(text) + ": wanted " + wanted(spec));
}

// A limit that is a float's value as a float is written: 0.1, not 0.10000000149011612.
std::string limit_text(double x) { return double(float(x)) == x ? to_text(float(x)) : to_text(x); }

Check number_check(const std::string& allowed, std::function<bool(double)> accepts) {
  return {allowed, [accepts](const std::string& text) {
            double x;
            return read_number(text, x) && std::isfinite(x) && accepts(x);
          }};
}

template <class T>
T convert(const std::string& text) {
  T x{};
  if constexpr (std::same_as<T, bool>) x = text == "true";
  else read_number(text, x);
  return x;
}

template <class T>
std::vector<T> convert_list(const std::string& text) {
  std::vector<T> list;
  for (const std::string& item : split(text)) list.push_back(convert<T>(item));
  return list;
}

}  // namespace

Check range(double low, double high) {
  return number_check(limit_text(low) + " to " + limit_text(high), [=](double x) { return low <= x && x <= high; });
}
Check at_least(double low) {
  return number_check("at least " + limit_text(low), [=](double x) { return x >= low; });
}
Check above(double low) {
  return number_check("above " + limit_text(low), [=](double x) { return x > low; });
}
Check one_of(std::vector<std::string> choices) {
  const std::string allowed = "one of " + join(choices, ", ");
  return {allowed, [choices = std::move(choices)](const std::string& text) {
            return std::find(choices.begin(), choices.end(), text) != choices.end();
          }};
}

struct Registry {
  Description about;
  std::vector<Spec> specs;
  size_t common = 0;    // the first `common` options are those of Args
  bool parsed = false;  // false while options register, true while they are read

  Spec& find(const std::string& name) {
    for (Spec& spec : specs)
      if (spec.name == name) return spec;
    throw std::logic_error("no option --" + name + " (a preset names it?)");
  }

  // Registers an option, or looks its value up. Returns the value as text.
  template <class T>
  std::string read(const std::string& name, const std::string& fallback, const std::string& help, const Check& check,
                   bool list) {
    if (parsed) return find(name).value;
    for (const Spec& spec : specs)
      if (spec.name == name) throw std::logic_error("option --" + name + " is declared twice");
    const Kind kind = std::same_as<T, bool>    ? Kind::flag
                      : std::integral<T>       ? Kind::integer
                      : std::floating_point<T> ? Kind::number
                                               : Kind::text;
    specs.push_back({name, fallback, help, kind, list, check, fits<T>, fallback});
    return fallback;
  }
};

std::shared_ptr<Registry> make_registry(Description about) {
  const std::shared_ptr<Registry> registry = std::make_shared<Registry>();
  registry->about = std::move(about);
  return registry;
}

// --- the options of a struct -----------------------------------------------------------------------------------

Args::Args(std::shared_ptr<Registry> shared)
    : registry(std::move(shared)),
      env(registry->about.environments.empty()
              ? ""
              : opt("env", registry->about.environments.front(), "the task", one_of(registry->about.environments))),
      program(registry->about.program) {
  if (!registry->parsed) registry->common = registry->specs.size();
  if (registry->parsed)
    for (const Spec& spec : registry->specs) named.emplace_back(spec.name, spec.value);
}

bool Args::opt(const std::string& name, bool fallback, const std::string& help) {
  return convert<bool>(registry->read<bool>(name, to_text(fallback), help, {}, false));
}
int Args::opt(const std::string& name, int fallback, const std::string& help, const Check& check) {
  return convert<int>(registry->read<int>(name, to_text(fallback), help, check, false));
}
long Args::opt(const std::string& name, long fallback, const std::string& help, const Check& check) {
  return convert<long>(registry->read<long>(name, to_text(fallback), help, check, false));
}
Real Args::opt(const std::string& name, float fallback, const std::string& help, const Check& check) {
  return convert<Real>(registry->read<Real>(name, to_text(fallback), help, check, false));
}
double Args::opt(const std::string& name, double fallback, const std::string& help, const Check& check) {
  return convert<double>(registry->read<double>(name, to_text(fallback), help, check, false));
}
std::string Args::opt(const std::string& name, const char* fallback, const std::string& help, const Check& check) {
  return opt(name, std::string(fallback), help, check);
}
std::string Args::opt(const std::string& name, const std::string& fallback, const std::string& help,
                      const Check& check) {
  return registry->read<std::string>(name, fallback, help, check, false);
}
std::vector<int> Args::opt(const std::string& name, const std::vector<int>& fallback, const std::string& help,
                           const Check& check) {
  return convert_list<int>(registry->read<int>(name, join(fallback, ","), help, check, true));
}
std::vector<double> Args::opt(const std::string& name, const std::vector<double>& fallback, const std::string& help,
                              const Check& check) {
  return convert_list<double>(registry->read<double>(name, join(fallback, ","), help, check, true));
}

std::string Args::path(const std::string& ending) const { return (fs::path(out) / (program + ending)).string(); }

bool of_this_start(const std::string& option) {
  static const Check own = one_of({"out", "threads", "quiet", "no-plot", "gif", "redraw", "save", "load", "checkpoint",
                                   "checkpoint-every", "resume", "continue"});
  return own.accepts(option);
}

// --- the command line ------------------------------------------------------------------------------------------

namespace {

// What the user wrote, on the command line or in --config: option -> text.
using Given = std::map<std::string, std::string>;

const std::string list_them = "; --help lists the options";
const char* own_group = "Options";
const char* common_group = "Options of every program";

void add_to(CLI::App& app, const Spec& spec, const char* group) {
  const char* kinds[] = {"", "INT", "NUMBER", "TEXT"};
  const std::string flag = "--" + spec.name;
  CLI::Option* option = spec.kind == Kind::flag ? app.add_flag(flag) : app.add_option(flag);
  option->description(spec.help + (spec.check.allowed.empty() ? "" : " (" + spec.check.allowed + ")"));
  option->group(group);
  if (spec.kind == Kind::flag) return;
  option->type_name(kinds[static_cast<int>(spec.kind)])->default_str(spec.fallback);
  if (spec.list) option->expected(1, -1)->allow_extra_args();  // commas are split by check_value, nothing is left out
}

// Lets CLI11 split the command line and the file of --config. Throws BadInput and HelpWanted.
Given ask_cli11(const Registry& registry, int argc, const char* const* argv) {
  CLI::App app(registry.about.about, registry.about.program);
  app.get_formatter()->column_width(32);
  app.set_help_flag();  // groups are printed in the order of their first option: --help comes last
  const auto add = [&](size_t i, const char* group) {
    if (!one_of(registry.about.without).accepts(registry.specs[i].name)) add_to(app, registry.specs[i], group);
  };
  for (size_t i = registry.common; i < registry.specs.size(); ++i) add(i, own_group);
  for (size_t i = 0; i < registry.common; ++i) add(i, common_group);
  app.set_config("--config", "", "read options from this file, lines of the form name=value");
  const auto is_file = [](const std::string& file) -> std::string {
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return "";
    return beginning(file) + (fs::exists(file, ignored) ? " is not a file" : " does not exist");
  };
  app.get_config_ptr()->check(is_file)->type_name("TEXT")->group(common_group);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.allow_extras();  // so that the message below can name the first unknown option and nothing else
  app.set_help_flag("--help", "this text")->group(common_group);

  Given given;
  try {
    app.parse(argc, argv);
    if (const std::vector<std::string> rest = app.remaining(); !rest.empty())
      throw BadInput(beginning(rest[0]) + (rest[0][0] == '-' ? ": unknown option" : ": not expected here") + list_them);
    for (const Spec& spec : registry.specs)
      if (const CLI::Option* option = app.get_option_no_throw("--" + spec.name); option && option->count() > 0)
        given[spec.name] = spec.kind == Kind::flag ? option->results().back() : join(option->results(), ",");
  } catch (const CLI::CallForHelp&) {
    throw HelpWanted{app.help()};
  } catch (const CLI::ParseError& e) {
    throw BadInput(beginning(e.what()) + list_them);
  }
  return given;
}

// The chosen preset's settings for the chosen environment. The lecture may have none for it, the paper may not.
Preset chosen_preset(Registry& registry) {
  const bool lecture = registry.find("preset").value == "lecture";
  const Presets& presets = lecture ? registry.about.lecture_of : registry.about.paper;
  const std::string env = registry.about.environments.empty() ? "" : registry.find("env").value;
  const auto settings = presets.find(env);
  if (settings != presets.end()) return settings->second;
  if (lecture) return {};
  std::vector<std::string> known;
  for (const auto& [name, preset] : presets) known.push_back(name);
  throw BadInput("--preset paper: no published settings for " + (env.empty() ? "this program" : "--env " + env) +
                 (known.empty() ? "" : "; there are some for " + join(known, ", ")));
}

// The options in the head of the CSV file that --redraw draws again; files and switches are this run's own.
Preset options_of_run(Registry& registry) {
  const std::string csv = (fs::path(registry.find("out").value) / (registry.about.program + ".csv")).string();
  std::vector<std::string> known;
  for (const Spec& spec : registry.specs) known.push_back(spec.name);
  Preset options;
  for (const auto& [name, value] : read_csv(csv).options) {
    if (of_this_start(name)) continue;
    if (!one_of(known).accepts(name)) throw BadInput(csv + ": written with --" + beginning(name) + ", unknown here");
    check_value(registry.find(name), value);
    options.emplace(name, value);
  }
  return options;
}

}  // namespace

void read_command_line(Registry& registry, int argc, const char* const* argv) {
  // A preset that names an unknown option or a forbidden value is a mistake in the program: found at every start.
  for (const Presets& presets : {registry.about.paper, registry.about.lecture_of})
    for (const auto& [env, preset] : presets)
      for (const auto& [name, value] : preset) check_value(registry.find(name), value);
  for (const auto& [name, value] : registry.about.smoke) check_value(registry.find(name), value);
  for (const auto& [name, value] : registry.about.lecture) {
    check_value(registry.find(name), value);
    registry.find(name).fallback = registry.find(name).value = value;
  }

  const Given given = ask_cli11(registry, argc, argv);
  for (const auto& [name, value] : given) check_value(registry.find(name), value);

  const auto settle = [&](const Preset& values) {  // what the user wrote stays
    for (const auto& [name, value] : values)
      if (!given.contains(name)) registry.find(name).value = value;
  };
  for (const auto& [name, value] : given) registry.find(name).value = value;
  if (registry.find("redraw").value == "true") {
    settle(options_of_run(registry));
  } else {
    const Preset smoke = registry.find("smoke").value == "true" ? registry.about.smoke : Preset{};
    settle(smoke);  // once before the preset, because it may choose the environment
    settle(chosen_preset(registry));
    settle(smoke);
  }
  registry.parsed = true;
}

// --- the last checks -------------------------------------------------------------------------------------------

namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& value, const std::string& reason) {
  throw BadInput("--" + name + " " + beginning(value) + ": " + beginning(reason));
}

// The nearest directory of `path` that exists.
fs::path existing_parent(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path).lexically_normal();
  while (!fs::exists(path, ignored) && path != path.parent_path()) path = path.parent_path();
  return path;
}

// Whether `file` can be written in a directory that will be created if it is not there. Access rights do not tell: of
// root, of a file system without files of our own, of names that are too long. So a file is made and removed again.
void check_directory(const std::string& name, const std::string& value, const fs::path& directory,
                     const std::string& file) {
  std::error_code ignored;
  const fs::path parent = existing_parent(directory), made = file + "." + to_text(getpid()) + ".previous.tmp";
  const fs::path whole = directory / made;
  if (!fs::is_directory(parent, ignored)) refuse(name, value, parent.string() + " is not a directory");
  if (whole.string().size() >= PATH_MAX ||
      std::any_of(whole.begin(), whole.end(), [](const fs::path& part) { return part.string().size() > NAME_MAX; }))
    refuse(name, value, "a shorter name is wanted");
  int probe = -1;
#ifdef O_TMPFILE
  probe = open(parent.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);  // no name: nothing stays of a killed run
#endif
  if (probe < 0) {
    probe = open((parent / made).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (probe < 0) refuse(name, value, "cannot write in " + parent.string() + ": " + std::strerror(errno));
    unlink((parent / made).c_str());
  }
  close(probe);
}

// A file to read: --load, --resume.
void check_input(const std::string& name, const std::string& file) {
  std::error_code ignored;
  if (file.empty()) return;
  if (!fs::exists(file, ignored)) refuse(name, file, "there is no such file");
  if (!fs::is_regular_file(file, ignored)) refuse(name, file, "is not a file");
  if (access(file.c_str(), R_OK) != 0) refuse(name, file, "cannot be read");
}

// A file to write by replacing it: --save, --checkpoint.
void check_output(const std::string& name, const std::string& file, const std::string& out) {
  std::error_code ignored;
  if (file.empty()) return;
  if (fs::is_directory(file, ignored)) refuse(name, file, "is a directory, a file name is wanted");
  if (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored)) refuse(name, file, "is not a file");
  const fs::path directory = fs::absolute(file).lexically_normal().parent_path();
  const fs::path made = fs::absolute(out).lexically_normal() / "";  // --out is created, no other directory is
  if (!fs::is_directory(directory, ignored) && directory != made.parent_path())
    refuse(name, file, "there is no directory " + directory.string());
  check_directory(name, file, directory, fs::path(file).filename());
}

}  // namespace

void prepare(Args& opt) {
  if (opt.out.empty()) refuse("out", "''", "a directory is wanted");
  check_input("load", opt.load);
  check_input("resume", opt.resume);
  if (!opt.load.empty() && !opt.resume.empty())
    refuse("resume", opt.resume, "goes on with everything that was learned, --load " + opt.load + " starts anew");
  check_directory("out", opt.out, opt.out, opt.program + ".csv");
  check_output("save", opt.save, opt.out);
  check_output("checkpoint", opt.checkpoint, opt.out);
#ifdef _OPENMP
  if (opt.threads > 0) omp_set_num_threads(opt.threads);
#endif
}

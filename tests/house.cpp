// The house rules that a program can check: layers, slide tags, sizes, the chapters' READMEs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>
#include "tests/catch.h"

namespace fs = std::filesystem;

namespace {

std::vector<std::string> read_lines(const fs::path& path) {
  std::ifstream in(path);
  INFO("cannot read " << path);
  REQUIRE(in.good());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Every file below the folders with one of the endings, as a path from the top folder.
std::vector<fs::path> files(const std::vector<std::string>& folders, const std::vector<std::string>& endings) {
  std::vector<fs::path> found;
  for (const std::string& folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (std::count(endings.begin(), endings.end(), entry.path().extension().string())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

const std::vector<std::string> product = {"autodiff", "envs", "plots", "chapters"};

std::vector<fs::path> chapter_folders() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator("chapters")) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// The layer of a file: a file may include its own folder and lower layers.
int layer(const std::string& path) {
  if (path.starts_with("autodiff/")) return 0;
  if (path == "envs/rollout.cpp") return 4;  // a program, above plots and toolbox
  if (path.starts_with("envs/")) return 1;
  if (path.starts_with("plots/")) return 2;
  if (path.starts_with("chapters/")) return 3 + std::stoi(path.substr(9, 2));
  if (path.starts_with("tests/")) return 1000;
  return -1;
}

const std::regex quoted_include(R"re(^\s*#\s*include\s*"([^"]+)"\s*(//.*)?)re");
const std::regex angled_include(R"re(^#include <([^>]+)>)re");

// Where an arrow points up or sideways, includes a .cpp or carries no purpose: a list of complaints.
std::vector<std::string> layering_errors(const std::string& path, const std::vector<std::string>& lines) {
  std::vector<std::string> errors;
  const auto folder = [](const std::string& p) { return p.substr(0, p.rfind('/')); };
  for (const std::string& line : lines) {
    std::smatch m;
    if (!std::regex_search(line, m, quoted_include)) continue;
    const std::string target = m[1];
    const bool same_folder = folder(target) == folder(path) || target.starts_with(folder(path) + "/");
    if (layer(target) < 0) errors.push_back(path + " includes " + target + ", which is no path from the top folder");
    else if (!same_folder && layer(target) >= layer(path))
      errors.push_back(path + " includes " + target + ", which is not below");
    if (target.ends_with(".cpp") || target.ends_with(".cc"))
      errors.push_back(path + " includes the source file " + target);
    if (target.starts_with("chapters/") && !same_folder && !path.starts_with("tests/") && m[2].length() < 5)
      errors.push_back(path + " includes " + target + " without a purpose");
  }
  return errors;
}

struct Tag {
  std::string label;
  bool starred;
};
std::vector<Tag> tags(const std::vector<std::string>& lines) {
  static const std::regex tag(R"(//\(([A-Za-z]?[0-9]*)(\*?)\))");
  std::vector<Tag> found;
  for (const std::string& line : lines)
    for (std::sregex_iterator i(line.begin(), line.end(), tag), end; i != end; ++i)
      found.push_back({(*i)[1], (*i)[2].length() > 0});
  return found;
}

struct SlideLine {
  std::string label, file;
};
// slide.txt: "(label) file: the slide's words"; other lines are headings and remarks.
std::vector<SlideLine> slide_lines(const std::vector<std::string>& lines) {
  static const std::regex row(R"(^\(([A-Za-z]?[0-9]*)\)\s+(\S+):\s+\S.*$)");
  std::vector<SlideLine> found;
  for (const std::string& line : lines)
    if (std::smatch m; std::regex_match(line, m, row)) found.push_back({m[1], m[2]});
  return found;
}

// Complaints about a chapter: its slide's lines, the tags of its files, the README's list of differences.
std::vector<std::string> tag_errors(const std::vector<SlideLine>& slide,
                                    const std::map<std::string, std::vector<Tag>>& tags_by_file,
                                    const std::string& differences) {
  std::vector<std::string> errors;
  std::map<std::string, std::size_t> last;  // by file: where the previous label was first seen
  for (const auto& [label, file] : slide) {
    const auto in_file = tags_by_file.find(file);
    if (in_file == tags_by_file.end()) {
      errors.push_back("(" + label + "): there is no file " + file);
      continue;
    }
    const std::vector<Tag>& list = in_file->second;
    const auto first = std::find_if(list.begin(), list.end(), [&](const Tag& t) { return t.label == label; });
    if (first == list.end()) {
      errors.push_back("(" + label + ") is not in " + file);
      continue;
    }
    const std::size_t where = first - list.begin();
    if (last.contains(file) && where < last[file]) errors.push_back("(" + label + ") comes too early in " + file);
    last[file] = where;
  }
  for (const auto& [file, list] : tags_by_file)
    for (const auto& [label, starred] : list) {
      const auto known = [&](const SlideLine& line) { return line.label == label; };
      if (std::none_of(slide.begin(), slide.end(), known)) errors.push_back("unknown (" + label + ") in " + file);
      if (starred && differences.find("(" + label + "*)") == std::string::npos)
        errors.push_back("(" + label + "*) in " + file + " has no row under \"Where we differ from the slide\"");
    }
  return errors;
}

// The part of a README under one heading.
std::string section(const std::vector<std::string>& lines, const std::string& heading) {
  std::string text;
  bool inside = false;
  for (const std::string& line : lines) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    else if (inside) text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("includes point down: autodiff <- envs <- plots <- toolbox <- chapters in number order", "[house]") {
  for (const fs::path& path : files(product, {".h", ".cpp", ".cc", ".cu"})) {
    const std::vector<std::string> errors = layering_errors(path.string(), read_lines(path));
    CHECK(errors == std::vector<std::string>());
  }
}

TEST_CASE("the layering test finds arrows that point up, sideways or at a source file", "[house]") {
  const auto errors = [](const std::string& path, const std::string& line) {
    return layering_errors(path, {line}).size();
  };
  CHECK(errors("chapters/02_dyna_q/a.h", "#include \"chapters/01_q_planning/table.h\"  // max_a") == 0);
  CHECK(errors("chapters/02_dyna_q/a.h", "#include \"chapters/01_q_planning/table.h\"") == 1);
  CHECK(errors("chapters/01_q_planning/a.h", "#include \"chapters/02_dyna_q/a.h\"  // DynaQ") == 1);
  CHECK(errors("envs/a.h", "#include \"plots/plot.h\"") == 1);
  CHECK(errors("autodiff/a.h", "#include \"envs/env.h\"") == 1);
  CHECK(errors("envs/a.h", "#include \"envs/env.h\"") == 0);
  CHECK(errors("envs/a.h", "#include \"env.h\"") == 1);
  CHECK(errors("chapters/02_dyna_q/a.cpp", "#include \"chapters/02_dyna_q/main.cpp\"") == 1);
}

TEST_CASE("autodiff includes Eigen and the standard library only; heavy headers are seen by one file", "[house]") {
  const std::map<std::string, std::string> only_in = {{"CLI/", "chapters/00_toolbox/args.cpp"},
                                                      {"nlohmann/", "chapters/00_toolbox/safetensors.cpp"},
                                                      {"gnuplot-iostream", "plots/plot.cpp"}};
  for (const fs::path& path : files(product, {".h", ".cpp", ".cc"}))
    for (const std::string& line : read_lines(path)) {
      std::smatch m;
      if (!std::regex_search(line, m, angled_include)) continue;
      const std::string header = m[1];
      INFO(path << " includes " << header);
      if (path.string().starts_with("autodiff/"))
        CHECK((header.starts_with("Eigen/") || header.find_first_of("/.") == std::string::npos));
      for (const auto& [start, file] : only_in) CHECK((!header.starts_with(start) || path == file));
    }
}

TEST_CASE("files are short: headers 250 lines, main.cpp 150, READMEs of chapters 120, lines 120 columns", "[house]") {
  const auto columns = [](const std::string& line) {  // UTF-8: bytes that do not continue a character
    return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  };
  for (const fs::path& path : files({"autodiff", "envs", "plots", "chapters", "tests"}, {".h", ".cpp", ".cc"})) {
    const std::vector<std::string> lines = read_lines(path);
    INFO(path);
    if (path.extension() == ".h") CHECK(lines.size() <= 250);
    if (path.filename() == "main.cpp") CHECK(lines.size() <= 150);
    for (const std::string& line : lines) {
      INFO(line);
      CHECK(columns(line) <= 120);
    }
  }
}

TEST_CASE("a chapter's README has the house's headings, in order, and at most 120 lines", "[house]") {
  const std::vector<std::string> headings = {"You need", "Slides", "Symbols", "The algorithm", "Run it",
                                             "What you should see", "Traps", "Where we differ from the slide", "Try"};
  for (const fs::path& folder : chapter_folders()) {
    if (folder.filename().string().starts_with("00_")) continue;
    const std::vector<std::string> lines = read_lines(folder / "README.md");
    INFO(folder);
    CHECK(lines.size() <= 120);
    std::vector<std::string> found;
    for (const std::string& line : lines)
      if (line.starts_with("## ")) found.push_back(line.substr(3));
    CHECK(found == headings);
    for (const std::string& heading : headings) CHECK(section(lines, heading).size() > 10);
  }
}

TEST_CASE("a slide's labelled lines are tagged in the files that slide.txt names, in its order", "[house]") {
  for (const fs::path& folder : chapter_folders()) {
    const std::string name = folder.filename().string();
    if (name.starts_with("00_") || name.starts_with("15_")) continue;
    INFO(name);
    const std::vector<SlideLine> slide = slide_lines(read_lines(folder / "slide.txt"));
    CHECK(slide.size() > 0);
    std::map<std::string, std::vector<Tag>> by_file;
    for (const fs::path& path : files({folder.string()}, {".h", ".cpp", ".cc"}))
      by_file[path.filename()] = tags(read_lines(path));
    const std::string differences = section(read_lines(folder / "README.md"), "Where we differ from the slide");
    CHECK(tag_errors(slide, by_file, differences) == std::vector<std::string>());
  }
}

TEST_CASE("the tag test finds missing, unknown, disordered and unexplained tags", "[house]") {
  const std::vector<SlideLine> slide = slide_lines({"Slide \"X\"", "(1) x.h: one", "(2) x.h: two"});
  REQUIRE(slide.size() == 2);
  const auto errors = [&](const std::vector<std::string>& code, const std::string& differences) {
    return tag_errors(slide, {{"x.h", tags(code)}}, differences).size();
  };
  CHECK(errors({"a;  //(1) one", "b;  //(2)"}, "") == 0);
  CHECK(errors({"a;  //(1)"}, "") == 1);
  CHECK(errors({"b;  //(2)", "a;  //(1)"}, "") == 1);
  CHECK(errors({"a;  //(1)", "b;  //(2)", "c;  //(3)"}, "") == 1);
  CHECK(errors({"a;  //(1*)", "b;  //(2)"}, "") == 1);
  CHECK(errors({"a;  //(1*)", "b;  //(2)"}, "| (1*) | because |") == 0);
  CHECK(errors({"a;  // (1)", "b;  //(2)"}, "") == 1);
}

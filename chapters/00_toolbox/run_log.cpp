#include "chapters/00_toolbox/run_log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

#include "chapters/00_toolbox/errors.h"  // BadInput, LostOutput
#include "chapters/00_toolbox/files.h"   // read_bytes, fnv1a, sync_directory_of

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string cell = "\"";
  for (const char c : text) cell += c == '"' ? "\"\"" : std::string(1, c);
  return cell + "\"";
}

// --- writing ---------------------------------------------------------------------------------------------------

namespace {

std::string csv_line(const std::vector<std::string>& cells) {
  std::vector<std::string> quoted;
  for (const std::string& cell : cells) quoted.push_back(csv_cell(cell));
  return join(quoted, ",") + "\n";
}

}  // namespace

RunLog::RunLog(const Args& opt, std::vector<std::string> columns, const std::string& ending)
    : path(opt.path(ending)), width(columns.size()) {
  if (!opt.resume.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(opt.out, error);  // not earlier: a run that is refused leaves nothing behind
  file.reset(std::fopen(path.c_str(), "we"));
  if (!file) throw LostOutput(path + ": cannot be created: " + std::strerror(errno));
  std::string head;
  for (const auto& [name, value] : opt.named) head += "# " + name + "=" + one_line(value) + "\n";
  put(head + csv_line(columns));
}

std::string RunLog::name() const { return std::filesystem::path(path).filename().string(); }

std::FILE* RunLog::opened() const {
  if (!file) throw std::logic_error(path + ": rows before Checkpoint::resume, or no Checkpoint knows this log");
  return file.get();
}

void RunLog::lost() const { throw LostOutput(path + ": cannot be written: " + std::strerror(errno)); }

void RunLog::write(const std::vector<std::string>& cells) {
  if (cells.size() != width)
    throw std::logic_error(path + ": a row of " + to_text(cells.size()) + " cells under " + to_text(width) +
                           " columns");
  put(csv_line(cells));
}

void RunLog::put(const std::string& line) {
  const bool whole = std::fwrite(line.data(), 1, line.size(), opened()) == line.size();
  if (!whole || std::fflush(opened()) != 0) lost();
  // A file whose directory was removed still takes every byte: ask whether it has a name left.
  struct stat status;
  if (fstat(fileno(opened()), &status) == 0 && status.st_nlink == 0)
    throw LostOutput(path + ": was removed during the run");
  written = {written.bytes + line.size(), fnv1a(line, written.checksum)};
}

RunLog::Extent RunLog::sync() {
  if (fsync(fileno(opened())) != 0) lost();
  sync_directory_of(path);
  return written;
}

void RunLog::check(const Extent& kept) const {
  const std::string text = read_bytes(path);
  if (text.size() < kept.bytes)
    throw BadInput(path + ": has " + to_text(text.size()) + " bytes, the checkpoint counts " + to_text(kept.bytes));
  if (fnv1a(std::string_view(text).substr(0, kept.bytes)) != kept.checksum)
    throw BadInput(path + ": its first " + to_text(kept.bytes) + " bytes are not those that the checkpoint counts");
  if (access(path.c_str(), W_OK) != 0) throw BadInput(path + ": cannot be written: " + std::strerror(errno));
}

void RunLog::go_on(const Extent& kept) {
  file.reset(std::fopen(path.c_str(), "ae"));  // every row goes to the end, wherever that is
  if (!file || ftruncate(fileno(file.get()), static_cast<off_t>(kept.bytes)) != 0) lost();
  written = kept;
}

// --- reading ---------------------------------------------------------------------------------------------------

namespace {

// Reads the cells of one row from text[at...], quoted line breaks included. False if the text ends before the row.
bool read_row(const std::string& text, size_t& at, int& line, std::vector<std::string>& cells) {
  cells.assign(1, "");
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') cells.back() += c;
      else if (at + 1 < text.size() && text[at + 1] == '"') cells.back() += text[++at];
      else quoted = false;
    } else if (c == '"') quoted = true;
    else if (c == ',') cells.emplace_back();
    else if (c == '\n') return ++at, true;
    else if (c != '\r') cells.back() += c;
  }
  return false;
}

}  // namespace

Table read_csv(const std::string& path) {
  Table table;
  table.path = path;
  const std::string text = read_bytes(path);
  int line = 1;
  size_t at = 0;
  while (at < text.size() && text[at] == '#') {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string option = text.substr(at + 1, end - at - 1);
    if (const size_t equals = option.find('='); equals != std::string::npos && option[0] == ' ')
      table.options[option.substr(1, equals - 1)] = option.substr(equals + 1);
    at = end + 1;
    ++line;
  }
  if (!read_row(text, at, line, table.columns)) throw BadInput(path + ": has no header row");
  std::vector<std::string> cells;
  for (int begin = line; read_row(text, at, line, cells); begin = line) {
    if (cells.size() != table.columns.size())
      throw BadInput(path + ", line " + to_text(begin) + ": " + to_text(cells.size()) + " cells under " +
                     to_text(table.columns.size()) + " columns");
    table.rows.push_back(cells);
    table.lines.push_back(begin);
  }
  return table;
}

bool Table::has(const std::string& column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

size_t Table::index(const std::string& column) const {
  if (!has(column)) throw BadInput(path + ": has no column " + column + ", only " + join(columns, ", "));
  return std::find(columns.begin(), columns.end(), column) - columns.begin();
}

std::vector<std::string> Table::texts(const std::string& column) const {
  const size_t j = index(column);
  std::vector<std::string> values;
  for (const std::vector<std::string>& row : rows) values.push_back(row[j]);
  return values;
}

Table Table::where(const std::string& column, const std::string& text) const {
  Table selected{path, options, columns, {}, {}};
  const size_t k = index(column);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i][k] != text) continue;
    selected.rows.push_back(rows[i]);
    selected.lines.push_back(lines[i]);
  }
  return selected;
}

std::vector<double> Table::numbers(const std::string& column) const {
  const size_t j = index(column);
  std::vector<double> values;
  for (size_t i = 0; i < rows.size(); ++i) {
    double x = std::numeric_limits<double>::quiet_NaN();
    if (!rows[i][j].empty() && !read_number(rows[i][j], x))
      throw BadInput(path + ", line " + to_text(lines[i]) + ", column " + column + ": '" + rows[i][j] +
                     "' is not a number");
    values.push_back(x);
  }
  return values;
}

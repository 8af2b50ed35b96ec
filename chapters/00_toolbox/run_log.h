// The run log: a CSV file that grows row by row, and its reader.
//
//   # seed=0              every option of the run
//   env_steps,eval_return
//   1000,-183.5
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chapters/00_toolbox/args.h"   // Args
#include "chapters/00_toolbox/files.h"  // fnv1a

// A cell as CSV wants it: texts with a comma, a quote or a line break are quoted, quotes inside doubled.
std::string csv_cell(const std::string& text);

struct RunLog {
  // Creates <out>/<program><ending> with the options as head and `columns` as header row. With --resume it leaves the
  // file that is there alone, and takes rows after Checkpoint::resume. Throws LostOutput.
  RunLog(const Args& opt, std::vector<std::string> columns, const std::string& ending = ".csv");

  // Appends a row, one number or text per column, and hands it to the operating system at once. Numbers are written
  // so that they read back exactly; an empty text is an empty cell. Throws LostOutput; a wrong number of cells is a
  // mistake in the program (std::logic_error).
  template <class... Cells>
  void row(const Cells&... cells) {
    write({to_text(cells)...});
  }
  void write(const std::vector<std::string>& cells);

  // What checkpoint.h keeps of a log: how long it was, and the checksum of that.
  struct Extent {
    std::uint64_t bytes = 0, checksum = fnv1a("");
  };
  Extent sync();                         // of what is written so far, which is then on the disk. Throws LostOutput
  void check(const Extent& kept) const;  // throws BadInput unless the file is there, can be written and begins so
  void go_on(const Extent& kept);        // cuts off what comes after it, and takes rows. Throws LostOutput
  std::string name() const;              // the file's, without its directory

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path;
  size_t width;
  std::unique_ptr<std::FILE, Close> file;  // null with --resume, until go_on
  Extent written;
  std::FILE* opened() const;  // the file; without one it is a mistake in the program (std::logic_error)
  [[noreturn]] void lost() const;
  void put(const std::string& line);
};

// A CSV file in memory, cells as text.
struct Table {
  std::string path;                            // for messages
  std::map<std::string, std::string> options;  // the head's option=value
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // rows[i][column]
  std::vector<int> lines;                      // where row i begins in the file, counted from 1

  bool has(const std::string& column) const;
  // The rows whose cell in `column` is `text`.
  Table where(const std::string& column, const std::string& text) const;
  // One column, top to bottom, as numbers (an empty cell is NaN) or as texts. Throws BadInput: file, line, column.
  std::vector<double> numbers(const std::string& column) const;
  std::vector<std::string> texts(const std::string& column) const;

 private:
  size_t index(const std::string& column) const;
};

// Reads what RunLog writes. A last line without its line break was cut off in the middle and is left out.
// Throws BadInput with file, line and reason.
Table read_csv(const std::string& path);

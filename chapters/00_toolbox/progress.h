// The progress line of a run, and its last line.
#pragma once

#include <chrono>
#include <limits>
#include <string>

#include "chapters/00_toolbox/args.h"  // Args

// On a terminal one line on stderr, rewritten in place at most ten times a second:
//
//   06_mbpo  12500/50000 steps  return 183.2  1240 steps/s  0:30 left
//
// Into a file or a pipe a plain line, at most 20 in a run. Under --quiet nothing.
struct Progress {
  // `total` steps in all (over all seeds); `quantity` names the number that show() is given.
  Progress(const Args& opt, long total, const std::string& quantity = "return", const std::string& unit = "steps");
  ~Progress();  // leaves an empty line on the terminal
  Progress(const Progress&) = delete;

  // `step` of `total` are done; cheap enough for every step. Without a value the last one stays. One thread only.
  void show(long step);
  void show(long step, double value);

 private:
  using Clock = std::chrono::steady_clock;
  std::string program, quantity, unit;
  long total, lines = 0;
  bool quiet, terminal;
  double value = std::numeric_limits<double>::quiet_NaN();
  Clock::time_point started = Clock::now(), drawn = started - std::chrono::hours(1);
  std::string text(long step) const;
};

// The run's last line, on stdout: program | seconds | headline | picture. `headline` is the result in words, such as
// "return 183 after 5000 steps"; the picture is <out>/<program>.png or .gif if this run drew it.
void finish(const Args& opt, const std::string& headline);

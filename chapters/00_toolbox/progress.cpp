#include "chapters/00_toolbox/progress.h"

#include <cmath>
#include <cstdio>
#include <ctime>
#include <sys/stat.h>
#include <unistd.h>

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class... Numbers>
std::string format(const char* pattern, Numbers... numbers) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, numbers...);
  return text;
}

std::string clock_text(double seconds) {
  const long s = std::lround(std::min(seconds, 1e9));
  return s < 3600 ? format("%ld:%02ld", s / 60, s % 60) : format("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Progress::Progress(const Args& opt, long total, const std::string& quantity, const std::string& unit)
    : program(opt.program), quantity(quantity), unit(unit), total(total), quiet(opt.quiet), terminal(isatty(2)) {}

Progress::~Progress() {
  if (terminal && !quiet) std::fputs("\r\033[K", stderr);
}

void Progress::show(long step, double now) {
  value = now;
  show(step);
}

void Progress::show(long step) {
  if (quiet) return;
  if (terminal) {
    if (seconds_since(drawn) < 0.1) return;
    drawn = Clock::now();
    std::fprintf(stderr, "\r\033[K%s", text(step).c_str());
    std::fflush(stderr);
  } else if (step * 20 >= total * (lines + 1)) {  // each twentieth of the run
    lines = step * 20 / std::max(total, 1l);
    std::fprintf(stderr, "%s\n", text(step).c_str());
  }
}

std::string Progress::text(long step) const {
  const double elapsed = seconds_since(started);
  const double speed = step / std::max(elapsed, 1e-9);
  std::string line = program + "  " + to_text(step) + "/" + to_text(total) + " " + unit;
  if (!std::isnan(value)) line += "  " + quantity + " " + format("%.4g", value);
  line += "  " + format(speed < 10 ? "%.2g " : "%.0f ", speed) + unit + "/s";
  if (step > 0) line += "  " + clock_text((total - step) / speed) + " left";
  return line;
}

void finish(const Args& opt, const std::string& headline) {
  const double seconds = seconds_since(opt.started);
  std::string picture;
  for (const char* ending : {".gif", ".png"}) {
    struct stat file;
    if (stat(opt.path(ending).c_str(), &file) == 0 && std::time(nullptr) - file.st_mtime <= seconds + 1)
      picture = opt.path(ending);
  }
  std::printf("%s | %.1f s | %s | %s\n", opt.program.c_str(), seconds, headline.c_str(), picture.c_str());
  std::fflush(stdout);
}

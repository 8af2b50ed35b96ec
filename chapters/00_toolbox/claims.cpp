#include "chapters/00_toolbox/claims.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "chapters/00_toolbox/curves.h"  // interval95

namespace {

const double infinity = std::numeric_limits<double>::infinity();

std::string six_digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return text;
}

// Claims are measured from the whole CSV file, so their own begins at its beginning, with --resume too.
Args anew(Args opt) {
  opt.resume.clear();
  return opt;
}

}  // namespace

Claims::Claims(const Args& opt)
    : first_seed(opt.seed),
      log(anew(opt), {"claim", "slide", "expected", "measured", "low", "high", "seeds", "verdict"}, "_claims.csv") {}

std::string Claims::at_least(const std::string& claim, const std::string& slide, const Measured& x, double threshold) {
  return judge(claim, slide, "at least " + to_text(threshold), x, threshold, infinity);
}

std::string Claims::at_most(const std::string& claim, const std::string& slide, const Measured& x, double threshold) {
  return judge(claim, slide, "at most " + to_text(threshold), x, -infinity, threshold);
}

std::string Claims::between(const std::string& claim, const std::string& slide, const Measured& x, double low,
                            double high) {
  return judge(claim, slide, to_text(low) + (low == high ? "" : " to " + to_text(high)), x, low, high);
}

// The claimed side is [low, high]. Differences that are all exactly 0 against 0 say that nothing can differ here.
std::string Claims::judge(const std::string& claim, const std::string& slide, const std::string& expected,
                          const Measured& x, double low, double high) {
  Interval found = interval95(x.values);
  if (x.is_exact) found.low = found.high = found.mean;
  const bool inside = low <= found.low && found.high <= high;  // false for NaN, as is the next line
  const bool outside = found.high < low || high < found.low;
  const bool all_zero = !x.is_exact && std::all_of(x.values.begin(), x.values.end(), [](double v) { return v == 0; });
  const bool idle = all_zero && (low == 0 || high == 0);
  const std::string verdict = inside && !idle ? "holds" : outside ? "does not hold" : "unclear";

  // The seeds that were run, which are fewer than asked for after Ctrl-C.
  const int last_seed = first_seed + static_cast<int>(x.values.size()) - 1;
  const std::string seeds = x.is_exact || x.values.empty() ? ""
                            : x.values.size() == 1         ? to_text(first_seed)
                                                           : to_text(first_seed) + "-" + to_text(last_seed);
  const bool interval = !x.is_exact && !std::isnan(found.low);
  log.row(claim, slide, expected, six_digits(found.mean), interval ? six_digits(found.low) : "",
          interval ? six_digits(found.high) : "", seeds, verdict);
  return verdict;
}

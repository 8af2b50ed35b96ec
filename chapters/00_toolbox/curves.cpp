#include "chapters/00_toolbox/curves.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <map>

Interval interval95(const std::vector<double>& samples) {
  const double n = static_cast<double>(samples.size());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  double sum = 0, squares = 0;
  for (const double x : samples) sum += x;
  const double mean = sum / n;
  if (samples.size() < 2 || !std::isfinite(mean)) return {samples.empty() ? nan : mean, nan, nan};
  for (const double x : samples) squares += (x - mean) * (x - mean);
  const double t = boost::math::quantile(boost::math::students_t(n - 1), 0.975);
  const double half = t * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

namespace {

using Seeds = std::map<std::string, std::vector<double>>;  // seed -> its values at one x

Interval average(const Seeds& seeds) {
  std::vector<double> samples;
  for (const auto& [seed, values] : seeds) samples.push_back(interval95(values).mean);
  return interval95(samples);
}

}  // namespace

std::vector<Curve> curves(const Table& table, const std::vector<std::string>& keys, const std::string& x,
                          const std::string& value) {
  std::vector<std::vector<std::string>> key_texts;
  for (const std::string& key : keys) key_texts.push_back(table.texts(key));
  const std::vector<double> xs = table.numbers(x), ys = table.numbers(value);
  const std::vector<std::string> seeds = table.has("seed") ? table.texts("seed") : std::vector<std::string>{};

  std::vector<std::string> labels;  // in order of first appearance
  std::map<std::string, std::map<double, Seeds>> groups;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (std::isnan(xs[i]) || std::isnan(ys[i])) continue;
    std::vector<std::string> words;
    for (const std::vector<std::string>& texts : key_texts) words.push_back(texts[i]);
    const std::string label = join(words, ", ");
    if (!groups.contains(label)) labels.push_back(label);
    groups[label][xs[i]][seeds.empty() ? to_text(i) : seeds[i]].push_back(ys[i]);
  }

  std::vector<Curve> all;
  for (const std::string& label : labels) {
    Curve curve{label, {}, {}, {}, {}};
    for (const auto& [at, samples] : groups[label]) {
      const Interval y = average(samples);
      curve.x.push_back(at);
      curve.mean.push_back(y.mean);
      curve.low.push_back(std::isnan(y.low) ? y.mean : y.low);
      curve.high.push_back(std::isnan(y.high) ? y.mean : y.high);
    }
    all.push_back(curve);
  }
  return all;
}

// What a column of a CSV file says of many random MDPs, as a line with a band.
#pragma once
#include <map>
#include "chapters/00_toolbox/run_log.h"     // Table
#include "chapters/00_toolbox/statistics.h"  // quantile
#include "plots/plot.h"                      // Layer

// The median over the rows against x, with the middle 90 %.
inline Layer over_mdps(const Table& table, const std::string& label, const std::string& x, const std::string& column) {
  std::map<double, std::vector<double>> at;
  const std::vector<double> where = table.numbers(x), value = table.numbers(column);
  for (std::size_t i = 0; i < where.size(); ++i) at[where[i]].push_back(value[i]);
  Layer layer = curve(label, {}, {}, {}, {});
  for (const auto& [place, values] : at) {
    layer.x.push_back(place), layer.y.push_back(quantile(values, 0.5));
    layer.low.push_back(quantile(values, 0.05)), layer.high.push_back(quantile(values, 0.95));
  }
  return layer;
}

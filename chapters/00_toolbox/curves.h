// Learning curves over several seeds: mean and 95 % interval.
#pragma once

#include <string>
#include <vector>

#include "chapters/00_toolbox/run_log.h"  // Table

struct Interval {
  double mean, low, high;
};

// Mean and 95 % confidence interval of the mean, mean +- t_{0.975, n-1} s / sqrt(n) (Student). With one sample the
// interval is not known: low and high are NaN, and of no sample the mean is NaN too.
Interval interval95(const std::vector<double>& samples);

// A value against x, x ascending. Where only one seed has a value, low and high equal the mean.
struct Curve {
  std::string label;
  std::vector<double> x, mean, low, high;
};

// Groups the rows by the texts in the key columns (order of first appearance; the label is those texts, joined by ", ")
// and averages `value` over seeds at each x. Several rows of one seed at one x count as one sample, their mean; without
// a column "seed" every row is a sample. Empty cells and NaN are left out. Throws BadInput as Table does.
std::vector<Curve> curves(const Table& table, const std::vector<std::string>& keys, const std::string& x,
                          const std::string& value);

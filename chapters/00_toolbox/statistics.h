// Statistics of a list of numbers.
#pragma once

#include <vector>

// NaN of none.
double mean(const std::vector<double>& x);

// The value below which a share q of x lies, of the values themselves; NaN of none.
double quantile(std::vector<double> x, double q);

// Spearman's rank correlation of x and y, of one length: the correlation of the ranks, those of equal values averaged.
// NaN if all x or all y are equal.
double rank_correlation(const std::vector<double>& x, const std::vector<double>& y);

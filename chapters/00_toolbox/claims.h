// A slide's headline claims, measured: <out>/<program>_claims.csv.
#pragma once

#include <string>
#include <vector>

#include "chapters/00_toolbox/run_log.h"  // RunLog

// What was measured: one value per seed, or one number without an interval: what an exact computation returned, or a
// median or share where the claim is about that.
struct Measured {
  Measured(std::vector<double> per_seed) : values(std::move(per_seed)) {}
  std::vector<double> values;
  bool is_exact = false;
};
inline Measured exact(double x) {
  Measured measured({x});
  measured.is_exact = true;
  return measured;
}

// `holds`: the whole 95 % interval over seeds (of one number: the number) is on the claimed side, its limit
// included; `does not hold`: it is on the other; else `unclear`. One seed has no interval: always `unclear`, as is NaN,
// and as are seeds whose values are all exactly 0 where the limit is 0: two runs that are both at their best, or that
// did the same, say nothing about which is better.
//
//   Claims claims(opt);
//   claims.at_most("n = 50 is at the shortest path within 6 episodes", "Dyna-Q on a Simple Maze", episodes, 6);
//   claims.between("k* of the branched bound", "Bound based on Model & Policy Error", exact(k_star), 5, 7);
//
// Each call writes one row, claim,slide,expected,measured,low,high,seeds,verdict, and returns the verdict.
struct Claims {
  explicit Claims(const Args& opt);  // throws LostOutput, as do the others
  std::string at_least(const std::string& claim, const std::string& slide, const Measured& x, double threshold);
  std::string at_most(const std::string& claim, const std::string& slide, const Measured& x, double threshold);
  std::string between(const std::string& claim, const std::string& slide, const Measured& x, double low, double high);

 private:
  int first_seed;
  RunLog log;
  std::string judge(const std::string& claim, const std::string& slide, const std::string& expected, const Measured& x,
                    double low, double high);
};

// Chapter 04, the store of transitions: first in first out, samples, splits, files.
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/04_pets/transitions.h"
#include "tests/scratch.h"
#include "tests/statistics.h"

namespace {

// The i-th of many transitions of 2 numbers and 1 action, each told by its numbers.
Transition numbered(int i) {
  const Real x = Real(i);
  return {.s = Mat::Constant(2, 1, x), .a = Mat::Constant(1, 1, x + Real(0.25)), .r = 10 * x,
          .s_next = Mat::Constant(2, 1, x + Real(0.5)), .terminated = i % 3 == 0, .truncated = i % 2 == 0};
}
// Which they are; -1 for a column whose parts do not belong together.
std::vector<int> numbers_in(const Batch& b) {
  std::vector<int> found;
  for (int j = 0; j < b.size(); ++j) {
    const int i = int(b.s(0, j));
    const Transition t = numbered(i);
    const bool whole = (b.s.col(j) == t.s.col(0)).all() && (b.a.col(j) == t.a.col(0)).all() && b.r(0, j) == t.r &&
                       (b.s_next.col(j) == t.s_next.col(0)).all() && b.not_done(0, j) == (t.terminated ? 0 : 1);
    found.push_back(whole ? i : -1);
  }
  return found;
}
std::set<int> set_of(const Batch& b) {
  const std::vector<int> found = numbers_in(b);
  return {found.begin(), found.end()};
}
std::set<int> range_of(int from, int to) {
  std::set<int> all;
  for (int i = from; i < to; ++i) all.insert(i);
  return all;
}
Batch batch_of(int from, int to) {
  Transitions D(2, 1, to - from);
  for (int i = from; i < to; ++i) D.add(numbered(i));
  return D.all();
}

}  // namespace

TEST_CASE("transitions: first in, first out", "[04]") {
  Transitions D(2, 1, 10);
  CHECK(D.size == 0);
  CHECK(D.all().size() == 0);
  for (int i = 0; i < 7; ++i) D.add(numbered(i));
  CHECK(D.size == 7);
  CHECK(set_of(D.all()) == range_of(0, 7));
  for (int i = 7; i < 23; ++i) D.add(numbered(i));
  CHECK(D.size == 10);
  CHECK(D.all().size() == 10);
  CHECK(set_of(D.all()) == range_of(13, 23));
}

TEST_CASE("transitions: a batch is its transitions one after the other, also around the end and beyond it", "[04]") {
  for (const int before : {0, 3, 8, 10, 14})
    for (const int n : {0, 1, 2, 5, 10, 13, 27}) {
      Transitions one(2, 1, 10), all(2, 1, 10);
      for (int i = 0; i < before; ++i) one.add(numbered(i)), all.add(numbered(i));
      for (int i = before; i < before + n; ++i) one.add(numbered(i));
      if (n > 0) all.add(batch_of(before, before + n));
      INFO(before << " before, then " << n);
      CHECK(all.size == one.size);
      CHECK(set_of(all.all()) == set_of(one.all()));
      CHECK(set_of(all.all()) == range_of(std::max(0, before + n - 10), before + n));
      for (int i = before + n; i < before + n + 4; ++i) one.add(numbered(i)), all.add(numbered(i));  // and on it goes
      CHECK(set_of(all.all()) == set_of(one.all()));
    }
}

TEST_CASE("a time limit is not a terminal state: not_done stays 1", "[04]") {
  Transitions D(2, 1, 4);
  Transition t = numbered(1);
  for (const bool terminated : {false, true})
    for (const bool truncated : {false, true}) t.terminated = terminated, t.truncated = truncated, D.add(t);
  const Batch b = D.at(std::vector<int>{0, 1, 2, 3});
  CHECK(b.not_done(0, 0) == 1);
  CHECK(b.not_done(0, 1) == 1);
  CHECK(b.not_done(0, 2) == 0);
  CHECK(b.not_done(0, 3) == 0);
}

TEST_CASE("a sample is uniform over what is stored, with whole transitions and repetition", "[04]") {
  Rng rng(100);
  Transitions D(2, 1, 100);
  CHECK_THROWS_AS(D.sample(1, rng), std::invalid_argument);
  for (int i = 0; i < 20; ++i) D.add(numbered(i));
  const Batch b = D.sample(20000, rng);
  REQUIRE(b.size() == 20000);
  std::vector<long> counts(20);
  for (const int i : numbers_in(b)) {
    REQUIRE(i >= 0);
    REQUIRE(i < 20);
    ++counts[i];
  }
  CHECK(std::abs(chi_square(counts)) < 4);
}

TEST_CASE("a split is two parts at random, every transition in one of them, n in the second", "[04]") {
  Rng rng(100);
  Transitions D(2, 1, 30);
  for (int i = 0; i < 25; ++i) D.add(numbered(i));
  std::set<std::set<int>> drawn;
  for (const int n : {0, 1, 8, 25}) {
    const auto [first, second] = D.split(n, rng);
    CHECK(first.size() == 25 - n);
    CHECK(second.size() == n);
    std::set<int> both = set_of(first);
    both.merge(set_of(second));
    CHECK(both == range_of(0, 25));
  }
  for (int k = 0; k < 20; ++k) drawn.insert(set_of(D.split(8, rng).second));
  CHECK(drawn.size() == 20);
}

TEST_CASE("transitions come back from a file with where the next one goes", "[04]") {
  const Scratch dir;
  Transitions D(2, 1, 10), E(2, 1, 10);
  for (int i = 0; i < 13; ++i) D.add(numbered(i));
  save_networks(dir / "D", D);
  load_networks(dir / "D", E);
  CHECK(set_of(E.all()) == range_of(3, 13));
  D.add(numbered(13)), E.add(numbered(13));
  CHECK(set_of(E.all()) == range_of(4, 14));
}

// The one store of experience: PETS's data D, later D_env, D_model and the replay buffer of SAC.
#pragma once
#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"  // AnyColumns
#include "envs/env.h"

// Transitions side by side, one per column.
struct Batch {
  Mat s, a, r, s_next;  // (state_dim, n), (action_dim, n), (1, n), (state_dim, n)
  Mat not_done;         // (1, n), 0 where s_next is terminal
  Eigen::Index size() const { return s.cols(); }
};

// Keeps the last `capacity` transitions: first in, first out. The order of the columns is not the order of arrival once
// it is full.
struct Transitions {
  Eigen::Index capacity, size = 0, next = 0;  // next: the column that is written next
  Batch data;                                 // columns 0, ..., size - 1 are filled; grows as needed

  Transitions(int state_dim, int action_dim, Eigen::Index capacity) : capacity(capacity) {
    if (capacity < 1) throw std::invalid_argument("Transitions: the capacity must be at least 1");
    data = {Mat(state_dim, 0), Mat(action_dim, 0), Mat(1, 0), Mat(state_dim, 0), Mat(1, 0)};
  }

  void add(const Transition& t) {
    // A time limit is not a terminal state: the bootstrap goes on through it.
    add(Batch{t.s, t.a, Mat::Constant(1, 1, t.r), t.s_next, Mat::Constant(1, 1, t.terminated ? 0 : 1)});
  }
  void add(const Batch& batch) {
    for (Eigen::Index j = 0; j < batch.size();) {  // as many columns at once as fit before the end
      const Eigen::Index n = std::min(batch.size() - j, capacity - next);
      reserve(next + n);
      each(data, batch, [&](Mat& to, const Mat& from) { to.middleCols(next, n) = from.middleCols(j, n); });
      size = std::max(size, next + n), next = (next + n) % capacity, j += n;
    }
  }

  // n of them, uniformly with replacement. Throws std::invalid_argument if there are none.
  Batch sample(Eigen::Index n, Rng& rng) const {
    if (size == 0) throw std::invalid_argument("Transitions: nothing to sample from");
    std::vector<int> columns(n);
    for (int& j : columns) j = int(rng.below(size));
    return at(columns);
  }
  // The same draw into a batch that is there already: once it has the size, nothing is allocated.
  void sample(Eigen::Index n, Rng& rng, Batch& into) const {
    if (size == 0) throw std::invalid_argument("Transitions: nothing to sample from");
    each(into, data, [&](Mat& to, const Mat& from) { to.resize(from.rows(), n); });
    for (Eigen::Index i = 0; i < n; ++i) {
      const Eigen::Index j = Eigen::Index(rng.below(size));
      each(into, data, [&](Mat& to, const Mat& from) { to.col(i) = from.col(j); });
    }
  }
  // Two parts at random, every transition in one of them, n in the second. 0 <= n <= size.
  std::pair<Batch, Batch> split(Eigen::Index n, Rng& rng) const {
    std::vector<int> order(size);
    std::iota(order.begin(), order.end(), 0);
    rng.shuffle(order);
    return {at({order.begin(), order.end() - n}), at({order.end() - n, order.end()})};
  }
  Batch all() const {
    Batch batch;
    each(batch, data, [&](Mat& to, const Mat& from) { to = from.leftCols(size); });
    return batch;
  }
  Batch at(const std::vector<int>& columns) const {
    Batch batch;
    each(batch, data, [&](Mat& to, const Mat& from) { to = from(Eigen::all, columns); });
    return batch;
  }

  // Throws std::invalid_argument if what it loads is no store.
  template <class Ar> void io(Ar& ar) {
    ar("capacity", capacity), ar("size", size), ar("next", next);
    const auto store = [&](const char* name, Mat& m) {
      AnyColumns<Mat> columns{m};
      ar(name, columns);
    };
    store("s", data.s), store("a", data.a), store("r", data.r), store("s_next", data.s_next);
    store("not_done", data.not_done);
    bool whole = 0 <= size && size <= data.size() && data.size() <= capacity && 0 <= next && next <= size;
    for (const Mat* m : {&data.a, &data.r, &data.s_next, &data.not_done}) whole = whole && m->cols() == data.size();
    if (!whole || next == capacity) throw std::invalid_argument("capacity, size and next are not those of its columns");
  }

 private:
  template <class F> static void each(Batch& to, const Batch& from, F f) {
    f(to.s, from.s), f(to.a, from.a), f(to.r, from.r), f(to.s_next, from.s_next), f(to.not_done, from.not_done);
  }
  void reserve(Eigen::Index n) {  // twice as much each time, so that adding one by one costs no more
    if (n <= data.size()) return;
    const Eigen::Index columns = std::min(capacity, std::max(n, 2 * data.size()));
    for (Mat* m : {&data.s, &data.a, &data.r, &data.s_next, &data.not_done})
      m->conservativeResizeLike(Mat::Zero(m->rows(), columns));
  }
};

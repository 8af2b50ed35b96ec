// Whole training runs at once, as many as there are threads.
#pragma once
#include <exception>
#include <vector>
#include "chapters/00_toolbox/errors.h"  // interrupted

// work(i) for i = 0, ..., n - 1, whichever thread is free; done(i) in the order of i, never two at once, as soon as all
// work up to i is complete. Nothing begins after Ctrl-C, and then done is not called any more. If some work throws, no
// other begins, and the exception of the lowest i leaves.
template <class Work, class Done> void side_by_side(int n, Work work, Done done) {
  std::vector<std::exception_ptr> thrown(n);
  std::vector<char> complete(n, false);
  bool go_on = true;
  int next = 0;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1)
#endif
  for (int i = 0; i < n; ++i) {
    bool begin = false;
#ifdef _OPENMP
#pragma omp critical(side_by_side)
#endif
    begin = go_on && !interrupted();
    if (!begin) continue;
    try {
      work(i);
    } catch (...) {
      thrown[i] = std::current_exception();
    }
#ifdef _OPENMP
#pragma omp critical(side_by_side)
#endif
    try {
      go_on = go_on && !thrown[i];
      complete[i] = !thrown[i];
      while (next < n && complete[next] && !interrupted()) done(next++);
    } catch (...) {
      thrown[i] = std::current_exception(), go_on = false;
    }
  }
  for (const std::exception_ptr& e : thrown)
    if (e) std::rethrow_exception(e);
}

// Work on several cores. What is computed must not depend on the thread: then the numbers do not depend on how many.
#pragma once

#include <array>
#include <exception>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
inline int max_threads() { return omp_get_max_threads(); }
#else
inline int max_threads() { return 1; }
#endif

// f(i, thread) for i = 0, ..., n - 1, thread in 0, ..., max_threads() - 1, each thread an equal run of consecutive i.
// If some f throw, the exception of the lowest i leaves, after all have ended.
template <class F>
void parallel_for(int n, F f) {
  std::vector<std::exception_ptr> thrown(n);
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
  for (int i = 0; i < n; ++i) try {
#ifdef _OPENMP
      f(i, omp_get_thread_num());
#else
      f(i, 0);
#endif
    } catch (...) {
      thrown[i] = std::current_exception();
    }
  for (const std::exception_ptr& e : thrown)
    if (e) std::rethrow_exception(e);
}

// f(0) and f(1), at once if there are two threads and `worth`, without an allocation. A region costs some microseconds,
// and far more where another process has the second core: work of less than a tenth of a millisecond is not worth it.
template <class F>
void parallel_pair(bool worth, F f) {
  std::array<std::exception_ptr, 2> thrown;
  const auto call = [&](int i) {
    try {
      f(i);
    } catch (...) {
      thrown[i] = std::current_exception();
    }
  };
  if (worth && max_threads() > 1) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(2)
#endif
    for (int i = 0; i < 2; ++i) call(i);
  } else {
    call(0), call(1);
  }
  for (const std::exception_ptr& e : thrown)
    if (e) std::rethrow_exception(e);
}

// Work with a given number of OpenMP threads; without OpenMP there is one.
#pragma once
#ifdef _OPENMP
#include <omp.h>
#endif

struct Threads {
#ifdef _OPENMP
  int before = omp_get_max_threads();
  explicit Threads(int n) { omp_set_num_threads(n); }
  ~Threads() { omp_set_num_threads(before); }
#else
  explicit Threads(int) {}
#endif
};

// f(), computed with n threads.
template <class F> auto with_threads(int n, F f) {
  [[maybe_unused]] const Threads threads(n);
  return f();
}

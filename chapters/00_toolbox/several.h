// Several algorithms, each on every seed, in a program that can be resumed.
#pragma once
#include <algorithm>
#include "chapters/00_toolbox/args.h"    // Args
#include "chapters/00_toolbox/errors.h"  // interrupted

// Seed by seed, in each seed the algorithms in their order, from where x stands: what start(seed, algo) made, or
// Checkpoint::resume filled; x points to a struct with seed and algo. run(algo, i) goes on with *x, the i-th of all
// runs; then start makes the next *x. Nothing begins after Ctrl-C.
template <class Pointer, class Start, class Run>
void run_several(const Args& opt, const std::vector<std::string>& algos, const Pointer& x, Start start, Run run) {
  std::size_t i = std::size_t(x->seed - opt.seed) * algos.size() +
                  std::size_t(std::find(algos.begin(), algos.end(), x->algo) - algos.begin());
  for (const std::size_t first = i; i < algos.size() * opt.seeds && !interrupted(); ++i) {
    const std::string& algo = algos[i % algos.size()];
    if (i != first) start(opt.seed + int(i / algos.size()), algo);
    run(algo, long(i));
  }
}

// The kernels of the ensemble's training against chapter 04, run by the emulation of chapters/15_cuda/on_cpu.h.
#include "chapters/15_cuda/ensemble_fit.cu"
#include "tests/checked.h"  // check_each

// Sizes that fill no tile, and a last batch that is smaller than the others.
TEST_CASE("An epoch of the ensemble on the device is that of chapter 04: loss, moments, parameters", "[15]") {
  const FitSizes odd{2, 5, 3, 45, 2, 37, 90, 64}, small{3, 2, 1, 9, 1, 70, 90, 32};
  check_each(check_fit<Naive, Naive>("naive", small));
  check_each(check_fit<Tiled<40, 64, 4, 4>, Step>("tiled 40 x 64", odd));
  check_each(check_fit<Tiled<40, 64, 8, 8>, Step>("8 x 8 a thread", small));
}

// Two fits, the second with more data and from where the first ended: the normalisers, the bootstraps, the moments and
// the kept members must all be carried along.
TEST_CASE("A whole fit on the device is Ensemble::fit: epochs, holdout errors, elites, predictions", "[15]") {
  const int members = 3, in = 4, dim = 2, hidden = 12;
  const bool standardise = GENERATE(true, false);
  Rng data(1);
  const auto samples = [&](int n) {
    const Mat X = 2 * data.normal(in, n) + 1;
    return std::pair(X, Mat((0.5f * X.topRows(dim)).sin() * 3 + 0.1f * data.normal(dim, n)));
  };
  const EnsembleOptions o{.members = members, .elites = 2, .hidden = {hidden, hidden}, .lr = 3e-3f,
                          .decay = {1e-3f, 2e-3f, 3e-3f}, .standardise_targets = standardise, .batch = 16,
                          .epochs = 6, .patience = 1};
  Rng rng(2), same(2);
  Ensemble cpu(in, dim, o, rng), model(in, dim, o, same);
  FitOnDevice device(model, 90, 32);
  const Mat x = data.normal(in, 20);
  for (const int n : {60, 90}) {
    const auto [X, Y] = samples(n);
    cpu.fit(X, Y, rng), device.fit<Naive, Naive>(model, X, Y, same);
    INFO(n);
    CHECK(model.epochs == cpu.epochs);
    CHECK(model.elites == cpu.elites);
    CHECK(rng.below(1000000) == same.below(1000000));
    for (int m = 0; m < members; ++m) {
      CHECK(model.holdout_mse[m] == Approx(cpu.holdout_mse[m]).epsilon(1e-3));
      const Gaussian<Mat> y = model.members[m].predict(x), ref = cpu.members[m].predict(x);
      CHECK(error_of(y.mu, ref.mu) < 1e-3);
      CHECK(error_of(y.log_var, ref.log_var) < 1e-3);
    }
  }
  const Optimisers of_device(model), of_cpu(cpu);
  CHECK(of_device.found[1]->t == of_cpu.found[1]->t);
  CHECK(error_of(of_device.found[1]->m[0], of_cpu.found[1]->m[0]) < 1e-2);
}

TEST_CASE("A fit on the device that diverges is NotFinite", "[15]") {
  Rng rng(5);
  Ensemble model(2, 1, {.members = 2, .elites = 2, .hidden = {8}, .lr = 1e20f, .batch = 8, .epochs = 3}, rng);
  FitOnDevice device(model, 40, 32);
  const Mat X = rng.normal(2, 40), Y = X.topRows(1);
  CHECK_THROWS_AS((device.fit<Naive, Naive>(model, X, Y, rng)), NotFinite);
}

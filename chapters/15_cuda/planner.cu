// The planner of PETS on a device: CEM iterations whose plans are all carried through the learned model at once.
//
//   make 15_cuda_planner && build/15_cuda_planner      compiled with CUDA 13.0; not yet run on a device
//
// Read in this order: planner_tasks.h, planner_model.h (the ensemble as one array), planner_trajectories.h,
// planner_rollout.h (three versions of the hot kernel, from naive to fast), planner.h (the other kernels of an
// iteration, launchers, the graph); here the CPU's side, with the same random numbers.
#include <chrono>
#include "chapters/04_pets/propagation.h"  // Particles, ModelReturn
#include "chapters/15_cuda/planner.h"

namespace {

// ---- The CPU: chapters 03 and 04 with the device's random numbers ----

// Chapter 03's plans: mu + sigma z. (D, N)
Mat plans_on_cpu(const Mat& mu, const Mat& var, int N, std::uint64_t seed, std::uint64_t call) {
  const Mat sigma = min(var, min(square((1 + mu) / 2), square((1 - mu) / 2))).sqrt();
  Mat z(mu.rows(), N);
  for (Eigen::Index i = 0; i < z.size(); ++i) {
    int attempt = 0;
    do z.data()[i] = normal_at(seed, plan_stream(call, attempt++), i);
    while (std::abs(z.data()[i]) > 2);
  }
  return (z.colwise() * sigma.col(0)).colwise() + mu.col(0);
}

// Chapter 04's Particles::step for TSinf, xi given.
Mat step_on_cpu(const Ensemble& model, const Env& env, const Mat& s, const Mat& a, const Mat& xi) {
  const Mat x = concat(env.net_input(s), a);
  const Eigen::Index n = s.cols() / Eigen::Index(model.elites.size());
  Mat y(xi.rows(), xi.cols());
  for (std::size_t b = 0; b < model.elites.size(); ++b) {
    const Mat mine = x.middleCols(b * n, n);
    y.middleCols(b * n, n) = model.options.probabilistic ? model.elite(int(b)).sample(mine, xi.middleCols(b * n, n))
                                                         : model.elite(int(b)).predict(mine).mu;
  }
  return env.net_apply(s, y);
}

// Chapter 04's ModelReturn. (D, N) -> (1, N)
Mat returns_on_cpu(const Ensemble& model, const Env& env, const Mat& s, const Mat& plans, int P, std::uint64_t seed,
                   std::uint64_t call) {
  const Eigen::Index N = plans.cols(), T = plans.rows() / env.action_dim;
  const std::uint64_t rows = (env.state_dim + 3) / 4 * 4;
  Mat s_t = s.replicate(1, N * P), sum = Mat::Zero(1, N * P), ended = sum, xi(env.state_dim, N * P);
  for (Eigen::Index t = 0; t < T; ++t) {
    for (Eigen::Index j = 0; j < N * P; ++j)
      for (int i = 0; i < env.state_dim; ++i)
        xi(i, j) = normal_at(seed, model_stream(call), (t * N * P + j) * rows + i);
    const Mat a = repeat(plans.middleRows(t * env.action_dim, env.action_dim), P);
    const Mat s_next = step_on_cpu(model, env, s_t, a, xi);
    sum += (ended > 0).select(Real(0), env.reward(s_t, a, s_next));
    ended = (ended > 0).select(ended, env.terminated(s_next));
    s_t = s_next;
  }
  Mat Q_hat = Mat::Zero(1, N);
  for (int p = 0; p < P; ++p) Q_hat += sum.middleCols(p * N, N) / Real(P);
  return Q_hat;
}

// Chapter 03's best_first by a stable sort: of two equal returns the first plan's is better, as on the device.
std::vector<int> best_on_cpu(const Mat& Q_hat, int E) {
  std::vector<int> order;
  for (int n = 0; n < Q_hat.cols(); ++n)
    if (std::isfinite(Q_hat(0, n))) order.push_back(n);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return Q_hat(0, i) > Q_hat(0, j); });
  order.resize(std::min(E, int(order.size())));
  return order;
}

// Chapter 03's Cem::refine after the returns.
void refit_on_cpu(const Mat& plans, const std::vector<int>& best, Real alpha, Mat& mu, Mat& var) {
  Mat mean = Mat::Zero(mu.rows(), 1), variance = mean;
  for (int i : best) mean += plans.col(i) / Real(best.size());
  for (int i : best) variance += (plans.col(i) - mean).square() / Real(best.size());
  mu = alpha * mu + (1 - alpha) * mean;
  var = alpha * var + (1 - alpha) * variance;
}

// ---- The check ----

// A model with random weights, biases and units, and elites in an order of their own.
Ensemble random_model(const Env& env, const EnsembleOptions& options, Rng& rng) {
  const Mat s = Mat::Zero(env.state_dim, 1);
  Ensemble model(int(env.net_input(s).rows()) + env.action_dim, env.state_dim, options, rng);
  for (Member& m : model.members) {
    for (Linear& layer : m.extractor.layers) layer.b.value = rng.uniform(layer.b.value.rows(), 1, -1, 1);
    m.head.out.b.value = rng.uniform(m.head.out.b.value.rows(), 1, -1, 1);
    m.input.mean = rng.uniform(m.input.mean.rows(), 1, -0.3f, 0.3f);
    m.input.std = rng.uniform(m.input.mean.rows(), 1, 0.5f, 2);
    m.head.target.mean = rng.uniform(env.state_dim, 1, -0.1f, 0.1f);
    m.head.target.std = rng.uniform(env.state_dim, 1, 0.05f, 0.3f);
    m.head.max_log_var.value = rng.uniform(env.state_dim, 1, 0, 1);
    m.head.min_log_var.value = rng.uniform(env.state_dim, 1, -4, -2);
  }
  std::reverse(model.elites.begin(), model.elites.end());
  return model;
}

struct Shape {
  CemOptions cem;
  int P;
  EnsembleOptions ensemble;
  std::vector<int> columns;  // of tiles to try, besides the best
};

// Of several checks of the same thing the worst is kept.
void note(std::vector<Checked>& checks, const std::string& what, double error, double bound) {
  for (Checked& c : checks)
    if (c.what == what) return void(c.error = std::max(c.error, error));
  checks.push_back({what, error, bound});
}

Mat mean_of_particles(const Mat& sums, int N) {
  Mat Q_hat = Mat::Zero(1, N);
  for (Eigen::Index p = 0; p < sums.cols() / N; ++p) Q_hat += sums.middleCols(p * N, N) / Real(sums.cols() / N);
  return Q_hat;
}

// One iteration step by step, each against the CPU's answer to what the device has come to so far.
template <class Task>
void check_iteration(DeviceCem<Task>& cem, const Shape& shape, const Ensemble& model, const Env& env, const Mat& s,
                     const std::string& name, std::vector<Checked>& checks) {
  const int N = cem.candidates, D = cem.D;
  const auto within = [&](const std::string& what, double error, double bound) {
    note(checks, name + ": " + what, error, bound);
  };
  Mat mu = cem.mu.to_mat(D, 1), var = cem.var.to_mat(D, 1);
  const std::uint64_t call = cem.state.to_vector()[0].calls;
  cem.plans.poison(), cem.Q_hat.poison(), cem.best.poison();
  cem.draw();
  const Mat plans = cem.plans.to_mat(D, N);
  within("plans", error_of(plans, plans_on_cpu(mu, var, N, cem.seed, call)), product_bound);

  const Mat Q_hat = returns_on_cpu(model, env, s, plans, cem.P, cem.seed, call);
  const auto returns = [&](const std::string& which, int version, const TileSize& tile) {
    cem.sums.poison();
    cem.roll_out(version, tile);
    within("returns, " + which, error_of(mean_of_particles(cem.sums.to_mat(1, N * cem.P), N), Q_hat), 1e-3);
  };
  returns("1: a thread a trajectory", 1, cem.tile);
  returns("2: a thread a unit of 16", 2, cem.tile);
  for (int columns : shape.columns) returns("3: tiles", 3, tile_of<Task>(cem.f, columns, limits()));
  returns("3: tiles", 3, cem.tile);

  cem.choose();
  const std::vector<int> best = best_on_cpu(cem.Q_hat.to_mat(1, N), cem.elites);
  within("mean of the particles", error_of(cem.Q_hat.to_mat(1, N), Q_hat), 1e-3);
  within("elites that are others", cem.best.to_vector() == best ? 0 : 1, 0.5);
  cem.fit();
  refit_on_cpu(plans, best, cem.alpha, mu, var);
  within("refitted mean", error_of(cem.mu.to_mat(D, 1), mu), product_bound);
  within("refitted variance", error_of(cem.var.to_mat(D, 1), var), product_bound);
}

// Two iterations in steps; then a whole search beside one that shares nothing with it but the random numbers.
template <class Task> void check_task(const Shape& shape, std::vector<Checked>& checks) {
  const std::unique_ptr<Env> env = make_env(Task::name);
  Rng rng(100);
  const Ensemble model = random_model(*env, shape.ensemble, rng);
  DeviceCem<Task> cem(model, shape.cem, shape.P, 1, limits());
  const std::string name = env->name + " " + std::to_string(cem.candidates) + " x " + std::to_string(shape.P) + " x " +
                           std::to_string(cem.T);
  const Mat s = rng.uniform(env->state_dim, 1, -0.2f, 0.2f), last = rng.uniform(cem.D, 1, -0.9f, 0.9f);
  cem.s.upload(s), cem.mu.upload(last), cem.var.poison();
  cem.begin();
  note(checks, name + ": the last plan, shifted", error_of(cem.mu.to_mat(cem.D, 1), shifted(last, env->action_dim)),
       1e-9);
  for (int i = 0; i < 2; ++i) check_iteration(cem, shape, model, *env, s, name, checks);

  Mat mu = shifted(cem.mu.to_mat(cem.D, 1), env->action_dim), var = Mat::Constant(cem.D, 1, 0.25f);
  for (int i = 0; i < cem.iterations; ++i) {
    const Mat plans = plans_on_cpu(mu, var, cem.candidates, cem.seed, 2 + i);
    const Mat Q_hat = returns_on_cpu(model, *env, s, plans, cem.P, cem.seed, 2 + i);
    refit_on_cpu(plans, best_on_cpu(Q_hat, cem.elites), cem.alpha, mu, var);
  }
  const Mat a = cem.act(s);
  note(checks, name + ": the mean after a search", error_of(cem.mu.to_mat(cem.D, 1), mu), 1e-3);
  note(checks, name + ": its action", error_of(a, mu.topRows(env->action_dim)), 1e-3);
}

// Sizes that are no multiples of anything; one particle, one member, one step.
std::vector<Checked> check() {
  std::vector<Checked> checks;
  const auto cem = [](int T, int N, int E) {
    return CemOptions{.T = T, .candidates = N, .elites = E, .iterations = 3};
  };
  const auto ensemble = [](int members, int elites, std::vector<int> hidden, bool probabilistic = true) {
    return EnsembleOptions{.members = members, .elites = elites, .hidden = hidden, .probabilistic = probabilistic};
  };
  check_task<HalfCheetahTask>({cem(3, 7, 3), 4, ensemble(3, 2, {20, 12}), {8, 16}}, checks);
  check_task<HalfCheetahTask>({cem(2, 43, 5), 1, ensemble(1, 1, {75}), {40, 48}}, checks);  // cut 8 x 8
  check_task<CartpoleSwingupTask>({cem(1, 13, 4), 1, ensemble(1, 1, {10}), {8}}, checks);
  check_task<CartpoleSwingupTask>({cem(5, 11, 2), 6, ensemble(3, 3, {16, 8, 9}), {8, 24}}, checks);
  check_task<CartpoleContinuousTask>({cem(6, 9, 2), 4, ensemble(2, 2, {8}), {8}}, checks);
  check_task<PendulumTask>({cem(4, 5, 5), 2, ensemble(2, 2, {8, 8}, false), {8}}, checks);
  return checks;
}

}  // namespace

#ifdef __CUDACC__
// The published networks and horizons, too slow for the emulation.
std::vector<Checked> check_published() {
  std::vector<Checked> checks;
  const auto with = [](int T, const std::vector<int>& hidden) {
    return Shape{{.T = T, .candidates = 40, .elites = 8, .iterations = 2}, 20, {.hidden = hidden}, {32, 40, 80}};
  };
  check_task<HalfCheetahTask>(with(30, {200, 200, 200, 200}), checks);
  Shape cartpole = with(25, {500, 500, 500});
  cartpole.columns = {32};
  check_task<CartpoleSwingupTask>(cartpole, checks);
  return checks;
}

// One action of the planner, and the same on the CPU.
template <class Task>
void time_action(const Device& device, const CemOptions& options, int P, const std::vector<int>& hidden) {
  const std::unique_ptr<Env> env = make_env(Task::name);
  Rng rng(100);
  const Ensemble model = random_model(*env, {.members = 5, .elites = 5, .hidden = hidden}, rng);
  DeviceCem<Task> cem(model, options, P, 1);
  const Mat s = Mat::Zero(env->state_dim, 1);
  cem.act(s);
  double multiply_adds = double(model.elite(0).head.out.W.value.size());  // of a trajectory's step
  for (const Linear& layer : model.elite(0).extractor.layers) multiply_adds += double(layer.W.value.size());
  const double flop = 2 * multiply_adds * cem.candidates * P * cem.T;
  const double bytes = 4.0 * double(cem.weights.size + cem.plans.size + cem.sums.size);
  std::printf("%s: %d plans, %d particles, T = %d, %zu layers of %d, %.2f GFLOP an iteration\n", Task::name,
              cem.candidates, P, cem.T, hidden.size(), hidden[0], flop / 1e9);

  const auto time = [&](const std::string& name, int version, const TileSize& tile, int repetitions) {
    const double ms = median_ms([&] { cem.roll_out(version, tile); }, repetitions, 1);
    print_time(device, name, ms, flop, bytes);
  };
  time("1: a thread a trajectory", 1, cem.tile, 3);
  time("2: a thread a unit of 16", 2, cem.tile, 3);
  for (int columns : {16, 32, 40, 48, 64, 80, 96})
    if (const TileSize tile = tile_of<Task>(cem.f, columns, limits());
        tile.threads <= most_threads && tile.shared_bytes <= limits().shared_bytes)
      time("3: tiles of " + std::to_string(columns) + (columns == cem.tile.columns ? ", chosen" : ""), 3, tile, 21);
  const double ms = median_ms([&] { cem.search->run(); }, 21, 1);
  const int iterations = cem.iterations;
  print_time(device, "an action, " + std::to_string(iterations) + " iterations in a graph", ms, flop * iterations,
             bytes * iterations);

  const int few_plans = 100;  // the rest would take as long as they do
  const Particles particles(model, *env, Propagation::TSinf, P);
  const auto begin = std::chrono::steady_clock::now();
  ModelReturn{particles, s, rng}(rng.uniform(cem.D, few_plans, -1, 1));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double whole = seconds * cem.candidates / few_plans * iterations;
  std::printf("CPU, chapter 04: %d plans once took %.3f s, so an action takes %.2f s, %.0f times as long\n\n",
              few_plans, seconds, whole, whole * 1e3 / ms);
}

int main() {
  Device device;
  if (!find_device(device)) return 0;
  if (!report(check()) || !report(check_published())) return 1;
  // The published sizes (Chua et al. 2018). epsilon = 0: no iteration is left out.
  const auto cem = [](int T, int N) {
    return CemOptions{.T = T, .candidates = N, .elites = N / 10, .iterations = 5, .epsilon = 0};
  };
  time_action<HalfCheetahTask>(device, cem(30, 500), 20, {200, 200, 200, 200});
  time_action<CartpoleSwingupTask>(device, cem(25, 400), 20, {500, 500, 500});
}
#endif

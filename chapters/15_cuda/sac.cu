// Soft actor-critic (chapter 05) on the device: an update is eight launches, and many updates are one CUDA graph.
//   make 15_cuda_sac && build/15_cuda_sac      compiled with CUDA 13.0; not yet run on a device
//
// What limits an update of 256 x 256 units and a batch of 256 is not arithmetic: its 0.6 GFLOP are 10 us of an H200. It
// is latency: launches that wait for each other, some 2 us each, and in each a chain of layers that wait for the
// weights. So there are few launches, and nothing comes from the host between them:
//   1. a block takes 8 samples through a whole network, whose activations stay in shared memory: a launch for a pass
//      of all networks instead of one for each layer;
//   2. a gradient's tile becomes Adam's step and the lagged critic's where it was summed: it never goes to memory;
//   3. batch and noise are drawn on the device (Philox), so that a graph runs many updates without the host.
// Read in this order: update_on_cpu, SacOnDevice::update (sac_on_device.h), the kernels it launches (sac_kernels.h),
// `wide` (sac_agent.h) and `gradient_tile`.
#include <chrono>
#include "chapters/05_model_free/sac.h"  // Sac, sac_update: the CPU reference
#include "chapters/15_cuda/sac_on_device.h"

using namespace sac_kernels;

namespace {

// ---- CPU reference: sac_update with the noise as an argument ----

SacNumbers update_on_cpu(Sac& agent, const Batch& b, const Mat& xi_next, const Mat& xi) {
  agent.next_tape.clear(), agent.pi_tape.clear();
  const Sampled<Var> next = frozen(agent.pi).sample(agent.next_tape.constant(b.s_next), xi_next);
  const Sampled<Var> now = agent.pi.sample(agent.pi_tape.constant(b.s), xi);
  const Real mean_logp = now.logp.value().mean(), alpha = agent.alpha();
  critic_targets(agent, b, next);
  const Real Q_loss = critic_step(agent, b);
  const Real Q = policy_step(agent, b.s, now);
  agent.alpha_opt.step(agent.log_alpha, -(mean_logp + agent.target_entropy));
  return {Q_loss, Q, -mean_logp, alpha};
}

// ---- Checks ----

struct SacSizes {
  int state_dim, action_dim, hidden, batch, updates, threads;
};

Batch random_batch(const SacSizes& z, int n, Rng& rng) {
  Batch b{rng.normal(z.state_dim, n), rng.uniform(z.action_dim, n, -1, 1), rng.normal(1, n), rng.normal(z.state_dim, n),
          rng.uniform(1, n, 0, 1)};
  b.not_done = (b.not_done > 0.2f).cast<Real>();
  return b;
}

Transitions random_transitions(const SacSizes& z, int n, Rng& rng) {
  Transitions D(z.state_dim, z.action_dim, n);
  D.add(random_batch(z, n, rng));
  return D;
}

// Number i with the agent's batch and noise as the device draws them.
SacNumbers same_update_on_cpu(Sac& agent, const Transitions& D_env, const Transitions& D_model, const Agent& g, int i) {
  Batch b{Mat(g.state_dim, g.batch), Mat(g.action_dim, g.batch), Mat(1, g.batch), Mat(g.state_dim, g.batch),
          Mat(1, g.batch)};
  for (int n = 0; n < g.batch; ++n) {
    const Transitions& D = n < g.real ? D_env : D_model;
    const int from = draw_column(g.seed, std::uint64_t(i) * streams + of_batch, n, int(D.size));
    b.s.col(n) = D.data.s.col(from), b.a.col(n) = D.data.a.col(from), b.r.col(n) = D.data.r.col(from);
    b.s_next.col(n) = D.data.s_next.col(from), b.not_done.col(n) = D.data.not_done.col(from);
  }
  Mat xi(g.action_dim, g.batch), xi_next = xi;
  for (int k = 0; k < xi.size(); ++k) {
    xi(k) = normal_at(g.seed, std::uint64_t(i) * streams + of_now, k);
    xi_next(k) = normal_at(g.seed, std::uint64_t(i) * streams + of_next, k);
  }
  return update_on_cpu(agent, b, xi_next, xi);
}

double worst_error(const std::vector<Mat>& x, const std::vector<Mat>& ref) {
  double worst = 0;
  for (std::size_t i = 0; i < ref.size(); ++i) worst = std::max(worst, error_of(x[i], ref[i]));
  return worst;
}

// The largest distance from x to ref in units of the longest way that Adam goes in so many updates.
double distance(const std::vector<Mat>& x, const std::vector<Param*>& ref, double lr, int updates) {
  double worst = 0;
  for (std::size_t i = 0; i < ref.size(); ++i)
    worst = std::max(worst, error_of(x[i], ref[i]->value) * ref[i]->value.abs().maxCoeff());
  return worst / (lr * updates);
}

// The first update: its numbers and Adam's moments, m = (1 - beta1) gradient. After more of them, in a graph, how far
// the parameters are apart: not nothing, as Adam's step has a size even where the gradient is 0 but for rounding. Among
// many units one may lie so close to 0 that rounding decides its ReLU; its share of a gradient is 1e-3 of the largest.
std::vector<Checked> check_sac(const SacSizes& z) {
  Rng rng(11);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {z.hidden, z.hidden}, .tau = 0.3f, .alpha = 0.3f}, rng);
  for (Param* p : params(agent.pi, agent.Q[0], agent.Q[1], agent.Q_targ[0], agent.Q_targ[1]))
    if (p->value.cols() == 1) p->value = 0.1f * rng.normal(p->value.rows(), 1);  // biases: 0 would hide mistakes
  agent.pi.net.layers.back().b.value(z.action_dim, 0) = 3;                       // one deviation lies at its bound
  const Transitions D_env = random_transitions(z, z.batch / 2, rng);
  const Transitions D_model = random_transitions(z, 2 * z.batch + 1, rng);
  DeviceTransitions device_env(z.state_dim, z.action_dim, z.batch);
  DeviceTransitions device_model(z.state_dim, z.action_dim, D_model.size);
  device_env.copy(D_env, 0), device_model.copy(D_model, 0);
  SacOnDevice device(agent, device_env, device_model,
                     {.batch = z.batch, .real = z.batch / 3, .seed = 7, .threads = z.threads});
  const Agent& g = device.g;
  const auto same_update = [&](int i) { return same_update_on_cpu(agent, D_env, D_model, g, i); };
  std::vector<Checked> checks;
  const auto compare = [&](const std::string& what, const std::vector<Mat>& x, const std::vector<Mat>& ref,
                           double bound) { checks.push_back({what, worst_error(x, ref), bound}); };
  const auto number = [](float x) { return std::vector<Mat>{Mat::Constant(1, 1, x)}; };

  device.update();
  const SacNumbers ref = same_update(0), numbers = device.numbers();
  compare("loss of the critics", number(numbers.Q_loss), number(ref.Q_loss), pass_bound);
  compare("min Q of the policy's actions", number(numbers.Q), number(ref.Q), pass_bound);
  compare("entropy", number(numbers.entropy), number(ref.entropy), pass_bound);
  const Adam* opt[] = {&agent.pi_opt, &agent.Q_opt[0], &agent.Q_opt[1]};
  const std::string names[] = {"policy", "first critic", "second critic", "first lagged", "second lagged"};
  const double moment_bound = z.hidden * z.batch < 10000 ? pass_bound : 1e-2;
  for (int net = 0; net < 3; ++net) {
    compare(names[net] + ": Adam's m", device.matrices(net, g.m[net]), opt[net]->m, moment_bound);
    compare(names[net] + ": Adam's v", device.matrices(net, g.v[net]), opt[net]->v, moment_bound);
  }

  Graph graph([&] {
    for (int i = 1; i < z.updates; ++i) device.update();
  });
  graph.run();
  for (int i = 1; i < z.updates; ++i) same_update(i);
  MLP* nets[] = {&agent.pi.net, &agent.Q[0], &agent.Q[1], &agent.Q_targ[0], &agent.Q_targ[1]};
  for (int net = 0; net < 5; ++net)
    checks.push_back({names[net] + ": distance after all updates",
                      distance(device.matrices(net, g.theta[net]), params(*nets[net]), g.lr, z.updates), 0.3});
  float log_alpha[3];
  download(log_alpha, g.log_alpha, sizeof log_alpha);
  compare("log alpha at the end", number(log_alpha[0]), number(agent.log_alpha.value(0, 0)), pass_bound);
  return checks;
}

}  // namespace

#ifdef __CUDACC__

// Multiplications and additions of an update's matrix products: each network's weights, twice for every way through.
double flop(const Agent& g) {
  const double head = double(g.hidden) * 2 * g.action_dim, middle = double(g.hidden) * g.hidden;
  const double first_pi = double(g.hidden) * g.state_dim, first_Q = double(g.hidden) * g.sa_dim();
  const double policy = 3 * first_pi + 4 * middle + 4 * head;            // s and s' forward, dW, dx
  const double critics = 2 * (4 * first_Q + 6 * middle + 6 * g.hidden);  // three times forward, dW, twice dx
  return 2 * g.batch * (policy + critics);
}

int main() {
  Device device;
  if (!find_device(device)) return 0;
  if (!report(check_sac({17, 6, 256, 256, 5, 512})) || !report(check_sac({5, 2, 60, 37, 5, 128}))) return 1;

  const SacSizes z{17, 6, 256, 256, 0, 512};
  Rng rng(1);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {z.hidden, z.hidden}}, rng);
  const Transitions D = random_transitions(z, 100000, rng);
  DeviceTransitions data(z.state_dim, z.action_dim, D.size);
  data.copy(D, 0);
  constexpr int per_graph = 40;
  for (int threads : {256, 512, 1024}) {
    SacOnDevice sac(agent, data, data, {.batch = z.batch, .real = z.batch, .seed = 1, .threads = threads});
    Graph graph([&] {
      for (int i = 0; i < per_graph; ++i) sac.update();
    });
    const float alone = median_ms([&] { sac.update(); }), in_graph = median_ms([&] { graph.run(); }, 21, 1) / per_graph;
    print_time(device, "update, " + std::to_string(threads) + " threads a block", alone, flop(sac.g), 0);
    print_time(device, "  in a graph of " + std::to_string(per_graph), in_graph, flop(sac.g), 0);
  }

  SacOnDevice sac(agent, data, data, {.batch = z.batch, .real = z.batch, .seed = 1});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < per_graph; ++i) same_update_on_cpu(agent, D, D, sac.g, i);
  const std::chrono::duration<double, std::milli> cpu = std::chrono::steady_clock::now() - begin;
  print_time(device, "CPU, Eigen", cpu.count() / per_graph, flop(sac.g), 0);
}
#endif

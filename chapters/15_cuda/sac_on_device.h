// Sac of chapter 05 on a device.
//
//   DeviceTransitions D_env(state_dim, action_dim, capacity), D_model(...);
//   SacOnDevice device(agent, D_env, D_model, {.batch = 256, .real = 13, .seed = 0});
//   D_env.copy(D, 0);
//   Graph updates([&] { for (int i = 0; i < 20; ++i) device.update(); });
//   updates.run();
//   device.store(agent);
#pragma once
#include <stdexcept>
#include "chapters/04_pets/transitions.h"  // Transitions
#include "chapters/05_model_free/sac.h"    // Sac, SacNumbers
#include "chapters/15_cuda/sac_kernels.h"

// Transitions on a device. It holds as many as it was made for, and batches are drawn from those that were copied.
struct DeviceTransitions {
  DeviceArray<float> s, a, r, s_next, not_done;
  DeviceArray<int> filled;

  DeviceTransitions(int state_dim, int action_dim, std::size_t capacity)
      : s(state_dim * capacity), a(action_dim * capacity), r(capacity), s_next(state_dim * capacity),
        not_done(capacity), filled(1) {
    filled.zero();
  }
  // The columns from, ..., D.size - 1 of D. Throws std::invalid_argument if they are more than there is room for.
  void copy(const Transitions& D, Eigen::Index from) {
    if (std::size_t(D.size) > r.size) throw std::invalid_argument("DeviceTransitions: no room for so many");
    const auto columns = [&](DeviceArray<float>& to, const Mat& m) {
      const std::size_t rows = m.rows();
      upload(to + from * rows, m.data() + from * rows, (D.size - from) * rows * sizeof(float));
    };
    columns(s, D.data.s), columns(a, D.data.a), columns(r, D.data.r), columns(s_next, D.data.s_next);
    columns(not_done, D.data.not_done);
    const int n = int(D.size);
    filled.upload(&n);
  }
  sac_kernels::Store store() const { return {s, a, r, s_next, not_done, filled}; }
};

struct DeviceSacOptions {
  int batch, real;  // samples of an update, and how many of them from D_env
  std::uint64_t seed;
  int threads = 512;  // of a block that takes samples through a network: whole warps, at most 1024
};

// In the order of sac_kernels::Network.
template <class S> auto networks(S& agent) {
  return std::array{&agent.pi.net, &agent.Q[0], &agent.Q[1], &agent.Q_targ[0], &agent.Q_targ[1]};
}
template <class S> auto optimisers(S& agent) { return std::array{&agent.pi_opt, &agent.Q_opt[0], &agent.Q_opt[1]}; }

struct SacOnDevice {
  sac_kernels::Agent g = {};
  int threads;
  DeviceArray<float> memory;
  DeviceArray<int> updates;  // made so far

  // A copy of the agent, whose policy and critics have two hidden layers of one size. The stores outlive this.
  SacOnDevice(const Sac& agent, const DeviceTransitions& D_env, const DeviceTransitions& D_model,
              const DeviceSacOptions& how)
      : threads(how.threads), updates(1) {
    const SacOptions& o = agent.options;
    eigen_assert(o.hidden.size() == 2 && o.hidden[0] == o.hidden[1]);
    g.action_dim = agent.pi.action_dim(), g.state_dim = int(agent.pi.net.layers[0].W.value.cols());
    g.hidden = o.hidden[0], g.batch = how.batch, g.real = how.real, g.seed = how.seed;
    g.lr = o.lr, g.gamma = o.gamma, g.tau = o.tau, g.target_entropy = agent.target_entropy;
    g.D_env = D_env.store(), g.D_model = D_model.store(), g.updates = updates;
    memory = DeviceArray<float>(lay_out(nullptr));
    lay_out(memory);
    load(agent);
  }

  // Everything that an update changes: from the agent, to the agent.
  void load(const Sac& agent) {
    for (int net = 0; net < 5; ++net) {
      std::vector<Mat> values;
      for (const Linear& f : networks(agent)[net]->layers) values.push_back(f.W.value), values.push_back(f.b.value);
      put(g.theta[net], values);
      if (net > sac_kernels::Q2) continue;
      const Adam& adam = *optimisers(agent)[net];
      put(g.m[net], adam.m), put(g.v[net], adam.v), put(g.W2_back[net], {Mat(values[2].transpose())});
    }
    const Adam& temperature = agent.alpha_opt;
    put(g.log_alpha, {agent.log_alpha.value, temperature.m[0], temperature.v[0]});
    const int t = int(temperature.t);
    updates.upload(&t);
  }
  void store(Sac& agent) const {
    const long t = updates.to_vector()[0];
    for (int net = 0; net < 5; ++net) store_network(agent, net);
    for (int net = 0; net <= sac_kernels::Q2; ++net) {
      Adam& adam = *optimisers(agent)[net];
      adam.m = matrices(net, g.m[net]), adam.v = matrices(net, g.v[net]), adam.t = t;
    }
    Adam& temperature = agent.alpha_opt;
    Mat* scalars[] = {&agent.log_alpha.value, &temperature.m[0], &temperature.v[0]};
    for (int i = 0; i < 3; ++i) download(scalars[i]->data(), g.log_alpha + i, sizeof(float));
    temperature.t = t;
  }
  void store_policy(Sac& agent) const { store_network(agent, sac_kernels::pi); }  // as much as acting wants

  // Of the last update. Throws NotFinite if one is not.
  SacNumbers numbers() const {
    float x[4];
    download(x, g.numbers, sizeof x);
    for (float number : x)
      if (!std::isfinite(number)) throw NotFinite("the device's SAC: a loss, Q, entropy or alpha is not finite");
    return {x[0], x[1], x[2], x[3]};
  }

  void update() {
    using namespace sac_kernels;
    const dim3 now(ceil_div(g.batch, samples)), both(now.x, 2), four(now.x, 4);
    const std::size_t shared = sizeof(float) * samples * (g.width() + max(threads, g.width()));
    const int critic_tiles = g.tiles(Q1, 0) + g.tiles(Q1, 1) + g.tiles(Q1, 2);
    launch(policy_forward, both, threads, shared, g);
    launch(critic_forward, four, threads, shared, g, false);
    launch(critic_backward, both, threads, shared, g);
    launch(step, dim3(critic_tiles, 2), 256, 0, g, false);
    launch(critic_forward, both, threads, shared, g, true);
    launch(action_gradient, both, threads, shared, g);
    launch(policy_backward, now, threads, shared, g);
    launch(step, g.tiles(pi, 0) + g.tiles(pi, 1) + g.tiles(pi, 2) + 1, 256, 0, g, true);
  }

  // What lies at `from` in the order of params(net): W1, b1, W2, b2, W3, b3.
  std::vector<Mat> matrices(int net, const float* from) const {
    std::vector<Mat> all;
    for (int l = 0; l < 3; ++l) {
      const LayerPlace f = g.layer(net, l);
      Mat W(f.out, f.in), b(f.out, 1);
      download(W.data(), from + f.at, W.size() * sizeof(float));
      download(b.data(), from + f.at + W.size(), b.size() * sizeof(float));
      all.push_back(W), all.push_back(b);
    }
    return all;
  }

 private:
  // The addresses of everything from `base` on; returns how many floats there are.
  std::size_t lay_out(float* base) {
    std::size_t used = 0;
    const auto take = [&](float*& p, std::size_t n) { p = base ? base + used : nullptr, used += (n + 3) / 4 * 4; };
    const std::size_t n = g.batch, H = g.hidden, A = g.action_dim;
    for (float** p : {&g.sa, &g.sa_pi, &g.sa_next}) take(*p, n * g.sa_dim());
    for (float** p : {&g.reward, &g.alive, &g.y, &g.logp, &g.logp_next, &g.q_pi[0], &g.q_pi[1]}) take(*p, n);
    for (float** p : {&g.xi, &g.da[0], &g.da[1]}) take(*p, n * A);
    take(g.log_alpha, 3), take(g.numbers, 4);
    for (int net = 0; net < 5; ++net) {
      take(g.theta[net], g.size(net)), take(g.out[net], n * g.layer(net, 2).out);
      if (net > sac_kernels::Q2) continue;
      take(g.m[net], g.size(net)), take(g.v[net], g.size(net)), take(g.W2_back[net], H * H);
      for (float** p : {&g.h1[net], &g.h2[net], &g.d1[net], &g.d2[net]}) take(*p, n * H);
      take(g.d_out[net], n * g.layer(net, 2).out);
    }
    return used;
  }

  // The matrices one after another.
  static void put(float* to, const std::vector<Mat>& matrices) {
    for (const Mat& m : matrices) upload(to, m.data(), m.size() * sizeof(float)), to += m.size();
  }
  void store_network(Sac& agent, int net) const {
    const std::vector<Mat> values = matrices(net, g.theta[net]);
    for (int l = 0; l < 3; ++l) {
      Linear& f = networks(agent)[net]->layers[l];
      f.W.value = values[2 * l], f.b.value = values[2 * l + 1];
    }
  }
};

// SAC's kernels against chapter 05, run by the emulation of chapters/15_cuda/on_cpu.h.
#include "chapters/15_cuda/sac.cu"
#include "tests/checked.h"  // check_each

TEST_CASE("Five SAC updates on the device are those of chapter 05: losses, moments, parameters", "[15]") {
  // Sizes that fill neither a warp nor a tile nor a block's samples; with more and with fewer threads than units.
  const SacSizes sizes = GENERATE(SacSizes{3, 1, 20, 11, 5, 64}, SacSizes{5, 2, 37, 35, 3, 32});
  check_each(check_sac(sizes));
}

TEST_CASE("The reference with the noise as an argument is sac_update", "[15]") {
  const SacSizes z{3, 2, 16, 8, 1, 32};
  Rng rng(1), noise(2), same_noise(2);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {16, 16}}, rng);
  Rng again(1);
  Sac other(z.state_dim, z.action_dim, {.hidden = {16, 16}}, again);
  const Batch b = random_batch(z, z.batch, rng);
  Mat xi_next(z.action_dim, z.batch), xi = xi_next;
  same_noise.fill_normal(xi_next), same_noise.fill_normal(xi);
  const SacNumbers x = sac_update(agent, b, noise), y = update_on_cpu(other, b, xi_next, xi);
  CHECK(x.Q_loss == y.Q_loss);
  CHECK(agent.alpha() == other.alpha());
  CHECK((agent.pi.net.layers[0].W.value == other.pi.net.layers[0].W.value).all());
}

TEST_CASE("What a device's agent stores another one loads, and goes on with the same updates", "[15]") {
  const SacSizes z{3, 2, 20, 11, 0, 64};
  Rng rng(3);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {20, 20}}, rng);
  Sac stored(z.state_dim, z.action_dim, {.hidden = {20, 20}}, rng);
  DeviceTransitions D(z.state_dim, z.action_dim, 50);
  D.copy(random_transitions(z, 50, rng), 0);
  const DeviceSacOptions how{.batch = z.batch, .real = z.batch, .seed = 5, .threads = z.threads};
  SacOnDevice device(agent, D, D, how);
  for (int i = 0; i < 3; ++i) device.update();
  device.store(stored);
  CHECK(stored.Q_opt[1].t == 3);
  SacOnDevice other(stored, D, D, how);
  for (int i = 0; i < 2; ++i) device.update(), other.update();
  device.store(agent), other.store(stored);
  const auto all = [](Sac& a) { return params(a.pi, a.Q[0], a.Q[1], a.Q_targ[0], a.Q_targ[1]); };
  for (std::size_t i = 0; i < all(agent).size(); ++i) CHECK((all(agent)[i]->value == all(stored)[i]->value).all());
  CHECK(agent.alpha() == stored.alpha());
  CHECK(agent.alpha() != Real(1));
}

TEST_CASE("A device's store takes only the new transitions, and batches come from those that are there", "[15]") {
  const SacSizes z{3, 2, 0, 0, 0, 0};
  Rng rng(4);
  Transitions D = random_transitions(z, 9, rng);
  DeviceTransitions device(z.state_dim, z.action_dim, 20);
  CHECK(device.filled.to_vector()[0] == 0);
  device.copy(D, 0);
  Transitions more(z.state_dim, z.action_dim, 20);
  more.add(D.all()), more.add(random_batch(z, 4, rng));
  device.copy(more, 9);
  CHECK(device.filled.to_vector()[0] == 13);
  CHECK((device.s.to_mat(3, 20).leftCols(13) == more.all().s).all());
  CHECK((device.not_done.to_mat(1, 20).leftCols(13) == more.all().not_done).all());
}

TEST_CASE("A NaN among the states of a device's SAC is found by the first update that draws it", "[15]") {
  const SacSizes z{3, 2, 20, 11, 0, 64};
  Rng rng(3);
  Sac agent(z.state_dim, z.action_dim, {.hidden = {20, 20}}, rng);
  Transitions D = random_transitions(z, 50, rng);
  const bool next = GENERATE(false, true);
  (next ? D.data.s_next : D.data.s).row(1).setConstant(std::numeric_limits<Real>::quiet_NaN());
  DeviceTransitions on_device(z.state_dim, z.action_dim, 50);
  on_device.copy(D, 0);
  SacOnDevice device(agent, on_device, on_device, {.batch = z.batch, .real = z.batch, .seed = 5, .threads = 64});
  device.update();
  CHECK_THROWS_AS(device.numbers(), NotFinite);
}

TEST_CASE("A device's store refuses more transitions than it has room for", "[15]") {
  const SacSizes z{3, 2, 0, 0, 0, 0};
  Rng rng(4);
  DeviceTransitions device(z.state_dim, z.action_dim, 20);
  CHECK_THROWS_AS(device.copy(random_transitions(z, 21, rng), 0), std::invalid_argument);
}

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

// MBPO with its two costly verbs on a device, the model's training and the gradient updates: the loop, the options and
// the CSV columns of chapter 06, so that both runs can be laid over each other. With --device cpu it is chapter 06's
// own run. Real steps, branches and evaluations are on the CPU in both.
// Compiled with CUDA 13.0; not yet run on a device.
//
//   build/15_cuda_mbpo                                                  pendulum, 1 seed
//   build/15_cuda_mbpo --env hopper --preset paper --steps 40000        the published size
//   build/15_cuda_mbpo --device cpu                                     the same on the CPU
#include <optional>
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/progress.h"  // finish
#include "chapters/00_toolbox/run_log.h"   // read_csv
#include "chapters/06_mbpo/claims.h"       // last_returns
#include "chapters/06_mbpo/logs.h"         // Training and the verbs, train_seeds
#include "chapters/15_cuda/fit_on_device.h"
#include "chapters/15_cuda/sac_on_device.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

namespace {

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "MBPO on a device (slides \"MBPO Algorithm\", \"MBPO Experiments\")";
  std::string device = opt("device", "cuda", "where it learns: cuda or cpu", one_of({"cuda", "cpu"}));

  void check() const {
    MbpoOptions::check();
    if (device == "cpu") return;
    const auto one_size = [](const std::vector<int>& layers) {
      return std::count(layers.begin(), layers.end(), layers[0]) == long(layers.size());
    };
    if (const std::vector<int> layers = sac().hidden; layers.size() != 2 || !one_size(layers) || layers[0] > most_units)
      throw BadInput("--hidden: with --device cuda two layers of one size, at most " + to_text(most_units));
    if (steps > Training::most_steps)
      throw BadInput("--steps: with --device cuda at most " + to_text(Training::most_steps));
    if (!one_size(model_hidden) || int(model_hidden.size()) >= fit_kernels::most_layers)
      throw BadInput("--model-hidden: with --device cuda layers of one size, at most " +
                     to_text(fit_kernels::most_layers - 1) + " of them");
  }
  static constexpr int most_units = 512;  // whose kernels take 32 KB of shared memory
  int longest() const {  // branch of the run; a schedule goes one way
    return std::max(::rollout_length(0, rollout_length), ::rollout_length(steps, rollout_length));
  }
};

// ---- Where the verbs of chapter 06 run ----

struct OnCpu {
  const Options& opt;
  Training& x;

  void train() { train_model(x.model, x.D_env, x.rng); }
  void new_branches() {}
  SacNumbers improve() {
    return improve_policy(x.agent, x.D_env, x.D_model, opt.updates, opt.batch, opt.real_ratio, x.rng);
  }
  void store() {}
};

// Policy, critics and model live on the device. What acts, rolls out and evaluates are copies on the CPU: the policy is
// copied after the updates of each real step, the model after each training, the rest by store().
struct OnDevice {
  const Options& opt;
  Training& x;
  DeviceTransitions D_env, D_model;
  SacOnDevice sac;
  FitOnDevice fit;
  Eigen::Index copied = 0;  // of D_env
  std::optional<Graph> updates;

  using Way = fit_kernels::Tiled<40, 64, 4, 4>;
  using Step = fit_kernels::Tiled<40, 40, 4, 4>;

  OnDevice(const Options& opt, Training& x)
      : opt(opt), x(x), D_env(x.env->state_dim, x.env->action_dim, opt.steps),
        D_model(x.env->state_dim, x.env->action_dim,
                opt.uses_model() ? std::size_t(opt.retain) * opt.rollouts * opt.longest() : 1),
        sac(x.agent, D_env, D_model, {.batch = opt.batch, .real = real_samples(opt.batch, opt.real_ratio),
                                      .seed = std::uint64_t(x.seed),
                                      .threads = threads(x.agent.options.hidden[0])}),
        fit(x.model.p, opt.uses_model() ? opt.steps : 1) {}

  void train() {
    const Batch all = x.D_env.all();
    fit.fit<Way, Step>(x.model.p, x.model.x(all.s, all.a), x.model.y(all.s, all.r, all.s_next), x.rng);
  }
  void new_branches() { D_model.copy(x.D_model, 0); }
  SacNumbers improve() {
    D_env.copy(x.D_env, std::exchange(copied, x.D_env.size));
    if (opt.updates == 0) return {};
    if (!updates)
      updates.emplace([this] {
        for (int g = 0; g < opt.updates; ++g) sac.update();
      });
    updates->run();
    sac.store_policy(x.agent);
    return sac.numbers();
  }
  void store() { sac.store(x.agent); }

 private:
  static int threads(int units) { return std::clamp((2 * units + 31) / 32 * 32, 32, 512); }  // of a block
};

// ---- The loop of chapter 06 ----

template <class Place> void run(const Options& opt, Training& x, Place& place, Logs& logs, Checkpoint& checkpoint) {
  while (x.step < opt.steps && !interrupted()) {
    if (opt.uses_model()) at_step(x.step, [&] { place.train(); });
    const int k = rollout_length(x.step, opt.rollout_length);
    resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * k);
    for (int t = 0; t < opt.epoch_steps && x.step < opt.steps && !interrupted(); ++t)
      at_step(x.step, [&] {
        x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng));
        ++x.step;
        if (opt.uses_model() && t % opt.rollout_every == 0) {
          rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, k, x.D_model, x.rng);
          place.new_branches();
        }
        const SacNumbers numbers = place.improve();
        logs.progress.show(x.step + long(x.seed - opt.seed) * opt.steps);
        if (opt.eval_every > 0 && x.step % opt.eval_every == 0 && !interrupted())
          place.store(), evaluate(opt, x, k, numbers, logs);
      });
    place.store();
    x.step < opt.steps ? checkpoint.save_if_due(x.step, x) : checkpoint.save(x);
  }
}

// From the CSV file: return against real steps.
void plot(const Options& opt) {
  Panel panel{.title = opt.env, .x_label = "real environment steps", .y_label = "return", .key = Key::bottom_right};
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"algo"}, "env_steps", "eval_return"))
    panel.layers.push_back(curve((c.label == "sac" ? "SAC (" : "MBPO (") + opt.device + ")", c.x, c.mean, c.low,
                                 c.high));
  draw({.panels = {panel}}, opt.path(".png"));
}

void run_all(const Options& opt) {
  const std::unique_ptr<Training> x = train_seeds(opt, [&](Training& x, Logs& logs, Checkpoint& checkpoint) {
    act_at_random(x, opt.random_steps);
    if (opt.device == "cpu") {
      OnCpu place{opt, x};
      run(opt, x, place, logs, checkpoint);
    } else {
      OnDevice place(opt, x);
      run(opt, x, place, logs, checkpoint);
    }
  });
  if (!opt.save.empty()) save_learned(opt, *x);
  const auto action = [&](const Mat& s) { return x->agent.pi.mean_action(s); };
  if (opt.gif) animate(frames(*x->env_eval, episode(*x->env_eval, Rng(opt.seed), 300, action), "MBPO"),
                       opt.path(".gif"));
  if (!opt.no_plot) plot(opt);
  finish(opt, last_returns(opt, [&](const std::string&) { return opt.env; }) + ", " +
                  to_text(std::lround(x->watch.seconds)) + " s of learning in the last seed");
}

}  // namespace

#ifdef __CUDACC__
int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    Device device;
    if (opt.device == "cpu" || find_device(device)) run_all(opt);
  });
}
#endif

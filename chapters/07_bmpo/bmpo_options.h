// The options of BMPO: those of MBPO, and what is new.
#pragma once
#include "chapters/06_mbpo/mbpo.h"             // rollout_length
#include "chapters/06_mbpo/mbpo_options.h"     // MbpoOptions
#include "chapters/07_bmpo/backward_policy.h"  // BackwardPolicyOptions

struct BmpoOptions : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  std::vector<int> backward_length = opt("backward-length", std::vector<int>{1},
                                         "k1, steps backwards (--rollout-length is k2); or e0,e1,k0,k1", at_least(0));
  std::vector<double> beta = opt("beta", std::vector<double>{0, 2000, 0.02, 0},
                                 "beta in p(s) ~ exp(beta V(s)) of the start states; or e0,e1,b0,b1", at_least(0));
  int mpc_horizon = opt("mpc-horizon", 6, "H, steps that MPC looks ahead; 0: pi acts", at_least(0));
  int mpc_actions = opt("mpc-actions", 1000, "N, actions of pi that it chooses from", at_least(1));

  std::string backward_policy = opt("backward-policy", "likelihood", "how pi_back learns: likelihood, or gan, a "
                                    "conditional GAN", one_of({"likelihood", "gan"}));
  int recent            = opt("recent", 1000, "real steps that pi_back learns from, the last ones", at_least(1));
  Real backward_lr      = opt("backward-lr", 1e-3f, "Adam's step size for pi_back and the GAN's D", above(0));
  Real backward_std     = opt("backward-std", 0.0f, "standard deviation of its actions; 0: the learned one",
                              range(0, 1));

  bool no_backward  = opt("no-backward", false, "no backward steps, k1 = 0");
  bool no_boltzmann = opt("no-boltzmann", false, "start states uniformly, beta = 0");
  bool no_mpc       = opt("no-mpc", false, "pi acts, H = 0");
  bool ablation     = opt("ablation", false, "BMPO, BMPO without each of the three, MBPO; those without backward steps "
                          "go k1 + k2 forwards");
  bool forward_only = false;  // set by with()

  // What is run, and its options.
  std::vector<std::string> algos() const {
    if (ablation) return {"bmpo", "no_backward", "no_boltzmann", "no_mpc", "mbpo"};
    return {no_backward && no_boltzmann && no_mpc ? "mbpo" : "bmpo"};
  }
  BmpoOptions with(const std::string& algo) const {
    BmpoOptions opt = *this;
    opt.forward_only = ablation && (algo == "no_backward" || algo == "mbpo");
    if (no_backward) opt.backward_length = {0};
    if (no_boltzmann || algo == "no_boltzmann" || algo == "mbpo") opt.beta = {0};
    if (no_mpc || algo == "no_mpc" || algo == "mbpo") opt.mpc_horizon = 0;
    return opt;
  }
  int k1(long step) const { return forward_only ? 0 : ::rollout_length(step, backward_length); }
  int k2(long step) const {
    return ::rollout_length(step, rollout_length) + (forward_only ? ::rollout_length(step, backward_length) : 0);
  }

  // The authors' configuration files; beta is twice theirs, since their v is about 2V.
  static Presets paper() {
    const Presets mbpo = MbpoOptions::paper();
    const auto task = [&](const char* of, const Preset& more) {
      Preset preset = mbpo.at(of);
      preset.insert({{"backward-lr", 3e-4}, {"backward-std", 0.1}, {"recent", 10000}});
      for (const auto& [name, value] : more) preset.insert_or_assign(name, value);
      return preset;
    };
    Presets presets = {
        {"pendulum", task("hopper", {{"steps", 4000}, {"random-steps", 200}, {"epoch-steps", 200},
                                     {"rollout-every", 200}, {"rollouts", 80000}, {"retain", 1},
                                     {"rollout-length", {200, 1000, 1, 5}}, {"backward-length", {200, 1000, 1, 5}},
                                     {"beta", {0, 2000, 0.02, 0}}, {"backward-std", 0}, {"recent", 1000},
                                     {"eval-every", 200}})},
        {"hopper", task("hopper", {{"steps", 100000}, {"backward-length", {20000, 150000, 1, 15}},
                                   {"beta", {20000, 30000, 0.008, 0.006}}})},
        {"walker2d", task("walker2d", {{"steps", 200000}, {"beta", {0, 100000, 0.02, 0}}, {"mpc-horizon", 1}})}};
#ifdef HAVE_MUJOCO
    presets["ant_truncated"] = task("ant_truncated", {{"beta", 0.006}, {"mpc-horizon", 0}});
#endif
    return presets;
  }
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert({{"mpc-actions", 20}, {"mpc-horizon", 2}, {"backward-length", 2}});
    return preset;
  }

  // Throws BadInput, one line with the rule.
  void check() const {
    MbpoOptions::check();
    if (!uses_model()) throw BadInput("--real-ratio 1: BMPO learns from its models; 06_mbpo has SAC");
    check_schedule("--backward-length", backward_length), check_schedule("--beta", beta);
    if (std::max(backward_length[backward_length.size() / 2], backward_length.back()) > 10000)
      throw BadInput("--backward-length " + join(backward_length, ",") + ": k must be at most 10000");
    const auto off = [](const auto& of) { return of[of.size() / 2] == 0 && of.back() == 0; };
    if (ablation && (no_backward || no_boltzmann || no_mpc || off(backward_length) || off(beta) || mpc_horizon == 0))
      throw BadInput("--ablation: wanted with backward steps, beta and MPC, to leave them out one by one");
    if (ablation && (gif || !save.empty())) throw BadInput("--ablation: of its five runs --save and --gif want one");
    if (backward_policy == "gan" && backward_std > 0)
      throw BadInput("--backward-policy gan: learns its deviation, so wanted --backward-std 0");
  }
  BackwardPolicyOptions back() const {
    return {.hidden = sac().hidden, .lr = backward_lr, .gan = backward_policy == "gan", .std = backward_std};
  }
};

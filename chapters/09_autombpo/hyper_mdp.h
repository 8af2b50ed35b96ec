// A training run of MBPO as an MDP whose actions are hyper-parameters (slide "AutoMBPO Framework"; Lai et al. 2021).
#pragma once
#include "chapters/06_mbpo/training.h"  // Training and the verbs: train_model, interact, rollout, improve_policy
#include "chapters/09_autombpo/auto_options.h"

// The hyper-parameters that are scheduled.
struct Hyper {
  bool train;  // the model, now
  Real real_ratio;
  int G, k;
};
inline const std::vector<int> choices = {2, 3, 3, 3};  // of the controller, for each of these
inline const Mat keep = (Mat(4, 1) << 1, 1, 1, 1).finished();  // train the model, leave the others as they are
constexpr int hyper_state_dim = 8;

// Action: train the model or not; real ratio times 1/c, 1 or c; G and k one less, the same or one more.
inline Hyper changed(const AutoOptions& opt, const Hyper& h, const Mat& choice) {
  const auto up = [&](int head) { return int(choice(head, 0)) - 1; };
  return {.train = choice(0, 0) == 1,
          .real_ratio = std::clamp(h.real_ratio * std::pow(opt.factor, Real(up(1))), opt.least_ratio, Real(1)),
          .G = std::clamp(h.G + up(2), 1, opt.most_updates),
          .k = std::clamp(h.k + up(3), 1, opt.most_length)};
}

// eps_pi of chapter 06 between two policies, by Pinsker's inequality: mean over s (state_dim, n) of sqrt(KL/2), at
// most 1. The squashing changes no KL:
//   KL(old || now) = sum_i [log(std_now / std_old) + (std_old^2 + (mu_old - mu_now)^2) / (2 std_now^2) - 1/2]
inline Real policy_shift(const SquashedGaussian& old, const SquashedGaussian& now, const Mat& s) {
  const Mat out_old = old.net(s), out_now = now.net(s);
  const int n = old.action_dim();
  const auto log_std = [&](const Mat& out) {
    return Mat(rows(out, n, n).max(SquashedGaussian::min_log_std).min(SquashedGaussian::max_log_std));
  };
  const Mat a = log_std(out_old), b = log_std(out_now);
  const Mat KL = (b - a + ((2 * a).exp() + (out_old.topRows(n) - out_now.topRows(n)).square()) * (-2 * b).exp() / 2 -
                  Real(0.5)).colwise().sum();
  return (KL.max(0) / 2).sqrt().min(1).mean();
}

//(b6*) Idea: formulate hyperparameter scheduling as an MDP. An episode of it is a complete training of MBPO; between
// two decisions lie tau_c real steps.
struct HyperRun {
  const AutoOptions& opt;
  Training x;
  Hyper h;
  SquashedGaussian pi_before;  // at the last decision
  Real Q_loss = 0;             // mean over the steps since
  double eval_return = 0;
  bool learned = false;        // the model has been trained

  HyperRun(const AutoOptions& opt, int seed)
      : opt(opt), x(opt, seed), h{true, opt.real_ratio, opt.updates, opt.rollout_length[0]}, pi_before(x.agent.pi) {
    act_at_random(x, opt.random_steps);
  }
  bool over() const { return x.step >= opt.steps; }

  // State: progress, model loss, critic loss, policy shift, return, and the hyper-parameters: (8, 1), in [-1, 1].
  Mat state() const {
    Mat s(hyper_state_dim, 1);
    const Mat recent = x.D_env.all().s.rightCols(std::min<Eigen::Index>(x.D_env.size, 1000));
    s << Real(x.step) / opt.steps, learned ? Real(x.model.holdout_mse()) / opt.model_scale : 1,
        Q_loss / opt.critic_scale, policy_shift(pi_before, x.agent.pi, recent), Real(eval_return) / opt.return_scale,
        h.real_ratio, Real(h.G) / opt.most_updates, Real(h.k) / opt.most_length;
    return s.max(-1).min(1);
  }

  // Transition: tau_c real steps of MBPO, the verbs of chapter 06. A model that never learned is trained anyway.
  void step() {
    const bool uses_model = h.real_ratio < 1;
    pi_before = x.agent.pi, Q_loss = 0;
    at_step(x.step, [&] {
      if (uses_model && (h.train || !learned)) train_model(x.model, x.D_env, x.rng), learned = true;
      resize(x.D_model, Eigen::Index(opt.retain) * opt.rollouts * h.k);
      for (int t = 0; t < opt.epoch_steps && !interrupted(); ++t) {
        x.D_env.add(interact(*x.env, acting(x.agent.pi), x.rng)), ++x.step;
        if (uses_model && t % opt.rollout_every == 0)
          rollout(x.model, x.agent.pi, x.D_env, opt.rollouts, h.k, x.D_model, x.rng);
        Q_loss += improve_policy(x.agent, x.D_env, x.D_model, h.G, opt.batch, h.real_ratio, x.rng).Q_loss /
                  Real(opt.epoch_steps);
      }
    });
    if (!interrupted()) eval_return = evaluate(opt, x).eval_return;
  }
};

// Reward: how much better the policy is than plain MBPO's at this time, and a little for not training the model.
inline Real hyper_reward(double eval_return, double plain, bool trained) {
  return Real((eval_return - plain) / 300 + (trained ? -0.05 : 0.05));
}

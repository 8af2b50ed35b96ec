// BMPO in verbs: choose start states, roll out in both directions, refine the action that is taken (slides "Other
// Components of BMPO" and "Overall Algorithm of BMPO"; Lai et al. 2020). None of them reads an option.
#pragma once
#include "chapters/03_shooting/shooting.h"      // in_blocks, best_first
#include "chapters/07_bmpo/backward_model.h"
#include "chapters/07_bmpo/backward_policy.h"
#include "chapters/07_bmpo/boltzmann.h"

// V(s) = min_j Q_j(s, a), a ~ pi(.|s): (state_dim, n) -> (1, n).
inline Mat value(const Sac& agent, const Mat& s, Rng& rng) {
  const Mat s_a = concat(s, agent.pi.sample(s, rng.normal(agent.pi.action_dim(), s.cols())).a);
  return min(agent.Q[0](s_a), agent.Q[1](s_a));
}

// f(columns of x, rng) -> (1, their number), a block at a time with a generator each, the blocks on several cores.
template <class F> Mat in_random_blocks(const Mat& x, const F& f, Rng& rng) {
  std::vector<Rng> rngs;
  for (int i = 0; i < blocks_of(x.cols()); ++i) rngs.push_back(rng.split());
  return in_blocks(x, [&](int i, const Mat& block) { return f(block, rngs[i]); });
}

// Where rollouts begin.
struct Starts {
  Mat s;               // (state_dim, M)
  double V_all = NAN;  // mean value of the states that were offered, where values were asked for
  double V = NAN;      // and of those that were drawn
};

// M states uniformly from D_env; of these M again, with replacement and p(s) ~ exp(beta V(s)). As in the authors' code
// beta (max V - min V) is at most 10, so that no state is more than e^10 times as likely as another. At beta = 0 the
// second draw is left out. Throws std::invalid_argument if D_env is empty, NotFinite if a value is not finite.
inline Starts start_states(const Sac& agent, const Transitions& D_env, int M, double beta, Rng& rng) {
  Starts starts{D_env.sample(M, rng).s};
  if (beta == 0) return starts;
  const Mat V = in_random_blocks(starts.s, [&](const Mat& s, Rng& rng) { return value(agent, s, rng); }, rng);
  const double span = V.maxCoeff() - V.minCoeff();
  const Boltzmann p(V.reshaped(), beta * span > 10 ? 10 / span : beta);
  std::vector<int> drawn(M);
  for (int& i : drawn) i = p.draw(rng);
  starts.s = Mat(starts.s(Eigen::all, drawn));
  starts.V_all = V.mean(), starts.V = V(0, drawn).mean();
  return starts;
}

// k steps backwards from each column of s_next (state_dim, n), one Batch a step, each a transition (s, a, r, s') as if
// it had been lived through. Where the model says that one came from a terminal state, the step is dropped and the
// branch ends, so the batches become smaller.
template <class Model, class Policy>
std::vector<Batch> branch_back(const Model& model_back, const Policy& pi_back, Mat s_next, int k, Rng& rng) {
  std::vector<Batch> steps;
  for (int i = 0; i < k && s_next.cols() > 0; ++i) {
    const Mat a = pi_back.sample(s_next, rng);
    const Predecessor o = model_back.sample(s_next, a, rng);
    const Mat ended = model_back.env.terminated(o.s);
    std::vector<int> possible;
    for (int j = 0; j < s_next.cols(); ++j)
      if (ended(0, j) == 0) possible.push_back(j);
    steps.push_back({o.s(Eigen::all, possible), a(Eigen::all, possible), o.r(Eigen::all, possible),
                     s_next(Eigen::all, possible), o.not_done(Eigen::all, possible)});
    s_next = steps.back().s;
  }
  return steps;
}

// From each of the start states k1 steps backwards and k2 forwards, into D_model: the steps back first.
template <class Model, class ModelBack, class Policy>
void bidirectional_rollout(const Model& model, const SquashedGaussian& pi, const ModelBack& model_back,
                           const Policy& pi_back, const Mat& s, int k1, int k2, Transitions& D_model, Rng& rng) {
  if (k1 > 0)
    add_branches(s, [&](const Mat& s, Rng& rng) { return branch_back(model_back, pi_back, s, k1, rng); }, D_model, rng);
  add_branches(s, [&](const Mat& s, Rng& rng) { return branch(model, pi, s, k2, rng); }, D_model, rng);
}

// The action for s (state_dim, 1): of N actions of the policy the one whose imagined return is the largest. Throws
// NotFinite if no return is finite.
//(b7*) a_t = argmax over a_t^{1:N} ~ pi of sum_{t'=t}^{t+H-1} gamma^(t'-t) r(s_t', a_t') + gamma^H V(s_{t+H})
// After the first action the policy's mean action is taken; V only counts where the task has not ended before.
template <class Model>
Mat mpc(const Model& model, const Sac& agent, const Mat& s, int N, int H, Real gamma, Rng& rng) {
  const Mat first = agent.pi.sample(broadcast(s, s.rows(), N), rng.normal(agent.pi.action_dim(), N)).a;
  const Mat Q_hat = in_random_blocks(first, [&](Mat a, Rng& rng) {
    const Mat start = broadcast(s, s.rows(), a.cols());
    Mat at = start, alive = Mat::Ones(1, a.cols()), sum = 0 * alive;
    Real discount = 1;
    try {
      for (int i = 0; i < H; ++i, discount *= gamma) {
        if (i > 0) a = agent.pi.mean_action(at);
        const Outcome o = model.sample(at, a, rng);
        sum += discount * alive * o.r, alive *= o.not_done;
        at = (broadcast(alive, s.rows(), a.cols()) > 0).select(o.s_next, start);  // beyond an end nothing is asked
      }
      return Mat(sum + discount * alive * value(agent, at, rng));
    } catch (const NotFinite&) {  // the model has left all bounds: these candidates cannot win
      return Mat(Mat::Constant(1, a.cols(), std::numeric_limits<Real>::quiet_NaN()));
    }
  }, rng);
  return first.col(best_first(Q_hat, 1).front());
}

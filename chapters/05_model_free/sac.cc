#include "chapters/05_model_free/sac.h"
#include <stdexcept>
#include <string>
#include "chapters/00_toolbox/parallel.h"  // parallel_pair

void SacOptions::check() const {
  const auto rule = [](bool holds, const char* text) {
    if (!holds) throw std::invalid_argument(std::string("sac: ") + text);
  };
  rule(!hidden.empty() && *std::min_element(hidden.begin(), hidden.end()) >= 1, "hidden layers must have a size");
  rule(lr > 0, "the learning rate must be positive");
  rule(0 <= gamma && gamma <= 1, "the discount gamma must be in [0, 1]");
  rule(0 < tau && tau <= 1, "tau must be in (0, 1]");
  rule(alpha > 0, "the temperature alpha must be positive");
}

static MLP critic(int in, const SacOptions& o, Rng& rng) {
  return MLP(SquashedGaussian::mlp_sizes(in, o.hidden, 1), Activation::relu, Init::glorot, rng);
}

Sac::Sac(int state_dim, int action_dim, const SacOptions& o, Rng& rng)
    : options((o.check(), o)), target_entropy(Real(-action_dim)), pi(state_dim, action_dim, o.hidden, rng),
      Q{critic(state_dim + action_dim, o, rng), critic(state_dim + action_dim, o, rng)}, Q_targ(Q),
      log_alpha{Mat::Constant(1, 1, std::log(o.alpha)), {}}, pi_opt(params(pi), o.lr),
      alpha_opt({&log_alpha}, o.lr), Q_opt{Adam(params(Q[0]), o.lr), Adam(params(Q[1]), o.lr)} {}

// y = r + gamma (1 - d) [min_j Q'_j(s', a') - alpha log pi(a'|s')],   a' ~ pi(.|s')
//(b7) instabilities: y is learned from itself. The smaller of two critics that lag behind keeps it from running away.
void critic_targets(Sac& agent, const Batch& b, const Sampled<Var>& next) {
  const Eigen::Index n = b.size();
  const Mat &a_next = next.a.value(), &logp_next = next.logp.value();
  std::array<Var, 2> Q_next;
  parallel_pair(agent.large(n), [&](int j) {
    Tape& tape = agent.targ_tape[j];
    tape.clear();
    Q_next[j] = frozen(agent.Q_targ[j])(concat(tape.constant(b.s_next), tape.constant(a_next)));
  });
  agent.y = b.r + agent.options.gamma * b.not_done *
                      (min(Q_next[0].value(), Q_next[1].value()) - agent.alpha() * logp_next);
}

// J_Q = E[(Q_j(s, a) - y)^2]: the two critics are independent, one thread each if there are two.
//   Q'_j <- (1 - tau) Q'_j + tau Q_j
Real critic_step(Sac& agent, const Batch& b) {
  const Eigen::Index n = b.size();
  std::array<Real, 2> loss;
  parallel_pair(agent.large(n), [&](int j) {
    Tape& tape = agent.Q_tape[j];
    tape.clear();
    const Var J_Q = mean(square(agent.Q[j](concat(tape.constant(b.s), tape.constant(b.a))) - agent.y));
    loss[j] = J_Q.item();
    named(j == 0 ? "first critic" : "second critic", [&] { agent.Q_opt[j].minimize(J_Q); });
    soft_update(agent.Q_targ[j], agent.Q[j], agent.options.tau);
  });
  return loss[0] + loss[1];
}

// J_pi = E[alpha log pi(a|s) - min_j Q_j(s, a)],   a = a_phi(s, xi), in two halves so that each critic has a thread:
//   dJ/da_j = -1/batch dQ_j/da where Q_j is the smaller one, else 0
//   dJ/dphi = E[alpha dlog pi/dphi] + sum_n (dJ/da_1 + dJ/da_2) da/dphi
Real policy_step(Sac& agent, const Mat& s, const Sampled<Var>& now) {
  const Eigen::Index n = s.cols();
  const Mat& a = now.a.value();
  std::array<Var, 2> s_a, Q;
  parallel_pair(agent.large(n), [&](int j) {
    Tape& tape = agent.Q_pi_tape[j];
    tape.clear();
    s_a[j] = tape.input([&](Mat& x) { x.resize(s.rows() + a.rows(), s.cols()), x << s, a; });
    Q[j] = frozen(agent.Q[j])(s_a[j]);
  });
  const Mat &Q1 = Q[0].value(), &Q2 = Q[1].value();
  std::array<Real, 2> Q_min;
  parallel_pair(agent.large(n), [&](int j) {  // the other critic's values are constants here
    Tape& tape = agent.Q_pi_tape[j];
    const Var J = -mean(j == 0 ? min(Q[0], tape.constant(Q2)) : min(tape.constant(Q1), Q[1]));
    Q_min[j] = -J.item();
    tape.backward(J);
  });
  const auto dJ_da = [&](int j) -> const Mat& { return s_a[j].grad(); };
  agent.dJ_da = dJ_da(0).bottomRows(a.rows()) + dJ_da(1).bottomRows(a.rows());
  named("policy", [&] { agent.pi_opt.minimize(agent.alpha() * mean(now.logp) + sum(now.a * agent.dJ_da)); });
  return Q_min[0];
}

SacNumbers sac_update(Sac& agent, const Batch& b, Rng& rng) {
  const Eigen::Index n = b.size();
  for (Mat* xi : {&agent.xi_next, &agent.xi}) {
    xi->resize(agent.pi.action_dim(), n);
    rng.fill_normal(*xi);
  }
  Sampled<Var> next, now;  // a' ~ pi(.|s') for the targets, a ~ pi(.|s) for the policy's own step
  parallel_pair(agent.large(n), [&](int j) {
    Tape& tape = j == 0 ? agent.next_tape : agent.pi_tape;
    tape.clear();
    if (j == 0) next = frozen(agent.pi).sample(tape.constant(b.s_next), agent.xi_next);
    else now = agent.pi.sample(tape.constant(b.s), agent.xi);
  });
  const Real mean_logp = now.logp.value().mean(), alpha = agent.alpha();  // read before the tape is cleared

  critic_targets(agent, b, next);
  const Real Q_loss = critic_step(agent, b);
  const Real Q = policy_step(agent, b.s, now);

  // J_alpha = -log alpha (log pi + H_bar):   dJ/dlog alpha = -(mean log pi + H_bar)
  agent.alpha_opt.step(agent.log_alpha, -(mean_logp + agent.target_entropy));
  return {Q_loss, Q, -mean_logp, alpha};
}

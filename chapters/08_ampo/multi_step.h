// A loss through several steps of the model's own prediction (slide "Deal with Distribution Mismatch", where the
// multi-step model is that of Asadi et al. 2019, which predicts s_n from s_0, a_0, ..., a_{n-1} at once): what a model
// makes of its own mistakes is part of what it learns from.
//
//   const std::vector<int> begins = consecutive(D_env, 2);
//   fit_pieces(member, env, D_env, begins, {.length = 2, .own = 2}, rng);
#pragma once
#include "chapters/00_toolbox/errors.h"      // interrupted
#include "chapters/04_pets/ensemble.h"       // Member
#include "chapters/04_pets/transitions.h"    // Batch, Transitions

// The columns of D at which n transitions in a row begin, all of one episode: each goes on where the last one ended.
inline std::vector<int> consecutive(const Transitions& D, int n) {
  const Eigen::Index newest = (D.next + D.capacity - 1) % D.capacity;
  const auto goes_on = [&](Eigen::Index j) {  // also not after a time limit, where s_next is no terminal state
    return j != newest && D.data.not_done(0, j) > 0 && (D.data.s_next.col(j) == D.data.s.col((j + 1) % D.size)).all();
  };
  std::vector<int> begins;
  for (Eigen::Index j = 0; j < D.size; ++j) {
    int i = 1;
    while (i < n && goes_on((j + i - 1) % D.size)) ++i;
    if (i == n) begins.push_back(int(j));
  }
  return begins;
}

// n transitions in a row from each of these columns: the first of all, the second of all, ...
inline std::vector<Batch> pieces(const Transitions& D, const std::vector<int>& begins, int n) {
  std::vector<Batch> piece;
  for (int i = 0; i < n; ++i) {
    std::vector<int> columns = begins;
    for (int& j : columns) j = int((j + i) % D.size);
    piece.push_back(D.at(columns));
  }
  return piece;
}

//(b3) In model learning: design different loss functions, make the rollouts more like real.
//   L = 1/n sum_{i=1..n} mean |net_target(s_hat_{i-1}, s_i) - mu(s_hat_{i-1}, a_{i-1})|^2 / variance of the targets
// s_hat_i = net_apply(s_hat_{i-1}, mu), the model's own prediction, through which the gradient goes; every `own` steps
// it begins again at the real s_i. own = 1: the usual one-step loss of the same transitions. f predicts net_target.
inline Var piece_loss(Member& f, const Env& env, const std::vector<Batch>& piece, int own, Tape& tape) {
  Var s_hat, sum = tape.zero();
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (i % own == 0) s_hat = tape.constant(piece[i].s);
    const Var mu = f.predict(concat(env.net_input(s_hat), tape.constant(piece[i].a))).mu;
    const Var y = env.net_target(s_hat, tape.constant(piece[i].s_next));
    sum = sum + mean(square((mu - y) / f.head.target.std));
    s_hat = env.net_apply(s_hat, mu);
  }
  return sum * (1 / Real(piece.size()));
}

struct PieceOptions {
  int length = 2, own = 2;  // transitions in a row, and how many of them are predicted from a prediction
  int epochs = 200, batch = 32;
  Real lr = 1e-3;
};

// Adam for `epochs` passes over the pieces that begin in these columns of D. Throws std::invalid_argument if there are
// none, NotFinite if a loss or a gradient is not finite.
inline void fit_pieces(Member& f, const Env& env, const Transitions& D, std::vector<int> begins,
                       const PieceOptions& how, Rng& rng) {
  if (begins.empty()) throw std::invalid_argument("multi-step loss: no episode has enough steps");
  const Batch all = D.all();
  f.input.fit(concat(env.net_input(all.s), all.a)), f.head.target.fit(env.net_target(all.s, all.s_next));
  Adam optimiser(params(f), how.lr);
  Tape tape;
  for (int epoch = 0; epoch < how.epochs && !interrupted(); ++epoch) {
    rng.shuffle(begins);
    for (std::size_t i = 0; i < begins.size(); i += how.batch) {
      const auto end = begins.begin() + std::min(begins.size(), i + how.batch);
      optimiser.minimize(piece_loss(f, env, pieces(D, {begins.begin() + i, end}, how.length), how.own, tape));
    }
  }
}

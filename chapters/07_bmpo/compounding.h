// The error of a whole imagined trajectory, in one direction and in two (slide "Model Compounding Error").
#pragma once
#include <vector>
#include "chapters/07_bmpo/backward_model.h"

// Recorded trajectories side by side: s[t] (state_dim, n) for t = 0, ..., a[t] (action_dim, n) leads from s[t] on.
struct Recording {
  std::vector<Mat> s, a;
};

// ||s_hat - s||_2^2 of each column: (1, n).
inline Mat squared_distance(const Mat& s_hat, const Mat& s) { return (s_hat - s).square().colwise().sum(); }

// s_hat_{from + i} for i = 1, ..., steps: the forward model alone, with the recorded actions, from a recorded state.
// forward(s, a) is the next state; and backward(s', a) the one before: s_hat_{from - i}.
template <class Forward>
std::vector<Mat> imagine(const Forward& forward, const Recording& real, int from, int steps) {
  std::vector<Mat> s_hat = {real.s[from]};
  for (int i = 0; i < steps; ++i) s_hat.push_back(forward(s_hat.back(), real.a[from + i]));
  return s_hat;
}
template <class Backward>
std::vector<Mat> imagine_back(const Backward& backward, const Recording& real, int from, int steps) {
  std::vector<Mat> s_hat = {real.s[from]};
  for (int i = 1; i <= steps; ++i) s_hat.push_back(backward(s_hat.back(), real.a[from - i]));
  return s_hat;
}

//(b10) Error_for = 1/(2h) sum_{i=1..2h} ||s_hat_i - s_i||^2: from state 0, 2h steps forwards. (1, n), one each.
template <class Forward> Mat error_forward(const Forward& forward, const Recording& real, int h) {
  const std::vector<Mat> s_hat = imagine(forward, real, 0, 2 * h);
  Mat sum = Mat::Zero(1, real.s[0].cols());
  for (int i = 1; i <= 2 * h; ++i) sum += squared_distance(s_hat[i], real.s[i]);
  return sum / Real(2 * h);
}

//(b11) Error_bi = 1/(2h) sum_{i=1..h} (||s_hat_{h+i} - s_{h+i}||^2 + ||s_hat_{h-i} - s_{h-i}||^2): from state h, in the
// middle, h steps each way. As many imagined states, none of them more than h steps from a real one. (1, n).
template <class Forward, class Backward>
Mat error_bidirectional(const Forward& forward, const Backward& backward, const Recording& real, int h) {
  const std::vector<Mat> ahead = imagine(forward, real, h, h), behind = imagine_back(backward, real, h, h);
  Mat sum = Mat::Zero(1, real.s[0].cols());
  for (int i = 1; i <= h; ++i)
    sum += squared_distance(ahead[i], real.s[h + i]) + squared_distance(behind[i], real.s[h - i]);
  return sum / Real(2 * h);
}

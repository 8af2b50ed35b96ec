// Generalised advantage estimation (Schulman et al. 2016).
#pragma once
#include "autodiff/mat.h"

// delta_t = r_t + gamma (1 - terminated_t) V(s_{t+1}) - V(s_t)
//     A_t = sum_{l >= 0} (gamma lambda)^l delta_{t+l}, up to the end of the episode
//         = delta_t + gamma lambda (1 - over_t) A_{t+1}
// All (1, n), in the order of time. V_next: the value of s_{t+1}, also where a time limit ends the episode, since
// terminated is 1 at a terminal s_{t+1} only; over is 1 at the last step of every episode. The data may stop in one.
inline Mat gae(const Mat& r, const Mat& V, const Mat& V_next, const Mat& terminated, const Mat& over, Real gamma,
               Real lambda) {
  Mat A = r + gamma * (1 - terminated) * V_next - V;
  for (Eigen::Index t = A.cols() - 2; t >= 0; --t) A(0, t) += gamma * lambda * (1 - over(0, t)) * A(0, t + 1);
  return A;
}

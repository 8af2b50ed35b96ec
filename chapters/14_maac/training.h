// Everything that a run of MAAC changes: what MBPO has, and memory.
#pragma once
#include "chapters/06_mbpo/training.h"  // Training
#include "chapters/14_maac/maac_options.h"

//(1) Initialize the policy pi_theta, model f_hat_phi, Q_hat_psi, D_env, D_model
//(b8*) Model learning: chapter 04's ensemble of Gaussian networks, not of Gaussian processes.
struct MaacTraining : Training {
  std::string algo;
  MaacNumbers numbers;  // of the last real step
  MaacMemory memory;

  MaacTraining(const MaacOptions& opt, const std::string& algo, int seed) : Training(opt, seed), algo(algo) {}

  template <class Ar> void io(Ar& ar) { Training::io(ar), ar("algo", algo); }
};

// A hyper-episode that is over, and its file.
#pragma once
#include <filesystem>
#include "chapters/00_toolbox/checkpoint.h"  // Checkpoint
#include "chapters/09_autombpo/controller.h"
#include "chapters/09_autombpo/hyper_mdp.h"

struct Finished {
  int number = 0;        // which of the training's hyper-episodes
  Mat s, a, logp;        // (hyper_state_dim, n), (heads, n), (heads, n): the decisions
  Mat hyper;             // (4, n): train, real ratio, G, k after each of them
  Mat eval_return;       // (1, n): and the return tau_c steps later

  Finished(int number, int decisions)
      : number(number), s(hyper_state_dim, decisions), a(choices.size(), decisions), logp(choices.size(), decisions),
        hyper(4, decisions), eval_return(1, decisions) {}
  template <class Ar> void io(Ar& ar) {
    ar("number", number), ar("s", s), ar("a", a), ar("logp", logp), ar("hyper", hyper), ar("eval_return", eval_return);
  }

  // With rewards against the returns of plain MBPO, (1, n).
  HyperEpisode rewarded(const Mat& plain) const {
    HyperEpisode run;
    for (Eigen::Index t = 0; t < s.cols(); ++t)
      run.push_back({s.col(t), a.col(t), logp.col(t), hyper_reward(eval_return(0, t), plain(0, t), a(0, t) == 1)});
    return run;
  }
};

// A complete MBPO run. decide(state) returns the decision; its seed is not among those that are reported.
template <class Decide> Finished hyper_episode(const AutoOptions& opt, int number, int seed, Decide decide) {
  Finished done(number, opt.decisions());
  HyperRun run(opt, seed);
  for (int t = 0; t < opt.decisions() && !interrupted(); ++t) {
    const Decision d = decide(run.state());
    run.h = changed(opt, run.h, d.a);
    run.step();
    done.s.col(t) = d.s, done.a.col(t) = d.a, done.logp.col(t) = d.logp;
    done.hyper.col(t) << Real(run.h.train), run.h.real_ratio, Real(run.h.G), Real(run.h.k);
    done.eval_return(0, t) = Real(run.eval_return);
  }
  return done;
}

// What a controller is worth keeping of: its networks.
struct Heads {
  Controller& controller;
  template <class Ar> void io(Ar& ar) {
    for (std::size_t h = 0; h < controller.heads.size(); ++h) ar("head" + to_text(h), controller.heads[h].pi);
  }
};
// Throws BadInput as load_networks, NotFinite if a number is not finite.
inline void load_controller(const std::string& path, Controller& controller) {
  Heads heads{controller};
  load_networks(path, heads);
  check_all_finite(heads);
}

// The controller's own generator in a run of this seed. The run's is not touched: without decisions it is chapter 06's.
inline Rng controller_rng(int run_seed) { return Rng(1000000 + run_seed); }

// Writes it, or reads it back: false if the file is not there, and with a line on stderr if it is damaged, of other
// options or of another number. Files are checkpoints (00_toolbox).
inline void write_episode(const AutoOptions& opt, const std::string& path, const Finished& run) {
  Checkpointed how = opt;
  how.checkpoint = path;
  Checkpoint(how, {}).save(run);
}
inline bool read_episode(const AutoOptions& opt, const std::string& path, Finished& run) {
  if (!std::filesystem::exists(path)) return false;
  Checkpointed how = opt;
  how.resume = path;
  Finished there = run;
  try {
    Checkpoint(how, {}).resume(there);
    if (there.number != run.number) throw BadInput(path + ": is hyper-episode " + to_text(there.number));
    run = there;
    return true;
  } catch (const BadInput& e) {
    complain(opt.program.c_str(), 0, (std::string(e.what()) + "; it is run again").c_str());
    return false;
  }
}

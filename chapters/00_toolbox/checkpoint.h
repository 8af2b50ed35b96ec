// Long runs survive: the whole state of a training in a file, from which the program goes on as if never stopped.
//
//   struct Options : Checkpointed { using Checkpointed::Checkpointed; ... };  // --checkpoint FILE, --resume FILE
//
//   struct Training {              // everything that the next step reads: networks, optimisers, buffers, generators,
//     int seed;  long t = 0;       // normalisers, the environment (reset, so that its state has its size), s, counters
//     ...
//     template <class Ar> void io(Ar& ar) { ar("seed", seed), ar("t", t), ar("rng", rng), ar("env", *env), ... }
//   };
//
//   RunLog log(opt, {"seed", "env_steps", "eval_return"});  // with --resume nothing is cut off yet
//   Training training(opt);
//   Checkpoint checkpoint(opt, {&log});
//   checkpoint.resume(training);                            // does nothing without --resume
//   while (training.t < opt.steps && !interrupted()) {
//     ...                                                   // ++t, a step, perhaps a row
//     checkpoint.save_if_due(training.t, training);         // at the very end: a `continue` must not leave it out
//   }
//
// The file is in the safetensors format: what io lists, and as metadata the program, its options, length and checksum
// of every log, and a checksum of the file. A run that was killed at any moment and resumed writes the same CSV files
// as one that was not, time columns apart. Their head stays that of the first start, with its --steps.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chapters/00_toolbox/args.h"         // Args
#include "chapters/00_toolbox/errors.h"       // interrupted
#include "chapters/00_toolbox/run_log.h"      // RunLog
#include "chapters/00_toolbox/safetensors.h"  // SaveArchive, load_members

// The options of a program whose training can be interrupted.
struct Checkpointed : Args {
  explicit Checkpointed(std::shared_ptr<Registry> shared) : Args(std::move(shared)) {
    checkpoint = opt("checkpoint", "", "write the state of the run to this file again and again, for --resume");
    resume = opt("resume", "", "go on where this checkpoint was written; its CSV files have to be in --out");
  }
  int checkpoint_every = opt("checkpoint-every", 1000, "real steps between two checkpoints", at_least(1));
};

struct Checkpoint {
  // `logs`: those whose rows belong to the state, all that the program opens before its end. They outlive this.
  Checkpoint(const Checkpointed& opt, std::vector<RunLog*> logs);

  // With --resume: fills `training`, and cuts the logs back to the rows that were there then. Before anything changes,
  // all is checked; throws BadInput, one line, for a file that was truncated or altered by as little as a bit, one of
  // another program, of other options (--steps and those of_this_start may differ), of another Real or other sizes, and
  // for a log that is missing, shorter, or altered in the part that is kept.
  template <class T>
  void resume(T& training) {
    if (from.empty()) return;
    const TensorFile file = read();
    load_members(from, file, training);
    go_on(file);
  }

  // Writes the state if --checkpoint-every real steps have passed, if `step` has begun again (the next seed's run), and
  // at the first step after resume.
  template <class T>
  void save_if_due(long step, const T& training) {
    const long before = std::exchange(part, step / every);
    if (part != before) save(training);
  }

  // Writes the state. The checkpoint before is kept as FILE.previous; whenever the program is killed, FILE is complete.
  // After Ctrl-C nothing is written, since a step may have been cut short. Throws LostOutput, FILE is then as it was.
  template <class T>
  void save(const T& training) {
    if (to.empty() || interrupted()) return;
    SaveArchive archive;
    const_cast<T&>(training).io(archive);  // a SaveArchive writes to nothing
    write(std::move(archive.file));
  }

 private:
  std::string from, to;  // --resume, --checkpoint
  long every, part = 0;  // part: step / every when save_if_due was called last
  std::vector<RunLog*> logs;
  bool complete = false;                                   // what lies at `to` is a complete checkpoint
  std::vector<std::pair<std::string, std::string>> about;  // program, Real and options, in the file's metadata

  TensorFile read() const;
  void go_on(const TensorFile& file);
  void write(TensorFile file);
};

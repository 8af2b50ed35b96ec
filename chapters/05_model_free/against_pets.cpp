// Model-based against model-free on the same task (slide "Model-free RL v.s. Model-based RL"): PETS of chapter 04 and
// SAC on cartpole_swingup. The picture: return against real steps.
//
//   build/05_model_free_against_pets                   1 seed: 31 s, 40 MB
//   build/05_model_free_against_pets --seeds 5 --updates 1,10
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/00_toolbox/safetensors.h"  // save_networks, load_networks
#include "chapters/03_shooting/cem.h"         // Cem
#include "chapters/04_pets/pets.h"            // make_model, fit, Particles, ModelReturn
#include "chapters/05_model_free/evaluate.h"
#include "chapters/05_model_free/sac.h"
#include "chapters/05_model_free/sac_options.h"
#include "plots/picture.h"  // frames
#include "plots/plot.h"     // Figure, draw, animate

struct Options : SacProgram {
  using SacProgram::SacProgram;
  static constexpr const char* about = "PETS and SAC on one task (slide \"Model-free RL v.s. Model-based RL\")";
  int pets_steps = opt("pets-steps", 2000, "PETS: real steps that the model learns from", at_least(1));
  int frozen     = opt("frozen", 2, "PETS: trials after that, in which nothing is learned", at_least(0));
  int members    = opt("members", 5, "PETS: B, networks of the ensemble", at_least(1));
  int particles  = opt("particles", 5, "PETS: P, particles of a plan", at_least(1));
  int candidates = opt("candidates", 100, "PETS: plans of a CEM iteration, a tenth are elites", at_least(10));
  int horizon    = opt("horizon", 25, "PETS: T, actions of a plan", at_least(1));
  static std::vector<std::string> environments() { return env_names("cartpole_swingup"); }
  static Preset lecture() { return {}; }
  static Presets lecture_of() { return {{"cartpole_swingup", {{"steps", 20000}, {"updates", 1}}}}; }
  static Preset smoke() {
    return {{"steps", 300}, {"updates", 1}, {"random-steps", 100}, {"hidden", {8, 8}}, {"batch", 16},
            {"eval-every", 100}, {"eval-episodes", 2}, {"pets-steps", 220}, {"frozen", 0}, {"candidates", 10},
            {"horizon", 4}};
  }
  void check() const {
    SacProgram::check();
    if (!make_env(env)->has_reward)
      throw BadInput("--env " + env + ": PETS needs a reward that follows from (s, a, s_next)");
    if (const int T = make_env(env)->time_limit; pets_steps <= T)
      throw BadInput("--pets-steps " + to_text(pets_steps) + ": wanted more than the random trial, " + to_text(T));
    if (particles % members != 0)
      throw BadInput("--particles " + to_text(particles) + ": wanted a multiple of --members, " + to_text(members));
  }
};

// Trial after trial: fit the model to all data, then act by planning in it.
void run_pets(const Options& opt, int seed, Cem planner, RunLog& log) {  //(b1) on-policy: the model tries the plan
  Rng rng(seed);
  const std::unique_ptr<Env> env = make_env(opt.env);
  Transitions D(env->state_dim, env->action_dim, opt.pets_steps);
  Mat s = env->reset(rng);
  // As 04_pets has it.
  Ensemble model = make_model(*env, {.members = opt.members, .elites = opt.members, .hidden = {64, 64}, .batch = 32,
                                     .epochs = 100, .patience = 8}, rng);
  long steps = 0;
  for (int trial = 0, frozen = 0; frozen <= opt.frozen && !interrupted(); ++trial) {
    const bool learns = D.size < opt.pets_steps;                    //(b2) later trials need no further real data
    if (!learns && ++frozen > opt.frozen) break;
    if (learns && trial > 0) fit(model, *env, D, rng);
    const Particles particles(model, *env, Propagation::TSinf, opt.particles);
    Real trial_return = 0;
    s = env->reset(rng), planner.reset();
    for (bool over = false; !over && !interrupted();) {
      const Mat a = trial == 0 ? rng.uniform(env->action_dim, 1, -1, 1)
                               : planner.act(ModelReturn{particles, s, rng}, rng);
      const Transition t = env->step(a);
      if (learns) D.add(t);
      s = t.s_next, trial_return += t.r, ++steps, over = t.terminated || t.truncated;
    }
    if (!interrupted()) log.row(learns ? "pets" : "pets_frozen", opt.env, seed, steps, trial_return, 0);
  }
}

// The loop of main.cpp.
void run_sac(const Options& opt, int G, int steps, int seed, Sac& agent, Rng& rng, RunLog& log) {
  Rng eval_rng = rng.split();
  const std::unique_ptr<Env> env = make_env(opt.env), env_eval = make_env(opt.env);
  Transitions D(env->state_dim, env->action_dim, opt.capacity);
  Batch batch;
  Mat s = env->reset(rng), xi(env->action_dim, 1);
  for (int t = 1; t <= steps && !interrupted(); ++t) {
    rng.fill_normal(xi);
    const bool random = t <= opt.random_steps;
    const Transition step = env->step(random ? rng.uniform(env->action_dim, 1, -1, 1) : agent.pi.sample(s, xi).a);
    D.add(step);
    s = step.terminated || step.truncated ? env->reset(rng) : step.s_next;
    if (t >= opt.random_steps) at_step(t, [&] {
      for (int g = 0; g < G && !interrupted(); ++g) {
        D.sample(opt.batch, rng, batch);
        sac_update(agent, batch, rng);
      }
    });
    if (opt.eval_every == 0 || t % opt.eval_every != 0) continue;
    const Evaluation e = evaluate(*env_eval, opt.eval_episodes, opt.gamma, eval_rng,
                                  [&](const Mat& s) { return agent.pi.mean_action(s); }, [](const Mat&) { return 0; });
    log.row("sac", opt.env, seed, t, e.eval_return, G);
  }
}

// From the CSV file: return against real steps, logarithmic.
void plot(const Options& opt) {
  Panel panel{.x_label = "real environment steps", .y_label = "return of an episode", .log_x = true};
  for (const Curve& c : curves(read_csv(opt.path(".csv")), {"algo", "G"}, "env_steps", "eval_return")) {
    const std::string name = c.label.starts_with("pets_frozen") ? "PETS, nothing is learned any more"
                             : c.label.starts_with("pets")      ? "PETS"
                                                                : "SAC, G = " + c.label.substr(5);
    panel.layers.push_back(curve(name, c.x, c.mean, c.low, c.high));
  }
  draw({.panels = {panel}}, opt.path(".png"));
}

// How many times the real steps of PETS does SAC need? A run that never gets there counts as long as it was.
void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  const std::string slide = "Model-free RL v.s. Model-based RL";
  const auto steps_to_150 = [&](const Table& rows, double at_most) {
    return std::min(at_most, reaches(rows.numbers("env_steps"), rows.numbers("eval_return"), 150));
  };
  for (std::size_t i = 0; i < opt.updates.size() && opt.env == "cartpole_swingup" && opt.eval_every > 0; ++i) {
    std::vector<double> ratios;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) {
      const Table rows = table.where("seed", to_text(seed));
      const double sac = steps_to_150(rows.where("algo", "sac").where("G", to_text(opt.updates[i])), opt.steps_of(i));
      ratios.push_back(sac / steps_to_150(rows.where("algo", "pets"), INFINITY));
    }
    //(b3) model-based RL: always higher sample efficiency than MFRL
    claims.at_least("cartpole_swingup: real steps to 150, SAC at G = " + to_text(opt.updates[i]) + " over PETS, median",
                    slide, exact(median(ratios)), opt.updates[i] == 1 ? 10 : 1);
  }
  std::vector<double> frozen;
  for (int seed = opt.seed; seed < opt.seed + opt.seeds && opt.env == "cartpole_swingup"; ++seed)
    for (const double x : table.where("algo", "pets_frozen").where("seed", to_text(seed)).numbers("eval_return"))
      frozen.push_back(x);
  if (!frozen.empty())
    claims.at_least("cartpole_swingup: PETS, median of the trials after learning", slide, exact(median(frozen)), 150);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::unique_ptr<Env> env = make_env(opt.env);
    //(b4) model compounding error: T is as short as the task allows
    const Cem planner(env->action_dim, {.T = opt.horizon, .candidates = opt.candidates, .elites = opt.candidates / 10,
                                        .iterations = 4});
    std::unique_ptr<Sac> agent;
    const auto start = [&](Rng& rng) {
      agent = std::make_unique<Sac>(env->state_dim, env->action_dim, opt.sac(), rng);
      if (!opt.load.empty()) load_networks(opt.load, *agent), check_all_finite(*agent);
    };
    Rng first(opt.seed);
    start(first);  // a file that does not fit is refused before anything is written
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "G"});
    Progress progress(opt, long(opt.updates.size() + 1) * opt.seeds, "", "runs");
    long done = 0;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      run_pets(opt, seed, planner, log);
      progress.show(++done);
      for (std::size_t i = 0; i < opt.updates.size() && !interrupted(); ++i) {
        Rng rng(seed);
        start(rng);
        run_sac(opt, opt.updates[i], opt.steps_of(i), seed, *agent, rng, log);
        progress.show(++done);
      }
    }
    if (!opt.save.empty()) save_networks(opt.save, *agent, {{"program", opt.program}, {"env", opt.env}});
    const auto action = [&](const Mat& s) { return agent->pi.mean_action(s); };
    if (opt.gif) animate(frames(*env, episode(*env, Rng(opt.seed), 300, action), "SAC"), opt.path(".gif"));
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    std::string headline;
    for (const Curve& c : curves(read_csv(opt.path(".csv")), {"algo", "G"}, "env_steps", "eval_return"))
      headline += (headline.empty() ? "" : "; ") + c.label + ": return " + to_text(std::lround(c.mean.back())) +
                  " at " + to_text(c.x.back());
    finish(opt, headline);
  });
}

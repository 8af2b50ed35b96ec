// Shooting with the true model (slides "Shooting Methods", "Random Shooting (RS)"): how good can a planner be? The
// ceiling of what the same planner reaches in a learned model. The picture: return against the number of action
// sequences and against the horizon, random shooting, CEM and iCEM with equally many.
//
//   build/03_shooting                               pendulum and cartpole_swingup, 3 seeds: 40 s, 10 MB
//   build/03_shooting --env pendulum --seeds 100    4 min
#include "chapters/00_toolbox/args.h"         // Args, parse
#include "chapters/00_toolbox/claims.h"       // Claims
#include "chapters/00_toolbox/curves.h"       // curves, interval95
#include "chapters/00_toolbox/errors.h"       // run_main, interrupted
#include "chapters/00_toolbox/progress.h"     // Progress, finish
#include "chapters/00_toolbox/run_log.h"      // RunLog, read_csv
#include "chapters/03_shooting/cem.h"
#include "chapters/03_shooting/icem.h"
#include "chapters/03_shooting/random_shooting.h"
#include "plots/picture.h"  // frames, Figure, draw, animate

struct Options : Args {
  using Args::Args;
  static constexpr const char* about = "Shooting methods with the true model (slides \"Shooting Methods\", \"Random "
                                       "Shooting (RS)\")";
  static std::vector<std::string> without() { return {"save", "load"}; }
  std::vector<int> samples  = opt("samples", std::vector<int>{50, 250, 1000},
                                  "N, action sequences per real step (all iterations together)", at_least(1));
  std::vector<int> horizon  = opt("horizon", std::vector<int>{5, 15, 25, 40}, "T, actions of a plan", at_least(1));
  int fixed_samples = opt("fixed-samples", 250, "N while the horizon varies", at_least(1));
  int fixed_horizon = opt("fixed-horizon", 25, "T while the number of samples varies", at_least(1));
  int iterations    = opt("iterations", 5, "iterations of CEM, between which N is shared out", range(1, 1000));
  Real gamma        = opt("gamma", 1.0f, "gamma, discount", range(0, 1));
  int steps         = opt("steps", 0, "real steps of an episode, 0: the task's time limit", at_least(0));
  static std::vector<std::string> environments() {
    std::vector<std::string> names = env_names();
    names.insert(names.begin(), "both");
    return names;
  }
  static Preset lecture() { return {{"seeds", 3}}; }
  static Preset smoke() { return {{"env", "pendulum"}, {"steps", 20}, {"seeds", 2}, {"samples", {10, 50}},
                                  {"horizon", {5, 10}}, {"fixed-samples", 20}, {"fixed-horizon", 10},
                                  {"iterations", 2}}; }
  void check() const {
    for (const int N : samples) check_samples("samples", N);
    check_samples("fixed-samples", fixed_samples);
  }
  void check_samples(const std::string& option, int N) const {
    if (N < 4 * iterations)
      throw BadInput("--" + option + " " + to_text(N) + ": wanted at least 4 for each of the " + to_text(iterations) +
                     " iterations");
  }
};

std::vector<std::string> tasks(const Options& opt) {
  return opt.env == "both" ? std::vector<std::string>{"pendulum", "cartpole_swingup"} : std::vector{opt.env};
}

// Every (samples, horizon) that is measured.
std::vector<std::pair<int, int>> settings(const Options& opt) {
  std::vector<std::pair<int, int>> list;
  for (const int N : opt.samples) list.emplace_back(N, opt.fixed_horizon);
  for (const int T : opt.horizon)
    if (const std::pair setting(opt.fixed_samples, T); !std::count(list.begin(), list.end(), setting))
      list.push_back(setting);
  return list;
}

// All planners and settings, seed by seed.
void run(const Options& opt, RunLog& log, std::vector<Sim>& film) {
  Progress progress(opt, long(tasks(opt).size()) * opt.seeds * long(settings(opt).size()), "return", "settings");
  long done = 0;
  for (const std::string& task : tasks(opt)) {
    const std::unique_ptr<Env> env = make_env(task);
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed)
      for (const auto& [N, T] : settings(opt)) {
        const auto measure = [&](const std::string& algo, auto planner) {
          Rng rng(seed);
          const int steps = opt.steps > 0 ? opt.steps : env->time_limit;
          const Real eval_return = control_episode(*env, steps, opt.gamma, planner, rng, film);
          if (!interrupted()) log.row(algo, task, seed, env->steps(), eval_return, N, T);
          progress.show(done, eval_return);
        };
        measure("random shooting", RandomShooting(env->action_dim, T, N));
        measure("CEM", Cem(env->action_dim, cem_options(N, T, opt.iterations)));
        measure("iCEM", Icem(env->action_dim, icem_options(N, T, opt.iterations)));
        progress.show(++done);
      }
  }
}

// From the CSV file: a row of two panels for each task.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Figure figure{.width = 1000, .height = 440 * int(tasks(opt).size()), .columns = 2};
  for (const std::string& task : tasks(opt)) {
    const Table rows = table.where("env", task);
    if (rows.rows.empty()) continue;  // a run with another --env, or one that was interrupted
    Panel left{.title = task + ", T = " + to_text(opt.fixed_horizon), .x_label = "action sequences per real step, N",
               .y_label = "return of an episode", .log_x = true};
    add_curves(left, curves(rows.where("horizon", to_text(opt.fixed_horizon)), {"algo"}, "samples", "eval_return"));
    Panel right{.title = task + ", N = " + to_text(opt.fixed_samples), .x_label = "horizon T (steps)",
                .y_label = "return of an episode"};
    add_curves(right, curves(rows.where("samples", to_text(opt.fixed_samples)), {"algo"}, "horizon", "eval_return"));
    figure.panels.push_back(left), figure.panels.push_back(right);
  }
  if (!figure.panels.empty()) draw(figure, opt.path(".png"));
}

// The returns of one planner on one task at one setting, seed by seed; minus those of another.
std::vector<double> returns(const Table& table, const std::string& task, const std::string& algo, int N, int T) {
  const Table rows = table.where("env", task).where("algo", algo);
  return rows.where("samples", to_text(N)).where("horizon", to_text(T)).numbers("eval_return");
}
std::vector<double> operator-(std::vector<double> a, const std::vector<double>& b) {
  a.resize(std::min(a.size(), b.size()));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

void claim(const Options& opt) {
  const Table table = read_csv(opt.path(".csv"));
  Claims claims(opt);
  const auto rs = [&](int N, int T) { return returns(table, "pendulum", "random shooting", N, T); };
  const auto cem = [&](int N, int T) { return returns(table, "pendulum", "CEM", N, T); };
  const auto icem = [&](int N, int T) { return returns(table, "pendulum", "iCEM", N, T); };
  const auto claimed = [&](const std::string& text, const std::vector<double>& x, double least) {
    if (!x.empty()) claims.at_least(text, "Random Shooting (RS)", x, least);
  };
  claimed("pendulum, CEM, N = 2000, T = 25: return", cem(2000, 25), -140);
  claimed("pendulum, random shooting, N = 250: return at T = 15 minus T = 25", rs(250, 15) - rs(250, 25), 0);
  claimed("pendulum, CEM, N = 250: return at T = 25 minus T = 15", cem(250, 25) - cem(250, 15), 0);
  for (const int N : {250, 1000, 2000})
    claimed("pendulum, N = " + to_text(N) + ", T = 25: return of CEM minus random shooting", cem(N, 25) - rs(N, 25), 0);
  claimed("pendulum, N = 50, T = 25: return of iCEM minus CEM", icem(50, 25) - cem(50, 25), 0);
  claimed("cartpole_swingup, CEM, N = 1000, T = 25: return", returns(table, "cartpole_swingup", "CEM", 1000, 25), 170);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    RunLog log(opt, {"algo", "env", "seed", "env_steps", "eval_return", "samples", "horizon"});
    std::vector<Sim> film;  // the last episode
    run(opt, log, film);
    if (opt.gif) animate(frames(*make_env(tasks(opt).back()), film, "iCEM"), opt.path(".gif"));
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    const auto [task, N] = std::pair(tasks(opt).front(), opt.samples.back());
    const std::vector<double> cem = returns(read_csv(opt.path(".csv")), task, "CEM", N, opt.fixed_horizon);
    const std::string mean = cem.empty() ? "unknown" : to_text(std::round(interval95(cem).mean));
    finish(opt, task + ": return " + mean + " with CEM, N = " + to_text(N));
  });
}

// "Large H, i.e., long rollout, brings large gradient error" (slide "Theoretic Bounds", Lemma 4.1): the error of the
// policy's gradient that is due to the model, and the one that is due to Q, against H. By hand on a scalar system; with
// a learned model and a learned Q on a linear-quadratic task. And how large that gradient is while MAAC learns.
//
//   build/14_maac_horizon                1 seed: 35 s, 25 MB
#include "chapters/00_toolbox/curves.h"    // curves
#include "chapters/00_toolbox/progress.h"  // Progress, finish
#include "chapters/06_mbpo/claims.h"       // Claims
#include "chapters/06_mbpo/learn.h"        // learn: the loop of 06, which here only trains the model
#include "chapters/14_maac/linear_quadratic.h"
#include "chapters/14_maac/scalar.h"
#include "chapters/14_maac/training.h"
#include "plots/plot.h"  // Figure, draw

struct Options : MaacOptions {
  using MaacOptions::MaacOptions;
  static constexpr const char* about = "Lemma 4.1: gradient error against H (slide \"Theoretic Bounds\")";
  int models    = opt("models", 10, "learned models and critics of the linear-quadratic task, each seed", at_least(1));
  int data      = opt("data", 500, "transitions that each of them learns from", at_least(10));
  int Q_steps   = opt("Q-steps", 3000, "gradient steps of each learned Q", at_least(1));
  std::vector<double> gain = opt("gain", std::vector<double>{-1.2, -1.6},
                                 "K, its policy is a = K s; the sums want A + B K to contract");
  std::vector<int> learn_horizon = opt("learn-horizon", std::vector<int>{0, 1, 3, 5, 10}, "H of MAAC on --env",
                                       range(0, 1000));
  static Preset lecture() {
    return {{"horizon", {0, 1, 2, 3, 5, 10, 20}}, {"steps", 500}, {"updates", 5}, {"max-norm", 1}, {"eval-every", 0}};
  }
  static Preset smoke() {
    Preset preset = MaacOptions::smoke();
    preset.insert_or_assign("horizon", Value({0, 1, 2}));
    preset.insert({{"models", 2}, {"data", 50}, {"Q-steps", 20}, {"learn-horizon", {0, 2}}});
    return preset;
  }
  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif", "compare"};
  }
  void check() const {
    MaacOptions::check();
    if (gain.size() != 2) throw BadInput("--gain " + join(gain, ",") + ": two numbers, for position and speed");
  }
};

const std::string slide = "Theoretic Bounds";

//(b2) Large H, i.e., long rollout, brings large gradient error, thus the model error: by hand.
void log_scalar(const Options& opt) {
  RunLog log(opt, {"a", "H", "true_gradient", "fraction", "model_error", "Q_error"}, "_scalar.csv");
  for (const double a : {0.9, 1.05})
    for (const int H : opt.horizon) {
      const Scalar x{.a = a};
      const double g = gradient(x, H, {});
      log.row(a, H, x.gradient(), g / x.gradient(), std::abs(gradient(x, H, {.slope_error = 0.05}) - g),
              std::abs(gradient(x, H, {.Q_scale = 1.1}) - g));
    }
}

// Q_psi of the policy, by the squared error of the box: J_Q = E[(Q(s, a) - (r + gamma Q'(s', K s')))^2].
void learn_Q(MLP& Q, const LinearPolicy& pi, const Transitions& D, int steps, Real gamma, Rng& rng) {
  MLP Q_targ = Q;
  Adam opt(params(Q), Real(1e-3));
  Tape tape;
  Batch b;
  for (int i = 0; i < steps && !interrupted(); ++i) {
    D.sample(256, rng, b);
    const Mat a_next = matmul(pi.K.value, b.s_next), y = b.r + gamma * Q_targ(concat(b.s_next, a_next));
    opt.minimize(mean(square(Q(tape.constant(concat(b.s, b.a))) - y)));
    soft_update(Q_targ, Q, Real(0.02));
  }
}

double norm(const Mat& x) { return std::sqrt(double(x.square().sum())); }

//(b3) Lemma 4.1: E[|grad J - grad J_hat|] <= c_1(H) eps_f + c_2(H) eps_Q, the two parts one at a time.
void measure(const Options& opt, int seed, int number, Rng& rng, RunLog& log) {
  const LinearQuadratic task;
  LinearPolicy pi((Mat(1, 2) << Real(opt.gain[0]), Real(opt.gain[1])).finished());
  Transitions D(2, 1, opt.data);
  const Mat s = rng.uniform(2, opt.data, -1.5, 1.5);
  const Mat a = Mat(matmul(pi.K.value, s)) + rng.uniform(1, opt.data, -1, 1);
  const Mat s_next = Mat(matmul(task.A, s)) + Mat(matmul(task.B, a));
  D.add(Batch{s, a, task.reward(s, a, s_next), s_next, Mat::Ones(1, opt.data)});
  LearnedModel model(task, opt.ensemble(), rng);
  train_model(model, D, rng);
  MLP Q_psi({3, 64, 64, 1}, Activation::tanh, Init::glorot, rng);
  learn_Q(Q_psi, pi, D, opt.Q_steps, opt.gamma, rng);

  const Mat s_0 = rng.uniform(2, 256, -1, 1);
  const LinearSolution known(task, pi.K.value, s_0, double(opt.gamma));
  const PathModel f_hat{task, model.p.elite(0)};                          //(b6) eps_f: of grad f_hat
  const auto Q = [&](Var s, Var a) { return exact_Q(task, known.P, opt.gamma, s, a); };
  const auto Q_hat = [&](Var s, Var a) { return frozen(Q_psi)(concat(s, a)); };  //(b7) eps_Q: of grad Q_hat
  Paths paths;
  for (const int H : opt.horizon) {
    paths.draw(H, 1, 3, s_0.cols(), rng);
    for (Mat& xi : paths.xi_s) xi.setZero();  // the task has no noise: the model's mean
    const auto gradient = [&](const auto& f, const auto& Q) -> Mat {
      pi.K.grad.setZero();
      paths.tape.backward(objective(pi, f, Q, s_0, paths, opt.gamma, 0).J);
      return pi.K.grad;
    };
    const Mat g = gradient(task, Q);
    const double whole = norm(known.gradient);
    log.row(seed, number, H, norm(g - known.gradient) / whole, norm(gradient(f_hat, Q) - g) / whole,
            norm(gradient(task, Q_hat) - g) / whole, norm(gradient(f_hat, Q_hat) - known.gradient) / whole);
  }
}

// MAAC with this H: the mean norm of the policy's gradient, with clipping and without.
void learn_task(const Options& opt, int H, bool clip, int seed, Progress& progress, RunLog& log) {
  MaacOptions how = opt;
  MaacUpdates updates = opt.maac_updates();
  updates.H = H, updates.max_norm = clip ? updates.max_norm : std::numeric_limits<Real>::infinity();
  how.updates = 0;  // those of 06; MAAC's come after each step
  MaacTraining x(how, "maac", seed);
  double sum = 0, largest = 0, n = 0;
  learn(how, x, [&] {
    x.numbers = improve(x.agent, x.model, x.D_env, x.D_model, updates, x.memory, x.rng);
    sum += double(x.numbers.grad_norm), largest = std::max(largest, double(x.numbers.grad_norm)), ++n;
    progress.show(long(x.step), double(x.numbers.grad_norm));
  });
  if (interrupted()) return;
  log.row(seed, x.step, H, clip ? "clipped at " + to_text(updates.max_norm) : "not clipped", sum / n, largest,
          evaluate(how, x).eval_return);
}

Panel against_H(const std::string& title, const std::string& y_label) {
  return {.title = title, .x_label = "H, steps in the model", .y_label = y_label, .log_y = true};
}

// From the CSV files.
void plot(const Options& opt) {
  const Table scalar = read_csv(opt.path("_scalar.csv")), table = read_csv(opt.path(".csv"));
  const Table norms = read_csv(opt.path("_norm.csv"));
  std::vector<Panel> panels;
  for (const auto& [a, name] : {std::pair("0.9", "by hand, a = 0.9"), std::pair("1.05", "by hand, a = 1.05")}) {
    Panel panel = against_H(name, "error of the gradient");
    const Table rows = scalar.where("a", a);
    const std::vector<double> H = rows.numbers("H");
    panel.layers = {line("model's slope off by 0.05", H, rows.numbers("model_error")),
                    line("grad Q off by 10 %", H, rows.numbers("Q_error"))};
    panels.push_back(panel);
  }
  panels.push_back(against_H("linear-quadratic task, learned", "error over the true gradient"));
  for (const auto& [column, label] : {std::pair("model_error", "model"), std::pair("Q_error", "Q"),
                                      std::pair("error", "both, and bias")})
    for (const Curve& c : curves(table, {}, "H", column)) panels.back().layers.push_back(line(label, c.x, c.mean));
  panels.push_back(against_H("MAAC on " + opt.env, "mean norm of the gradient"));
  for (const Curve& c : curves(norms, {"clipping"}, "H", "grad_norm"))
    panels.back().layers.push_back(line(c.label, c.x, c.mean));
  for (Panel& panel : panels)
    for (Layer& l : panel.layers) std::replace(l.y.begin(), l.y.end(), 0.0, double(NAN));  // no logarithm of 0
  draw({.width = 1000, .height = 800, .columns = 2, .panels = panels}, opt.path(".png"));
}

// A column at one H over that at another, as log10, a number for each row of the first.
std::vector<double> log_ratio(const Table& table, const std::string& column, int H, int over) {
  const std::vector<double> x = table.where("H", to_text(H)).numbers(column);
  const std::vector<double> y = table.where("H", to_text(over)).numbers(column);
  std::vector<double> result;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) result.push_back(std::log10(x[i] / y[i]));
  return result;
}

// By hand: how often the model's part falls, or Q's rises, between neighbours in H. Learned: with intervals.
void claim(const Options& opt) {
  const Table scalar = read_csv(opt.path("_scalar.csv")), table = read_csv(opt.path(".csv"));
  const Table norms = read_csv(opt.path("_norm.csv"));
  Claims claims(opt);
  for (const std::string a : {"0.9", "1.05"}) {
    const Table rows = scalar.where("a", a);
    const std::vector<double> H = rows.numbers("H"), f = rows.numbers("model_error"), Q = rows.numbers("Q_error");
    double falls = 0, rises = 0;
    for (std::size_t i = 1; i < H.size(); ++i) falls += f[i] < f[i - 1], rises += H[i - 1] >= 1 && Q[i] > Q[i - 1];
    claims.at_most("by hand, a = " + a + ": how often the model's part falls with H", slide, exact(falls), 0);
    claims.at_most("by hand, a = " + a + ": how often Q's part rises with H, from H = 1 on", slide, exact(rises), 0);
  }
  if (opt.Args::smoke) return;
  const int last = opt.horizon.back(), longest = opt.learn_horizon.back();
  const auto compare = [&](const char* what, const char* column, int H, int over, bool rises) {
    const std::string text = "linear-quadratic: " + std::string(what) + ", error at H = " + to_text(H) + " over H = " +
                             to_text(over) + ", log10";
    if (rises) claims.at_least(text, slide, log_ratio(table, column, H, over), 0);
    else claims.at_most(text, slide, log_ratio(table, column, H, over), 0);
  };
  compare("learned model", "model_error", 5, 1, true), compare("learned model", "model_error", last, 5, true);
  compare("learned Q", "Q_error", 5, 1, false), compare("learned Q", "Q_error", last, 5, false);
  for (const char* clipping : {"not clipped", "clipped at 1"})
    claims.at_least(opt.env + ", " + clipping + ": norm of the gradient at H = " + to_text(longest) +
                        " over H = 0, log10", slide,
                    log_ratio(norms.where("clipping", clipping), "grad_norm", longest, 0), 0);
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    log_scalar(opt);
    RunLog log(opt, {"seed", "model", "H", "bias", "model_error", "Q_error", "error"});
    RunLog norms(opt, {"seed", "env_steps", "H", "clipping", "grad_norm", "largest", "eval_return"}, "_norm.csv");
    Progress progress(opt, opt.steps, "gradient's norm");
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Rng rng(seed);
      for (int i = 0; i < opt.models && !interrupted(); ++i) measure(opt, seed, i, rng, log);
      for (const int H : opt.learn_horizon)
        for (const bool clip : {false, true})
          if (!interrupted()) learn_task(opt, H, clip, seed, progress, norms);
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    const Table table = read_csv(opt.path(".csv"));
    std::string headline = "stopped";
    if (!interrupted()) {
      headline = "error over the true gradient, model and Q:";
      for (const int H : {1, opt.horizon.back()}) {
        const Table rows = table.where("H", to_text(H));
        headline += " H = " + to_text(H);
        for (const char* column : {"model_error", "Q_error"})
          for (const Curve& c : curves(rows, {}, "H", column))
            headline += ", " + to_text(std::round(1e4 * c.mean[0]) / 1e4);
      }
    }
    finish(opt, headline);
  });
}

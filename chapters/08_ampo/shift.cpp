// The mismatch itself (slides "Distribution Mismatch in MBRL" and "Deal with Distribution Mismatch"). An agent of MBPO
// leaves a policy, a model and the data the model was trained on. Branches of the policy in the model, and beside them
// in reality: where are their states after h steps? Above: data, reality and model. Below: the distances between them;
// the error of one step of the model from there; branches of models that learned from one step, or from two.
//
//   build/08_ampo_shift                  pendulum, 1 seed
//   build/08_ampo_shift --env swimmer    also inverted_pendulum
#include "chapters/00_toolbox/claims.h"      // Claims
#include "chapters/00_toolbox/curves.h"      // curves
#include "chapters/00_toolbox/progress.h"    // Progress, finish
#include "chapters/00_toolbox/run_log.h"     // RunLog, read_csv
#include "chapters/00_toolbox/statistics.h"  // mean
#include "chapters/06_mbpo/learn.h"          // learn
#include "chapters/08_ampo/branches.h"
#include "chapters/08_ampo/model_error.h"    // one_step_error, squared_error
#include "chapters/08_ampo/multi_step.h"
#include "chapters/08_ampo/training.h"       // feature_w1
#include "plots/plot.h"  // Figure, draw

struct Options : MbpoOptions {
  using MbpoOptions::MbpoOptions;
  static constexpr const char* about = "Real and simulated states drift apart (slide \"Distribution Mismatch in "
                                       "MBRL\")";
  std::vector<int> show = opt("show", std::vector<int>{1, 10, 50}, "h, steps of a branch at which states are shown",
                              at_least(1));
  int starts       = opt("starts", 500, "branches, and as many states of the data to compare them with", at_least(10));
  Real departed    = opt("departed", 0.1f, "W1 between model and reality from which on a branch is too long",
                         above(0));
  std::vector<int> own = opt("own", std::vector<int>{1, 2}, "steps of its own prediction in a model's loss",
                             at_least(1));
  int networks     = opt("networks", 2, "that learn from each of these losses", at_least(1));
  std::vector<int> loss_hidden = opt("loss-hidden", std::vector<int>{64, 64}, "hidden layers of these", at_least(1));
  int loss_epochs  = opt("loss-epochs", 200, "passes over the data of each", at_least(1));
  static std::vector<std::string> without() {
    return {"checkpoint", "checkpoint-every", "resume", "save", "load", "gif"};
  }
  static Preset lecture() { return {{"steps", 1000}}; }
  static Preset smoke() {
    Preset preset = MbpoOptions::smoke();
    preset.insert({{"show", {1, 2, 3}}, {"starts", 20}, {"networks", 1}, {"loss-epochs", 2}});
    return preset;
  }
  void check() const {
    MbpoOptions::check();
    check_observed(env);
    if (!uses_model()) throw BadInput("--real-ratio 1: without a model there is nothing to compare");
    if (show.size() != 3 || !std::is_sorted(show.begin(), show.end()))
      throw BadInput("--show " + join(show, ",") + ": wanted three numbers of steps, ascending");
  }
  int horizon() const { return show.back(); }
  bool measured(int h) const {  // every step at first, then fewer
    return h <= 5 || h % (h < 20 ? 2 : 5) == 0 || std::count(show.begin(), show.end(), h) > 0;
  }
};
const std::string slide = "Distribution Mismatch in MBRL", slide_deal = "Deal with Distribution Mismatch";
const std::vector<std::string> pairs = {"model to data", "reality to data", "model to reality"};

double median_of(const Mat& x) { return median({x.data(), x.data() + x.size()}); }

// Two coordinates of a state that are worth a picture: (2, n).
Mat picture_of(const Env& env, const Mat& s) {
  if (env.name == "pendulum") return concat(atan2(rows(s, 1, 1), rows(s, 0, 1)), rows(s, 2, 1));
  return env.name == "swimmer" ? rows(s, 1, 2) : concat(rows(s, 1, 1), rows(s, 3, 1));
}
std::pair<std::string, std::string> axes_of(const std::string& env) {
  if (env == "swimmer") return {"first joint, rad", "second joint, rad"};
  return {"theta, rad", "theta_dot, rad/s"};
}

//(b1) Distribution mismatch between real data (in model learning) and simulated data (in model usage).
void drift(const Options& opt, Training& x, RunLog& log, RunLog& states) {
  const Env& env = *x.env;
  Rng rng = x.rng.split(), noise = rng.split();
  Normaliser z(env.state_dim);
  z.fit(x.D_env.all().s);
  const Batch data = x.D_env.sample(opt.starts, rng);
  const Mat s = x.D_env.sample(opt.starts, rng).s, x_data = x.model.x(data.s, data.a);
  const Member& f = x.model.p.elite(0);
  // One bandwidth for all steps: the distances of the data among themselves.
  const auto own_scale = [](const Mat& m) { return std::vector<Real>{median_heuristic(m, Mat(m.rows(), 0))}; };
  const std::vector<Real> sigma_s = own_scale(z(data.s)), sigma_h = own_scale(f.features(x_data));
  Branches b{env, x.agent.pi, s, s};
  for (int h = 0; b.model.cols() >= 2 && !interrupted(); ++h) {
    b.act(rng);
    const bool shown = std::count(opt.show.begin(), opt.show.end(), h) > 0;
    const Eigen::Index n = b.model.cols();
    if (opt.measured(h)) {
      const Mat S[3] = {b.model, b.real, data.s.leftCols(n)};
      const Mat X[3] = {x.model.x(b.model, b.a_model), x.model.x(b.real, b.a_real), x_data.leftCols(n)};
      const Mat A[2] = {b.a_model, b.a_real};
      const std::pair<int, int> of[3] = {{0, 2}, {1, 2}, {0, 1}};
      for (int i = 0; i < 3; ++i) {
        const auto [p, q] = of[i];
        const Mat s_p = z(S[p]), s_q = z(S[q]), h_p = f.features(X[p]), h_q = f.features(X[q]);
        //(b2) It's the source of compounding model error: the error of one step, where the branches are.
        const OneStep one_step = one_step_error(env, mean_of(x.model), S[p], A[p], z);
        log.row("mbpo", opt.env, x.seed, x.step, pairs[i], h, n, mmd2(s_p, s_q, sigma_s), mean_w1(s_p, s_q),
                mmd2(h_p, h_q, sigma_h), shown ? to_text(feature_w1(f, X[q], X[p], noise)) : "",
                median_of(one_step.as_it_is), median_of(one_step.put_back));
      }
      for (int i = 0; i < 3 && shown && x.seed == opt.seed; ++i) {
        const Mat xy = picture_of(env, S[i]);
        for (Eigen::Index j = 0; j < n; ++j)
          states.row("mbpo", opt.env, x.seed, x.step, h, i == 0 ? "model" : i == 1 ? "reality" : "data", xy(0, j),
                     xy(1, j));
      }
    }
    if (h == opt.horizon()) break;
    b.step([&](const Mat& s, const Mat& a) { return x.model.sample(s, a, rng).s_next; });
  }
}

// The same networks on the same data, with each loss. Their branches, mean prediction, against reality.
void losses(const Options& opt, Training& x, RunLog& log) {
  const Env& env = *x.env;
  Rng rng = x.rng.split();
  Normaliser z(env.state_dim);
  z.fit(x.D_env.all().s);
  const int length = *std::max_element(opt.own.begin(), opt.own.end()), n = int(opt.own.size());
  const std::vector<int> begins = consecutive(x.D_env, length);
  const Mat s = x.D_env.sample(opt.starts, rng).s;
  const Rng noise = rng.split();
  std::vector<Rng> rngs;
  for (int i = 0; i < opt.networks; ++i) rngs.push_back(rng.split());
  std::vector<std::vector<Mat>> errors(opt.networks * n);  // of each network and step: (1, branches)
  parallel_for(opt.networks * n, [&](int job, int) {
    Rng same = rngs[job / n];  // the first weights and the batches do not depend on the loss
    Member f(model_inputs(env), int(env.net_target(s, s).rows()), opt.loss_hidden, same);
    fit_pieces(f, env, x.D_env, begins, {.length = length, .own = opt.own[job % n], .epochs = opt.loss_epochs,
                                         .batch = opt.model_batch}, same);
    Branches b{env, x.agent.pi, s, s};
    Rng xi = noise;
    for (int h = 1; h <= opt.horizon() && b.model.cols() > 0 && !interrupted(); ++h) {
      b.act(xi);
      b.step([&](const Mat& s, const Mat& a) {
        return env.net_apply(s, f.predict(concat(env.net_input(s), a)).mu);
      });
      if (!b.model.isFinite().all()) throw NotFinite("a branch is not finite after " + to_text(h) + " steps");
      errors[job].push_back(squared_error(b.model, b.real, z));
    }
  });
  for (int job = 0; job < opt.networks * n && !interrupted(); ++job)
    for (std::size_t h = 0; h < errors[job].size(); ++h)
      if (errors[job][h].cols() > 0)
        log.row("mbpo", opt.env, x.seed, x.step, opt.own[job % n], job / n, h + 1, median_of(errors[job][h]),
                double(errors[job][h].mean()));
}

// A column of one seed at one h, mean over rows; NaN where nothing was measured.
double at(const Table& table, int seed, int h, const std::string& column) {
  return mean(table.where("seed", to_text(seed)).where("horizon", to_text(h)).numbers(column));
}

//(b4) In model usage: stop the rollout before the generated data departure. The last measured h before W1 between
// model and reality exceeds --departed, the mean over seeds.
int longest(const Options& opt, const Table& table) {
  int h = 0;
  for (const Curve& c : curves(table.where("between", "model to reality"), {}, "horizon", "w1"))
    for (std::size_t i = 0; i < c.x.size() && c.mean[i] <= opt.departed; ++i) h = int(c.x[i]);
  return h;
}

// From the CSV files.
void plot(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")), states = read_csv(opt.path("_states.csv"));
  const auto [x_label, y_label] = axes_of(opt.env);
  Figure figure{.width = 1000, .height = 720, .columns = 3};
  const std::string steps = "h, steps of a branch";
  for (const int h : opt.show) {
    Panel p{.title = "after " + to_text(h) + (h == 1 ? " step" : " steps"), .x_label = x_label, .y_label = y_label};
    const Table rows = states.where("horizon", to_text(h));
    for (const auto& [of, paint] : {std::pair("data", colour::grey), {"reality", colour::blue},
                                    {"model", colour::vermillion}}) {
      const Table mine = rows.where("of", of);
      p.layers.push_back(points(of, mine.numbers("x"), mine.numbers("y")));
      p.layers.back().colour = paint, p.layers.back().width = 0.35;
    }
    if (opt.env == "pendulum") p.x = {-3.2, 3.2}, p.y = {-8.2, 8.2};
    figure.panels.push_back(p);
  }
  Panel drift{.title = "states: distance to the data", .x_label = steps, .y_label = "W1, standard deviations"};
  Panel one{.title = "one step from the states of", .x_label = steps, .y_label = "squared error / variance",
            .log_y = true};
  for (int i = 0; i < 3; ++i) {
    const Table rows = table.where("between", pairs[i]);
    const std::string of = i == 0 ? "model" : i == 1 ? "reality" : "";
    const Colour paint = std::array{colour::vermillion, colour::blue, colour::green}[i];
    for (const Curve& c : curves(rows, {}, "horizon", "w1"))
      drift.layers.push_back(curve(of, c.x, c.mean, c.low, c.high)), drift.layers.back().colour = paint;
    for (const Curve& c : curves(rows, {}, "horizon", "one_step"))
      if (i < 2) one.layers.push_back(line(of, c.x, c.mean)), one.layers.back().colour = paint;
  }
  for (const Curve& c : curves(table.where("between", pairs[0]), {}, "horizon", "one_step_put_back"))
    if (opt.env == "pendulum")  // elsewhere every state is possible
      one.layers.push_back(dashed("put back", c.x, c.mean)), one.layers.back().colour = colour::orange;
  if (drift.layers.size() == 3)
    drift.layers.push_back(text(0.72 * opt.horizon(), drift.layers[2].y.back() + 0.12 * drift.layers[0].y.back(),
                                pairs[2], colour::green));
  figure.panels.push_back(drift), figure.panels.push_back(one);
  Panel error{.title = "branches of two models", .x_label = steps, .y_label = "squared distance / variance",
              .log_y = true};
  for (const Curve& c : curves(read_csv(opt.path("_losses.csv")), {"own"}, "horizon", "median"))
    error.layers.push_back(line(c.label + "-step loss", c.x, c.mean)), error.layers.back().dashed = c.label != "1";
  figure.panels.push_back(error);
  draw(figure, opt.path(".png"));
}

void claim(const Options& opt) {
  Claims claims(opt);
  const Table table = read_csv(opt.path(".csv")), errors = read_csv(opt.path("_losses.csv"));
  const int last = opt.horizon(), h = std::min(20, last);
  const auto per_seed = [&](auto value) {
    std::vector<double> values;
    for (int seed = opt.seed; seed < opt.seed + opt.seeds; ++seed) values.push_back(value(seed));
    return values;
  };
  const auto log_ratio = [&](const Table& rows, const std::string& column, int from, int to) {
    return per_seed([&](int seed) {
      return std::log10(at(rows, seed, to, column) / at(rows, seed, from, column));
    });
  };
  const std::string name = opt.env + ": ", after = " after " + to_text(last) + " steps";
  for (const std::string& pair : pairs)
    claims.at_least(name + pair + ", log10 of W1" + after + " over that after 1", slide,
                    log_ratio(table.where("between", pair), "w1", 1, last), 0);
  const Table model = table.where("between", pairs[0]), reality = table.where("between", pairs[1]);
  claims.at_least(name + "features, MMD^2 of model to data" + after + " minus that after 1", slide,
                  per_seed([&](int seed) {
                    return at(model, seed, last, "feature_mmd2") - at(model, seed, 1, "feature_mmd2");
                  }), 0);
  for (const char* where : {"one_step", "one_step_put_back"})
    claims.at_least(name + "log10 of the model's one-step error" + after + " of its own over that after real ones" +
                        (where == std::string("one_step") ? "" : ", states put back where reality can be"), slide,
                    per_seed([&](int seed) {
                      return std::log10(at(model, seed, last, where) / at(reality, seed, last, where));
                    }), 0);
  const std::string many = to_text(opt.own.back());
  claims.at_most(name + "log10 of a branch's error after " + to_text(h) + " steps, " + many + "-step loss over " +
                     to_text(opt.own.front()) + "-step loss", slide_deal, per_seed([&](int seed) {
                   return std::log10(at(errors.where("own", many), seed, h, "median") /
                                     at(errors.where("own", to_text(opt.own.front())), seed, h, "median"));
                 }), 0);
  //(b5) Although alleviated, the problem still exists.
  claims.at_least(name + many + "-step loss, log10 of a branch's error" + after + " over that after 1", slide_deal,
                  log_ratio(errors.where("own", many), "median", 1, last), 1);
}

std::string headline(const Options& opt) {
  const Table table = read_csv(opt.path(".csv")).where("between", "model to reality");
  const std::vector<Curve> c = curves(table, {}, "horizon", "w1");
  if (c.empty()) return "stopped before the first comparison";
  return "W1 between model and reality: " + to_text(std::round(1e3 * c[0].mean.back()) / 1e3) + " after " +
         to_text(c[0].x.back()) + " steps; at most " + to_text(opt.departed) + " for " + to_text(longest(opt, table)) +
         " steps";
}

int main(int argc, char** argv) {
  return run_main(argc, argv, [&] {
    const Options opt = parse<Options>(argc, argv);
    if (opt.redraw) return plot(opt);
    const std::vector<std::string> first = {"algo", "env", "seed", "env_steps"};
    const auto columns = [&](std::vector<std::string> more) {
      more.insert(more.begin(), first.begin(), first.end());
      return more;
    };
    RunLog log(opt, columns({"between", "horizon", "n", "mmd2", "w1", "feature_mmd2", "feature_w1", "one_step",
                             "one_step_put_back"}));
    RunLog states(opt, columns({"horizon", "of", "x", "y"}), "_states.csv");
    RunLog errors(opt, columns({"own", "network", "horizon", "median", "mean"}), "_losses.csv");
    Progress progress(opt, long(opt.steps) * opt.seeds);
    for (int seed = opt.seed; seed < opt.seed + opt.seeds && !interrupted(); ++seed) {
      Training x(opt, seed);
      learn(opt, x, [&] { progress.show(x.step + long(seed - opt.seed) * opt.steps); });
      if (!interrupted()) drift(opt, x, log, states);
      if (!interrupted()) losses(opt, x, errors);
    }
    if (!interrupted()) claim(opt);
    if (!opt.no_plot) plot(opt);
    finish(opt, headline(opt));
  });
}

// Chapter 06, MBPO: the schedule of k, both stores, branched rollouts, the learned model, mixed batches, checkpoints.
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>
#include "chapters/00_toolbox/safetensors.h"
#include "chapters/06_mbpo/claims.h"
#include "chapters/06_mbpo/learn.h"
#include "chapters/06_mbpo/mbpo.h"
#include "chapters/06_mbpo/mbpo_options.h"
#include "chapters/06_mbpo/rollout.h"
#include "chapters/06_mbpo/training.h"
#include "envs/inverted_pendulum.h"
#include "envs/pendulum.h"
#include "tests/scratch.h"
#include "tests/slope.h"
#include "tests/statistics.h"
#include "tests/threads.h"

namespace {

constexpr bool is_double = sizeof(Real) == 8;
constexpr double rounding = is_double ? 1e-12 : 2e-5;

// max |a - b| relative to 1 + |b|; infinite where the shapes differ or a number is not finite.
double distance(const Mat& a, const Mat& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols() || !a.allFinite() || !b.allFinite()) return infinity;
  return a.size() == 0 ? 0 : double(((a - b).abs() / (1 + b.abs())).maxCoeff());
}
bool same(const Mat& a, const Mat& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a == b).all();
}
bool same(const Batch& a, const Batch& b) {
  return same(a.s, b.s) && same(a.a, b.a) && same(a.r, b.r) && same(a.s_next, b.s_next) && same(a.not_done, b.not_done);
}
std::vector<double> row(const Mat& x, int i) {
  std::vector<double> values;
  for (int j = 0; j < x.cols(); ++j) values.push_back(double(x(i, j)));
  return values;
}
Mat chosen(const Mat& x, const std::vector<int>& columns) { return x(Eigen::all, columns); }

// All numbers that x's io lists, as the bytes of a file.
template <class T> std::map<std::string, std::vector<unsigned char>> bytes_of(T& x) {
  SaveArchive archive;
  x.io(archive);
  std::map<std::string, std::vector<unsigned char>> all;
  for (const auto& [name, tensor] : archive.file.tensors) all[name] = tensor.bytes;
  return all;
}

// u ~ N(mu + slope s_last, exp(log_std)^2), a = tanh(u): the same for all action dimensions but for mu.
SquashedGaussian simple_policy(int state_dim, const std::vector<double>& mu, double log_std, double slope = 0) {
  Rng rng(1);
  const int n = int(mu.size());
  SquashedGaussian pi(state_dim, n, {1}, rng);
  Linear &first = pi.net.layers.front(), &last = pi.net.layers.back();
  first.W.value.setZero(), first.b.value.setZero(), last.W.value.setZero();
  first.W.value(0, state_dim - 1) = 1;  // relu: where the last of s is not negative
  for (int i = 0; i < n; ++i) {
    last.W.value(i, 0) = Real(slope);
    last.b.value(i, 0) = Real(mu[i]), last.b.value(n + i, 0) = Real(log_std);
  }
  return pi;
}

// ---- a model that counts: s = (id, t) -> (id, t + 1), r = 10 id + t; branch id ends after 1 + id mod 5 steps ----

int life(int id) { return 1 + id % 5; }

struct Clock {
  bool ends = true;
  Outcome sample(const Mat& s, const Mat&, Rng&) const {
    Outcome o{10 * s.row(0) + s.row(1), s, Mat::Ones(1, s.cols())};
    o.s_next.row(1) += 1;
    for (int j = 0; ends && j < s.cols(); ++j)
      if (o.s_next(1, j) >= life(int(s(0, j)))) o.not_done(0, j) = 0;
    return o;
  }
};
bool whole(const Batch& b, int j, bool ends = true) {  // the row is one that Clock has made
  const int id = int(b.s(0, j)), t = int(b.s(1, j));
  return b.s_next(0, j) == id && b.s_next(1, j) == t + 1 && b.r(0, j) == 10 * id + t &&
         b.not_done(0, j) == (ends && t + 1 >= life(id) ? 0 : 1);
}
Mat clocks(int n) {
  Mat s = Mat::Zero(2, n);
  for (int i = 0; i < n; ++i) s(0, i) = Real(i);
  return s;
}
// n real transitions from (id, 0); where they lead no branch may begin.
Transitions clock_data(int n, Eigen::Index capacity) {
  Transitions D(2, 1, capacity);
  for (int i = 0; i < n; ++i) {
    const Mat s = clocks(n).col(i);
    D.add(Transition{s, Mat::Zero(1, 1), 0, s + 50, i % 7 == 0, i % 2 == 0});
  }
  return D;
}

// ---- the true dynamics as a model ----

struct Truth {
  const Env& env;
  std::function<Sim(const Mat&)> sim_of;  // s (state_dim, n) -> (sim_dim, n)
  Outcome sample(const Mat& s, const Mat& a, Rng&) const {
    const Sim sim = sim_of(s), action = a.cast<double>(), next = env.advance(sim, action);
    const Mat s_next = env.observe(next);
    return {env.rewards(sim, action, next).cast<Real>(), s_next, 1 - env.terminated(s_next)};
  }
};
Sim pendulum_sim(const Mat& s) {
  Sim sim = Sim::Zero(3, s.cols());
  for (int j = 0; j < s.cols(); ++j) sim(0, j) = std::atan2(double(s(1, j)), double(s(0, j))), sim(1, j) = s(2, j);
  return sim;
}
Sim inverted_sim(const Mat& s) {
  Sim sim = Sim::Zero(InvertedPendulum().sim_dim(), s.cols());
  sim.topRows(4) = s.cast<double>();
  return sim;
}
Mat pendulum_states(int n, Rng& rng) {
  Mat s(3, n);
  for (int j = 0; j < n; ++j) {
    const double theta = rng.uniform(-M_PI, M_PI);
    s.col(j) << Real(std::cos(theta)), Real(std::sin(theta)), Real(rng.uniform(-8, 8));
  }
  return s;
}

// ---- a learned model whose members answer the same everywhere ----

EnsembleOptions small(int members, int elites) {
  return {.members = members, .elites = elites, .hidden = {16}, .lr = Real(3e-3), .batch = 64, .epochs = 10};
}
// mu as given, the log-variance as near as its bounds allow.
void answer(Member& m, const std::vector<double>& mu, const std::vector<double>& log_var) {
  const int n = int(mu.size());
  m.head.out.W.value.setZero();
  for (int i = 0; i < n; ++i) m.head.out.b.value(i, 0) = Real(mu[i]), m.head.out.b.value(n + i, 0) = Real(log_var[i]);
}
// On a Slope: member m says r = 10 m and x' = x + m, all but exactly.
void tell_members_apart(LearnedModel& model) {
  for (std::size_t m = 0; m < model.p.members.size(); ++m)
    answer(model.p.members[m], {10.0 * double(m), 4.0 * double(m)}, {-50, -50});
}
// Which member answered a Slope's column; -1 if reward and next state are not of the same one.
std::vector<int> asked(const Mat& s, const Mat& r, const Mat& s_next) {
  std::vector<int> members;
  for (int j = 0; j < s.cols(); ++j) {
    const int by_r = int(std::lround(double(r(0, j)) / 10)), by_s = int(std::lround(double(s_next(0, j) - s(0, j))));
    members.push_back(by_r == by_s ? by_r : -1);
  }
  return members;
}

Transitions slope_data(int n, Rng& rng, const Slope& env = Slope()) {
  Transitions D(1, 2, n);
  const Mat s = rng.uniform(1, n, -1, 1), a = rng.uniform(2, n, -1, 1);
  const Sim sim = concat(Sim(s.cast<double>()), Sim(Sim::Zero(1, n)));
  const Mat s_next = env.observe(env.advance(sim, a.cast<double>()));
  D.add(Batch{s, a, env.reward(s, a, s_next), s_next, 1 - env.terminated(s_next)});
  return D;
}

// ---- numbered transitions ----

Transition numbered(int i) {
  const Real x = Real(i);
  return {.s = Mat::Constant(2, 1, x), .a = Mat::Constant(1, 1, x / 4), .r = 10 * x, .s_next = Mat::Constant(2, 1, -x),
          .terminated = i % 3 == 0, .truncated = i % 2 == 0};
}
Transitions numbered_store(int from, int to, Eigen::Index capacity) {
  Transitions D(2, 1, capacity);
  for (int i = from; i < to; ++i) D.add(numbered(i));
  return D;
}
// The number of each column; -1 where its parts do not belong together.
std::vector<int> numbers_in(const Batch& b) {
  std::vector<int> found;
  for (int j = 0; j < b.size(); ++j) {
    const int i = int(std::lround(double(b.s(0, j))));
    const Transition t = numbered(i);
    const bool fits = same(b.s.col(j), t.s) && same(b.a.col(j), t.a) && b.r(0, j) == t.r &&
                      same(b.s_next.col(j), t.s_next) && b.not_done(0, j) == (t.terminated ? 0 : 1);
    found.push_back(fits ? i : -1);
  }
  return found;
}
std::vector<int> range_of(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; ++i) all.push_back(i);
  return all;
}

// Transitions for an agent: (s, a) uniform, r = -(a - best)^2, every one terminal.
Transitions bandit(int n, double best, Rng& rng) {
  Transitions D(1, 1, n);
  const Mat a = rng.uniform(1, n, -1, 1), s = rng.uniform(1, n, -1, 1);
  D.add(Batch{s, a, -(a - Real(best)).square(), s, Mat::Zero(1, n)});
  return D;
}

MbpoOptions options_of(const Scratch& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "06_mbpo");
  words.insert(words.end(), {"--quiet", "--no-plot", "--out", dir / "out"});
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  return parse<MbpoOptions>(int(argv.size()), argv.data());
}

}  // namespace

// ---- rollout length ----

TEST_CASE("a single number is the rollout length at every step", "[06]") {
  for (const int k : {1, 3, 25})
    for (const long step : {0L, 1L, 5000L, 1000000000L}) CHECK(rollout_length(step, {k}) == k);
}

TEST_CASE("k is k0 until e0, on the line rounded down in between, k1 from e1 on: at every step", "[06]") {
  const std::vector<std::vector<int>> schedules = {{20000, 150000, 1, 15}, {20000, 100000, 1, 25}, {0, 700, 2, 9},
                                                   {20000, 300000, 1, 25}, {100, 203, 1, 8},       {5, 6, 1, 30}};
  for (const std::vector<int>& plan : schedules) {
    const long e0 = plan[0], e1 = plan[1], k0 = plan[2], k1 = plan[3];
    long wrong = 0, first_wrong = -1;
    for (long step = 0; step < e1 + 1000; ++step) {
      const long k = step < e0 ? k0 : step >= e1 ? k1 : k0 + (k1 - k0) * (step - e0) / (e1 - e0);
      if (rollout_length(step, plan) != k && ++wrong == 1) first_wrong = step;
    }
    INFO("schedule to " << e1 << ", first wrong at " << first_wrong);
    CHECK(wrong == 0);
  }
}

TEST_CASE("the papers' 20000,150000,1,15: each k begins at its step, not one later", "[06]") {
  const std::vector<int> plan = {20000, 150000, 1, 15};
  CHECK(rollout_length(0, plan) == 1);
  CHECK(rollout_length(20000, plan) == 1);
  CHECK(rollout_length(29285, plan) == 1);  // 20000 + 130000 / 14 = 29285.7
  CHECK(rollout_length(29286, plan) == 2);
  CHECK(rollout_length(38571, plan) == 2);
  CHECK(rollout_length(38572, plan) == 3);
  CHECK(rollout_length(84999, plan) == 7);
  CHECK(rollout_length(85000, plan) == 8);  // 14 65000 / 130000 = 7, exactly
  CHECK(rollout_length(149999, plan) == 14);
  CHECK(rollout_length(150000, plan) == 15);
  CHECK(rollout_length(10000000, plan) == 15);
}

TEST_CASE("a schedule with e1 = e0 is a step; a falling one is rounded down too; long ones do not overflow", "[06]") {
  CHECK(rollout_length(999, {1000, 1000, 1, 5}) == 1);
  CHECK(rollout_length(1000, {1000, 1000, 1, 5}) == 5);
  CHECK(rollout_length(1001, {1000, 1000, 1, 5}) == 5);
  CHECK(rollout_length(0, {0, 0, 1, 5}) == 5);

  const std::vector<int> falling = {10, 110, 5, 1};
  CHECK(rollout_length(0, falling) == 5);
  CHECK(rollout_length(10, falling) == 5);
  CHECK(rollout_length(11, falling) == 4);  // 4.96
  CHECK(rollout_length(35, falling) == 4);
  CHECK(rollout_length(36, falling) == 3);  // 3.96
  CHECK(rollout_length(109, falling) == 1);
  CHECK(rollout_length(110, falling) == 1);
  CHECK(rollout_length(2000, falling) == 1);

  CHECK(rollout_length(1000000000L, {0, 2000000000, 1, 100}) == 50);
  CHECK(rollout_length(5000000000L, {0, 2000000000, 1, 100}) == 100);
}

// ---- D_model ----

TEST_CASE("a store of another capacity keeps the newest that fit, in order, and goes on first in first out", "[06]") {
  for (const int capacity : {1, 4, 10})
    for (const int n : {0, 1, 4, 7, 10, 13, 20, 25})
      for (const int now : {1, 3, 4, 6, 10, 15}) {
        Transitions D = numbered_store(0, n, capacity);
        resize(D, now);
        INFO(n << " into " << capacity << ", then resized to " << now);
        CHECK(D.capacity == now);
        const int kept = std::min({n, capacity, now});
        CHECK(D.size == kept);
        std::vector<int> found = numbers_in(D.all());
        if (now == capacity) std::sort(found.begin(), found.end());  // nothing had to move
        CHECK(found == range_of(n - kept, n));
        for (int i = n, size = kept; i < n + 2 * now + 1; ++i) {  // then each new one drives out the oldest
          D.add(numbered(i));
          size = std::min(size + 1, now);
          found = numbers_in(D.all());
          std::sort(found.begin(), found.end());
          CHECK(found == range_of(i + 1 - size, i + 1));
        }
      }
}

TEST_CASE("a store resized again and again keeps whole transitions, as many as ever fitted", "[06]") {
  Transitions D = numbered_store(0, 30, 20);
  for (const int capacity : {25, 12, 40, 40, 5}) resize(D, capacity);
  CHECK(numbers_in(D.all()) == range_of(25, 30));
  D.add(numbered_store(30, 38, 8).all());
  std::vector<int> found = numbers_in(D.all());
  std::sort(found.begin(), found.end());
  CHECK(found == range_of(33, 38));
}

TEST_CASE("M branches of k steps: M k rows, the first steps first, each branch in its place", "[06]") {
  const Transitions D_env = clock_data(40, 40);
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  for (const int M : {1, 7, 300, 1001})
    for (const int k : {1, 2, 5}) {
      Rng rng(100);
      Transitions D_model(2, 1, M * k);
      rollout(Clock{.ends = false}, pi, D_env, M, k, D_model, rng);
      INFO("M = " << M << ", k = " << k);
      REQUIRE(D_model.size == M * k);
      const Batch b = D_model.all();
      int broken = 0;
      for (int i = 0; i < k; ++i)
        for (int j = 0; j < M; ++j) {
          const int c = i * M + j;
          broken += !whole(b, c, false) || b.s(1, c) != i || b.s(0, c) != b.s(0, j);
        }
      CHECK(broken == 0);
    }
}

TEST_CASE("with ends, D_model gets a row for each step that was taken, and the first steps still come first", "[06]") {
  const Transitions D_env = clock_data(40, 40);
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  for (const int M : {1, 7, 1001}) {
    Rng rng(100);
    Transitions D_model(2, 1, 10000);
    rollout(Clock{}, pi, D_env, M, 4, D_model, rng);
    const Batch b = D_model.all();
    long expected = 0;
    for (int j = 0; j < M; ++j) expected += std::min(4, life(int(b.s(0, j))));
    CHECK(b.size() == expected);
    int broken = 0, back = 0;
    for (int c = 0; c < b.size(); ++c) {
      broken += !whole(b, c) || b.s(1, c) >= life(int(b.s(0, c)));
      back += c > 0 && b.s(1, c) < b.s(1, c - 1);
    }
    CHECK(broken == 0);
    CHECK(back == 0);
  }
}

TEST_CASE("a D_model that is too small keeps the last rows of a rollout, of retain M k the last rollouts", "[06]") {
  const Transitions D_env = clock_data(40, 40);
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  Rng rng(100);
  Transitions D_model(2, 1, 10);
  rollout(Clock{.ends = false}, pi, D_env, 6, 3, D_model, rng);
  std::vector<double> t = row(D_model.all().s, 1);
  std::sort(t.begin(), t.end());
  CHECK(t == std::vector<double>{1, 1, 1, 1, 2, 2, 2, 2, 2, 2});

  const int M = 6, k = 3, retain = 2;
  resize(D_model, retain * M * k);
  std::multiset<double> last_two;
  for (int i = 0; i < 5; ++i) {
    Transitions alone(2, 1, M * k);
    Rng again = rng;
    rollout(Clock{.ends = false}, pi, D_env, M, k, alone, again);
    rollout(Clock{.ends = false}, pi, D_env, M, k, D_model, rng);
    if (i >= 3)
      for (const double r : row(alone.all().r, 0)) last_two.insert(r);
  }
  CHECK(D_model.size == retain * M * k);
  const std::vector<double> r = row(D_model.all().r, 0);
  CHECK(std::multiset<double>(r.begin(), r.end()) == last_two);
}

// ---- ends ----

TEST_CASE("no branch goes on after its end; each other row's successor starts where it led", "[06]") {
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  for (const int k : {1, 3, 5, 9}) {
    Rng rng(100);
    const std::vector<Batch> steps = branch(Clock{}, pi, clocks(23), k, rng);
    INFO("k = " << k);
    REQUIRE(!steps.empty());
    REQUIRE(int(steps.size()) <= k);
    for (int i = 0; i < k; ++i) {
      std::vector<double> alive;
      for (int id = 0; id < 23; ++id)
        if (life(id) > i) alive.push_back(id);
      if (i >= int(steps.size())) {
        CHECK(alive.empty());
        continue;
      }
      const Batch& b = steps[i];
      CHECK(row(b.s, 0) == alive);
      int broken = 0;
      for (int j = 0; j < b.size(); ++j) broken += !whole(b, j) || b.s(1, j) != i;
      CHECK(broken == 0);
      CHECK(b.a.cols() == b.size());
      if (i == 0) continue;
      std::vector<int> survivors;
      for (int j = 0; j < steps[i - 1].size(); ++j)
        if (steps[i - 1].not_done(0, j) == 1) survivors.push_back(j);
      CHECK(same(b.s, chosen(steps[i - 1].s_next, survivors)));
    }
  }
}

TEST_CASE("where all branches end at once the rollout is over", "[06]") {
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  Rng rng(100);
  Mat s = Mat::Zero(2, 4);  // id 0: one step
  long rows = 0;
  for (const Batch& b : branch(Clock{}, pi, s, 6, rng)) rows += b.size();
  CHECK(rows == 4);
}

TEST_CASE("the environment's time limit does not end a branch", "[06]") {
  const Slope env(3);
  Rng rng(100);
  LearnedModel model(env, small(2, 2), rng);
  answer(model.p.members[0], {1, 4}, {-50, -50}), answer(model.p.members[1], {1, 4}, {-50, -50});
  Transitions D_model(1, 2, 1000);
  rollout(model, simple_policy(1, {0, 0}, 0), slope_data(50, rng), 20, 10, D_model, rng);
  CHECK(D_model.size == 200);
  CHECK((D_model.all().not_done == 1).all());
}

TEST_CASE("a learned model's branches end where the task's own rule says so, of the state that was predicted", "[06]") {
  Slope env;
  env.wall = 2.5;
  Rng rng(100);
  LearnedModel model(env, small(2, 2), rng);
  answer(model.p.members[0], {1, 4}, {-50, -50}), answer(model.p.members[1], {1, 4}, {-50, -50});  // x' = x + 1
  Mat s(1, 3);
  s << 0, 1, 2;
  const std::vector<Batch> steps = branch(model, simple_policy(1, {0, 0}, 0), s, 5, rng);
  std::vector<std::vector<double>> not_done;
  for (const Batch& b : steps)
    if (b.size() > 0) not_done.push_back(row(b.not_done, 0));
  CHECK(not_done == std::vector<std::vector<double>>{{1, 1, 0}, {1, 0}, {0}});
}

// ---- a perfect model ----

namespace {

// Every row of the branches is what the environment does; the number of rows that end.
int against_steps(Env& env, const std::function<Sim(const Mat&)>& sim_of, const std::vector<Batch>& steps) {
  double worst_s = 0, worst_r = 0;
  int wrong_ends = 0, ends = 0;
  for (const Batch& b : steps)
    for (int j = 0; j < b.size(); ++j) {
      env.set_sim_state(sim_of(b.s.col(j)));
      const Transition t = env.step(b.a.col(j));
      worst_s = std::max(worst_s, distance(b.s_next.col(j), t.s_next));
      worst_r = std::max(worst_r, std::abs(double(b.r(0, j)) - double(t.r)) / (1 + std::abs(double(t.r))));
      wrong_ends += b.not_done(0, j) != (t.terminated ? 0 : 1), ends += t.terminated;
    }
  CHECK(worst_s < rounding);
  CHECK(worst_r < rounding);
  CHECK(wrong_ends == 0);
  return ends;
}

}  // namespace

TEST_CASE("with the true dynamics as the model, branches are the pendulum's own steps for the same actions", "[06]") {
  Pendulum env;
  Rng rng(100);
  const Mat s = pendulum_states(40, rng);
  const SquashedGaussian pi(3, 1, {16}, rng);
  const std::vector<Batch> steps = branch(Truth{env, pendulum_sim}, pi, s, 6, rng);
  REQUIRE(steps.size() == 6);
  CHECK(same(steps[0].s, s));
  CHECK(against_steps(env, pendulum_sim, steps) == 0);
  for (int j = 0; j < 40; ++j) {  // and the whole path, without setting the state again
    env.set_sim_state(pendulum_sim(s.col(j)));
    for (const Batch& b : steps) CHECK(distance(env.step(b.a.col(j)).s_next, b.s_next.col(j)) < 1000 * rounding);
  }
}

TEST_CASE("with the true dynamics as the model, branches of inverted_pendulum fall where the pole does", "[06]") {
  InvertedPendulum env;
  Rng rng(100);
  Mat s = rng.uniform(4, 200, -1, 1);
  s.row(0) /= 2, s.row(1) *= Real(0.19);
  const std::vector<Batch> steps = branch(Truth{env, inverted_sim}, simple_policy(4, {0}, 0), s, 8, rng);
  const int ends = against_steps(env, inverted_sim, steps);
  INFO(ends << " of 200 fall");
  CHECK(ends > 20);
  CHECK(ends < 180);
  long rows = 0, not_done = 200;
  for (const Batch& b : steps) {
    CHECK(b.size() == not_done);
    CHECK((b.s.row(1).abs() <= Real(0.2)).all());
    rows += b.size(), not_done = long(b.not_done.sum());
  }
  CHECK(rows < 8 * 200);
}

TEST_CASE("a learned model that answers with the truth makes the environment's transitions, the end included", "[06]") {
  InvertedPendulum env;
  Rng rng(100);
  const LearnedModel model(env, small(2, 2), rng);
  Mat s = rng.uniform(4, 200, -1, 1);
  s.row(1) *= Real(0.19), s.row(3) *= 3;
  const Mat a = rng.uniform(1, 200, -1, 1);
  const Sim sim = inverted_sim(s), next = env.advance(sim, a.cast<double>());
  const Mat s_next = env.observe(next), r = env.rewards(sim, a.cast<double>(), next).cast<Real>();
  const Outcome o = model.outcome(s, model.y(s, r, s_next));
  CHECK(against_steps(env, inverted_sim, {Batch{s, a, o.r, o.s_next, o.not_done}}) > 20);
}

// ---- what is random ----

TEST_CASE("branches start from states that are uniform over D_env, drawn with replacement", "[06]") {
  const Transitions D_env = clock_data(70, 50);  // it has wrapped: 20, ..., 69 are there
  const SquashedGaussian pi = simple_policy(2, {0}, 0);
  Rng rng(100);
  Transitions D_model(2, 1, 40000);
  rollout(Clock{}, pi, D_env, 20000, 1, D_model, rng);
  rollout(Clock{}, pi, D_env, 20000, 1, D_model, rng);
  const Batch b = D_model.all();
  REQUIRE(b.size() == 40000);
  CHECK((b.s.row(1) == 0).all());  // from its s, not its s_next
  std::vector<long> counts(50), pairs(100), again(100);
  for (int j = 0; j < b.size(); ++j) {
    const int id = int(b.s(0, j)) - 20;
    REQUIRE(id >= 0);
    REQUIRE(id < 50);
    ++counts[id];
    if (j % 2 == 1) ++pairs[id % 10 * 10 + (int(b.s(0, j - 1)) - 20) % 10];
    if (j < 20000) ++again[id % 10 * 10 + (int(b.s(0, j + 20000)) - 20) % 10];
  }
  CHECK(std::abs(chi_square(counts)) < 4);
  CHECK(std::abs(chi_square(pairs)) < 4);  // neighbours are independent,
  CHECK(std::abs(chi_square(again)) < 4);  // and so is the next rollout
}

TEST_CASE("a rollout's actions are drawn from pi: mean, deviation, shape, each step and dimension anew", "[06]") {
  const double mu[2] = {0.3, -0.6}, log_std = -0.7;
  Transitions D_env(2, 2, 10);
  for (int i = 0; i < 10; ++i)
    D_env.add(Transition{clocks(10).col(i), Mat::Zero(2, 1), 0, clocks(10).col(i), false, false});
  const int M = 6000;
  Rng rng(100);
  Transitions D_model(2, 2, 2 * M);
  rollout(Clock{.ends = false}, simple_policy(2, {mu[0], mu[1]}, log_std), D_env, M, 2, D_model, rng);
  const Mat u = 0.5 * ((1 + D_model.all().a) / (1 - D_model.all().a)).log();  // atanh
  std::vector<std::vector<double>> xi;
  for (const int i : {0, 1})
    for (const int step : {0, 1}) {
      std::vector<double> x = row(u.middleCols(step * M, M), i);
      for (double& v : x) v = (v - mu[i]) / std::exp(log_std);
      CHECK(kolmogorov_smirnov(x, normal_cdf) < 2);
      CHECK(std::abs(SampleMoments(x).mean) < 4 / std::sqrt(M));
      CHECK(std::abs(SampleMoments(x).variance - 1) < 4 * std::sqrt(2.0 / M));
      CHECK(std::set<double>(x.begin(), x.end()).size() > 0.98 * M);  // no noise is used twice
      std::vector<double> before(x.begin(), x.end() - 1), after(x.begin() + 1, x.end());
      CHECK(std::abs(correlation(before, after)) < 4);
      xi.push_back(x);
    }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j) CHECK(std::abs(correlation(xi[i], xi[j])) < 4);
}

TEST_CASE("each action is chosen in its own branch's state, of that step", "[06]") {
  Rng rng(100);
  const SquashedGaussian pi = simple_policy(2, {-0.5}, -20, 0.5);  // tanh(t / 2 - 1 / 2), nearly without noise
  Mat s = clocks(50);
  for (int j = 0; j < 50; ++j) s(1, j) = Real(j % 3);
  const std::vector<Batch> steps = branch(Clock{.ends = false}, pi, s, 4, rng);
  REQUIRE(steps.size() == 4);
  for (int i = 0; i < 4; ++i)
    CHECK((steps[i].a - (0.5 * (s.row(1) + Real(i)) - 0.5).tanh()).abs().maxCoeff() < Real(0.05));
}

TEST_CASE("each row asks an elite, uniform and drawn anew for each row and step; the others are never asked", "[06]") {
  const Slope env;
  Rng rng(100);
  LearnedModel model(env, small(6, 3), rng);
  tell_members_apart(model);
  model.p.elites = {5, 0, 3};
  for (const int m : {1, 2, 4}) model.p.members[m].head.out.b.value.setConstant(Real(nan_value));  // ask and you see
  const int n = 12000;
  const std::vector<Batch> steps = branch(model, simple_policy(1, {0, 0}, 0), Mat::Zero(1, n), 3, rng);
  REQUIRE(steps.size() == 3);
  const std::map<int, int> place = {{0, 0}, {3, 1}, {5, 2}};
  std::vector<std::vector<int>> drawn;
  for (const Batch& b : steps) {
    std::vector<int> places;
    for (const int m : asked(b.s, b.r, b.s_next)) {
      REQUIRE(place.contains(m));  // of one member: reward and next state
      places.push_back(place.at(m));
    }
    drawn.push_back(places);
  }
  for (int i = 0; i < 3; ++i) {
    std::vector<long> counts(3), neighbours(9), steps_of_a_row(9);
    for (int j = 0; j < n; ++j) {
      ++counts[drawn[i][j]];
      if (j % 2 == 1) ++neighbours[3 * drawn[i][j] + drawn[i][j - 1]];
      ++steps_of_a_row[3 * drawn[i][j] + drawn[(i + 1) % 3][j]];
    }
    CHECK(std::abs(chi_square(counts)) < 4);
    CHECK(std::abs(chi_square(neighbours)) < 4);
    CHECK(std::abs(chi_square(steps_of_a_row)) < 4);
  }
}

TEST_CASE("each column's answer is its elite's for that column", "[06]") {
  const Slope env;
  Rng rng(100);
  LearnedModel model(env, small(4, 3), rng);  // weights at random: an answer depends on its column
  for (Member& m : model.p.members) {
    m.head.out.W.value.bottomRows(2).setZero(), m.head.out.b.value.bottomRows(2).setConstant(-50);
    m.head.out.W.value.topRows(2) *= 20;
  }
  model.p.elites = {2, 0, 3};
  const int n = 300;
  const Mat s = rng.uniform(1, n, -2, 2), a = rng.uniform(2, n, -1, 1);
  const Outcome o = model.sample(s, a, rng);
  const Mat x = model.x(s, a);
  std::vector<Mat> mu;
  for (const int m : model.p.elites) mu.push_back(model.p.members[m].predict(x).mu);
  int strange = 0, doubtful = 0;
  for (int j = 0; j < n; ++j) {
    int fits = 0;
    for (const Mat& y : mu)
      fits += std::abs(o.r(0, j) - y(0, j)) < Real(0.04) &&
              std::abs(o.s_next(0, j) - s(0, j) - y(1, j) / 4) < Real(0.01);
    strange += fits == 0, doubtful += fits > 1;
  }
  CHECK(strange == 0);
  CHECK(doubtful < n / 2);
}

TEST_CASE("sampled noise has the predicted variance, the reward's as well, and is independent of all else", "[06]") {
  const Slope env;
  Rng rng(100);
  LearnedModel model(env, small(2, 1), rng);
  model.p.elites = {1};
  answer(model.p.members[0], {7, 7}, {0, 0}), answer(model.p.members[1], {2, -3}, {-1, -3});
  const Gaussian<Mat> f = model.p.members[1].predict(Mat::Zero(3, 1));
  const double sigma_r = std::exp(double(f.log_var(0, 0)) / 2), sigma_y = std::exp(double(f.log_var(1, 0)) / 2);
  REQUIRE(sigma_r / sigma_y > 2);
  const int n = 10000;
  const std::vector<Batch> steps = branch(model, simple_policy(1, {0, 0}, 0), Mat::Ones(1, n), 2, rng);
  REQUIRE(steps.size() == 2);
  std::vector<std::vector<double>> xi;
  for (const Batch& b : steps) {
    const Mat of_r = (b.r - 2) / Real(sigma_r);
    const Mat of_s = (4 * (b.s_next - b.s) + 3) / Real(sigma_y);  // y = 4 (x' - x)
    const Mat of_a = 0.5 * ((1 + b.a) / (1 - b.a)).log();
    for (const Mat& x : {of_r, of_s, Mat(of_a.row(0)), Mat(of_a.row(1))}) xi.push_back(row(x, 0));
  }
  for (const std::vector<double>& x : xi) {
    CHECK(std::abs(SampleMoments(x).mean) < 4 / std::sqrt(n));
    CHECK(std::abs(SampleMoments(x).variance - 1) < 4 * std::sqrt(2.0 / n));
    CHECK(kolmogorov_smirnov(x, normal_cdf) < 2);
    CHECK(std::set<double>(x.begin(), x.end()).size() > 0.97 * n);
    for (const std::vector<double>& y : xi)
      if (&x != &y) CHECK(std::abs(correlation(x, y)) < 4);
  }
}

// ---- the learned model ----

TEST_CASE("a model sees net_input and the action, learns reward and net_target, and both lead back", "[06]") {
  Slope env;
  env.wall = 1.2;
  Rng rng(100);
  const LearnedModel model(env, small(2, 2), rng);
  const Mat s = rng.uniform(1, 40, -1, 1), a = rng.uniform(2, 40, -1, 1), r = rng.normal(1, 40);
  const Mat s_next = rng.uniform(1, 40, -2, 2);
  CHECK(distance(model.x(s, a), concat(Mat(3 * s), a)) < rounding);
  CHECK(distance(model.y(s, r, s_next), concat(r, Mat(4 * (s_next - s)))) < rounding);
  const Outcome o = model.outcome(s, model.y(s, r, s_next));
  CHECK(distance(o.r, r) < rounding);
  CHECK(distance(o.s_next, s_next) < rounding);
  CHECK(same(o.not_done, (s_next > Real(1.2)).select(Mat::Zero(1, 40), Mat::Ones(1, 40))));
  CHECK((o.not_done == 0).any());
}

TEST_CASE("the mean outcome is the mean of the elites' means, without noise", "[06]") {
  Slope env;
  env.wall = 2.8;
  Rng rng(100);
  LearnedModel model(env, small(5, 3), rng);
  tell_members_apart(model);
  for (Member& m : model.p.members) m.head.out.b.value.bottomRows(2).setZero();  // much noise
  model.p.elites = {4, 1, 3};
  model.p.members[0].head.out.b.value.setConstant(Real(nan_value));
  Mat s(1, 2);
  s << 0, Real(0.5);
  const Outcome o = model.mean(s, Mat::Zero(2, 2));
  const Mat gain = Mat::Constant(1, 2, Real(8) / 3);
  CHECK(distance(o.r, 10 * gain) < rounding);
  CHECK(distance(o.s_next, s + gain) < rounding);
  CHECK(row(o.not_done, 0) == std::vector<double>{1, 0});
}

TEST_CASE("train_model fits the ensemble to all of D_env, and to nothing else", "[06]") {
  const Slope env;
  Rng rng(100), again(100);
  LearnedModel one(env, small(3, 2), rng), two(env, small(3, 2), again);
  Transitions D(1, 2, 150);
  D.add(slope_data(170, rng).all()), slope_data(170, again);  // it has wrapped
  train_model(one, D, rng);
  const Batch b = D.all();
  two.p.fit(two.x(b.s, b.a), two.y(b.s, b.r, b.s_next), again);
  CHECK(bytes_of(one) == bytes_of(two));
  CHECK(rng.bits() == again.bits());
  CHECK(one.holdout_mse() == *std::min_element(one.p.holdout_mse.begin(), one.p.holdout_mse.end()));
  CHECK_THROWS_AS(train_model(one, Transitions(1, 2, 5), rng), std::invalid_argument);
}

TEST_CASE("a trained model knows a linear task's reward, next state and end", "[06][train]") {
  Slope env;
  env.drift = 0.3, env.grow = 0.8, env.cost = 0.5, env.wall = 0.9;
  Rng rng(100);
  EnsembleOptions options = small(3, 2);
  options.hidden = {32, 32}, options.epochs = 60;
  LearnedModel model(env, options, rng);
  train_model(model, slope_data(1500, rng, env), rng);
  const Batch fresh = slope_data(400, rng, env).all();
  const Outcome mean = model.mean(fresh.s, fresh.a), drawn = model.sample(fresh.s, fresh.a, rng);
  for (const Outcome* o : {&mean, &drawn}) {
    const double error_r = double((o->r - fresh.r).square().mean());
    const double error_s = double((o->s_next - fresh.s_next).square().mean());
    const double ends = double((o->not_done != fresh.not_done).count());
    INFO(error_r << " " << error_s << " " << ends);
    CHECK(error_r < 0.03 * 0.03);
    CHECK(error_s < 0.02 * 0.02);
    CHECK(ends < 12);
    CHECK((o->not_done == 0).any());
  }
  CHECK(model.holdout_mse() < 0.01);
}

TEST_CASE("a trained model knows the pendulum's reward and next state", "[06][train]") {
  Pendulum env;
  Rng rng(100);
  const auto data = [&](int n) {
    const Mat s = pendulum_states(n, rng), a = rng.uniform(1, n, -1, 1);
    Transitions D(3, 1, n);
    const Outcome o = Truth{env, pendulum_sim}.sample(s, a, rng);
    D.add(Batch{s, a, o.r, o.s_next, o.not_done});
    return D;
  };
  EnsembleOptions options = small(3, 2);
  options.hidden = {32, 32}, options.epochs = 40;
  LearnedModel model(env, options, rng);
  train_model(model, data(2000), rng);
  const Batch fresh = data(500).all();
  const Outcome o = model.sample(fresh.s, fresh.a, rng);
  const auto unexplained = [](const Mat& error, const Mat& y) {
    return double(error.square().mean() / (y.colwise() - y.rowwise().mean()).square().mean());
  };
  const double of_r = unexplained(o.r - fresh.r, fresh.r);
  const double of_s = unexplained(o.s_next - fresh.s_next, fresh.s_next - fresh.s);
  INFO(of_r << " " << of_s);
  CHECK(of_r < 0.05);
  CHECK(of_s < 0.05);
  CHECK((o.not_done == 1).all());
}

TEST_CASE("a model that is not finite stops the rollout, in reward, next state or variance", "[06]") {
  InvertedPendulum env;  // a NaN is an end here: it must not pass for one
  Rng rng(100);
  Transitions D_env(4, 1, 10);
  for (int i = 0; i < 10; ++i)
    D_env.add(Transition{rng.uniform(4, 1, -0.01, 0.01), Mat::Zero(1, 1), 1, Mat::Zero(4, 1), false, false});
  const SquashedGaussian pi = simple_policy(4, {0}, 0);
  for (const Real bad : {Real(nan_value), Real(infinity)})
    for (const int where : {0, 2, 5, 7}) {  // mu of r, mu of s', log-variance of both
      LearnedModel model(env, small(2, 2), rng);
      model.p.members[1].head.out.b.value(where, 0) = bad;
      if (where >= 5 && !std::isnan(bad)) continue;  // the bounds make it finite
      Transitions D_model(4, 1, 5000);
      INFO(bad << " in row " << where);
      CHECK_THROWS_AS(model.sample(Mat::Zero(4, 50), Mat::Zero(1, 50), rng), NotFinite);
      CHECK_THROWS_AS(rollout(model, pi, D_env, 500, 2, D_model, rng), NotFinite);
    }
  LearnedModel model(env, small(2, 2), rng);
  model.p.members[0].extractor.layers[0].W.value(0, 0) = Real(nan_value);
  CHECK_THROWS_AS(model.sample(Mat::Ones(4, 50), Mat::Zero(1, 50), rng), NotFinite);
}

TEST_CASE("from an empty D_env there is no rollout", "[06]") {
  Rng rng(100);
  Transitions D_model(2, 1, 10);
  CHECK_THROWS_AS(rollout(Clock{}, simple_policy(2, {0}, 0), Transitions(2, 1, 10), 5, 1, D_model, rng),
                  std::invalid_argument);
  CHECK(D_model.size == 0);
}

// ---- mixed batches ----

TEST_CASE("a batch has exactly the asked share of real transitions, first, rounded down", "[06]") {
  const Transitions D_env = numbered_store(0, 30, 30), D_model = numbered_store(1000, 1050, 50);
  Rng rng(100);
  Mixture mixture;
  // How many real ones lead a batch; -1 if one comes later, or a transition is torn.
  const auto real = [&](int batch, Real ratio) {
    const Batch& b = mixture.draw(D_env, D_model, batch, ratio, rng);
    if (b.size() != batch) return -1;
    const std::vector<int> found = numbers_in(b);
    int n = 0;
    while (n < batch && found[n] >= 0 && found[n] < 30) ++n;
    for (int j = n; j < batch; ++j)
      if (found[j] < 1000 || found[j] >= 1050) return -1;
    return n;
  };
  CHECK(real(256, Real(0.05)) == 12);
  CHECK(real(10, Real(0.7)) == 7);
  CHECK(real(256, 0) == 0);
  CHECK(real(256, 1) == 256);
  CHECK(real(256, Real(0.5)) == 128);
  CHECK(real(7, Real(0.5)) == 3);
  CHECK(real(1, Real(0.5)) == 0);
  CHECK(real(1, Real(0.99)) == 0);
  CHECK(real(1, 1) == 1);
  CHECK(real(3, Real(1) / 3) == 1);
  for (const int batch : {10, 50, 64, 100, 128, 256, 1000})
    for (int percent = 0; percent <= 100; ++percent) {
      INFO(batch << " x " << percent << " %");
      CHECK(real(batch, Real(percent / 100.0)) == percent * batch / 100);
    }
}

TEST_CASE("both parts of a batch are uniform over their stores, drawn anew each time", "[06]") {
  const Transitions D_env = numbered_store(0, 35, 30), D_model = numbered_store(1000, 1050, 50);
  Rng rng(100);
  Mixture mixture;
  std::vector<long> of_env(30), of_model(50);
  for (int i = 0; i < 400; ++i)
    for (const int number : numbers_in(mixture.draw(D_env, D_model, 100, Real(0.5), rng)))
      ++(number < 1000 ? of_env.at(number - 5) : of_model.at(number - 1000));
  CHECK(std::abs(chi_square(of_env)) < 4);
  CHECK(std::abs(chi_square(of_model)) < 4);
}

TEST_CASE("a store that has no share in the batch may be empty; one that has may not", "[06]") {
  const Transitions D = numbered_store(0, 30, 30), empty(2, 1, 5);
  Rng rng(100);
  Mixture mixture;
  for (const int i : numbers_in(mixture.draw(D, empty, 64, 1, rng))) CHECK(i >= 0);
  for (const int i : numbers_in(mixture.draw(empty, D, 64, 0, rng))) CHECK(i >= 0);
  for (const Real ratio : {Real(0.05), Real(0.5), Real(0.95)}) {
    CHECK_THROWS_AS(mixture.draw(D, empty, 64, ratio, rng), std::invalid_argument);
    CHECK_THROWS_AS(mixture.draw(empty, D, 64, ratio, rng), std::invalid_argument);
  }
  CHECK_THROWS_AS(mixture.draw(empty, D, 64, 1, rng), std::invalid_argument);
  CHECK_THROWS_AS(mixture.draw(D, empty, 64, 0, rng), std::invalid_argument);
  Mixture fresh;
  CHECK(fresh.draw(D, empty, 64, 1, rng).size() == 64);
  Mixture another;
  CHECK(another.draw(empty, D, 64, 0, rng).size() == 64);
}

// ---- real steps ----

TEST_CASE("an episode that ends by the time limit bootstraps: its last row is not an end", "[06]") {
  Pendulum env;
  Rng rng(100);
  Transitions D(3, 1, 1000);
  env.reset(rng);
  std::vector<Transition> steps;
  const auto uniform = [](const Mat&, Rng& r) { return uniform_action(1, r); };
  for (int i = 0; i < 450; ++i) steps.push_back(interact(env, uniform, rng)), D.add(steps.back());
  CHECK(D.size == 450);
  CHECK((D.all().not_done == 1).all());
  int wrong = 0;
  std::set<Real> starts;
  for (int i = 0; i < 450; ++i) {
    wrong += steps[i].terminated || steps[i].truncated != (i % 200 == 199);
    if (i > 0) wrong += same(steps[i].s, steps[i - 1].s_next) == (i % 200 == 0);  // a new episode, and only then
    if (i % 200 == 0) starts.insert(steps[i].s(0, 0)), wrong += std::abs(steps[i].s(2, 0)) > 1;
  }
  CHECK(wrong == 0);
  CHECK(starts.size() == 3);
}

TEST_CASE("a pole that falls is an end, one that still stands at the time limit is not", "[06]") {
  InvertedPendulum env;
  Rng rng(100);
  Transitions D(4, 1, 1000);
  env.reset(rng);
  const auto push = [](const Mat&, Rng&) { return Mat(Mat::Ones(1, 1)); };
  const auto wait = [](const Mat&, Rng&) { return Mat(Mat::Zero(1, 1)); };
  int falls = 0;
  bool over = true;
  for (int i = 0; i < 60; ++i) {
    const Transition t = interact(env, push, rng);
    D.add(t);
    CHECK(t.a(0, 0) == 1);
    if (over) CHECK((t.s.abs() <= Real(0.0101)).all());  // the start of an episode
    over = t.terminated;
    CHECK(over == (std::abs(double(t.s_next(1, 0))) > 0.2));
    CHECK_FALSE(t.truncated);
    CHECK(D.data.not_done(0, i) == (over ? 0 : 1));
    falls += over;
  }
  CHECK(falls >= 3);

  env.time_limit = 5;
  env.reset(rng);
  for (int i = 60; i < 72; ++i) {
    const Transition t = interact(env, wait, rng);
    D.add(t);
    CHECK(t.truncated == ((i - 60) % 5 == 4));
    CHECK_FALSE(t.terminated);
    CHECK(D.data.not_done(0, i) == 1);
    if ((i - 60) % 5 == 0) CHECK((t.s.abs() <= Real(0.0101)).all());
  }
}

TEST_CASE("real steps are taken with random actions, or with actions drawn from pi in the state that is seen", "[06]") {
  Rng rng(100);
  std::vector<double> first, second;
  for (int i = 0; i < 5000; ++i) {
    const Mat a = uniform_action(2, rng);
    REQUIRE(a.rows() == 2);
    REQUIRE(a.cols() == 1);
    first.push_back(a(0, 0)), second.push_back(a(1, 0));
  }
  const auto cdf = [](double x) { return (x + 1) / 2; };
  CHECK(kolmogorov_smirnov(first, cdf) < 2);
  CHECK(kolmogorov_smirnov(second, cdf) < 2);
  CHECK(std::abs(correlation(first, second)) < 4);

  const SquashedGaussian pi = simple_policy(1, {0.2, -0.4}, -1, 0.5);
  const auto policy = acting(pi);
  first.clear(), second.clear();
  for (int i = 0; i < 5000; ++i) {
    const double x = rng.uniform(0, 2);
    const Mat a = policy(Mat::Constant(1, 1, Real(x)), rng);
    REQUIRE(a.rows() == 2);
    REQUIRE(a.cols() == 1);
    first.push_back((std::atanh(double(a(0, 0))) - 0.2 - x / 2) / std::exp(-1));
    second.push_back((std::atanh(double(a(1, 0))) + 0.4 - x / 2) / std::exp(-1));
  }
  CHECK(kolmogorov_smirnov(first, normal_cdf) < 2);
  CHECK(kolmogorov_smirnov(second, normal_cdf) < 2);
  CHECK(std::abs(correlation(first, second)) < 4);

  Slope env;  // the policy is asked in the state where the step begins
  env.reset(rng);
  const auto of_state = [](const Mat& s, Rng&) { return Mat(Mat::Constant(2, 1, Real(0.1) + s(0, 0) / 8)); };
  for (int i = 0; i < 25; ++i) {
    const Transition t = interact(env, of_state, rng);
    CHECK(same(t.a, of_state(t.s, rng)));
  }
}

// ---- improving the policy ----

TEST_CASE("no updates change nothing, G updates are G calls by hand", "[06]") {
  Rng rng(100);
  const Transitions D_env = numbered_store(0, 20, 20), D_model = numbered_store(-30, 0, 30);
  const auto fresh = [] {
    Rng seed(7);
    return std::make_unique<Sac>(2, 1, SacOptions{.hidden = {8, 8}}, seed);
  };
  const auto by_call = fresh(), by_hand = fresh(), one_by_one = fresh();
  Rng r1(3), r2(3), r3(3);
  improve_policy(*by_call, D_env, D_model, 0, 32, Real(0.25), r1);
  CHECK(bytes_of(*by_call) == bytes_of(*by_hand));
  CHECK(r1.state == r2.state);

  const SacNumbers numbers = improve_policy(*by_call, D_env, D_model, 5, 32, Real(0.25), r1);
  CHECK(std::isfinite(numbers.Q_loss));
  Mixture mixture;
  for (int g = 0; g < 5; ++g) sac_update(*by_hand, mixture.draw(D_env, D_model, 32, Real(0.25), r2), r2);
  for (int g = 0; g < 5; ++g) improve_policy(*one_by_one, D_env, D_model, 1, 32, Real(0.25), r3);
  CHECK(bytes_of(*by_call) == bytes_of(*by_hand));
  CHECK(bytes_of(*by_call) == bytes_of(*one_by_one));
  CHECK_FALSE(bytes_of(*by_call) == bytes_of(*fresh()));
  CHECK(r1.state == r2.state);
  CHECK(r1.state == r3.state);
}

TEST_CASE("updates with an empty store are refused only where it has a share", "[06]") {
  Rng rng(100);
  Sac agent(1, 1, {.hidden = {8}}, rng);
  const Transitions D = bandit(50, 0.5, rng), empty(1, 1, 5);
  CHECK_NOTHROW(improve_policy(agent, D, empty, 2, 16, 1, rng));
  CHECK_NOTHROW(improve_policy(agent, empty, D, 2, 16, 0, rng));
  CHECK_THROWS_AS(improve_policy(agent, D, empty, 2, 16, Real(0.5), rng), std::invalid_argument);
  CHECK_THROWS_AS(improve_policy(agent, empty, D, 2, 16, Real(0.5), rng), std::invalid_argument);
}

TEST_CASE("the policy learns what the store says that the real ratio points to", "[06][train]") {
  for (const Real ratio : {Real(0), Real(1)}) {
    Rng rng(100);
    SacOptions options{.hidden = {32, 32}, .lr = Real(3e-3), .alpha = Real(0.1)};
    Sac agent(1, 1, options, rng);
    agent.target_entropy = -2;
    const Transitions D_env = bandit(1000, 0.5, rng), D_model = bandit(1000, -0.5, rng);
    for (int step = 0; step < 50; ++step) improve_policy(agent, D_env, D_model, 20, 64, ratio, rng);
    for (const double x : {-0.8, 0.0, 0.8}) {
      const double a = double(agent.pi.mean_action(Mat::Constant(1, 1, Real(x)))(0, 0));
      INFO("ratio " << ratio << ", s = " << x << ": " << a);
      CHECK(std::abs(a - (ratio == 1 ? 0.5 : -0.5)) < 0.1);
    }
  }
}

// ---- threads ----

TEST_CASE("model, rollouts and updates are the same with 1 and 2 threads, and for the same seed", "[06]") {
  const auto run = [](int threads, int seed) {
    return with_threads(threads, [&] {
      Slope env;
      env.wall = 1.5;
      Rng rng(seed);
      LearnedModel model(env, small(3, 2), rng);
      Transitions D_env = slope_data(150, rng), D_model(1, 2, 9000);
      train_model(model, D_env, rng);
      Sac agent(1, 2, {.hidden = {128, 128}}, rng);  // large enough for two threads
      rollout(model, agent.pi, D_env, 3001, 3, D_model, rng);
      improve_policy(agent, D_env, D_model, 2, 256, Real(0.05), rng);
      return std::tuple(bytes_of(model), bytes_of(D_model), bytes_of(agent), rng.state);
    });
  };
  const auto once = run(1, 100);
  CHECK((run(1, 100) == once));
  CHECK((run(2, 100) == once));
  CHECK_FALSE((run(1, 101) == once));
}

// ---- options ----

TEST_CASE("MBPO refuses settings without a meaning, with the option's name", "[06]") {
  const Scratch dir;
  const auto refused = [&](const std::vector<std::string>& words) {
    return message<std::invalid_argument>([&] { options_of(dir, words); });
  };
  const std::vector<std::pair<std::vector<std::string>, std::string>> bad = {
      {{"--rollout-length", "0"}, "--rollout-length"},
      {{"--rollout-length", "-1"}, "--rollout-length"},
      {{"--rollout-length", "0,100,0,5"}, "--rollout-length"},
      {{"--rollout-length", "0,100,5,0"}, "--rollout-length"},
      {{"--rollout-length", "200,100,1,5"}, "--rollout-length"},
      {{"--rollout-length", "100,1,5"}, "--rollout-length"},
      {{"--rollout-length", "1,5"}, "--rollout-length"},
      {{"--rollout-length", "0,100,1,5,7"}, "--rollout-length"},
      {{"--real-ratio", "-0.1"}, "--real-ratio"},
      {{"--real-ratio", "1.1"}, "--real-ratio"},
      {{"--real-ratio", "nan"}, "--real-ratio"},
      {{"--members", "5", "--elites", "6"}, "--elites"},
      {{"--checkpoint", dir / "c", "--steps", "990"}, "--steps 990"},
      {{"--env", "cartpole"}, "--env cartpole"}};
  for (const auto& [words, name] : bad) {
    const std::string text = refused(words);
    INFO(words[0] << " " << words[1] << ": " << text);
    CHECK(contains(text, name));
  }
  CHECK_FALSE(fs::exists(dir / "out"));
  for (const char* k : {"3", "0,100,1,5", "100,100,1,5", "0,100,5,1"}) CHECK(refused({"--rollout-length", k}).empty());
  for (const char* ratio : {"0", "1", "0.05"}) CHECK(refused({"--real-ratio", ratio}).empty());
  CHECK(refused({"--steps", "990"}).empty());
  CHECK(refused({"--checkpoint", dir / "c", "--steps", "1000"}).empty());
}

TEST_CASE("the papers' settings, in real steps; D_model holds 400000 k transitions", "[06]") {
  struct Published { const char* env; int steps; std::vector<int> k; int G; double target_entropy; long per_k; };
  std::vector<Published> table = {{"inverted_pendulum", 20000, {1}, 10, -0.05, 100000},
                                  {"inverted_double_pendulum", 20000, {1}, 20, -0.5, 100000},
                                  {"hopper", 125000, {20000, 150000, 1, 15}, 20, -1, 400000},
                                  {"walker2d", 300000, {1}, 20, -3, 400000},
                                  {"half_cheetah", 400000, {1}, 40, -3, 400000}};
#ifdef HAVE_MUJOCO
  table.push_back({"ant_truncated", 300000, {20000, 100000, 1, 25}, 20, -4, 400000});
  table.push_back({"humanoid_truncated", 300000, {20000, 300000, 1, 25}, 20, -2, 500000});
#endif
  const Scratch dir;
  for (const Published& x : table) {
    const bool humanoid = x.per_k == 500000;
    const MbpoOptions o = options_of(dir, {"--preset", "paper", "--env", x.env});
    INFO(x.env);
    CHECK(o.steps == x.steps);
    CHECK(o.rollout_length == x.k);
    CHECK(o.updates == x.G);
    CHECK(o.target_entropy == Real(x.target_entropy));
    CHECK(long(o.retain) * o.rollouts == x.per_k);
    CHECK(o.rollouts == 100000);
    CHECK(o.epoch_steps == (humanoid ? 1000 : 250));
    CHECK(o.rollout_every == o.epoch_steps);
    CHECK(o.real_ratio == Real(0.05));
    CHECK(o.alpha == 1);
    CHECK(o.batch == 256);
    CHECK(o.random_steps == (x.per_k == 100000 ? 500 : 5000));
    const EnsembleOptions how = o.ensemble(), mbpo = EnsembleOptions::mbpo();
    CHECK(how.members == mbpo.members);
    CHECK(how.elites == mbpo.elites);
    CHECK(how.hidden == (humanoid ? std::vector<int>(4, 400) : mbpo.hidden));
    CHECK(how.epochs == mbpo.epochs);
    CHECK(how.decay == mbpo.decay);
    CHECK(how.batch == mbpo.batch);
    CHECK(how.patience == mbpo.patience);
    CHECK(how.lr == mbpo.lr);
    CHECK(how.holdout == mbpo.holdout);
    CHECK(how.standardise_targets == mbpo.standardise_targets);
    const SacOptions sac = o.sac();
    CHECK(sac.hidden == std::vector<int>{256, 256});
    CHECK(sac.lr == Real(3e-4));
    CHECK(sac.gamma == Real(0.99));
    CHECK(sac.tau == Real(0.005));
  }
}

TEST_CASE("a training is built as its options say", "[06]") {
  const Scratch dir;
  const auto made = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--env", "inverted_pendulum", "--smoke"});
    return std::make_unique<Training>(options_of(dir, words), 100);
  };
  const auto plain = made({});
  CHECK(plain->agent.target_entropy == -1);
  CHECK(plain->env->name == "inverted_pendulum");
  const auto t = made({"--target-entropy", "-0.05", "--members", "6", "--elites", "4", "--model-hidden", "9,7",
                       "--hidden", "5,6", "--gamma", "0.9", "--tau", "0.01", "--lr", "0.002", "--alpha", "0.3",
                       "--model-batch", "11", "--model-epochs", "12", "--patience", "13", "--raw-targets"});
  CHECK(t->agent.target_entropy == Real(-0.05));
  CHECK(t->agent.options.hidden == std::vector<int>{5, 6});
  CHECK(double(t->agent.options.gamma) == Approx(0.9));
  CHECK(double(t->agent.options.tau) == Approx(0.01));
  CHECK(double(t->agent.options.lr) == Approx(0.002));
  CHECK(double(t->agent.alpha()) == Approx(0.3));
  CHECK(t->model.p.members.size() == 6);
  CHECK(t->model.p.elites.size() == 4);
  CHECK(t->model.p.options.hidden == std::vector<int>{9, 7});
  CHECK(t->model.p.options.batch == 11);
  CHECK(t->model.p.options.epochs == 12);
  CHECK(t->model.p.options.patience == 13);
  CHECK_FALSE(t->model.p.options.standardise_targets);
  CHECK(plain->model.p.options.standardise_targets);
}

// ---- the whole training ----

namespace {

// Steps as the program takes them, cut short.
void go_on(Training& t, int steps) {
  for (int i = 0; i < steps; ++i, ++t.step) {
    if (t.step % 10 == 0) {
      train_model(t.model, t.D_env, t.rng);
      const int k = rollout_length(t.step, {20, 40, 1, 3});
      resize(t.D_model, 2 * 30 * k);
      rollout(t.model, t.agent.pi, t.D_env, 30, k, t.D_model, t.rng);
    }
    t.D_env.add(interact(*t.env, acting(t.agent.pi), t.rng));
    improve_policy(t.agent, t.D_env, t.D_model, 2, 16, Real(0.25), t.rng);
  }
}

}  // namespace

TEST_CASE("a training that is saved and loaded goes on with the same numbers", "[06]") {
  for (const char* env : {"pendulum", "inverted_pendulum"}) {
    const Scratch dir;
    const MbpoOptions options = options_of(dir, {"--env", env, "--smoke"});
    Training one(options, 100), two(options, 101);
    const auto uniform = [](const Mat&, Rng& r) { return uniform_action(1, r); };
    for (; one.step < 20; ++one.step) one.D_env.add(interact(*one.env, uniform, one.rng));
    go_on(one, 25);
    INFO(env);
    CHECK(bytes_of(one) != bytes_of(two));
    save_networks(dir / "training", one);
    load_networks(dir / "training", two);
    CHECK(one.step == two.step);
    CHECK(bytes_of(one) == bytes_of(two));
    go_on(one, 25), go_on(two, 25);
    CHECK(one.step == two.step);
    CHECK(one.D_env.size == two.D_env.size);
    CHECK(same(one.D_env.all(), two.D_env.all()));
    CHECK(same(one.D_model.all(), two.D_model.all()));
    CHECK(one.D_model.capacity == two.D_model.capacity);
    CHECK(one.D_env.capacity == two.D_env.capacity);
    CHECK(bytes_of(one) == bytes_of(two));
    CHECK(one.rng.state == two.rng.state);
    CHECK(one.eval_rng.state == two.eval_rng.state);
    CHECK(same(one.env->observe(one.env->sim), two.env->observe(two.env->sim)));
    const Mat s = one.D_env.all().s, a = one.D_env.all().a;
    CHECK(same(one.model.mean(s, a).s_next, two.model.mean(s, a).s_next));
    CHECK(same(one.agent.pi.mean_action(s), two.agent.pi.mean_action(s)));
  }
}

TEST_CASE("the same seed is the same training, another seed another one", "[06]") {
  const Scratch dir;
  const MbpoOptions options = options_of(dir, {"--smoke"});
  Training one(options, 100), two(options, 100), other(options, 101);
  CHECK(bytes_of(one) == bytes_of(two));
  CHECK(bytes_of(one) != bytes_of(other));
  CHECK(one.step == 0);
  CHECK(one.D_env.size == 0);
  CHECK(one.D_model.size == 0);
}

TEST_CASE("a run follows its schedule of k in real steps, and rolls out as often as it says", "[06]") {
  const Scratch dir;
  const MbpoOptions options = options_of(dir, {"--smoke", "--rollout-length", "60,120,1,3", "--rollout-every", "10",
                                               "--retain", "9"});
  Training x(options, 100);
  std::map<long, long> branches, room;
  learn(options, x, [&] { branches[x.step] = x.D_model.size, room[x.step] = x.D_model.capacity; });
  CHECK(x.step == 160);
  CHECK(x.D_env.size == 160);
  CHECK(branches.begin()->first == 61);  // 60 random steps; an epoch is 20 steps, two rollouts of 100 branches
  long all = 0;
  for (const auto& [start, k] : {std::pair(60, 1), std::pair(80, 1), std::pair(100, 2), std::pair(120, 3),
                                 std::pair(140, 3)}) {
    INFO("epoch from " << start);
    for (const int step : {1, 10}) CHECK(branches[start + step] == all + 100 * k);
    for (const int step : {11, 20}) CHECK(branches[start + step] == all + 200 * k);
    CHECK(room[start + 1] == 9 * 100 * k);
    all += 200 * k;
  }
}

TEST_CASE("what is said of a run: its return, its steps to a threshold, one algorithm minus the other", "[06]") {
  const Scratch dir;
  const MbpoOptions options = options_of(dir, {"--seeds", "2"});
  {
    RunLog log(options, {"algo", "seed", "env_steps", "eval_return"});
    const std::map<std::pair<std::string, int>, std::vector<double>> returns = {
        {{"mbpo", 0}, {1, 7, 3, 8, 9}}, {{"mbpo", 1}, {2, 2, 9, 1, 9}}, {{"sac", 0}, {0, 0, 0, 1, 5}},
        {{"sac", 1}, {6, 6, 6, 6, 6}}};
    for (const auto& [run, values] : returns)
      for (std::size_t i = 0; i < values.size(); ++i) log.row(run.first, run.second, 100 * (i + 1), values[i]);
  }
  const Table table = read_csv(options.path(".csv")), mbpo = table.where("algo", "mbpo");
  CHECK(mean_return(mbpo.where("seed", "0")) == Approx(28 / 5.0));
  CHECK(mean_return(mbpo.where("seed", "0"), 2) == Approx(17 / 2.0));
  CHECK(mean_return(mbpo.where("seed", "0"), 9) == Approx(28 / 5.0));
  CHECK(std::isnan(mean_return(mbpo.where("seed", "7"))));
  CHECK(steps_to(options, mbpo, 5) == std::vector<double>{400, infinity});  // the first of two in a row
  CHECK(steps_to(options, table.where("algo", "sac"), 5)[1] == 100);
  CHECK(difference(options, table, "mbpo", "sac")[0] == Approx(22 / 5.0));
  CHECK(difference(options, table, "mbpo", "sac")[1] == Approx(-7 / 5.0));
  CHECK(difference(options, table, "mbpo", "sac", 1)[0] == Approx(4));
  CHECK(std::isnan(difference(options, table, "mbpo", "ppo")[0]));
}

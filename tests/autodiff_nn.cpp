// Layers and networks: initialisation, io, soft update, memory, and that training works.
#include "autodiff/adam.h"
#include "tests/count_malloc.h"
#include "tests/gradient_check.h"
#include "tests/statistics.h"

namespace {

// An archive that lists the name of every member it is shown, with the path to it.
struct Names {
  std::vector<std::string> found;
  template <class T>
  void operator()(const std::string& name, T& member) {
    visit(path + "/" + name, member);
  }

 private:
  std::string path;
  template <class T>
  void visit(const std::string& name, T& member) {
    if constexpr (requires { member.io(*this); }) {
      const std::string above = std::exchange(path, name);
      member.io(*this);
      path = above;
    } else {
      found.push_back(name);
    }
  }
  template <class T>
  void visit(const std::string& name, std::vector<T>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) visit(name + "/" + std::to_string(i), list[i]);
  }
};
template <class T>
std::vector<std::string> names(T& object) {
  Names archive;
  object.io(archive);
  return archive.found;
}

// An archive that keeps the numbers of every member, and one that puts them back.
struct Saved {
  std::vector<Mat> mats;
  std::vector<std::uint64_t> words;
  std::vector<Real> reals;
  bool loading = false;
  std::size_t mat = 0, word = 0, real = 0;
  template <class T>
  void operator()(const std::string&, T& member) {
    visit(member);
  }

 private:
  void visit(Mat& x) {
    if (loading) x = mats.at(mat++);
    else mats.push_back(x);
  }
  void visit(long& x) {
    if (loading) x = long(words.at(word++));
    else words.push_back(std::uint64_t(x));
  }
  void visit(Real& x) {
    if (loading) x = reals.at(real++);
    else reals.push_back(x);
  }
  void visit(std::array<std::uint64_t, 4>& x) {
    for (std::uint64_t& v : x)
      if (loading) v = words.at(word++);
      else words.push_back(v);
  }
  template <class T>
  void visit(std::vector<T>& list) {
    for (T& member : list) visit(member);
  }
  template <class T>
  void visit(T& member) {
    member.io(*this);
  }
};

// An agent as the chapters have it.
struct Agent {
  MLP pi;
  Param log_alpha;
  std::vector<MLP> Q;
  Rng rng;
  long updates = 0;
  explicit Agent(Rng& r)
      : pi({2, 3, 1}, Activation::tanh, Init::glorot, r),
        log_alpha{Mat::Zero(1, 1), Mat::Zero(1, 1)},
        Q(2, MLP({3, 2, 1}, Activation::relu, Init::glorot, r)),
        rng(r.split()) {}
  template <class Ar>
  void io(Ar& ar) {
    ar("pi", pi), ar("log_alpha", log_alpha), ar("Q", Q), ar("rng", rng), ar("updates", updates);
  }
};

// A network with its optimiser and its noise.
struct Learner {
  MLP net;
  Adam opt;
  Rng rng;
  Tape tape;
  explicit Learner(std::uint64_t seed) : net(make(seed)), opt(params(net), Real(0.01)), rng(seed) {}
  static MLP make(std::uint64_t seed) {
    Rng rng(seed);
    return MLP({2, 4, 1}, Activation::swish, Init::truncated_normal, rng);
  }
  void step() { opt.minimize(mean(square(net(tape.constant(rng.normal(2, 8))) - Real(1)))); }
  template <class Ar>
  void io(Ar& ar) {
    ar("net", net), ar("opt", opt), ar("rng", rng);
  }
};

}  // namespace

TEST_CASE("Glorot: W is uniform within sqrt(6 / (in + out)), b is zero", "[autodiff]") {
  Rng rng(401);
  const Linear layer(200, 300, Init::glorot, rng);
  const double bound = std::sqrt(6.0 / 500), n = 60000;
  const std::vector<double> w = elements(layer.W.value);
  const SampleMoments m(w);
  CHECK(layer.W.value.rows() == 300);
  CHECK(layer.W.value.cols() == 200);
  CHECK(layer.b.value.rows() == 300);
  CHECK(layer.b.value.cols() == 1);
  CHECK((layer.b.value == 0).all());
  CHECK(layer.W.value.abs().maxCoeff() <= Real(bound));
  CHECK(layer.W.value.abs().maxCoeff() > 0.999 * bound);
  CHECK(std::abs(m.mean) < 4 * bound / std::sqrt(3 * n));
  CHECK(std::abs(m.variance / (2.0 / 500) - 1) < 4 * std::sqrt(0.8 / n));
  CHECK(kolmogorov_smirnov(w, [&](double x) { return (x + bound) / (2 * bound); }) < 2);
}

TEST_CASE("Kaiming-uniform: W and b are uniform within 1 / sqrt(in)", "[autodiff]") {
  Rng rng(402);
  const Linear layer(100, 600, Init::kaiming_uniform, rng);
  for (const Mat& x : {layer.W.value, layer.b.value}) {
    const std::vector<double> w = elements(x);
    const double bound = 0.1, n = double(w.size());
    const SampleMoments m(w);
    CHECK(x.abs().maxCoeff() <= Real(bound));
    CHECK(x.abs().maxCoeff() > 0.98 * bound);
    CHECK(std::abs(m.mean) < 4 * bound / std::sqrt(3 * n));
    CHECK(std::abs(m.variance / (1.0 / 300) - 1) < 4 * std::sqrt(0.8 / n));
    CHECK(kolmogorov_smirnov(w, [&](double x) { return (x + bound) / (2 * bound); }) < 2);
  }
}

TEST_CASE("truncated normal: W has std 1 / (2 sqrt(in)) before the cut at two of them, b is zero", "[autodiff]") {
  Rng rng(403);
  const Linear layer(100, 600, Init::truncated_normal, rng);
  const double std = 0.05, n = 60000;
  const std::vector<double> w = elements(layer.W.value);
  const SampleMoments m(w);
  CHECK((layer.b.value == 0).all());
  CHECK(layer.W.value.abs().maxCoeff() <= Real(2 * std));
  CHECK(layer.W.value.abs().maxCoeff() > 0.99 * 2 * std);
  CHECK(std::abs(m.mean) < 4 * std / std::sqrt(n));
  CHECK(std::abs(m.variance / (std * std * 0.7737) - 1) < 4 * std::sqrt(1.4 / n));  // 0.7737: cut at 2
  CHECK(near(truncated_normal_variance(2), 0.7737, 1e-4));
  CHECK(kolmogorov_smirnov(w, [&](double x) { return truncated_normal_cdf(x / std, 2); }) < 2);
}

TEST_CASE("a new network: shapes in turn, gradients zero and of the same shape, no decay", "[autodiff]") {
  for (Init init : {Init::glorot, Init::kaiming_uniform, Init::truncated_normal}) {
    Rng rng(404), same(404);
    MLP net({3, 5, 4, 2}, Activation::relu, init, rng), twin({3, 5, 4, 2}, Activation::relu, init, same);
    const int sizes[] = {3, 5, 4, 2};
    REQUIRE(net.layers.size() == 3);
    for (int l = 0; l < 3; ++l) {
      const Linear& layer = net.layers[l];
      CHECK(layer.W.value.rows() == sizes[l + 1]);
      CHECK(layer.W.value.cols() == sizes[l]);
      CHECK(layer.b.value.rows() == sizes[l + 1]);
      CHECK(layer.W.value.abs().maxCoeff() > 0);
      CHECK((layer.W.value == twin.layers[l].W.value).all());
      for (const Param& p : {layer.W, layer.b}) {
        CHECK(p.grad.rows() == p.value.rows());
        CHECK(p.grad.cols() == p.value.cols());
        CHECK((p.grad == 0).all());
        CHECK(p.decay == 0);
      }
    }
    CHECK(net.layers[0].W.value(0, 0) != net.layers[1].W.value(0, 0));
  }
}

TEST_CASE("soft_update moves the target a share tau towards the network", "[autodiff]") {
  Rng rng(411);
  for (Real tau : {Real(0), Real(0.005), Real(0.3), Real(1)}) {
    MLP net({2, 3, 1}, Activation::relu, Init::kaiming_uniform, rng),
        targ({2, 3, 1}, Activation::relu, Init::kaiming_uniform, rng);
    const MLP net_before = net, targ_before = targ;
    for (int n = 1; n <= 3; ++n) {
      soft_update(targ, net, tau);
      const double kept = std::pow(1 - double(tau), n);  // of the old target, geometrically
      for (int l = 0; l < 2; ++l) {
        const Linear &now = targ.layers[l], &old = targ_before.layers[l], &source = net_before.layers[l];
        CHECK(distance(now.W.value, Mat(Real(kept) * old.W.value + Real(1 - kept) * source.W.value)) < rounding);
        CHECK(distance(now.b.value, Mat(Real(kept) * old.b.value + Real(1 - kept) * source.b.value)) < rounding);
        CHECK((net.layers[l].W.value == source.W.value).all());
        CHECK((net.layers[l].b.value == source.b.value).all());
      }
    }
  }
}

TEST_CASE("soft_update reaches the Params of nested structs", "[autodiff]") {
  Rng rng(412), other(413);
  Agent agent(rng), targ(other);
  agent.log_alpha.value << 4;
  soft_update(targ, agent, Real(0.25));
  CHECK(targ.log_alpha.value(0, 0) == 1);
  soft_update(targ, agent, 1);
  const Mat s = rng.normal(2, 4);
  CHECK(distance(targ.pi(s), agent.pi(s)) < rounding);
}

TEST_CASE("params lists every Param once, in the order of io", "[autodiff]") {
  Rng rng(414);
  Agent agent(rng), second(rng);
  std::vector<Param*> expected;
  const auto add = [&](MLP& net) {
    for (Linear& layer : net.layers) expected.push_back(&layer.W), expected.push_back(&layer.b);
  };
  add(agent.pi);
  expected.push_back(&agent.log_alpha);
  for (MLP& Q : agent.Q) add(Q);
  CHECK(params(agent) == expected);
  CHECK(expected.size() == 13);
  add(second.pi);
  expected.push_back(&second.log_alpha);
  CHECK(params(agent, second.pi, second.log_alpha) == expected);
  CHECK(params(agent.log_alpha) == std::vector<Param*>{&agent.log_alpha});
  CHECK(params(agent.rng).empty());
}

TEST_CASE("io names every member", "[autodiff]") {
  Rng rng(415);
  Agent agent(rng);
  const std::vector<std::string> network = {"/layers/0/W/", "/layers/0/b/", "/layers/1/W/",
                                            "/layers/1/b/"};
  CHECK(names(agent.pi) == network);
  CHECK(names(agent.log_alpha) == std::vector<std::string>{"/"});
  CHECK(names(agent.rng) == std::vector<std::string>{"/state"});
  std::vector<std::string> all;
  for (const std::string& name : network) all.push_back("/pi" + name);
  all.push_back("/log_alpha/");
  for (const std::string& name : network) all.push_back("/Q/0" + name);
  for (const std::string& name : network) all.push_back("/Q/1" + name);
  all.push_back("/rng/state"), all.push_back("/updates");
  CHECK(names(agent) == all);
  Adam opt(params(agent.log_alpha, agent.pi.layers[0]), Real(0.1));
  CHECK(names(opt) == std::vector<std::string>{"/lr", "/t", "/m/0", "/m/1", "/m/2", "/v/0", "/v/1", "/v/2"});
}

TEST_CASE("what io lists is all that the future depends on", "[autodiff]") {
  Learner one(1), other(2);
  for (int i = 0; i < 7; ++i) one.step();
  other.step();
  Saved archive;
  one.io(archive);
  archive.loading = true;
  other.io(archive);
  for (int i = 0; i < 7; ++i) one.step(), other.step();
  for (std::size_t l = 0; l < 2; ++l) CHECK((one.net.layers[l].W.value == other.net.layers[l].W.value).all());
  CHECK(one.opt.t == 14);
  CHECK(other.opt.t == 14);
}

TEST_CASE("a training step allocates nothing once the tape is warm", "[autodiff]") {
  struct Network {
    std::vector<int> sizes;
    Activation f;
    int batch;
  };
  for (const Network& n :
       {Network{{3, 64, 64, 1}, Activation::relu, 100}, Network{{17, 256, 256, 1}, Activation::relu, 256},
        Network{{24, 200, 200, 200, 200, 36}, Activation::swish, 256}}) {
    CAPTURE(n.sizes);
    Rng rng(416);
    MLP net(n.sizes, n.f, Init::kaiming_uniform, rng);
    Adam opt(params(net), Real(1e-3));
    Tape tape;
    Mat x = rng.normal(n.sizes.front(), n.batch), target = rng.normal(n.sizes.back(), n.batch);
    const int warm_up = COUNTS_MALLOC ? 10 : 2, steps = COUNTS_MALLOC ? 100 : 3;
    const auto train = [&](int count) {
      for (int i = 0; i < count; ++i) opt.minimize(mean(square(net(tape.constant(x)) - target)));
    };
    train(warm_up);
    std::vector<const Real*> before, after;
    for (const Node& node : tape.nodes) before.push_back(node.value.data()), before.push_back(node.grad.data());
    const long calls = malloc_calls();
    train(steps);
    const long made = malloc_calls() - calls;
    for (const Node& node : tape.nodes) after.push_back(node.value.data()), after.push_back(node.grad.data());
    CHECK(before == after);
    CHECK(made == 0);
    CHECK(opt.t == warm_up + steps);
  }
}

#if COUNTS_MALLOC
TEST_CASE("the counter sees malloc, operator new and Eigen", "[autodiff]") {
  const auto made = [](const std::function<void()>& f) {
    const long before = malloc_calls();
    f();
    return malloc_calls() - before;
  };
  void* volatile seen = nullptr;  // so that the compiler does not remove the pair
  const auto keep = [&](void* p) {
    seen = p;
    return p;
  };
  CHECK(made([&] { std::free(keep(std::malloc(10))); }) == 1);
  CHECK(made([&] { std::free(keep(std::calloc(10, 10))); }) == 1);
  CHECK(made([&] { std::free(keep(std::aligned_alloc(64, 64))); }) == 1);
  CHECK(made([&] { std::free(keep(std::realloc(nullptr, 10))); }) == 1);
  CHECK(made([&] { ::operator delete(keep(::operator new(10))); }) == 1);
  CHECK(made([&] {
          Mat x(3, 3);
          keep(x.data());
        }) == 1);
  CHECK(made([&] {}) == 0);
}
#endif

TEST_CASE("one Adam step lowers a loss, whatever the activation and the initialisation", "[autodiff]") {
  for (Activation f : {Activation::tanh, Activation::relu, Activation::swish})
    for (Init init : {Init::glorot, Init::kaiming_uniform, Init::truncated_normal}) {
      Rng rng(417);
      MLP net({3, 16, 16, 2}, f, init, rng);
      Adam opt(params(net), Real(1e-3));
      Tape tape;
      const Mat x = rng.normal(3, 32), y = rng.normal(2, 32);
      const double before = mean(square(net(x) - y));
      opt.minimize(mean(square(net(tape.constant(x)) - y)));
      CHECK(double(mean(square(net(x) - y))) < before);
    }
}

TEST_CASE("a small network learns the sine, and has it right between its samples", "[autodiff][train]") {
  for (Activation f : {Activation::tanh, Activation::relu, Activation::swish}) {
    Rng rng(418);
    MLP net({1, 32, 32, 1}, f, Init::kaiming_uniform, rng);
    Adam opt(params(net), Real(5e-3));
    Tape tape;
    for (int i = 0; i < 2000; ++i) {
      if (i == 1500) opt.lr = Real(5e-4);
      const Mat x = rng.uniform(1, 64, -3, 3);
      opt.minimize(mean(square(net(tape.constant(x)) - sin(x))), 10);
    }
    const Mat x = Mat(Eigen::Array<Real, 1, Eigen::Dynamic>::LinSpaced(201, -3, 3));
    CAPTURE(int(f));
    CHECK(std::sqrt(mean(square(net(x) - sin(x)))) < 0.02);
  }
}

TEST_CASE("relu in one operation with its product: the numbers and gradients of relu(affine)", "[autodiff]") {
  Rng rng(21);
  Linear one(5, 7, Init::kaiming_uniform, rng), two = one;
  const Mat x = rng.normal(5, 9), weights = rng.normal(7, 9);
  CHECK((affine_relu(one.W, x, one.b) == Mat(relu(one(x)))).all());
  Tape tape_one, tape_two;
  const Var x_one = tape_one.input(x), x_two = tape_two.input(x);
  const Var y_one = affine_relu(one.W, x_one, one.b), y_two = relu(two(x_two));
  CHECK((y_one.value() == y_two.value()).all());
  tape_one.backward(weighted_sum(y_one, weights)), tape_two.backward(weighted_sum(y_two, weights));
  CHECK((one.W.grad == two.W.grad).all());
  CHECK((one.b.grad == two.b.grad).all());
  CHECK((Mat(x_one.grad()) == Mat(x_two.grad())).all());
  CHECK((one.W.grad != 0).any());

  const Mat with_weights = x_one.grad();  // frozen: the input's gradient alone
  const Mat dW = one.W.grad;
  tape_one.clear();
  const Var again = tape_one.input(x);
  tape_one.backward(weighted_sum(affine_relu(frozen(one).W, again, frozen(one).b), weights));
  CHECK((Mat(again.grad()) == with_weights).all());
  CHECK((one.W.grad == dW).all());
}

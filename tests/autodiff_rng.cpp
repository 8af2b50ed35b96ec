// Random numbers: the published algorithms' answers, the distributions, independence, repeatability.
#include <map>
#include <set>
#include "tests/gradient_check.h"
#include "tests/statistics.h"

namespace {

// Blackman and Vigna's reference code: splitmix64 fills the state, xoshiro256++ makes the numbers.
struct Reference {
  std::uint64_t s[4], seed;
  explicit Reference(std::uint64_t seed) : seed(seed) {
    for (int i = 0; i < 4; ++i) s[i] = splitmix();
  }
  std::uint64_t splitmix() {
    std::uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t next() {
    const std::uint64_t result = rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
  }
};

constexpr int n_samples = 200000;

std::vector<double> draws(const std::function<double()>& draw, int n = n_samples) {
  std::vector<double> x(n);
  for (double& v : x) v = draw();
  return x;
}

void check_normal(const std::vector<double>& x) {
  const SampleMoments m(x);
  const double n = double(x.size());
  CHECK(std::abs(m.mean) < 4 / std::sqrt(n));
  CHECK(std::abs(m.variance - 1) < 4 * std::sqrt(2 / n));
  CHECK(std::abs(m.skewness) < 4 * std::sqrt(6 / n));
  CHECK(std::abs(m.kurtosis - 3) < 4 * std::sqrt(24 / n));
  CHECK(kolmogorov_smirnov(x, normal_cdf) < 2);
}

}  // namespace

TEST_CASE("xoshiro256++ gives its published answers", "[autodiff]") {
  Rng rng;
  rng.state = {1, 2, 3, 4};
  for (std::uint64_t answer : {41943041ull, 58720359ull, 3588806011781223ull, 3591011842654386ull,
                               9228616714210784205ull, 9973669472204895162ull, 14011001112246962877ull,
                               12406186145184390807ull, 15849039046786891736ull, 10450023813501588000ull})
    CHECK(rng.bits() == answer);
}

TEST_CASE("a seed fills the state by splitmix64", "[autodiff]") {
  const Rng rng(1234567);
  CHECK(rng.state == std::array<std::uint64_t, 4>{6457827717110365317ull, 3203168211198807973ull,
                                                  9817491932198370423ull, 4593380528125082431ull});
  for (std::uint64_t seed : {std::uint64_t(0), std::uint64_t(1), std::uint64_t(42), ~std::uint64_t(0)}) {
    Rng ours(seed);
    Reference reference(seed);
    int equal = 0;
    for (int i = 0; i < 1000; ++i) equal += ours.bits() == reference.next();
    CHECK(equal == 1000);
  }
}

TEST_CASE("same seed, same numbers; other seed, other numbers", "[autodiff]") {
  const auto sequence = [](std::uint64_t seed) {
    Rng rng(seed);
    std::vector<double> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(rng.uniform()), all.push_back(rng.normal()), all.push_back(double(rng.below(1000)));
      all.push_back(rng.truncated_normal(1)), all.push_back(rng.uniform(-3, 5)), all.push_back(rng.split().uniform());
      for (double v : elements(rng.normal(3, 5))) all.push_back(v);
      for (double v : elements(rng.uniform(3, 5, -1, 1))) all.push_back(v);
      std::vector<int> deck = {1, 2, 3, 4, 5, 6, 7};
      rng.shuffle(deck);
      for (int card : deck) all.push_back(card);
    }
    return all;
  };
  CHECK(sequence(100) == sequence(100));
  CHECK(sequence(100) != sequence(101));
  CHECK(Rng().state == Rng(0).state);
}

TEST_CASE("streams of neighbouring seeds and of split generators are uncorrelated", "[autodiff]") {
  Rng parent(7), neighbour(8);
  Rng child = parent.split(), sibling = parent.split(), grandchild = child.split();
  std::vector<std::vector<double>> streams;
  for (Rng* rng : {&parent, &neighbour, &child, &sibling, &grandchild})
    streams.push_back(draws([&] { return rng->uniform(); }));
  for (std::size_t a = 0; a < streams.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      CAPTURE(a, b);
      CHECK(std::abs(correlation(streams[a], streams[b])) < 4);
      CHECK(streams[a][0] != streams[b][0]);
      for (int lag : {1, 2, 3}) {
        const std::vector<double> later(streams[b].begin() + lag, streams[b].end());
        const std::vector<double> earlier(streams[a].begin(), streams[a].end() - lag);
        CHECK(std::abs(correlation(earlier, later)) < 4);
      }
    }
}

TEST_CASE("uniform lies in [0, 1), flat, and one draw says nothing of the next", "[autodiff]") {
  Rng rng(301);
  const std::vector<double> x = draws([&] { return rng.uniform(); });
  const SampleMoments m(x);
  CHECK(*std::min_element(x.begin(), x.end()) >= 0);
  CHECK(*std::max_element(x.begin(), x.end()) < 1);
  CHECK(*std::min_element(x.begin(), x.end()) < 1e-4);
  CHECK(*std::max_element(x.begin(), x.end()) > 1 - 1e-4);
  CHECK(std::abs(m.mean - 0.5) < 4 * std::sqrt(1 / 12.0 / n_samples));
  CHECK(std::abs(m.variance - 1 / 12.0) < 4 * std::sqrt(1 / 180.0 / n_samples));
  CHECK(kolmogorov_smirnov(x, [](double u) { return u; }) < 2);
  std::vector<long> cells(100), pairs(100);
  for (double u : x) ++cells[int(u * 100)];
  for (int i = 0; i + 1 < n_samples; i += 2) ++pairs[int(x[i] * 10) * 10 + int(x[i + 1] * 10)];
  CHECK(std::abs(chi_square(cells)) < 4);
  CHECK(std::abs(chi_square(pairs)) < 4);

  const std::vector<double> y = draws([&] { return rng.uniform(-3, 5); });
  CHECK(kolmogorov_smirnov(y, [](double u) { return (u + 3) / 8; }) < 2);
}

TEST_CASE("the smallest and the largest bits make 0 and the number before 1", "[autodiff]") {
  Rng rng;
  rng.state = {0, 0, 0, 0};  // the one state that never leaves 0
  CHECK(rng.uniform() == 0);
  CHECK(rng.normal() == 0);  // log(1 - 0), not log(0)
  const Mat z = rng.normal(5, 5);
  CHECK((z == 0).all());
  rng.state = {~0ull, 0, 0, 1};  // bits = rotl(s0 + s3, 23) + s0 = s0, as s0 + s3 = 0
  CHECK(rng.uniform() == 1 - 0x1p-53);
  rng.state = {~0ull, 0, 0, 1};
  const Mat u = rng.uniform(1, 1, 0, 1);
  CHECK(u(0) == (sizeof(Real) == 4 ? Real(1 - 0x1p-24) : Real(1 - 0x1p-53)));
}

TEST_CASE("fill_uniform fills every element, flat in [low, high)", "[autodiff]") {
  Rng rng(302);
  for (const auto& [rows, cols] : {std::pair{1, 1}, {3, 1}, {1, 7}, {13, 11}}) {
    Mat x = Mat::Constant(rows, cols, 99);
    rng.fill_uniform(x, -2, 6);
    CHECK(((x >= -2) && (x < 6)).all());
  }
  const Mat x = rng.uniform(1000, 200, -2, 6);
  CHECK(x.rows() == 1000);
  CHECK(x.cols() == 200);
  CHECK(kolmogorov_smirnov(elements(x), [](double v) { return (v + 2) / 8; }) < 2);
  std::vector<double> here = elements(x), next(here.begin() + 1, here.end());
  here.pop_back();
  CHECK(std::abs(correlation(here, next)) < 4);
}

TEST_CASE("below(n) is uniform on 0, ..., n - 1 for awkward n", "[autodiff]") {
  Rng rng(303);
  for (std::uint64_t n : {2, 3, 5, 7, 10, 64, 100}) {
    CAPTURE(n);
    std::vector<long> counts(n);
    for (int i = 0; i < 100000; ++i) ++counts.at(rng.below(n));
    CHECK(std::abs(chi_square(counts)) < 4);
  }
  for (int i = 0; i < 10; ++i) CHECK(rng.below(1) == 0);
  for (std::uint64_t n :
       {(1ull << 63) + 1, 3ull << 62, ~0ull}) {  // n that do not fit into 2^64 evenly, and end all the same
    CAPTURE(n);
    std::vector<long> sixths(6), remainders(3);
    bool within = true;
    for (int i = 0; i < 60000; ++i) {
      const std::uint64_t k = rng.below(n);
      within = within && k < n;
      ++sixths[std::min(int(double(k) / double(n) * 6), 5)];
      ++remainders[k % 3];  // without drawing again, 3 * 2^62 has its multiples of 3 twice as often
    }
    CHECK(within);
    CHECK(std::abs(chi_square(sixths)) < 4);
    CHECK(std::abs(chi_square(remainders)) < 4);
  }
}

TEST_CASE("normal draws follow N(0, 1)", "[autodiff]") {
  Rng rng(304);
  const std::vector<double> x = draws([&] { return rng.normal(); });
  check_normal(x);
  std::vector<double> here = x, next(x.begin() + 1, x.end());
  here.pop_back();
  CHECK(std::abs(correlation(here, next)) < 4);
  for (std::vector<double>* list : {&here, &next})
    for (double& v : *list) v *= v;
  CHECK(std::abs(correlation(here, next)) < 4);
}

TEST_CASE("a normal draw is Box and Muller's formula of two uniform draws", "[autodiff]") {
  Rng rng(310), uniform = rng;
  for (int i = 0; i < 5; ++i) {
    const double u1 = 1 - uniform.uniform(), u2 = uniform.uniform();
    CHECK(near(rng.normal(), std::sqrt(-2 * std::log(u1)) * std::cos(2 * M_PI * u2), 1e-12));
  }
}

TEST_CASE("fill_normal follows N(0, 1), also for sizes that do not fill a block", "[autodiff]") {
  Rng rng(305);
  check_normal(elements(rng.normal(500, 400)));
  for (int size : {1, 2, 3, 63, 64, 65, 127, 128, 129, 191, 193, 257}) {
    CAPTURE(size);
    std::vector<double> all;
    bool small = true, all_different = true;
    while (all.size() < 50000) {
      Mat x = Mat::Constant(1, size, 1e9f);
      rng.fill_normal(x);
      const std::set<double> different(x.data(), x.data() + size);
      small = small && x.abs().maxCoeff() < 7;                                     // every element is written,
      all_different = all_different && different.size() + 1 >= std::size_t(size);  // none copied (floats may meet once)
      for (double v : elements(x)) all.push_back(v);
    }
    CHECK(small);
    CHECK(all_different);
    check_normal(all);
  }
}

TEST_CASE("the two halves of Box and Muller's pairs are independent", "[autodiff]") {
  Rng rng(306);
  std::vector<double> first, second, first_squared, second_squared, position(128);
  for (int i = 0; i < 2000; ++i) {
    const Mat x = rng.normal(128, 1);
    for (int j = 0; j < 64; ++j) {
      first.push_back(x(j)), second.push_back(x(j + 64));
      first_squared.push_back(x(j) * x(j)), second_squared.push_back(x(j + 64) * x(j + 64));
    }
    for (int j = 0; j < 128; ++j) position[j] += x(j) / std::sqrt(2000.0);
  }
  CHECK(std::abs(correlation(first, second)) < 4);
  CHECK(std::abs(correlation(first_squared, second_squared)) < 4);
  check_normal(first);
  check_normal(second);
  std::vector<double> product(first.size());  // its sign is fair, its variance 1
  for (std::size_t i = 0; i < first.size(); ++i) product[i] = first[i] * second[i];
  CHECK(std::abs(SampleMoments(product).variance - 1) < 4 * std::sqrt(8.0 / double(product.size())));
  for (double z : position) CHECK(std::abs(z) < 4.5);
  for (int lag : {1, 2, 16, 63}) {
    const std::vector<double> here(first.begin(), first.end() - lag), later(first.begin() + lag, first.end());
    CHECK(std::abs(correlation(here, later)) < 4);
  }
}

TEST_CASE("a truncated normal draw stays within its bound and follows the cut density", "[autodiff]") {
  Rng rng(307);
  for (double bound : {0.5, 1.0, 2.0, 3.0}) {
    CAPTURE(bound);
    const std::vector<double> x = draws([&] { return rng.truncated_normal(bound); }, 100000);
    const SampleMoments m(x);
    CHECK(*std::max_element(x.begin(), x.end()) <= bound);
    CHECK(*std::min_element(x.begin(), x.end()) >= -bound);
    CHECK(*std::max_element(x.begin(), x.end()) > 0.95 * bound);
    CHECK(std::abs(m.mean) < 4 * std::sqrt(m.variance / 100000));
    CHECK(std::abs(m.variance / truncated_normal_variance(bound) - 1) < 4 * std::sqrt(2.0 / 100000));
    CHECK(kolmogorov_smirnov(x, [&](double z) { return truncated_normal_cdf(z, bound); }) < 2);
  }
}

TEST_CASE("shuffle is a permutation, and every order is as likely as another", "[autodiff]") {
  Rng rng(308);
  std::vector<int> none, one = {5}, many(100);
  rng.shuffle(none), rng.shuffle(one);
  CHECK(none.empty());
  CHECK(one == std::vector<int>{5});
  for (int i = 0; i < 100; ++i) many[i] = i;
  std::vector<int> shuffled = many;
  rng.shuffle(shuffled);
  CHECK(shuffled != many);
  std::sort(shuffled.begin(), shuffled.end());
  CHECK(shuffled == many);
  for (int n : {2, 3, 4}) {
    std::map<std::vector<int>, long> orders;
    for (int i = 0; i < 60000; ++i) {
      std::vector<int> deck(many.begin(), many.begin() + n);
      rng.shuffle(deck);
      ++orders[deck];
    }
    std::vector<long> counts;
    for (const auto& [order, count] : orders) counts.push_back(count);
    CHECK(counts.size() == std::size_t(n == 2 ? 2 : n == 3 ? 6 : 24));
    CHECK(std::abs(chi_square(counts)) < 4);
  }
}

TEST_CASE("the state is all there is: a copy of it continues with the same numbers", "[autodiff]") {
  Rng rng(309), other(1);
  rng.normal();
  const Mat odd = rng.normal(3, 3);  // nothing may be kept back from a pair that was used by half
  CHECK(odd.size() == 9);
  other.state = rng.state;
  for (int i = 0; i < 10; ++i) {
    CHECK(rng.normal() == other.normal());
    CHECK(rng.bits() == other.bits());
  }
}

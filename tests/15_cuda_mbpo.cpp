// Chapter 15, MBPO with its learning on a device, which runs on the CPU here.
#include "chapters/15_cuda/mbpo.cu"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

Options options(const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> words = {"15_cuda_mbpo", "--smoke", "--quiet", "--no-plot", "--out", out, "--seed", "3"};
  words.insert(words.end(), more.begin(), more.end());
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse<Options>(int(argv.size()), argv.data());
}
Table smoke_run(std::vector<std::string> more) {
  const Scratch scratch;
  more.insert(more.end(), {"--steps", "100"});
  const Options opt = options(scratch.path, more);
  run_all(opt);
  return read_csv(opt.path(".csv"));
}
// A CSV file without its head.
std::string rows_of(const std::string& path) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.substr(text.find("\nalgo"));
}

}  // namespace

// Until the first update both have drawn the same numbers: random steps, the model's split, bootstraps and epochs.
TEST_CASE("MBPO on the device begins as on the CPU, and the rows are the same apart from what was learned", "[15]") {
  const Table device = smoke_run({"--device", "cuda"}), cpu = smoke_run({"--device", "cpu"});
  for (const char* column : {"env_steps", "k", "G", "real_ratio", "model_size"})
    CHECK(device.numbers(column) == cpu.numbers(column));
  CHECK(device.numbers("eval_return").size() == 2);
  CHECK(device.numbers("fit_epochs")[0] == cpu.numbers("fit_epochs")[0]);
  CHECK(device.numbers("holdout_mse")[0] == Approx(cpu.numbers("holdout_mse")[0]).epsilon(1e-4));
  CHECK(device.numbers("Q_loss") != cpu.numbers("Q_loss"));
  CHECK(device.numbers("alpha").back() == Approx(cpu.numbers("alpha").back()).epsilon(0.02));
  CHECK(device.numbers("alpha")[0] > device.numbers("alpha")[1]);
}

TEST_CASE("MBPO on the device: all real, all from the model, no updates", "[15]") {
  const Table sac = smoke_run({"--real-ratio", "1"}), model = smoke_run({"--real-ratio", "0"});
  CHECK(sac.rows[0][0] == "sac");
  CHECK(sac.numbers("model_size").back() == 0);
  CHECK(model.numbers("model_size").back() > 0);
  for (const Table& table : {sac, model}) CHECK(std::isfinite(table.numbers("Q").back()));
  const std::vector<double> alpha = smoke_run({"--updates", "0"}).numbers("alpha");
  CHECK(alpha.front() == alpha.back());
}

// Room for branches is made once, for the longest of the run.
TEST_CASE("MBPO on the device follows a schedule of k, up and down", "[15]") {
  const Table up = smoke_run({"--rollout-length", "60,90,1,3"}), down = smoke_run({"--rollout-length", "60,90,3,1"});
  CHECK(up.numbers("k") == std::vector<double>{1, 2});
  CHECK(down.numbers("k") == std::vector<double>{3, 1});
  CHECK(up.numbers("model_size").back() > 200);
}

// An evaluation copies the networks to the CPU; what acts there must be the newest policy without it too.
TEST_CASE("MBPO on the device acts with its newest policy, however often it is evaluated", "[15]") {
  const auto at_100 = [](const std::string& every) {
    const Table table = smoke_run({"--updates", "3", "--lr", "0.03", "--eval-every", every}).where("env_steps", "100");
    return std::vector<double>{table.numbers("Q")[0], table.numbers("Q_loss")[0], table.numbers("entropy")[0]};
  };
  CHECK(at_100("10") == at_100("100"));
}

TEST_CASE("MBPO on the device: a run that was resumed writes the rows of one that was not", "[15]") {
  const Scratch whole, part;
  const auto with = [](const Scratch& to, std::vector<std::string> more) {
    more.insert(more.end(), {"--updates", "2", "--checkpoint", (to.path / "state").string()});
    const Options opt = options(to.path, more);
    run_all(opt);
    return rows_of(opt.path(".csv"));
  };
  const std::string uninterrupted = with(whole, {"--steps", "100"});
  const std::string first = with(part, {"--steps", "80"});
  CHECK(first.size() < uninterrupted.size());
  CHECK(with(part, {"--steps", "100", "--resume", (part.path / "state").string()}) == uninterrupted);
}

TEST_CASE("with --device cpu the rows are those of chapter 06", "[15][program]") {
  if (!std::filesystem::exists("build/15_cuda_mbpo")) return;  // built where there is nvcc
  const Scratch scratch;
  for (const std::string program : {"15_cuda_mbpo --device cpu", "06_mbpo"})
    REQUIRE(std::system(("build/" + program + " --smoke --quiet --no-plot --seeds 2 --out " + scratch.path.string() +
                         " > /dev/null").c_str()) == 0);
  const std::string rows = rows_of((scratch.path / "15_cuda_mbpo.csv").string());
  CHECK(rows.size() > 1000);
  CHECK(rows == rows_of((scratch.path / "06_mbpo.csv").string()));
}

TEST_CASE("what the device's MBPO cannot do is refused in the options", "[15]") {
  const Scratch scratch;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--hidden", "8,9"}, {"--hidden", "8,8,8"}, {"--hidden", "600"}, {"--steps", "2000000"},
           {"--model-hidden", "8,9"}, {"--model-hidden", "8,8,8,8,8,8,8,8"}}) {
    INFO(words[0] << " " << words[1]);
    CHECK_THROWS_AS(options(scratch.path, words), BadInput);
    std::vector<std::string> on_cpu = words;
    on_cpu.insert(on_cpu.end(), {"--device", "cpu"});
    CHECK_NOTHROW(options(scratch.path, on_cpu));
  }
}

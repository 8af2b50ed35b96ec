// make fuzz: whatever stands on the command line, in the file of --config or in the CSV file of --redraw, it is read or
// refused. The first byte chooses.
#include "chapters/00_toolbox/curves.h"   // curves
#include "chapters/00_toolbox/errors.h"   // BadInput, HelpWanted
#include "chapters/00_toolbox/run_log.h"  // read_csv
#include "tests/fuzz/place.h"

namespace {

const Place place;

struct Options : Args {
  using Args::Args;
  int steps = opt("steps", 5, "steps", at_least(1));
  double rate = opt("rate", 0.5, "rate", range(0, 1));
  std::vector<int> n = opt("n", std::vector<int>{1, 2}, "list", at_least(0));
  std::vector<double> decay = opt("decay", std::vector<double>{0}, "list");
  bool ask = opt("ask", false, "flag");
  std::string kind = opt("kind", "a", "kind", one_of({"a", "b"}));
  static std::vector<std::string> environments() { return {"maze", "pendulum"}; }
  static Presets paper() { return {{"maze", {{"steps", 7}}}}; }
};

void read(const std::vector<std::string>& words) {
  std::vector<const char*> argv = {"fuzz", "--out", place.path.c_str()};
  for (const std::string& word : words) argv.push_back(word.c_str());
  const Options opt = parse<Options>(int(argv.size()), argv.data());
  if (opt.steps < 1 || !(0 <= opt.rate && opt.rate <= 1) || opt.n.empty() || opt.n[0] < 0) std::abort();
  if (opt.redraw) curves(read_csv(opt.path(".csv")), {"algo"}, "env_steps", "eval_return");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  add_to_corpus(*argc, *argv, "words", "0--steps|3|--n=1,2|--ask|--env|maze|--threads|1|--decay|1|2|--config|x");
  add_to_corpus(*argc, *argv, "config", "1steps=3\nn=1,2\nn=[1,2]\nask=true\nkind=\"b\"\n");
  add_to_corpus(*argc, *argv, "csv", "2# steps=3\n# n=1,2\nalgo,env_steps,eval_return\n\"a\",1,2\n");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == '1') {
      place.write("config", bytes);
      read({"--config", place / "config"});
    } else if (data[0] == '2') {
      place.write("fuzz.csv", bytes);
      read({"--redraw"});
    } else {
      std::vector<std::string> words(1);
      for (const char c : bytes)
        if (c == '|') words.emplace_back();
        else words.back() += c;
      read(words);
    }
  } catch (const BadInput&) {  // complain() makes one line of it
  } catch (const HelpWanted&) {
  }
  return 0;
}

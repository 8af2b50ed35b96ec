#include "chapters/00_toolbox/checkpoint.h"

#include <filesystem>

namespace fs = std::filesystem;

// --- the seal: a checksum of the file in its metadata, taken of all bytes but its own digits -----------------------

namespace {

const std::string seal = "checksum", no_digits(16, '0');

// Where the digits stand in the file; npos if there are none. Quotes within a text are escaped: this is no text.
size_t seal_at(const std::string& bytes) {
  const std::string key = "\"" + seal + "\":\"";
  const size_t at = bytes.find(key), end = key.size() + no_digits.size();
  return at == std::string::npos || bytes.size() - at < end ? std::string::npos : at + key.size();
}

std::string checksum(const std::string& bytes, size_t at) {
  const std::string_view all = bytes;
  return hex16(fnv1a(all.substr(at + no_digits.size()), fnv1a(all.substr(0, at))));
}

bool is_complete(const std::string& bytes) {
  const size_t at = seal_at(bytes);
  return at != std::string::npos && bytes.compare(at, no_digits.size(), checksum(bytes, at)) == 0;
}

bool holds_checkpoint(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && is_complete(read_bytes(path));
}

// A second name for the file, or a second file where the file system has no such names. `path` is never gone.
void keep_as_previous(const std::string& path) {
  const std::string previous = path + ".previous", beside = previous + ".tmp";
  std::error_code error;
  if (!fs::exists(path, error)) return;  // moved away during the run
  fs::remove(beside, error);
  fs::create_hard_link(path, beside, error);
  if (error) fs::copy_file(path, beside, error);
  if (error) throw LostOutput(previous + ": cannot be written: " + error.message());
  put_in_place(previous, beside);
  fs::remove(beside, error);  // it is still there if both were names of one file
}

// --- what has to be as it was --------------------------------------------------------------------------------------

bool may_differ(const std::string& key) {
  return key == "--steps" || (key.starts_with("--") && of_this_start(key.substr(2)));
}

// In the metadata: length and checksum of a log.
std::string text_of(const RunLog::Extent& kept) { return to_text(kept.bytes) + " " + hex16(kept.checksum); }
RunLog::Extent extent_of(const std::string& text) {
  RunLog::Extent kept;
  const size_t blank = text.find(' ');
  read_number(text.substr(0, blank), kept.bytes);
  kept.checksum = std::stoull(text.substr(blank + 1), nullptr, 16);
  return kept;
}

}  // namespace

Checkpoint::Checkpoint(const Checkpointed& opt, std::vector<RunLog*> logs)
    : from(opt.resume), to(opt.checkpoint), every(opt.checkpoint_every), logs(std::move(logs)) {
  about = {{"program", opt.program}, {"Real", sizeof(Real) == sizeof(float) ? "float" : "double"}};
  for (const auto& [name, value] : opt.named) about.emplace_back("--" + name, one_line(value));
}

TensorFile Checkpoint::read() const {
  const auto refuse = [&](const std::string& reason) { throw BadInput(one_line(from + ": " + reason)); };
  const std::string bytes = read_bytes(from), previous = from + ".previous";
  if (!is_complete(bytes))
    refuse("was truncated or altered, or is no checkpoint" +
           (holds_checkpoint(previous) ? "; " + previous + " is there" : ""));
  TensorFile file = decode(bytes, from);

  std::map<std::string, std::string> left = file.metadata;  // what nothing here corresponds to
  left.erase(seal);
  for (const auto& [key, value] : about) {
    const auto before = left.extract(key);
    if (may_differ(key)) continue;
    if (!before) refuse("written without " + key + ", here it is " + value);
    if (before.mapped() != value) refuse("written with " + key + " " + before.mapped() + ", here it is " + value);
  }
  for (const RunLog* log : logs) {
    const auto kept = left.extract(log->name());
    if (!kept) refuse("written without the file " + log->name());
    log->check(extent_of(kept.mapped()));
  }
  for (const auto& [key, value] : left) refuse("written with " + key + " " + value + ", here there is none");
  return file;
}

void Checkpoint::go_on(const TensorFile& file) {
  for (RunLog* log : logs) log->go_on(extent_of(file.metadata.at(log->name())));
}

void Checkpoint::write(TensorFile file) {
  file.metadata = {about.begin(), about.end()};
  for (RunLog* log : logs) file.metadata[log->name()] = text_of(log->sync());  // no row is counted that could be lost
  file.metadata[seal] = no_digits;
  std::string bytes = encode(file);
  const size_t at = seal_at(bytes);
  bytes.replace(at, no_digits.size(), checksum(bytes, at));

  const std::string beside = to + ".tmp";
  write_beside(to, beside, bytes);
  complete = complete || holds_checkpoint(to);  // a damaged one does not replace the previous one
  if (complete) keep_as_previous(to);
  put_in_place(to, beside);
  complete = true;
}

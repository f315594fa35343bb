#include "server/source_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/log.h"

namespace mg::server {
namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax = 8;

void visit(const std::string& path, int depth, Fingerprint& out) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    out.entries.push_back(path + " gone");
    return;
  }
  const int64_t changed_ns =
      int64_t{status.st_ctim.tv_sec} * kNsPerS + int64_t{status.st_ctim.tv_nsec};
  if (changed_ns > out.newest_ns) {
    out.newest_ns = changed_ns;
    out.newest = path;
  }
  std::string line =
      path + " " + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  // Of a folder only what stands in it counts: an editor's hidden file touches it, and is no
  // change.
  if (!S_ISDIR(status.st_mode))
    line += " " + std::to_string(status.st_size) + " " + std::to_string(changed_ns);
  out.entries.push_back(std::move(line));
  if (!S_ISDIR(status.st_mode) || depth == kDepthMax) return;
  out.directories.push_back(path);
  std::error_code error;
  fs::directory_iterator at(path, error);
  for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (!name.starts_with(".")) visit(at->path(), depth + 1, out);
  }
  if (error) out.entries.push_back(path + " cannot be listed");
}

}  // namespace

Fingerprint take_fingerprint(const std::vector<std::string>& roots) {
  Fingerprint out;
  for (const std::string& root : roots) {
    // A root may be a link that is swapped as a whole: what it leads to is part of the truth.
    std::error_code error;
    const fs::path real = fs::canonical(root, error);
    visit(error ? root : real.string(), 0, out);
    const fs::path parent = fs::path(root).parent_path();
    if (!parent.empty()) out.directories.push_back(parent);
  }
  std::sort(out.entries.begin(), out.entries.end());
  return out;
}

SourceWatch::SourceWatch(event::UvLoop& loop, std::string scripts, std::string data,
                         std::function<void(Result<script::SourceTree>)> on_change)
    : loop_(loop),
      scripts_(std::move(scripts)),
      data_(std::move(data)),
      on_change_(std::move(on_change)),
      watch_(loop, [this] { on_hint(); }),
      poll_(event::Timer::calling<&SourceWatch::look>(loop.timers(), this)),
      settle_(event::Timer::calling<&SourceWatch::look>(loop.timers(), this)) {}

void SourceWatch::start() {
  watch_.watch(known_.directories);
  poll_.start_ms(poll_ms);
}

void SourceWatch::on_hint() {
  if (!settle_.is_armed()) settle_.start_ms(quiet_ms);
}

void SourceWatch::look() {
  poll_.start_ms(poll_ms);
  const Fingerprint now = take_fingerprint({scripts_, data_});
  const bool is_changed = !(now == known_);
  // What could not be read is tried again: not every cause shows in a fingerprint.
  if (!is_changed) busy_since_ns_ = 0;
  if (!is_changed && unread_.empty()) return;
  const int64_t age_ms = loop_.clock().wall_ms() - now.newest_ns / kNsPerMs;
  // Still being written (or stamped by a clock ahead of ours, which is not waited for).
  if (age_ms >= 0 && age_ms < quiet_ms) return wait(quiet_ms - age_ms, now);
  const std::string unread_before = unread_;
  Result<script::SourceTree> tree = read_now();
  if (!tree && tree.error().code == Errc::conflict) return wait(quiet_ms, now);
  busy_since_ns_ = 0;
  if (is_changed) watch_.watch(known_.directories);
  if (tree || unread_ != unread_before) on_change_(std::move(tree));
}

// Nothing is taken up before all files are quiet: who writes to one without end should hear why.
void SourceWatch::wait(int64_t ms, const Fingerprint& now) {
  settle_.start_ms(ms);
  const int64_t now_ns = loop_.clock().monotonic_ns();
  if (busy_since_ns_ == 0) {
    busy_since_ns_ = now_ns;
    is_busy_told_ = false;
  }
  if (is_busy_told_ || now_ns - busy_since_ns_ < busy_ms * kNsPerMs) return;
  is_busy_told_ = true;
  log_warning("sources_busy", {{"path", now.newest},
                               {"reason", "no change is taken up while files are being written"}});
}

Result<script::SourceTree> SourceWatch::read_now() {
  const Fingerprint before = take_fingerprint({scripts_, data_});
  Result<script::SourceTree> tree = script::read_source_tree(scripts_, data_);
  const Fingerprint after = take_fingerprint({scripts_, data_});
  if (!(before == after)) return fail(Errc::conflict, "the files changed while they were read");
  known_ = after;
  unread_ = tree ? "" : tree.error().what;
  return tree;
}

}  // namespace mg::server

// Tells when scripts or data have changed and settled. What the kernel reports is only a hint; the
// truth is a fingerprint of the files (names, inodes, sizes, change times), looked at on every
// hint and once a second. A change counts when it has been quiet for a moment and reading the files
// left the fingerprint as it was, so that a half-written set is never taken for a whole one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "event/file_watch.h"
#include "event/uv_loop.h"
#include "script/source_tree.h"

namespace mg::server {

// Every file and folder below the roots; links are followed.
struct Fingerprint {
  std::vector<std::string> entries;      // sorted, one line each
  std::vector<std::string> directories;  // to watch
  int64_t newest_ns = 0;                 // the latest change, by the wall clock ...
  std::string newest;                    // ... and the path it was to
  bool operator==(const Fingerprint& other) const { return entries == other.entries; }
};
Fingerprint take_fingerprint(const std::vector<std::string>& roots);

class SourceWatch {
 public:
  static constexpr int64_t quiet_ms = 100;
  static constexpr int64_t poll_ms = 1000;
  static constexpr int64_t busy_ms = 5000;  // never quiet for so long: the log names the file

  // `on_change` is given what was read when the files differ from what was last given or noted, or
  // why they cannot be read: once for each reason, and again what was read when they can be.
  SourceWatch(event::UvLoop& loop, std::string scripts, std::string data,
              std::function<void(Result<script::SourceTree>)> on_change);

  // Reads the files now, whatever the fingerprint says, and takes them for known.
  // Errors: those of read_source_tree; conflict, when they changed while they were read.
  Result<script::SourceTree> read_now();
  void start();

 private:
  void on_hint();
  void look();
  void wait(int64_t ms, const Fingerprint& now);

  event::UvLoop& loop_;
  const std::string scripts_;
  const std::string data_;
  std::function<void(Result<script::SourceTree>)> on_change_;
  event::FileWatch watch_;
  event::Timer poll_;
  event::Timer settle_;
  Fingerprint known_;
  int64_t busy_since_ns_ = 0;  // since when changes wait for quiet; 0: none does
  bool is_busy_told_ = false;
  std::string unread_;  // why the files could not be read last time; empty when they could
};

}  // namespace mg::server

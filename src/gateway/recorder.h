// Decision records on disk: segments of JSON lines in state/records, written by a thread of their
// own so that no request waits for them. A kill loses at most the last flush_ms of them.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "ledger/disk.h"

namespace mg::gateway {

struct RecorderOptions {
  std::string directory;
  // With less than that free, records are dropped: who may only be refused must not take the room
  // in which open holds are settled.
  uint64_t free_bytes_min = 0;
  ledger::FreeSpace* free_space = nullptr;  // null: what the file system says
};

class Recorder {
 public:
  static constexpr int64_t flush_ms = 200;

  // Errors: io, when the directory cannot be made.
  static Result<std::unique_ptr<Recorder>> open(RecorderOptions options, Clock& clock);
  ~Recorder();  // writes what it has
  Recorder(const Recorder&) = delete;

  // Takes lines over, leaving `lines` empty with its memory. When the disk does not keep up, lines
  // beyond limits::records_waiting_bytes_max are dropped and counted, and when it is low, all.
  void add(std::string& lines);
  uint64_t dropped() const;

 private:
  Recorder(RecorderOptions options, Clock& clock);
  void write_all();
  bool has_room(const std::string& lines);
  void drop(const std::string& lines);  // with the mutex held
  void write_or_drop(const std::string& lines);
  Result<> write_segment(const std::string& lines);

  const std::string directory_;
  const uint64_t free_bytes_min_;
  ledger::StatvfsSpace statvfs_;
  ledger::FreeSpace& free_space_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  uint64_t dropped_ = 0;
  bool stop_ = false;
  bool is_low_told_ = false;  // from here on to the segment, the thread's own
  bool is_failure_told_ = false;
  int segment_ = -1;
  uint64_t segment_bytes_ = 0;
  std::thread thread_;
};

// The record of a request, as the JSON line that was written, found by the time in its id.
// Errors: not_found, io.
Result<std::string> find_record(const std::string& directory, const Id& request);

// Visits every record that is not older than a time, oldest first, until visit returns false.
Result<> each_record_since(const std::string& directory, int64_t since_ms,
                           const std::function<bool(std::string_view line)>& visit);

}  // namespace mg::gateway

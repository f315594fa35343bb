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

namespace mg::gateway {

class Recorder {
 public:
  static constexpr int64_t flush_ms = 200;

  // Errors: io, when the directory cannot be made.
  static Result<std::unique_ptr<Recorder>> open(std::string directory, Clock& clock);
  ~Recorder();  // writes what it has
  Recorder(const Recorder&) = delete;

  // Takes lines over, leaving `lines` empty with its memory. When the disk does not keep up, lines
  // beyond limits::records_waiting_bytes_max are dropped and counted.
  void add(std::string& lines);
  uint64_t dropped() const;

 private:
  Recorder(std::string directory, Clock& clock);
  void write_all();
  Result<> write_segment(const std::string& lines);

  const std::string directory_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  uint64_t dropped_ = 0;
  bool stop_ = false;
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

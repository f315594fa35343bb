#include "gateway/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread_name.h"

namespace mg::gateway {
namespace {

constexpr std::string_view kSuffix = ".jsonl";

// Segments are named by the wall time at which they were begun; in order. No folder has none.
using Segments = std::vector<std::pair<int64_t, std::string>>;

Result<Segments> segments(const std::string& directory) {
  Segments found;
  std::error_code error;
  std::filesystem::directory_iterator at(directory, error);
  for (const std::filesystem::directory_iterator end; !error && at != end; at.increment(error)) {
    const std::string file = at->path().filename();
    if (!file.ends_with(kSuffix)) continue;
    const auto begun = parse_number<int64_t>(file.substr(0, file.size() - kSuffix.size()));
    if (begun) found.emplace_back(*begun, at->path());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(Errc::io, "list " + directory + ": " + error.message());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(RecorderOptions options, Clock& clock) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) return fail(Errc::io, options.directory + ": " + error.message());
  return std::unique_ptr<Recorder>(new Recorder(std::move(options), clock));
}

Recorder::Recorder(RecorderOptions options, Clock& clock)
    : directory_(std::move(options.directory)),
      free_bytes_min_(options.free_bytes_min),
      free_space_(options.free_space ? *options.free_space : statvfs_),
      clock_(clock),
      thread_([this] { write_all(); }) {}

Recorder::~Recorder() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (segment_ >= 0) ::close(segment_);
}

void Recorder::add(std::string& lines) {
  std::lock_guard lock(mutex_);
  if (waiting_.size() + lines.size() > limits::records_waiting_bytes_max) {
    drop(lines);
  } else if (waiting_.empty()) {
    waiting_.swap(lines);
  } else {
    waiting_.append(lines);
  }
  lines.clear();
}

void Recorder::drop(const std::string& lines) {
  dropped_ += static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

// What cannot be seen counts as room: writing will find out.
bool Recorder::has_room(const std::string& lines) {
  const Result<uint64_t> free = free_space_.free_bytes(directory_);
  const bool is_low = free && (*free < lines.size() || *free - lines.size() < free_bytes_min_);
  if (is_low && !is_low_told_) log_warning("records_dropped", {{"reason", "the disk is low"}});
  is_low_told_ = is_low;
  return !is_low;
}

uint64_t Recorder::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void Recorder::write_all() {
  name_this_thread("records");
  std::string lines;
  for (;;) {
    bool last;
    {
      std::unique_lock lock(mutex_);
      // Nobody notifies for a line: the thread looks by itself, so that adding one is only a copy.
      wake_.wait_for(lock, std::chrono::milliseconds(flush_ms), [this] { return stop_; });
      lines.clear();
      lines.swap(waiting_);
      last = stop_;
    }
    if (!lines.empty() && !has_room(lines)) {
      std::lock_guard lock(mutex_);
      drop(lines);
    } else if (!lines.empty()) {
      write_or_drop(lines);
    }
    if (last) return;
  }
}

void Recorder::write_or_drop(const std::string& lines) {
  const Result<> written = write_segment(lines);
  if (!written && !is_failure_told_)
    log_error("records_not_written", {{"reason", written.error().what}});
  is_failure_told_ = !written;
  if (written) return;
  std::lock_guard lock(mutex_);
  drop(lines);
}

Result<> Recorder::write_segment(const std::string& lines) {
  if (segment_ >= 0 && segment_bytes_ >= limits::record_segment_bytes) {
    ::close(segment_);
    segment_ = -1;
  }
  if (segment_ < 0) {
    const std::string path =
        directory_ + "/" + std::to_string(clock_.wall_ms()) + std::string(kSuffix);
    segment_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    segment_bytes_ = 0;
    if (segment_ < 0) return fail(Errc::io, path + ": " + std::strerror(errno));
  }
  std::string_view rest = lines;
  while (!rest.empty()) {
    const ssize_t n = ::write(segment_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error{Errc::io, directory_ + ": " + std::strerror(errno)};
      // The next line is not to be appended to half of one.
      if (::ftruncate(segment_, static_cast<off_t>(segment_bytes_)) != 0)
        ::close(std::exchange(segment_, -1));
      return tl::unexpected(std::move(error));
    }
    rest.remove_prefix(static_cast<size_t>(n));
  }
  segment_bytes_ += lines.size();
  return {};
}

Result<std::string> find_record(const std::string& directory, const Id& request) {
  const std::string wanted = "{\"id\":\"" + request.text(kRequestPrefix) + "\"";
  std::string found;
  MG_CHECK(each_record_since(directory, request.wall_ms(), [&](std::string_view line) {
    if (line.starts_with(wanted)) found = line;
    return found.empty();
  }));
  if (found.empty()) return fail(Errc::not_found, "no record of " + request.text(kRequestPrefix));
  return found;
}

Result<> each_record_since(const std::string& directory, int64_t since_ms,
                           const std::function<bool(std::string_view line)>& visit) {
  MG_TRY(const Segments all, segments(directory));
  for (size_t i = 0; i < all.size(); ++i) {
    // A segment ends before the next one begins.
    if (i + 1 < all.size() && all[i + 1].first < since_ms) continue;
    std::ifstream in(all[i].second, std::ios::binary);
    if (!in) return fail(Errc::io, all[i].second + " cannot be read");
    for (std::string line; std::getline(in, line);)
      if (!visit(line)) return {};
  }
  return {};
}

}  // namespace mg::gateway

// A hint that something below some directories may have changed. Only a hint: the kernel reports
// nothing for changes in subdirectories, through links, or after a watched directory was replaced,
// and drops events of a full queue without a word. The truth is a fingerprint, taken on each hint
// and on a timer as well (server/source_watch.h).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "event/handle.h"
#include "event/uv_loop.h"

namespace mg::event {

class FileWatch {
 public:
  FileWatch(UvLoop& loop, std::function<void()> on_hint)
      : loop_(loop), on_hint_(std::move(on_hint)) {}

  // Watches exactly these directories from now on; those that cannot be watched are left out.
  void watch(const std::vector<std::string>& directories);

 private:
  UvLoop& loop_;
  std::function<void()> on_hint_;
  std::map<std::string, Handle<uv_fs_event_t>> watches_;
};

// Calls back on the loop when the process gets the signal. Who watches no longer is on the way out:
// the signal is ignored from then on, so that one that comes late does not spoil an orderly end.
class SignalWatch {
 public:
  SignalWatch(UvLoop& loop, int signal_number, std::function<void()> on_signal);
  ~SignalWatch();

 private:
  std::function<void()> on_signal_;
  Handle<uv_signal_t> handle_;
};

}  // namespace mg::event

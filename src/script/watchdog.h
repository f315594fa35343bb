// The deadline of scripts, in processor time of the thread that runs them. A worker publishes
// "running, number n" with two plain atomic stores a run; one watchdog thread per process looks
// about every five milliseconds, and once it has seen the same run use up its budget it signals
// that thread, whose handler stops the script (state.h). Never early; late by little more than one
// of its looks on a machine that lets the watchdog run. It sleeps while nobody runs scripts.
//   Linux only: per-thread processor clocks and directed signals (SIGRTMIN is taken).
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"

namespace mg::script {

class WatchSlot;

// One per process, made before the first worker and destroyed after the last slot.
class Watchdog {
 public:
  // Tests look more often than a server does.
  explicit Watchdog(int64_t look_every_ns = limits::watchdog_look_ns);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

 private:
  friend class WatchSlot;
  // What one look at all slots found.
  struct Sight {
    bool busy = false;  // somebody runs, or ran since the last look
    int64_t next_look_ns;
  };

  void watch();
  Sight look();
  void sleep_until_woken(std::unique_lock<std::mutex>& lock);
  void wake();
  void add(WatchSlot& slot);
  void remove(WatchSlot& slot);

  const int64_t look_every_ns_;
  std::mutex mutex_;  // guards slots_ and stop_
  std::condition_variable changed_;
  std::vector<WatchSlot*> slots_;
  bool stop_ = false;
  std::atomic<bool> asleep_{false};
  std::thread thread_;
};

// A worker thread's place before the watchdog: made and destroyed on that thread, one per thread,
// and outliving the scripts it runs. begin() and end() are for that thread only.
class WatchSlot {
 public:
  using Kill = void (*)(void* target);

  explicit WatchSlot(Watchdog& watchdog);
  ~WatchSlot();
  WatchSlot(const WatchSlot&) = delete;

  // From here to end(), once `budget_ns` of this thread's processor time are gone, `kill(target)`
  // is called from a signal handler on this thread, again at each further look.
  void begin(Kill kill, void* target, int64_t budget_ns);
  void end() {
    running_.store(2 * number_, std::memory_order_release);
    // What the caller reads next, a signal handler of this thread no longer writes.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  friend class Watchdog;
  static void on_signal(int);
  bool has_had_its_time(uint64_t running);

  Watchdog& watchdog_;
  const pthread_t thread_;
  const ThreadCpuClock cpu_;

  // The worker's, and its signal handler's.
  uint64_t number_ = 0;
  Kill kill_ = nullptr;
  void* target_ = nullptr;

  // Between the two threads. Twice the number of the latest run, plus one while it lasts.
  std::atomic<uint64_t> running_{0};
  std::atomic<int64_t> budget_ns_{0};
  std::atomic<uint64_t> condemned_{0};
  std::atomic<bool> signal_on_its_way_{false};

  // The signal handler's: the run that was warned, and the thread's clock then.
  uint64_t warned_ = 0;
  int64_t warned_cpu_ns_ = 0;

  // The watchdog's: the value of running_ at its last look, and the thread's clock when that run
  // was first seen.
  uint64_t seen_ = 0;
  int64_t seen_cpu_ns_ = 0;
};

}  // namespace mg::script

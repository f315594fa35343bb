// The only source of time. Everything that measures or stamps takes a Clock, so that a test can
// run hours in milliseconds and twice the same way.
#pragma once

#include <cstdint>

namespace mg {

inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerS = 1'000'000'000;
inline constexpr int64_t kMsPerDay = 86'400'000;

constexpr int64_t seconds_rounded_up(int64_t ms) { return (ms + 999) / 1000; }

// Both readings may be taken on any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back; its zero means nothing. For deadlines and durations.
  virtual int64_t monotonic_ns() = 0;
  // Milliseconds since 1970-01-01 UTC. May jump; for stamps that people and days need.
  virtual int64_t wall_ms() = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t monotonic_ns() override;
  int64_t wall_ms() override;
};

// Nanoseconds of processor time the calling thread has used.
int64_t thread_cpu_ns();

// The same of one particular thread, readable from any other for as long as that thread lives.
class ThreadCpuClock {
 public:
  static ThreadCpuClock of_calling_thread();
  int64_t ns() const;

 private:
  explicit ThreadCpuClock(int id) : id_(id) {}
  int id_;
};

}  // namespace mg

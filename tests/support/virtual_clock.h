// Time that moves only when a test says so.
#pragma once

#include "base/clock.h"

namespace mg::test {

class VirtualClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return monotonic_ns_; }
  int64_t wall_ms() override { return wall_offset_ms_ + monotonic_ns_ / kNsPerMs; }

  void advance_ms(int64_t ms) { monotonic_ns_ += ms * kNsPerMs; }
  void advance_ns(int64_t ns) { monotonic_ns_ += ns; }
  // The wall clock may jump; the monotonic one never does.
  void jump_wall_ms(int64_t ms) { wall_offset_ms_ += ms; }

 private:
  int64_t monotonic_ns_ = 1'000 * kNsPerS;
  int64_t wall_offset_ms_ = 1'790'000'000'000;  // a day in September 2026
};

}  // namespace mg::test

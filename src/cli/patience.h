// Waiting for what another process is about to give back: the store, an address.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cli/run_to_end.h"

namespace mg::cli {

inline event::Task<Result<>> rest(event::UvLoop& loop, int64_t ms) {
  co_await event::sleep_ms(loop, ms);
  co_return Result<>();
}

// Calls `attempt` until it has a result other than Errc::conflict, or the time is over; returns the
// last.
template <class Attempt>
auto when_free(event::UvLoop& loop, int64_t wait_ms, Attempt attempt) {
  constexpr int64_t kStepMs = 20;
  const int64_t deadline_ns = loop.clock().monotonic_ns() + wait_ms * kNsPerMs;
  for (;;) {
    auto result = attempt();
    if (result || result.error().code != Errc::conflict) return result;
    if (loop.clock().monotonic_ns() >= deadline_ns) return result;
    (void)run_to_end(loop, rest(loop, kStepMs));
  }
}

}  // namespace mg::cli

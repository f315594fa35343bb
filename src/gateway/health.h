// How a channel has been doing, as all workers see it: the circuit breaker, the cool-down after a
// 429, smoothed latencies and error rate, and how much is under way. One object per channel id for
// the life of the process, whatever is reloaded. Lock-free counters made for sharing.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/breaker.h"

namespace mg::gateway {

using api::BreakerRules;

enum class BreakerState : uint8_t { closed, half_open, open };

class ChannelHealth {
 public:
  // What an attempt may do with the channel; every attempt that was let through reports back.
  enum class Pass : uint8_t {
    refused,  // open, cooling down, or full
    normal,
    trial,  // the one that decides whether a half-open breaker closes
  };

  // Asks to send one request now. `concurrency_max` 0: no limit.
  Pass enter(int64_t now_ns, const BreakerRules& rules, int64_t concurrency_max);
  // After enter() said normal or trial: the attempt is over, whatever came of it.
  void leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  // The upstream answered as it should (a client's own fault counts as that).
  void succeeded(Pass pass);
  // Connect, timeout, reset, 5xx or garbage.
  void failed(int64_t now_ns, const BreakerRules& rules, Pass pass);
  // A trial that ended without a verdict (the client left): the next request may try.
  void undecided(Pass pass);
  // 429: nothing is sent until then. Does not count as a failure.
  void cool_down(int64_t until_ns);

  void observe_latency(int64_t first_byte_ms, int64_t whole_ms);

  BreakerState state(int64_t now_ns, const BreakerRules& rules) const;
  bool is_cooling(int64_t now_ns) const;
  // For how long nothing will be sent; nothing where nobody knows.
  std::optional<int64_t> rest_ms(int64_t now_ns, const BreakerRules& rules) const;
  // Smoothed, rounded up: 0 is unknown, and a channel that answers within a millisecond is not.
  int64_t latency_ms() const { return rounded_up_ms(latency_us_); }
  int64_t first_byte_ms() const { return rounded_up_ms(first_byte_us_); }
  // Share of the last attempts that failed, smoothed: 0 to 1,000,000.
  int64_t error_ppm() const { return error_ppm_.load(std::memory_order_relaxed); }
  int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  Pass pass_breaker(int64_t now_ns, const BreakerRules& rules);
  void note_outcome(int64_t error_ppm);
  static int64_t rounded_up_ms(const std::atomic<int64_t>& us) {
    return (us.load(std::memory_order_relaxed) + 999) / 1000;
  }

  std::atomic<int64_t> failures_{0};   // in a row
  std::atomic<int64_t> opened_ns_{0};  // 0: closed
  std::atomic<int64_t> trials_{0};     // under way in a half-open breaker
  std::atomic<int64_t> cooling_until_ns_{0};
  std::atomic<int64_t> in_flight_{0};
  std::atomic<int64_t> latency_us_{0};  // 0: unknown
  std::atomic<int64_t> first_byte_us_{0};
  std::atomic<int64_t> error_ppm_{0};
};

// Health by channel id. Main thread asks when it builds a generation; the objects are shared.
class HealthBoard {
 public:
  std::shared_ptr<ChannelHealth> of(const std::string& channel);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ChannelHealth>> by_channel_;
};

}  // namespace mg::gateway

// What one worker counts. Single writer, many readers: the worker adds without locking, whoever
// answers /metrics sums over all workers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/money.h"
#include "gateway/refusal.h"
#include "gateway/request_body.h"
#include "gateway/usage.h"

namespace mg::gateway {

class World;

// A counter that only one thread adds to.
class Counter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Milliseconds; the last bucket has no upper edge.
inline constexpr std::array<int64_t, 14> kLatencyEdgesMs = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 30000, 120000};
struct Histogram {
  std::array<Counter, kLatencyEdgesMs.size() + 1> buckets;
  Counter sum_ms;
  void observe(int64_t ms);
};

inline constexpr size_t kCodes = static_cast<size_t>(Code::overloaded) + 1;

struct Metrics {
  std::array<Counter, kOperations.size()> started;
  std::array<std::array<Counter, 6>, kOperations.size()> ended;  // by the status' first digit
  std::array<Counter, kCodes> refused;                           // unauthenticated ones included
  Counter refused_by_policy;
  Counter in_flight;
  Counter client_left;
  Counter upstream_broke;
  Counter hold_used_up;
  std::array<Counter, kMeterCount> tokens;
  Counter charged_nanos;
  Counter counted_usages;  // settled by our own count
  Histogram latency;
  Histogram first_byte;

  void count_refusal(Code code) { refused[static_cast<size_t>(code)].add(); }
  void count_end(Operation operation, int status);
  void count_usage(const Usage& usage, Money charge);
};

// What /metrics needs beside the counters.
struct ProcessFigures {
  uint64_t ledger_ordered = 0;
  uint64_t ledger_durable = 0;
  uint64_t ledger_commits = 0;
  int64_t ledger_commit_ns = 0;
  uint64_t open_holds = 0;
  bool takes_holds = true;
  uint64_t records_dropped = 0;
};

// Prometheus text format, version 0.0.4.
std::string prometheus_text(const std::vector<const Metrics*>& workers, const World& world,
                            const ProcessFigures& process, int64_t now_ns);

}  // namespace mg::gateway

#include "gateway/health.h"

#include <algorithm>

#include "base/clock.h"

namespace mg::gateway {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Exponential smoothing; each new value weighs an eighth. Concurrent updates may lose one another,
// which smoothing forgives.
void smooth(std::atomic<int64_t>& average, int64_t value) {
  const int64_t before = average.load(kRelaxed);
  average.store(before == 0 ? value : before + (value - before) / 8, kRelaxed);
}

}  // namespace

ChannelHealth::Pass ChannelHealth::enter(int64_t now_ns, const BreakerRules& rules,
                                         int64_t concurrency_max) {
  if (is_cooling(now_ns)) return Pass::refused;
  const Pass pass = pass_breaker(now_ns, rules);
  if (pass == Pass::refused) return pass;
  if (in_flight_.fetch_add(1) >= concurrency_max && concurrency_max > 0) {
    in_flight_.fetch_sub(1);
    undecided(pass);
    return Pass::refused;
  }
  return pass;
}

ChannelHealth::Pass ChannelHealth::pass_breaker(int64_t now_ns, const BreakerRules& rules) {
  switch (state(now_ns, rules)) {
    case BreakerState::closed:
      return Pass::normal;
    case BreakerState::open:
      return Pass::refused;
    case BreakerState::half_open:
      break;
  }
  // Of many workers, whoever counts it first gets the trial ...
  if (trials_.fetch_add(1) < rules.trials_max) {
    // ... unless the one before was decided between our two looks.
    if (state(now_ns, rules) == BreakerState::half_open) return Pass::trial;
  }
  trials_.fetch_sub(1);
  return Pass::refused;
}

void ChannelHealth::succeeded(Pass pass) {
  failures_.store(0);
  if (pass == Pass::trial) {
    opened_ns_.store(0);
    trials_.fetch_sub(1);
  }
  note_outcome(0);
}

void ChannelHealth::failed(int64_t now_ns, const BreakerRules& rules, Pass pass) {
  const int64_t failures = failures_.fetch_add(1) + 1;
  if (pass == Pass::trial) {
    opened_ns_.store(now_ns);  // open again, for the whole time
    trials_.fetch_sub(1);
  } else if (failures >= rules.failures_max) {
    int64_t closed = 0;
    opened_ns_.compare_exchange_strong(closed, now_ns);
  }
  note_outcome(1'000'000);
}

void ChannelHealth::undecided(Pass pass) {
  if (pass == Pass::trial) trials_.fetch_sub(1);
}

void ChannelHealth::cool_down(int64_t until_ns) {
  int64_t before = cooling_until_ns_.load(kRelaxed);
  while (before < until_ns && !cooling_until_ns_.compare_exchange_weak(before, until_ns)) {
  }
}

void ChannelHealth::observe_latency(int64_t first_byte_ms, int64_t whole_ms) {
  smooth(first_byte_us_, std::max<int64_t>(1, first_byte_ms * 1000));
  smooth(latency_us_, std::max<int64_t>(1, whole_ms * 1000));
}

BreakerState ChannelHealth::state(int64_t now_ns, const BreakerRules& rules) const {
  const int64_t opened_ns = opened_ns_.load();
  if (opened_ns == 0) return BreakerState::closed;
  return now_ns - opened_ns < rules.open_ms * kNsPerMs ? BreakerState::open
                                                       : BreakerState::half_open;
}

bool ChannelHealth::is_cooling(int64_t now_ns) const {
  return cooling_until_ns_.load(kRelaxed) > now_ns;
}

std::optional<int64_t> ChannelHealth::rest_ms(int64_t now_ns, const BreakerRules& rules) const {
  const int64_t opened_ns = opened_ns_.load();
  const int64_t breaker_ns = opened_ns == 0 ? 0 : opened_ns + rules.open_ms * kNsPerMs - now_ns;
  const int64_t left_ns = std::max(cooling_until_ns_.load(kRelaxed) - now_ns, breaker_ns);
  if (left_ns <= 0) return std::nullopt;
  return left_ns / kNsPerMs + 1;
}

void ChannelHealth::note_outcome(int64_t error_ppm) {
  const int64_t before = error_ppm_.load(kRelaxed);
  error_ppm_.store(before + (error_ppm - before) / 8, kRelaxed);
}

std::shared_ptr<ChannelHealth> HealthBoard::of(const std::string& channel) {
  std::lock_guard lock(mutex_);
  auto& health = by_channel_[channel];
  if (!health) health = std::make_shared<ChannelHealth>();
  return health;
}

}  // namespace mg::gateway

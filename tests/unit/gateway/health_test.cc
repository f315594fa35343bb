#include "gateway/health.h"

#include <catch2/catch.hpp>

#include "base/clock.h"

using namespace mg;
using namespace mg::gateway;
using Pass = ChannelHealth::Pass;

namespace {

constexpr BreakerRules kRules{.failures_max = 3, .open_ms = 1000, .trials_max = 1};
constexpr int64_t kStartNs = 5 * kNsPerMs;
constexpr int64_t kNoLimit = 0;

void fail(ChannelHealth& health, int64_t now_ns) {
  const Pass pass = health.enter(now_ns, kRules, kNoLimit);
  REQUIRE(pass != Pass::refused);
  health.failed(now_ns, kRules, pass);
  health.leave();
}

void open(ChannelHealth& health) {
  for (int i = 0; i < 3; ++i) fail(health, kStartNs);
  REQUIRE(health.state(kStartNs, kRules) == BreakerState::open);
}

}  // namespace

TEST_CASE("failures in a row open the breaker, and a success between them does not") {
  ChannelHealth health;
  fail(health, kStartNs);
  fail(health, kStartNs);
  health.succeeded(Pass::normal);
  fail(health, kStartNs);
  fail(health, kStartNs);
  CHECK(health.state(kStartNs, kRules) == BreakerState::closed);
  CHECK(health.rest_ms(kStartNs, kRules) == std::nullopt);
  fail(health, kStartNs);
  CHECK(health.state(kStartNs, kRules) == BreakerState::open);
  CHECK(health.enter(kStartNs, kRules, kNoLimit) == Pass::refused);
  CHECK(health.rest_ms(kStartNs, kRules) == 1001);
}

TEST_CASE("a half-open breaker lets so many try, and their verdict decides") {
  ChannelHealth health;
  open(health);
  const int64_t half_ns = kStartNs + 1000 * kNsPerMs;
  CHECK(health.enter(half_ns - 1, kRules, kNoLimit) == Pass::refused);
  REQUIRE(health.enter(half_ns, kRules, kNoLimit) == Pass::trial);
  CHECK(health.enter(half_ns, kRules, kNoLimit) == Pass::refused);

  SECTION("well: it closes") {
    health.succeeded(Pass::trial);
    CHECK(health.enter(half_ns, kRules, kNoLimit) == Pass::normal);
  }
  SECTION("badly: it is open again, for the whole time") {
    health.failed(half_ns, kRules, Pass::trial);
    CHECK(health.enter(half_ns + 1000 * kNsPerMs - 1, kRules, kNoLimit) == Pass::refused);
    CHECK(health.enter(half_ns + 1000 * kNsPerMs, kRules, kNoLimit) == Pass::trial);
  }
  SECTION("not at all: the next may try") {
    health.undecided(Pass::trial);
    CHECK(health.enter(half_ns, kRules, kNoLimit) == Pass::trial);
  }
}

TEST_CASE("a channel that is full refuses, and gives its trial back") {
  ChannelHealth health;
  CHECK(health.enter(kStartNs, kRules, 1) == Pass::normal);
  CHECK(health.enter(kStartNs, kRules, 1) == Pass::refused);
  CHECK(health.in_flight() == 1);
  open(health);
  const int64_t half_ns = kStartNs + 1000 * kNsPerMs;
  CHECK(health.enter(half_ns, kRules, 1) == Pass::refused);
  health.leave();
  CHECK(health.enter(half_ns, kRules, 1) == Pass::trial);
}

TEST_CASE("a channel cools down until the latest time that was named") {
  ChannelHealth health;
  health.cool_down(kStartNs + 20 * kNsPerMs);
  health.cool_down(kStartNs + 10 * kNsPerMs);
  CHECK(health.rest_ms(kStartNs, kRules) == 21);
  CHECK(health.enter(kStartNs + 20 * kNsPerMs - 1, kRules, kNoLimit) == Pass::refused);
  CHECK(health.enter(kStartNs + 20 * kNsPerMs, kRules, kNoLimit) == Pass::normal);
}

TEST_CASE("a latency that is known is never told as unknown") {
  ChannelHealth health;
  CHECK(health.first_byte_ms() == 0);
  CHECK(health.latency_ms() == 0);
  health.observe_latency(0, 0);
  CHECK(health.first_byte_ms() == 1);
  CHECK(health.latency_ms() == 1);
  health.observe_latency(9, 900);  // each new one weighs an eighth
  CHECK(health.first_byte_ms() == 2);
  CHECK(health.latency_ms() == 113);
}

TEST_CASE("the share of failures follows the last attempts") {
  ChannelHealth health;
  CHECK(health.error_ppm() == 0);
  fail(health, kStartNs);
  CHECK(health.error_ppm() == 125'000);
  health.succeeded(Pass::normal);
  CHECK(health.error_ppm() == 109'375);
}

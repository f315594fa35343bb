#include "limit/buckets.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

using namespace mg;
using namespace mg::limit;

namespace {

class TestClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return now_ns_; }
  int64_t wall_ms() override { return 0; }
  void advance_s(double seconds) { now_ns_ += static_cast<int64_t>(seconds * 1e9); }

 private:
  int64_t now_ns_ = kNsPerS;
};

constexpr Terms kOnePerSecond{1, 3};

}  // namespace

TEST_CASE("a bucket starts full, empties, and fills again") {
  TestClock clock;
  Buckets buckets(clock);
  for (int i = 0; i < 3; ++i) CHECK(buckets.take("k", kOnePerSecond, 1).ok);
  const Taken refused = buckets.take("k", kOnePerSecond, 1);
  CHECK_FALSE(refused.ok);
  CHECK(refused.retry_after_s == Approx(1));
  CHECK(refused.window.limit == 3);
  CHECK(refused.window.remaining == 0);
  CHECK(refused.window.reset_s == Approx(3));
  clock.advance_s(0.5);
  CHECK(buckets.take("k", kOnePerSecond, 1).retry_after_s == Approx(0.5));
  clock.advance_s(0.5);
  CHECK(buckets.take("k", kOnePerSecond, 1).ok);
  clock.advance_s(1000);
  CHECK(buckets.peek("k")->remaining == 3);
  CHECK(buckets.peek("k")->reset_s == 0);
}

TEST_CASE("a refused take takes nothing") {
  TestClock clock;
  Buckets buckets(clock);
  CHECK_FALSE(buckets.take("k", {1, 10}, 11).ok);
  CHECK(std::isinf(buckets.take("k", {1, 10}, 11).retry_after_s));
  CHECK(buckets.take("k", {1, 10}, 10).ok);
  CHECK(buckets.take("k", {1, 10}, 4).retry_after_s == Approx(4));
  CHECK(buckets.take("k", {1, 10}, 0).ok);
}

TEST_CASE("keys are apart") {
  TestClock clock;
  Buckets buckets(clock);
  CHECK(buckets.take("a", {0, 1}, 1).ok);
  CHECK_FALSE(buckets.take("a", {0, 1}, 1).ok);
  CHECK(std::isinf(buckets.take("a", {0, 1}, 1).retry_after_s));
  CHECK(buckets.take("b", {0, 1}, 1).ok);
  CHECK(buckets.keys() == 2);
  CHECK_FALSE(buckets.peek("c"));
}

TEST_CASE("tokens can be given back, and taken after the fact") {
  TestClock clock;
  Buckets buckets(clock);
  buckets.take("k", {1, 100}, 80);
  buckets.give("k", 50);
  CHECK(buckets.peek("k")->remaining == 70);
  buckets.give("k", 1000);
  CHECK(buckets.peek("k")->remaining == 100);
  buckets.give("k", -150);
  CHECK(buckets.peek("k")->remaining == 0);
  // Fifty in debt: half a minute and more until one is there.
  CHECK(buckets.take("k", {1, 100}, 1).retry_after_s == Approx(51));
  buckets.give("k", -1e12);
  CHECK(buckets.take("k", {1, 100}, 1).retry_after_s == Approx(101));
  buckets.give("unknown", 5);
  CHECK(buckets.keys() == 1);
}

TEST_CASE("a bucket follows the terms it is asked with") {
  TestClock clock;
  Buckets buckets(clock);
  CHECK(buckets.take("k", {1, 100}, 10).ok);
  CHECK_FALSE(buckets.take("k", {1, 20}, 21).ok);
  CHECK(buckets.peek("k")->remaining == 20);
  CHECK_FALSE(buckets.take("k", {10, 100}, 21).ok);
  clock.advance_s(1);
  CHECK(buckets.peek("k")->remaining == 30);
}

TEST_CASE("keys are bounded, and full buckets are forgotten first") {
  TestClock clock;
  constexpr size_t kMost = 640;  // ten in each of 64 shards
  Buckets buckets(clock, kMost);
  for (int i = 0; i < 5000; ++i) buckets.take("key" + std::to_string(i), {1, 10}, 5);
  CHECK(buckets.keys() <= kMost);
  CHECK(buckets.keys() > kMost / 2);
  clock.advance_s(100);
  // All are full now; one that is in use stays while thousands of others come and go.
  CHECK(buckets.take("mine", {0.0001, 10}, 10).ok);
  for (int i = 0; i < 5000; ++i) {
    buckets.take("other" + std::to_string(i), {1000, 10}, 0.001);
    clock.advance_s(0.01);
  }
  CHECK_FALSE(buckets.take("mine", {0.0001, 10}, 10).ok);
  CHECK(buckets.keys() <= kMost);
}

TEST_CASE("as many keys as there may be are kept, and not one more") {
  TestClock clock;
  Buckets buckets(clock);
  size_t last = 0, keys = 0;
  // None is ever full, and every shard gets more than its part.
  for (; keys < limits::bucket_keys_max * 3 / 2; ++keys) {
    buckets.take("key" + std::to_string(keys), {0, 10}, 5);
    if (keys % 1024 > 0) continue;
    const size_t now = buckets.keys();
    if (now < last || now > limits::bucket_keys_max) FAIL(now << " keys after " << last);
    last = now;
  }
  CHECK(buckets.keys() == limits::bucket_keys_max);
  buckets.take("one more", {0, 10}, 5);
  CHECK(buckets.keys() == limits::bucket_keys_max);
  CHECK(buckets.peek("one more"));  // it is another that goes
}

TEST_CASE("threads share buckets exactly") {
  SystemClock clock;
  Buckets buckets(clock);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        if (buckets.take("shared", {0, 7000}, 1).ok) ++taken;
        buckets.take("own" + std::to_string(t), {1, 10}, 1);
        if (i % 100 == 0) buckets.peek("shared");
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 7000);
}

// Token buckets that all workers share: a key's bucket holds at most `burst` tokens, fills at
// `rate` a second, and a request takes some. Sharded, so that workers seldom meet; bounded, by
// forgetting full buckets first (a full bucket and an absent one are the same thing).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/limits.h"

namespace mg::limit {

struct Terms {
  double rate = 0;   // tokens a second; 0: what was taken never comes back by itself
  double burst = 1;  // the most it holds, and what a new key starts with
};

// What a bucket looks like, for headers and for policies that look before they take.
struct Window {
  double limit = 0;      // its burst
  double remaining = 0;  // never negative
  double reset_s = 0;    // until it is full again; infinite when it never will be
};

struct Taken {
  bool ok = false;
  double retry_after_s = 0;  // until the same take could succeed; infinite when it never can
  Window window;             // after the take
};

class Buckets {
 public:
  // The clock must outlive the buckets. The shards divide `keys_max` evenly.
  explicit Buckets(Clock& clock, size_t keys_max = limits::bucket_keys_max);
  ~Buckets();
  Buckets(const Buckets&) = delete;

  // All from any thread. Terms must be finite, rate >= 0, burst > 0; cost finite, >= 0. A bucket
  // follows the terms it is asked with: a smaller burst cuts what it holds. When a shard is full
  // of buckets in use, the fullest of some is forgotten.
  Taken take(std::string_view key, const Terms& terms, double cost);
  // Puts tokens back, up to the burst; a negative amount takes more after the fact, down to one
  // burst of debt. Nothing happens to a key that is not known: it is full.
  void give(std::string_view key, double amount);
  // Empty for a key that is not known.
  std::optional<Window> peek(std::string_view key);
  size_t keys() const;

 private:
  class Shard;
  Shard& shard_of(std::string_view key);

  Clock& clock_;
  const size_t keys_per_shard_max_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace mg::limit

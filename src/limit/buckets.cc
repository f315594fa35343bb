#include "limit/buckets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/assert.h"

namespace mg::limit {
namespace {

constexpr size_t kShards = 64;

// How many buckets of a full shard are looked at to find one to forget.
constexpr size_t kEvictionLooks = 16;

constexpr double kNever = std::numeric_limits<double>::infinity();

struct Bucket {
  double level = 0;
  Terms terms;
  int64_t at_ns = 0;

  void advance(int64_t now_ns) {
    const double passed_s = static_cast<double>(now_ns - at_ns) / static_cast<double>(kNsPerS);
    if (passed_s > 0) level = std::min(terms.burst, level + terms.rate * passed_s);
    at_ns = now_ns;
  }
  double seconds_until(double wanted) const {
    if (level >= wanted) return 0;
    if (wanted > terms.burst || terms.rate <= 0) return kNever;
    return (wanted - level) / terms.rate;
  }
  Window window() const { return {terms.burst, std::max(level, 0.0), seconds_until(terms.burst)}; }
};

struct KeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

}  // namespace

class Buckets::Shard {
 public:
  Taken take(std::string_view key, const Terms& terms, double cost, int64_t now_ns,
             size_t keys_max) {
    std::lock_guard lock(mutex_);
    auto at = buckets_.find(key);
    if (at == buckets_.end()) {
      if (buckets_.size() >= keys_max) forget_one(now_ns);
      at = buckets_.emplace(std::string(key), Bucket{terms.burst, terms, now_ns}).first;
    }
    Bucket& bucket = at->second;
    bucket.advance(now_ns);
    bucket.terms = terms;
    bucket.level = std::min(bucket.level, terms.burst);
    Taken taken;
    taken.ok = bucket.level >= cost;
    if (taken.ok) {
      bucket.level -= cost;
    } else {
      taken.retry_after_s = bucket.seconds_until(cost);
    }
    taken.window = bucket.window();
    return taken;
  }

  void give(std::string_view key, double amount, int64_t now_ns) {
    std::lock_guard lock(mutex_);
    const auto at = buckets_.find(key);
    if (at == buckets_.end()) return;
    Bucket& bucket = at->second;
    bucket.advance(now_ns);
    bucket.level = std::clamp(bucket.level + amount, -bucket.terms.burst, bucket.terms.burst);
  }

  std::optional<Window> peek(std::string_view key, int64_t now_ns) {
    std::lock_guard lock(mutex_);
    const auto at = buckets_.find(key);
    if (at == buckets_.end()) return std::nullopt;
    at->second.advance(now_ns);
    return at->second.window();
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return buckets_.size();
  }

 private:
  // A hand goes round the table; the first full bucket it meets goes, else the fullest it saw.
  void forget_one(int64_t now_ns) {
    auto fullest = buckets_.end();
    double fullest_share = -2;
    size_t looks = 0;
    for (size_t turns = 0; turns < buckets_.bucket_count() && looks < kEvictionLooks; ++turns) {
      hand_ = (hand_ + 1) % buckets_.bucket_count();
      for (auto local = buckets_.begin(hand_); local != buckets_.end(hand_); ++local, ++looks) {
        local->second.advance(now_ns);
        const double share = local->second.level / local->second.terms.burst;
        if (share <= fullest_share) continue;
        fullest_share = share;
        fullest = buckets_.find(local->first);
      }
      if (fullest_share >= 1) break;
    }
    if (fullest != buckets_.end()) buckets_.erase(fullest);
  }

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Bucket, KeyHash, std::equal_to<>> buckets_;
  size_t hand_ = 0;
};

Buckets::Buckets(Clock& clock, size_t keys_max)
    : clock_(clock),
      keys_per_shard_max_(std::max<size_t>(keys_max / kShards, 1)),
      shards_(new Shard[kShards]) {}

Buckets::~Buckets() = default;

Buckets::Shard& Buckets::shard_of(std::string_view key) {
  // The high half: the shard's table uses the low one.
  return shards_[(KeyHash()(key) >> 32) % kShards];
}

Taken Buckets::take(std::string_view key, const Terms& terms, double cost) {
  MG_ASSERT(std::isfinite(terms.rate) && terms.rate >= 0);
  MG_ASSERT(std::isfinite(terms.burst) && terms.burst > 0);
  MG_ASSERT(std::isfinite(cost) && cost >= 0);
  return shard_of(key).take(key, terms, cost, clock_.monotonic_ns(), keys_per_shard_max_);
}

void Buckets::give(std::string_view key, double amount) {
  MG_ASSERT(std::isfinite(amount));
  shard_of(key).give(key, amount, clock_.monotonic_ns());
}

std::optional<Window> Buckets::peek(std::string_view key) {
  return shard_of(key).peek(key, clock_.monotonic_ns());
}

size_t Buckets::keys() const {
  size_t keys = 0;
  for (size_t i = 0; i < kShards; ++i) keys += shards_[i].size();
  return keys;
}

}  // namespace mg::limit

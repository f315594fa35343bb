// Durations, counted in buckets that are at most 1/16 wide: enough for percentiles, at a fixed
// size.
#pragma once

#include <array>
#include <cstdint>

namespace mg::lab {

class Histogram {
 public:
  void add(int64_t us);
  int64_t count() const { return count_; }
  // The value below which this share (per thousand) of all lie, rounded up to its bucket's end; 0
  // where there is none.
  int64_t percentile_us(int per_thousand) const;

 private:
  static constexpr int kSteps = 16;  // per doubling
  static constexpr int kDoublings = 40;
  static size_t bucket(int64_t us);
  static int64_t end_of(size_t bucket);

  std::array<int64_t, kSteps * kDoublings> counts_{};
  int64_t count_ = 0;
};

}  // namespace mg::lab

#include "lab/histogram.h"

#include <algorithm>
#include <bit>

namespace mg::lab {

// Below 16 each value has a bucket of its own; above, the four bits behind the leading one choose.
size_t Histogram::bucket(int64_t us) {
  const auto value = static_cast<uint64_t>(std::clamp<int64_t>(us, 0, (int64_t{1} << 40) - 1));
  if (value < kSteps) return value;
  const int shift = std::bit_width(value) - 5;
  return static_cast<size_t>(shift + 1) * kSteps + ((value >> shift) & (kSteps - 1));
}

int64_t Histogram::end_of(size_t bucket) {
  if (bucket < kSteps) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kSteps - 1;
  return static_cast<int64_t>((kSteps + bucket % kSteps + 1) << shift) - 1;
}

void Histogram::add(int64_t us) {
  ++counts_[bucket(us)];
  ++count_;
}

int64_t Histogram::percentile_us(int per_thousand) const {
  if (count_ == 0) return 0;
  const int64_t rank = std::max<int64_t>(1, (count_ * per_thousand + 999) / 1000);
  int64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return end_of(i);
  }
  return end_of(counts_.size() - 1);
}

}  // namespace mg::lab

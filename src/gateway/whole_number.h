// Counts as JSON has them: some clients write 16.0, and some vendors 9.0.
#pragma once

#include <simdjson.h>

#include <cmath>
#include <cstdint>
#include <optional>

namespace mg::gateway {

// The number, if it is whole and from `least` to `most`, which lie within what a double holds
// exactly.
inline std::optional<int64_t> whole_number(const simdjson::dom::element& value, int64_t least,
                                           int64_t most) {
  int64_t count = 0;
  double written = 0;
  if (value.is_double()) {
    if (value.get(written) != simdjson::SUCCESS || written != std::floor(written) ||
        written < double(least) || written > double(most))
      return std::nullopt;
    return static_cast<int64_t>(written);
  }
  if (value.get(count) != simdjson::SUCCESS || count < least || count > most) return std::nullopt;
  return count;
}

}  // namespace mg::gateway

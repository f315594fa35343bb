// What a request used, normalised from the many shapes in which providers say it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "api/provider.h"
#include "gateway/meter.h"

namespace simdjson::dom {
class element;
}

namespace mg::gateway {

// Units by meter, disjoint: their sum is all that was read and written.
class Usage {
 public:
  int64_t operator[](Meter meter) const { return units_[static_cast<size_t>(meter)]; }
  int64_t& operator[](Meter meter) { return units_[static_cast<size_t>(meter)]; }
  int64_t input() const;   // all meters of what the client sent
  int64_t output() const;  // all others
  bool operator==(const Usage&) const = default;

 private:
  std::array<int64_t, kMeterCount> units_{};
};

// Reads a usage object of the OpenAI shape and its vendors' variations:
//   cached input in prompt_tokens_details.cached_tokens, cached_tokens or prompt_cache_hit_tokens;
//   reasoning inside completion_tokens, or beside it (then total_tokens is larger than the sum);
//   audio and image tokens as parts of both sides.
// Nothing where the object is not one, a count is missing, or any number in it is no count: not a
// whole number, negative, or beyond limits::usage_tokens_max.
std::optional<Usage> read_usage(const simdjson::dom::element& object);

// Finds the usage object of an answer or a chunk: "usage", or where this vendor puts it instead.
// Nothing where there is none; a null does not count as one.
std::optional<simdjson::dom::element> find_usage(const simdjson::dom::element& document,
                                                 const api::Provider& provider);

}  // namespace mg::gateway

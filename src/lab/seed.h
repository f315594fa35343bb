// The lab draws nothing: what it says is a function of what it was asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/rng.h"

namespace simdjson::dom {
class element;
class object;
}  // namespace simdjson::dom

namespace mg::lab {

// A number that follows from both, and looks like neither.
inline uint64_t mix(uint64_t a, uint64_t b) { return SeededRng(SeededRng(a).draw() ^ b).draw(); }
uint64_t mix(uint64_t seed, std::string_view text);

// Of everything in a request that says what is asked. Left out is what says how it is to be
// delivered: stream and its options, limits of the length, the number of choices, metadata, user.
// So a streamed answer says the same as a plain one, a shorter one is the beginning of a longer
// one, and a fault spoils the very answer that would have come without it.
uint64_t seed_of(const simdjson::dom::object& request);

// Prefix and so many hexadecimal digits (up to 32).
std::string made_up_id(std::string_view prefix, uint64_t seed, size_t digits);

}  // namespace mg::lab

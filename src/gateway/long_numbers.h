// Whole numbers too long for 64 bits: JSON allows them, schemas of tools have them ("maximum":
// 2^256), and the parser takes them for errors.
#pragma once

#include <string>
#include <string_view>

namespace mg::gateway {

// The document with such numbers cut to their first digits: for looking at its other members.
// Whether it is valid JSON does not change, nor does a number that was too large for a count become
// one.
std::string without_long_numbers(std::string_view json);

}  // namespace mg::gateway

// JSON that its writers and readers take for valid, and the parser here does not. What comes out is
// for looking at the members only: texts are passed on as they came.
#pragma once

#include <string>
#include <string_view>

namespace mg::gateway {

// Whole numbers too long for 64 bits (schemas of tools have them: "maximum": 2^256), cut to their
// first digits. Whether the document is valid JSON does not change, nor does a number that was too
// large for a count become one.
std::string without_long_numbers(std::string_view json);

// Halves of surrogate pairs that are escaped and stand alone (RFC 8259, section 8.2), each as
// U+FFFD: a text may be cut within a pair, and programs in JavaScript, Java and Python write it so.
std::string without_lone_surrogates(std::string_view json);

// Without both.
std::string readable(std::string_view json);

}  // namespace mg::gateway

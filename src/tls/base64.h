// Base 64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mg::tls {

std::string base64_encode(std::string_view bytes);
// One text for each value: no blanks or line breaks, no missing padding, no stray bits.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace mg::tls

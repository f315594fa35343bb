#include "gateway/lenient_json.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace mg::gateway {
namespace {

constexpr size_t kDigitsKept = 18;  // below 2^63, and above every bound of ours

constexpr size_t kEscapeBytes = 6;  // \uXXXX
constexpr std::string_view kReplacementEscape = "\\ufffd";

// The code unit that is escaped at the beginning of `text`.
std::optional<uint32_t> escaped_unit(std::string_view text) {
  if (text.size() < kEscapeBytes || !text.starts_with("\\u")) return std::nullopt;
  uint32_t unit = 0;
  const char* end = text.data() + kEscapeBytes;
  const auto [stop, error] = std::from_chars(text.data() + 2, end, unit, 16);
  return error == std::errc() && stop == end ? std::optional(unit) : std::nullopt;
}

bool is_high(std::optional<uint32_t> unit) { return unit && *unit >= 0xD800 && *unit < 0xDC00; }
bool is_low(std::optional<uint32_t> unit) { return unit && *unit >= 0xDC00 && *unit < 0xE000; }

}  // namespace

std::string without_long_numbers(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false, escaped = false, is_fraction = false;
  size_t digits = 0;
  for (char c : json) {
    const bool is_digit = c >= '0' && c <= '9';
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (is_digit) {
      if (!is_fraction && ++digits > kDigitsKept) continue;
    } else {
      in_string = c == '"';
      is_fraction = c == '.' || c == 'e' || c == 'E' || (is_fraction && (c == '+' || c == '-'));
      digits = 0;
    }
    out.push_back(c);
  }
  return out;
}

std::string without_lone_surrogates(std::string_view json) {
  std::string out(json);
  for (size_t i = 0; (i = json.find('\\', i)) != std::string_view::npos;) {
    const auto unit = escaped_unit(json.substr(i));
    if (is_high(unit) && is_low(escaped_unit(json.substr(i + kEscapeBytes)))) {
      i += 2 * kEscapeBytes;
    } else if (is_high(unit) || is_low(unit)) {
      out.replace(i, kEscapeBytes, kReplacementEscape);
      i += kEscapeBytes;
    } else {
      i += 2;  // whatever is escaped: of these only \u has more, and no backslash
    }
  }
  return out;
}

std::string readable(std::string_view json) {
  return without_lone_surrogates(without_long_numbers(json));
}

}  // namespace mg::gateway

// Small things done to ASCII text, the same way everywhere: no locale, no Unicode folding.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mg {

inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);
// Without blanks and tabs at either end.
std::string_view trimmed(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

// The whole text as a decimal number, or nothing; no sign but '-' for signed types, no blanks.
template <std::integral T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);

// True for two names that are a slip of the hand apart: but for case, a letter too many, missing,
// or another, or two in each other's place; two such slips where both have seven letters or more.
bool is_nearly(std::string_view a, std::string_view b);

// Compares secrets in time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// RFC 8259, section 8.1: nobody must write it, who reads it may look past it.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
inline std::string_view without_byte_order_mark(std::string_view text) {
  return text.substr(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
}

}  // namespace mg

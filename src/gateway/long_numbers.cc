#include "gateway/long_numbers.h"

namespace mg::gateway {
namespace {

constexpr size_t kDigitsKept = 18;  // below 2^63, and above every bound of ours

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

}  // namespace mg::gateway

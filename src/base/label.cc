#include "base/label.h"

#include "base/text.h"

namespace mg {

bool has_control(std::string_view text) {
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (before == 0xc2 && byte < 0xa0) return true;  // U+0080 to U+009F
    before = byte;
  }
  return false;
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_c1 = byte >= 0x80 && byte < 0xa0 && out.ends_with('\xc2');
    if (is_c1) out.pop_back();
    if (is_c1 || byte < 0x20 || byte == 0x7f) {
      out.append("\\u00").append(to_hex({&c, 1}));
    } else {
      out += c;
    }
  }
  return out;
}

bool is_label(std::string_view text, size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && !has_control(text);
}

bool is_plain_label(std::string_view text, size_t bytes_max) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
  return !text.empty() && text.size() <= bytes_max &&
         text.find_first_not_of(kPlain) == std::string_view::npos;
}

}  // namespace mg

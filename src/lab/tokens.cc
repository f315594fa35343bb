#include "lab/tokens.h"

#include <algorithm>

namespace mg::lab {
namespace {

constexpr size_t kRunBytesMax = 16;

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '\'';
}

// Of the UTF-8 character that begins with this byte.
size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

}  // namespace

std::string_view take_token(std::string_view& text) {
  size_t end = 0;
  while (end < text.size() && is_blank(text[end])) ++end;
  if (end < text.size()) {
    const char first = text[end];
    const size_t run_end = std::min(text.size(), end + kRunBytesMax);
    if (is_word(first)) {
      while (end < run_end && is_word(text[end])) ++end;
    } else if (static_cast<unsigned char>(first) < 0x80) {
      while (end < run_end && text[end] == first) ++end;
    } else {
      end = std::min(text.size(), end + character_bytes(first));
    }
  }
  const std::string_view token = text.substr(0, end);
  text.remove_prefix(end);
  return token;
}

int64_t count_tokens(std::string_view text) {
  int64_t count = 0;
  for (; !text.empty(); ++count) take_token(text);
  return count;
}

}  // namespace mg::lab

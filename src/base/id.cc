#include "base/id.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/rng.h"

namespace mg {
namespace {

// Crockford's base 32, in lower case: no i, l, o, u.
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

int digit_value(char c) {
  const size_t at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Id Id::make(Clock& clock, Rng& rng) {
  Id id;
  rng.fill(std::as_writable_bytes(std::span(id.bytes_)));
  const auto ms = static_cast<uint64_t>(clock.wall_ms());
  for (size_t i = 0; i < 6; ++i) id.bytes_[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
  return id;
}

Id Id::from_bytes(std::string_view sixteen_bytes) {
  MG_ASSERT(sixteen_bytes.size() == kBytes);
  Id id;
  std::memcpy(id.bytes_.data(), sixteen_bytes.data(), kBytes);
  return id;
}

int64_t Id::wall_ms() const {
  int64_t ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = (ms << 8) | bytes_[i];
  return ms;
}

std::string Id::text(std::string_view prefix) const {
  uint64_t high = 0;
  uint64_t low = 0;
  for (size_t i = 0; i < kBytes / 2; ++i) {
    high = high << 8 | bytes_[i];
    low = low << 8 | bytes_[kBytes / 2 + i];
  }
  std::string out(prefix.size() + 1 + kTextChars, '_');
  std::copy(prefix.begin(), prefix.end(), out.begin());
  // From behind: 128 bits are 25 groups of 5 and a first group of 3; twelve groups fit a word.
  char* to = out.data() + out.size();
  const auto put = [&to](uint64_t word, int groups) {
    for (int i = 0; i < groups; ++i) *--to = kAlphabet[word >> 5 * i & 31];
  };
  put(low, 12);
  put(low >> 60 | high << 4, 12);
  put(high >> 56, 2);
  return out;
}

std::optional<Id> Id::parse(std::string_view prefix, std::string_view text) {
  if (text.size() != prefix.size() + 1 + kTextChars || !text.starts_with(prefix) ||
      text[prefix.size()] != '_')
    return std::nullopt;
  Id id;
  unsigned pending = 0;
  int bits = -2;
  size_t at = 0;
  for (char c : text.substr(prefix.size() + 1)) {
    const int value = digit_value(c);
    if (value < 0 || (bits == -2 && value > 7)) return std::nullopt;
    pending = (pending << 5) | static_cast<unsigned>(value);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      id.bytes_[at++] = static_cast<uint8_t>(pending >> bits);
    }
  }
  return id;
}

}  // namespace mg

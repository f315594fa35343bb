// Text of bounded length that lives inside its owner. Names of accounts and meters travel in every
// command; as values of fixed size they cost no allocation and no destructor.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace mg::ledger {

template <size_t kBytesMax>
class ShortText {
  static_assert(kBytesMax <= 255);

 public:
  static constexpr size_t bytes_max = kBytesMax;
  // What comes from outside is asked first; text that does not fit is a bug here.
  static bool fits(std::string_view text) { return text.size() <= kBytesMax; }

  ShortText() = default;
  ShortText(std::string_view text) : size_(static_cast<uint8_t>(text.size())) {
    MG_ASSERT(fits(text));
    if (!text.empty()) std::memcpy(bytes_.data(), text.data(), text.size());
  }
  ShortText(const char* text) : ShortText(std::string_view(text)) {}
  ShortText(const std::string& text) : ShortText(std::string_view(text)) {}

  std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }
  std::string str() const { return std::string(view()); }
  bool empty() const { return size_ == 0; }

  friend bool operator==(const ShortText& a, const ShortText& b) { return a.view() == b.view(); }
  friend auto operator<=>(const ShortText& a, const ShortText& b) { return a.view() <=> b.view(); }

 private:
  uint8_t size_ = 0;
  std::array<char, kBytesMax> bytes_{};
};

}  // namespace mg::ledger

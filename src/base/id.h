// Ids are 128 bits: 48 of wall-clock milliseconds, 80 random. So they sort by time (which is what
// an append-only store wants) and cannot be guessed. As text: a prefix that says what is named,
// then 26 characters of Crockford's base 32.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mg {

class Clock;
class Rng;

class Id {
 public:
  static constexpr size_t kBytes = 16;
  static constexpr size_t kTextChars = 26;

  constexpr Id() = default;
  static Id make(Clock& clock, Rng& rng);
  static Id from_bytes(std::string_view sixteen_bytes);
  // Strict: the prefix, an underscore, 26 characters of the alphabet in lower case.
  static std::optional<Id> parse(std::string_view prefix, std::string_view text);

  std::string text(std::string_view prefix) const;
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  int64_t wall_ms() const;
  bool is_nil() const { return *this == Id(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

// Prefixes of the ids people see. One kind of thing, one prefix.
inline constexpr std::string_view kRequestPrefix = "req";
inline constexpr std::string_view kTenantPrefix = "ten";
inline constexpr std::string_view kKeyPrefix = "key";

}  // namespace mg

template <>
struct std::hash<mg::Id> {
  size_t operator()(const mg::Id& id) const noexcept {
    uint64_t low;  // the random part
    std::memcpy(&low, id.bytes().data() + 8, sizeof low);
    return static_cast<size_t>(low);
  }
};

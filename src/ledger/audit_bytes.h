// The audit's own way of reading bytes, and its own arithmetic for prices: nothing here is shared
// with the code that wrote what is read.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mg::ledger::proof {

__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UWide;

// Takes fields from the front; after the first that is not there everything is zero and empty, and
// `whole` says no.
class Bytes {
 public:
  explicit Bytes(std::string_view all) : at_(all.data()), end_(all.data() + all.size()) {}

  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  int64_t i64() { return fixed<int64_t>(); }
  std::string_view some(size_t n) {
    if (static_cast<size_t>(end_ - at_) < n) {
      short_ = true;
      at_ = end_;
      return {};
    }
    const std::string_view out(at_, n);
    at_ += n;
    return out;
  }
  std::string_view text() { return some(u16()); }
  std::array<char, 16> id() {
    std::array<char, 16> out{};
    const std::string_view raw = some(out.size());
    if (!raw.empty()) std::memcpy(out.data(), raw.data(), out.size());
    return out;
  }
  std::string_view rest() { return some(static_cast<size_t>(end_ - at_)); }

  bool ran_short() const { return short_; }
  // All fields were there, and nothing else.
  bool whole() const { return !short_ && at_ == end_; }

 private:
  template <class T>
  T fixed() {
    T value{};
    const std::string_view raw = some(sizeof value);
    if (!raw.empty()) std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  const char* at_;
  const char* end_;
  bool short_ = false;
};

// ceil(units * rate * m1 * ... / (1000 * 1000000^n)); nothing, where it is no int64.
std::optional<int64_t> price_of(int64_t units, int64_t rate,
                                const std::vector<int64_t>& multipliers);

uint32_t checksum(std::string_view bytes);

// "ten_..." and the like are for people; ids in findings are plain hexadecimal.
std::string hex(std::string_view bytes);

}  // namespace mg::ledger::proof

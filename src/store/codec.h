// How things stand in the store: keys that sort as their numbers do, and values that say when they
// were damaged. LMDB has no checksums of its own; what it hands back is believed only unsealed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mg::store {

inline constexpr size_t kSealBytes = 4;

// A number as a key: eight bytes, the highest first, so that LMDB's plain comparison of bytes is
// the order of numbers. MDB_INTEGERKEY would compare a little faster and tie the file to the byte
// order of the machine and every tool to a flag; keys are appended here, not searched, so there is
// nothing to win.
class NumberKey {
 public:
  explicit NumberKey(uint64_t number) {
    for (size_t i = 0; i < 8; ++i) bytes_[i] = static_cast<char>(number >> (56 - 8 * i));
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  operator std::string_view() const { return view(); }

 private:
  std::array<char, 8> bytes_;
};

// Errors: invalid, for a key that is no number.
Result<uint64_t> number_of(std::string_view key);

// CRC-32C over key and value: a whole value under the wrong key is damage as well.
uint32_t seal_of(std::string_view key, std::string_view value);

// The seal, then the value.
std::string sealed(std::string_view key, std::string_view value);

// The value inside, valid as long as `stored`. Errors: invalid, naming the key, when it is damaged.
Result<std::string_view> unsealed(std::string_view key, std::string_view stored);

}  // namespace mg::store

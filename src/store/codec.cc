#include "store/codec.h"

#include <cstring>

#include "base/bytes.h"
#include "base/text.h"

namespace mg::store {

Result<uint64_t> number_of(std::string_view key) {
  if (key.size() != 8) return fail(Errc::invalid, "a key of the store is not a number");
  uint64_t number = 0;
  for (const char byte : key) number = (number << 8) | static_cast<uint8_t>(byte);
  return number;
}

uint32_t seal_of(std::string_view key, std::string_view value) {
  // Checksums combine by mixing the key's own into the value's: two passes, no copy.
  const uint32_t of_key = crc32c(key);
  return crc32c(value) ^ (of_key << 16 | of_key >> 16);
}

std::string sealed(std::string_view key, std::string_view value) {
  const uint32_t seal = seal_of(key, value);
  std::string out(kSealBytes, '\0');
  std::memcpy(out.data(), &seal, kSealBytes);
  out.append(value);
  return out;
}

Result<std::string_view> unsealed(std::string_view key, std::string_view stored) {
  uint32_t seal = 0;
  if (stored.size() >= kSealBytes) std::memcpy(&seal, stored.data(), kSealBytes);
  const std::string_view value = stored.substr(std::min(stored.size(), kSealBytes));
  if (stored.size() < kSealBytes || seal != seal_of(key, value))
    return fail(Errc::invalid, "damaged value under key " + to_hex(key));
  return value;
}

}  // namespace mg::store

// SHA-256 and HMAC-SHA256, for fingerprints of keys and requests, receipts and signatures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mg::tls {

inline constexpr size_t kDigestBytes = 32;

// A value; compare secrets with base/text.h, equal_in_constant_time.
struct Digest {
  std::array<uint8_t, kDigestBytes> bytes{};

  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string hex() const;
  auto operator<=>(const Digest&) const = default;
};

Digest sha256(std::string_view text);
// RFC 2104, with a key of any length.
Digest hmac_sha256(std::string_view key, std::string_view text);

// For what comes in pieces. finish() may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  void add(std::string_view text);
  Digest finish();

 private:
  alignas(8) std::byte state_[160];  // the library's context
};

}  // namespace mg::tls

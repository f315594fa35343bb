// Secrets at rest: AES-256-GCM under keys that can be replaced one after the other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/rng.h"

namespace mg::tls {

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadNonceBytes = 12;
inline constexpr size_t kAeadTagBytes = 16;

// One AES-256-GCM key. A nonce must never be used twice with it: let Keyring draw them. Not
// thread-safe.
class AeadKey {
 public:
  explicit AeadKey(std::string_view key);  // exactly kAeadKeyBytes
  ~AeadKey();
  AeadKey(const AeadKey&) = delete;

  // The ciphertext with its tag behind it. `bound` is authenticated, not stored.
  std::string seal(std::string_view nonce, std::string_view bound, std::string_view plain);
  // Errors: invalid, when anything was changed.
  Result<std::string> open(std::string_view nonce, std::string_view bound, std::string_view sealed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Keys by number. What is sealed names its key, so a new key can be added, everything sealed anew,
// and the old key dropped. Not thread-safe.
class Keyring {
 public:
  // The key added last seals. Errors: invalid for a key of another length than kAeadKeyBytes,
  // conflict for a number that is taken.
  Result<> add(uint32_t key_id, std::string_view key);
  // Errors: not_found; conflict for the key that seals.
  Result<> remove(uint32_t key_id);

  // `bound` says what the secret is for (its record's id): opened under another, it is refused.
  // Layout: key id (4 bytes, little-endian), nonce (12, random), ciphertext, tag (16).
  std::string seal(std::string_view plain, std::string_view bound, Rng& rng);
  // Errors: not_found when the key is gone, invalid when anything was changed.
  Result<std::string> open(std::string_view sealed, std::string_view bound);

  static std::optional<uint32_t> key_id_of(std::string_view sealed);
  std::optional<uint32_t> sealing_key_id() const { return sealing_; }

 private:
  std::map<uint32_t, std::unique_ptr<AeadKey>> keys_;
  std::optional<uint32_t> sealing_;
};

}  // namespace mg::tls

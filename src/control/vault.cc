#include "control/vault.h"

#include "base/text.h"
#include "tls/base64.h"
#include "tls/digest.h"

namespace mg::control {
namespace {

// The number of a master key follows from the key, so that nobody has to keep a list.
uint32_t number_of(std::string_view key) {
  const tls::Digest digest = tls::sha256(key);
  uint32_t number;
  std::memcpy(&number, digest.bytes.data(), sizeof number);
  return number;
}

constexpr std::string_view kNoKey =
    "no master_key is configured: set MOONGATE_MASTER_KEY to 32 random bytes in base 64";

}  // namespace

Result<Vault> Vault::open(std::string_view master_key_base64) {
  Vault vault;
  if (!master_key_base64.empty()) MG_CHECK(vault.use_new_key(master_key_base64));
  return vault;
}

Result<> Vault::use_new_key(std::string_view master_key_base64) {
  const auto key = tls::base64_decode(trimmed(master_key_base64));
  if (!key || key->size() != tls::kAeadKeyBytes)
    return fail(Errc::invalid, "a master key is 32 bytes in base 64 (openssl rand -base64 32)");
  const uint32_t number = number_of(*key);
  MG_CHECK(keys_.add(number, *key));
  sealing_ = number;
  return {};
}

Result<directory::SealedSecret> Vault::seal(std::string name, std::string_view secret,
                                            int64_t now_ms, Rng& rng) {
  if (!sealing_) return fail(Errc::unavailable, std::string(kNoKey));
  directory::SealedSecret sealed;
  sealed.sealed_hex = to_hex(keys_.seal(secret, name, rng));
  sealed.master_key_id = std::to_string(*sealing_);
  sealed.created_ms = now_ms;
  sealed.name = std::move(name);
  return sealed;
}

Result<std::string> Vault::unseal(const directory::SealedSecret& secret) {
  if (!sealing_) return fail(Errc::unavailable, std::string(kNoKey));
  const auto bytes = from_hex(secret.sealed_hex);
  if (!bytes) return fail(Errc::invalid, "the secret " + secret.name + " is damaged");
  auto plain = keys_.open(*bytes, secret.name);
  if (!plain && plain.error().code == Errc::not_found)
    return fail(Errc::not_found,
                "the secret " + secret.name + " was sealed under another master key");
  return plain;
}

}  // namespace mg::control

#include "tls/aead.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "tls/mbedtls.h"

namespace mg::tls {

struct AeadKey::State {
  State() { mbedtls_gcm_init(&gcm); }
  ~State() { mbedtls_gcm_free(&gcm); }
  mbedtls_gcm_context gcm;
};

AeadKey::AeadKey(std::string_view key) {
  make_ready();
  MG_ASSERT(key.size() == kAeadKeyBytes);
  state_ = std::make_unique<State>();
  const int status = mbedtls_gcm_setkey(&state_->gcm, MBEDTLS_CIPHER_ID_AES, bytes_of(key),
                                        static_cast<unsigned>(key.size() * 8));
  MG_ASSERT(status == 0);
}

AeadKey::~AeadKey() = default;

std::string AeadKey::seal(std::string_view nonce, std::string_view bound, std::string_view plain) {
  MG_ASSERT(nonce.size() == kAeadNonceBytes);
  std::string out(plain.size() + kAeadTagBytes, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  const int status = mbedtls_gcm_crypt_and_tag(
      &state_->gcm, MBEDTLS_GCM_ENCRYPT, plain.size(), bytes_of(nonce), nonce.size(),
      bytes_of(bound), bound.size(), bytes_of(plain), bytes, kAeadTagBytes, bytes + plain.size());
  MG_ASSERT(status == 0);
  return out;
}

Result<std::string> AeadKey::open(std::string_view nonce, std::string_view bound,
                                  std::string_view sealed) {
  if (nonce.size() != kAeadNonceBytes || sealed.size() < kAeadTagBytes)
    return fail(Errc::invalid, "sealed text is too short");
  const std::string_view ciphered = sealed.substr(0, sealed.size() - kAeadTagBytes);
  std::string plain(ciphered.size(), '\0');
  const int status = mbedtls_gcm_auth_decrypt(
      &state_->gcm, ciphered.size(), bytes_of(nonce), nonce.size(), bytes_of(bound), bound.size(),
      bytes_of(sealed) + ciphered.size(), kAeadTagBytes, bytes_of(ciphered),
      reinterpret_cast<unsigned char*>(plain.data()));
  if (status != 0) return fail(Errc::invalid, "sealed text was changed, or is another record's");
  return plain;
}

Result<> Keyring::add(uint32_t key_id, std::string_view key) {
  if (key.size() != kAeadKeyBytes) return fail(Errc::invalid, "a sealing key has 32 bytes");
  const auto [at, is_new] = keys_.try_emplace(key_id);
  if (!is_new) return fail(Errc::conflict, "sealing key " + std::to_string(key_id) + " exists");
  at->second = std::make_unique<AeadKey>(key);
  sealing_ = key_id;
  return {};
}

Result<> Keyring::remove(uint32_t key_id) {
  if (sealing_ == key_id) return fail(Errc::conflict, "this key seals");
  if (keys_.erase(key_id) == 0) return fail(Errc::not_found, "no such sealing key");
  return {};
}

std::string Keyring::seal(std::string_view plain, std::string_view bound, Rng& rng) {
  MG_ASSERT(sealing_);
  std::string out;
  ByteWriter(out).number(*sealing_);
  char nonce[kAeadNonceBytes];
  rng.fill(std::as_writable_bytes(std::span(nonce)));
  out.append(nonce, sizeof nonce);
  out.append(keys_.at(*sealing_)->seal({nonce, sizeof nonce}, bound, plain));
  return out;
}

Result<std::string> Keyring::open(std::string_view sealed, std::string_view bound) {
  const auto key_id = key_id_of(sealed);
  if (!key_id) return fail(Errc::invalid, "sealed text is too short");
  const auto key = keys_.find(*key_id);
  if (key == keys_.end())
    return fail(Errc::not_found, "sealed under key " + std::to_string(*key_id) + ", which is gone");
  const std::string_view nonce = sealed.substr(sizeof *key_id, kAeadNonceBytes);
  return key->second->open(nonce, bound, sealed.substr(sizeof *key_id + kAeadNonceBytes));
}

std::optional<uint32_t> Keyring::key_id_of(std::string_view sealed) {
  if (sealed.size() < sizeof(uint32_t) + kAeadNonceBytes + kAeadTagBytes) return std::nullopt;
  ByteReader reader(sealed);
  return reader.number<uint32_t>();
}

}  // namespace mg::tls

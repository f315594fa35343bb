// The ciphers of records, by libsodium instead of mbedTLS, whose own are plain C or take one block
// at a time: a kilobyte of ChaCha20-Poly1305 takes 0.9 to 1.4 µs instead of 3.1, one of AES-256-GCM
// 0.6 instead of 4. mbedTLS lets a port bring its own modules (MBEDTLS_CHACHAPOLY_ALT), but
// Debian's package is built without that, so its functions for whole messages are replaced here at
// link time: a program's symbols come before those of the shared libraries it uses, also for calls
// inside these. Weak, so that a static mbedTLS keeps its own instead of clashing.
#include <sodium.h>

#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "tls/mbedtls.h"

namespace mg::tls {

void make_sodium_ready() {
  MG_ASSERT(sodium_init() >= 0);  // looks at the processor; also where others called it before
}

namespace {

constexpr size_t kKeyBytes = 32;
static_assert(kKeyBytes == crypto_aead_chacha20poly1305_ietf_KEYBYTES &&
              kKeyBytes == crypto_aead_aes256gcm_KEYBYTES);

// A copy of a key that leaves nothing behind.
class Key {
 public:
  explicit Key(const void* at) { std::memcpy(bytes_.data(), at, bytes_.size()); }
  ~Key() { sodium_memzero(bytes_.data(), bytes_.size()); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  const unsigned char* data() const { return bytes_.data(); }

 private:
  std::array<unsigned char, kKeyBytes> bytes_;
};

// The library's state begins with ChaCha20's sixteen words, of which 4 to 11 are the key,
// little-endian (RFC 8439, section 2.3).
Key key_of(const mbedtls_chachapoly_context& keyed) {
  static_assert(std::endian::native == std::endian::little);
  return Key(reinterpret_cast<const unsigned char*>(&keyed) + 4 * sizeof(uint32_t));
}

}  // namespace

#if MBEDTLS_VERSION_MAJOR < 3

bool has_quick_gcm() { return crypto_aead_aes256gcm_is_available() != 0; }

namespace {

using Crypt = decltype(&mbedtls_gcm_crypt_and_tag);
using Decrypt = decltype(&mbedtls_gcm_auth_decrypt);

bool is_ours(const mbedtls_gcm_context& keyed, size_t nonce_length, size_t tag_length) {
  const auto* info = keyed.cipher_ctx.cipher_info;
  return has_quick_gcm() && info && info->type == MBEDTLS_CIPHER_AES_256_ECB &&
         nonce_length == crypto_aead_aes256gcm_NPUBBYTES &&
         tag_length == crypto_aead_aes256gcm_ABYTES;
}

// AES's own schedule of keys for the rounds begins with the key (FIPS 197, section 5.2).
Key key_of(const mbedtls_gcm_context& keyed) {
  return Key(static_cast<const mbedtls_aes_context*>(keyed.cipher_ctx.cipher_ctx)->rk);
}

}  // namespace

#else

bool has_quick_gcm() { return false; }  // its key stands elsewhere, and its own is quicker

#endif

}  // namespace mg::tls

extern "C" {

__attribute__((weak)) int mbedtls_chachapoly_encrypt_and_tag(
    mbedtls_chachapoly_context* keyed, size_t length, const unsigned char nonce[12],
    const unsigned char* bound, size_t bound_length, const unsigned char* plain,
    unsigned char* ciphered, unsigned char tag[16]) {
  const mg::tls::Key key = mg::tls::key_of(*keyed);
  unsigned long long tag_length = 0;
  const int status = crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      ciphered, tag, &tag_length, plain, length, bound, bound_length, nullptr, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

__attribute__((weak)) int mbedtls_chachapoly_auth_decrypt(
    mbedtls_chachapoly_context* keyed, size_t length, const unsigned char nonce[12],
    const unsigned char* bound, size_t bound_length, const unsigned char tag[16],
    const unsigned char* ciphered, unsigned char* plain) {
  const mg::tls::Key key = mg::tls::key_of(*keyed);
  const int status = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      plain, nullptr, ciphered, length, tag, bound, bound_length, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED;
}

#if MBEDTLS_VERSION_MAJOR < 3

__attribute__((weak)) int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context* keyed, int mode,
                                                    size_t length, const unsigned char* nonce,
                                                    size_t nonce_length, const unsigned char* bound,
                                                    size_t bound_length, const unsigned char* input,
                                                    unsigned char* output, size_t tag_length,
                                                    unsigned char* tag) {
  if (mode != MBEDTLS_GCM_ENCRYPT || !mg::tls::is_ours(*keyed, nonce_length, tag_length)) {
    static const auto library =
        mg::tls::replaced_function<mg::tls::Crypt>("mbedtls_gcm_crypt_and_tag");
    return library(keyed, mode, length, nonce, nonce_length, bound, bound_length, input, output,
                   tag_length, tag);
  }
  const mg::tls::Key key = mg::tls::key_of(*keyed);
  const int status = crypto_aead_aes256gcm_encrypt_detached(
      output, tag, nullptr, input, length, bound, bound_length, nullptr, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

__attribute__((weak)) int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context* keyed, size_t length,
                                                   const unsigned char* nonce, size_t nonce_length,
                                                   const unsigned char* bound, size_t bound_length,
                                                   const unsigned char* tag, size_t tag_length,
                                                   const unsigned char* input,
                                                   unsigned char* output) {
  if (!mg::tls::is_ours(*keyed, nonce_length, tag_length)) {
    static const auto library =
        mg::tls::replaced_function<mg::tls::Decrypt>("mbedtls_gcm_auth_decrypt");
    return library(keyed, length, nonce, nonce_length, bound, bound_length, tag, tag_length, input,
                   output);
  }
  const mg::tls::Key key = mg::tls::key_of(*keyed);
  const int status = crypto_aead_aes256gcm_decrypt_detached(output, nullptr, input, length, tag,
                                                            bound, bound_length, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_GCM_AUTH_FAILED;
}

#endif

}  // extern "C"

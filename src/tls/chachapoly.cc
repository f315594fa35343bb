// ChaCha20-Poly1305 for mbedTLS's records. The library's own is plain C: 3.1 µs for a kilobyte
// where libsodium takes 0.9. mbedTLS lets a port bring its own module (MBEDTLS_CHACHAPOLY_ALT), but
// Debian's package is built without that, so its two functions for whole messages are replaced here
// at link time: a program's symbols come before those of the shared libraries it uses, also for
// calls inside these. Weak, so that a static mbedTLS keeps its own instead of clashing.
#include <sodium.h>

#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "tls/mbedtls.h"

namespace mg::tls {

void make_chachapoly_ready() {
  MG_ASSERT(sodium_init() >= 0);  // looks at the processor; also where others called it before
}

namespace {

// The library's state begins with ChaCha20's sixteen words, of which 4 to 11 are the key,
// little-endian (RFC 8439, section 2.3).
class Key {
 public:
  explicit Key(const mbedtls_chachapoly_context& keyed) {
    static_assert(std::endian::native == std::endian::little);
    const auto* const words = reinterpret_cast<const unsigned char*>(&keyed);
    std::memcpy(bytes_.data(), words + 4 * sizeof(uint32_t), bytes_.size());
  }
  ~Key() { sodium_memzero(bytes_.data(), bytes_.size()); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  const unsigned char* data() const { return bytes_.data(); }

 private:
  std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_KEYBYTES> bytes_;
};

}  // namespace
}  // namespace mg::tls

extern "C" {

__attribute__((weak)) int mbedtls_chachapoly_encrypt_and_tag(
    mbedtls_chachapoly_context* keyed, size_t length, const unsigned char nonce[12],
    const unsigned char* bound, size_t bound_length, const unsigned char* plain,
    unsigned char* ciphered, unsigned char tag[16]) {
  const mg::tls::Key key(*keyed);
  unsigned long long tag_length = 0;
  const int status = crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      ciphered, tag, &tag_length, plain, length, bound, bound_length, nullptr, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_CHACHAPOLY_BAD_STATE;
}

__attribute__((weak)) int mbedtls_chachapoly_auth_decrypt(
    mbedtls_chachapoly_context* keyed, size_t length, const unsigned char nonce[12],
    const unsigned char* bound, size_t bound_length, const unsigned char tag[16],
    const unsigned char* ciphered, unsigned char* plain) {
  const mg::tls::Key key(*keyed);
  const int status = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      plain, nullptr, ciphered, length, tag, bound, bound_length, nonce, key.data());
  return status == 0 ? 0 : MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED;
}

}  // extern "C"

#include "tls/digest.h"

#include "base/assert.h"
#include "base/text.h"
#include "tls/mbedtls.h"

namespace mg::tls {
namespace {

mbedtls_sha256_context* sha_of(std::byte* state) {
  return reinterpret_cast<mbedtls_sha256_context*>(state);
}

}  // namespace

std::string Digest::hex() const { return to_hex(view()); }

Digest sha256(std::string_view text) {
  Sha256 hash;
  hash.add(text);
  return hash.finish();
}

Digest hmac_sha256(std::string_view key, std::string_view text) {
  Digest digest;
  const int status = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes_of(key),
                                     key.size(), bytes_of(text), text.size(), digest.bytes.data());
  MG_ASSERT(status == 0);
  return digest;
}

#if MBEDTLS_VERSION_MAJOR >= 3
#define MG_SHA256(name) mbedtls_sha256_##name
#else
#define MG_SHA256(name) mbedtls_sha256_##name##_ret
#endif

Sha256::Sha256() {
  static_assert(sizeof(mbedtls_sha256_context) <= sizeof state_);
  mbedtls_sha256_init(sha_of(state_));
  MG_ASSERT(MG_SHA256(starts)(sha_of(state_), /*is224=*/0) == 0);
}

Sha256::~Sha256() { mbedtls_sha256_free(sha_of(state_)); }

void Sha256::add(std::string_view text) {
  MG_ASSERT(MG_SHA256(update)(sha_of(state_), bytes_of(text), text.size()) == 0);
}

Digest Sha256::finish() {
  Digest digest;
  MG_ASSERT(MG_SHA256(finish)(sha_of(state_), digest.bytes.data()) == 0);
  return digest;
}

}  // namespace mg::tls

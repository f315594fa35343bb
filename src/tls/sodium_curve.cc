// X25519 of handshakes, by libsodium instead of mbedTLS, whose numbers of any length take 0.7 ms
// for what libsodium does in 0.04: a whole handshake does it twice. Replaced at link time as the
// ciphers are (sodium_ciphers.cc); the other curves stay the library's.
#include <sodium.h>

#include <array>

#include "tls/mbedtls.h"

void mg::tls::link_sodium_curve() {}

#if MBEDTLS_VERSION_MAJOR < 3  // 3.x keeps to itself what is read and set here

#include <mbedtls/ecdh.h>

namespace mg::tls {
namespace {

using GenPublic = decltype(&mbedtls_ecdh_gen_public);
using ComputeShared = decltype(&mbedtls_ecdh_compute_shared);

// Coordinates and secrets, little-endian (RFC 7748, section 5); leaves nothing behind.
class Bytes32 {
 public:
  Bytes32() = default;
  ~Bytes32() { sodium_memzero(bytes_.data(), bytes_.size()); }
  Bytes32(const Bytes32&) = delete;
  Bytes32& operator=(const Bytes32&) = delete;
  unsigned char* data() { return bytes_.data(); }
  unsigned char& operator[](size_t i) { return bytes_[i]; }
  int write(const mbedtls_mpi& from) {
    return mbedtls_mpi_write_binary_le(&from, bytes_.data(), bytes_.size());
  }
  int read(mbedtls_mpi& to) const {
    return mbedtls_mpi_read_binary_le(&to, bytes_.data(), bytes_.size());
  }

 private:
  static_assert(crypto_scalarmult_curve25519_BYTES == 32 &&
                crypto_scalarmult_curve25519_SCALARBYTES == 32);
  std::array<unsigned char, 32> bytes_{};
};

int make_pair(mbedtls_mpi& secret, mbedtls_ecp_point& shown,
              int (*random)(void*, unsigned char*, size_t), void* random_state) {
  Bytes32 scalar, point;
  if (random(random_state, scalar.data(), 32) != 0) return MBEDTLS_ERR_ECP_RANDOM_FAILED;
  scalar[0] &= 0xF8;
  scalar[31] = static_cast<unsigned char>((scalar[31] & 0x7F) | 0x40);
  if (crypto_scalarmult_curve25519_base(point.data(), scalar.data()) != 0)
    return MBEDTLS_ERR_ECP_INVALID_KEY;
  int status = scalar.read(secret);
  if (status == 0) status = point.read(shown.X);
  return status == 0 ? mbedtls_mpi_lset(&shown.Z, 1) : status;
}

// Points that leave no secret (all zero) are refused, as section 6.1 has it.
int share(mbedtls_mpi& shared, const mbedtls_ecp_point& theirs, const mbedtls_mpi& secret) {
  Bytes32 scalar, point, out;
  int status = scalar.write(secret);
  if (status == 0) status = point.write(theirs.X);
  if (status != 0) return status;
  if (crypto_scalarmult_curve25519(out.data(), scalar.data(), point.data()) != 0)
    return MBEDTLS_ERR_ECP_INVALID_KEY;
  return out.read(shared);
}

}  // namespace
}  // namespace mg::tls

extern "C" {

__attribute__((weak)) int mbedtls_ecdh_gen_public(mbedtls_ecp_group* group, mbedtls_mpi* secret,
                                                  mbedtls_ecp_point* shown,
                                                  int (*random)(void*, unsigned char*, size_t),
                                                  void* random_state) {
  if (group->id == MBEDTLS_ECP_DP_CURVE25519)
    return mg::tls::make_pair(*secret, *shown, random, random_state);
  static const auto library =
      mg::tls::replaced_function<mg::tls::GenPublic>("mbedtls_ecdh_gen_public");
  return library(group, secret, shown, random, random_state);
}

__attribute__((weak)) int mbedtls_ecdh_compute_shared(mbedtls_ecp_group* group, mbedtls_mpi* shared,
                                                      const mbedtls_ecp_point* theirs,
                                                      const mbedtls_mpi* secret,
                                                      int (*random)(void*, unsigned char*, size_t),
                                                      void* random_state) {
  if (group->id == MBEDTLS_ECP_DP_CURVE25519) return mg::tls::share(*shared, *theirs, *secret);
  static const auto library =
      mg::tls::replaced_function<mg::tls::ComputeShared>("mbedtls_ecdh_compute_shared");
  return library(group, shared, theirs, secret, random, random_state);
}

}  // extern "C"

#endif

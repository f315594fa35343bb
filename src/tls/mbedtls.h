// mbedTLS's headers, and the few places where 2.28 and 3.x differ. Internal to this folder.
#pragma once

#include <mbedtls/version.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <mbedtls/build_info.h>
#include <psa/crypto.h>
#else
#include <mbedtls/aesni.h>
#include <mbedtls/config.h>
#endif
#include <mbedtls/base64.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/error.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace mg::tls {

// Before anything else of the library is used, and before threads: it looks at the processor once,
// without a lock (CVE-2025-52496). Every entry of this folder calls it; later calls cost nothing.
void make_ready();

// Part of the above: for what sodium_*.cc put in the place of the library's own.
void make_sodium_ready();
// Does nothing but be called. The linker takes an object of a static library for a name that it
// wants, and what sodium_curve.cc replaces is wanted by shared libraries only.
void link_sodium_curve();

// The library's own function of that name, where one of ours took its place.
void* replaced_symbol(const char* name);
template <typename Function>
Function replaced_function(const char* name) {
  return reinterpret_cast<Function>(replaced_symbol(name));
}

// Whether AES-256-GCM is among that: the processor has instructions for it. After make_ready().
bool has_quick_gcm();

// What the library calls for random bytes; safe on every thread.
int fill_random(void* unused, unsigned char* out, size_t bytes);

// "reading the key: EC - The signature is not valid (-0x4e00)".
Error library_error(Errc code, std::string_view doing, int status);

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline std::string_view text_of(const mbedtls_x509_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

inline int parse_key(mbedtls_pk_context* key, const std::string& bytes) {
  // The library tells PEM by the zero at its end, which belongs to the text there.
  const bool is_pem = bytes.find("-----BEGIN ") != std::string::npos;
  const size_t size = bytes.size() + (is_pem ? 1 : 0);
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_parse_key(key, bytes_of(bytes), size, nullptr, 0, fill_random, nullptr);
#else
  return mbedtls_pk_parse_key(key, bytes_of(bytes), size, nullptr, 0);
#endif
}

inline int check_pair(const mbedtls_pk_context* certified, const mbedtls_pk_context* key) {
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_check_pair(certified, key, fill_random, nullptr);
#else
  return mbedtls_pk_check_pair(certified, key);
#endif
}

}  // namespace mg::tls

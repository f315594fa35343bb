#include <dlfcn.h>

#include <mutex>

#include "base/assert.h"
#include "base/rng.h"
#include "tls/mbedtls.h"

namespace mg::tls {

void make_ready() {
  static std::once_flag once;
  std::call_once(once, [] {
    make_sodium_ready();
    link_sodium_curve();
#if MBEDTLS_VERSION_MAJOR >= 3
    MG_ASSERT(psa_crypto_init() == PSA_SUCCESS);
#elif defined(MBEDTLS_AESNI_C) && defined(MBEDTLS_HAVE_X86_64)
    mbedtls_aesni_has_support(MBEDTLS_AESNI_AES);
#endif
  });
}

void* replaced_symbol(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  MG_ASSERT(found != nullptr);
  return found;
}

int fill_random(void*, unsigned char* out, size_t bytes) {
  // One per thread: handshakes run in the pool and on loops at once.
  static thread_local SystemRng rng;
  rng.fill({reinterpret_cast<std::byte*>(out), bytes});
  return 0;
}

Error library_error(Errc code, std::string_view doing, int status) {
  char text[200];
  mbedtls_strerror(status, text, sizeof text);
  char number[16];
  std::snprintf(number, sizeof number, " (-0x%04x)", static_cast<unsigned>(-status));
  return {code, std::string(doing) + ": " + text + number};
}

}  // namespace mg::tls

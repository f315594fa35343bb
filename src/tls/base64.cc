#include "tls/base64.h"

#include "base/assert.h"
#include "tls/mbedtls.h"

namespace mg::tls {

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // the library adds a NUL
  size_t written = 0;
  const int status = mbedtls_base64_encode(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                           &written, bytes_of(bytes), bytes.size());
  MG_ASSERT(status == 0);
  out.resize(written);
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty()) return std::string();
  std::string out(text.size() / 4 * 3 + 3, '\0');
  size_t written = 0;
  const int status = mbedtls_base64_decode(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                           &written, bytes_of(text), text.size());
  if (status != 0) return std::nullopt;
  out.resize(written);
  if (base64_encode(out) != text) return std::nullopt;  // another spelling of the same bytes
  return out;
}

}  // namespace mg::tls

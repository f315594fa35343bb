// Secrets for upstreams: sealed under the master key before they reach the store, opened only in
// memory. Main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "directory/records.h"
#include "tls/aead.h"

namespace mg::control {

class Vault {
 public:
  // 32 bytes in base 64 (the configuration's master_key); empty: nothing can be sealed or opened.
  // Errors: invalid.
  static Result<Vault> open(std::string_view master_key_base64);

  bool has_key() const { return sealing_.has_value(); }

  // Errors: unavailable without a master key.
  Result<directory::SealedSecret> seal(std::string name, std::string_view secret, int64_t now_ms,
                                       Rng& rng);
  // Errors: unavailable; not_found, when it was sealed under another master key; invalid, when the
  // record was changed.
  Result<std::string> unseal(const directory::SealedSecret& secret);

  // From now on this key seals; what older ones sealed can still be opened.
  // Errors: invalid; conflict for the key that is in use.
  Result<> use_new_key(std::string_view master_key_base64);

 private:
  tls::Keyring keys_;
  std::optional<uint32_t> sealing_;
};

}  // namespace mg::control

// Who may call and who pays: tenants, api keys, stored secrets, switches of channels. As values,
// and as the JSON text under which they stand in the store. Unknown members of a stored record are
// kept out, missing ones have their defaults, so that older records stay readable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/money.h"
#include "base/result.h"

namespace mg::directory {

enum class TenantKind : uint8_t { platform, agent, company, employee };
std::string_view name(TenantKind kind);
std::optional<TenantKind> parse_tenant_kind(std::string_view text);

// The platform is the tenant that always exists; its id is all zero and written "platform".
inline constexpr std::string_view kPlatformText = "platform";
std::string tenant_text(const Id& id);
std::optional<Id> parse_tenant(std::string_view text);

struct Tenant {
  Id id;
  TenantKind kind = TenantKind::company;
  Id parent;
  std::string name;
  bool suspended = false;
  int64_t created_ms = 0;
};

// Who may stand below whom: agent under platform; company under platform or agent; employee under
// company.
bool may_be_parent(TenantKind parent, TenantKind child);

// SHA-256 of the secret a key was shown as, once. Nothing else of it is kept.
using SecretDigest = std::array<uint8_t, 32>;

struct ApiKey {
  Id id;
  SecretDigest digest{};
  Id tenant;
  std::string name;
  std::string group;                  // token group, for pricing; empty: none
  std::vector<std::string> models;    // names or patterns with '*'; empty: all
  std::vector<std::string> allow_ip;  // addresses or networks; empty: from anywhere
  std::vector<std::string> tags;
  int64_t rpm = 0;  // requests per minute; 0: no limit
  int64_t tpm = 0;  // tokens per minute; 0: no limit
  std::optional<Money> daily_limit;
  int64_t created_ms = 0;
  int64_t expires_ms = 0;  // 0: never
  bool revoked = false;
  // The secret before the last rotation, which still opens until then.
  std::optional<SecretDigest> previous_digest;
  int64_t previous_until_ms = 0;
};

// A credential for upstreams, sealed under the master key. `master_key_id` names the key.
struct SealedSecret {
  std::string name;
  std::string sealed_hex;
  std::string master_key_id;
  int64_t created_ms = 0;
};

// Tables of the store, and the keys records have in them.
inline constexpr std::string_view kTenantsTable = "tenants";
inline constexpr std::string_view kKeysTable = "keys";
inline constexpr std::string_view kSecretsTable = "secrets";
inline constexpr std::string_view kChannelsTable = "channels";  // key: channel id

std::string encode(const Tenant& tenant);
std::string encode(const ApiKey& key);
std::string encode(const SealedSecret& secret);
std::string encode_channel_switch(bool enabled);

// Errors: invalid, for a record this program did not write.
Result<Tenant> decode_tenant(std::string_view value);
Result<ApiKey> decode_key(std::string_view value);
Result<SealedSecret> decode_secret(std::string_view value);
Result<bool> decode_channel_switch(std::string_view value);

}  // namespace mg::directory

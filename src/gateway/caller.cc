#include "gateway/caller.h"

#include "base/text.h"
#include "tls/digest.h"

namespace mg::gateway {
namespace {

constexpr std::string_view kBearer = "bearer ";

tl::unexpected<Refusal> unknown_key(std::string message) {
  return tl::unexpected(refusal(Code::invalid_api_key, std::move(message)));
}

// The one key of the head; an error where there is none, or two that differ.
tl::expected<std::string_view, Refusal> presented_key(const http::Headers& headers) {
  std::string_view key;
  bool found = false;
  for (const http::Field field : headers) {
    std::string_view given = field.value;
    if (equal_ignoring_case(field.name, "authorization")) {
      if (!equal_ignoring_case(given.substr(0, kBearer.size()), kBearer))
        return unknown_key("the Authorization field must be \"Bearer\" and an API key");
      given = trimmed(given.substr(kBearer.size()));
    } else if (!equal_ignoring_case(field.name, "x-api-key") &&
               !equal_ignoring_case(field.name, "api-key")) {
      continue;
    }
    if (found && given != key) return unknown_key("several API keys were sent, and they differ");
    key = given;
    found = true;
  }
  if (key.empty())
    return unknown_key("no API key was sent; send it as \"Authorization: Bearer mg-...\"");
  return key;
}

}  // namespace

void describe_caller(const Caller& caller, std::string_view key_id, api::RequestFacts& facts) {
  const directory::ApiKey& key = *caller.key;
  const directory::TenantEntry& tenant = *caller.tenant;
  facts.key = {key_id,       key.name, key.group, key.tags,       key.models,
               key.allow_ip, key.rpm,  key.tpm,   key.daily_limit};
  facts.tenant.id = tenant.path.back();
  facts.tenant.kind = directory::name(tenant.tenant.kind);
  facts.tenant.name = tenant.tenant.name;
  facts.tenant.path = tenant.path;
  if (tenant.wallet) facts.tenant.available = tenant.wallet->available();
}

directory::SecretDigest secret_digest(std::string_view secret) { return tls::sha256(secret).bytes; }

tl::expected<Caller, Refusal> authenticate(const http::Headers& headers,
                                           const directory::Snapshot& directory, int64_t now_ms) {
  const auto presented = presented_key(headers);
  if (!presented) return tl::unexpected(presented.error());
  Caller caller;
  caller.key = directory.find_key(secret_digest(*presented), now_ms);
  if (!caller.key) return unknown_key("this API key is not known here");
  if (caller.key->expires_ms != 0 && now_ms >= caller.key->expires_ms)
    return tl::unexpected(refusal(Code::key_expired, "this API key has expired"));
  caller.tenant = directory.tenant(caller.key->tenant);
  if (!caller.tenant || caller.tenant->payer.is_nil())
    return unknown_key("this API key belongs to nobody who could pay");
  if (caller.tenant->suspended)
    return tl::unexpected(refusal(Code::tenant_suspended, "this account is suspended"));
  return caller;
}

}  // namespace mg::gateway

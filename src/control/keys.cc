#include <algorithm>

#include "base/address.h"
#include "base/calendar.h"
#include "base/limits.h"
#include "control/bounds.h"
#include "control/operations.h"
#include "gateway/caller.h"
#include "tls/base64.h"

namespace mg::control {
namespace {

constexpr std::string_view kSecretPrefix = "mg-";
constexpr size_t kSecretBytes = 32;

std::string make_secret(Rng& rng) {
  std::array<char, kSecretBytes> bytes;
  rng.fill(std::as_writable_bytes(std::span(bytes)));
  // The URL-safe alphabet (RFC 4648, section 5), without padding: one word for every shell.
  std::string text = tls::base64_encode({bytes.data(), bytes.size()});
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(text.find_last_not_of('=') + 1);
  return std::string(kSecretPrefix) + text;
}

Json to_json(const directory::ApiKey& key, int64_t now_ms) {
  Json json = {{"id", key.id.text(kKeyPrefix)}, {"tenant", directory::tenant_text(key.tenant)}};
  const auto add = [&](const char* name, const auto& value, bool there) {
    if (there) json[name] = value;
  };
  add("name", key.name, !key.name.empty());
  add("group", key.group, !key.group.empty());
  add("models", key.models, !key.models.empty());
  add("allow_ip", key.allow_ip, !key.allow_ip.empty());
  add("tags", key.tags, !key.tags.empty());
  add("rpm", key.rpm, key.rpm > 0);
  add("tpm", key.tpm, key.tpm > 0);
  add("daily_limit", key.daily_limit ? to_text(*key.daily_limit) : "", key.daily_limit.has_value());
  json["created"] = format_time_ms(key.created_ms);
  add("expires", format_time_ms(key.expires_ms), key.expires_ms > 0);
  add("previous_secret_until", format_time_ms(key.previous_until_ms),
      key.previous_digest && key.previous_until_ms > now_ms);
  json["revoked"] = key.revoked;
  return json;
}

}  // namespace

event::Task<Result<Json>> Operations::key_create(Args args) {
  directory::ApiKey key;
  key.tenant = args.tenant("tenant");
  key.name = args.label_or_none("name", kNameBytesMax);
  key.group = args.label_or_none("group", kNameBytesMax);
  key.models = args.labels("models", limits::model_name_bytes_max, kKeyModelsMax);
  key.allow_ip = args.labels("allow_ip", kNameBytesMax, kKeyNetworksMax);
  key.tags = args.labels("tags", kNameBytesMax, kTagsMax);
  key.rpm = args.limit("rpm", kRateMax);
  key.tpm = args.limit("tpm", kRateMax);
  key.daily_limit = args.optional_money("daily_limit");
  key.expires_ms = args.end_ms("expires", now_ms());
  MG_CO_CHECK(args.ok());
  for (const std::string& network : key.allow_ip)
    if (!IpNetwork::parse(network))
      co_return fail(Errc::invalid, "--allow-ip: " + network + " is no address or network");
  const auto owner = find_tenant(key.tenant);
  if (!owner)
    co_return fail(Errc::not_found, "there is no tenant " + directory::tenant_text(key.tenant));
  if (owner->payer.is_nil())
    co_return fail(Errc::invalid,
                   "keys belong to companies and employees, not to a tenant of kind " +
                       std::string(directory::name(owner->tenant.kind)));
  const std::string secret = make_secret(r_.rng);
  key.id = Id::make(r_.loop.clock(), r_.rng);
  key.digest = gateway::secret_digest(secret);
  key.created_ms = now_ms();
  MG_CO_CHECK(co_await r_.writing->editor.put(key));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  Json json = to_json(key, now_ms());
  json["key"] = secret;
  co_return json;
}

event::Task<Result<Json>> Operations::key_list(Args args) {
  const Id tenant = args.tenant("tenant");
  MG_CO_CHECK(args.ok());
  if (!find_tenant(tenant))
    co_return fail(Errc::not_found, "there is no tenant " + directory::tenant_text(tenant));
  auto keys = directory()->keys();
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  Json list = Json::array();
  for (const auto& key : keys)
    if (key->tenant == tenant) list.push_back(to_json(*key, now_ms()));
  co_return list;
}

event::Task<Result<Json>> Operations::key_revoke(Args args) {
  const Id id = args.key("id");
  MG_CO_CHECK(args.ok());
  const auto found = directory()->key(id);
  if (!found) co_return fail(Errc::not_found, "there is no key " + id.text(kKeyPrefix));
  directory::ApiKey key = *found;
  key.revoked = true;
  MG_CO_CHECK(co_await r_.writing->editor.put(key));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return to_json(key, now_ms());
}

event::Task<Result<Json>> Operations::key_rotate(Args args) {
  const Id id = args.key("id");
  const int64_t grace_until_ms = args.time_ms("grace", now_ms());
  MG_CO_CHECK(args.ok());
  const auto found = directory()->key(id);
  if (!found) co_return fail(Errc::not_found, "there is no key " + id.text(kKeyPrefix));
  if (found->revoked) co_return fail(Errc::refused, "the key was revoked");
  directory::ApiKey key = *found;
  const std::string secret = make_secret(r_.rng);
  key.previous_digest.reset();
  key.previous_until_ms = 0;
  if (grace_until_ms > now_ms()) {
    key.previous_digest = key.digest;
    key.previous_until_ms = grace_until_ms;
  }
  key.digest = gateway::secret_digest(secret);
  MG_CO_CHECK(co_await r_.writing->editor.put(key));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  Json json = to_json(key, now_ms());
  json["key"] = secret;
  co_return json;
}

}  // namespace mg::control

#include "directory/records.h"

#include <algorithm>
#include <type_traits>

#include "base/json_value.h"
#include "base/text.h"

namespace mg::directory {
namespace {

constexpr std::array<std::string_view, 4> kKindNames = {"platform", "agent", "company", "employee"};

std::string digest_hex(const SecretDigest& digest) {
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// Reads members of a stored record and remembers whether all were of their type.
class Members {
 public:
  explicit Members(const Json& json) : json_(json), good_(json.is_object()) {}

  std::string text(const char* name) { return get(name, std::string()); }
  int64_t number(const char* name, int64_t otherwise = 0) { return get(name, otherwise); }
  bool truth(const char* name) { return get(name, false); }
  std::vector<std::string> texts(const char* name) { return get(name, std::vector<std::string>()); }
  Id id(std::string_view prefix, const char* name) {
    const auto parsed = Id::parse(prefix, text(name));
    good_ = good_ && parsed;
    return parsed.value_or(Id());
  }
  Id tenant(const char* name) {
    const auto parsed = parse_tenant(text(name));
    good_ = good_ && parsed;
    return parsed.value_or(Id());
  }
  SecretDigest digest(const char* name) {
    SecretDigest digest{};
    const auto bytes = from_hex(text(name));
    good_ = good_ && bytes && bytes->size() == digest.size();
    if (good_) std::copy(bytes->begin(), bytes->end(), digest.begin());
    return digest;
  }
  bool has(const char* name) const { return json_.is_object() && json_.contains(name); }
  void must(bool condition) { good_ = good_ && condition; }
  bool good() const { return good_; }

 private:
  template <class T>
  T get(const char* name, T otherwise) {
    if (!good_ || !json_.contains(name)) return otherwise;
    const Json& value = json_[name];
    constexpr bool is_text = std::is_same_v<T, std::string>;
    constexpr bool is_number = std::is_same_v<T, int64_t>;
    constexpr bool is_truth = std::is_same_v<T, bool>;
    bool fits;
    if constexpr (is_text) {
      fits = value.is_string();
    } else if constexpr (is_number) {
      fits = value.is_number_integer();
    } else if constexpr (is_truth) {
      fits = value.is_boolean();
    } else {
      fits = value.is_array();
      for (const Json& item : value) fits = fits && item.is_string();
    }
    good_ = fits;
    return fits ? value.get<T>() : otherwise;
  }

  const Json& json_;
  bool good_;
};

template <class Read>
auto decode(std::string_view value, std::string_view what, Read read)
    -> Result<decltype(read(std::declval<Members&>()))> {
  MG_TRY(const Json json, parse_json(value));
  Members members(json);
  auto record = read(members);
  if (!members.good()) return fail(Errc::invalid, "damaged record of a " + std::string(what));
  return record;
}

}  // namespace

std::string_view name(TenantKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::optional<TenantKind> parse_tenant_kind(std::string_view text) {
  for (size_t i = 0; i < kKindNames.size(); ++i)
    if (kKindNames[i] == text) return static_cast<TenantKind>(i);
  return std::nullopt;
}

std::string tenant_text(const Id& id) {
  return id.is_nil() ? std::string(kPlatformText) : id.text(kTenantPrefix);
}

std::optional<Id> parse_tenant(std::string_view text) {
  if (text == kPlatformText) return Id();
  return Id::parse(kTenantPrefix, text);
}

bool may_be_parent(TenantKind parent, TenantKind child) {
  switch (child) {
    case TenantKind::platform:
      return false;
    case TenantKind::agent:
      return parent == TenantKind::platform;
    case TenantKind::company:
      return parent == TenantKind::platform || parent == TenantKind::agent;
    case TenantKind::employee:
      return parent == TenantKind::company;
  }
  return false;
}

std::string encode(const Tenant& tenant) {
  Json json = {{"id", tenant_text(tenant.id)},         {"kind", name(tenant.kind)},
               {"parent", tenant_text(tenant.parent)}, {"name", tenant.name},
               {"suspended", tenant.suspended},        {"created_ms", tenant.created_ms}};
  return dump(json);
}

Result<Tenant> decode_tenant(std::string_view value) {
  return decode(value, "tenant", [](Members& m) {
    Tenant tenant;
    tenant.id = m.tenant("id");
    const auto kind = parse_tenant_kind(m.text("kind"));
    m.must(kind.has_value());
    tenant.kind = kind.value_or(TenantKind::company);
    tenant.parent = m.tenant("parent");
    tenant.name = m.text("name");
    tenant.suspended = m.truth("suspended");
    tenant.created_ms = m.number("created_ms");
    return tenant;
  });
}

std::string encode(const ApiKey& key) {
  Json json = {{"id", key.id.text(kKeyPrefix)},
               {"digest", digest_hex(key.digest)},
               {"tenant", tenant_text(key.tenant)},
               {"name", key.name},
               {"group", key.group},
               {"models", key.models},
               {"allow_ip", key.allow_ip},
               {"tags", key.tags},
               {"rpm", key.rpm},
               {"tpm", key.tpm},
               {"created_ms", key.created_ms},
               {"expires_ms", key.expires_ms},
               {"revoked", key.revoked}};
  if (key.daily_limit) json["daily_limit_nanos"] = key.daily_limit->nanos();
  if (key.previous_digest) {
    json["previous_digest"] = digest_hex(*key.previous_digest);
    json["previous_until_ms"] = key.previous_until_ms;
  }
  return dump(json);
}

Result<ApiKey> decode_key(std::string_view value) {
  return decode(value, "key", [](Members& m) {
    ApiKey key;
    key.id = m.id(kKeyPrefix, "id");
    key.digest = m.digest("digest");
    if (m.has("previous_digest")) {
      key.previous_digest = m.digest("previous_digest");
      key.previous_until_ms = m.number("previous_until_ms");
    }
    key.tenant = m.tenant("tenant");
    key.name = m.text("name");
    key.group = m.text("group");
    key.models = m.texts("models");
    key.allow_ip = m.texts("allow_ip");
    key.tags = m.texts("tags");
    key.rpm = m.number("rpm");
    key.tpm = m.number("tpm");
    key.created_ms = m.number("created_ms");
    key.expires_ms = m.number("expires_ms");
    key.revoked = m.truth("revoked");
    const int64_t none = -1;
    const int64_t limit = m.number("daily_limit_nanos", none);
    if (limit != none) key.daily_limit = Money::nanos(limit);
    m.must(limit >= none);
    return key;
  });
}

std::string encode(const SealedSecret& secret) {
  Json json = {{"name", secret.name},
               {"sealed", secret.sealed_hex},
               {"master_key", secret.master_key_id},
               {"created_ms", secret.created_ms}};
  return dump(json);
}

Result<SealedSecret> decode_secret(std::string_view value) {
  return decode(value, "secret", [](Members& m) {
    SealedSecret secret;
    secret.name = m.text("name");
    secret.sealed_hex = m.text("sealed");
    secret.master_key_id = m.text("master_key");
    secret.created_ms = m.number("created_ms");
    return secret;
  });
}

std::string encode_channel_switch(bool enabled) { return dump(Json{{"enabled", enabled}}); }

Result<bool> decode_channel_switch(std::string_view value) {
  return decode(value, "channel", [](Members& m) { return m.truth("enabled"); });
}

}  // namespace mg::directory

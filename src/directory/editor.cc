#include "directory/editor.h"

#include <algorithm>

namespace mg::directory {
namespace {

constexpr int kDepthMax = 4;  // platform, agent, company, employee

// The tenant and those above it, nearest first. Stops at a record that is missing.
std::vector<const Tenant*> line_of(const std::map<Id, Tenant>& tenants, const Tenant& tenant) {
  std::vector<const Tenant*> line = {&tenant};
  while (line.back()->kind != TenantKind::platform && line.size() < kDepthMax) {
    const auto parent = tenants.find(line.back()->parent);
    if (parent == tenants.end()) break;
    line.push_back(&parent->second);
  }
  return line;
}

Tenant platform() {
  Tenant tenant;
  tenant.kind = TenantKind::platform;
  tenant.name = std::string(kPlatformText);
  return tenant;
}

}  // namespace

Result<std::unique_ptr<Editor>> Editor::open(ledger::Ledger& ledger, ledger::Client& client) {
  std::unique_ptr<Editor> editor(new Editor(ledger, client));
  MG_CHECK(editor->load());
  return editor;
}

Result<> Editor::load() {
  auto snapshot = std::make_shared<Snapshot>();
  std::map<Id, Tenant> tenants = {{Id(), platform()}};
  Result<> damaged;
  // Reads every record of a table with `decode`, and stops at the first that is damaged.
  const auto each = [&](std::string_view table, auto decode, auto keep) -> Result<> {
    MG_CHECK(ledger_.each_record(table, [&](std::string_view name, std::string_view value) {
      auto record = decode(value);
      if (record) {
        keep(name, std::move(*record));
      } else {
        damaged = tl::unexpected(record.error());
      }
      return damaged.has_value();
    }));
    return damaged;
  };
  MG_CHECK(each(kTenantsTable, decode_tenant,
                [&](std::string_view, Tenant tenant) { tenants[tenant.id] = std::move(tenant); }));
  MG_CHECK(each(kKeysTable, decode_key, [&](std::string_view, ApiKey key) {
    snapshot->put_key(std::make_shared<const ApiKey>(std::move(key)));
  }));
  MG_CHECK(each(kSecretsTable, decode_secret, [&](std::string_view, SealedSecret secret) {
    snapshot->secrets_[secret.name] = std::move(secret);
  }));
  MG_CHECK(each(kChannelsTable, decode_channel_switch, [&](std::string_view id, bool enabled) {
    snapshot->channel_switches_[std::string(id)] = enabled;
  }));
  place_tenants(*snapshot, std::move(tenants));
  snapshot_ = std::move(snapshot);
  return {};
}

// A suspension or a change of parent reaches everyone below, so all entries are made anew; there
// are few tenants beside keys.
void Editor::place_tenants(Snapshot& snapshot, std::map<Id, Tenant> tenants) {
  snapshot.tenants_.clear();
  for (const auto& [id, tenant] : tenants) {
    auto entry = std::make_shared<TenantEntry>();
    entry->tenant = tenant;
    for (const Tenant* ancestor : line_of(tenants, tenant)) {
      entry->path.insert(entry->path.begin(), tenant_text(ancestor->id));
      entry->suspended = entry->suspended || ancestor->suspended;
      if (ancestor->kind == TenantKind::company) {
        entry->payer = ancestor->id;
        entry->seller = ancestor->parent;
      }
    }
    if (!entry->payer.is_nil())
      entry->wallet =
          client_.wallet_view(ledger::AccountName::wallet_of(entry->seller, entry->payer));
    snapshot.tenants_[id] = std::move(entry);
  }
}

event::Task<Result<>> Editor::put(Tenant tenant) {
  MG_CO_CHECK(
      co_await client_.put(std::string(kTenantsTable), tenant_text(tenant.id), encode(tenant)));
  auto next = copy();
  std::map<Id, Tenant> tenants;
  for (const auto& [id, entry] : next->tenants_) tenants[id] = entry->tenant;
  tenants[tenant.id] = std::move(tenant);
  place_tenants(*next, std::move(tenants));
  snapshot_ = std::move(next);
  co_return Result<>();
}

event::Task<Result<>> Editor::put(ApiKey key) {
  MG_CO_CHECK(co_await client_.put(std::string(kKeysTable), key.id.text(kKeyPrefix), encode(key)));
  auto next = copy();
  next->put_key(std::make_shared<const ApiKey>(std::move(key)));
  snapshot_ = std::move(next);
  co_return Result<>();
}

event::Task<Result<>> Editor::put(SealedSecret secret) {
  std::vector<SealedSecret> one;
  one.push_back(std::move(secret));
  Result<> done = co_await put_all(std::move(one));
  co_return done;
}

event::Task<Result<>> Editor::put_all(std::vector<SealedSecret> secrets) {
  std::vector<ledger::RecordChange> changes;
  for (const SealedSecret& secret : secrets)
    changes.push_back({std::string(kSecretsTable), secret.name, encode(secret)});
  MG_CO_CHECK(co_await client_.change(std::move(changes)));
  auto next = copy();
  for (SealedSecret& secret : secrets) next->secrets_[secret.name] = std::move(secret);
  snapshot_ = std::move(next);
  co_return Result<>();
}

event::Task<Result<>> Editor::switch_channel(std::string channel, bool enabled) {
  MG_CO_CHECK(
      co_await client_.put(std::string(kChannelsTable), channel, encode_channel_switch(enabled)));
  auto next = copy();
  next->channel_switches_[channel] = enabled;
  snapshot_ = std::move(next);
  co_return Result<>();
}

}  // namespace mg::directory

// From the store's records to a snapshot: of a running ledger, or of one that is only read.
#include "directory/snapshot.h"

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

// Reads every record of a table with `decode`, and stops at the first that is damaged.
template <class Decode, class Keep>
Result<> each(const RecordSource& records, std::string_view table, Decode decode, Keep keep) {
  Result<> damaged;
  MG_CHECK(records(table, [&](std::string_view name, std::string_view value) {
    auto record = decode(value);
    if (record) {
      keep(name, std::move(*record));
    } else {
      damaged = tl::unexpected(record.error());
    }
    return damaged.has_value();
  }));
  return damaged;
}

}  // namespace

// A suspension or a change of parent reaches everyone below, so all entries are made anew; there
// are few tenants beside keys.
void Snapshot::place(const std::map<Id, Tenant>& tenants, const WalletSource& wallets) {
  tenants_.clear();
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
    if (!entry->payer.is_nil() && wallets)
      entry->wallet = wallets(ledger::AccountName::wallet_of(entry->seller, entry->payer));
    tenants_[id] = std::move(entry);
  }
}

Result<std::shared_ptr<const Snapshot>> Snapshot::read(const RecordSource& records,
                                                       const WalletSource& wallets) {
  auto snapshot = std::make_shared<Snapshot>();
  std::map<Id, Tenant> tenants = {{Id(), platform()}};
  MG_CHECK(each(records, kTenantsTable, decode_tenant,
                [&](std::string_view, Tenant tenant) { tenants[tenant.id] = std::move(tenant); }));
  MG_CHECK(each(records, kKeysTable, decode_key, [&](std::string_view, ApiKey key) {
    snapshot->put_key(std::make_shared<const ApiKey>(std::move(key)));
  }));
  MG_CHECK(each(records, kSecretsTable, decode_secret, [&](std::string_view, SealedSecret secret) {
    snapshot->secrets_[secret.name] = std::move(secret);
  }));
  MG_CHECK(
      each(records, kChannelsTable, decode_channel_switch, [&](std::string_view id, bool enabled) {
        snapshot->channel_switches_[std::string(id)] = enabled;
      }));
  snapshot->place(tenants, wallets);
  return snapshot;
}

}  // namespace mg::directory

#include "directory/editor.h"

namespace mg::directory {

Result<std::unique_ptr<Editor>> Editor::open(ledger::Ledger& ledger, ledger::Client& client) {
  std::unique_ptr<Editor> editor(new Editor(ledger, client));
  MG_CHECK(editor->load());
  return editor;
}

Result<> Editor::load() {
  const auto records = [this](std::string_view table, const ledger::RecordVisit& visit) {
    return ledger_.each_record(table, visit);
  };
  MG_TRY(snapshot_, Snapshot::read(records, wallets()));
  return {};
}

WalletSource Editor::wallets() const {
  return [this](const ledger::AccountName& wallet) { return client_.wallet_view(wallet); };
}

event::Task<Result<>> Editor::put(Tenant tenant) {
  MG_CO_CHECK(
      co_await client_.put(std::string(kTenantsTable), tenant_text(tenant.id), encode(tenant)));
  auto next = copy();
  std::map<Id, Tenant> tenants;
  for (const auto& [id, entry] : next->tenants_) tenants[id] = entry->tenant;
  tenants[tenant.id] = std::move(tenant);
  next->place(tenants, wallets());
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

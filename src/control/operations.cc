#include "control/operations.h"

namespace mg::control {

const std::vector<Operations::Entry>& Operations::entries() {
  static const std::vector<Entry> all = {
      {"tenant.create", Effect::writes, &Operations::tenant_create},
      {"tenant.list", Effect::reads, &Operations::tenant_list},
      {"tenant.show", Effect::reads, &Operations::tenant_show},
      {"tenant.suspend", Effect::writes, &Operations::tenant_suspend},
      {"tenant.resume", Effect::writes, &Operations::tenant_resume},
      {"wallet.credit", Effect::writes, &Operations::wallet_credit},
      {"wallet.show", Effect::reads, &Operations::wallet_show},
      {"wallet.history", Effect::reads, &Operations::wallet_history},
      {"key.create", Effect::writes, &Operations::key_create},
      {"key.list", Effect::reads, &Operations::key_list},
      {"key.revoke", Effect::writes, &Operations::key_revoke},
      {"key.rotate", Effect::writes, &Operations::key_rotate},
      {"secret.set", Effect::writes, &Operations::secret_set},
      {"secret.list", Effect::reads, &Operations::secret_list},
      {"secret.rotate-master", Effect::writes, &Operations::secret_rotate_master},
      {"channel.list", Effect::reads, &Operations::channel_list},
      {"channel.enable", Effect::writes, &Operations::channel_enable},
      {"channel.disable", Effect::writes, &Operations::channel_disable},
      {"reload", Effect::writes, &Operations::reload},
      {"usage", Effect::reads, &Operations::usage},
      {"explain", Effect::reads, &Operations::explain},
      {"ledger.backup", Effect::reads, &Operations::ledger_backup},
  };
  return all;
}

std::vector<std::string> Operations::names() {
  std::vector<std::string> out;
  for (const Entry& entry : entries()) out.emplace_back(entry.name);
  return out;
}

Effect Operations::effect_of(const std::string& command) {
  for (const Entry& entry : entries())
    if (command == entry.name) return entry.effect;
  return Effect::reads;
}

event::Task<Result<Json>> Operations::run(std::string command, Json arguments) {
  for (const Entry& entry : entries()) {
    if (command != entry.name) continue;
    MG_ASSERT(entry.effect == Effect::reads || r_.writing);
    Result<Json> result = co_await (this->*entry.method)(Args(arguments));
    co_return result;
  }
  co_return fail(Errc::not_found, "there is no command " + command);
}

std::shared_ptr<const directory::TenantEntry> Operations::find_tenant(const Id& id) const {
  return directory()->tenant(id);
}

}  // namespace mg::control

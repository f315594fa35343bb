#include "control/operations.h"

namespace mg::control {

const std::vector<Operations::Entry>& Operations::entries() {
  static const std::vector<Entry> all = {
      {"tenant.create", &Operations::tenant_create},
      {"tenant.list", &Operations::tenant_list},
      {"tenant.show", &Operations::tenant_show},
      {"tenant.suspend", &Operations::tenant_suspend},
      {"tenant.resume", &Operations::tenant_resume},
      {"wallet.credit", &Operations::wallet_credit},
      {"wallet.show", &Operations::wallet_show},
      {"wallet.history", &Operations::wallet_history},
      {"key.create", &Operations::key_create},
      {"key.list", &Operations::key_list},
      {"key.revoke", &Operations::key_revoke},
      {"key.rotate", &Operations::key_rotate},
      {"secret.set", &Operations::secret_set},
      {"secret.list", &Operations::secret_list},
      {"secret.rotate-master", &Operations::secret_rotate_master},
      {"channel.list", &Operations::channel_list},
      {"channel.enable", &Operations::channel_enable},
      {"channel.disable", &Operations::channel_disable},
      {"reload", &Operations::reload},
      {"usage", &Operations::usage},
      {"explain", &Operations::explain},
      {"ledger.settlements", &Operations::settlements},
      {"ledger.backup", &Operations::ledger_backup},
      {"ledger.status", &Operations::ledger_status},
  };
  return all;
}

std::vector<std::string> Operations::names() {
  std::vector<std::string> out;
  for (const Entry& entry : entries()) out.emplace_back(entry.name);
  return out;
}

event::Task<Result<Json>> Operations::run(std::string command, Json arguments) {
  for (const Entry& entry : entries()) {
    if (command != entry.name) continue;
    Result<Json> result = co_await (this->*entry.method)(Args(arguments));
    co_return result;
  }
  co_return fail(Errc::not_found, "there is no command " + command);
}

std::shared_ptr<const directory::TenantEntry> Operations::find_tenant(const Id& id) const {
  return r_.editor.snapshot()->tenant(id);
}

}  // namespace mg::control

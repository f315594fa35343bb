// Everything that command line, control socket and (later) admin API can do to tenants, keys,
// wallets, secrets and channels, and ask of them. Commands in, JSON out; one place, one check.
//
// On the thread of the loop that its ledger client belongs to.
#pragma once

#include <string>
#include <vector>

#include "base/json_value.h"
#include "base/rng.h"
#include "control/args.h"
#include "control/books.h"
#include "control/vault.h"
#include "directory/editor.h"
#include "event/loop.h"

namespace mg::control {

// A channel as the configuration names it, for listing and switching.
struct ChannelView {
  std::string id;
  std::string provider;
  std::string base_url;
  int priority = 1;
  int weight = 1;
  std::string breaker;  // empty without a server
};

// What a running server adds: its workers must hear of changes, and can be asked to reload. The
// one for a store without a server does nothing, and has nothing to reload.
class Site {
 public:
  virtual ~Site() = default;
  // Every worker acts by the directory as it is now. Errors: unavailable.
  virtual event::Task<Result<>> publish_directory() = 0;
  // Scripts and data are read anew, also when nothing seems to have changed.
  // Errors: invalid, with what is wrong; conflict, when no server runs.
  virtual event::Task<Result<Json>> reload() = 0;
  virtual std::vector<ChannelView> channels() = 0;
};

// What changes money and directory.
struct Writing {
  ledger::Client& client;
  directory::Editor& editor;
};

struct Resources {
  event::Loop& loop;
  Rng& rng;
  Books& books;
  Vault& vault;
  Site& site;
  std::string records;     // folder of the decision records
  const Writing* writing;  // null: only commands that read can be run
};

// Whether a command changes anything; those that do not also work on a store at rest.
enum class Effect : uint8_t { reads, writes };

class Operations {
 public:
  explicit Operations(const Resources& resources) : r_(resources) {}

  // Runs the command of that name ("key.create"). Errors: not_found for an unknown command;
  // invalid for its arguments; conflict, refused, unavailable as the command says.
  event::Task<Result<Json>> run(std::string command, Json arguments);

  // The names run() knows.
  static std::vector<std::string> names();
  // Of an unknown command: reads, as it will only be refused.
  static Effect effect_of(const std::string& command);

 private:
  using Method = event::Task<Result<Json>> (Operations::*)(Args args);
  struct Entry {
    const char* name;
    Effect effect;
    Method method;
  };
  static const std::vector<Entry>& entries();

  // tenants.cc
  event::Task<Result<Json>> tenant_create(Args args);
  event::Task<Result<Json>> tenant_list(Args args);
  event::Task<Result<Json>> tenant_show(Args args);
  event::Task<Result<Json>> tenant_suspend(Args args);
  event::Task<Result<Json>> tenant_resume(Args args);
  event::Task<Result<Json>> set_suspended(Args args, bool suspended);

  // wallets.cc
  event::Task<Result<Json>> wallet_credit(Args args);
  event::Task<Result<Json>> wallet_show(Args args);
  event::Task<Result<Json>> wallet_history(Args args);
  Result<ledger::AccountName> wallet_of(const Id& tenant) const;
  event::Task<Result<Json>> wallet_json(Id tenant);

  // keys.cc
  event::Task<Result<Json>> key_create(Args args);
  event::Task<Result<Json>> key_list(Args args);
  event::Task<Result<Json>> key_revoke(Args args);
  event::Task<Result<Json>> key_rotate(Args args);

  // secrets.cc
  event::Task<Result<Json>> secret_set(Args args);
  event::Task<Result<Json>> secret_list(Args args);
  event::Task<Result<Json>> secret_rotate_master(Args args);

  // channels.cc
  event::Task<Result<Json>> channel_list(Args args);
  event::Task<Result<Json>> channel_enable(Args args);
  event::Task<Result<Json>> channel_disable(Args args);
  event::Task<Result<Json>> switch_channel(Args args, bool enabled);
  event::Task<Result<Json>> reload(Args args);

  // reports.cc
  event::Task<Result<Json>> usage(Args args);
  event::Task<Result<Json>> explain(Args args);
  event::Task<Result<Json>> ledger_backup(Args args);

  std::shared_ptr<const directory::TenantEntry> find_tenant(const Id& id) const;
  std::shared_ptr<const directory::Snapshot> directory() const { return r_.books.directory(); }
  int64_t now_ms() const { return r_.loop.clock().wall_ms(); }

  Resources r_;
};

}  // namespace mg::control

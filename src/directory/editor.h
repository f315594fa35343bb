// The one place where the directory changes: it writes the change through the ledger's commits,
// and only when it is durable makes the snapshot that shows it. Main thread.
#pragma once

#include <functional>
#include <memory>

#include "directory/snapshot.h"
#include "event/task.h"
#include "ledger/client.h"
#include "ledger/ledger.h"

namespace mg::directory {

class Editor {
 public:
  // Reads all records. Errors: invalid, when one is damaged; io.
  static Result<std::unique_ptr<Editor>> open(ledger::Ledger& ledger, ledger::Client& client);

  std::shared_ptr<const Snapshot> snapshot() const { return snapshot_; }

  // Each is durable when it returns. The caller has checked what it puts (control/).
  // Errors: unavailable, overloaded.
  event::Task<Result<>> put(Tenant tenant);
  event::Task<Result<>> put(ApiKey key);
  event::Task<Result<>> put(SealedSecret secret);
  // All or none: a rotation of the master key seals every secret anew.
  event::Task<Result<>> put_all(std::vector<SealedSecret> secrets);
  event::Task<Result<>> switch_channel(std::string channel, bool enabled);

 private:
  Editor(ledger::Ledger& ledger, ledger::Client& client) : ledger_(ledger), client_(client) {}
  Result<> load();
  std::shared_ptr<Snapshot> copy() const { return std::make_shared<Snapshot>(*snapshot_); }
  WalletSource wallets() const;

  ledger::Ledger& ledger_;
  ledger::Client& client_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace mg::directory

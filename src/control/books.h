// What commands that only read ask: the ledger and the directory, of a running server or as the
// last commit left them.
#pragma once

#include <memory>
#include <string>

#include "directory/editor.h"
#include "event/task.h"
#include "ledger/client.h"
#include "ledger/ledger.h"
#include "ledger/snapshot.h"

namespace mg::control {

class Books {
 public:
  virtual ~Books() = default;
  // Errors: not_found, for an account that was never used; unavailable.
  virtual event::Task<Result<ledger::Account>> account(ledger::AccountName name) = 0;
  virtual std::shared_ptr<const directory::Snapshot> directory() = 0;
  // Comes back when the journal holds all that was ordered until now: who was just told of
  // something finds it there.
  virtual event::Task<> caught_up() = 0;
  // Any thread.
  virtual ledger::JournalReader journal() = 0;
  // Any thread. Errors: conflict, io.
  virtual Result<> backup(const std::string& directory) = 0;
};

// Of a ledger that runs; also for writing commands. All three outlive it.
class RunningBooks final : public Books {
 public:
  RunningBooks(ledger::Ledger& ledger, ledger::Client& client, directory::Editor& editor)
      : ledger_(ledger), client_(client), editor_(editor) {}

  event::Task<Result<ledger::Account>> account(ledger::AccountName name) override;
  std::shared_ptr<const directory::Snapshot> directory() override { return editor_.snapshot(); }
  event::Task<> caught_up() override;
  ledger::JournalReader journal() override { return ledger_.journal(); }
  Result<> backup(const std::string& directory) override { return ledger_.backup(directory); }

 private:
  ledger::Ledger& ledger_;
  ledger::Client& client_;
  directory::Editor& editor_;
};

// Of a store that nobody has open: nothing is recovered, nothing is written.
class RestingBooks final : public Books {
 public:
  // Errors: not_found, without a store; invalid, when it is damaged; io.
  static Result<std::unique_ptr<RestingBooks>> open(const std::string& store);

  event::Task<Result<ledger::Account>> account(ledger::AccountName name) override;
  std::shared_ptr<const directory::Snapshot> directory() override { return directory_; }
  event::Task<> caught_up() override;
  ledger::JournalReader journal() override { return ledger_->journal(); }
  Result<> backup(const std::string& directory) override { return ledger_->backup(directory); }

 private:
  std::unique_ptr<ledger::Snapshot> ledger_;
  std::shared_ptr<const directory::Snapshot> directory_;
};

}  // namespace mg::control

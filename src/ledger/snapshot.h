// The ledger as its last commit left it, for commands that read while no server runs: opened read
// only, nothing recovered, nothing written. Never in the process of a Ledger of the same store.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ledger/queries.h"
#include "ledger/reader.h"
#include "ledger/wallet_view.h"

namespace mg::store {
class Env;
}

namespace mg::ledger {

class Snapshot {
 public:
  // Errors: not_found, without a store; invalid, when it is damaged or of another format; io.
  static Result<std::unique_ptr<Snapshot>> open(const std::string& directory,
                                                size_t map_bytes = limits::map_bytes);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;

  Seq last() const { return last_; }
  Result<Account> account(const AccountName& name) { return account_of(*state_, name); }
  AccountPage accounts(const AccountQuery& query) { return accounts_of(*state_, query); }
  Result<Budget> budget(const BudgetName& name) { return budget_of(*state_, name); }
  std::vector<OpenHoldView> open_holds() { return open_holds_of(*state_); }
  JournalReader journal() { return JournalReader(*env_); }
  Result<> each_record(std::string_view table, const RecordVisit& visit);
  Result<std::optional<std::string>> record(std::string_view table, std::string_view key);
  Result<> backup(const std::string& directory);

 private:
  Snapshot();
  WalletViews views_;
  std::unique_ptr<store::Env> env_;
  std::unique_ptr<State> state_;
  Seq last_ = 0;
};

}  // namespace mg::ledger

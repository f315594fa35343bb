// Questions about the balances in memory, the same for a running ledger and for a snapshot.
#pragma once

#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "ledger/types.h"

namespace mg::ledger {

struct AccountQuery {
  std::optional<Id> seller;         // of this seller's book only
  std::optional<AccountKind> kind;  // of this kind only
  uint32_t after = 0;               // go on behind this account: `next` of the last page
};
struct AccountPage {
  std::vector<Account> accounts;  // at most accounts_page_max
  uint32_t next = 0;              // 0: there are no more
};

// Errors: not_found, for an account or budget that no record has used.
Result<Account> account_of(State& state, const AccountName& name);
Result<Budget> budget_of(State& state, const BudgetName& name);
AccountPage accounts_of(State& state, const AccountQuery& query);
std::vector<OpenHoldView> open_holds_of(State& state);

}  // namespace mg::ledger

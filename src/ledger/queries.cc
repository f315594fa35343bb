#include "ledger/queries.h"

#include "ledger/command.h"

namespace mg::ledger {

Result<Account> account_of(State& state, const AccountName& name) {
  const AccountState* account = state.find(name);
  if (!account) return fail(Errc::not_found, "no record has used this account");
  return account->account;
}

Result<Budget> budget_of(State& state, const BudgetName& name) {
  const BudgetState* budget = state.find(name);
  if (!budget) return fail(Errc::not_found, "no hold has counted for this budget");
  return budget->budget;
}

AccountPage accounts_of(State& state, const AccountQuery& query) {
  AccountPage page;
  const size_t last = state.account_count();
  for (size_t number = size_t{query.after} + 1; number <= last; ++number) {
    const Account& account = state.find(static_cast<AccountNumber>(number))->account;
    if (query.seller && account.name.seller != *query.seller) continue;
    if (query.kind && account.name.kind != *query.kind) continue;
    if (page.accounts.size() == limits::accounts_page_max) {
      page.next = static_cast<AccountNumber>(number - 1);
      break;
    }
    page.accounts.push_back(account);
  }
  return page;
}

std::vector<OpenHoldView> open_holds_of(State& state) {
  std::vector<OpenHoldView> views;
  for (const HoldCell* cell : state.open_holds().sorted()) {
    OpenHoldView& view = views.emplace_back();
    view.seq = cell->open.seq;
    view.request = cell->request.request;
    view.tenant = cell->request.tenant;
    view.key = cell->request.key;
    view.kind = cell->request.kind;
    view.epoch = cell->open.epoch;
    view.time_ms = cell->open.time_ms;
    for (const HeldWallet& wallet : cell->open.wallets)
      view.wallets.push_back({wallet.account->account.name, wallet.amount});
    view.mark = cell->open.mark;
  }
  return views;
}

}  // namespace mg::ledger

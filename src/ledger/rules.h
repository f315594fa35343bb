// The rules of money, as pure functions: from accounts and a command to yes, no and how much.
// Nothing here knows of threads, records or the store.
//
//   - A wallet's posted - held never goes below its floor: holds and debits ask `missing` first.
//   - A charge never exceeds its hold: `settle` says how far the hold grows and what stays short.
//   - A balance stays within account_nanos_max, so that no sum of two of them can wrap.
//   - What comes from outside is checked once, by the check_ functions; past them, a sum that does
//     not fit is a bug and aborts.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "ledger/types.h"

namespace mg::ledger {

// ---- the form of commands; errors are `invalid` and say what is wrong

Result<> check(const HoldRequest& request);
Result<> check(const TransferRequest& request);
Result<> check(const std::vector<RecordChange>& changes);
Result<> check_floor(const AccountName& account, Money floor);
// What an extension or a mark names per wallet: not negative, for no more wallets than there are.
Result<> check(const Amounts& amounts, size_t wallets);

// What the lines of a settlement come to, per wallet of the hold.
Result<Amounts> prices_of(const Settlement& settlement, size_t wallets);

// ---- judgement

// What the wallet lacks to hold or pay this much more; 0 where it can.
Money missing(const Account& wallet, Money amount);
// What the budget lacks to take this much more.
Money missing(const Budget& budget, Money limit, Money amount);

// True where the balances and lifetimes of both have room for it.
bool has_room(const Account& debit, const Account& credit, Money amount);

struct SettleWallet {
  Money held;
  Money price;
  Money available;  // beyond what is held
};
struct SettleShare {
  Money extended;  // by how much the hold grows first
  Money paid;      // held + extended at most
  Money missing;   // price - paid
};
using SettleShares = SmallList<SettleShare, limits::hold_wallets_max>;

// `budget_room`: by how much the first wallet's hold may grow under all its budgets.
SettleShares settle(std::span<const SettleWallet> wallets, Money budget_room);

}  // namespace mg::ledger

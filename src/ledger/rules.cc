#include "ledger/rules.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace mg::ledger {
namespace {

__extension__ typedef __int128 Wide;

Wide wide(Money amount) { return amount.nanos(); }

Money narrow(Wide amount) {
  return Money::nanos(
      static_cast<int64_t>(std::clamp<Wide>(amount, 0, std::numeric_limits<int64_t>::max())));
}

Result<> within(std::string_view text, size_t bytes_max, std::string_view what) {
  if (text.size() <= bytes_max) return {};
  return fail(Errc::invalid,
              std::string(what) + " is longer than " + std::to_string(bytes_max) + " bytes");
}

Result<> not_negative(Money amount, std::string_view what) {
  if (!amount.is_negative()) return {};
  return fail(Errc::invalid, std::string(what) + " is negative");
}

Result<> check_budgets(const std::vector<BudgetClaim>& budgets) {
  if (budgets.size() > limits::hold_budgets_max)
    return fail(Errc::invalid,
                "more than " + std::to_string(limits::hold_budgets_max) + " budgets in one hold");
  for (size_t i = 0; i < budgets.size(); ++i) {
    const BudgetName& name = budgets[i].budget;
    if (name.name.empty()) return fail(Errc::invalid, "a budget without a name");
    MG_CHECK(within(name.name, limits::budget_name_bytes_max, "the name of a budget"));
    MG_CHECK(within(name.period, limits::budget_period_bytes_max, "the period of a budget"));
    // A NUL parts name and period in the book's own key.
    if (name.name.find('\0') != std::string::npos)
      return fail(Errc::invalid, "the name of a budget has a NUL in it");
    MG_CHECK(not_negative(budgets[i].limit, "the limit of a budget"));
    for (size_t j = 0; j < i; ++j)
      if (budgets[j].budget == name)
        return fail(Errc::invalid, "the budget " + name.name + " is in one hold twice");
  }
  return {};
}

Result<Money> line_charge(const PriceLine& line) {
  return charge_for(line.units, line.rate, line.multipliers_ppm.begin(),
                    line.multipliers_ppm.size());
}

Result<> check_names(const Settlement& settlement) {
  MG_CHECK(within(settlement.model, limits::settlement_name_bytes_max, "the model"));
  MG_CHECK(
      within(settlement.upstream_model, limits::settlement_name_bytes_max, "the upstream model"));
  MG_CHECK(within(settlement.channel, limits::settlement_name_bytes_max, "the channel"));
  MG_CHECK(within(settlement.provider, limits::account_owner_bytes_max, "the provider"));
  return {};
}

}  // namespace

Result<> check(const HoldRequest& request) {
  if (request.request.is_nil()) return fail(Errc::invalid, "a hold without a request id");
  if (request.wallets.empty()) return fail(Errc::invalid, "a hold without a wallet");
  if (request.wallets.size() > limits::hold_wallets_max)
    return fail(Errc::invalid, "a hold of too many wallets");
  for (size_t i = 0; i < request.wallets.size(); ++i) {
    const WalletClaim& claim = request.wallets[i];
    if (claim.wallet.kind != AccountKind::wallet)
      return fail(Errc::invalid, "only a wallet can be held");
    MG_CHECK(not_negative(claim.amount, "the amount of a hold"));
    for (size_t j = 0; j < i; ++j)
      if (request.wallets[j].wallet == claim.wallet)
        return fail(Errc::invalid, "a wallet is in one hold twice");
  }
  return check_budgets(request.budgets);
}

Result<> check(const TransferRequest& request) {
  if (request.amount <= Money()) return fail(Errc::invalid, "a transfer needs an amount over 0");
  if (request.debit.seller != request.credit.seller)
    return fail(Errc::invalid, "a transfer stays within one seller's book");
  if (request.debit == request.credit) return fail(Errc::invalid, "a transfer needs two accounts");
  if ((request.kind == TransferKind::reversal) != (request.reverses != 0))
    return fail(Errc::invalid, "a reversal, and nothing else, names what it reverses");
  if (request.kind != TransferKind::credit && request.actor.empty())
    return fail(Errc::invalid, "an adjustment or reversal needs an actor");
  MG_CHECK(within(request.id, limits::transfer_id_bytes_max, "the transfer's id"));
  if (request.id.starts_with('\0')) return fail(Errc::invalid, "a transfer's id begins with a NUL");
  MG_CHECK(within(request.actor, limits::actor_bytes_max, "the actor"));
  return within(request.memo, limits::memo_bytes_max, "the memo");
}

Result<> check(const std::vector<RecordChange>& changes) {
  if (changes.empty()) return fail(Errc::invalid, "no change");
  if (changes.size() > limits::record_changes_max)
    return fail(Errc::invalid, "more than " + std::to_string(limits::record_changes_max) +
                                   " changes in one command");
  for (const RecordChange& change : changes) {
    if (change.table.empty() || change.key.empty())
      return fail(Errc::invalid, "a record needs a table and a key");
    if (change.table.find('\0') != std::string::npos)
      return fail(Errc::invalid, "the name of a table has a NUL in it");
    MG_CHECK(within(change.table, limits::record_table_bytes_max, "the name of a table"));
    MG_CHECK(within(change.key, limits::record_key_bytes_max, "the key of a record"));
    if (change.value) MG_CHECK(within(*change.value, limits::record_value_bytes_max, "a record"));
  }
  return {};
}

Result<> check_floor(const AccountName& account, Money floor) {
  if (account.kind != AccountKind::wallet) return fail(Errc::invalid, "only wallets have a floor");
  if (floor.nanos() > limits::floor_nanos_max || floor.nanos() < -limits::floor_nanos_max)
    return fail(Errc::invalid, "a floor beyond what an account may hold");
  return {};
}

Result<> check(const Amounts& amounts, size_t wallets) {
  if (amounts.size() > wallets)
    return fail(Errc::invalid, "an amount for a wallet that is not held");
  for (const Money amount : amounts) MG_CHECK(not_negative(amount, "an amount"));
  return {};
}

Result<Amounts> prices_of(const Settlement& settlement, size_t wallets) {
  if (settlement.lines.size() > limits::price_lines_max)
    return fail(Errc::invalid, "more than " + std::to_string(limits::price_lines_max) +
                                   " lines in one settlement");
  MG_CHECK(check_names(settlement));
  MG_CHECK(not_negative(settlement.cost, "the cost"));
  if (!settlement.cost.is_zero() && settlement.provider.empty())
    return fail(Errc::invalid, "a cost without a provider who is owed it");
  Amounts prices;
  for (size_t i = 0; i < wallets; ++i) prices.push_back(Money());
  for (const PriceLine& line : settlement.lines) {
    if (line.wallet >= wallets) return fail(Errc::invalid, "a line for a wallet that is not held");
    if (line.units > limits::usage_tokens_max)
      return fail(Errc::invalid, "the line " + line.meter.str() + " counts more than there can be");
    MG_TRY(const Money charge, line_charge(line));
    if (charge != line.charge)
      return fail(Errc::invalid, "the line " + line.meter.str() + " says " + to_text(line.charge) +
                                     " and comes to " + to_text(charge));
    MG_TRY(prices[line.wallet], prices[line.wallet].plus(charge));
  }
  return prices;
}

Money missing(const Account& wallet, Money amount) {
  if (wallet.name.kind != AccountKind::wallet) return {};
  const Wide free = wide(wallet.posted) - wide(wallet.held) - wide(wallet.floor);
  return narrow(wide(amount) - free);
}

Money missing(const Budget& budget, Money limit, Money amount) {
  return narrow(wide(budget.spent) + wide(budget.held) + wide(amount) - wide(limit));
}

bool has_room(const Account& debit, const Account& credit, Money amount) {
  const Wide most = limits::account_nanos_max;
  const Wide lifetime_most = std::numeric_limits<int64_t>::max();
  return wide(debit.posted) - wide(amount) >= -most && wide(credit.posted) + wide(amount) <= most &&
         wide(debit.lifetime_out) + wide(amount) <= lifetime_most &&
         wide(credit.lifetime_in) + wide(amount) <= lifetime_most;
}

SettleShares settle(std::span<const SettleWallet> wallets, Money budget_room) {
  SettleShares shares;
  for (const SettleWallet& wallet : wallets) {
    MG_ASSERT(!wallet.held.is_negative() && !wallet.price.is_negative());
    SettleShare share;
    if (wallet.price > wallet.held) {
      const Money room =
          shares.empty() ? std::min(wallet.available, budget_room) : wallet.available;
      share.extended = std::clamp(room, Money(), wallet.price - wallet.held);
    }
    share.paid = std::min(wallet.price, wallet.held + share.extended);
    share.missing = wallet.price - share.paid;
    MG_ASSERT(share.paid <= wallet.held + share.extended && !share.missing.is_negative());
    shares.push_back(share);
  }
  return shares;
}

}  // namespace mg::ledger

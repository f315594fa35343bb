// The ledger as one would write it on a napkin: maps of numbers and no threads. Random scripts run
// against both, and every answer and balance must agree.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "unit/ledger/ledger_box.h"

namespace mg::test {

struct ModelHold {
  HoldRequest request;
  std::vector<int64_t> amounts;
  std::vector<int64_t> mark;  // empty: none
};

class Model {
 public:
  struct Wallet {
    int64_t posted = 0, held = 0, floor = 0;
    int64_t available() const { return posted - held - floor; }
  };
  struct Limit {
    int64_t spent = 0, held = 0;
  };
  std::map<std::string, Wallet> wallets;     // by seller and owner
  std::map<std::string, int64_t> others;     // by seller, kind and owner
  std::map<std::string, Limit> limits;       // by name and period
  std::map<Digest, Id> digests;

  static std::string key(const AccountName& name) {
    return std::string(name.seller.bytes()) + static_cast<char>(name.kind) + name.owner.str();
  }
  static std::string key(const BudgetName& name) { return name.name + "/" + name.period; }
  Wallet& wallet(const AccountName& name) { return wallets[key(name)]; }

  void transfer(const TransferRequest& t) {
    const auto side = [this](const AccountName& name) -> int64_t& {
      return name.kind == AccountKind::wallet ? wallet(name).posted : others[key(name)];
    };
    side(t.debit) -= t.amount.nanos();
    side(t.credit) += t.amount.nanos();
  }

  std::optional<HoldRefusal::Reason> judge(const HoldRequest& request) {
    if (request.idempotency && digests.contains(*request.idempotency))
      return HoldRefusal::Reason::digest_used;
    for (const WalletClaim& claim : request.wallets)
      if (wallet(claim.wallet).available() < claim.amount.nanos())
        return HoldRefusal::Reason::wallet_short;
    for (const BudgetClaim& claim : request.budgets) {
      const Limit& limit = limits[key(claim.budget)];
      if (limit.spent + limit.held + request.wallets[0].amount.nanos() > claim.limit.nanos())
        return HoldRefusal::Reason::budget_short;
    }
    return std::nullopt;
  }

  ModelHold admit(const HoldRequest& request) {
    ModelHold hold{request, {}, {}};
    for (const WalletClaim& claim : request.wallets) hold.amounts.push_back(claim.amount.nanos());
    promise(hold, hold.amounts, 1);
    if (request.idempotency) digests[*request.idempotency] = request.request;
    return hold;
  }

  bool extend(ModelHold& hold, const std::vector<int64_t>& more) {
    for (size_t i = 0; i < more.size(); ++i)
      if (wallet(hold.request.wallets[i].wallet).available() < more[i]) return false;
    if (room(hold) < more[0]) return false;
    promise(hold, more, 1);
    for (size_t i = 0; i < more.size(); ++i) hold.amounts[i] += more[i];
    return true;
  }

  // Returns what the first wallet pays.
  int64_t post(ModelHold& hold, const std::vector<int64_t>& prices) {
    std::vector<int64_t> more;
    for (size_t i = 0; i < prices.size(); ++i) {
      int64_t can = std::max<int64_t>(0, wallet(hold.request.wallets[i].wallet).available());
      if (i == 0) can = std::min(can, std::max<int64_t>(0, room(hold)));
      more.push_back(std::clamp<int64_t>(prices[i] - hold.amounts[i], 0, can));
    }
    promise(hold, more, 1);
    for (size_t i = 0; i < more.size(); ++i) hold.amounts[i] += more[i];
    promise(hold, hold.amounts, -1);
    int64_t first = 0;
    for (size_t i = 0; i < prices.size(); ++i) {
      const AccountName& name = hold.request.wallets[i].wallet;
      const int64_t paid = std::min(prices[i], hold.amounts[i]);
      wallet(name).posted -= paid;
      others[key(AccountName::sales_of(name.seller))] += prices[i];
      others[key(AccountName::shortfall_of(name.seller))] -= prices[i] - paid;
      if (i == 0) first = paid;
    }
    for (const BudgetClaim& claim : hold.request.budgets) limits[key(claim.budget)].spent += first;
    return first;
  }

  void release(const ModelHold& hold) {
    promise(hold, hold.amounts, -1);
    if (hold.request.idempotency) digests.erase(*hold.request.idempotency);
  }

  // What happens to a hold nobody resolved.
  void drop(ModelHold& hold) { hold.mark.empty() ? release(hold) : (void)post(hold, hold.mark); }

 private:
  int64_t room(const ModelHold& hold) {
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const BudgetClaim& claim : hold.request.budgets) {
      const Limit& limit = limits[key(claim.budget)];
      least = std::min(least, claim.limit.nanos() - limit.spent - limit.held);
    }
    return least;
  }
  void promise(const ModelHold& hold, const std::vector<int64_t>& amounts, int sign) {
    for (size_t i = 0; i < amounts.size(); ++i)
      wallet(hold.request.wallets[i].wallet).held += sign * amounts[i];
    for (const BudgetClaim& claim : hold.request.budgets)
      limits[key(claim.budget)].held += sign * amounts[0];
  }
};

}  // namespace mg::test

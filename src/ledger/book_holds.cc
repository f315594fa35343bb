// Holds, from asking to resolution.
#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "ledger/book.h"
#include "ledger/rows.h"
#include "ledger/rules.h"
#include "store/codec.h"

namespace mg::ledger {
namespace {

constexpr Money kNoLimit = Money::nanos(std::numeric_limits<int64_t>::max());

Money amount_at(const Amounts& amounts, size_t i) {
  return i < amounts.size() ? amounts[i] : Money();
}

WalletShares shares_of(const OpenHold& open) {
  WalletShares shares;
  for (const HeldWallet& wallet : open.wallets)
    shares.push_back({wallet.account->number, wallet.amount});
  return shares;
}

BudgetNumbers numbers_of(const OpenHold& open) {
  BudgetNumbers numbers;
  for (const HeldBudget& budget : open.budgets) numbers.push_back(budget.budget->number);
  return numbers;
}

void fail_ask(HoldCell::Ask& ask, Errc error) {
  ask.answer = Answer::failed;
  ask.error = error;
}

// True, and the ask is refused, where the wallet cannot hold this much more.
bool wallet_refuses(HoldCell::Ask& ask, size_t i, const Account& wallet, Money amount) {
  const Money lacks = missing(wallet, amount);
  if (lacks.is_zero()) return false;
  ask.answer = Answer::refused;
  ask.reason = HoldRefusal::Reason::wallet_short;
  ask.index = static_cast<uint8_t>(i);
  ask.short_by = lacks;
  return true;
}

bool budget_refuses(HoldCell::Ask& ask, size_t i, const Budget& budget, Money limit, Money amount) {
  const Money lacks = missing(budget, limit, amount);
  if (lacks.is_zero()) return false;
  ask.answer = Answer::refused;
  ask.reason = HoldRefusal::Reason::budget_short;
  ask.index = static_cast<uint8_t>(i);
  ask.short_by = lacks;
  return true;
}

// The record that moved the account before this one.
Seq previous_of(const HoldPosted& posted, Seq seq, const AccountState& account) {
  if (account.last_entry != seq) return account.last_entry;
  for (const Leg& leg : posted.legs) {
    if (leg.debit == account.number) return leg.debit_previous;
    if (leg.credit == account.number) return leg.credit_previous;
  }
  MG_ASSERT(false && "an account moved by this record is in one of its legs");
  return 0;
}

}  // namespace

std::optional<Errc> Book::closed_for_holds() {
  if (looked_whether_closed_) return closed_;
  looked_whether_closed_ = true;
  closed_.reset();
  if (poisoned_ || (disk_.is_low() && disk_.looks_low())) {
    closed_ = Errc::unavailable;
  } else if (buffer_.bytes() > options_.backlog_bytes_max) {
    closed_ = Errc::overloaded;
  }
  return closed_;
}

void Book::ask(HoldCell::Ask& ask) {
  HoldCell& cell = ask.cell;
  if (ask.kind == CommandKind::hold) {
    if (const std::optional<Errc> closed = closed_for_holds()) return fail_ask(ask, *closed);
    return admit(cell);
  }
  if (poisoned_) return fail_ask(ask, Errc::unavailable);
  if (!cell.open.is_open) return fail_ask(ask, Errc::conflict);
  extend(cell);
}

void Book::admit(HoldCell& cell) {
  HoldCell::Ask& ask = cell.ask;
  const HoldRequest& request = cell.request;
  if (state_.open_holds().find(request.request)) {
    ask.answer = Answer::refused;
    ask.reason = HoldRefusal::Reason::request_open;
    ask.request = request.request;
    return;
  }
  if (request.idempotency) {
    if (const Digests::Use* use = state_.digests().find(*request.idempotency)) {
      ask.answer = Answer::refused;
      ask.reason = HoldRefusal::Reason::digest_used;
      ask.request = use->request;
      return;
    }
  }
  for (size_t i = 0; i < request.wallets.size(); ++i) {
    const WalletClaim& claim = request.wallets[i];
    const AccountState* wallet = state_.find(claim.wallet);
    const Account nothing{claim.wallet, {}, {}, {}, {}, {}};
    if (wallet_refuses(ask, i, wallet ? wallet->account : nothing, claim.amount)) return;
  }
  for (size_t i = 0; i < request.budgets.size(); ++i) {
    const BudgetClaim& claim = request.budgets[i];
    const BudgetState* budget = state_.find(claim.budget);
    if (budget_refuses(ask, i, budget ? budget->budget : Budget(), claim.limit,
                       request.wallets[0].amount))
      return;
  }
  HoldOpened opened;
  opened.request = request.request;
  opened.tenant = request.tenant;
  opened.key = request.key;
  opened.kind = request.kind;
  opened.epoch = epoch_;
  opened.digest = request.idempotency;
  for (const WalletClaim& claim : request.wallets) {
    AccountState& wallet = account_of(claim.wallet);
    cell.open.wallets.push_back({&wallet, claim.amount});
    opened.wallets.push_back({wallet.number, claim.amount});
  }
  for (const BudgetClaim& claim : request.budgets) {
    BudgetState& budget = budget_of(claim);
    cell.open.budgets.push_back({&budget, claim.limit});
    opened.budgets.push_back({budget.number, claim.limit});
  }
  cell.open.epoch = epoch_;
  cell.open.time_ms = time_ms_;
  cell.open.is_attached = true;
  const Seq seq = record(opened);
  state_.open_hold(seq, cell);
  if (request.idempotency) {
    state_.digests().insert(*request.idempotency, {seq, request.request}, time_ms_);
    put_digest(batch_, seq, {*request.idempotency, request.request, time_ms_});
  }
  ask.answer = Answer::done;
  ask.seq = seq;
}

void Book::extend(HoldCell& cell) {
  HoldCell::Ask& ask = cell.ask;
  for (size_t i = 0; i < cell.open.wallets.size(); ++i)
    if (wallet_refuses(ask, i, cell.open.wallets[i].account->account, amount_at(ask.more, i)))
      return;
  for (size_t i = 0; i < cell.open.budgets.size(); ++i) {
    const HeldBudget& held = cell.open.budgets[i];
    if (budget_refuses(ask, i, held.budget->budget, held.limit, amount_at(ask.more, 0))) return;
  }
  ask.answer = Answer::done;
  ask.seq = grow(cell, ask.more, ExtendCause::asked);
}

Seq Book::grow(HoldCell& cell, const Amounts& more, ExtendCause cause) {
  HoldExtended extended;
  extended.hold = cell.open.seq;
  extended.cause = cause;
  for (size_t i = 0; i < cell.open.wallets.size(); ++i)
    extended.wallets.push_back({cell.open.wallets[i].account->number, amount_at(more, i)});
  extended.budgets = numbers_of(cell.open);
  const Seq seq = record(extended);
  for (size_t i = 0; i < cell.open.wallets.size(); ++i) {
    state_.hold_more(seq, *cell.open.wallets[i].account, amount_at(more, i));
    state_.grow_hold(seq, cell, i, amount_at(more, i));
  }
  for (const HeldBudget& held : cell.open.budgets)
    state_.hold_more(seq, *held.budget, amount_at(more, 0));
  return seq;
}

void Book::resolve(HoldCell::Resolution& resolution) {
  HoldCell& cell = resolution.cell;
  if (resolution.action == HoldCell::Action::detach) {
    cell.open.is_attached = false;  // and the worker has forgotten it: no answer
    return;
  }
  resolution.answer = Answer::done;
  if (!cell.open.is_open) {
    // Its hold was refused; there is nothing to resolve.
  } else if (poisoned_) {
    resolution.answer = Answer::failed;
    close(cell, last_);
  } else if (resolution.action == HoldCell::Action::post) {
    resolution.receipt =
        post(cell, resolution.prices, resolution.cost, resolution.provider, cell.settlement);
  } else {
    resolution.receipt.seq = release(cell, resolution.reason);
  }
  answer(resolution);
}

Money Book::budget_room(const HoldCell& cell) const {
  Money room = kNoLimit;
  for (const HeldBudget& held : cell.open.budgets) {
    const Budget& budget = held.budget->budget;
    room = std::min(room, std::max(Money(), held.limit - budget.spent - budget.held));
  }
  return room;
}

void Book::add_leg(HoldPosted& posted, Seq seq, AccountState& debit, AccountState& credit,
                   Money amount) {
  if (!has_room(debit.account, credit.account, amount)) {
    posted.flags |= kPostLegDropped;
    return;
  }
  const Leg leg{debit.number, credit.number, amount, previous_of(posted, seq, debit),
                previous_of(posted, seq, credit)};
  state_.move(seq, debit, credit, amount);
  posted.legs.push_back(leg);
}

// All of them are there before the record has its number: opening an account takes a number too.
Book::PostSides Book::sides_of(const HoldCell& cell, const SettleShares& shares, Money cost,
                               std::string_view provider) {
  PostSides sides;
  for (size_t i = 0; i < shares.size(); ++i) {
    const Id seller = cell.open.wallets[i].account->account.name.seller;
    PostSides::Wallet side;
    if (!shares[i].paid.is_zero() || !shares[i].missing.is_zero())
      side.sales = &account_of(AccountName::sales_of(seller));
    if (!shares[i].missing.is_zero())
      side.shortfall = &account_of(AccountName::shortfall_of(seller));
    sides.wallets.push_back(side);
  }
  if (!cost.is_zero()) {
    const HeldWallet& nearest = cell.open.wallets[cell.open.wallets.size() - 1];
    const Id platform = nearest.account->account.name.seller;
    sides.cost = &account_of(AccountName::cost_of(platform));
    sides.payable = &account_of(AccountName::payable_to(platform, provider));
  }
  return sides;
}

// Releases one wallet's hold and moves its price: what it pays, and what is short.
void Book::post_wallet(HoldPosted& posted, Seq seq, const HeldWallet& held,
                       const SettleShare& share, const PostSides::Wallet& side) {
  AccountState& wallet = *held.account;
  WalletPost entry{wallet.number, held.amount, share.paid + share.missing, Money()};
  state_.release(seq, wallet, held.amount);
  if (!share.paid.is_zero()) {
    const size_t legs = posted.legs.size();
    add_leg(posted, seq, wallet, *side.sales, share.paid);
    if (posted.legs.size() > legs) entry.paid = share.paid;
  }
  const Money unpaid = entry.price - entry.paid;
  if (!unpaid.is_zero()) {
    posted.flags |= kPostShort;
    if (side.shortfall) add_leg(posted, seq, *side.shortfall, *side.sales, unpaid);
  }
  posted.wallets.push_back(entry);
}

Receipt Book::post(HoldCell& cell, const Amounts& prices, Money cost, std::string_view provider,
                   std::string_view settlement) {
  SmallList<SettleWallet, limits::hold_wallets_max> standing;
  for (size_t i = 0; i < cell.open.wallets.size(); ++i) {
    const HeldWallet& wallet = cell.open.wallets[i];
    standing.push_back({wallet.amount, amount_at(prices, i), wallet.account->account.available()});
  }
  const SettleShares shares = settle(standing.span(), budget_room(cell));
  Amounts more;
  for (const SettleShare& share : shares) more.push_back(share.extended);
  if (std::any_of(more.begin(), more.end(), [](Money m) { return !m.is_zero(); }))
    grow(cell, more, ExtendCause::settlement);
  const PostSides sides = sides_of(cell, shares, cost, provider);

  const Seq seq = next_seq();
  HoldPosted posted;
  posted.hold = cell.open.seq;
  posted.request = cell.request.request;
  posted.tenant = cell.request.tenant;
  posted.key = cell.request.key;
  posted.kind = cell.request.kind;
  posted.budgets = numbers_of(cell.open);
  for (size_t i = 0; i < shares.size(); ++i)
    post_wallet(posted, seq, cell.open.wallets[i], shares[i], sides.wallets[i]);
  if (sides.cost) add_leg(posted, seq, *sides.cost, *sides.payable, cost);
  const WalletPost& first = posted.wallets[0];
  for (const HeldBudget& held : cell.open.budgets)
    state_.release(seq, *held.budget, first.released, first.paid);
  encode(batch_.begin_record(++last_), time_ms_, posted, settlement);
  batch_.end_record();
  MG_ASSERT(last_ == seq);
  MG_ASSERT(first.paid <= first.released && first.paid <= first.price);
  close(cell, seq);
  return {seq, first.paid, first.price - first.paid};
}

Seq Book::release(HoldCell& cell, VoidReason reason) {
  HoldVoided voided;
  voided.hold = cell.open.seq;
  voided.request = cell.request.request;
  voided.reason = reason;
  voided.wallets = shares_of(cell.open);
  voided.budgets = numbers_of(cell.open);
  const Seq seq = record(voided);
  for (const HeldWallet& wallet : cell.open.wallets)
    state_.release(seq, *wallet.account, wallet.amount);
  for (const HeldBudget& held : cell.open.budgets)
    state_.release(seq, *held.budget, cell.open.wallets[0].amount, Money());
  // Nothing was charged, so the same request may be asked again.
  if (cell.request.idempotency && state_.digests().erase(*cell.request.idempotency, cell.open.seq))
    batch_.erase_row(StoreTable::digests, store::NumberKey(cell.open.seq));
  close(cell, seq);
  return seq;
}

void Book::close(HoldCell& cell, Seq seq) {
  MG_ASSERT(seq >= cell.open.seq);
  state_.close_hold(cell);
  if (cell.open.mark_waits) std::erase(marked_, &cell);
  if (cell.open.has_row && !poisoned_)
    batch_.erase_row(StoreTable::holds, store::NumberKey(cell.open.seq));
}

void Book::take_mark(const MarkCommand& command) {
  HoldCell& cell = command.cell;
  if (!cell.open.is_open || poisoned_) return;
  cell.open.mark = command.mark;
  if (!cell.open.mark_waits) marked_.push_back(&cell);
  cell.open.mark_waits = true;
}

void Book::write_marks() {
  for (HoldCell* cell : marked_) {
    cell->open.mark_waits = false;
    const Seq seq = record(HoldMarked{cell->open.seq, *cell->open.mark});
    state_.set_mark(seq, *cell, *cell->open.mark);
  }
  marked_.clear();
}

}  // namespace mg::ledger

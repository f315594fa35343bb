#include "ledger/hold.h"

#include "base/assert.h"
#include "ledger/client.h"
#include "ledger/command.h"
#include "ledger/journal.h"
#include "ledger/rules.h"

namespace mg::ledger {
namespace {

Error error_of(Errc code) {
  switch (code) {
    case Errc::overloaded:
      return {code, "too many records wait for the disk"};
    case Errc::conflict:
      return {code, "the hold is not open"};
    default:
      return {code, "the ledger takes no holds now"};
  }
}

HoldRefusal refusal_of(const HoldCell& cell) {
  HoldRefusal refusal{};
  refusal.reason = cell.ask.reason;
  refusal.short_by = cell.ask.short_by;
  refusal.request = cell.ask.request;
  if (refusal.reason == HoldRefusal::Reason::wallet_short) {
    refusal.wallet_index = cell.ask.index;
    refusal.wallet = cell.request.wallets[cell.ask.index].wallet;
  } else if (refusal.reason == HoldRefusal::Reason::budget_short &&
             cell.ask.index < cell.request.budgets.size()) {
    refusal.budget = cell.request.budgets[cell.ask.index].budget;
  }
  return refusal;
}

}  // namespace

// ---- HoldAwaiter

bool HoldAwaiter::await_ready() const { return !cell_ || !cell_->owner.asking; }

void HoldAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  cell_->owner.ask_waiter = waiter;
}

HoldAwaiter::~HoldAwaiter() {
  if (!cell_) return;
  cell_->owner.ask_waiter = {};
  cell_->owner.client->drop(*cell_);
}

Result<HoldOutcome> HoldAwaiter::await_resume() {
  if (!cell_) return tl::unexpected(std::move(*error_));
  HoldCell* cell = std::exchange(cell_, nullptr);
  if (cell->owner.admitted)
    return Result<HoldOutcome>(tl::in_place, std::in_place_type<Hold>, Hold(cell));
  const bool failed = cell->ask.answer == Answer::failed;
  const Errc code = cell->ask.error;
  HoldRefusal refusal = refusal_of(*cell);
  cell->owner.client->drop(*cell);
  if (failed) return tl::unexpected(error_of(code));
  return Result<HoldOutcome>(tl::in_place, std::in_place_type<HoldRefusal>, std::move(refusal));
}

// ---- ExtendAwaiter

bool ExtendAwaiter::await_ready() const { return !cell_ || !cell_->owner.asking; }

void ExtendAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  cell_->owner.ask_waiter = waiter;
}

ExtendAwaiter::~ExtendAwaiter() {
  if (cell_) cell_->owner.ask_waiter = {};
}

Result<ExtendOutcome> ExtendAwaiter::await_resume() {
  if (!cell_) return tl::unexpected(std::move(*error_));
  const HoldCell& cell = *std::exchange(cell_, nullptr);
  Result<ExtendOutcome> outcome = tl::unexpected(error_of(cell.ask.error));
  if (cell.ask.answer == Answer::done) outcome.emplace(Extended{cell.ask.seq});
  if (cell.ask.answer == Answer::refused) outcome.emplace(refusal_of(cell));
  return outcome;
}

// ---- ResolveAwaiter

bool ResolveAwaiter::await_ready() const { return !cell_ || cell_->owner.resolved; }

void ResolveAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  cell_->owner.resolve_waiter = waiter;
}

ResolveAwaiter::~ResolveAwaiter() {
  if (!cell_) return;
  cell_->owner.resolve_waiter = {};
  cell_->owner.client->drop(*cell_);
}

Result<Receipt> ResolveAwaiter::await_resume() {
  if (!cell_) return tl::unexpected(std::move(*error_));
  HoldCell* cell = std::exchange(cell_, nullptr);
  const Answer answer = cell->resolution.answer;
  const Receipt receipt = cell->resolution.receipt;
  cell->owner.client->drop(*cell);
  if (answer == Answer::failed)
    return fail(Errc::unavailable, "the ledger has stopped: a commit failed");
  return receipt;
}

// ---- Hold

Hold::~Hold() {
  if (cell_) cell_->owner.client->drop(*cell_);
}

Hold& Hold::operator=(Hold&& other) noexcept {
  if (this == &other) return *this;
  if (cell_) cell_->owner.client->drop(*cell_);
  cell_ = std::exchange(other.cell_, nullptr);
  return *this;
}

const Id& Hold::request() const { return cell_->request.request; }
Seq Hold::seq() const { return cell_->owner.seq; }
const Amounts& Hold::amounts() const { return cell_->owner.covers; }
const std::optional<Mark>& Hold::last_mark() const { return cell_->owner.mark; }

DurableAwaiter Hold::durable() { return cell_->owner.client->durable(seq()); }

ExtendAwaiter Hold::extend(const Amounts& more) {
  MG_ASSERT(cell_ && !cell_->owner.resolving);
  if (auto good = check(more, cell_->request.wallets.size()); !good)
    return ExtendAwaiter(std::move(good).error());
  if (cell_->owner.asking)
    return ExtendAwaiter({Errc::conflict, "another extension of this hold is under way"});
  cell_->ask.more = more;
  cell_->owner.client->send_ask(*cell_, CommandKind::extend);
  return ExtendAwaiter(cell_);
}

void Hold::meter(const Mark& mark) {
  MG_ASSERT(cell_ && check(mark.metered, cell_->request.wallets.size()));
  cell_->owner.mark = mark;
}

void Hold::mark(const Mark& mark) {
  meter(mark);
  Client& client = *cell_->owner.client;
  client.gather(*new MarkCommand(*cell_, mark));  // freed by the book
  if (!client.mark_timer_.is_armed()) client.mark_timer_.start_ms(limits::mark_commit_ms);
}

ResolveAwaiter Hold::post(const Settlement& settlement) && {
  HoldCell& cell = *std::exchange(cell_, nullptr);
  Client& client = *cell.owner.client;
  auto prices = prices_of(settlement, cell.request.wallets.size());
  if (!prices) {
    client.drop(cell);
    return ResolveAwaiter(std::move(prices).error());
  }
  client.scratch_.clear();
  encode_settlement(client.scratch_, settlement);
  cell.settlement.assign(client.scratch_);
  cell.resolution.action = HoldCell::Action::post;
  cell.resolution.prices = *prices;
  cell.resolution.cost = settlement.cost;
  cell.resolution.provider = settlement.provider;
  client.send_resolution(cell);
  return ResolveAwaiter(&cell);
}

ResolveAwaiter Hold::release(VoidReason reason) && {
  HoldCell& cell = *std::exchange(cell_, nullptr);
  cell.resolution.action = HoldCell::Action::release;
  cell.resolution.reason = reason;
  cell.owner.client->send_resolution(cell);
  return ResolveAwaiter(&cell);
}

void Hold::keep() {
  MG_ASSERT(cell_->request.kind == HoldKind::task);
  cell_->owner.keep = true;
}

}  // namespace mg::ledger

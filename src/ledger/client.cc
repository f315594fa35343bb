#include "ledger/client.h"

#include <memory>

#include "base/assert.h"
#include "ledger/call.h"
#include "ledger/command.h"
#include "ledger/engine.h"
#include "ledger/ledger.h"
#include "ledger/rules.h"

namespace mg::ledger {

Client::Client(Ledger& ledger, event::Loop& loop)
    : ledger_(ledger),
      loop_(loop),
      port_(ledger.engine().add_port(std::make_unique<Port>(loop, [this] { on_wake(); }))),
      mark_timer_(event::Timer::calling<&Client::on_mark_due>(loop.timers(), this)) {
  loop.at_turn_end(*this);
}

Client::~Client() {
  MG_ASSERT(cells_owned_ == 0 && !first_waiter_);
  port_->close();
  gather(*new LeaveCommand);  // freed by the book, and the port with it
  flush();
  ledger_.engine().start_commit();
}

HoldAwaiter Client::hold(HoldRequest request) {
  if (auto good = check(request); !good) return HoldAwaiter(std::move(good).error());
  if (is_full()) return HoldAwaiter({Errc::overloaded, "too many commands of this worker wait"});
  auto* cell = new HoldCell;  // freed when its last command has come back: free_if_idle
  cell->request = std::move(request);
  cell->owner.client = this;
  cell->owner.is_owned = true;
  for (const WalletClaim& claim : cell->request.wallets) cell->owner.covers.push_back(claim.amount);
  ++cells_owned_;
  send_ask(*cell, CommandKind::hold);
  return HoldAwaiter(cell);
}

std::shared_ptr<const WalletView> Client::wallet_view(const AccountName& wallet) {
  return ledger_.wallet_view(wallet);
}

Seq Client::durable_seq() const { return ledger_.engine().progress().durable.load(); }

// ---- to the book

void Client::gather(Command& command) {
  command.port = port_;
  gathered_.push_back(&command);
  if (!nudge_.is_linked()) loop_.defer(nudge_);
}

void Client::on_turn_end() {
  if (gathered_.empty()) return;
  port_->set_sending(true);
  flush();
  port_->set_sending(false);
  on_wake();  // usually there: the book judged on this very thread
  ledger_.engine().start_commit();
}

void Client::flush() {
  if (!gathered_.empty()) ledger_.engine().inbox().post_all(gathered_);
}

void Client::send(Call& call) {
  ++outstanding_;
  gather(call);
}

void Client::send_ask(HoldCell& cell, CommandKind kind) {
  cell.ask.kind = kind;
  cell.ask.answer = Answer::none;
  cell.owner.asking = true;
  ++cell.owner.under_way;
  ++outstanding_;
  gather(cell.ask);
}

void Client::send_resolution(HoldCell& cell) {
  MG_ASSERT(!cell.owner.resolving);
  cell.owner.resolving = true;
  ++cell.owner.under_way;
  gather(cell.resolution);
}

void Client::on_mark_due() { gather(*new FlushCommand); }  // freed by the book

// ---- from the book

void Client::on_wake() {
  port_->answers().take(answers_);
  for (Command* command : answers_) complete(*command);
  answers_.clear();
  wake_durable();
}

void Client::complete(Command& command) {
  switch (command.kind) {
    case CommandKind::hold:
    case CommandKind::extend:
      return complete_ask(static_cast<HoldCell::Ask&>(command).cell);
    case CommandKind::resolve:
      return complete_resolution(static_cast<HoldCell::Resolution&>(command).cell);
    case CommandKind::call:
      return complete(static_cast<Call&>(command));
    case CommandKind::mark:
    case CommandKind::flush:
    case CommandKind::leave:
      break;
  }
  MG_ASSERT(false && "the book returns nothing else");
}

void Client::complete(Call& call) {
  --outstanding_;
  call.is_answered = true;
  if (call.is_abandoned) {
    const std::unique_ptr<Call> freed(&call);
    if (call.adopted) const Hold handed_back = take_up(*call.adopted);
    return;
  }
  if (call.waiter) call.waiter.resume();
}

void Client::complete_ask(HoldCell& cell) {
  HoldCell::Owner& owner = cell.owner;
  --outstanding_;
  --owner.under_way;
  owner.asking = false;
  if (cell.ask.answer == Answer::done) {
    if (cell.ask.kind == CommandKind::hold) {
      owner.admitted = true;
      owner.seq = cell.ask.seq;
    } else {
      for (size_t i = 0; i < cell.ask.more.size(); ++i) owner.covers[i] += cell.ask.more[i];
    }
  }
  if (!owner.is_owned) return free_if_idle(cell);
  if (owner.ask_waiter) std::exchange(owner.ask_waiter, {}).resume();
}

void Client::complete_resolution(HoldCell& cell) {
  --cell.owner.under_way;
  cell.owner.resolved = true;
  if (!cell.owner.is_owned) return free_if_idle(cell);
  if (cell.owner.resolve_waiter) std::exchange(cell.owner.resolve_waiter, {}).resume();
}

void Client::drop(HoldCell& cell) {
  HoldCell::Owner& owner = cell.owner;
  MG_ASSERT(owner.is_owned);
  owner.is_owned = false;
  --cells_owned_;
  const bool may_be_open = owner.admitted || owner.asking;
  if (may_be_open && !owner.resolving && !owner.keep) {
    if (owner.mark) {
      Settlement unsettled;
      unsettled.source = UsageSource::marked;
      unsettled.outcome = Outcome::dropped;
      unsettled.status = 0;
      scratch_.clear();
      encode_settlement(scratch_, unsettled);
      cell.settlement.assign(scratch_);
      cell.resolution.action = HoldCell::Action::post;
      cell.resolution.prices = owner.mark->metered;
    } else {
      cell.resolution.action = HoldCell::Action::release;
      cell.resolution.reason = VoidReason::dropped;
    }
    send_resolution(cell);
  }
  free_if_idle(cell);
}

void Client::free_if_idle(HoldCell& cell) {
  if (cell.owner.under_way > 0 || cell.owner.is_owned) return;
  if (cell.owner.keep && !cell.owner.resolving) {
    cell.resolution.action = HoldCell::Action::detach;
    gather(cell.resolution);  // the book has the cell to itself from then on
    return;
  }
  const std::unique_ptr<HoldCell> freed(&cell);
}

Hold Client::take_up(HoldCell& cell) {
  cell.owner = HoldCell::Owner();
  cell.owner.client = this;
  cell.owner.seq = cell.open.seq;
  for (const HeldWallet& wallet : cell.open.wallets) cell.owner.covers.push_back(wallet.amount);
  cell.owner.mark = cell.open.mark;
  cell.owner.is_owned = true;
  cell.owner.admitted = true;
  cell.owner.keep = true;
  ++cells_owned_;
  return Hold(&cell);
}

// ---- gates

bool Client::wait_durable(DurableAwaiter& awaiter) {
  DurableAwaiter* before = last_waiter_;
  while (before && before->seq_ > awaiter.seq_) before = before->previous_;
  DurableAwaiter* after = before ? before->next_ : first_waiter_;
  awaiter.previous_ = before;
  awaiter.next_ = after;
  (before ? before->next_ : first_waiter_) = &awaiter;
  (after ? after->previous_ : last_waiter_) = &awaiter;
  awaiter.waiting_ = true;
  // Announced first and looked at afterwards, so that no commit in between goes unnoticed.
  port_->awaited().store(first_waiter_->seq_);
  if (!awaiter.await_ready()) return true;
  unlink(awaiter);
  return false;
}

void Client::unlink(DurableAwaiter& awaiter) {
  (awaiter.previous_ ? awaiter.previous_->next_ : first_waiter_) = awaiter.next_;
  (awaiter.next_ ? awaiter.next_->previous_ : last_waiter_) = awaiter.previous_;
  awaiter.next_ = awaiter.previous_ = nullptr;
  awaiter.waiting_ = false;
}

void Client::wake_durable() {
  do {
    while (first_waiter_ && first_waiter_->await_ready()) {
      DurableAwaiter& awaiter = *first_waiter_;
      unlink(awaiter);
      awaiter.waiter_.resume();
    }
    port_->awaited().store(first_waiter_ ? first_waiter_->seq_ : UINT64_MAX);
  } while (first_waiter_ && first_waiter_->await_ready());
}

DurableAwaiter::~DurableAwaiter() {
  if (waiting_) client_.unlink(*this);
}

bool DurableAwaiter::await_ready() const {
  const Progress& progress = client_.ledger().engine().progress();
  return progress.durable.load() >= seq_ || progress.poisoned.load();
}

bool DurableAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  return client_.wait_durable(*this);
}

Result<> DurableAwaiter::await_resume() const {
  if (client_.durable_seq() >= seq_) return {};
  return fail(Errc::unavailable, "the ledger has stopped: a commit failed");
}

}  // namespace mg::ledger

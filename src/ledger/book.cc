#include "ledger/book.h"

#include <algorithm>

#include "base/assert.h"
#include "ledger/port.h"
#include "ledger/rows.h"
#include "ledger/rules.h"
#include "store/codec.h"

namespace mg::ledger {
namespace {

constexpr int64_t kBudgetSweepNs = 3600 * kNsPerS;

}  // namespace

Book::Book(BookParts parts, BookOptions options, Seq last, int64_t last_time_ms)
    : clock_(parts.clock),
      env_(parts.env),
      state_(parts.state),
      buffer_(parts.buffer),
      disk_(parts.disk),
      progress_(parts.progress),
      options_(options),
      last_(last),
      time_ms_(last_time_ms) {}

bool Book::round(std::vector<Command*>& commands, std::vector<Port*>& gone) {
  begin_round();
  for (Command* command : commands) judge(*command, gone);
  commands.clear();
  const bool handed_over = end_round();
  for (Port* port : answering_) port->answers().post_all(port->round_answers());
  answering_.clear();
  return handed_over;
}

void Book::begin_round() {
  // The journal's time never goes back, whatever the clock does.
  time_ms_ = std::max(time_ms_, clock_.wall_ms());
  poisoned_ = progress_.poisoned.load(std::memory_order_relaxed);
  looked_whether_closed_ = false;
  if (recent_transfers_.empty()) return;
  const Seq durable = progress_.durable.load();
  std::erase_if(recent_transfers_, [&](const auto& t) { return t.second.seq <= durable; });
}

void Book::judge(Command& command, std::vector<Port*>& gone) {
  switch (command.kind) {
    case CommandKind::hold:
    case CommandKind::extend:
      ask(static_cast<HoldCell::Ask&>(command));
      return answer(command);
    case CommandKind::resolve:
      return resolve(static_cast<HoldCell::Resolution&>(command));
    case CommandKind::mark: {
      const std::unique_ptr<MarkCommand> mark(&static_cast<MarkCommand&>(command));
      return take_mark(*mark);
    }
    case CommandKind::flush: {
      const std::unique_ptr<FlushCommand> freed(&static_cast<FlushCommand&>(command));
      if (!poisoned_) write_marks();
      return;
    }
    case CommandKind::call: {
      auto& call = static_cast<Call&>(command);
      if (poisoned_ && call.effect == Call::Effect::writes) {
        call.fail({Errc::unavailable, "the ledger has stopped"});
      } else {
        call.judge(*this);
      }
      return answer(command);
    }
    case CommandKind::leave: {
      gone.push_back(command.port);
      const std::unique_ptr<LeaveCommand> freed(&static_cast<LeaveCommand&>(command));
      return;
    }
  }
}

void Book::answer(Command& command) {
  std::vector<Command*>& answers = command.port->round_answers();
  if (answers.empty()) answering_.push_back(command.port);
  answers.push_back(&command);
}

bool Book::end_round() {
  state_.refresh_views();
  progress_.open_holds.store(state_.open_holds().size(), std::memory_order_relaxed);
  progress_.accounts.store(state_.account_count(), std::memory_order_relaxed);
  if (batch_.record_count() == 0) {
    MG_ASSERT(batch_.empty());
    return false;
  }
  write_marks();
  purge();
  checkpoint();
  batch_.set_head({last_, state_.replay_from(last_), state_.next_budget(), epoch_, time_ms_});
  progress_.ordered.store(last_, std::memory_order_relaxed);
  return buffer_.add(batch_);
}

// The rows of the oldest changes, a few in each commit, so that a start never has much more than
// `replay_records_goal` records to read again, and busy accounts are not written each time.
void Book::checkpoint() {
  event::LinkList& dirty = state_.dirty();
  size_t rows = buffer_.checkpoint_rows();
  while (!dirty.empty() && rows < limits::dirty_accounts_per_commit) {
    auto& oldest = static_cast<Dirty&>(*dirty.front());
    if (oldest.dirty_since + options_.replay_records_goal > last_) break;
    switch (oldest.what) {
      case Dirty::What::account:
        put_account(batch_, static_cast<AccountState&>(oldest));
        break;
      case Dirty::What::budget:
        put_budget(batch_, static_cast<BudgetState&>(oldest));
        break;
      case Dirty::What::hold: {
        HoldCell& cell = *static_cast<OpenHold&>(oldest).cell;
        put_hold(batch_, cell);
        cell.open.has_row = true;
        break;
      }
    }
    oldest.unlink();
    batch_.count_checkpoint_row();
    ++rows;
  }
}

// Digests live a day. Budgets go a day after nobody can ask for them, by a clock that cannot jump:
// were they gone at once, a clock set forward and back would open them anew.
void Book::purge() {
  state_.digests().purge(time_ms_, [this](Seq hold) {
    batch_.erase_row(StoreTable::digests, store::NumberKey(hold));
  });
  const int64_t now_ns = clock_.monotonic_ns();
  if (now_ns < next_budget_sweep_ns_) return;
  next_budget_sweep_ns_ = now_ns + kBudgetSweepNs;
  const int64_t wall_ms = clock_.wall_ms();
  std::vector<BudgetState*> forgotten;
  for (const auto& [key, budget] : state_.budgets()) {
    const bool idle = budget->keep_until_ms != 0 && budget->keep_until_ms < wall_ms &&
                      budget->budget.held.is_zero();
    if (!idle) {
      budget->expired_since_ns = 0;
    } else if (budget->expired_since_ns == 0) {
      budget->expired_since_ns = std::max<int64_t>(1, now_ns);
    } else if (now_ns - budget->expired_since_ns >= limits::budget_forget_ms * kNsPerMs) {
      forgotten.push_back(budget.get());
    }
  }
  std::sort(forgotten.begin(), forgotten.end(),
            [](const BudgetState* a, const BudgetState* b) { return a->number < b->number; });
  for (BudgetState* budget : forgotten) {
    record(BudgetForgotten{budget->number});
    batch_.erase_row(StoreTable::budgets, store::NumberKey(budget->number));
    state_.forget_budget(*budget);
  }
}

AccountState& Book::account_of(const AccountName& name) {
  if (AccountState* account = state_.find(name)) return *account;
  const AccountOpened opened{static_cast<AccountNumber>(state_.account_count() + 1), name, Money()};
  AccountState& account = state_.open_account(record(opened), opened);
  put_account(batch_, account);
  return account;
}

BudgetState& Book::budget_of(const BudgetClaim& claim) {
  if (BudgetState* budget = state_.find(claim.budget)) return *budget;
  const BudgetOpened opened{state_.next_budget(), claim.budget.name, claim.budget.period,
                            claim.keep_until_ms};
  BudgetState& budget = state_.open_budget(record(opened), opened);
  put_budget(batch_, budget);
  return budget;
}

Book::Recovered Book::begin_epoch(uint64_t epoch) {
  begin_round();
  epoch_ = epoch;
  record(Boot{epoch});
  Recovered recovered;
  Settlement unsettled;
  unsettled.source = UsageSource::marked;
  unsettled.outcome = Outcome::recovered;
  unsettled.status = 0;
  std::string bytes;
  encode_settlement(bytes, unsettled);
  for (HoldCell* cell : state_.open_holds().sorted()) {
    MG_ASSERT(cell->open.epoch < epoch && !cell->open.is_attached);
    if (cell->request.kind != HoldKind::request) continue;
    const std::unique_ptr<HoldCell> freed(cell);
    if (cell->open.mark) {
      post(*cell, cell->open.mark->metered, Money(), {}, bytes);
      ++recovered.posted;
    } else {
      release(*cell, VoidReason::recovered);
      ++recovered.voided;
    }
  }
  end_round();
  return recovered;
}

}  // namespace mg::ledger

// The ledger as one worker uses it. Commands are gathered during a turn of the loop and go to the
// book in one batch at its end; answers come back with one wake-up per round of the book.
//
// One per loop, used and destroyed on the loop's thread, after every Hold, awaiter and Task of it.
// What was sent before it went is still carried out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "event/loop.h"
#include "event/task.h"
#include "ledger/hold.h"
#include "ledger/queries.h"
#include "ledger/types.h"
#include "ledger/wallet_view.h"

namespace mg::ledger {

class Ledger;
class Port;
struct Call;
struct Command;
enum class CommandKind : uint8_t;

class Client final : private event::TurnEnd {
 public:
  Client(Ledger& ledger, event::Loop& loop);
  ~Client();

  // Judged in order, answered at once, durable later (Hold::durable).
  // Errors: unavailable, when the ledger has stopped or the disk is low: nothing was asked of any
  // wallet. overloaded, when too much waits already. invalid, for a request out of its bounds.
  HoldAwaiter hold(HoldRequest request);

  DurableAwaiter durable(Seq seq) { return DurableAwaiter(*this, seq); }

  // Moves money within one seller's book. Answered when it is durable.
  // Errors: unavailable, overloaded; invalid for an amount that is not positive, accounts of two
  // books, an account to itself, or text out of its bounds; too_large for a balance beyond int64.
  event::Task<Result<TransferOutcome>> transfer(TransferRequest request);

  // The lowest a wallet may go; a credit limit is negative. Opens the account if it is new.
  // Answered when durable. Errors: as transfer; refused, when less than that is available now.
  event::Task<Result<Account>> set_floor(AccountName wallet, Money floor);

  // Changes records in one commit, all or none. Answered when durable, with the last number.
  // Errors: unavailable, overloaded; invalid for names or values out of their bounds.
  event::Task<Result<Seq>> change(std::vector<RecordChange> changes);
  event::Task<Result<Seq>> put(std::string table, std::string key, std::string value);
  event::Task<Result<Seq>> erase(std::string table, std::string key);

  // As of all commands before this one, durable or not. Errors: overloaded; not_found.
  event::Task<Result<Account>> account(AccountName name);
  event::Task<Result<AccountPage>> accounts(AccountQuery query);
  event::Task<Result<Budget>> budget(BudgetName name);
  event::Task<Result<std::vector<OpenHoldView>>> open_holds();

  // Takes up an open task hold that nobody has in hand. It stays kept.
  // Errors: overloaded; not_found; conflict, when somebody has it in hand.
  event::Task<Result<Hold>> adopt(Id request);

  // Never null. Thread-safe, but takes a mutex: keep what it returns.
  std::shared_ptr<const WalletView> wallet_view(const AccountName& wallet);

  Seq durable_seq() const;
  Ledger& ledger() { return ledger_; }

 private:
  friend class DurableAwaiter;
  friend class HoldAwaiter;
  friend class ExtendAwaiter;
  friend class ResolveAwaiter;
  friend class Hold;
  template <class Job>
  friend class CallAwaiter;

  // Keeps the loop from sleeping on commands that were gathered after its turn's end.
  struct Nudge final : event::Deferred {
    void run() override {}
  };

  void on_turn_end() override;
  void on_wake();
  void on_mark_due();
  bool is_full() const { return outstanding_ >= limits::ledger_commands_max; }
  void gather(Command& command);
  void send(Call& call);
  void send_ask(HoldCell& cell, CommandKind kind);
  void send_resolution(HoldCell& cell);
  void flush();

  void complete(Command& command);
  void complete(Call& call);
  void complete_ask(HoldCell& cell);
  void complete_resolution(HoldCell& cell);
  // The owner of the cell is gone: resolves the hold if nobody has, and frees the cell once nothing
  // is under way for it.
  void drop(HoldCell& cell);
  void free_if_idle(HoldCell& cell);
  Hold take_up(HoldCell& cell);

  bool wait_durable(DurableAwaiter& awaiter);
  void unlink(DurableAwaiter& awaiter);
  void wake_durable();

  Ledger& ledger_;
  event::Loop& loop_;
  Port* port_;  // the ledger's; freed by the book once it has seen the last command
  std::vector<Command*> gathered_;
  std::vector<Command*> answers_;  // taken, being handed out
  std::string scratch_;
  size_t outstanding_ = 0;
  size_t cells_owned_ = 0;
  DurableAwaiter* first_waiter_ = nullptr;  // by rising number
  DurableAwaiter* last_waiter_ = nullptr;
  event::Timer mark_timer_;
  Nudge nudge_;
};

}  // namespace mg::ledger

// The book: judges commands in the order they come, against the balances in memory, numbers what it
// admits, answers at once, and hands the records on to be made durable. Nobody else changes a
// balance, so there is nothing to race with: 500 holds on a wallet that can pay 10 are 10 yes and
// 490 no.
//
// A round is everything that waited: all of it is judged, its records go to the committer together,
// and each client is woken once. One thread at a time: one of those that send (Engine::judge), or
// the inline driver's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/command.h"
#include "ledger/committer.h"
#include "ledger/disk.h"
#include "ledger/progress.h"
#include "ledger/rules.h"
#include "ledger/state.h"
#include "store/env.h"

namespace mg::ledger {

struct BookOptions {
  uint64_t replay_records_goal = limits::replay_records_goal;
  size_t backlog_bytes_max = limits::commit_backlog_bytes_max;
};

// What the book needs of the rest.
struct BookParts {
  Clock& clock;
  store::Env& env;  // read for the ids of old transfers, which memory does not keep
  State& state;
  CommitBuffer& buffer;
  DiskGuard& disk;
  Progress& progress;
};

class Book {
 public:
  // Goes on behind `last`, the last record of the state.
  Book(BookParts parts, BookOptions options, Seq last, int64_t last_time_ms);

  // Opens a new epoch: says so in the journal, then posts or voids the request holds of the epochs
  // before. Once, before the first round.
  struct Recovered {
    size_t posted = 0;
    size_t voided = 0;
  };
  Recovered begin_epoch(uint64_t epoch);

  // One round. True when records were handed to the committer and nothing had waited there. Ports
  // that have left are handed to `gone`, after their last answers.
  bool round(std::vector<Command*>& commands, std::vector<Port*>& gone);

  // ---- what calls do (client.h says what of), within a round
  Result<TransferOutcome> transfer(const TransferRequest& request);
  struct FloorAnswer {
    Account account;
    Seq seq;
  };
  Result<FloorAnswer> set_floor(const AccountName& wallet, Money floor);
  Result<Seq> change(const std::vector<RecordChange>& changes);
  State& state() { return state_; }  // to ask of (queries.h)
  Result<HoldCell*> adopt(const Id& request);

 private:
  void begin_round();
  bool end_round();
  void judge(Command& command, std::vector<Port*>& gone);
  void answer(Command& command);

  // Holds (book_holds.cc).
  void ask(HoldCell::Ask& ask);
  std::optional<Errc> closed_for_holds();
  void admit(HoldCell& cell);
  void extend(HoldCell& cell);
  void resolve(HoldCell::Resolution& resolution);
  Receipt post(HoldCell& cell, const Amounts& prices, Money cost, std::string_view provider,
               std::string_view settlement);
  // The accounts a settlement moves money between.
  struct PostSides {
    struct Wallet {
      AccountState* sales = nullptr;
      AccountState* shortfall = nullptr;
    };
    SmallList<Wallet, limits::hold_wallets_max> wallets;
    AccountState* cost = nullptr;
    AccountState* payable = nullptr;
  };
  PostSides sides_of(const HoldCell& cell, const SettleShares& shares, Money cost,
                     std::string_view provider);
  void post_wallet(HoldPosted& posted, Seq seq, const HeldWallet& held, const SettleShare& share,
                   const PostSides::Wallet& side);
  Seq release(HoldCell& cell, VoidReason reason);
  Seq grow(HoldCell& cell, const Amounts& more, ExtendCause cause);
  void close(HoldCell& cell, Seq seq);
  void take_mark(const MarkCommand& command);
  void write_marks();
  Money budget_room(const HoldCell& cell) const;
  void add_leg(HoldPosted& posted, Seq seq, AccountState& debit, AccountState& credit,
               Money amount);

  // Names become accounts and budgets by their first use.
  AccountState& account_of(const AccountName& name);
  BudgetState& budget_of(const BudgetClaim& claim);

  // Transfers (book_calls.cc).
  Result<std::optional<TransferOutcome>> repeated(const TransferRequest& request);
  Result<std::optional<TransferRefusal>> judge_reversal(const TransferRequest& request);
  // The number an id of the table `transfers` has, waiting commits included; 0 for none.
  Result<Seq> seq_of_transfer(std::string_view id);
  struct PastTransfer {
    TransferKind kind;
    AccountName debit;
    AccountName credit;
    Money amount;
  };
  // Nothing, where the record is no transfer or not durable yet.
  Result<std::optional<PastTransfer>> transfer_at(Seq seq);

  // Appends a record under the next number.
  template <class R>
  Seq record(const R& r) {
    encode(batch_.begin_record(++last_), time_ms_, r);
    batch_.end_record();
    return last_;
  }
  Seq next_seq() const { return last_ + 1; }

  void checkpoint();
  void purge();

  Clock& clock_;
  store::Env& env_;
  State& state_;
  CommitBuffer& buffer_;
  DiskGuard& disk_;
  Progress& progress_;
  const BookOptions options_;
  uint64_t epoch_ = 0;
  Seq last_;
  int64_t time_ms_;
  bool poisoned_ = false;       // as seen at the beginning of the round
  std::optional<Errc> closed_;  // to holds in this round, once somebody asked
  bool looked_whether_closed_ = false;
  CommitBatch batch_;              // of this round
  std::vector<Port*> answering_;   // with answers in this round
  std::vector<HoldCell*> marked_;  // whose marks wait for a commit
  int64_t next_budget_sweep_ns_ = 0;
  // Transfers that may not be in the store yet, by the keys they will have there.
  struct RecentTransfer {
    Seq seq;
    PastTransfer transfer;
  };
  std::unordered_map<std::string, RecentTransfer> recent_transfers_;
};

}  // namespace mg::ledger

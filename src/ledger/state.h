// The balances in memory: accounts, budgets, open holds, idempotency digests. The book judges by
// them and a start rebuilds them, and both change them through the same few steps below, each of
// which belongs to a numbered record.
//
// A thing that was loaded as of some record must not feel that record a second time: every step is
// skipped where the thing has seen the number already. So a replay may begin anywhere before the
// oldest change that no row in the store has yet, and `replay_from` is that place.
//
// One thread at a time: who has the book.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "event/loop.h"
#include "ledger/journal.h"
#include "ledger/types.h"
#include "ledger/wallet_view.h"

namespace mg::ledger {

struct HoldCell;

// Something whose newest state no row in the store has.
struct Dirty : event::Link {
  enum class What : uint8_t { account, budget, hold };
  explicit Dirty(What w) : what(w) {}
  const What what;
  Seq dirty_since = 0;  // the first change that is missing there
  Seq as_of = 0;        // the last change it has felt
};

struct AccountState : Dirty {
  AccountState() : Dirty(What::account) {}
  AccountNumber number = 0;
  Account account;
  Seq last_entry = 0;  // the last record that moved the balance
  std::shared_ptr<WalletView> view;
  bool view_is_stale = false;
};

struct BudgetState : Dirty {
  BudgetState() : Dirty(What::budget) {}
  BudgetNumber number = 0;
  Budget budget;
  int64_t keep_until_ms = 0;
  int64_t expired_since_ns = 0;  // by the monotonic clock; 0 while it is in use
};

struct HeldWallet {
  AccountState* account = nullptr;
  Money amount;
};
struct HeldBudget {
  BudgetState* budget = nullptr;
  Money limit;
};

// The book's side of a hold; the rest of its object belongs to a worker (command.h).
struct OpenHold : Dirty {
  explicit OpenHold(HoldCell& c) : Dirty(What::hold), cell(&c) {}
  HoldCell* const cell;  // it is part of
  Seq seq = 0;
  uint64_t epoch = 0;
  int64_t time_ms = 0;
  SmallList<HeldWallet, limits::hold_wallets_max> wallets;
  std::vector<HeldBudget> budgets;  // usually none
  std::optional<Mark> mark;
  HoldCell* next_in_bucket = nullptr;
  bool is_open = false;
  bool is_attached = false;  // a worker has it in hand
  bool has_row = false;      // the store has, or a commit on its way will put, a row of it
  bool mark_waits = false;   // its mark is not in the journal yet
};

// The open holds by request id, chained through their own objects.
class OpenHolds {
 public:
  OpenHolds() : buckets_(64) {}
  HoldCell* find(const Id& request) const;
  void insert(HoldCell& cell);
  void remove(HoldCell& cell);
  size_t size() const { return size_; }
  // By rising number.
  std::vector<HoldCell*> sorted() const;

 private:
  size_t bucket_of(const Id& request) const {
    return std::hash<Id>()(request) & (buckets_.size() - 1);
  }
  void grow();
  std::vector<HoldCell*> buckets_;  // a power of two
  size_t size_ = 0;
};

// Digests of holds that are open or were charged, for digest_keep_ms.
class Digests {
 public:
  struct Use {
    Seq hold = 0;
    Id request;
  };
  const Use* find(const Digest& digest) const;
  void insert(const Digest& digest, const Use& use, int64_t time_ms);
  // Removes the use by this hold, if it is still there; false if not.
  bool erase(const Digest& digest, Seq hold);
  // Removes what is too old or too much; calls with the hold of each.
  template <class F>
  void purge(int64_t now_ms, F&& forgotten) {
    while (!ages_.empty() && (ages_.front().time_ms + limits::digest_keep_ms <= now_ms ||
                              uses_.size() > limits::digests_max)) {
      const Age age = ages_.front();
      ages_.pop_front();
      if (erase(age.digest, age.hold)) forgotten(age.hold);
    }
  }
  size_t size() const { return uses_.size(); }

 private:
  struct Hash {
    size_t operator()(const Digest& digest) const {
      size_t h;  // a digest is as random as it gets
      std::memcpy(&h, digest.data(), sizeof h);
      return h;
    }
  };
  struct Age {
    int64_t time_ms;
    Seq hold;
    Digest digest;
  };
  std::unordered_map<Digest, Use, Hash> uses_;
  std::deque<Age> ages_;
};

class State {
 public:
  explicit State(WalletViews& views) : views_(views) {}
  ~State();  // with every hold that no worker has in hand
  State(const State&) = delete;

  // ---- looking

  AccountState* find(const AccountName& name);
  AccountState* find(AccountNumber number);
  BudgetState* find(const BudgetName& name);
  BudgetState* find_budget(BudgetNumber number);
  size_t account_count() const { return accounts_.size(); }
  const std::unordered_map<std::string, std::unique_ptr<BudgetState>>& budgets() const {
    return budgets_;
  }
  OpenHolds& open_holds() { return open_holds_; }
  Digests& digests() { return digests_; }
  BudgetNumber next_budget() const { return next_budget_; }

  // ---- the steps of records

  AccountState& open_account(Seq seq, const AccountOpened& record);
  void set_floor(Seq seq, AccountState& account, Money floor);
  void move(Seq seq, AccountState& debit, AccountState& credit, Money amount);
  BudgetState& open_budget(Seq seq, const BudgetOpened& record);
  void forget_budget(BudgetState& budget);
  // The cell's wallets and budgets are filled in; puts it among the open ones.
  void open_hold(Seq seq, HoldCell& cell);
  void hold_more(Seq seq, AccountState& account, Money amount);
  void hold_more(Seq seq, BudgetState& budget, Money amount);
  void release(Seq seq, AccountState& account, Money amount);
  void release(Seq seq, BudgetState& budget, Money released, Money spent);
  void grow_hold(Seq seq, HoldCell& cell, size_t wallet, Money amount);
  void set_mark(Seq seq, HoldCell& cell, const Mark& mark);
  // Out of the open ones; the cell itself stays.
  void close_hold(HoldCell& cell);

  // ---- loading rows (recovery)

  AccountState& load_account(AccountNumber number, const Account& account, Seq as_of,
                             Seq last_entry);
  BudgetState& load_budget(BudgetNumber number, const Budget& budget, int64_t keep_until_ms,
                           Seq as_of);
  void load_hold(std::unique_ptr<HoldCell> cell);
  void set_next_budget(BudgetNumber next) { next_budget_ = std::max(next_budget_, next); }

  // ---- the checkpoint

  // What no row has, by the age of its first missing change.
  event::LinkList& dirty() { return dirty_; }
  // Where a replay has to begin when `last` is the last record.
  Seq replay_from(Seq last);
  // Tells the views of all accounts that changed since the last time.
  void refresh_views();

 private:
  bool feels(Seq seq, Dirty& thing);
  void changed(AccountState& account);

  struct NameHash {
    using is_transparent = void;
    size_t operator()(const AccountName& name) const;
    size_t operator()(const AccountState* state) const { return (*this)(state->account.name); }
  };
  struct NameEqual {
    using is_transparent = void;
    static const AccountName& of(const AccountName& name) { return name; }
    static const AccountName& of(const AccountState* state) { return state->account.name; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return of(a) == of(b);
    }
  };

  WalletViews& views_;
  event::LinkList dirty_;  // outlives what it links
  std::deque<AccountState> accounts_;
  std::unordered_set<AccountState*, NameHash, NameEqual> by_name_;
  std::unordered_map<std::string, std::unique_ptr<BudgetState>> budgets_;  // by name and period
  std::unordered_map<BudgetNumber, BudgetState*> budgets_by_number_;
  OpenHolds open_holds_;
  Digests digests_;
  BudgetNumber next_budget_ = 1;
  std::vector<AccountState*> stale_views_;
};

}  // namespace mg::ledger

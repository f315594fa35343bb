#include "ledger/recovery.h"

#include "ledger/command.h"
#include "ledger/rows.h"
#include "store/codec.h"
#include "store/txn.h"

namespace mg::ledger {
namespace {

// Calls `use` with each row of a table.
template <class F>
Result<> each_row(store::Env& env, const store::ReadTxn& txn, StoreTable table, F&& use) {
  MG_TRY(store::Cursor cursor, txn.cursor(table_of(env, table)));
  MG_TRY(bool there, cursor.first());
  while (there) {
    MG_CHECK(use(cursor.key(), cursor.value()));
    MG_TRY(there, cursor.next());
  }
  return {};
}

Result<> load_rows(store::Env& env, const store::ReadTxn& txn, State& state) {
  MG_CHECK(each_row(env, txn, StoreTable::accounts,
                    [&](std::string_view key, std::string_view value) -> Result<> {
                      MG_TRY(const AccountRow row, read_account(key, value));
                      if (row.number != state.account_count() + 1)
                        return fail(Errc::invalid, "the row of account " +
                                                       std::to_string(state.account_count() + 1) +
                                                       " is missing");
                      state.load_account(row.number, row.account, row.as_of, row.last_entry);
                      return {};
                    }));
  MG_CHECK(each_row(env, txn, StoreTable::budgets,
                    [&](std::string_view key, std::string_view value) -> Result<> {
                      MG_TRY(const BudgetRow row, read_budget(key, value));
                      state.load_budget(row.number, row.budget, row.keep_until_ms, row.as_of);
                      return {};
                    }));
  MG_CHECK(each_row(env, txn, StoreTable::digests,
                    [&](std::string_view key, std::string_view value) -> Result<> {
                      MG_TRY(const Seq hold, store::number_of(key));
                      MG_TRY(const DigestRow row, read_digest(value));
                      state.digests().insert(row.digest, {hold, row.request}, row.time_ms);
                      return {};
                    }));
  return each_row(env, txn, StoreTable::holds,
                  [&](std::string_view key, std::string_view value) -> Result<> {
                    MG_TRY(auto cell, read_hold(key, value, state));
                    state.load_hold(std::move(cell));
                    return {};
                  });
}

}  // namespace

// What one record does, kind by kind.
class Replay::Step {
 public:
  Step(const Entry& entry, Replay& replay)
      : seq_(entry.seq), time_ms_(entry.time_ms), state_(replay.state_), holds_(replay.holds_) {}

  Result<> operator()(const Boot&) { return {}; }

  Result<> operator()(const AccountOpened& opened) {
    // Its row was written with it.
    if (!state_.find(opened.account)) return lost("an account", opened.account);
    return {};
  }

  Result<> operator()(const FloorSet& set) {
    MG_TRY(AccountState * account, account_of(set.account));
    state_.set_floor(seq_, *account, set.floor);
    return {};
  }

  Result<> operator()(const Transferred& transferred) { return leg(transferred.leg); }

  Result<> operator()(const BudgetOpened& opened) {
    // Without a row it was forgotten by a later record, which does so again.
    if (!state_.find_budget(opened.budget)) state_.open_budget(seq_, opened);
    return {};
  }

  Result<> operator()(const BudgetForgotten& forgotten) {
    if (BudgetState* budget = state_.find_budget(forgotten.budget)) state_.forget_budget(*budget);
    state_.set_next_budget(forgotten.budget + 1);
    return {};
  }

  Result<> operator()(const HoldOpened& opened) {
    if (holds_.contains(seq_)) return {};  // it has a row
    auto cell = std::make_unique<HoldCell>();
    cell->request.request = opened.request;
    cell->request.tenant = opened.tenant;
    cell->request.key = opened.key;
    cell->request.kind = opened.kind;
    cell->request.idempotency = opened.digest;
    cell->open.epoch = opened.epoch;
    cell->open.time_ms = time_ms_;
    for (const WalletShare& share : opened.wallets) {
      MG_TRY(AccountState * account, account_of(share.account));
      cell->open.wallets.push_back({account, share.amount});
      cell->request.wallets.push_back({account->account.name, share.amount});
    }
    for (const BudgetShare& share : opened.budgets) {
      BudgetState* budget = state_.find_budget(share.budget);
      if (budget) cell->open.budgets.push_back({budget, share.limit});
    }
    if (opened.digest) state_.digests().insert(*opened.digest, {seq_, opened.request}, time_ms_);
    if (cell->open.wallets.empty()) return lost("a wallet of a hold", 0);
    holds_[seq_] = cell.get();
    state_.open_hold(seq_, *cell.release());
    return {};
  }

  Result<> operator()(const HoldExtended& extended) {
    HoldCell* cell = open_hold(extended.hold);
    if (cell && cell->open.wallets.size() != extended.wallets.size())
      return lost("a wallet of hold", extended.hold);
    for (size_t i = 0; i < extended.wallets.size(); ++i) {
      const WalletShare& share = extended.wallets[i];
      MG_TRY(AccountState * account, account_of(share.account));
      state_.hold_more(seq_, *account, share.amount);
      if (cell) state_.grow_hold(seq_, *cell, i, share.amount);
    }
    for (const BudgetNumber number : extended.budgets)
      if (BudgetState* budget = state_.find_budget(number))
        state_.hold_more(seq_, *budget, extended.wallets[0].amount);
    return {};
  }

  Result<> operator()(const HoldMarked& marked) {
    if (HoldCell* cell = open_hold(marked.hold)) state_.set_mark(seq_, *cell, marked.mark);
    return {};
  }

  Result<> operator()(const HoldPosted& posted) {
    if (posted.wallets.empty()) return lost("a wallet of hold", posted.hold);
    for (const WalletPost& wallet : posted.wallets) {
      MG_TRY(AccountState * account, account_of(wallet.account));
      state_.release(seq_, *account, wallet.released);
    }
    for (const Leg& each : posted.legs) MG_CHECK(leg(each));
    for (const BudgetNumber number : posted.budgets)
      if (BudgetState* budget = state_.find_budget(number))
        state_.release(seq_, *budget, posted.wallets[0].released, posted.wallets[0].paid);
    end_hold(posted.hold);
    return {};
  }

  Result<> operator()(const HoldVoided& voided) {
    if (voided.wallets.empty()) return lost("a wallet of hold", voided.hold);
    for (const WalletShare& share : voided.wallets) {
      MG_TRY(AccountState * account, account_of(share.account));
      state_.release(seq_, *account, share.amount);
    }
    for (const BudgetNumber number : voided.budgets)
      if (BudgetState* budget = state_.find_budget(number))
        state_.release(seq_, *budget, voided.wallets[0].amount, Money());
    if (HoldCell* cell = open_hold(voided.hold); cell && cell->request.idempotency)
      state_.digests().erase(*cell->request.idempotency, voided.hold);
    end_hold(voided.hold);
    return {};
  }

  Result<> operator()(const RecordPut&) { return {}; }  // its row was written with it
  Result<> operator()(const RecordErased&) { return {}; }

 private:
  Error lost_error(std::string_view what, uint64_t number) const {
    return {Errc::invalid, "record " + std::to_string(seq_) + " names " + std::string(what) + " " +
                               std::to_string(number) + ", which is not there"};
  }
  tl::unexpected<Error> lost(std::string_view what, uint64_t number) const {
    return tl::unexpected<Error>(lost_error(what, number));
  }

  Result<AccountState*> account_of(AccountNumber number) {
    AccountState* account = state_.find(number);
    if (!account) return lost("account", number);
    return account;
  }

  Result<> leg(const Leg& leg) {
    MG_TRY(AccountState * debit, account_of(leg.debit));
    MG_TRY(AccountState * credit, account_of(leg.credit));
    state_.move(seq_, *debit, *credit, leg.amount);
    return {};
  }

  HoldCell* open_hold(Seq seq) {
    const auto found = holds_.find(seq);
    return found == holds_.end() ? nullptr : found->second;
  }

  void end_hold(Seq seq) {
    HoldCell* cell = open_hold(seq);
    if (!cell) return;
    const std::unique_ptr<HoldCell> freed(cell);
    holds_.erase(seq);
    state_.close_hold(*cell);
  }

  const Seq seq_;
  const int64_t time_ms_;
  State& state_;
  std::unordered_map<Seq, HoldCell*>& holds_;
};

Replay::Replay(State& state) : state_(state) {
  for (HoldCell* cell : state.open_holds().sorted()) holds_[cell->open.seq] = cell;
}

Result<> Replay::apply(const Entry& entry) { return std::visit(Step(entry, *this), entry.record); }

Result<Loaded> load(store::Env& env, State& state) {
  Loaded loaded;
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env));
  MG_TRY(const auto head_bytes, txn.get(table_of(env, StoreTable::head), kHeadKey));
  MG_TRY(store::Cursor journal, txn.cursor(table_of(env, StoreTable::journal)));
  MG_TRY(const bool has_records, journal.last());
  if (!head_bytes && !has_records) return loaded;
  if (!head_bytes || !has_records) return fail(Errc::invalid, "the journal or its head is missing");
  MG_TRY(const Head head, read_head(*head_bytes));
  MG_TRY(loaded.last, store::number_of(journal.key()));
  loaded.time_ms = head.time_ms;
  loaded.epoch = head.epoch;
  if (loaded.last != head.last || head.replay_from == 0 || head.replay_from > head.last + 1)
    return fail(Errc::invalid, "the journal ends at " + std::to_string(loaded.last) +
                                   ", its head says " + std::to_string(head.last));
  state.set_next_budget(head.next_budget);
  MG_CHECK(load_rows(env, txn, state));

  Replay replay(state);
  EntryScratch scratch;
  Seq expected = head.replay_from;
  MG_TRY(bool there, journal.seek(store::NumberKey(head.replay_from)));
  while (there) {
    MG_TRY(const Seq seq, store::number_of(journal.key()));
    if (seq != expected)
      return fail(Errc::invalid, "record " + std::to_string(expected) + " is missing");
    MG_TRY(const Entry entry, decode(seq, journal.value(), scratch));
    MG_CHECK(replay.apply(entry));
    ++expected;
    ++loaded.replayed;
    MG_TRY(there, journal.next());
  }
  return loaded;
}

}  // namespace mg::ledger

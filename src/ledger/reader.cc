#include "ledger/reader.h"

#include <algorithm>

#include "ledger/rows.h"
#include "store/codec.h"
#include "store/txn.h"

namespace mg::ledger {
namespace {

Error missing_record(Seq seq) {
  return {Errc::invalid, "record " + std::to_string(seq) + " is missing"};
}

// The time of a record, without the rest of it.
Result<int64_t> time_of(const store::ReadTxn& txn, store::Table journal, Seq seq) {
  MG_TRY(const auto bytes, txn.get(journal, store::NumberKey(seq)));
  if (!bytes) return tl::unexpected(missing_record(seq));
  EntryScratch scratch;
  MG_TRY(const Entry entry, decode(seq, *bytes, scratch));
  return entry.time_ms;
}

Result<Seq> last_of(const store::ReadTxn& txn, store::Table journal) {
  MG_TRY(store::Cursor cursor, txn.cursor(journal));
  MG_TRY(const bool there, cursor.last());
  if (!there) return Seq{0};
  return store::number_of(cursor.key());
}

struct Move {
  bool moved = false;
  Money change;
  Seq previous = 0;
};

void add_leg(Move& move, const Leg& leg, AccountNumber account) {
  if (leg.debit == account) {
    move.change -= leg.amount;
    move.previous = leg.debit_previous;
    move.moved = true;
  } else if (leg.credit == account) {
    move.change += leg.amount;
    move.previous = leg.credit_previous;
    move.moved = true;
  }
}

// What a record did to the balance of an account.
Move move_of(const Entry& entry, AccountNumber account) {
  Move move;
  if (const auto* transferred = std::get_if<Transferred>(&entry.record)) {
    add_leg(move, transferred->leg, account);
  } else if (const auto* posted = std::get_if<HoldPosted>(&entry.record)) {
    for (const Leg& leg : posted->legs) add_leg(move, leg, account);
  }
  return move;
}

// The hold a record is about, 0 for none.
Seq hold_of(const Entry& entry) {
  if (std::holds_alternative<HoldOpened>(entry.record)) return entry.seq;
  if (const auto* extended = std::get_if<HoldExtended>(&entry.record)) return extended->hold;
  if (const auto* marked = std::get_if<HoldMarked>(&entry.record)) return marked->hold;
  if (const auto* posted = std::get_if<HoldPosted>(&entry.record)) return posted->hold;
  if (const auto* voided = std::get_if<HoldVoided>(&entry.record)) return voided->hold;
  return 0;
}

bool ends_hold(const Entry& entry) {
  return std::holds_alternative<HoldPosted>(entry.record) ||
         std::holds_alternative<HoldVoided>(entry.record);
}

}  // namespace

Result<Seq> JournalReader::last() {
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  return last_of(txn, table_of(env_, StoreTable::journal));
}

Result<Seq> JournalReader::first_at(int64_t time_ms) {
  const store::Table journal = table_of(env_, StoreTable::journal);
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  MG_TRY(const Seq last, last_of(txn, journal));
  Seq low = 1;  // everything below is older
  Seq high = last + 1;
  while (low < high) {
    const Seq middle = low + (high - low) / 2;
    MG_TRY(const int64_t at, time_of(txn, journal, middle));
    if (at < time_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<Seq> JournalReader::each(Seq from, Seq through, const Visit& visit) {
  const store::Table journal = table_of(env_, StoreTable::journal);
  EntryScratch scratch;
  Seq next = std::max<Seq>(from, 1);
  while (next <= through) {
    MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
    MG_TRY(store::Cursor cursor, txn.cursor(journal));
    MG_TRY(bool there, cursor.seek(store::NumberKey(next)));
    if (!there) return next;
    const Seq slice_end = std::min(through - next, limits::records_per_read_max - 1) + next;
    while (there && next <= slice_end) {
      MG_TRY(const Seq seq, store::number_of(cursor.key()));
      if (seq != next) return tl::unexpected(missing_record(next));
      MG_TRY(const Entry entry, decode(seq, cursor.value(), scratch));
      ++next;
      if (!visit(entry)) return next;
      MG_TRY(there, cursor.next());
    }
    if (!there) return next;
  }
  return next;
}

Result<bool> JournalReader::each_of_request(const Id& request, const Visit& visit,
                                            int64_t slack_ms) {
  MG_TRY(const Seq from, first_at(request.wall_ms() - slack_ms));
  // A hold that was voided may have been asked for again, so the story goes on to the last of them
  // within the slack.
  const int64_t until_ms = request.wall_ms() + slack_ms;
  Seq hold = 0;
  bool found = false;
  MG_CHECK(each(from, [&](const Entry& entry) {
    if (const auto* opened = std::get_if<HoldOpened>(&entry.record);
        opened && opened->request == request) {
      hold = entry.seq;
      found = true;
    }
    const bool about = hold != 0 && hold_of(entry) == hold;
    if (about && !visit(entry)) return false;
    if (about && ends_hold(entry)) hold = 0;
    return hold != 0 || entry.time_ms <= until_ms;
  }));
  return found;
}

Result<AccountNumber> JournalReader::account_number(const AccountName& name) {
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  MG_TRY(store::Cursor cursor, txn.cursor(table_of(env_, StoreTable::accounts)));
  MG_TRY(bool there, cursor.first());
  while (there) {
    MG_TRY(const AccountRow row, read_account(cursor.key(), cursor.value()));
    if (row.account.name == name) return row.number;
    MG_TRY(there, cursor.next());
  }
  return fail(Errc::not_found, "no record has used this account");
}

Result<AccountName> JournalReader::account_name(AccountNumber account) {
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  const store::NumberKey key(account);
  MG_TRY(const auto value, txn.get(table_of(env_, StoreTable::accounts), key));
  if (!value) return fail(Errc::not_found, "no account " + std::to_string(account));
  MG_TRY(const AccountRow row, read_account(key, *value));
  return row.account.name;
}

// The newest record that moved the account. Its row may be a little old: what came behind it is
// found by reading on, which is never far.
Result<Seq> JournalReader::newest_of(const store::ReadTxn& txn, AccountNumber account) {
  const store::NumberKey key(account);
  MG_TRY(const auto value, txn.get(table_of(env_, StoreTable::accounts), key));
  if (!value) return fail(Errc::not_found, "no account " + std::to_string(account));
  MG_TRY(const AccountRow row, read_account(key, *value));
  EntryScratch scratch;
  Seq newest = row.last_entry;
  MG_TRY(store::Cursor cursor, txn.cursor(table_of(env_, StoreTable::journal)));
  MG_TRY(bool there, cursor.seek(store::NumberKey(row.as_of + 1)));
  while (there) {
    MG_TRY(const Seq seq, store::number_of(cursor.key()));
    MG_TRY(const Entry entry, decode(seq, cursor.value(), scratch));
    if (move_of(entry, account).moved) newest = seq;
    MG_TRY(there, cursor.next());
  }
  return newest;
}

Result<Seq> JournalReader::history(const AccountName& account, Seq at, size_t items_max,
                                   const HistoryVisit& visit) {
  MG_TRY(const AccountNumber number, account_number(account));
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  if (at == 0) {
    MG_TRY(at, newest_of(txn, number));
  }
  const store::Table journal = table_of(env_, StoreTable::journal);
  EntryScratch scratch;
  for (size_t items = 0; at != 0 && items < items_max; ++items) {
    MG_TRY(const auto bytes, txn.get(journal, store::NumberKey(at)));
    if (!bytes) return tl::unexpected(missing_record(at));
    MG_TRY(const Entry entry, decode(at, *bytes, scratch));
    const Move move = move_of(entry, number);
    if (!move.moved || move.previous >= at)
      return fail(Errc::invalid,
                  "record " + std::to_string(at) + " is not of account " + std::to_string(number));
    visit(entry, move.change);
    at = move.previous;
  }
  return at;
}

Result<> each_record(store::Env& env, std::string_view table, const RecordVisit& visit) {
  const std::string prefix = record_key(table, "");
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env));
  MG_TRY(store::Cursor cursor, txn.cursor(table_of(env, StoreTable::records)));
  MG_TRY(bool there, cursor.seek(prefix));
  while (there && cursor.key().starts_with(prefix)) {
    MG_TRY(const RecordRow row, read_record(cursor.value()));
    if (!visit(cursor.key().substr(prefix.size()), row.value)) break;
    MG_TRY(there, cursor.next());
  }
  return {};
}

Result<std::optional<std::string>> record(store::Env& env, std::string_view table,
                                          std::string_view key) {
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env));
  MG_TRY(const auto value, txn.get(table_of(env, StoreTable::records), record_key(table, key)));
  if (!value) return std::optional<std::string>();
  MG_TRY(const RecordRow row, read_record(*value));
  return std::optional<std::string>(std::string(row.value));
}

}  // namespace mg::ledger

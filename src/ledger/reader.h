// Reading the journal: settlements and transfers from a number or a time on, the records of one
// request, the history of one account. In short read transactions, so that a writer beside it is
// not held up and the file does not grow; any thread, and any process that can open the store.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/types.h"

namespace mg::store {
class Env;
class ReadTxn;
}  // namespace mg::store

namespace mg::ledger {

class JournalReader {
 public:
  // The entry and its views are valid during the call; false ends the reading.
  using Visit = std::function<bool(const Entry&)>;

  // Of an environment opened with the tables of the ledger (rows.h, store_tables()).
  explicit JournalReader(store::Env& env) : env_(env) {}

  // The last durable number, 0 of an empty journal.
  Result<Seq> last();
  // The first record that is not older than this, or last() + 1.
  Result<Seq> first_at(int64_t time_ms);
  // All records of [from, through] that are durable. Returns the number to go on with.
  // Errors: invalid, naming the record that is damaged or missing; io.
  Result<Seq> each(Seq from, Seq through, const Visit& visit);
  Result<Seq> each(Seq from, const Visit& visit) { return each(from, UINT64_MAX, visit); }

  // Everything about one request, in order: its hold, extensions, marks, and how it ended. Starts
  // where the id's own time says; `slack_ms` is how far the clocks of id and journal may differ.
  // Returns false where there is no such hold.
  Result<bool> each_of_request(const Id& request, const Visit& visit, int64_t slack_ms = 60'000);

  // What moved the account, newest first: from the newest, or from where the last call said to go
  // on. `change` is what the record did to the balance. Returns where to go on, 0 when all was
  // seen. Errors: not_found, for an account that was never used; invalid, for another `from`.
  using HistoryVisit = std::function<void(const Entry& entry, Money change)>;
  Result<Seq> history(const AccountName& account, Seq from, size_t items_max,
                      const HistoryVisit& visit);

  // Names and numbers of accounts. Errors: not_found.
  Result<AccountName> account_name(AccountNumber account);
  Result<AccountNumber> account_number(const AccountName& name);

 private:
  Result<Seq> newest_of(const store::ReadTxn& txn, AccountNumber account);
  store::Env& env_;
};

// The durable records of others, by rising key, until visit returns false; the views are valid
// during the visit. One read transaction: visit must not wait. Errors: invalid (damaged), io.
using RecordVisit = std::function<bool(std::string_view key, std::string_view value)>;
Result<> each_record(store::Env& env, std::string_view table, const RecordVisit& visit);
Result<std::optional<std::string>> record(store::Env& env, std::string_view table,
                                          std::string_view key);

}  // namespace mg::ledger

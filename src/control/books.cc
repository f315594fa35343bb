#include "control/books.h"

namespace mg::control {

event::Task<Result<ledger::Account>> RunningBooks::account(ledger::AccountName name) {
  Result<ledger::Account> account = co_await client_.account(name);
  co_return account;
}

// Where a commit failed, what is there is all there will be.
event::Task<> RunningBooks::caught_up() {
  [[maybe_unused]] const Result<> durable = co_await client_.durable(ledger_.status().ordered);
}

Result<std::unique_ptr<RestingBooks>> RestingBooks::open(const std::string& store) {
  auto books = std::make_unique<RestingBooks>();
  MG_TRY(books->ledger_, ledger::Snapshot::open(store));
  ledger::Snapshot& ledger = *books->ledger_;
  const auto records = [&ledger](std::string_view table, const ledger::RecordVisit& visit) {
    return ledger.each_record(table, visit);
  };
  MG_TRY(books->directory_, directory::Snapshot::read(records, {}));
  return books;
}

event::Task<Result<ledger::Account>> RestingBooks::account(ledger::AccountName name) {
  co_return ledger_->account(name);
}

event::Task<> RestingBooks::caught_up() { co_return; }

}  // namespace mg::control

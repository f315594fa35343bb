// The client's rarer commands: one call to the book each, and a wait for the disk where money or
// records changed.
#include "ledger/call.h"
#include "ledger/client.h"
#include "ledger/queries.h"
#include "ledger/rules.h"

namespace mg::ledger {

using event::Task;

Task<Result<TransferOutcome>> Client::transfer(TransferRequest request) {
  MG_CO_CHECK(check(request));
  auto call = ask_book(*this, Call::Effect::writes,
                       [request](Book& book) { return book.transfer(request); });
  Result<TransferOutcome> outcome = co_await call;
  if (!outcome) co_return outcome;
  if (const auto* receipt = std::get_if<TransferReceipt>(&*outcome)) {
    DurableAwaiter gate = durable(receipt->seq);
    const Result<> lasting = co_await gate;
    if (!lasting) co_return tl::unexpected(lasting.error());
  }
  co_return outcome;
}

Task<Result<Account>> Client::set_floor(AccountName wallet, Money floor) {
  MG_CO_CHECK(check_floor(wallet, floor));
  auto call = ask_book(*this, Call::Effect::writes,
                       [wallet, floor](Book& book) { return book.set_floor(wallet, floor); });
  const Result<Book::FloorAnswer> answer = co_await call;
  if (!answer) co_return tl::unexpected(answer.error());
  DurableAwaiter gate = durable(answer->seq);
  const Result<> lasting = co_await gate;
  if (!lasting) co_return tl::unexpected(lasting.error());
  co_return answer->account;
}

Task<Result<Seq>> Client::change(std::vector<RecordChange> changes) {
  MG_CO_CHECK(check(changes));
  auto call = ask_book(*this, Call::Effect::writes,
                       [changes = std::move(changes)](Book& book) { return book.change(changes); });
  const Result<Seq> seq = co_await call;
  if (!seq) co_return seq;
  DurableAwaiter gate = durable(*seq);
  const Result<> lasting = co_await gate;
  if (!lasting) co_return tl::unexpected(lasting.error());
  co_return seq;
}

Task<Result<Seq>> Client::put(std::string table, std::string key, std::string value) {
  std::vector<RecordChange> changes;
  changes.push_back({std::move(table), std::move(key), std::move(value)});
  Task<Result<Seq>> changing = change(std::move(changes));
  const Result<Seq> seq = co_await std::move(changing);
  co_return seq;
}

Task<Result<Seq>> Client::erase(std::string table, std::string key) {
  std::vector<RecordChange> changes;
  changes.push_back({std::move(table), std::move(key), std::nullopt});
  Task<Result<Seq>> changing = change(std::move(changes));
  const Result<Seq> seq = co_await std::move(changing);
  co_return seq;
}

Task<Result<Account>> Client::account(AccountName name) {
  auto call = ask_book(*this, Call::Effect::reads,
                       [name](Book& book) { return account_of(book.state(), name); });
  const Result<Account> account = co_await call;
  co_return account;
}

Task<Result<AccountPage>> Client::accounts(AccountQuery query) {
  auto call = ask_book(*this, Call::Effect::reads, [query](Book& book) {
    return Result<AccountPage>(accounts_of(book.state(), query));
  });
  const Result<AccountPage> page = co_await call;
  co_return page;
}

Task<Result<Budget>> Client::budget(BudgetName name) {
  auto call = ask_book(*this, Call::Effect::reads,
                       [name](Book& book) { return budget_of(book.state(), name); });
  const Result<Budget> budget = co_await call;
  co_return budget;
}

Task<Result<std::vector<OpenHoldView>>> Client::open_holds() {
  auto call = ask_book(*this, Call::Effect::reads, [](Book& book) {
    return Result<std::vector<OpenHoldView>>(open_holds_of(book.state()));
  });
  const Result<std::vector<OpenHoldView>> holds = co_await call;
  co_return holds;
}

Task<Result<Hold>> Client::adopt(Id request) {
  auto call =
      ask_book(*this, Call::Effect::writes, [request](Book& book) { return book.adopt(request); });
  const Result<HoldCell*> cell = co_await call;
  if (!cell) co_return tl::unexpected(cell.error());
  co_return take_up(**cell);
}

}  // namespace mg::ledger

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

using Reason = TransferRefusal::Reason;

TransferReceipt receipt_of(LedgerBox& box, const TransferRequest& request) {
  const auto outcome = box.loop.run(box.client->transfer(request));
  MG_ASSERT(outcome && std::holds_alternative<TransferReceipt>(*outcome));
  return std::get<TransferReceipt>(*outcome);
}

TransferRefusal refusal_of(LedgerBox& box, const TransferRequest& request) {
  const auto outcome = box.loop.run(box.client->transfer(request));
  MG_ASSERT(outcome && std::holds_alternative<TransferRefusal>(*outcome));
  return std::get<TransferRefusal>(*outcome);
}

Errc error_of(LedgerBox& box, const TransferRequest& request) {
  const auto outcome = box.loop.run(box.client->transfer(request));
  MG_ASSERT(!outcome);
  return outcome.error().code;
}

}  // namespace

TEST_CASE("a credit is durable when it is answered") {
  LedgerBox box;
  box.open();
  const TransferReceipt receipt = receipt_of(box, box.credit_of(usd(10), "order-1"));
  CHECK(!receipt.repeated);
  CHECK(box.client->durable_seq() >= receipt.seq);
  CHECK(box.account().posted == usd(10));
  CHECK(box.account(AccountName::funding_from(box.platform, "operator")).posted == usd(-10));
  CHECK(box.is_clean());
}

TEST_CASE("the same id moves money once, for ever") {
  LedgerBox box;
  box.open();
  const TransferReceipt first = receipt_of(box, box.credit_of(usd(10), "order-1"));
  const auto again = [&] {
    const TransferReceipt receipt = receipt_of(box, box.credit_of(usd(10), "order-1"));
    CHECK(receipt.repeated);
    CHECK(receipt.seq == first.seq);
    CHECK(receipt.amount == usd(10));
    CHECK(box.account().posted == usd(10));
  };
  again();
  box.close();
  box.open();
  again();

  TransferRequest other = box.credit_of(usd(11), "order-1");
  CHECK(refusal_of(box, other).reason == Reason::id_used);
  CHECK(refusal_of(box, other).seq == first.seq);
  other = box.credit_of(usd(10), "order-1");
  other.kind = TransferKind::adjustment;
  CHECK(refusal_of(box, other).reason == Reason::id_used);
  other = box.credit_of(usd(10), "order-1");
  other.credit = AccountName::wallet_of(box.platform, box.id());
  CHECK(refusal_of(box, other).reason == Reason::id_used);
  CHECK(receipt_of(box, box.credit_of(usd(1))).seq != receipt_of(box, box.credit_of(usd(1))).seq);
  CHECK(box.account().posted == usd(12));
  CHECK(box.is_clean());
}

TEST_CASE("a hundred copies of one credit in one round are one credit") {
  LedgerBox box;
  box.open();
  std::vector<Task<Result<TransferOutcome>>> tasks;
  for (int i = 0; i < 100; ++i) {
    tasks.push_back(box.client->transfer(box.credit_of(usd(10), "order-1")));
    tasks.back().start();
  }
  REQUIRE(box.loop.run_until([&] {
    return std::all_of(tasks.begin(), tasks.end(), [](const auto& t) { return t.done(); });
  }));
  int moved = 0;
  for (auto& task : tasks) {
    const auto outcome = task.result();
    REQUIRE(outcome);
    if (!std::get<TransferReceipt>(*outcome).repeated) ++moved;
  }
  CHECK(moved == 1);
  CHECK(box.account().posted == usd(10));
}

TEST_CASE("a debit takes what is available and no more") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(4));
  TransferRequest debit = box.credit_of(usd(7));
  std::swap(debit.debit, debit.credit);
  debit.kind = TransferKind::adjustment;
  const TransferRefusal no = refusal_of(box, debit);
  CHECK(no.reason == Reason::wallet_short);
  CHECK(no.short_by == usd(1));
  debit.amount = usd(6);
  receipt_of(box, debit);
  CHECK(box.account().available() == Money());
  REQUIRE(box.release(std::move(hold)));
  CHECK(box.is_clean());
}

TEST_CASE("a reversal takes back a transfer, once, in whole or in part") {
  LedgerBox box;
  box.open();
  const TransferReceipt original = receipt_of(box, box.credit_of(usd(10), "order-1"));
  TransferRequest reversal = box.credit_of(usd(4), "refund-1");
  std::swap(reversal.debit, reversal.credit);
  reversal.kind = TransferKind::reversal;
  reversal.reverses = original.seq;

  TransferRequest wrong = reversal;
  wrong.amount = usd(11);
  CHECK(refusal_of(box, wrong).reason == Reason::not_reversible);
  wrong = reversal;
  std::swap(wrong.debit, wrong.credit);
  CHECK(refusal_of(box, wrong).reason == Reason::not_reversible);
  wrong = reversal;
  wrong.reverses = original.seq + 1000;
  CHECK(refusal_of(box, wrong).reason == Reason::not_reversible);
  wrong.reverses = 1;  // the boot
  CHECK(refusal_of(box, wrong).reason == Reason::not_reversible);

  const TransferReceipt taken = receipt_of(box, reversal);
  CHECK(box.account().posted == usd(6));
  CHECK(receipt_of(box, reversal).repeated);
  reversal.id = "refund-2";
  const TransferRefusal no = refusal_of(box, reversal);
  CHECK(no.reason == Reason::reversed);
  CHECK(no.seq == taken.seq);
  box.close();
  box.open();
  CHECK(refusal_of(box, reversal).reason == Reason::reversed);
  TransferRequest back = reversal;
  std::swap(back.debit, back.credit);
  back.reverses = taken.seq;
  CHECK(refusal_of(box, back).reason == Reason::not_reversible);  // reversals stay
  CHECK(box.account().posted == usd(6));
  CHECK(box.is_clean());
}

TEST_CASE("an account holds so much and no more") {
  LedgerBox box;
  box.open();
  receipt_of(box, box.credit_of(nanos(limits::account_nanos_max)));
  CHECK(error_of(box, box.credit_of(nanos(1))) == Errc::too_large);
  CHECK(error_of(box, box.credit_of(nanos(std::numeric_limits<int64_t>::max()))) ==
        Errc::too_large);
  CHECK(error_of(box, box.credit_of(Money())) == Errc::invalid);
  CHECK(box.account().posted == nanos(limits::account_nanos_max));
  CHECK(box.is_clean());
}

TEST_CASE("a floor binds, either way, within its bounds") {
  LedgerBox box;
  box.open();
  const auto set = [&](Money floor) { return box.loop.run(box.client->set_floor(box.wallet, floor)); };
  CHECK(set(usd(-5))->floor == usd(-5));  // opens the wallet
  CHECK(set(nanos(1)).error().code == Errc::refused);
  Hold hold = box.admitted(usd(5));
  CHECK(box.refused(box.ask(nanos(1))).short_by == nanos(1));
  CHECK(set(usd(-4)).error().code == Errc::refused);
  REQUIRE(box.post(std::move(hold), usd(5)));
  CHECK(box.account().posted == usd(-5));
  CHECK(set(nanos(-limits::floor_nanos_max)));
  CHECK(set(nanos(-limits::floor_nanos_max - 1)).error().code == Errc::invalid);
  CHECK(set(nanos(limits::floor_nanos_max + 1)).error().code == Errc::invalid);
  CHECK(box.loop.run(box.client->set_floor(AccountName::sales_of(box.platform), Money()))
            .error()
            .code == Errc::invalid);
  box.fund(nanos(limits::account_nanos_max / 2));
  CHECK(set(nanos(limits::floor_nanos_max))->floor == nanos(limits::floor_nanos_max));
  box.close();
  box.open();
  CHECK(box.account().floor == nanos(limits::floor_nanos_max));
  CHECK(box.is_clean());
}

TEST_CASE("accounts are listed page by page") {
  LedgerBox box;
  box.open();
  const size_t wallets = limits::accounts_page_max + 5;
  std::vector<Task<Result<Account>>> tasks;
  for (size_t i = 0; i < wallets; ++i) {
    tasks.push_back(box.client->set_floor(AccountName::wallet_of(box.platform, box.id()), Money()));
    tasks.back().start();
  }
  box.fund(usd(1));
  AccountQuery query;
  query.kind = AccountKind::wallet;
  auto page = box.loop.run(box.client->accounts(query));
  REQUIRE(page);
  CHECK(page->accounts.size() == limits::accounts_page_max);
  REQUIRE(page->next != 0);
  query.after = page->next;
  page = box.loop.run(box.client->accounts(query));
  CHECK(page->accounts.size() == 6);
  CHECK(page->next == 0);
  query = {};
  query.seller = box.id();
  CHECK(box.loop.run(box.client->accounts(query))->accounts.empty());
  query.seller = box.platform;
  query.kind = AccountKind::funding;
  CHECK(box.loop.run(box.client->accounts(query))->accounts.size() == 1);
}

TEST_CASE("records of others ride along, all of a command or none") {
  LedgerBox box;
  box.open();
  REQUIRE(box.loop.run(box.client->put("key", "k1", "v1")));
  const auto seq = box.loop.run(box.client->change({{"key", "k2", "v2"},
                                                    {"key", "k1", std::nullopt},
                                                    {"keys", "k3", std::string("v\0\xff", 3)}}));
  REQUIRE(seq);
  CHECK(box.client->durable_seq() >= *seq);
  const auto all = [&](std::string_view table) {
    std::vector<std::pair<std::string, std::string>> rows;
    REQUIRE(box.ledger->each_record(table, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return true;
    }));
    return rows;
  };
  CHECK(all("key") == std::vector<std::pair<std::string, std::string>>{{"k2", "v2"}});
  CHECK(all("keys").size() == 1);
  CHECK(all("ke").empty());
  CHECK(**box.ledger->record("keys", "k3") == std::string("v\0\xff", 3));
  CHECK(!*box.ledger->record("keys", "k4"));
  CHECK(box.loop.run(box.client->erase("key", "k2")));
  CHECK(box.loop.run(box.client->erase("key", "never there")));
  CHECK(all("key").empty());
  CHECK(box.loop.run(box.client->change({})).error().code == Errc::invalid);
  CHECK(box.loop.run(box.client->put("", "k", "v")).error().code == Errc::invalid);
  const std::string big(limits::record_value_bytes_max, 'b');
  REQUIRE(box.loop.run(box.client->put("big", std::string(limits::record_key_bytes_max, 'k'), big)));
  box.close();
  box.open();
  CHECK(**box.ledger->record("big", std::string(limits::record_key_bytes_max, 'k')) == big);
  CHECK(box.is_clean());
}

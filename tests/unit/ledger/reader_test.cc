#include "ledger/reader.h"

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

struct Shop {
  Shop() {
    box.open();
    box.fund(usd(100));
  }
  Seq settle(Money price) {
    const auto receipt = box.post(box.admitted(usd(1)), price);
    MG_ASSERT(receipt);
    MG_ASSERT(box.durable(receipt->seq));
    return receipt->seq;
  }
  LedgerBox box;
};

}  // namespace

TEST_CASE("records are read from a number on, and the reader may stop") {
  Shop shop;
  for (int i = 0; i < 5; ++i) shop.settle(nanos(i + 1));
  JournalReader journal = shop.box.ledger->journal();
  const auto last = journal.last();
  REQUIRE(last);
  std::vector<Seq> seen;
  const auto next = journal.each(3, [&](const Entry& entry) {
    seen.push_back(entry.seq);
    return true;
  });
  REQUIRE(next);
  CHECK(*next == *last + 1);
  CHECK(seen.front() == 3);
  CHECK(seen.back() == *last);
  CHECK(seen.size() == *last - 2);

  CHECK(*journal.each(3, 5, [](const Entry&) { return true; }) == 6);
  CHECK(*journal.each(3, [](const Entry& entry) { return entry.seq < 4; }) == 5);
  CHECK(*journal.each(*last + 7, [](const Entry&) { return true; }) == *last + 7);
}

TEST_CASE("more records than one read transaction may see are read in several") {
  Shop shop;
  std::vector<RecordChange> changes(limits::record_changes_max, {"t", "k", "v"});
  const size_t rounds = limits::records_per_read_max / changes.size() + 2;
  for (size_t i = 0; i < rounds; ++i) REQUIRE(shop.box.loop.run(shop.box.client->change(changes)));
  JournalReader journal = shop.box.ledger->journal();
  size_t puts = 0;
  REQUIRE(journal.each(1, [&](const Entry& entry) {
    if (std::holds_alternative<RecordPut>(entry.record)) ++puts;
    return true;
  }));
  CHECK(puts == rounds * changes.size());
  CHECK(puts > limits::records_per_read_max);
}

TEST_CASE("a time is found by halving") {
  Shop shop;
  std::vector<std::pair<int64_t, Seq>> when;
  for (int i = 0; i < 20; ++i) {
    shop.box.clock.advance_ms(1000);
    when.emplace_back(shop.box.clock.wall_ms(), shop.settle(nanos(1)));
  }
  JournalReader journal = shop.box.ledger->journal();
  for (const auto& [time_ms, seq] : when) {
    const auto first = journal.first_at(time_ms);
    REQUIRE(first);
    CHECK(*first <= seq);
    CHECK(seq - *first <= 2);  // the hold, the charge, and once an account
    CHECK(*journal.first_at(time_ms - 1) == *first);
  }
  CHECK(*journal.first_at(0) == 1);
  CHECK(*journal.first_at(shop.box.clock.wall_ms() + 1) == *journal.last() + 1);
}

TEST_CASE("all there is about one request, and nothing else") {
  Shop shop;
  LedgerBox& box = shop.box;
  box.clock.advance_ms(5000);
  Hold other = box.admitted(usd(1));
  const HoldRequest request = box.ask(usd(2));
  Hold hold = box.admitted(request);
  hold.mark({usd(1), 1});
  shop.settle(nanos(5));
  REQUIRE(box.extend(hold, usd(1)));
  box.clock.advance_ms(200'000);  // it takes its time
  shop.settle(nanos(6));
  REQUIRE(box.post(std::move(hold), usd(3)));
  REQUIRE(box.release(std::move(other)));
  box.fund(usd(1));
  JournalReader journal = box.ledger->journal();
  std::vector<size_t> kinds;
  const auto found = journal.each_of_request(request.request, [&](const Entry& entry) {
    kinds.push_back(entry.record.index());
    return true;
  });
  REQUIRE(found);
  CHECK(*found);
  const Record order[] = {HoldOpened(), HoldMarked(), HoldExtended(), HoldPosted()};
  REQUIRE(kinds.size() == 4);
  for (size_t i = 0; i < 4; ++i) CHECK(kinds[i] == order[i].index());
  CHECK(!*journal.each_of_request(box.id(), [](const Entry&) { return true; }));
}

TEST_CASE("a request that was voided and asked again has both its stories") {
  Shop shop;
  LedgerBox& box = shop.box;
  const HoldRequest request = box.ask(usd(2));
  REQUIRE(box.release(box.admitted(request)));
  const auto receipt = box.post(box.admitted(request), usd(1));
  REQUIRE(box.durable(receipt->seq));
  size_t entries = 0;
  REQUIRE(*box.ledger->journal().each_of_request(request.request, [&](const Entry&) {
    ++entries;
    return true;
  }));
  CHECK(entries == 4);
}

TEST_CASE("an account's history goes backward, page by page") {
  Shop shop;
  LedgerBox& box = shop.box;
  for (int i = 1; i <= 10; ++i) shop.settle(nanos(i));
  JournalReader journal = box.ledger->journal();
  std::vector<int64_t> changes;
  const auto collect = [&](const Entry&, Money change) { changes.push_back(change.nanos()); };
  auto next = journal.history(box.wallet, 0, 4, collect);
  REQUIRE(next);
  CHECK(changes == std::vector<int64_t>{-10, -9, -8, -7});
  while (*next != 0) {
    next = journal.history(box.wallet, *next, 4, collect);
    REQUIRE(next);
  }
  REQUIRE(changes.size() == 11);
  CHECK(changes.back() == usd(100).nanos());
  CHECK(journal.history(box.wallet, 1, 4, collect).error().code == Errc::invalid);
  CHECK(journal.history(AccountName::wallet_of(box.platform, box.id()), 0, 4, collect)
            .error()
            .code == Errc::not_found);
  changes.clear();
  REQUIRE(journal.history(AccountName::sales_of(box.platform), 0, 100, collect));
  CHECK(changes.size() == 10);
}

TEST_CASE("a history is the same before and behind a row") {
  Shop shop;
  LedgerBox& box = shop.box;
  box.close();
  box.options.replay_records_goal = 4;
  box.open();
  for (int i = 1; i <= 30; ++i) {
    shop.settle(nanos(i));
    Money sum;
    const auto done = box.ledger->journal().history(
        box.wallet, 0, 1000, [&](const Entry&, Money change) { sum += change; });
    REQUIRE(done);
    CHECK(sum == box.account().posted);
  }
}

TEST_CASE("numbers and names of accounts") {
  Shop shop;
  JournalReader journal = shop.box.ledger->journal();
  const auto number = journal.account_number(shop.box.wallet);
  REQUIRE(number);
  CHECK(*journal.account_name(*number) == shop.box.wallet);
  CHECK(journal.account_name(999).error().code == Errc::not_found);
}

TEST_CASE("a backup taken while money moves is a whole ledger") {
  LedgerBox box;
  box.open_with_threads();
  box.fund(usd(10));
  std::vector<Hold> holds;
  for (int i = 0; i < 20; ++i) holds.push_back(box.admitted(nanos(100)));
  REQUIRE(box.durable(holds.back().seq()));
  for (int i = 0; i < 10; ++i) {
    auto posting = box.post(std::move(holds.back()), nanos(7));
    REQUIRE(posting);
    holds.pop_back();
    if (i == 5) REQUIRE(box.ledger->backup(box.dir / "copy"));
  }
  CHECK(box.ledger->backup(box.dir / "copy").error().code == Errc::conflict);
  holds.clear();
  box.close();
  AuditOptions options;
  options.directory = box.dir / "copy";
  const auto report = audit(options);
  REQUIRE(report);
  INFO(report->json());
  CHECK(report->verdict == AuditReport::Verdict::clean);
  // And it opens, as a ledger of its own.
  LedgerBox copy;
  copy.options.directory = box.dir / "copy";
  copy.open();
  CHECK(copy.ledger->status().holds_voided_at_start >= 10);
  CHECK(copy.is_clean());
}

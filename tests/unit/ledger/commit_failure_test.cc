// A commit that fails stops the money of the process: nobody is told of success after it, and the
// next start goes on from what the disk has.
#include <catch2/catch.hpp>

#include "unit/ledger/commit_seam.h"

using namespace mg;
using namespace mg::test;

namespace {

struct Run {
  bool opened = false;
  bool funded = false;        // a credit was confirmed
  bool hold_durable = false;  // the hold was
  bool charge_durable = false;
  bool unavailable = false;  // something was told no
};

// A credit, a hold, a charge, another credit: each confirmed before the next.
Run run(LedgerBox& box) {
  Run run;
  auto opened = Ledger::open(box.options, box.clock);
  if (!opened) {
    CHECK(opened.error().code == Errc::unavailable);
    run.unavailable = true;
    return run;
  }
  run.opened = true;
  box.ledger = std::move(*opened);
  box.driver = std::make_unique<InlineLedger>(*box.ledger, box.loop);
  box.client = std::make_unique<Client>(*box.ledger, box.loop);
  const auto say_no = [&run](const Error& error) {
    CHECK(error.code == Errc::unavailable);
    run.unavailable = true;
  };
  const auto credit = box.loop.run(box.client->transfer(box.credit_of(usd(10), "order-1")));
  run.funded = credit.has_value();
  if (!credit) say_no(credit.error());

  auto outcome = box.hold(box.ask(usd(3)));
  if (outcome) {
    Hold hold = std::move(std::get<Hold>(*outcome));
    const auto durable = box.durable(hold.seq());
    run.hold_durable = durable.has_value();
    if (!durable) say_no(durable.error());
    hold.mark({usd(1), 1});
    const auto receipt = box.post(std::move(hold), usd(2));
    if (receipt) {
      const auto charged = box.durable(receipt->seq);
      run.charge_durable = charged.has_value();
      if (!charged) say_no(charged.error());
    } else {
      say_no(receipt.error());
    }
  } else {
    say_no(outcome.error());
  }
  const auto last = box.loop.run(box.client->transfer(box.credit_of(usd(1), "order-2")));
  if (!last) say_no(last.error());
  return run;
}

// Lets so many bytes wait for a commit that does not come.
void fill_backlog(LedgerBox& box, size_t bytes) {
  const auto left = [&] { return bytes - box.ledger->status().backlog_bytes; };
  std::vector<Task<Result<Seq>>> puts;
  const auto put = [&](size_t value_bytes) {
    puts.push_back(box.client->put("t", "k", std::string(value_bytes, 'v')));
    puts.back().start();
    box.loop.turns(3);
  };
  put(1);  // this is the commit; what comes now waits behind it
  // A record stands twice: in the journal, and in its table.
  while (left() > 3 * limits::record_value_bytes_max) put(limits::record_value_bytes_max);
  put((left() - 2'000) / 4);
  put((left() - 1'000) / 2);
  // What remains is made up of transfers, which no backlog refuses; each is as long as its memo.
  std::vector<Task<Result<TransferOutcome>>> transfers;
  const auto transfer = [&](size_t memo_bytes) {
    TransferRequest request = box.credit_of(nanos(1));
    request.memo.assign(memo_bytes, 'm');
    transfers.push_back(box.client->transfer(request));
    transfers.back().start();
    const size_t before = left();
    box.loop.turns(3);
    return before - left() - memo_bytes;
  };
  const size_t without_memo = transfer(0);
  while (left() > without_memo + limits::memo_bytes_max) transfer(0);
  transfer(left() - without_memo);
  REQUIRE(box.ledger->status().backlog_bytes == bytes);
}

}  // namespace

TEST_CASE("a failure of every commit, before or after it was written, stops everything behind it") {
  CommitScript count;
  {
    LedgerBox box;
    use_script(box, count);
    const Run all = run(box);
    CHECK(all.charge_durable);
    CHECK(!all.unavailable);
  }
  REQUIRE(count.commits >= 4);
  int stopped = 0;
  for (const auto failure : {CommitScript::Failure::before, CommitScript::Failure::after}) {
    for (int n = 1; n <= count.commits; ++n) {
      INFO("commit " << n << (failure == CommitScript::Failure::before ? " before" : " after"));
      LedgerBox box;
      CommitScript script;
      script.fail_at = n;
      script.failure = failure;
      use_script(box, script);
      const Run what = run(box);
      CHECK(what.unavailable);
      CHECK(script.commits == n);  // none is tried after it
      ++stopped;
      if (what.opened) {
        CHECK(box.ledger->status().poisoned);
        CHECK(!box.ledger->status().takes_holds());
        CHECK(box.hold(box.ask(usd(1))).error().code == Errc::unavailable);
        CHECK(box.loop.run(box.client->put("t", "k", "v")).error().code == Errc::unavailable);
        CHECK(box.loop.run(box.client->account(box.wallet)).has_value() == (n > 1));
        box.crash();
      }
      script.fail_at = 0;
      box.open();
      // What was confirmed is there; what was not may be, where the disk failed late.
      const Account account = box.account();
      CHECK(account.held == Money());
      if (what.funded) CHECK(account.lifetime_in >= usd(10));
      if (what.charge_durable) CHECK(account.lifetime_out == usd(2));
      if (failure == CommitScript::Failure::before && !what.funded)
        CHECK(account.lifetime_in == Money());
      CHECK(box.loop.run(box.client->transfer(box.credit_of(usd(10), "order-1"))).has_value());
      CHECK(box.account().lifetime_in <= usd(11));
      CHECK(box.is_clean());
    }
  }
  std::printf("commit failures: %d, none acknowledged\n", stopped);
}

TEST_CASE("who waits while a commit fails is told, and the dropped are forgotten") {
  LedgerBox box;
  CommitScript script;
  use_script(box, script);
  box.open();
  box.fund(usd(10));
  Hold open = box.admitted(usd(1));
  REQUIRE(box.durable(open.seq()));
  script.hold_back = true;
  Hold hold = box.admitted(usd(1));
  auto gate = LedgerBox::waiting(box.client.get(), hold.seq());
  gate.start();
  auto transfer = box.client->transfer(box.credit_of(usd(1)));
  transfer.start();
  box.loop.turns(5);
  CHECK(!gate.done());
  CHECK(!transfer.done());
  CHECK(box.ledger->status().backlog_bytes > 0);
  script.fail_at = script.commits;
  script.release();
  REQUIRE(box.loop.run_until([&] { return gate.done() && transfer.done(); }));
  CHECK(gate.result().error().code == Errc::unavailable);
  CHECK(transfer.result().error().code == Errc::unavailable);
  CHECK(box.extend(open, usd(1)).error().code == Errc::unavailable);
  CHECK(box.post(std::move(open), usd(1)).error().code == Errc::unavailable);
  CHECK(box.release(std::move(hold)).error().code == Errc::unavailable);
}

TEST_CASE("commits that take long gather what comes meanwhile") {
  LedgerBox box;
  CommitScript script;
  use_script(box, script);
  box.open();
  box.fund(usd(100));
  script.hold_back = true;
  const int before = script.commits;
  Hold first = box.admitted(usd(1));
  std::vector<Hold> holds;
  for (int i = 0; i < 50; ++i) holds.push_back(box.admitted(usd(1)));
  box.loop.turns(3);
  CHECK(script.commits == before + 1);
  auto gate = LedgerBox::waiting(box.client.get(), holds.back().seq());
  gate.start();
  script.release();
  box.loop.turns(3);
  CHECK(script.commits == before + 2);  // all fifty in one
  CHECK(!gate.done());
  script.release();
  REQUIRE(box.loop.run_until([&] { return gate.done(); }));
  CHECK(gate.result());
  script.hold_back = false;
  script.release();
}

TEST_CASE("a backlog has its bound, and settlements pass it") {
  LedgerBox box;
  CommitScript script;
  use_script(box, script);
  box.options.backlog_bytes_max = 2000;
  box.open();
  box.fund(usd(100));
  script.hold_back = true;
  std::vector<Hold> holds;
  Errc refused{};
  for (int i = 0; i < 200; ++i) {
    auto outcome = box.hold(box.ask(nanos(1)));
    if (!outcome) {
      refused = outcome.error().code;
      break;
    }
    holds.push_back(std::move(std::get<Hold>(*outcome)));
  }
  CHECK(refused == Errc::overloaded);
  CHECK(holds.size() > 5);
  CHECK(holds.size() < 50);
  auto putting = box.client->put("t", "k", "v");
  putting.start();
  REQUIRE(box.loop.run_until([&] { return putting.done(); }));
  CHECK(putting.result().error().code == Errc::overloaded);
  const auto receipt = box.post(std::move(holds.back()), nanos(1));
  REQUIRE(receipt);
  holds.pop_back();
  script.hold_back = false;
  script.release();
  REQUIRE(box.durable(receipt->seq));
  CHECK(box.hold(box.ask(nanos(1))));
  holds.clear();
  box.loop.turns(4);
  CHECK(box.is_clean());
}

TEST_CASE("as much waits for the disk as may, and then no hold is taken and no record changed") {
  const auto taken = [](size_t backlog_bytes, bool is_hold) {
    CommitScript script;
    LedgerBox box;
    use_script(box, script);
    box.open();
    box.fund(usd(100));
    script.hold_back = true;
    fill_backlog(box, backlog_bytes);
    std::optional<Errc> refused;
    if (is_hold) {
      const auto outcome = box.hold(box.ask(nanos(1)));
      if (!outcome) refused = outcome.error().code;
    } else {
      auto putting = box.client->put("t", "k", "v");
      putting.start();
      box.loop.turns(3);
      if (putting.done()) refused = putting.result().error().code;
    }
    box.crash();
    CHECK(refused.value_or(Errc::overloaded) == Errc::overloaded);
    return !refused;
  };
  for (const bool is_hold : {true, false}) {
    CHECK(taken(limits::commit_backlog_bytes_max, is_hold));
    CHECK_FALSE(taken(limits::commit_backlog_bytes_max + 1, is_hold));
  }
}

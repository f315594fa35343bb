// What a start finds and does, after a process died at this or that point.
#include <catch2/catch.hpp>

#include "ledger/snapshot.h"
#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

TEST_CASE("request holds of a dead process are posted at their mark, or voided without one") {
  LedgerBox box;
  box.open();
  box.fund(usd(20));
  {
    Hold unmarked = box.admitted(usd(3));
    Hold marked = box.admitted(usd(4));
    marked.mark({usd(2), 9});
    Hold over = box.admitted(usd(1));
    over.mark({usd(5), 9});  // used more than it holds
    box.fund(usd(1));        // a commit they ride in
    box.driver.reset();      // the process stands still: the drops below reach nobody
  }
  box.crash();
  CHECK(box.audited().verdict == AuditReport::Verdict::clean);
  box.open();
  CHECK(box.ledger->status().holds_posted_at_start == 2);
  CHECK(box.ledger->status().holds_voided_at_start == 1);
  CHECK(box.account().held == Money());
  CHECK(box.account().posted == usd(21 - 2 - 5));
  CHECK(box.loop.run(box.client->open_holds())->empty());
  CHECK(box.is_clean());
}

TEST_CASE("what was not committed never was") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  {
    auto task = LedgerBox::holding(box.client.get(), box.ask(usd(3)));
    task.start();
    box.driver.reset();
  }
  box.crash();
  box.open();
  CHECK(box.account().posted == usd(10));
  CHECK(box.account().held == Money());
  CHECK(box.is_clean());
}

TEST_CASE("an epoch passes with every start") {
  LedgerBox box;
  for (uint64_t epoch = 1; epoch <= 5; ++epoch) {
    box.open();
    CHECK(box.ledger->status().epoch == epoch);
    box.close();
  }
  CHECK(box.is_clean());
}

TEST_CASE("rows follow the journal, so that a start reads little again") {
  LedgerBox box;
  box.options.replay_records_goal = 50;
  box.open();
  box.fund(usd(1'000));
  HoldRequest request = box.ask(usd(1));
  request.kind = HoldKind::task;
  Hold task = box.admitted(request);
  task.keep();
  task.mark({nanos(5), 1});
  for (int i = 0; i < 200; ++i) {
    HoldRequest each = box.ask(usd(1));
    each.budgets = {{{"key", "d" + std::to_string(i / 50)}, usd(100), 0}};
    REQUIRE(box.post(box.admitted(each), nanos(1000 + i)));
  }
  CHECK(box.is_clean());
  const Seq last = box.ledger->status().ordered;
  { const Hold down = std::move(task); }
  box.close();
  {
    const auto snapshot = Snapshot::open(box.options.directory);
    REQUIRE(snapshot);
    CHECK((*snapshot)->last() >= last);
    CHECK((*snapshot)->open_holds().size() == 1);
    CHECK((*snapshot)->open_holds()[0].mark->metered[0] == nanos(5));
    CHECK((*snapshot)->budget({"key", "d3"})->spent.nanos() > 0);
    CHECK((*snapshot)->accounts({}).accounts.size() == 3);
  }
  const Money before = usd(1'000) - nanos(200 * 1000 + 199 * 100);
  box.open();
  CHECK(box.account().posted == before);
  CHECK(box.account().held == usd(1));
  auto adopted = box.loop.run(box.client->adopt(request.request));
  REQUIRE(adopted);
  REQUIRE(box.post(std::move(*adopted), usd(1)));
  CHECK(box.account().held == Money());
  CHECK(box.is_clean());
}

TEST_CASE("a start agrees with the run, wherever the rows are") {
  for (const uint64_t goal : {1u, 2u, 3u, 7u, 1000u}) {
    INFO(goal);
    LedgerBox box(goal);
    box.options.replay_records_goal = goal;
    box.open();
    box.fund(usd(100));
    for (int i = 0; i < 30; ++i) {
      HoldRequest request = box.ask(usd(2));
      request.budgets = {{{"b" + std::to_string(i % 3), "p"}, usd(1000), 0}};
      Hold hold = box.admitted(request);
      REQUIRE(box.extend(hold, nanos(i)));
      hold.mark({nanos(i), i});
      if (i % 3 == 0) {
        REQUIRE(box.release(std::move(hold)));
      } else {
        REQUIRE(box.post(std::move(hold), nanos(i * 1'000'000)));
      }
    }
    const Account before = box.account();
    const auto budget = box.loop.run(box.client->budget({"b1", "p"}));
    box.close();
    REQUIRE(box.is_clean());
    box.open();
    CHECK(box.account().posted == before.posted);
    CHECK(box.account().held == before.held);
    CHECK(box.account().lifetime_out == before.lifetime_out);
    CHECK(box.loop.run(box.client->budget({"b1", "p"}))->spent == budget->spent);
    box.fund(usd(1));
    CHECK(box.is_clean());
  }
}

TEST_CASE("a store that is damaged is not opened") {
  LedgerBox box;
  box.open();
  box.fund(usd(1));
  box.close();
  const std::string file = box.options.directory + "/data.mdb";
  std::string bytes = read_whole(file);
  const size_t at = bytes.rfind("operator");  // in the row of the funding account, or its record
  REQUIRE(at != std::string::npos);
  for (size_t i = bytes.find("operator"); i != std::string::npos; i = bytes.find("operator", i + 1))
    bytes[i] = 'O';
  write_whole(file, bytes);
  const auto opened = Ledger::open(box.options, box.clock);
  REQUIRE(!opened);
  CHECK(opened.error().code == Errc::invalid);
  CHECK(Snapshot::open(box.options.directory).error().code == Errc::invalid);
}

TEST_CASE("a snapshot needs a store and leaves it as it was") {
  LedgerBox box;
  CHECK(Snapshot::open(box.dir / "nowhere").error().code == Errc::not_found);
  box.open();
  box.fund(usd(3));
  Hold hold = box.admitted(usd(1));
  REQUIRE(box.durable(hold.seq()));
  box.driver.reset();
  { const Hold dropped = std::move(hold); }
  box.crash();
  {
    auto snapshot = Snapshot::open(box.options.directory);
    REQUIRE(snapshot);
    CHECK((*snapshot)->account(box.wallet)->held == usd(1));  // nothing is recovered
    CHECK((*snapshot)->account(AccountName::sales_of(box.id())).error().code == Errc::not_found);
    REQUIRE((*snapshot)->backup(box.dir / "copy"));
  }
  AuditOptions copy;
  copy.directory = box.dir / "copy";
  CHECK(audit(copy)->verdict == AuditReport::Verdict::clean);
  box.open();
  CHECK(box.ledger->status().holds_voided_at_start == 1);
}

TEST_CASE("time in the journal never goes back, whatever the clock does") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  for (const int64_t jump_ms : {-kMsPerDay, 365 * kMsPerDay, -366 * kMsPerDay, int64_t{0}}) {
    box.clock.jump_wall_ms(jump_ms);
    HoldRequest request = box.ask(usd(1));
    request.budgets = {{{"key", "2026-11-21"}, usd(3), box.clock.wall_ms() + 1000}};
    REQUIRE(box.post(box.admitted(request), nanos(100'000'000)));
  }
  // A period that was over by the wrong clock has not begun anew.
  CHECK(box.loop.run(box.client->budget({"key", "2026-11-21"}))->spent == nanos(400'000'000));
  CHECK(box.is_clean());
}

TEST_CASE("a budget nobody can ask for is forgotten after a day that really passed") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(1));
  const int64_t period_ms = 30 * 3'600'000;
  request.budgets = {{{"key", "d1"}, usd(3), box.clock.wall_ms() + period_ms},
                     {{"key", ""}, usd(3), 0}};
  REQUIRE(box.post(box.admitted(request), usd(1)));
  const auto known = [&](const char* period) {
    return box.loop.run(box.client->budget({"key", period})).has_value();
  };
  const auto pass_hours = [&](int hours) {
    for (; hours > 0; --hours) {
      box.clock.advance_ms(3'600'000);
      box.fund(usd(1));
    }
  };
  box.clock.jump_wall_ms(400 * kMsPerDay);  // a wrong clock, for a while
  pass_hours(23);
  CHECK(known("d1"));
  box.clock.jump_wall_ms(-400 * kMsPerDay);
  pass_hours(1);
  box.clock.jump_wall_ms(400 * kMsPerDay);  // and again
  pass_hours(5);
  box.clock.jump_wall_ms(-400 * kMsPerDay);
  pass_hours(2);  // the period is over, by every clock
  CHECK(known("d1"));
  pass_hours(25);
  CHECK(!known("d1"));
  CHECK(known(""));
  CHECK(box.is_clean());
  box.close();
  box.open();
  CHECK(!known("d1"));
  request.request = box.id();
  REQUIRE(box.post(box.admitted(request), usd(1)));  // its number is not given again
  CHECK(box.is_clean());
}

TEST_CASE("a budget is forgotten when it could not be asked for that long, and no sooner") {
  constexpr int64_t kHourMs = 3'600'000;  // from one look to the next
  for (const int64_t short_by_ms : {0, 1}) {
    LedgerBox box;
    box.open();
    HoldRequest request = box.ask(usd(1));
    box.fund(usd(10));
    request.budgets = {{{"key", "d1"}, usd(3), box.clock.wall_ms() + 1}};
    REQUIRE(box.post(box.admitted(request), usd(1)));
    const auto known_after = [&](int64_t ms) {
      box.clock.advance_ms(ms);
      box.fund(usd(1));
      return box.loop.run(box.client->budget({"key", "d1"})).has_value();
    };
    CHECK(known_after(kHourMs));  // seen to be over
    CHECK(known_after(limits::budget_forget_ms - kHourMs - short_by_ms));
    CHECK(known_after(kHourMs) == (short_by_ms == 1));
    CHECK_FALSE(known_after(kHourMs));
    CHECK(box.is_clean());
  }
}

// A hold that is dropped, wherever its owner stood, is resolved: by its metered amount once there is
// a mark, by nothing before.
#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

// Everything a request does with the ledger, in order; `stop_at` says where it waits for ever.
enum class Stop : uint8_t { hold, durable, extend, relayed, post, posted, none };

event::Task<> story(LedgerBox* box, HoldRequest request, Stop stop, event::Signal* forever,
                    bool* finished) {
  HoldAwaiter asked = box->client->hold(request);
  if (stop == Stop::hold) {
    auto wait = forever->wait();
    co_await wait;
  }
  Result<HoldOutcome> outcome = co_await asked;
  MG_ASSERT(outcome && std::holds_alternative<Hold>(*outcome));
  Hold hold = std::move(std::get<Hold>(*outcome));
  DurableAwaiter gate = hold.durable();
  if (stop == Stop::durable) {
    auto wait = forever->wait();
    co_await wait;
  }
  const Result<> lasting = co_await gate;
  MG_ASSERT(lasting);
  hold.mark({usd(1), 1});
  {
    ExtendAwaiter extending = hold.extend(usd(1));
    if (stop == Stop::extend) {
      auto wait = forever->wait();
      co_await wait;
    }
    const Result<ExtendOutcome> extended = co_await extending;
    MG_ASSERT(extended);
  }
  hold.meter({usd(2), 2});
  if (stop == Stop::relayed) {
    auto wait = forever->wait();
    co_await wait;
  }
  const PriceLine line = LedgerBox::line_of(usd(2));
  Settlement settlement;
  settlement.lines = {&line, 1};
  ResolveAwaiter posting = std::move(hold).post(settlement);
  if (stop == Stop::post) {
    auto wait = forever->wait();
    co_await wait;
  }
  const Result<Receipt> receipt = co_await posting;
  MG_ASSERT(receipt && receipt->charge == usd(2));
  if (stop == Stop::posted) {
    auto wait = forever->wait();
    co_await wait;
  }
  *finished = true;
}

Money charged_when_dropped_at(Stop stop, int turns) {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  event::Signal forever;
  bool finished = false;
  {
    auto task = story(&box, box.ask(usd(3)), stop, &forever, &finished);
    task.start();
    box.loop.turns(turns);
  }
  box.loop.turns(6);
  CHECK(box.account().held == Money());
  CHECK(box.loop.run(box.client->open_holds())->empty());
  const Money charged = usd(10) - box.account().posted;
  CHECK(box.is_clean());
  return charged;
}

}  // namespace

TEST_CASE("a hold dropped at each of its awaits is resolved") {
  // However many turns the answer had to arrive meanwhile.
  for (const int turns : {0, 1, 2, 3, 20}) {
    INFO(turns);
    CHECK(charged_when_dropped_at(Stop::hold, turns) == Money());
    CHECK(charged_when_dropped_at(Stop::durable, turns) == Money());
  }
  CHECK(charged_when_dropped_at(Stop::extend, 20) == usd(1));
  CHECK(charged_when_dropped_at(Stop::relayed, 30) == usd(2));
  CHECK(charged_when_dropped_at(Stop::post, 30) == usd(2));
  CHECK(charged_when_dropped_at(Stop::posted, 30) == usd(2));
}

TEST_CASE("dropping a whole request after every number of turns leaves nothing open") {
  int finished_runs = 0;
  for (int turns = 0; turns < 24; ++turns) {
    INFO(turns);
    LedgerBox box;
    box.open();
    box.fund(usd(10));
    event::Signal forever;
    bool finished = false;
    {
      auto task = story(&box, box.ask(usd(3)), Stop::none, &forever, &finished);
      task.start();
      box.loop.turns(turns);
    }
    if (finished) ++finished_runs;
    box.loop.turns(6);
    CHECK(box.account().held == Money());
    const Money charged = usd(10) - box.account().posted;
    CHECK((charged == Money() || charged == usd(1) || charged == usd(2)));
    if (finished) CHECK(charged == usd(2));
  }
  CHECK(finished_runs > 0);
  CHECK(finished_runs < 24);
}

TEST_CASE("a refused hold may be dropped before its answer") {
  LedgerBox box;
  box.open();
  for (int turns = 0; turns < 4; ++turns) {
    auto task = LedgerBox::holding(box.client.get(), box.ask(usd(3)));
    task.start();
    box.loop.turns(turns);
    task.drop();
    box.loop.turns(4);
  }
  CHECK(box.loop.run(box.client->open_holds())->empty());
}

TEST_CASE("a hold that is assigned over is resolved") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(3));
  hold = box.admitted(usd(4));
  box.loop.turns(4);
  CHECK(box.account().held == usd(4));
  hold.meter({usd(1), 1});
  { const Hold moved = std::move(hold); }
  box.loop.turns(4);
  CHECK(box.account().held == Money());
  CHECK(box.account().posted == usd(9));
}

TEST_CASE("a client that goes right after its holds leaves them resolved") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  { const Hold hold = box.admitted(usd(3)); }
  {
    Hold hold = box.admitted(usd(3));
    hold.meter({usd(2), 2});
  }
  box.close();
  box.open();
  CHECK(box.account().held == Money());
  CHECK(box.account().posted == usd(8));
  CHECK(box.ledger->status().holds_posted_at_start == 0);
  CHECK(box.ledger->status().holds_voided_at_start == 0);
  CHECK(box.is_clean());
}

TEST_CASE("a kept hold dropped while it grows is neither lost nor resolved") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(3));
  request.kind = HoldKind::task;
  {
    Hold hold = box.admitted(request);
    hold.keep();
    auto growing = LedgerBox::extending(&hold, usd(1));
    growing.start();
  }
  box.loop.turns(6);
  CHECK(box.account().held == usd(4));
  auto hold = box.loop.run(box.client->adopt(request.request));
  REQUIRE(hold);
  CHECK(hold->amounts()[0] == usd(4));
  auto adopting = box.client->adopt(request.request);
  adopting.start();
  REQUIRE(box.release(std::move(*hold), VoidReason::withdrawn));
  adopting.drop();
  box.loop.turns(4);
  CHECK(box.account().held == Money());
  CHECK(box.is_clean());
}

TEST_CASE("an adoption nobody waits for is handed back") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(3));
  request.kind = HoldKind::task;
  {
    Hold hold = box.admitted(request);
    hold.keep();
  }
  box.loop.turns(4);
  for (int turns = 0; turns < 3; ++turns) {
    auto adopting = box.client->adopt(request.request);
    adopting.start();
    box.loop.turns(turns);
    adopting.drop();
    box.loop.turns(4);
  }
  auto hold = box.loop.run(box.client->adopt(request.request));
  REQUIRE(hold);
  REQUIRE(box.release(std::move(*hold)));
}

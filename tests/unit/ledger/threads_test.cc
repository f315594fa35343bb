// The ledger on its own threads, used by several workers at once, each on a real loop.
#include <catch2/catch.hpp>
#include <thread>

#include "event/uv_loop.h"
#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

struct Tally {
  int64_t charged = 0;
  int requests = 0;
  int refused = 0;
};

event::Task<> request(LedgerBox* box, Client* client, Id id, uint64_t dice, Tally* tally) {
  HoldRequest asked;
  asked.request = id;
  asked.tenant = box->tenant;
  asked.key = box->key;
  asked.wallets.push_back({box->wallet, nanos(1000)});
  asked.budgets = {{{"shared", "p"}, usd(1'000'000), 0}};
  HoldAwaiter asking = client->hold(asked);
  Result<HoldOutcome> outcome = co_await asking;
  MG_ASSERT(outcome);
  if (!std::holds_alternative<Hold>(*outcome)) {
    ++tally->refused;
    co_return;
  }
  Hold hold = std::move(std::get<Hold>(*outcome));
  DurableAwaiter gate = hold.durable();
  const Result<> lasting = co_await gate;
  MG_ASSERT(lasting);
  if (dice % 3 == 0) hold.mark({nanos(10), 1});
  if (dice % 4 == 0) {
    ExtendAwaiter extending = hold.extend(nanos(500));
    const Result<ExtendOutcome> extended = co_await extending;
    MG_ASSERT(extended);
  }
  ++tally->requests;
  if (dice % 7 == 0) co_return;  // dropped: 10 where it was marked
  const PriceLine line = LedgerBox::line_of(nanos(700));
  Settlement settlement;
  settlement.lines = {&line, 1};
  ResolveAwaiter posting = std::move(hold).post(settlement);
  const Result<Receipt> receipt = co_await posting;
  MG_ASSERT(receipt);
  tally->charged += receipt->charge.nanos();
  DurableAwaiter charged = client->durable(receipt->seq);
  const Result<> done = co_await charged;
  MG_ASSERT(done);
}

event::Task<> all_requests(LedgerBox* box, Client* client, event::UvLoop* loop, uint64_t seed,
                           Tally* tally, int count, int* left) {
  SeededRng rng(seed);
  for (int i = 0; i < count; ++i) {
    const uint64_t dice = rng.draw() % 1000;
    event::Task<> one = request(box, client, Id::make(box->clock, rng), dice, tally);
    co_await std::move(one);
    if (dice % 50 == 0) {
      event::Task<Result<Seq>> putting = client->put("t", std::to_string(dice), "v");
      const Result<Seq> put = co_await std::move(putting);
      MG_ASSERT(put);
    }
    if (dice % 60 == 0) {
      event::Task<Result<Account>> looking = client->account(box->wallet);
      const Result<Account> account = co_await std::move(looking);
      MG_ASSERT(account && account->available() >= Money());
    }
  }
  if (--*left == 0) loop->stop();
}

Tally work(LedgerBox& box, uint64_t seed, int tasks, int requests_each) {
  SystemClock clock;
  event::UvLoop loop(clock);
  Tally tally;
  {
    Client client(*box.ledger, loop);
    int left = tasks;
    for (int i = 0; i < tasks; ++i)
      loop.spawn(all_requests(&box, &client, &loop, seed * 1000 + static_cast<uint64_t>(i), &tally,
                              requests_each, &left));
    loop.run();
    loop.cancel_spawned();
  }
  return tally;
}

}  // namespace

TEST_CASE("workers on real loops, with readers beside them, lose nothing") {
  LedgerBox box;
  box.options.replay_records_goal = 500;
  box.open_with_threads();
  box.fund(usd(1'000));
  Tally tallies[3];
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i)
    workers.emplace_back([&, i] { tallies[i] = work(box, static_cast<uint64_t>(i) + 1, 8, 40); });
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    const auto view = box.ledger->wallet_view(box.wallet);
    int copies = 0;
    while (!stop) {
      MG_ASSERT(view->available() >= Money());
      const LedgerStatus status = box.ledger->status();
      MG_ASSERT(status.durable <= status.ordered && status.takes_holds());
      const auto last = box.ledger->journal().last();
      MG_ASSERT(last && *last + 1 > status.durable);
      if (++copies < 5) {
        const auto copied = box.ledger->backup(box.dir / ("copy" + std::to_string(copies)));
        MG_ASSERT(copied);
      }
      MG_ASSERT(box.ledger->clear_dead_readers());
    }
  });
  for (std::thread& worker : workers) worker.join();
  stop = true;
  reader.join();
  int64_t charged = 0;
  int requests = 0;
  for (const Tally& tally : tallies) {
    charged += tally.charged;
    requests += tally.requests;
    CHECK(tally.refused == 0);
  }
  CHECK(requests == 3 * 8 * 40);
  CHECK(box.account().held == Money());
  const int64_t dropped = usd(1'000).nanos() - charged - box.account().posted.nanos();
  CHECK(dropped >= 0);
  CHECK(dropped % 10 == 0);
  CHECK(dropped <= requests * 10);
  box.close();
  CHECK(box.is_clean());
}

TEST_CASE("a ledger that ends finishes what was sent") {
  LedgerBox box;
  box.open_with_threads();
  box.fund(usd(10));
  std::vector<Hold> holds;
  for (int i = 0; i < 50; ++i) holds.push_back(box.admitted(nanos(100)));
  for (Hold& hold : holds) hold.meter({nanos(3), 1});
  holds.clear();
  box.close();
  box.open();
  CHECK(box.account().posted == usd(10) - nanos(150));
  CHECK(box.account().held == Money());
  CHECK(box.ledger->status().holds_posted_at_start == 0);
  CHECK(box.ledger->status().holds_voided_at_start == 0);
  CHECK(box.is_clean());
}

TEST_CASE("clients come and go while others work") {
  LedgerBox box;
  box.open_with_threads();
  box.fund(usd(1'000));
  std::thread coming([&] {
    SeededRng rng(4);
    for (int i = 0; i < 50; ++i) {
      TestLoop loop(box.clock);
      Client client(*box.ledger, loop);
      HoldRequest request = box.ask(nanos(5));
      request.request = Id::make(box.clock, rng);
      auto task = LedgerBox::holding(&client, request);
      task.start();
      loop.turns(i % 3);
    }
  });
  const Tally tally = work(box, 9, 4, 50);
  coming.join();
  CHECK(tally.requests == 200);
  CHECK(box.account().held == Money());
  box.close();
  CHECK(box.is_clean());
}

TEST_CASE("a full worker is told to come later") {
  LedgerBox box;
  box.open();
  std::vector<Task<Result<HoldOutcome>>> tasks;
  const HoldRequest request = box.ask(Money());
  for (size_t i = 0; i <= limits::ledger_commands_max; ++i) {
    HoldRequest each = request;
    each.request = box.id();
    tasks.push_back(LedgerBox::holding(box.client.get(), each));
    tasks.back().start();
  }
  REQUIRE(tasks.back().done());
  CHECK(tasks.back().result().error().code == Errc::overloaded);
  CHECK(!tasks[tasks.size() - 2].done());
  REQUIRE(box.loop.run_until([&] {
    return std::all_of(tasks.begin(), tasks.end(), [](const auto& t) { return t.done(); });
  }));
  tasks.pop_back();
  for (auto& task : tasks) REQUIRE(task.result());
}

namespace {

// Each waits for the disk before the next is sent.
event::Task<> put_one_by_one(Client* client, event::UvLoop* loop, int count) {
  for (int i = 0; i < count; ++i) {
    event::Task<Result<Seq>> putting = client->put("t", std::to_string(i), "v");
    const Result<Seq> put = co_await std::move(putting);
    MG_ASSERT(put);
  }
  loop->stop();
}

int64_t ms_to_put(Ledger& ledger, int count) {
  SystemClock clock;
  event::UvLoop loop(clock);
  const int64_t began_ns = clock.monotonic_ns();
  {
    Client client(ledger, loop);
    loop.spawn(put_one_by_one(&client, &loop, count));
    loop.run();
  }
  return (clock.monotonic_ns() - began_ns) / kNsPerMs;
}

}  // namespace

TEST_CASE("commits keep their distance, and the one after a pause waits for nobody") {
  LedgerBox box;
  box.options.commit_spacing_us = 300'000;
  box.open_with_threads();
  CHECK(ms_to_put(*box.ledger, 1) < 300);
  CHECK(ms_to_put(*box.ledger, 3) >= 600);
}

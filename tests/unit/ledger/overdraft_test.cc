// Many at once on what can pay for few: the sum of what is admitted never exceeds what is there.
#include <catch2/catch.hpp>
#include <thread>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

struct Crowd {
  std::vector<Task<Result<HoldOutcome>>> tasks;
  size_t admitted = 0;
  size_t refused = 0;

  template <class Ask>
  void ask(LedgerBox& box, int count, Ask&& request_of) {
    for (int i = 0; i < count; ++i) {
      tasks.push_back(LedgerBox::holding(box.client.get(), request_of()));
      tasks.back().start();
    }
    REQUIRE(box.loop.run_until([&] {
      return std::all_of(tasks.begin(), tasks.end(), [](const auto& t) { return t.done(); });
    }));
    for (auto& task : tasks) {
      auto outcome = task.result();
      REQUIRE(outcome);
      if (std::holds_alternative<Hold>(*outcome)) {
        holds.push_back(std::move(std::get<Hold>(*outcome)));
        ++admitted;
      } else {
        ++refused;
      }
    }
  }
  std::vector<Hold> holds;
};

}  // namespace

TEST_CASE("500 parallel holds on a wallet for 10") {
  for (const bool threads : {false, true}) {
    LedgerBox box;
    threads ? box.open_with_threads() : box.open();
    box.fund(usd(10));
    {
      Crowd crowd;
      crowd.ask(box, 500, [&] { return box.ask(usd(1)); });
      CHECK(crowd.admitted == 10);
      CHECK(crowd.refused == 490);
      CHECK(box.account().available() == Money());
      for (Hold& hold : crowd.holds) REQUIRE(box.post(std::move(hold), usd(1)));
    }
    CHECK(box.account().posted == Money());
    box.close();
    CHECK(box.is_clean());
  }
}

TEST_CASE("500 parallel holds on a budget for 10") {
  for (const bool threads : {false, true}) {
    LedgerBox box;
    threads ? box.open_with_threads() : box.open();
    box.fund(usd(1000));
    {
      Crowd crowd;
      crowd.ask(box, 500, [&] {
        HoldRequest request = box.ask(usd(1));
        request.budgets = {{{"key", "d1"}, usd(10), 0}};
        return request;
      });
      CHECK(crowd.admitted == 10);
      CHECK(crowd.refused == 490);
    }
    const auto budget = box.loop.run(box.client->budget({"key", "d1"}));
    REQUIRE(budget);
    CHECK(budget->held == Money());
    box.close();
    CHECK(box.is_clean());
  }
}

TEST_CASE("two workers at once on a wallet for 10") {
  LedgerBox box;
  box.open_with_threads();
  box.fund(usd(10));
  std::atomic<size_t> admitted{0}, refused{0};
  std::vector<HoldRequest> requests[2];
  for (auto& half : requests)
    for (int i = 0; i < 250; ++i) half.push_back(box.ask(usd(1)));
  const auto work = [&](const std::vector<HoldRequest>& mine) {
    TestLoop loop(box.clock);
    Client client(*box.ledger, loop);
    std::vector<Hold> holds;
    for (const HoldRequest& request : mine) {
      auto outcome = loop.run(LedgerBox::holding(&client, request));
      if (outcome && std::holds_alternative<Hold>(*outcome)) {
        ++admitted;
        holds.push_back(std::move(std::get<Hold>(*outcome)));
      } else {
        ++refused;
      }
    }
    // Nothing comes free before everybody has asked.
    while (admitted + refused < 500) std::this_thread::yield();
    for (Hold& hold : holds) {
      const auto receipt =
          loop.run(LedgerBox::releasing(std::move(hold), VoidReason::refused));
      MG_ASSERT(receipt);
    }
  };
  std::thread one([&] { work(requests[0]); });
  std::thread two([&] { work(requests[1]); });
  one.join();
  two.join();
  CHECK(admitted == 10);
  CHECK(refused == 490);
  CHECK(box.account().held == Money());
  box.close();
  CHECK(box.is_clean());
}

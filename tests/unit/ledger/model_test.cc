#include "unit/ledger/model.h"

#include <catch2/catch.hpp>

using namespace mg;
using namespace mg::test;

namespace {

class Script {
 public:
  explicit Script(uint64_t seed) : box(seed), rng(seed * 77 + 1) {
    const uint64_t goals[] = {1, 5, 40, 100'000};
    box.options.replay_records_goal = goals[seed % 4];
    const Id agent = box.id();
    for (int i = 0; i < 3; ++i) wallets.push_back(AccountName::wallet_of(box.platform, box.id()));
    for (int i = 0; i < 2; ++i) wallets.push_back(AccountName::wallet_of(agent, box.id()));
    sellers = {box.platform, agent};
    box.open();
  }
  ~Script() { open.clear(); }

  void step() {
    const uint64_t dice = rng.draw() % 100;
    if (dice < 12) {
      credit();
    } else if (dice < 17) {
      debit();
    } else if (dice < 20) {
      floor();
    } else if (dice < 50) {
      hold();
    } else if (dice < 60) {
      extend();
    } else if (dice < 68) {
      mark();
    } else if (dice < 84) {
      post();
    } else if (dice < 90) {
      release();
    } else if (dice < 95) {
      drop();
    } else if (dice < 97) {
      box.clock.advance_ms(static_cast<int64_t>(rng.draw() % 10'000));
      box.loop.turns(3);
    } else if (dice < 98) {
      box.clock.jump_wall_ms(static_cast<int64_t>(rng.draw() % 7'200'000) - 3'600'000);
    } else {
      restart();
    }
    compare();
  }

  void finish() {
    while (!open.empty()) {
      pick = open.size() - 1;
      post();
    }
    compare();
    REQUIRE(box.is_clean());
  }

  size_t admitted = 0, refused = 0, short_charges = 0, restarts = 0;
  LedgerBox box;

 private:
  struct Open {
    Hold hold;
    ModelHold model;
  };

  int64_t amount() {
    const uint64_t size = rng.draw() % 3;
    return static_cast<int64_t>(rng.draw() % (size == 0 ? 10 : size == 1 ? 2'000 : 100'000));
  }
  const AccountName& any_wallet() { return wallets[rng.draw() % wallets.size()]; }
  bool choose() {
    if (open.empty()) return false;
    pick = rng.draw() % open.size();
    return true;
  }
  Open take() {
    Open taken = std::move(open[pick]);
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    return taken;
  }
  std::vector<int64_t> amounts_for(const ModelHold& held) {
    std::vector<int64_t> out;
    for (size_t i = 0; i < held.amounts.size(); ++i) out.push_back(amount());
    return out;
  }

  void credit() {
    TransferRequest t = box.credit_of(nanos(1 + amount()));
    t.credit = any_wallet();
    t.debit = AccountName::funding_from(t.credit.seller, "operator");
    if (rng.draw() % 2 == 0) t.id = "id-" + std::to_string(rng.draw() % 40);
    const auto outcome = box.loop.run(box.client->transfer(t));
    REQUIRE(outcome);
    const auto* receipt = std::get_if<TransferReceipt>(&*outcome);
    if (receipt && !receipt->repeated) model.transfer(t);
  }
  void debit() {
    TransferRequest t = box.credit_of(nanos(1 + amount()));
    t.kind = TransferKind::adjustment;
    t.debit = any_wallet();
    t.credit = AccountName::funding_from(t.debit.seller, "operator");
    const bool can = model.wallet(t.debit).available() >= t.amount.nanos();
    const auto outcome = box.loop.run(box.client->transfer(t));
    REQUIRE(outcome);
    REQUIRE(std::holds_alternative<TransferReceipt>(*outcome) == can);
    if (can) model.transfer(t);
  }
  void floor() {
    const AccountName& name = any_wallet();
    const int64_t floor = amount() - 50'000;
    Model::Wallet& wallet = model.wallet(name);
    const bool can = wallet.posted - wallet.held >= floor;
    const auto result = box.loop.run(box.client->set_floor(name, nanos(floor)));
    REQUIRE(result.has_value() == can);
    if (can) wallet.floor = floor;
  }
  void hold() {
    if (open.size() > 40) return;
    HoldRequest request = box.ask(Money());
    request.wallets.clear();
    // A company under an agent, or under the platform.
    if (rng.draw() % 3 == 0) {
      request.wallets.push_back({wallets[3 + rng.draw() % 2], nanos(amount())});
      request.wallets.push_back({wallets[0], nanos(amount())});
    } else {
      request.wallets.push_back({any_wallet(), nanos(amount())});
    }
    for (uint64_t n = rng.draw() % 3; n > 0; --n)
      request.budgets.push_back({{"budget-" + std::to_string(n), std::to_string(rng.draw() % 3)},
                                 nanos(200'000),
                                 0});
    if (rng.draw() % 4 == 0)
      request.idempotency.emplace().fill(static_cast<uint8_t>(rng.draw() % 60));
    if (rng.draw() % 6 == 0) request.kind = HoldKind::task;
    const auto expected = model.judge(request);
    auto outcome = box.hold(request);
    REQUIRE(outcome);
    if (const auto* no = std::get_if<HoldRefusal>(&*outcome)) {
      REQUIRE(expected);
      REQUIRE(no->reason == *expected);
      ++refused;
      return;
    }
    REQUIRE(!expected);
    Hold admitted_hold = std::move(std::get<Hold>(*outcome));
    if (request.kind == HoldKind::task) admitted_hold.keep();
    open.push_back({std::move(admitted_hold), model.admit(request)});
    ++admitted;
  }
  void extend() {
    if (!choose()) return;
    const std::vector<int64_t> more = amounts_for(open[pick].model);
    Amounts amounts;
    for (const int64_t m : more) amounts.push_back(nanos(m));
    const auto outcome = box.extend(open[pick].hold, amounts);
    REQUIRE(outcome);
    REQUIRE(std::holds_alternative<Extended>(*outcome) == model.extend(open[pick].model, more));
  }
  void mark() {
    if (!choose()) return;
    open[pick].model.mark = amounts_for(open[pick].model);
    Mark m;
    for (const int64_t a : open[pick].model.mark) m.metered.push_back(nanos(a));
    open[pick].hold.mark(m);
  }
  void post() {
    if (open.empty()) return;
    pick = std::min<size_t>(pick, open.size() - 1);
    Open taken = take();
    const std::vector<int64_t> prices = amounts_for(taken.model);
    std::vector<PriceLine> lines;
    for (size_t i = 0; i < prices.size(); ++i)
      lines.push_back(LedgerBox::line_of(nanos(prices[i]), static_cast<uint8_t>(i)));
    Settlement settlement;
    settlement.lines = lines;
    const auto receipt = box.post(std::move(taken.hold), settlement);
    REQUIRE(receipt);
    const int64_t paid = model.post(taken.model, prices);
    REQUIRE(receipt->charge.nanos() == paid);
    REQUIRE(receipt->shortfall.nanos() == prices[0] - paid);
    if (paid < prices[0]) ++short_charges;
  }
  void release() {
    if (!choose()) return;
    Open taken = take();
    REQUIRE(box.release(std::move(taken.hold)));
    model.release(taken.model);
  }
  void drop() {
    if (!choose()) return;
    if (open[pick].model.request.kind == HoldKind::task) return;  // kept: stays open
    Open taken = take();
    { const Hold dropped = std::move(taken.hold); }
    box.loop.turns(4);
    model.drop(taken.model);
  }
  // Everything ordered is made durable; then the process dies, and what it held in hand with it.
  void restart() {
    ++restarts;
    box.fund(wallets[0], nanos(1));  // marks ride in its commit
    model.transfer([&] {
      TransferRequest t = box.credit_of(nanos(1));
      t.credit = wallets[0];
      return t;
    }());
    box.driver.reset();
    std::vector<ModelHold> tasks;
    // By number, as a start goes through them.
    std::sort(open.begin(), open.end(),
              [](const Open& a, const Open& b) { return a.hold.seq() < b.hold.seq(); });
    for (Open& held : open) {
      if (held.model.request.kind == HoldKind::task) {
        tasks.push_back(held.model);
      } else {
        model.drop(held.model);
      }
    }
    open.clear();
    box.crash();
    REQUIRE(box.is_clean());
    box.open();
    for (ModelHold& task : tasks) {
      auto adopted = box.loop.run(box.client->adopt(task.request.request));
      REQUIRE(adopted);
      open.push_back({std::move(*adopted), task});
    }
  }

  void compare() {
    std::map<std::string, int64_t> held;
    for (const Open& each : open)
      for (size_t i = 0; i < each.model.amounts.size(); ++i)
        held[Model::key(each.model.request.wallets[i].wallet)] += each.model.amounts[i];
    for (const AccountName& name : wallets) {
      const Account account = box.account(name);
      const Model::Wallet& expected = model.wallet(name);
      REQUIRE(account.posted.nanos() == expected.posted);
      REQUIRE(account.held.nanos() == expected.held);
      REQUIRE(account.floor.nanos() == expected.floor);
      REQUIRE(account.held.nanos() == held[Model::key(name)]);
      REQUIRE(account.available() >= Money());
      REQUIRE(account.lifetime_in - account.lifetime_out == account.posted);
    }
    for (const Id& seller : sellers) {
      AccountQuery query;
      query.seller = seller;
      const auto page = box.loop.run(box.client->accounts(query));
      REQUIRE(page);
      Money sum;
      for (const Account& account : page->accounts) {
        sum += account.posted;
        if (account.name.kind != AccountKind::wallet)
          REQUIRE(account.posted.nanos() == model.others[Model::key(account.name)]);
      }
      REQUIRE(sum == Money());
    }
    for (const auto& [key, expected] : model.limits) {
      const size_t slash = key.find('/');
      const auto budget =
          box.loop.run(box.client->budget({key.substr(0, slash), key.substr(slash + 1)}));
      if (!budget) {
        REQUIRE(expected.spent + expected.held == 0);
        continue;
      }
      REQUIRE(budget->spent.nanos() == expected.spent);
      REQUIRE(budget->held.nanos() == expected.held);
      REQUIRE(budget->spent + budget->held <= nanos(200'000));
    }
  }

  SeededRng rng;
  Model model;
  std::vector<AccountName> wallets;
  std::vector<Id> sellers;
  std::vector<Open> open;
  size_t pick = 0;
};

}  // namespace

TEST_CASE("random scripts agree with the model at every step") {
  const char* asked = std::getenv("MOONGATE_MODEL_SCRIPTS");
  const uint64_t scripts = asked ? std::stoull(asked) : 12;
  size_t admitted = 0, refused = 0, short_charges = 0, restarts = 0, steps = 0;
  for (uint64_t seed = 1; seed <= scripts; ++seed) {
    INFO("seed " << seed);
    Script script(seed);
    for (int i = 0; i < 250; ++i, ++steps) script.step();
    script.finish();
    admitted += script.admitted;
    refused += script.refused;
    short_charges += script.short_charges;
    restarts += script.restarts;
  }
  std::printf("model: %zu steps, %zu holds admitted, %zu refused, %zu short charges, %zu restarts\n",
              steps, admitted, refused, short_charges, restarts);
  CHECK(admitted > 0);
  CHECK(refused > 0);
  CHECK(short_charges > 0);
  CHECK(restarts > 0);
}

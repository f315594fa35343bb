#include "ledger/hold.h"

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

using Reason = HoldRefusal::Reason;

BudgetClaim budget_of(std::string name, Money limit) { return {{std::move(name), "d1"}, limit, 0}; }

}  // namespace

TEST_CASE("a hold is posted, and the money moves once") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(3));
  CHECK(hold.amounts()[0] == usd(3));
  CHECK(box.account().held == usd(3));
  CHECK(box.account().available() == usd(7));
  REQUIRE(box.durable(hold.seq()));

  const auto receipt = box.post(std::move(hold), usd(2));
  REQUIRE(receipt);
  CHECK(receipt->charge == usd(2));
  CHECK(receipt->shortfall == Money());
  CHECK(box.account().posted == usd(8));
  CHECK(box.account().held == Money());
  CHECK(box.account(AccountName::sales_of(box.platform)).posted == usd(2));
  REQUIRE(box.durable(receipt->seq));

  box.crash();
  box.open();
  CHECK(box.account().posted == usd(8));
  CHECK(box.account(AccountName::sales_of(box.platform)).posted == usd(2));
  CHECK(box.ledger->status().epoch == 2);
  CHECK(box.is_clean());
}

TEST_CASE("a wallet that falls short is named, with how much") {
  LedgerBox box;
  box.open();
  box.fund(usd(1));
  const HoldRefusal no = box.refused(box.ask(usd(3)));
  CHECK(no.reason == Reason::wallet_short);
  CHECK(no.wallet == box.wallet);
  CHECK(no.wallet_index == 0);
  CHECK(no.short_by == usd(2));
  CHECK(box.account().held == Money());

  const AccountName unknown = AccountName::wallet_of(box.platform, box.id());
  HoldRequest request = box.ask(usd(1));
  request.wallets[0].wallet = unknown;
  CHECK(box.refused(request).short_by == usd(1));
  CHECK(!box.loop.run(box.client->account(unknown)));

  request.wallets[0].amount = Money();  // what is free needs no money
  REQUIRE(box.release(box.admitted(request)));
  CHECK(box.is_clean());
}

TEST_CASE("a hold over a price chain holds every wallet, or none") {
  LedgerBox box;
  box.open();
  const Id agent = box.id();
  const AccountName customer = AccountName::wallet_of(agent, box.tenant);
  const AccountName agent_wallet = AccountName::wallet_of(box.platform, agent);
  box.fund(customer, usd(10));
  box.fund(agent_wallet, usd(5));
  HoldRequest request = box.ask(usd(8));
  request.wallets.clear();
  request.wallets.push_back({customer, usd(8)});
  request.wallets.push_back({agent_wallet, usd(6)});
  const HoldRefusal no = box.refused(request);
  CHECK(no.reason == Reason::wallet_short);
  CHECK(no.wallet_index == 1);
  CHECK(no.wallet == agent_wallet);
  CHECK(box.account(customer).held == Money());

  request.wallets[1].amount = usd(4);
  Hold hold = box.admitted(request);
  PriceLine lines[] = {LedgerBox::line_of(usd(7), 0), LedgerBox::line_of(usd(3), 1)};
  Settlement settlement;
  settlement.lines = lines;
  settlement.cost = usd(2);
  settlement.provider = "openai";
  REQUIRE(box.post(std::move(hold), settlement));
  CHECK(box.account(customer).posted == usd(3));
  CHECK(box.account(AccountName::sales_of(agent)).posted == usd(7));
  CHECK(box.account(agent_wallet).posted == usd(2));
  CHECK(box.account(AccountName::sales_of(box.platform)).posted == usd(3));
  CHECK(box.account(AccountName::cost_of(box.platform)).posted == usd(-2));
  CHECK(box.account(AccountName::payable_to(box.platform, "openai")).posted == usd(2));
  CHECK(box.is_clean());
}

TEST_CASE("budgets hold and spend with the wallet") {
  LedgerBox box;
  box.open();
  box.fund(usd(100));
  HoldRequest request = box.ask(usd(4));
  request.budgets = {budget_of("key", usd(10)), budget_of("team", usd(5))};
  Hold first = box.admitted(request);
  const auto spent = [&](const char* name) {
    const auto budget = box.loop.run(box.client->budget({name, "d1"}));
    MG_ASSERT(budget);
    return std::make_pair(budget->spent, budget->held);
  };
  CHECK(spent("key") == std::make_pair(Money(), usd(4)));

  request.request = box.id();
  request.wallets[0].amount = usd(2);
  const HoldRefusal no = box.refused(request);
  CHECK(no.reason == Reason::budget_short);
  CHECK(no.budget == BudgetName{"team", "d1"});
  CHECK(no.short_by == usd(1));
  CHECK(spent("key") == std::make_pair(Money(), usd(4)));

  REQUIRE(box.post(std::move(first), usd(3)));
  CHECK(spent("key") == std::make_pair(usd(3), Money()));
  Hold second = box.admitted(request);
  CHECK(spent("team") == std::make_pair(usd(3), usd(2)));
  REQUIRE(box.release(std::move(second)));
  CHECK(spent("team") == std::make_pair(usd(3), Money()));

  request.request = box.id();
  request.budgets[1].budget.period = "d2";  // a new period counts anew
  Hold third = box.admitted(request);
  CHECK(box.is_clean());
  REQUIRE(box.release(std::move(third)));
  CHECK(!box.loop.run(box.client->budget({"unknown", "d1"})));
}

TEST_CASE("a hold grows while there is room") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(2));
  request.budgets = {budget_of("key", usd(6))};
  Hold hold = box.admitted(request);
  auto grown = box.extend(hold, usd(3));
  REQUIRE(grown);
  CHECK(std::get<Extended>(*grown).seq > hold.seq());
  CHECK(hold.amounts()[0] == usd(5));
  CHECK(box.account().held == usd(5));

  grown = box.extend(hold, usd(2));
  REQUIRE(grown);
  CHECK(std::get<HoldRefusal>(*grown).reason == Reason::budget_short);
  CHECK(std::get<HoldRefusal>(*grown).short_by == usd(1));
  CHECK(std::get<HoldRefusal>(*grown).budget.name == "key");
  CHECK(hold.amounts()[0] == usd(5));

  Hold other = box.admitted(usd(5));
  grown = box.extend(hold, usd(1));
  CHECK(std::get<HoldRefusal>(*grown).reason == Reason::wallet_short);
  CHECK(box.extend(hold, nanos(-1)).error().code == Errc::invalid);
  CHECK(box.extend(hold, Amounts{usd(1), usd(1)}).error().code == Errc::invalid);
  REQUIRE(box.post(std::move(hold), usd(5)));
  REQUIRE(box.release(std::move(other)));
  CHECK(box.account().posted == usd(5));
  CHECK(box.is_clean());
}

TEST_CASE("one extension at a time") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(1));
  auto first = LedgerBox::extending(&hold, usd(1));
  first.start();
  const auto second = box.extend(hold, usd(1));
  CHECK(second.error().code == Errc::conflict);
  REQUIRE(box.loop.run_until([&] { return first.done(); }));
  CHECK(first.result());
  REQUIRE(box.release(std::move(hold)));
}

TEST_CASE("a price above the hold extends it first, and what is short is booked as short") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  SECTION("there is enough") {
    const auto receipt = box.post(box.admitted(usd(2)), usd(9));
    CHECK(receipt->charge == usd(9));
    CHECK(receipt->shortfall == Money());
    CHECK(box.account().posted == usd(1));
  }
  SECTION("there is not") {
    Hold other = box.admitted(usd(5));
    const auto receipt = box.post(box.admitted(usd(2)), usd(9));
    CHECK(receipt->charge == usd(5));
    CHECK(receipt->shortfall == usd(4));
    CHECK(box.account().posted == usd(5));
    CHECK(box.account().held == usd(5));
    CHECK(box.account(AccountName::shortfall_of(box.platform)).posted == usd(-4));
    CHECK(box.account(AccountName::sales_of(box.platform)).posted == usd(9));
    REQUIRE(box.release(std::move(other)));
  }
  SECTION("the budget ends before the wallet") {
    HoldRequest request = box.ask(usd(2));
    request.budgets = {budget_of("key", usd(3))};
    const auto receipt = box.post(box.admitted(request), usd(9));
    CHECK(receipt->charge == usd(3));
    CHECK(receipt->shortfall == usd(6));
    CHECK(box.loop.run(box.client->budget({"key", "d1"}))->spent == usd(3));
  }
  SECTION("with a credit limit the floor is what counts") {
    REQUIRE(box.loop.run(box.client->set_floor(box.wallet, usd(-5))));
    const auto receipt = box.post(box.admitted(usd(2)), usd(20));
    CHECK(receipt->charge == usd(15));
    CHECK(receipt->shortfall == usd(5));
    CHECK(box.account().posted == usd(-5));
  }
  CHECK(box.is_clean());
}

TEST_CASE("a price beyond what accounts can hold is kept in the record and booked nowhere") {
  LedgerBox box;
  box.open();
  box.fund(usd(1));
  PriceLine line = LedgerBox::line_of(nanos(std::numeric_limits<int64_t>::max()));
  Settlement settlement;
  settlement.lines = {&line, 1};
  settlement.cost = nanos(std::numeric_limits<int64_t>::max());
  settlement.provider = "hostile";
  const auto receipt = box.post(box.admitted(usd(1)), settlement);
  REQUIRE(receipt);
  CHECK(receipt->charge == usd(1));
  CHECK(receipt->shortfall == nanos(std::numeric_limits<int64_t>::max()) - usd(1));
  CHECK(box.account().posted == Money());
  CHECK(box.account(AccountName::sales_of(box.platform)).posted == usd(1));
  CHECK(box.account(AccountName::payable_to(box.platform, "hostile")).posted == Money());
  CHECK(box.is_clean());
  // And again and again: nothing wraps.
  for (int i = 0; i < 5; ++i) {
    line = LedgerBox::line_of(nanos(limits::account_nanos_max / 3));
    REQUIRE(box.post(box.admitted(Money()), settlement));
  }
  CHECK(box.account(AccountName::sales_of(box.platform)).posted >
        nanos(limits::account_nanos_max / 2));
  CHECK(box.is_clean());
}

TEST_CASE("a settlement that is wrong in itself resolves the hold as if it were dropped") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  PriceLine line = LedgerBox::line_of(usd(1));
  line.charge = usd(-1);
  Settlement settlement;
  settlement.lines = {&line, 1};
  CHECK(box.post(box.admitted(usd(2)), settlement).error().code == Errc::invalid);
  CHECK(box.account().held == Money());
  CHECK(box.account().posted == usd(10));
  Hold marked = box.admitted(usd(2));
  marked.meter({usd(1), 5});
  CHECK(box.post(std::move(marked), settlement).error().code == Errc::invalid);
  CHECK(box.account().posted == usd(9));
  CHECK(box.is_clean());
}

TEST_CASE("a request has one open hold, and a digest one charge") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(1));
  request.idempotency.emplace().fill(9);
  Hold hold = box.admitted(request);
  CHECK(box.refused(request).reason == Reason::request_open);

  HoldRequest again = box.ask(usd(1));
  again.idempotency = request.idempotency;
  HoldRefusal no = box.refused(again);
  CHECK(no.reason == Reason::digest_used);
  CHECK(no.request == request.request);

  SECTION("charged: still used, also after a restart") {
    const auto receipt = box.post(std::move(hold), usd(1));
    REQUIRE(box.durable(receipt->seq));
    CHECK(box.refused(again).reason == Reason::digest_used);
    CHECK(box.is_clean());
    box.crash();
    box.open();
    no = box.refused(again);
    CHECK(no.reason == Reason::digest_used);
    CHECK(no.request == request.request);
    box.clock.advance_ms(limits::digest_keep_ms - 1000);
    box.fund(usd(1));  // a round that may purge
    CHECK(box.refused(again).reason == Reason::digest_used);
    box.clock.advance_ms(1000);
    box.fund(usd(1));
    Hold anew = box.admitted(again);
    CHECK(box.is_clean());
    REQUIRE(box.release(std::move(anew)));
  }
  SECTION("voided: nothing was charged, so it may be asked again") {
    REQUIRE(box.release(std::move(hold)));
    Hold anew = box.admitted(again);
    REQUIRE(box.post(std::move(anew), usd(1)));
    CHECK(box.is_clean());
    box.close();
    box.open();
    CHECK(box.refused(request).request == again.request);
  }
  CHECK(box.is_clean());
}

TEST_CASE("marks ride in commits that happen anyway, and ask for one after a while") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(5));
  REQUIRE(box.durable(hold.seq()));
  const Seq before = box.ledger->status().ordered;
  hold.mark({usd(1), 10});
  box.loop.turns(4);
  CHECK(box.ledger->status().ordered == before);
  Hold other = box.admitted(usd(1));  // its commit takes the mark along
  CHECK(box.ledger->status().ordered == before + 2);

  hold.mark({usd(2), 20});
  box.loop.turns(4);
  CHECK(box.ledger->status().ordered == before + 2);
  box.clock.advance_ms(limits::mark_commit_ms - 1);
  box.loop.turns(4);
  CHECK(box.ledger->status().ordered == before + 2);
  box.clock.advance_ms(1);
  box.loop.turns(4);
  CHECK(box.ledger->status().ordered == before + 3);
  CHECK(box.ledger->status().durable == before + 3);
  REQUIRE(box.post(std::move(hold), usd(3)));
  REQUIRE(box.release(std::move(other)));
  CHECK(box.is_clean());
}

TEST_CASE("a kept task hold outlives its object and its process") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  HoldRequest request = box.ask(usd(4));
  request.kind = HoldKind::task;
  {
    Hold task = box.admitted(request);
    task.mark({usd(1), 1});
    task.keep();
    REQUIRE(box.durable(task.seq()));
  }
  box.loop.turns(4);
  CHECK(box.account().held == usd(4));
  box.fund(usd(1));
  box.crash();
  box.open();
  CHECK(box.account().held == usd(4));
  const auto open = box.loop.run(box.client->open_holds());
  REQUIRE(open->size() == 1);
  CHECK((*open)[0].request == request.request);
  CHECK((*open)[0].kind == HoldKind::task);
  CHECK((*open)[0].wallets[0].amount == usd(4));
  CHECK((*open)[0].mark->metered[0] == usd(1));

  CHECK(box.loop.run(box.client->adopt(box.id())).error().code == Errc::not_found);
  auto adopted = box.loop.run(box.client->adopt(request.request));
  REQUIRE(adopted);
  CHECK(box.loop.run(box.client->adopt(request.request)).error().code == Errc::conflict);
  CHECK(adopted->amounts()[0] == usd(4));
  CHECK(adopted->last_mark()->metered[0] == usd(1));
  SECTION("put down and taken up again") {
    { const Hold down = std::move(*adopted); }
    box.loop.turns(4);
    adopted = box.loop.run(box.client->adopt(request.request));
    REQUIRE(adopted);
  }
  SECTION("grown") { REQUIRE(box.extend(*adopted, usd(2))); }
  const auto receipt = box.post(std::move(*adopted), usd(3));
  REQUIRE(receipt);
  CHECK(receipt->charge == usd(3));
  CHECK(box.account().held == Money());
  CHECK(box.loop.run(box.client->adopt(request.request)).error().code == Errc::not_found);
  CHECK(box.is_clean());
}

TEST_CASE("a request hold is nobody's to adopt") {
  LedgerBox box;
  box.open();
  box.fund(usd(1));
  Hold hold = box.admitted(usd(1));
  CHECK(box.loop.run(box.client->adopt(hold.request())).error().code == Errc::not_found);
  REQUIRE(box.release(std::move(hold)));
}

TEST_CASE("a wrong request is told so, and asks nothing of the book") {
  LedgerBox box;
  box.open();
  CHECK(box.hold(box.ask(nanos(-1))).error().code == Errc::invalid);
  HoldRequest request = box.ask(nanos(1));
  request.request = Id();
  CHECK(box.hold(request).error().code == Errc::invalid);
  CHECK(box.client->durable_seq() == 1);
}

TEST_CASE("views show what policies may know") {
  LedgerBox box;
  const auto early = [&] { return box.client->wallet_view(box.wallet); };
  box.open();
  const auto view = early();
  CHECK(view->available() == Money());
  box.fund(usd(10));
  CHECK(view->available() == usd(10));
  Hold hold = box.admitted(usd(4));
  CHECK(view->available() == usd(6));
  CHECK(view->posted() == usd(10));
  REQUIRE(box.post(std::move(hold), usd(3)));
  CHECK(view->available() == usd(7));
  CHECK(view->posted() == usd(7));
  box.close();
  box.open();
  CHECK(early()->available() == usd(7));
}

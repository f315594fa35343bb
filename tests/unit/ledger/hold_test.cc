#include "ledger/hold.h"

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

TEST_CASE("a hold is posted, and the money moves once") {
  LedgerBox box;
  box.open();
  box.fund(usd(10));
  Hold hold = box.admitted(usd(3));
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
}

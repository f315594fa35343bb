#include "ledger/rules.h"

#include <catch2/catch.hpp>

#include "ledger/audit_bytes.h"
#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

Account wallet(int64_t posted, int64_t held, int64_t floor) {
  Account account;
  account.posted = nanos(posted);
  account.held = nanos(held);
  account.floor = nanos(floor);
  return account;
}

std::string why(const Result<>& result) { return result ? "" : result.error().what; }

struct Fixture {
  Fixture() {
    request.request = box.id();
    request.wallets.push_back({box.wallet, nanos(5)});
  }
  LedgerBox box;
  HoldRequest request;
};

}  // namespace

TEST_CASE("what a wallet lacks") {
  struct Row {
    int64_t posted, held, floor, amount, lacks;
  };
  const Row rows[] = {
      {10, 0, 0, 10, 0},
      {10, 0, 0, 11, 1},
      {10, 4, 0, 6, 0},
      {10, 4, 0, 7, 1},
      {0, 0, -5, 5, 0},
      {0, 0, -5, 6, 1},
      {-5, 0, -5, 0, 0},
      {-5, 0, -5, 1, 1},
      {10, 0, 3, 7, 0},
      {10, 0, 3, 8, 1},
      {0, 0, 0, 0, 0},
      {0, 0, 0, kMost, kMost},
      {limits::account_nanos_max, 0, -limits::floor_nanos_max, kMost,
       kMost - limits::account_nanos_max - limits::floor_nanos_max},
  };
  for (const Row& row : rows) {
    INFO(row.posted << " " << row.held << " " << row.floor << " " << row.amount);
    CHECK(missing(wallet(row.posted, row.held, row.floor), nanos(row.amount)) == nanos(row.lacks));
  }
  Account funding = wallet(-100, 0, 0);
  funding.name.kind = AccountKind::funding;
  CHECK(missing(funding, nanos(50)) == Money());
}

TEST_CASE("what a budget lacks") {
  Budget budget;
  budget.spent = nanos(3);
  budget.held = nanos(4);
  CHECK(missing(budget, nanos(10), nanos(3)) == Money());
  CHECK(missing(budget, nanos(10), nanos(4)) == nanos(1));
  CHECK(missing(budget, nanos(5), Money()) == nanos(2));
  budget.spent = nanos(kMost);
  CHECK(missing(budget, nanos(kMost), nanos(kMost)) == nanos(kMost));
}

TEST_CASE("a settlement charges within its hold, extends first, and falls short last") {
  struct Row {
    const char* what;
    int64_t held, price, available, room, extended, paid, lacks;
  };
  const Row rows[] = {
      {"less than held", 10, 7, 100, kMost, 0, 7, 0},
      {"all of it", 10, 10, 100, kMost, 0, 10, 0},
      {"more, and there is", 10, 12, 100, kMost, 2, 12, 0},
      {"more, and there is some", 10, 12, 1, kMost, 1, 11, 1},
      {"more, and there is none", 10, 12, 0, kMost, 0, 10, 2},
      {"more, but the budget ends", 10, 12, 100, 1, 1, 11, 1},
      {"more, but the budget is over", 10, 12, 100, 0, 0, 10, 2},
      {"nothing", 10, 0, 0, 0, 0, 0, 0},
      {"of nothing", 0, 0, 0, kMost, 0, 0, 0},
      {"beyond all", 1, kMost, 5, kMost, 5, 6, kMost - 6},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const SettleWallet wallets[] = {{nanos(row.held), nanos(row.price), nanos(row.available)}};
    const SettleShare share = settle(wallets, nanos(row.room))[0];
    CHECK(share.extended == nanos(row.extended));
    CHECK(share.paid == nanos(row.paid));
    CHECK(share.missing == nanos(row.lacks));
  }
}

TEST_CASE("a budget binds the first wallet only") {
  const SettleWallet wallets[] = {{nanos(5), nanos(8), nanos(9)}, {nanos(5), nanos(8), nanos(9)}};
  const SettleShares shares = settle(wallets, nanos(1));
  CHECK(shares[0].paid == nanos(6));
  CHECK(shares[1].paid == nanos(8));
}

TEST_CASE("a balance keeps within its bounds") {
  const int64_t most = limits::account_nanos_max;
  Account debit = wallet(-most + 10, 0, 0), credit = wallet(most - 10, 0, 0);
  CHECK(has_room(debit, credit, nanos(10)));
  CHECK(!has_room(debit, credit, nanos(11)));
  debit = credit = Account();
  credit.lifetime_in = nanos(kMost - 10);
  CHECK(has_room(debit, credit, nanos(10)));
  CHECK(!has_room(debit, credit, nanos(11)));
  credit = Account();
  debit.lifetime_out = nanos(kMost - 10);
  CHECK(has_room(debit, credit, nanos(10)));
  CHECK(!has_room(debit, credit, nanos(11)));
}

TEST_CASE("holds are checked in form") {
  Fixture f;
  CHECK(check(f.request));
  SECTION("no id") {
    f.request.request = Id();
    CHECK(why(check(f.request)) == "a hold without a request id");
  }
  SECTION("no wallet") {
    f.request.wallets.clear();
    CHECK(why(check(f.request)) == "a hold without a wallet");
  }
  SECTION("a negative amount") {
    f.request.wallets[0].amount = nanos(-1);
    CHECK(why(check(f.request)) == "the amount of a hold is negative");
  }
  SECTION("not a wallet") {
    f.request.wallets[0].wallet.kind = AccountKind::sales;
    CHECK(why(check(f.request)) == "only a wallet can be held");
  }
  SECTION("a wallet twice") {
    f.request.wallets.push_back(f.request.wallets[0]);
    CHECK(why(check(f.request)) == "a wallet is in one hold twice");
  }
  SECTION("as many wallets and budgets as may be") {
    while (f.request.wallets.size() < limits::hold_wallets_max)
      f.request.wallets.push_back({AccountName::wallet_of(f.box.id(), f.box.tenant), nanos(1)});
    for (size_t i = 0; i < limits::hold_budgets_max; ++i)
      f.request.budgets.push_back({{"b" + std::to_string(i), ""}, nanos(9), 0});
    CHECK(check(f.request));
    f.request.budgets.push_back({{"one more", ""}, nanos(9), 0});
    CHECK(!check(f.request));
    f.request.budgets.pop_back();
    f.request.wallets.push_back({AccountName::wallet_of(f.box.id(), f.box.tenant), nanos(1)});
    CHECK(why(check(f.request)) == "a hold of too many wallets");
  }
  SECTION("budgets") {
    f.request.budgets.push_back({{"b", "p"}, nanos(9), 0});
    CHECK(check(f.request));
    BudgetClaim claim = f.request.budgets[0];
    claim.budget.name = std::string(limits::budget_name_bytes_max, 'n');
    claim.budget.period = std::string(limits::budget_period_bytes_max, 'p');
    f.request.budgets.push_back(claim);
    CHECK(check(f.request));
    f.request.budgets[1].budget.name += "n";
    CHECK(!check(f.request));
    f.request.budgets[1] = claim;
    f.request.budgets[1].budget.period += "p";
    CHECK(!check(f.request));
    f.request.budgets[1] = f.request.budgets[0];
    CHECK(why(check(f.request)) == "the budget b is in one hold twice");
    f.request.budgets[1] = {{"", "p"}, nanos(1), 0};
    CHECK(!check(f.request));
    f.request.budgets[1] = {{"c", "p"}, nanos(-1), 0};
    CHECK(!check(f.request));
    f.request.budgets[1] = {{std::string("c\0d", 3), "p"}, nanos(1), 0};
    CHECK(!check(f.request));
  }
}

TEST_CASE("transfers are checked in form") {
  LedgerBox box;
  TransferRequest good = box.credit_of(nanos(1), std::string(limits::transfer_id_bytes_max, 'i'));
  good.actor = std::string(limits::actor_bytes_max, 'a');
  good.memo = std::string(limits::memo_bytes_max, 'm');
  CHECK(check(good));
  const auto refuses = [&good](auto&& change) {
    TransferRequest bad = good;
    change(bad);
    const auto result = check(bad);
    return !result && result.error().code == Errc::invalid;
  };
  CHECK(refuses([](auto& t) { t.amount = Money(); }));
  CHECK(refuses([](auto& t) { t.amount = nanos(-1); }));
  CHECK(refuses([&](auto& t) { t.debit.seller = box.id(); }));
  CHECK(refuses([](auto& t) { t.debit = t.credit; }));
  CHECK(refuses([](auto& t) { t.id += "i"; }));
  CHECK(refuses([](auto& t) { t.id = std::string(1, '\0'); }));
  CHECK(refuses([](auto& t) { t.actor += "a"; }));
  CHECK(refuses([](auto& t) { t.memo += "m"; }));
  CHECK(refuses([](auto& t) { t.reverses = 1; }));
  CHECK(refuses([](auto& t) { t.kind = TransferKind::reversal; }));
  CHECK(refuses([](auto& t) {
    t.kind = TransferKind::adjustment;
    t.actor.clear();
  }));
}

TEST_CASE("changes of records are checked in form") {
  const auto one = [](std::string table, std::string key, std::string value) {
    return std::vector<RecordChange>{{std::move(table), std::move(key), std::move(value)}};
  };
  CHECK(check(one(std::string(limits::record_table_bytes_max, 't'),
                  std::string(limits::record_key_bytes_max, 'k'),
                  std::string(limits::record_value_bytes_max, 'v'))));
  CHECK(!check(one(std::string(limits::record_table_bytes_max + 1, 't'), "k", "v")));
  CHECK(!check(one("t", std::string(limits::record_key_bytes_max + 1, 'k'), "v")));
  CHECK(!check(one("t", "k", std::string(limits::record_value_bytes_max + 1, 'v'))));
  CHECK(!check(one("", "k", "v")));
  CHECK(!check(one("t", "", "v")));
  CHECK(!check(one(std::string("t\0", 2), "k", "v")));
  CHECK(!check(std::vector<RecordChange>()));
  std::vector<RecordChange> many(limits::record_changes_max, {"t", "k", "v"});
  CHECK(check(many));
  many.push_back({"t", "k", "v"});
  CHECK(!check(many));
}

TEST_CASE("a settlement is exactly its lines") {
  PriceLine line = LedgerBox::line_of(nanos(7));
  Settlement good;
  good.lines = {&line, 1};
  CHECK((*prices_of(good, 1))[0] == nanos(7));
  CHECK(prices_of(good, 2)->size() == 2);

  SECTION("a line that is not its product") {
    line.charge = nanos(8);
    CHECK(prices_of(good, 1).error().code == Errc::invalid);
  }
  SECTION("a negative count") {
    line.units = -7;
    CHECK(!prices_of(good, 1));
  }
  SECTION("a count that a signed number made of 2^64 - something") {
    line.units = static_cast<int64_t>(18'446'744'073'686'646'784ull);
    CHECK(!prices_of(good, 1));
  }
  SECTION("the largest count") {
    line.multipliers_ppm.clear();
    line.rate = *Rate::picos(1000);
    line.units = limits::usage_tokens_max;
    line.charge = nanos(limits::usage_tokens_max);
    CHECK(prices_of(good, 1));
    line.units += 1;
    line.charge += nanos(1);
    CHECK(!prices_of(good, 1));
  }
  SECTION("a negative multiplier") {
    line.multipliers_ppm = {-1};
    CHECK(!prices_of(good, 1));
  }
  SECTION("a wallet that is not held") {
    line.wallet = 1;
    CHECK(!prices_of(good, 1));
    CHECK(prices_of(good, 2));
  }
  SECTION("a sum that does not fit") {
    PriceLine lines[2] = {LedgerBox::line_of(nanos(kMost)), LedgerBox::line_of(nanos(1))};
    good.lines = lines;
    CHECK(prices_of(good, 1).error().code == Errc::too_large);
    lines[1].wallet = 1;
    CHECK(prices_of(good, 2));
  }
  SECTION("a product that does not fit") {
    line.units = kMost;
    line.rate = *Rate::picos(kMost);
    CHECK(!prices_of(good, 1));
  }
}

TEST_CASE("a settlement has its bounds") {
  PriceLine line = LedgerBox::line_of(nanos(7));
  Settlement good;
  good.lines = {&line, 1};
  SECTION("as many lines as may be") {
    std::vector<PriceLine> lines(limits::price_lines_max, line);
    good.lines = lines;
    CHECK(prices_of(good, 1));
    lines.push_back(line);
    good.lines = lines;
    CHECK(!prices_of(good, 1));
  }
  SECTION("cost") {
    good.cost = nanos(-1);
    CHECK(!prices_of(good, 1));
    good.cost = nanos(1);
    CHECK(!prices_of(good, 1));
    good.provider = "openai";
    CHECK(prices_of(good, 1));
  }
  SECTION("names") {
    const std::string longest(limits::settlement_name_bytes_max, 'n');
    const std::string longer = longest + "n";
    good.model = good.upstream_model = good.channel = longest;
    CHECK(prices_of(good, 1));
    good.model = longer;
    CHECK(!prices_of(good, 1));
    good.model = longest;
    good.upstream_model = longer;
    CHECK(!prices_of(good, 1));
    good.upstream_model = longest;
    good.channel = longer;
    CHECK(!prices_of(good, 1));
    good.channel = longest;
    const std::string owner(limits::account_owner_bytes_max, 'o');
    good.provider = owner;
    CHECK(prices_of(good, 1));
    const std::string too_long = owner + "o";
    good.provider = too_long;
    CHECK(!prices_of(good, 1));
  }
}

TEST_CASE("names of fixed size say what fits") {
  CHECK(ShortText<4>::fits("1234"));
  CHECK(!ShortText<4>::fits("12345"));
  CHECK(ShortText<4>("1234").view() == "1234");
  CHECK(ShortText<4>("123") == ShortText<4>("123"));
  CHECK(!(ShortText<4>("123") == ShortText<4>("1234")));
  CHECK(ShortText<4>().empty());
}

TEST_CASE("the audit's own arithmetic agrees with the ledger's") {
  SeededRng rng(7);
  size_t same = 0, none = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto draw = [&rng] { return static_cast<int64_t>(rng.draw() >> (1 + rng.draw() % 63)); };
    const int64_t units = draw(), rate = draw();
    std::vector<int64_t> multipliers(rng.draw() % 4);
    for (int64_t& m : multipliers) m = rng.draw() % 3 == 0 ? draw() : 1 + draw() % 3'000'000;
    const auto ours = charge_for(units, *Rate::picos(rate), multipliers.data(), multipliers.size());
    const auto theirs = proof::price_of(units, rate, multipliers);
    REQUIRE(ours.has_value() == theirs.has_value());
    if (!ours) {
      ++none;
      continue;
    }
    REQUIRE(ours->nanos() == *theirs);
    ++same;
  }
  CHECK(same > 10'000);
  CHECK(none > 10'000);
}

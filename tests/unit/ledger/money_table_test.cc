// The corpus's tables of money, row by row: amounts, prices, splits.
#include <catch2/catch.hpp>

#include "ledger/audit_bytes.h"
#include "ledger/rules.h"
#include "support/corpus.h"
#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

std::string unescaped(std::string text) {
  if (const size_t at = text.find("\\t"); at != std::string::npos) text.replace(at, 2, "\t");
  return text;
}

}  // namespace

TEST_CASE("every amount of the corpus is read as it says, or refused") {
  CORPUS_OR_SKIP(root);
  const auto rows = read_table(root / "hostile/money/amounts.tsv");
  size_t accepted = 0, refused = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string text = unescaped(rows[i][0]);
    const std::string& expected = rows[i][1];
    const auto amount = parse_money(text);
    INFO("row " << i << ": " << text << " -> " << expected);
    if (expected[0] == 'R') {
      CHECK(!amount);
      ++refused;
    } else if (expected[0] == 'E') {
      CHECK((!amount || amount->nanos() == 1'000'000'000));
      ++(amount ? accepted : refused);
    } else {
      REQUIRE(amount);
      CHECK(std::to_string(amount->nanos()) == expected);
      ++accepted;
    }
  }
  CHECK(accepted + refused == rows.size() - 1);
  std::printf("amounts.tsv: %zu rows, %zu accepted, %zu refused\n", rows.size() - 1, accepted,
              refused);
}

TEST_CASE("every price of the corpus is what a settlement charges, by both arithmetics") {
  CORPUS_OR_SKIP(root);
  const auto rows = read_table(root / "hostile/money/price.tsv");
  LedgerBox box;
  box.open();
  box.fund(Money::nanos(limits::account_nanos_max));
  size_t charged = 0, refused = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    INFO("row " << i << ": " << rows[i][0] << " x " << rows[i][1] << " -> " << rows[i][2]);
    const int64_t tokens = std::stoll(rows[i][0]);
    const auto rate = Rate::picos(std::stoll(rows[i][1]));
    const bool is_refusal = rows[i][2][0] == 'R';
    const auto charge =
        rate ? charge_for(tokens, *rate, {}) : Result<Money>(fail(Errc::invalid, ""));
    const auto proof = proof::price_of(tokens, std::stoll(rows[i][1]), {});
    CHECK(charge.has_value() == proof.has_value());
    PriceLine line;
    line.meter = "input";
    line.units = tokens;
    if (rate) line.rate = *rate;
    if (charge) line.charge = *charge;
    Settlement settlement;
    settlement.lines = {&line, 1};
    if (is_refusal) {
      CHECK((!rate || !prices_of(settlement, 1)));
      ++refused;
      continue;
    }
    REQUIRE(charge);
    CHECK(std::to_string(charge->nanos()) == rows[i][2]);
    CHECK(*proof == charge->nanos());
    Hold hold = box.admitted(*charge);
    const auto receipt = box.post(std::move(hold), settlement);
    REQUIRE(receipt);
    CHECK(receipt->charge == *charge);
    CHECK(receipt->shortfall == Money());
    ++charged;
  }
  CHECK(charged + refused == rows.size() - 1);
  CHECK(box.is_clean());
  std::printf("price.tsv: %zu rows, %zu charged, %zu refused\n", rows.size() - 1, charged, refused);
}

// A price chain posts each seller's price to its own book; the customer's debit and the agent's
// share of it are then the difference of two charges, both whole numbers of nanos.
TEST_CASE("every split of the corpus comes out exact over a price chain") {
  CORPUS_OR_SKIP(root);
  const auto rows = read_table(root / "hostile/money/split.tsv");
  size_t exact = 0, refused = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const int64_t debit = std::stoll(rows[i][0]);
    const std::string& rule = rows[i][1];
    INFO("row " << i << ": " << debit << " by " << rule << " -> " << rows[i][2]);
    // The wholesale part of each rule, in parts per million of the customer's debit.
    int64_t platform_ppm = 1'000'000;
    if (rule.find("agent 20%") == 0) platform_ppm = 800'000;
    if (rule.find("1/3") == 0) platform_ppm = 333'333;
    if (rule.find("33.3333%") == 0) platform_ppm = 666'667;
    if (rule.find("agent -5%") == 0) platform_ppm = 1'050'000;
    if (rule.find("agent 100%") == 0) platform_ppm = 0;
    if (rule.find("two-level") == 0) platform_ppm = 900'000;
    LedgerBox box(i);
    box.open();
    const Id agent = box.id();
    const AccountName customer = AccountName::wallet_of(agent, box.tenant);
    const AccountName agent_wallet = AccountName::wallet_of(box.platform, agent);
    box.fund(customer, Money::nanos(limits::account_nanos_max / 2));
    box.fund(agent_wallet, Money::nanos(limits::account_nanos_max / 2));

    PriceLine lines[2] = {LedgerBox::line_of(nanos(debit), 0), LedgerBox::line_of(nanos(debit), 1)};
    lines[1].multipliers_ppm.push_back(platform_ppm);
    lines[1].charge =
        *charge_for(lines[1].units, lines[1].rate, lines[1].multipliers_ppm.begin(), 2);
    // Never below wholesale: the agent's share would be negative. The gateway refuses such a
    // markup; the ledger is asked with what is left of it.
    if (lines[1].charge > lines[0].charge) {
      CHECK(rows[i][2][0] == 'R');
      ++refused;
      continue;
    }
    HoldRequest request = box.ask(nanos(debit));
    request.wallets.clear();
    request.wallets.push_back({customer, nanos(debit)});
    request.wallets.push_back({agent_wallet, lines[1].charge});
    Settlement settlement;
    settlement.lines = lines;
    const auto receipt = box.post(box.admitted(request), settlement);
    REQUIRE(receipt);
    CHECK(receipt->charge.nanos() == debit);
    const int64_t sales = box.account(AccountName::sales_of(agent)).posted.nanos();
    const int64_t wholesale = box.account(AccountName::sales_of(box.platform)).posted.nanos();
    const int64_t share = sales - wholesale;
    CHECK(sales == debit);
    CHECK(share >= 0);
    CHECK(share + wholesale == debit);
    if (rule.find("agent 20%") == 0) CHECK((share == 20 && wholesale == 80));
    if (rule.find("agent 100%") == 0) CHECK((share == 7 && wholesale == 0));
    CHECK(box.is_clean());
    ++exact;
  }
  CHECK(exact + refused == rows.size() - 1);
  std::printf("split.tsv: %zu rows, %zu exact, %zu refused\n", rows.size() - 1, exact, refused);
}

#include "base/money.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <limits>

#include "base/limits.h"
#include "support/corpus.h"

using namespace mg;

namespace {

Rate rate(int64_t picos) { return *Rate::picos(picos); }

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// "E: ..." rows leave two outcomes open; "R..." rows must be refused; others state the number.
enum class Verdict { stated, refused, open };

Verdict verdict_of(const std::string& expected) {
  if (expected.starts_with("R")) return Verdict::refused;
  return expected.starts_with("E") ? Verdict::open : Verdict::stated;
}

// The tables write control characters as escapes.
std::string unescaped(std::string text) {
  for (const auto& [escape, byte] : {std::pair("\\t", '\t'), std::pair("\\u0000", '\0')})
    if (const size_t at = text.find(escape); at != std::string::npos)
      text.replace(at, std::char_traits<char>::length(escape), 1, byte);
  return text;
}

}  // namespace

TEST_CASE("a charge is rounded up once, after all multipliers") {
  CHECK(charge_for(7, rate(333'333), {})->nanos() == 2334);
  CHECK(charge_for(1, rate(1), {})->nanos() == 1);
  CHECK(charge_for(0, rate(1), {})->nanos() == 0);
  // 3 x 135,800 pico-USD x 1.15 x 0.9: 421.659 nano-USD; rounding in between would give more.
  CHECK(charge_for(3, rate(135'800), {1'150'000, 900'000})->nanos() == 422);
  CHECK(charge_for(1'000'000, rate(3'000'000), {kPpmOne, kPpmOne, kPpmOne})->nanos() ==
        3'000'000'000);
}

TEST_CASE("a charge beyond int64 is an error, never a wrap") {
  CHECK(charge_for(kMost, rate(1000), {})->nanos() == kMost);
  CHECK(charge_for(kMost, rate(1001), {}).error().code == Errc::too_large);
  CHECK(charge_for(kMost, rate(kMost), {kMost, kMost, kMost}).error().code == Errc::too_large);
  CHECK(charge_for(kMost, rate(kMost), {kMost, kMost, 0})->nanos() == 0);
}

TEST_CASE("counts, rates and multipliers are never negative") {
  CHECK(charge_for(-1, rate(1), {}).error().code == Errc::invalid);
  CHECK(charge_for(1, rate(1), {-1}).error().code == Errc::invalid);
  CHECK(Rate::picos(-1).error().code == Errc::invalid);
}

TEST_CASE("a charge equals the exact quotient for random inputs") {
  uint64_t state = 1;
  const auto draw = [&](int bits) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>(state >> (64 - bits));
  };
  for (int i = 0; i < 10'000; ++i) {
    const int64_t units = draw(30), picos = draw(30), ppm = draw(21);
    __extension__ typedef unsigned __int128 Wide;
    const Wide exact = Wide(units) * Wide(picos) * Wide(ppm);
    const Wide divisor = Wide(1000) * 1'000'000;
    const auto expected = static_cast<int64_t>((exact + divisor - 1) / divisor);
    REQUIRE(charge_for(units, rate(picos), {ppm})->nanos() == expected);
  }
}

TEST_CASE("amounts are written with nine places and read back") {
  CHECK(to_text(Money::nanos(9'999'998'310)) == "9.999998310");
  CHECK(to_text(Money::nanos(-1)) == "-0.000000001");
  CHECK(to_text(Money::nanos(std::numeric_limits<int64_t>::min())) == "-9223372036.854775808");
  CHECK(to_short_text(Money::nanos(1'250'000)) == "0.00125");
  CHECK(to_short_text(Money()) == "0");
  CHECK(to_short_text(Money::nanos(20'000'000'000)) == "20");
  CHECK(parse_money("9.999998310")->nanos() == 9'999'998'310);
  CHECK(parse_money("10.00")->nanos() == 10'000'000'000);
}

TEST_CASE("rates are read per million units") {
  CHECK(parse_rate_per_million("2.5")->picos() == 2'500'000);
  CHECK(parse_rate_per_million("0.000001")->picos() == 1);
  CHECK(parse_rate_per_million("0.0000001").error().code == Errc::invalid);
  CHECK(to_text_per_million(rate(2'500'000)) == "2.5");
}

TEST_CASE("sums of outside numbers are checked") {
  CHECK(Money::nanos(1).plus(Money::nanos(2))->nanos() == 3);
  CHECK(Money::nanos(kMost).plus(Money::nanos(1)).error().code == Errc::too_large);
}

TEST_CASE("amounts of the corpus") {
  CORPUS_OR_SKIP(root);
  const auto rows = test::read_table(root / "hostile/money/amounts.tsv");
  int stated = 0, refused = 0, open = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string text = unescaped(rows[i][0]);
    const Result<Money> money = parse_money(text);
    INFO("amount '" << text << "'");
    switch (verdict_of(rows[i][1])) {
      case Verdict::stated:
        REQUIRE(money);
        CHECK(std::to_string(money->nanos()) == rows[i][1]);
        ++stated;
        break;
      case Verdict::refused:
        CHECK_FALSE(money);
        ++refused;
        break;
      case Verdict::open:
        if (money) CHECK(money->nanos() == 1'000'000'000);
        ++open;
        break;
    }
  }
  std::printf("money/amounts: %d stated, %d refused, %d open\n", stated, refused, open);
  CHECK(rows.size() > 30);
}

TEST_CASE("prices of the corpus") {
  CORPUS_OR_SKIP(root);
  const auto rows = test::read_table(root / "hostile/money/price.tsv");
  int stated = 0, refused = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const int64_t tokens = std::stoll(rows[i][0]), picos = std::stoll(rows[i][1]);
    INFO(tokens << " tokens at " << picos);
    const Result<Rate> r = Rate::picos(picos);
    const Result<Money> charge = r ? charge_for(tokens, *r, {}) : tl::unexpected(r.error());
    if (verdict_of(rows[i][2]) == Verdict::stated) {
      REQUIRE(charge);
      CHECK(std::to_string(charge->nanos()) == rows[i][2]);
      ++stated;
    } else if (rows[i][2].find("not a token count") != std::string::npos) {
      // Refused where usage is read, long before a price: see limits::usage_tokens_max.
      CHECK(tokens > limits::usage_tokens_max);
      ++refused;
    } else {
      CHECK_FALSE(charge);
      ++refused;
    }
  }
  std::printf("money/price: %d stated, %d refused\n", stated, refused);
}

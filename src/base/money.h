// Money is integers. Amounts are nano-USD, rates are pico-USD per unit; products keep every bit
// and are rounded once, upward, per line. No floating point here or anywhere near (tools/tidy).
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mg {

// An amount of nano-USD (1 USD = 1,000,000,000). Sums are checked: an overflow is a bug in the
// caller, who must have bounded its inputs, and aborts.
class Money {
 public:
  constexpr Money() = default;
  static constexpr Money nanos(int64_t n) { return Money(n); }
  static constexpr int64_t kNanosPerUsd = 1'000'000'000;

  constexpr int64_t nanos() const { return nanos_; }
  constexpr bool is_zero() const { return nanos_ == 0; }
  constexpr bool is_negative() const { return nanos_ < 0; }

  Money operator+(Money other) const;
  Money operator-(Money other) const;
  Money operator-() const;
  Money& operator+=(Money other) { return *this = *this + other; }
  Money& operator-=(Money other) { return *this = *this - other; }
  constexpr auto operator<=>(const Money&) const = default;

  // The sum, or an Error (too_large) where it would not fit: for sums over outside input.
  Result<Money> plus(Money other) const;

 private:
  explicit constexpr Money(int64_t n) : nanos_(n) {}
  int64_t nanos_ = 0;
};

// Pico-USD per unit; for tokens this is the same as micro-USD per million tokens, so that every
// published price is exact. Never negative.
class Rate {
 public:
  constexpr Rate() = default;
  static Result<Rate> picos(int64_t n);
  constexpr int64_t picos() const { return picos_; }
  constexpr auto operator<=>(const Rate&) const = default;

 private:
  explicit constexpr Rate(int64_t n) : picos_(n) {}
  int64_t picos_ = 0;
};

// One million parts per million: the multiplier that changes nothing.
inline constexpr int64_t kPpmOne = 1'000'000;

// units x rate x the multipliers (parts per million), rounded up to whole nano-USD.
// Errors: invalid for a negative count, too_large where the result is beyond int64.
Result<Money> charge_for(int64_t units, Rate rate, std::initializer_list<int64_t> multipliers_ppm);
Result<Money> charge_for(int64_t units, Rate rate, const int64_t* multipliers_ppm, size_t count);

// The rate of another currency in USD, rounded up: a conversion never sells below the listed price.
// Errors: too_large.
Result<Rate> converted(Rate rate, int64_t usd_per_unit_ppm);

// "10", "0.25": plain decimal USD without sign, exponent, blanks or superfluous zeros in front, at
// most 9 decimals. Errors: invalid, too_large.
Result<Money> parse_money(std::string_view text);

// "2.5" USD per million units to a Rate; at most 6 decimals count, more is invalid.
Result<Rate> parse_rate_per_million(std::string_view text);

// Nine decimals always: "9.999998310", "-0.000000001".
std::string to_text(Money amount);
// The same without trailing zeros ("0.00125", "0"), as a JSON number.
std::string to_short_text(Money amount);
// USD per million units, without trailing zeros: "2.5".
std::string to_text_per_million(Rate rate);

}  // namespace mg

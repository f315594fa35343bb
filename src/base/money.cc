#include "base/money.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/assert.h"

namespace mg {
namespace {

__extension__ typedef unsigned __int128 u128;

// Up to 64 x 5 bits, enough for a count, a rate and three multipliers at their largest.
class Product {
 public:
  explicit Product(uint64_t value) { limbs_[0] = value; }

  void multiply(uint64_t factor) {
    uint64_t carry = 0;
    for (uint64_t& limb : limbs_) {
      const u128 wide = u128{limb} * factor + carry;
      limb = static_cast<uint64_t>(wide);
      carry = static_cast<uint64_t>(wide >> 64);
    }
    MG_ASSERT(carry == 0);
  }

  // Quotient in place; dividing in turn by several numbers keeps "was anything left over" exact.
  void divide(uint64_t divisor) {
    uint64_t rest = 0;
    for (size_t i = limbs_.size(); i-- > 0;) {
      const u128 wide = (u128{rest} << 64) | limbs_[i];
      limbs_[i] = static_cast<uint64_t>(wide / divisor);
      rest = static_cast<uint64_t>(wide % divisor);
    }
    remainder_ = remainder_ || rest != 0;
  }

  Result<int64_t> rounded_up() const {
    const bool fits = std::all_of(limbs_.begin() + 1, limbs_.end(), [](uint64_t l) { return !l; });
    const uint64_t most = std::numeric_limits<int64_t>::max();
    if (!fits || limbs_[0] > most - (remainder_ ? 1 : 0))
      return fail(Errc::too_large, "product beyond the largest 64-bit number");
    return static_cast<int64_t>(limbs_[0] + (remainder_ ? 1 : 0));
  }

 private:
  std::array<uint64_t, 5> limbs_{};
  bool remainder_ = false;
};

constexpr size_t kMultipliersMax = 3;
constexpr uint64_t kPicosPerNano = 1000;

struct Decimal {
  uint64_t value;  // scaled by 10^places
};

// Digits with at most `places` decimals, scaled to an integer. The grammar is the one of
// parse_money; a caller adds its own meaning.
Result<Decimal> parse_decimal(std::string_view text, int places) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, dot);
  const std::string_view part = dot < text.size() ? text.substr(dot + 1) : std::string_view();
  const bool well_formed = !whole.empty() && std::all_of(whole.begin(), whole.end(), is_digit) &&
                           std::all_of(part.begin(), part.end(), is_digit) &&
                           (dot == text.size() || !part.empty()) &&
                           (whole.size() == 1 || whole[0] != '0');
  if (!well_formed) return fail(Errc::invalid, "not a plain decimal number");
  if (part.size() > static_cast<size_t>(places))
    return fail(Errc::invalid, "more than " + std::to_string(places) + " decimals");
  if (whole.size() > 18) return fail(Errc::too_large, "number too large");
  u128 value = 0;
  for (char c : whole) value = value * 10 + static_cast<unsigned>(c - '0');
  for (int i = 0; i < places; ++i) {
    const bool given = static_cast<size_t>(i) < part.size();
    value = value * 10 + (given ? static_cast<unsigned>(part[static_cast<size_t>(i)] - '0') : 0);
  }
  if (value > u128{std::numeric_limits<int64_t>::max()})
    return fail(Errc::too_large, "number too large");
  return Decimal{static_cast<uint64_t>(value)};
}

std::string format_scaled(uint64_t value, int places) {
  std::string digits = std::to_string(value);
  const auto width = static_cast<size_t>(places) + 1;
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  digits.insert(digits.size() - static_cast<size_t>(places), 1, '.');
  return digits;
}

std::string without_trailing_zeros(std::string text) {
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

uint64_t magnitude(int64_t n) {
  return n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
}

}  // namespace

Money Money::operator+(Money other) const {
  int64_t sum;
  MG_ASSERT(!__builtin_add_overflow(nanos_, other.nanos_, &sum));
  return Money(sum);
}

Money Money::operator-(Money other) const {
  int64_t difference;
  MG_ASSERT(!__builtin_sub_overflow(nanos_, other.nanos_, &difference));
  return Money(difference);
}

Money Money::operator-() const { return Money() - *this; }

Result<Money> Money::plus(Money other) const {
  int64_t sum;
  if (__builtin_add_overflow(nanos_, other.nanos_, &sum))
    return fail(Errc::too_large, "sum beyond the largest number of nano-USD");
  return Money(sum);
}

Result<Rate> Rate::picos(int64_t n) {
  if (n < 0) return fail(Errc::invalid, "a rate is never negative");
  return Rate(n);
}

Result<Money> charge_for(int64_t units, Rate rate, std::initializer_list<int64_t> multipliers) {
  return charge_for(units, rate, multipliers.begin(), multipliers.size());
}

Result<Money> charge_for(int64_t units, Rate rate, const int64_t* multipliers_ppm, size_t count) {
  MG_ASSERT(count <= kMultipliersMax);
  if (units < 0) return fail(Errc::invalid, "a count is never negative");
  const bool is_at_rate = std::all_of(multipliers_ppm, multipliers_ppm + count,
                                      [](int64_t ppm) { return ppm == kPpmOne; });
  if (is_at_rate) {  // the usual case, and it fits one machine word or overflows it plainly
    uint64_t picos;
    if (!__builtin_mul_overflow(static_cast<uint64_t>(units), static_cast<uint64_t>(rate.picos()),
                                &picos))
      return Money::nanos(static_cast<int64_t>(picos / kPicosPerNano) +
                          (picos % kPicosPerNano != 0 ? 1 : 0));
  }
  Product product(static_cast<uint64_t>(units));
  product.multiply(static_cast<uint64_t>(rate.picos()));
  for (size_t i = 0; i < count; ++i) {
    if (multipliers_ppm[i] < 0) return fail(Errc::invalid, "a multiplier is never negative");
    product.multiply(static_cast<uint64_t>(multipliers_ppm[i]));
  }
  product.divide(kPicosPerNano);
  for (size_t i = 0; i < count; ++i) product.divide(kPpmOne);
  MG_TRY(const int64_t nanos, product.rounded_up());
  return Money::nanos(nanos);
}

Result<Rate> converted(Rate rate, int64_t usd_per_unit_ppm) {
  MG_ASSERT(usd_per_unit_ppm >= 0);
  Product product(static_cast<uint64_t>(rate.picos()));
  product.multiply(static_cast<uint64_t>(usd_per_unit_ppm));
  product.divide(kPpmOne);
  MG_TRY(const int64_t picos, product.rounded_up());
  return Rate::picos(picos);
}

Result<Money> parse_money(std::string_view text) {
  MG_TRY(const Decimal decimal, parse_decimal(text, 9));
  return Money::nanos(static_cast<int64_t>(decimal.value));
}

Result<Rate> parse_rate_per_million(std::string_view text) {
  MG_TRY(const Decimal decimal, parse_decimal(text, 6));
  return Rate::picos(static_cast<int64_t>(decimal.value));
}

std::string to_text(Money amount) {
  return (amount.is_negative() ? "-" : "") + format_scaled(magnitude(amount.nanos()), 9);
}

std::string to_short_text(Money amount) { return without_trailing_zeros(to_text(amount)); }

std::string to_text_per_million(Rate rate) {
  return without_trailing_zeros(format_scaled(static_cast<uint64_t>(rate.picos()), 6));
}

}  // namespace mg

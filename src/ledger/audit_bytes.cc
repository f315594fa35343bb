#include "ledger/audit_bytes.h"

#include "base/bytes.h"

namespace mg::ledger::proof {
namespace {

// A number of any size in digits of base 1000, the lowest first: what prices are divided by are
// powers of a thousand, so division is dropping digits.
std::vector<uint32_t> times(const std::vector<uint32_t>& number, uint64_t factor) {
  std::vector<uint32_t> out;
  UWide carry = 0;
  for (size_t i = 0; i < number.size() || carry != 0; ++i) {
    if (i < number.size()) carry += UWide{number[i]} * factor;
    out.push_back(static_cast<uint32_t>(carry % 1000));
    carry /= 1000;
  }
  return out;
}

std::optional<int64_t> slow_price(int64_t units, int64_t rate,
                                  const std::vector<int64_t>& multipliers) {
  std::vector<uint32_t> number = times({1}, static_cast<uint64_t>(units));
  number = times(number, static_cast<uint64_t>(rate));
  for (const int64_t m : multipliers) number = times(number, static_cast<uint64_t>(m));
  const size_t dropped = 1 + 2 * multipliers.size();
  bool more = false;
  UWide whole = 0;
  for (size_t i = number.size(); i-- > 0;) {
    if (i >= dropped) {
      whole = whole * 1000 + number[i];
      if (whole > INT64_MAX) return std::nullopt;
    } else {
      more = more || number[i] != 0;
    }
  }
  whole += more ? 1 : 0;
  if (whole > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(whole);
}

}  // namespace

std::optional<int64_t> price_of(int64_t units, int64_t rate,
                                const std::vector<int64_t>& multipliers) {
  if (units < 0 || rate < 0) return std::nullopt;
  UWide product = static_cast<uint64_t>(units);
  UWide divisor = 1000;
  bool fits = !__builtin_mul_overflow(product, static_cast<UWide>(rate), &product);
  for (const int64_t m : multipliers) {
    if (m < 0) return std::nullopt;
    fits = fits && !__builtin_mul_overflow(product, static_cast<UWide>(m), &product);
    divisor *= 1'000'000;
  }
  if (!fits) return slow_price(units, rate, multipliers);
  const UWide whole = product / divisor + (product % divisor != 0 ? 1 : 0);
  if (whole > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(whole);
}

uint32_t checksum(std::string_view bytes) { return crc32c(bytes); }

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out.push_back("0123456789abcdef"[static_cast<uint8_t>(c) >> 4]);
    out.push_back("0123456789abcdef"[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

}  // namespace mg::ledger::proof

#include "base/calendar.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"

namespace mg {
namespace {

void put_digits(std::string& out, size_t at, size_t width, int64_t number) {
  for (size_t i = width; i-- > 0; number /= 10) out[at + i] = static_cast<char>('0' + number % 10);
}

// Reads exactly `width` digits at `at`, and moves past them.
std::optional<unsigned> digits(std::string_view text, size_t& at, size_t width) {
  if (at + width > text.size()) return std::nullopt;
  const auto value = parse_number<unsigned>(text.substr(at, width));
  at += width;
  return value;
}

// The same, with the character that must stand after it.
std::optional<unsigned> digits_then(std::string_view text, size_t& at, size_t width, char after) {
  const auto value = digits(text, at, width);
  if (!value || at >= text.size() || ascii_lower(text[at++]) != after) return std::nullopt;
  return value;
}

// "Z" or "+hh:mm" to the end of the text, as the milliseconds to take away.
std::optional<int64_t> zone_ms(std::string_view text, size_t at) {
  if (text.substr(at) == "Z" || text.substr(at) == "z") return 0;
  if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return std::nullopt;
  const int64_t sign = text[at++] == '-' ? -1 : 1;
  const auto hours = digits_then(text, at, 2, ':');
  const auto minutes = digits(text, at, 2);
  if (!hours || !minutes || at != text.size() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (int64_t{*hours} * 60 + *minutes) * 60'000;
}

// ".123456" at `at` to milliseconds; 0 where there is none.
std::optional<int64_t> fraction_ms(std::string_view text, size_t& at) {
  if (at >= text.size() || text[at] != '.') return 0;
  int64_t ms = 0;
  size_t count = 0;
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++count)
    if (count < 3) ms = ms * 10 + (text[at] - '0');
  if (count == 0) return std::nullopt;
  for (; count < 3; ++count) ms *= 10;
  return ms;
}

}  // namespace

std::optional<int64_t> parse_span_ms(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  int64_t unit_ms;
  switch (text.back()) {
    case 's':
      unit_ms = 1000;
      break;
    case 'm':
      unit_ms = 60'000;
      break;
    case 'h':
      unit_ms = 3'600'000;
      break;
    case 'd':
      unit_ms = kMsPerDay;
      break;
    default:
      return std::nullopt;
  }
  const auto count = parse_number<uint32_t>(text.substr(0, text.size() - 1));
  if (!count) return std::nullopt;
  return int64_t{*count} * unit_ms;
}

std::optional<int64_t> parse_time_ms(std::string_view text) {
  using namespace std::chrono;
  size_t at = 0;
  const auto y = digits_then(text, at, 4, '-');
  const auto m = digits_then(text, at, 2, '-');
  const auto d = digits_then(text, at, 2, 't');
  const auto hour = digits_then(text, at, 2, ':');
  const auto minute = digits_then(text, at, 2, ':');
  const auto second = digits(text, at, 2);
  if (!y || !m || !d || !hour || !minute || !second) return std::nullopt;
  const auto fraction = fraction_ms(text, at);
  const auto zone = zone_ms(text, at);
  const year_month_day date(year(static_cast<int>(*y)), month(*m), day(*d));
  if (!fraction || !zone || !date.ok() || *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  const int64_t days = sys_days(date).time_since_epoch().count();
  return days * kMsPerDay + ((int64_t{*hour} * 60 + *minute) * 60 + *second) * 1000 + *fraction -
         *zone;
}

std::optional<int64_t> parse_http_date_ms(std::string_view text) {
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT")
    return std::nullopt;
  const auto month = std::find(std::begin(kMonths), std::end(kMonths), text.substr(8, 3));
  if (month == std::end(kMonths)) return std::nullopt;
  std::string as_written_elsewhere(text.substr(12, 4));
  as_written_elsewhere += month - kMonths < 9 ? "-0" : "-";
  as_written_elsewhere += std::to_string(month - kMonths + 1);
  as_written_elsewhere.append("-").append(text.substr(5, 2)).append("T");
  as_written_elsewhere.append(text.substr(17, 8)).append("Z");
  return parse_time_ms(as_written_elsewhere);
}

std::string format_time_ms(int64_t wall_ms) {
  using namespace std::chrono;
  const int64_t day_number = utc_day(wall_ms);
  const int64_t rest = wall_ms - day_number * kMsPerDay;
  const year_month_day date{sys_days{days{day_number}}};
  std::string out = "0000-00-00T00:00:00.000Z";
  put_digits(out, 0, 4, static_cast<int>(date.year()));
  put_digits(out, 5, 2, static_cast<int>(static_cast<unsigned>(date.month())));
  put_digits(out, 8, 2, static_cast<int>(static_cast<unsigned>(date.day())));
  put_digits(out, 11, 2, rest / 3'600'000);
  put_digits(out, 14, 2, rest / 60'000 % 60);
  put_digits(out, 17, 2, rest / 1000 % 60);
  put_digits(out, 20, 3, rest % 1000);
  return out;
}

int64_t utc_day(int64_t wall_ms) {
  return wall_ms >= 0 ? wall_ms / kMsPerDay : -((-wall_ms + kMsPerDay - 1) / kMsPerDay);
}

int64_t next_utc_day_ms(int64_t wall_ms) { return (utc_day(wall_ms) + 1) * kMsPerDay; }

}  // namespace mg

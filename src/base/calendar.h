// Times and spans as people write them, and the days and months that budgets count by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mg {

// "90s", "15m", "24h", "7d" to milliseconds.
std::optional<int64_t> parse_span_ms(std::string_view text);

// RFC 3339 with a zone ("2026-11-21T22:40:00Z", "...+08:00") to milliseconds since 1970.
std::optional<int64_t> parse_time_ms(std::string_view text);

// RFC 9110, section 5.6.7, as senders write it today ("Sun, 06 Nov 1994 08:49:37 GMT"), to
// milliseconds since 1970.
std::optional<int64_t> parse_http_date_ms(std::string_view text);

// Milliseconds since 1970 as "2026-11-21T22:40:00.123Z".
std::string format_time_ms(int64_t wall_ms);

// Whole UTC days since 1970-01-01.
int64_t utc_day(int64_t wall_ms);

// The first millisecond of the UTC day after this one.
int64_t next_utc_day_ms(int64_t wall_ms);

}  // namespace mg

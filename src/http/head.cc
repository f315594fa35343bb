#include "http/head.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/assert.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/text.h"

namespace mg::http {
namespace {

constexpr std::array<std::string_view, 7> kMethods = {"GET",    "HEAD",    "POST", "PUT",
                                                      "DELETE", "OPTIONS", "PATCH"};

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int64_t kSecondsPerDay = kMsPerDay / 1000;

// IANA, HTTP Status Code Registry; in rising order.
constexpr std::pair<int, std::string_view> kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

}  // namespace

std::string_view name(Method method) {
  const auto at = static_cast<size_t>(method);
  MG_ASSERT(at < kMethods.size());
  return kMethods[at];
}

std::optional<Method> parse_method(std::string_view text) {
  for (size_t i = 0; i < kMethods.size(); ++i)
    if (kMethods[i] == text) return static_cast<Method>(i);
  return std::nullopt;
}

RequestHead RequestHead::make(Method method, std::string_view target) {
  RequestHead head;
  head.method = method;
  head.target_at = head.headers.keep(target);
  return head;
}

std::string_view RequestHead::path() const {
  const std::string_view whole = target();
  return whole.substr(0, whole.find('?'));
}

std::string_view RequestHead::query() const {
  const std::string_view whole = target();
  const size_t mark = whole.find('?');
  return mark == std::string_view::npos ? std::string_view() : whole.substr(mark + 1);
}

std::string format_http_date(int64_t unix_s) {
  using namespace std::chrono;
  const int64_t day_number = utc_day(unix_s * 1000);
  const auto rest = static_cast<int>(unix_s - day_number * kSecondsPerDay);
  const sys_days day{days{day_number}};
  const year_month_day date{day};
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[weekday{day}.c_encoding()].data(), static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1].data(),
                static_cast<int>(date.year()), rest / 3600, rest / 60 % 60, rest % 60);
  return out;
}

std::optional<int64_t> parse_http_date(std::string_view text) {
  constexpr size_t kLength = 29;
  if (text.size() != kLength) return std::nullopt;
  const auto month = std::find(std::begin(kMonths), std::end(kMonths), text.substr(8, 3));
  if (month == std::end(kMonths)) return std::nullopt;
  char iso[32];
  std::snprintf(iso, sizeof iso, "%.4s-%02d-%.2sT%.8sZ", text.data() + 12,
                static_cast<int>(month - std::begin(kMonths)) + 1, text.data() + 5,
                text.data() + 17);
  const auto unix_ms = parse_time_ms(iso);
  // What was read must be the whole truth of the text: blanks, commas, "GMT" and the weekday too.
  if (!unix_ms || format_http_date(*unix_ms / 1000) != text) return std::nullopt;
  return *unix_ms / 1000;
}

std::string_view reason_phrase(int status) {
  const auto at = std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                                   [](const auto& row, int wanted) { return row.first < wanted; });
  return at != std::end(kReasons) && at->first == status ? at->second : std::string_view();
}

}  // namespace mg::http

#include "server/certificate_dates.h"

#include "base/calendar.h"
#include "base/clock.h"

namespace mg::server {
namespace {

constexpr int64_t kNoticeMs = 30 * kMsPerDay;

}  // namespace

std::string certificate_complaint(const tls::ServerCredentials& credentials, int64_t now_ms) {
  const int64_t begins_ms = credentials.begins_wall_ms();
  const int64_t expires_ms = credentials.expires_wall_ms();
  if (expires_ms <= now_ms) return "expired at " + format_time_ms(expires_ms);
  if (begins_ms > now_ms) return "is not valid before " + format_time_ms(begins_ms);
  if (expires_ms - now_ms < kNoticeMs) return "expires at " + format_time_ms(expires_ms);
  return {};
}

}  // namespace mg::server

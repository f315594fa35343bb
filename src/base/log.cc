#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/json.h"

namespace mg {
namespace {

std::atomic<LogLevel> threshold{LogLevel::info};

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error"};

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '*' || c == '/' || c == '+' || c == '=';
}

// Prefixes by which vendors mark their secrets; what follows one is masked to the end of the run.
constexpr std::string_view kSecretPrefixes[] = {"sk-",    "sk_",    "mg-", "gsk_",
                                                "xai-",   "AIza",   "pk-", "rk_",
                                                "whsec_", "nvapi-", "hf_", "Bearer "};

constexpr size_t kOpaqueRunMin = 32;

bool looks_opaque(std::string_view run) {
  if (run.size() < kOpaqueRunMin) return false;
  bool digit = false, letter = false;
  for (char c : run) {
    digit = digit || (c >= '0' && c <= '9');
    letter = letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  return digit && letter;
}

}  // namespace

bool is_log_level(std::string_view name) {
  return std::find(std::begin(kLevelNames), std::end(kLevelNames), name) != std::end(kLevelNames);
}

bool set_log_level(std::string_view name) {
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (kLevelNames[i] != name) continue;
    threshold.store(static_cast<LogLevel>(i), std::memory_order_relaxed);
    return true;
  }
  return false;
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  SystemClock clock;  // the stamp of a line is for people; nothing decides by it
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  json.field("time", format_time_ms(clock.wall_ms()));
  json.field("level", kLevelNames[static_cast<size_t>(level)]);
  json.field("event", event);
  for (const auto& [name, value] : fields) json.field(name, value);
  json.end_object();
  line.push_back('\n');
  // One write, so that lines of several threads never mix; a full pipe loses the line, not time.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string masked(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t secret_from = std::string_view::npos;
    for (std::string_view prefix : kSecretPrefixes)
      if (text.substr(at).starts_with(prefix)) secret_from = at + prefix.size();
    size_t end = secret_from == std::string_view::npos ? at : secret_from;
    while (end < text.size() && is_key_char(text[end])) ++end;
    const bool boundary = at == 0 || !is_key_char(text[at - 1]);
    if (boundary && secret_from != std::string_view::npos && end > secret_from) {
      out.append(text.substr(at, secret_from - at)).append("***");
      at = end;
    } else if (boundary && end > at && looks_opaque(text.substr(at, end - at))) {
      out.append("***");
      at = end;
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

}  // namespace mg

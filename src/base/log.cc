#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

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

constexpr std::string_view kMask = "***";
constexpr size_t kOpaquePartMin = 32;

// Names of models, addresses and paths are long too, but not between two of their dots or slashes.
bool looks_opaque(std::string_view run) {
  size_t bytes = 0;
  bool digit = false, letter = false;
  for (char c : run) {
    if (c == '.' || c == '/') {
      bytes = 0;
      digit = letter = false;
      continue;
    }
    ++bytes;
    digit = digit || (c >= '0' && c <= '9');
    letter = letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (bytes >= kOpaquePartMin && digit && letter) return true;
  }
  return false;
}

size_t end_of_run(std::string_view text, size_t at) {
  while (at < text.size() && is_key_char(text[at])) ++at;
  return at;
}

// Behind a known prefix of a secret that begins there.
std::optional<size_t> behind_prefix(std::string_view text, size_t at) {
  for (std::string_view prefix : kSecretPrefixes)
    if (text.substr(at).starts_with(prefix)) return at + prefix.size();
  return std::nullopt;
}

enum class Opaque : uint8_t { shown, masked };

// One pass: each run is looked through once, however many places in it might begin a key.
std::string masked_runs(std::string_view text, Opaque opaque) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const bool begins_run = at == 0 || !is_key_char(text[at - 1]);
    // "?key=sk-..." has a key in the middle of what would pass for one run.
    if (begins_run || text[at - 1] == '=') {
      const std::optional<size_t> secret = behind_prefix(text, at);
      const size_t end = secret ? end_of_run(text, *secret) : at;
      if (secret && end > *secret) {
        out.append(text.substr(at, *secret - at)).append(kMask);
        at = end;
        continue;
      }
    }
    if (begins_run && opaque == Opaque::masked) {
      const size_t end = end_of_run(text, at);
      if (looks_opaque(text.substr(at, end - at))) {
        out.append(kMask);
        at = end;
        continue;
      }
    }
    out.push_back(text[at++]);
  }
  return out;
}

// How many bytes at the front of the text stand for the character, plain or escaped as in JSON.
size_t spells(std::string_view text, char c) {
  const bool may_be_escaped = c == '"' || c == '\\' || c == '/';
  if (may_be_escaped && text.size() > 1 && text[0] == '\\' && text[1] == c) return 2;
  constexpr std::string_view kCode = "\\u00";
  constexpr size_t kDigits = 2;
  if (text.starts_with(kCode) && from_hex(text.substr(kCode.size(), kDigits)) == std::string(1, c))
    return kCode.size() + kDigits;
  return text.starts_with(c) ? 1 : 0;
}

// The same for the whole secret; 0 where something else stands there.
size_t spells(std::string_view text, std::string_view secret) {
  size_t bytes = 0;
  for (char c : secret) {
    const size_t more = spells(text.substr(bytes), c);
    if (more == 0) return 0;
    bytes += more;
  }
  return bytes;
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

std::string masked(std::string_view text) { return masked_runs(text, Opaque::masked); }

std::string masked_prefixed(std::string_view text) { return masked_runs(text, Opaque::shown); }

std::string masked_secret(std::string_view text, std::string_view secret) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = spells(text.substr(at), secret);
    if (bytes > 0) {
      out.append(kMask);
      at += bytes;
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

}  // namespace mg

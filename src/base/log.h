// One line of JSON per event on standard error, for machines that collect it and people who grep.
// Thread-safe; a line is written whole. Never pass a secret: what may carry one goes through
// `masked` first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mg {

enum class LogLevel : uint8_t { debug, info, warning, error };

bool is_log_level(std::string_view name);
// The level from its name in the configuration; false for an unknown one.
bool set_log_level(std::string_view name);

using LogField = std::pair<std::string_view, std::string_view>;
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::info, event, fields);
}
inline void log_warning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::warning, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::error, event, fields);
}

// The text with what looks like a credential replaced: "sk-...", "mg-...", bearer tokens, and long
// runs of letters and digits between whatever may part a path. For the log and for records.
std::string masked(std::string_view text);
// The same for what clients read, who need every id and path in it: known prefixes alone.
std::string masked_prefixed(std::string_view text);
// The text with this very secret replaced, wherever it stands, plain or escaped as JSON does it.
std::string masked_secret(std::string_view text, std::string_view secret);

}  // namespace mg

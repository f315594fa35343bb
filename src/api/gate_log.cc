// gate.log: a line for the operator. Bounded in length and number, so that no script can fill a
// disk.
#include "api/call.h"
#include "api/gate.h"

namespace mg::api {
namespace {

LogLevel check_level(lua_State* L) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  const std::string_view given = check_text(L, 1, 16);
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == given) return static_cast<LogLevel>(i);
  luaL_error(L, "the level must be debug, info, warning or error, not '%s'", given.data());
  std::abort();
}

// A longer text is cut, one line too many is dropped: logging must not make a request fail.
int write(lua_State* L) {
  Call& call = call_of(L);
  const LogLevel level = check_level(L);
  size_t size;
  const char* text = luaL_checklstring(L, 2, &size);
  if (call.is_trial) return 0;
  const int64_t now_ns = call.seams().clock.monotonic_ns();
  if (now_ns - call.log_second_ns >= kNsPerS || call.log_second_ns == 0) {
    call.log_second_ns = now_ns;
    call.logged = 0;
  }
  if (call.logged++ >= limits::script_logs_per_s_max) return 0;
  call.seams().reports.said(call.module, level,
                            {text, std::min(size, limits::script_log_bytes_max)});
  return 0;
}

constexpr GateFunction kFunctions[] = {{"", "log", kAllPhases, write}};

}  // namespace

std::span<const GateFunction> log_functions() { return kFunctions; }

}  // namespace mg::api

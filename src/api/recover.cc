#include "api/answers.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {

int RecoverCall::push_rest(lua_State* L) {
  call_.attempt_view.push(L, &attempt_);
  call_.failure_view.push(L, &failure_);
  return 2;
}

script::HookCall::Next RecoverCall::take_results(lua_State* L, const script::Module& module) {
  if (lua_isnil(L, kFirst)) return Next::ask_on;
  constexpr std::string_view kNames[] = {"retry", "next", "stop"};
  std::string_view answer;
  size_t action = 0;
  if (script::text_at(L, kFirst, answer))
    while (action < std::size(kNames) && kNames[action] != answer) ++action;
  if (answer.empty() || action == std::size(kNames))
    luaL_error(L, "%s: recover must return nil, \"retry\", \"next\" or \"stop\"",
               module.path.c_str());
  int64_t delay_ms = 0;
  if (!lua_isnil(L, kSecond) &&
      !script::integer_at(L, kSecond, 0, limits::recover_delay_ms_max, delay_ms))
    luaL_error(L, "%s: the delay must be a whole number of milliseconds from 0 to %d",
               module.path.c_str(), static_cast<int>(limits::recover_delay_ms_max));
  decision_ = {static_cast<Recovery>(action), delay_ms, true};
  return Next::enough;
}

int DisconnectCall::push_rest(lua_State* L) {
  call_.progress_view.push(L, &progress_);
  return 1;
}

script::HookCall::Next DisconnectCall::take_results(lua_State* L, const script::Module& module) {
  if (lua_isnil(L, kFirst)) return Next::ask_on;
  std::string_view text;
  if (script::text_at(L, kFirst, text) && text == "cut") {
    decision_.drain_cost_max.reset();
    return Next::enough;
  }
  if (script::push_table_at(L, kFirst)) {
    lua_pushliteral(L, "drain_cost_max");
    lua_rawget(L, -2);
    if (script::text_at(L, -1, text)) {
      if (const auto most = parse_money(text)) {
        decision_.drain_cost_max = *most;
        return Next::enough;
      }
    }
  }
  luaL_error(L, "%s: disconnect must return nil, \"cut\" or { drain_cost_max = \"0.01\" }",
             module.path.c_str());
  return Next::enough;
}

}  // namespace mg::api

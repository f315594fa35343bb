#include "api/gate.h"

#include <string>

#include "api/call.h"
#include "script/json_table.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

std::string full_name(const GateFunction& function) {
  std::string out = "gate.";
  if (*function.library) out.append(function.library).append(".");
  return out + function.name;
}

std::string phase_list(Phases set) {
  std::string out;
  for (size_t i = 0; i < kPhaseCount; ++i)
    if (set & 1u << i) out.append(out.empty() ? "" : ", ").append(kPhaseNames[i]);
  return out;
}

[[noreturn]] void refuse_phase(lua_State* L, const GateFunction& function) {
  const auto phase = call_of(L).phase;
  const std::string where = phase ? std::string("in ") + name(*phase).data() : "while loading";
  script::push_text(L, full_name(function));
  script::push_text(L, where + " (only in: " + phase_list(function.phases) + ")");
  luaL_error(L, "%s cannot be called %s", lua_tostring(L, -2), lua_tostring(L, -1));
  std::abort();
}

// Every function of gate is called through this; its upvalue is the GateFunction.
int call_in_phase(lua_State* L) {
  const auto& function = *static_cast<const GateFunction*>(lua_touserdata(L, lua_upvalueindex(1)));
  const auto phase = call_of(L).phase;
  if (!phase || !(function.phases & phases({*phase}))) refuse_phase(L, function);
  return function.function(L);
}

// The table that gate.LIBRARY is, made when first needed. `gate` is on top of the stack.
void push_library(lua_State* L, const char* library) {
  lua_getfield(L, -1, library);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, library);
}

}  // namespace

void push_gate_global(lua_State* L) {
  luaL_checkstack(L, 8, "making gate");
  lua_newtable(L);
  lua_newtable(L);
  for (const auto list :
       {refusal_functions(), limit_functions(), wallet_functions(), budget_functions(),
        chance_functions(), log_functions(), match_functions()}) {
    for (const GateFunction& function : list) {
      const bool nested = *function.library != '\0';
      if (nested) push_library(L, function.library);
      lua_pushlightuserdata(L, const_cast<GateFunction*>(&function));
      lua_pushcclosure(L, call_in_phase, 1);
      lua_setfield(L, -2, function.name);
      if (nested) lua_pop(L, 1);
    }
  }
  script::push_json_library(L);
  lua_setfield(L, -2, "json");
  lua_setfield(L, -2, "gate");
}

std::string_view check_text(lua_State* L, int index, size_t bytes_max) {
  std::string_view text;
  if (!script::text_at(L, index, text))
    luaL_error(L, "bad argument #%d (string expected, got %s)", index, luaL_typename(L, index));
  if (text.size() > bytes_max)
    luaL_error(L, "bad argument #%d (longer than %d bytes)", index, static_cast<int>(bytes_max));
  return text;
}

}  // namespace mg::api

#include "api/answers.h"
#include "api/gate.h"

namespace mg::api {

std::string described(lua_State* L, int index) {
  return std::string("a ") + luaL_typename(L, index);
}

std::optional<size_t> list_size(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return std::nullopt;
  if (lua_getmetatable(L, index)) return lua_pop(L, 1), std::nullopt;
  const size_t size = lua_objlen(L, index);
  size_t keys = 0;
  lua_pushvalue(L, index);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    if (++keys <= size && lua_type(L, -1) == LUA_TNUMBER) continue;
    lua_pop(L, 2);
    return std::nullopt;
  }
  lua_pop(L, 1);
  return keys == size ? std::optional(size) : std::nullopt;
}

script::HookCall::Next AdmitCall::take_results(lua_State* L, const script::Module& module) {
  if (lua_isnil(L, kFirst)) return Next::ask_on;
  const auto number = refusal_at(L, kFirst);
  if (!number)
    luaL_error(L, "%s: admit must return nil or gate.refuse(...), not %s", module.path.c_str(),
               described(L, kFirst).c_str());
  decision_.refusal = call_.refusals[*number];
  decision_.refusal->module = module.name;
  return Next::enough;
}

}  // namespace mg::api

#include "script/budget.h"
#include "script/library.h"

namespace mg::script {
namespace {

// Texts count as numbers in Lua, at a cost of their length each; a call takes thousands of
// arguments. Here only numbers do.
int with_numbers_only(lua_State* L) {
  const int count = lua_gettop(L);
  for (int i = 1; i <= count; ++i)
    if (lua_type(L, i) != LUA_TNUMBER)
      return luaL_error(L, "bad argument #%d (number expected, got %s)", i, luaL_typename(L, i));
  charge(L, static_cast<uint64_t>(count) / 8 + 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, count, LUA_MULTRET);
  return lua_gettop(L);
}

}  // namespace

void open_number_functions(lua_State* L) {
  for (const char* name : {"max", "min", "band", "bor", "bxor"}) {
    lua_getfield(L, -1, name);
    if (lua_isfunction(L, -1)) {
      lua_pushcclosure(L, with_numbers_only, 1);
      lua_setfield(L, -2, name);
    } else {
      lua_pop(L, 1);
    }
  }
}

}  // namespace mg::script

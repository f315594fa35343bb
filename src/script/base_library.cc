#include "script/budget.h"
#include "script/freeze.h"
#include "script/library.h"

namespace mg::script {
namespace {

// More results than this in one unpack, or arguments in one call, help nobody.
constexpr lua_Integer kUnpackMax = 7000;

int type_of(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, is_frozen(L, 1) ? "table" : luaL_typename(L, 1));
  return 1;
}

// No metamethod is called, and nothing shows an address.
int to_string(lua_State* L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  switch (lua_type(L, 1)) {
    case LUA_TSTRING:
      return 1;
    case LUA_TNUMBER:
      lua_tostring(L, 1);
      return 1;
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
      return 1;
    case LUA_TUSERDATA:
      if (luaL_getmetafield(L, 1, "__tostring") && lua_iscfunction(L, -1)) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        return 1;
      }
      [[fallthrough]];
    default:
      return type_of(L);
  }
}

int next_field(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_next(L, 1)) return 2;
  lua_pushnil(L);
  return 1;
}

// Upvalues: the stock next, which the interpreter knows how to run fast, and ours.
int pairs_of(lua_State* L) {
  const bool frozen = is_frozen(L, 1);
  if (!frozen) luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(frozen ? 2 : 1));
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

int next_item(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  const int i = static_cast<int>(luaL_checkinteger(L, 2)) + 1;
  lua_pushinteger(L, i);
  lua_rawgeti(L, 1, i);
  return lua_isnil(L, -1) ? 0 : 2;
}

// Upvalue: the stock ipairs.
int ipairs_of(lua_State* L) {
  if (is_frozen(L, 1)) {
    lua_pushcfunction(L, next_item);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 3);
  return 3;
}

// An error that ends the run is not caught. Nesting is bounded because unwinding thousands of
// native frames takes tens of milliseconds.
int protected_call(lua_State* L) {
  luaL_checkany(L, 1);
  const Nesting nesting(L, limits::script_pcall_nesting_max);
  const int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  if (status != 0 && (budget_of(L).stopped || budget_of(L).expired)) stop(L);
  lua_pushboolean(L, status == 0);
  lua_insert(L, 1);
  return lua_gettop(L);
}

int get_metatable(lua_State* L) {
  if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushliteral(L, "__metatable");
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1)) return 1;
  lua_pop(L, 1);
  push_frozen_form(L, -1);
  if (lua_isnil(L, -1)) lua_pop(L, 1);
  return 1;
}

int set_metatable(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  thaw_argument(L, 2);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  if (luaL_getmetafield(L, 1, "__metatable"))
    return luaL_error(L, "cannot change a protected metatable");
  lua_setmetatable(L, 1);
  return 1;
}

int raw_get(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_rawget(L, 1);
  return 1;
}

int raw_set(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  // A protected table guards its fields through its metatable; going round that would undo it.
  if (luaL_getmetafield(L, 1, "__metatable"))
    return luaL_error(L, "cannot write to a protected table");
  lua_settop(L, 3);
  if (lua_isnil(L, 2)) return luaL_error(L, "the key is nil");
  lua_rawset(L, 1);
  return 1;
}

int unpack_items(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Number first = luaL_optnumber(L, 2, 1);
  const lua_Number last =
      lua_isnoneornil(L, 3) ? static_cast<lua_Number>(lua_objlen(L, 1)) : luaL_checknumber(L, 3);
  if (first > last) return 0;
  if (!(last - first < kUnpackMax) || !(first >= -1e9) || !(last <= 1e9))
    return luaL_error(L, "too many results to unpack");
  const int from = static_cast<int>(first), count = static_cast<int>(last) - from + 1;
  charge(L, static_cast<uint64_t>(count) / 4);
  luaL_checkstack(L, count, "too many results to unpack");
  for (int i = 0; i < count; ++i) lua_rawgeti(L, 1, from + i);
  return count;
}

}  // namespace

void open_base_functions(lua_State* L) {
  lua_getfield(L, -1, "next");
  lua_pushcfunction(L, next_field);
  lua_pushcclosure(L, pairs_of, 2);
  lua_setfield(L, -2, "pairs");
  wrap_functions(L, {{"ipairs", ipairs_of}});
  set_functions(L, {{"type", type_of},
                    {"tostring", to_string},
                    {"next", next_field},
                    {"pcall", protected_call},
                    {"getmetatable", get_metatable},
                    {"setmetatable", set_metatable},
                    {"rawget", raw_get},
                    {"rawset", raw_set},
                    {"unpack", unpack_items}});
}

}  // namespace mg::script

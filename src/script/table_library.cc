#include <algorithm>

#include "script/budget.h"
#include "script/freeze.h"
#include "script/library.h"

namespace mg::script {
namespace {

// A table that a script may write to: not one whose writes its metatable guards.
void check_writable(lua_State* L) {
  if (is_frozen(L, 1))
    luaL_error(L, "cannot write: tables are read-only once the script is loaded");
  luaL_checktype(L, 1, LUA_TTABLE);
}

// Only positions 1 to #t + 1: the stock function walks to any position it is given.
int insert(lua_State* L) {
  check_writable(L);
  const int size = static_cast<int>(lua_objlen(L, 1));
  const int count = lua_gettop(L);
  if (count == 2) {
    lua_rawseti(L, 1, size + 1);
    return 0;
  }
  if (count != 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  const lua_Number given = luaL_checknumber(L, 2);
  if (!(given >= 1 && given <= size + 1))
    return luaL_error(L, "bad argument #2 to 'insert' (position out of bounds)");
  const int position = static_cast<int>(given);
  charge(L, static_cast<uint64_t>(size + 1 - position) * 2 + 1);
  for (int i = size + 1; i > position; --i) {
    lua_rawgeti(L, 1, i - 1);
    lua_rawseti(L, 1, i);
  }
  lua_rawseti(L, 1, position);
  return 0;
}

int remove(lua_State* L) {
  check_writable(L);
  const int size = static_cast<int>(lua_objlen(L, 1));
  const lua_Number given = luaL_optnumber(L, 2, size);
  if (!(given >= 1 && given <= size)) return 0;
  const int position = static_cast<int>(given);
  charge(L, static_cast<uint64_t>(size - position) * 2 + 1);
  lua_rawgeti(L, 1, position);
  for (int i = position; i < size; ++i) {
    lua_rawgeti(L, 1, i + 1);
    lua_rawseti(L, 1, i);
  }
  lua_pushnil(L);
  lua_rawseti(L, 1, size);
  return 1;
}

int concat(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  const auto size = static_cast<uint64_t>(lua_objlen(L, 1));
  uint64_t bytes = lua_type(L, 2) == LUA_TSTRING ? lua_objlen(L, 2) * size : 0;
  for (uint64_t i = 1; i <= size; ++i) {
    lua_rawgeti(L, 1, static_cast<int>(i));
    if (lua_type(L, -1) == LUA_TSTRING) bytes += lua_objlen(L, -1);
    lua_pop(L, 1);
  }
  charge(L, size * 2 + bytes / 16 + 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

// Comparing texts costs their length, and there are about n log n comparisons.
int sort(lua_State* L) {
  check_writable(L);
  lua_settop(L, 2);
  const auto size = static_cast<uint64_t>(lua_objlen(L, 1));
  uint64_t longest = 0;
  for (uint64_t i = 1; i <= size; ++i) {
    lua_rawgeti(L, 1, static_cast<int>(i));
    if (lua_type(L, -1) == LUA_TSTRING) longest = std::max<uint64_t>(longest, lua_objlen(L, -1));
    lua_pop(L, 1);
  }
  charge(L, size * 24 * (longest / 32 + 1));
  const Nesting nesting(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  if (lua_isnil(L, 3)) lua_settop(L, 2);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

int largest_key(lua_State* L) {
  thaw_argument(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Number largest = 0;
  lua_settop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    charge(L, 1);
    if (lua_type(L, -2) == LUA_TNUMBER) largest = std::max(largest, lua_tonumber(L, -2));
    lua_pop(L, 1);
  }
  lua_pushnumber(L, largest);
  return 1;
}

}  // namespace

void open_table_functions(lua_State* L) {
  wrap_functions(L, {{"concat", concat}, {"sort", sort}});
  set_functions(L, {{"insert", insert}, {"remove", remove}, {"maxn", largest_key}});
}

}  // namespace mg::script

#include "script/sandbox.h"

#include <span>
#include <string_view>

#include "script/budget.h"
#include "script/freeze.h"
#include "script/handle.h"
#include "script/library.h"

namespace mg::script {
namespace {

constexpr std::string_view kGlobals[] = {
    "assert", "error",  "getmetatable", "ipairs",       "next",     "pairs",    "pcall", "rawequal",
    "rawget", "rawset", "select",       "setmetatable", "tonumber", "tostring", "type",  "unpack"};
constexpr std::string_view kString[] = {"byte",    "char", "find",  "format", "gmatch",
                                        "gsub",    "len",  "lower", "match",  "rep",
                                        "reverse", "sub",  "upper"};
constexpr std::string_view kTableFunctions[] = {"concat", "insert", "maxn", "remove", "sort"};
// random keeps a state between calls; gate.random is what hooks draw from.
constexpr std::string_view kMath[] = {"abs",   "acos", "asin",  "atan",  "atan2", "ceil",  "cos",
                                      "cosh",  "deg",  "exp",   "floor", "fmod",  "frexp", "huge",
                                      "ldexp", "log",  "log10", "max",   "min",   "modf",  "pi",
                                      "pow",   "rad",  "sin",   "sinh",  "sqrt",  "tan",   "tanh"};
constexpr std::string_view kBit[] = {"arshift", "band", "bnot", "bor",    "bswap", "bxor",
                                     "lshift",  "rol",  "ror",  "rshift", "tobit", "tohex"};

// Registry keys of the table of globals and of the metatable all environments share.
const char kGlobalsKey = 0;
const char kEnvironmentKey = 0;

void set_registry(lua_State* L, const char* key) {
  lua_pushlightuserdata(L, const_cast<char*>(key));
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

// Pushes a new table with the allowed fields of the table on top.
void push_allowed(lua_State* L, std::span<const std::string_view> names) {
  lua_createtable(L, 0, static_cast<int>(names.size()));
  for (std::string_view name : names) {
    lua_getfield(L, -2, name.data());
    if (lua_isnil(L, -1)) luaL_error(L, "LuaJIT lacks %s", name.data());
    lua_setfield(L, -2, name.data());
  }
}

void open_stock(lua_State* L, lua_CFunction open, const char* name) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

// globals.NAME = the allowed part of the stock library, opened and frozen. The globals are on top.
void add_library(lua_State* L, const char* name, std::span<const std::string_view> allowed,
                 void (*open)(lua_State*)) {
  lua_getfield(L, LUA_GLOBALSINDEX, name);
  push_allowed(L, allowed);
  lua_replace(L, -2);
  open(L);
  freeze(L, -1);
  lua_setfield(L, -2, name);
}

int refuse_global(lua_State* L) {
  if (lua_type(L, 2) == LUA_TSTRING && lua_objlen(L, 2) <= 64)
    return luaL_error(L, "cannot set the global '%s': globals are read-only, use local",
                      lua_tostring(L, 2));
  return luaL_error(L, "globals are read-only");
}

// ("x"):upper() goes through the metatable of strings, which scripts must not reach.
void protect_strings(lua_State* L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_getfield(L, -3, "string");
  push_table_at(L, -1);
  lua_setfield(L, -3, "__index");
  lua_pop(L, 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

// Nothing of the stock libraries stays reachable: what is not in the globals is gone.
void empty_table(lua_State* L, int table) {
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, table);
  }
}

}  // namespace

void open_sandbox(lua_State* L) {
  open_stock(L, luaopen_base, "");
  open_stock(L, luaopen_table, LUA_TABLIBNAME);
  open_stock(L, luaopen_string, LUA_STRLIBNAME);
  open_stock(L, luaopen_math, LUA_MATHLIBNAME);
  open_stock(L, luaopen_bit, LUA_BITLIBNAME);
  open_freeze(L);

  lua_pushvalue(L, LUA_GLOBALSINDEX);
  open_base_functions(L);
  push_allowed(L, kGlobals);
  lua_replace(L, -2);
  add_library(L, "string", kString, open_string_functions);
  add_library(L, "table", kTableFunctions, open_table_functions);
  add_library(L, "math", kMath, open_number_functions);
  add_library(L, "bit", kBit, open_number_functions);
  protect_strings(L);

  lua_pushvalue(L, -1);
  freeze(L, -1);
  lua_setfield(L, -2, "_G");
  lua_pushvalue(L, -1);
  set_registry(L, &kGlobalsKey);

  lua_createtable(L, 0, 4);
  lua_insert(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, refuse_global);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  set_registry(L, &kEnvironmentKey);

  lua_pushvalue(L, LUA_GLOBALSINDEX);
  empty_table(L, lua_gettop(L));
  lua_pop(L, 1);
  lua_gc(L, LUA_GCSETPAUSE, 150);
  lua_gc(L, LUA_GCSETSTEPMUL, 400);
}

void add_globals(lua_State* L) {
  push_registry(L, &kGlobalsKey);
  lua_insert(L, -2);
  const int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    freeze(L, -1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, table - 1);
  }
  lua_pop(L, 2);
}

void push_environment(lua_State* L) {
  lua_newtable(L);
  push_registry(L, &kEnvironmentKey);
  lua_setmetatable(L, -2);
}

}  // namespace mg::script

// Making what a script built at load time read-only for good: its module's table, the tables and
// functions that its hooks can reach, its conf. That is how a hook keeps nothing between calls.
//   Lua cannot protect the fields a table already has, so a frozen table is moved behind a
// userdata that stands in for it everywhere: reading, #, pairs, ipairs, next, unpack,
// table.concat and type() see the table; writing is an error. (The sandbox's own functions know
// frozen tables; the table behind one never reaches a script.)
#pragma once

#include <lua.hpp>

namespace mg::script {

// Prepares a state; called once by open_sandbox.
void open_freeze(lua_State* L);

// Replaces the value at `index` by its frozen form, and so everything that can be reached from
// it: fields, metatables, upvalues of functions. A value that is no table and no function stays.
// Raises in Lua where something cannot be frozen (a table or function as a key).
void freeze(lua_State* L, int index);

bool is_frozen(lua_State* L, int index);
// Pushes the table at `index`, or the table behind a frozen one, for reading raw. False, and
// nothing pushed, for any other value.
bool push_table_at(lua_State* L, int index);
// The same in place: a frozen table at `index` becomes the table behind it. For library
// functions, whose arguments are their own.
void thaw_argument(lua_State* L, int index);
// Pushes the frozen form of the table at `index`, or nil when it was never frozen.
void push_frozen_form(lua_State* L, int index);

}  // namespace mg::script

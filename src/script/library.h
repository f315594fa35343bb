// The standard library as scripts get it: Lua's own functions where they are short whatever their
// arguments, ours where Lua's could run long inside one call, crash, or show an address. Each
// open_* gets the stock library's table on top of the stack, leaves it there, and changes what it
// holds. For sandbox.cc.
#pragma once

#include <initializer_list>
#include <lua.hpp>

namespace mg::script {

struct Function {
  const char* name;
  lua_CFunction function;
};

// `globals` is on top: pairs, type, pcall and the like.
void open_base_functions(lua_State* L);
void open_string_functions(lua_State* L);
void open_table_functions(lua_State* L);
// math and bit: functions of any number of arguments.
void open_number_functions(lua_State* L);

// Puts functions into the table on top of the stack.
void set_functions(lua_State* L, std::initializer_list<Function> functions);
// The same, each with the stock function of that name as its first upvalue.
void wrap_functions(lua_State* L, std::initializer_list<Function> functions);

}  // namespace mg::script

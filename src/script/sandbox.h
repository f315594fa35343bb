// The names a script finds, and nothing else: an allow list over LuaJIT's libraries, with every
// function that could run long, crash or show an address replaced by a bounded one (library.h).
//   What scripts share is read-only: the libraries and the globals are frozen, and each module
// runs in an environment of its own through which it sees them.
#pragma once

#include <lua.hpp>

namespace mg::script {

// Opens the libraries in a new state. Raises in Lua when there is no memory.
void open_sandbox(lua_State* L);

// Adds the fields of the table on top of the stack (popped) to the global names; they are frozen.
// Before the first module is loaded.
void add_globals(lua_State* L);

// Pushes a new environment for one module: reading finds the globals, writing is an error.
void push_environment(lua_State* L);

}  // namespace mg::script

// Proof that a module's functions keep nothing between calls. Tables are read-only once frozen
// (freeze.h); what remains is the local variable of an outer function, an upvalue, that a living
// function assigns to. Whether one does stands in its bytecode.
//   Why bytecode: trying the functions out and comparing finds only what the trial happens to
// reach, and a rule about source text would also refuse honest code, such as a helper inside a
// hook that counts in the hook's own local.
#pragma once

#include <lua.hpp>
#include <string>
#include <vector>

namespace mg::script {

// An assignment to a variable that outlives the call that makes it.
struct Assignment {
  std::string file;  // of the function, as it was loaded
  int line = 0;
};

// Looks at every Lua function that can be reached from the value at `index` through fields,
// metatables and upvalues. For frozen and other values; inside a protected call.
std::vector<Assignment> lasting_assignments(lua_State* L, int index);

}  // namespace mg::script

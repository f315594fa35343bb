#include "script/library.h"

namespace mg::script {

void set_functions(lua_State* L, std::initializer_list<Function> functions) {
  for (const Function& f : functions) {
    lua_pushcfunction(L, f.function);
    lua_setfield(L, -2, f.name);
  }
}

void wrap_functions(lua_State* L, std::initializer_list<Function> functions) {
  for (const Function& f : functions) {
    lua_getfield(L, -1, f.name);
    lua_pushcclosure(L, f.function, 1);
    lua_setfield(L, -2, f.name);
  }
}

}  // namespace mg::script

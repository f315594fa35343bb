#include "api/answers.h"
#include "api/gate.h"

namespace mg::api {

std::string described(lua_State* L, int index) {
  return std::string("a ") + luaL_typename(L, index);
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

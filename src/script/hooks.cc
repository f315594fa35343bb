#include "script/hooks.h"

#include "base/assert.h"
#include "script/freeze.h"
#include "script/lua_value.h"
#include "script/sandbox.h"

namespace mg::script {

Result<std::unique_ptr<Hooks>> Hooks::open(std::shared_ptr<const Bundle> bundle,
                                           const BundleRecipe& recipe, const Profile& profile,
                                           WatchSlot* slot) {
  std::unique_ptr<Hooks> hooks(new Hooks(std::move(bundle)));
  MG_TRY(hooks->state_, State::open(profile, slot));
  // Each module was checked in a run of its own. A state that cannot be made for want of time would
  // leave its worker without the generation, so there is as much again.
  const size_t shares = 2 * (hooks->bundle_->modules().size() + 1);
  const Outcome outcome =
      Run(*hooks->state_, shares).call([&](lua_State* L) { hooks->load(L, recipe); });
  if (!outcome.done()) return fail(Errc::invalid, outcome.what);
  hooks->state_->collect();
  return hooks;
}

void Hooks::load(lua_State* L, const BundleRecipe& recipe) {
  luaL_checkstack(L, 16, "loading modules");
  recipe.library.push_globals(L);
  add_globals(L);
  // Each module is loaded once, however often the chain names it.
  lua_newtable(L);
  const int loaded = lua_gettop(L);
  hooks_.resize(bundle_->phases());
  for (size_t phase = 0; phase < bundle_->phases(); ++phase) {
    for (const Step& step : bundle_->steps(phase)) {
      const int key = static_cast<int>(step.module) + 1;
      lua_rawgeti(L, loaded, key);
      if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_module(L, bundle_->modules()[step.module]);
        lua_pushvalue(L, -1);
        lua_rawseti(L, loaded, key);
      }
      Hook hook{step.module, LUA_NOREF, LUA_NOREF};
      lua_getfield(L, -1, recipe.phases[phase].data());
      hook.function = luaL_ref(L, LUA_REGISTRYINDEX);
      push_value(L, step.conf);
      freeze(L, -1);
      hook.conf = luaL_ref(L, LUA_REGISTRYINDEX);
      lua_settop(L, loaded);
      hooks_[phase].push_back(hook);
    }
  }
}

Outcome Hooks::call(Run& run, size_t phase, size_t& step, HookCall& call) {
  const std::vector<Hook>& hooks = hooks_[phase];
  MG_ASSERT(step < hooks.size());
  return run.call([&](lua_State* L) {
    luaL_checkstack(L, 32, "calling hooks");
    for (; step < hooks.size(); ++step) {
      const Module& module = bundle_->modules()[hooks[step].module];
      lua_rawgeti(L, LUA_REGISTRYINDEX, hooks[step].function);
      lua_rawgeti(L, LUA_REGISTRYINDEX, hooks[step].conf);
      const int arguments = call.push_arguments(L, module);
      lua_call(L, 1 + arguments, 2);
      const auto next = call.take_results(L, module);
      lua_settop(L, 0);
      if (next == HookCall::Next::enough) return;
    }
  });
}

void push_module(lua_State* L, const Module& module) {
  load_bytecode(L, module.bytecode, module.path);
  push_environment(L);
  lua_setfenv(L, -2);
  lua_call(L, 0, 1);
  if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "%s: the module must return a table, not a %s", module.path.c_str(),
               luaL_typename(L, -1));
  freeze(L, -1);
}

}  // namespace mg::script

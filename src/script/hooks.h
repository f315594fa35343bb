// A bundle at work in one state: for each phase the chain's hook functions with their confs, and
// the way to call them. On the state's thread only.
#pragma once

#include <lua.hpp>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "script/bundle.h"
#include "script/state.h"

namespace mg::script {

// What the host does around each hook of one call of a phase. Both run inside the protected call
// and may raise Lua errors, which then count as the module's.
class HookCall {
 public:
  enum class Next : uint8_t { ask_on, enough };

  // Pushes the arguments that follow conf, and says how many.
  virtual int push_arguments(lua_State* L, const Module& module) = 0;
  // The hook's two results (nil where it returned fewer) are on top of the stack.
  virtual Next take_results(lua_State* L, const Module& module) = 0;

 protected:
  ~HookCall() = default;
};

class Hooks {
 public:
  // Opens a state and loads what the chain names. Errors: invalid with the module's own words,
  // too_large. The recipe's library and phase names must outlive the hooks.
  static Result<std::unique_ptr<Hooks>> open(std::shared_ptr<const Bundle> bundle,
                                             const BundleRecipe& recipe, const Profile& profile,
                                             WatchSlot* slot);

  State& state() { return *state_; }
  const Bundle& bundle() const { return *bundle_; }
  bool has(size_t phase) const { return !hooks_[phase].empty(); }
  size_t count(size_t phase) const { return hooks_[phase].size(); }
  const Module& module(size_t phase, size_t step) const {
    return bundle_->modules()[hooks_[phase][step].module];
  }

  // Calls the hooks of a phase in order, from `step` on, until one has said enough. `step` is below
  // count(phase), and when a hook fails it is left at that one.
  Outcome call(Run& run, size_t phase, size_t& step, HookCall& call);

 private:
  struct Hook {
    size_t module;
    int function;  // references into the registry
    int conf;
  };

  explicit Hooks(std::shared_ptr<const Bundle> bundle) : bundle_(std::move(bundle)) {}
  void load(lua_State* L, const BundleRecipe& recipe);

  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<State> state_;
  std::vector<std::vector<Hook>> hooks_;
};

// Runs a compiled module in a new environment and leaves the table it returned, frozen, on the
// stack. Raises in Lua.
void push_module(lua_State* L, const Module& module);

}  // namespace mg::script

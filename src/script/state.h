// One Lua state in its box: capped memory, JIT off, the sandbox's names and nothing else
// (sandbox.h), and a way to run scripts in it that always comes back. One thread at a time; with
// a watch slot, the slot's thread only.
#pragma once

#include <lua.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "script/budget.h"
#include "script/profile.h"

namespace mg::script {

class WatchSlot;

enum class Ending : uint8_t { done, error, out_of_time, out_of_memory };

struct Outcome {
  Ending ending = Ending::done;
  std::string what;  // empty when done; bounded, and text whatever the script raised

  bool done() const { return ending == Ending::done; }
};

class State {
 public:
  // `slot` may be null: runs are then bounded by counting instructions as steps. The profile must
  // outlive the state. Errors: too_large when the memory bound leaves no room.
  static Result<std::unique_ptr<State>> open(const Profile& profile, WatchSlot* slot = nullptr);
  ~State();
  State(const State&) = delete;

  // For callers that work with the stack inside a run's body.
  lua_State* lua() const { return lua_; }
  Budget& budget() { return budget_; }
  const Profile& profile() const { return budget_.profile; }
  size_t memory_bytes() const { return budget_.memory_bytes; }

  // Runs that used up their time or memory. At strikes_max the owner should throw the state away.
  int strikes() const { return strikes_; }
  bool worn_out() const { return strikes_ >= limits::script_strikes_max; }

  // Collects all garbage; after loading, and before measuring.
  void collect();

 private:
  friend class Run;
  State(const Profile& profile, WatchSlot* slot) : budget_(profile), slot_(slot) {}
  Outcome protect(void (*body)(lua_State*, void*), void* data);
  Outcome outcome_of(int status);
  bool is_littered() const;
  void recover_memory();

  Budget budget_;
  WatchSlot* slot_;
  lua_State* lua_ = nullptr;
  int trampoline_ = LUA_NOREF;
  int strikes_ = 0;
  bool wants_collection_ = false;
  size_t kept_bytes_ = 0;  // what the last full collection left
};

// One stretch of script under one budget: everything called until it is destroyed shares the
// profile's time and steps, or `shares` times as much, where it does again what as many runs did.
// Never two at once in a thread.
class Run {
 public:
  explicit Run(State& state, size_t shares = 1);
  ~Run();
  Run(const Run&) = delete;

  // Calls body(lua_State*) so that any Lua error in it ends here. The stack is empty before and
  // after; results leave through what the body captures. After out_of_time every further call
  // ends the same way at once.
  template <class Body>
  Outcome call(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    return state_.protect([](lua_State* L, void* data) { (*static_cast<Plain*>(data))(L); },
                          const_cast<std::remove_const_t<Plain>*>(&body));
  }

 private:
  State& state_;
};

// Compiles text (never bytecode) and leaves the function on the stack. `name` appears in errors,
// as "name:line:". Raises in Lua.
void load_text(lua_State* L, std::string_view text, const std::string& name);
// Loads what dump() made.
void load_bytecode(lua_State* L, std::string_view bytecode, const std::string& name);
// The bytecode of the function on top of the stack, with line numbers.
std::string dump(lua_State* L);

}  // namespace mg::script

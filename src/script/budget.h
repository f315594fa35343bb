// What a state has used and may still use: memory, processor time, steps, nesting. Every library
// function of the sandbox pays here, so that no single call into C runs long. For src/script and
// src/api only, on the state's thread.
#pragma once

#include <csignal>
#include <cstdint>
#include <lua.hpp>
#include <string>

#include "script/profile.h"

namespace mg::script {

struct Budget {
  explicit Budget(const Profile& p) : profile(p), memory_bytes_max(p.memory_bytes_max) {}

  const Profile& profile;
  lua_State* state = nullptr;

  size_t memory_bytes_max;
  size_t memory_bytes = 0;
  size_t memory_bytes_peak = 0;
  bool memory_was_refused = false;

  // Set by the signal handler; from then on until the run ends, whatever the script does raises.
  volatile std::sig_atomic_t expired = 0;
  bool stopped = false;
  std::string stopped_at;  // "policies/x.lua:12", where the script was then
  uint64_t steps = 0;
  size_t shares = 1;  // the run may take so many times the profile's time and steps
  int nesting = 0;
  // Of runs whose instructions are counted: when even a script that makes each instruction cost a
  // millisecond has had enough.
  int64_t counted_end_cpu_ns = 0;

  // Where library functions assemble their results; each uses its end and cuts it off again.
  std::string scratch;

  // The host's own, for its functions (api/call.h).
  void* host = nullptr;
  int64_t cpu_ns() const { return static_cast<int64_t>(shares) * profile.cpu_ns; }
  uint64_t steps_max() const { return shares * profile.steps_max; }

  // What the present protected call runs.
  void (*body)(lua_State*, void*) = nullptr;
  void* body_data = nullptr;
};

// The state's allocator: counts, and refuses what would pass the memory or block bound. It never
// refuses to shrink.
void* allocate(void* budget, void* block, size_t old_bytes, size_t new_bytes);

inline Budget& budget_of(lua_State* L) {
  void* data;
  lua_getallocf(L, &data);
  return *static_cast<Budget*>(data);
}

// Pays for work about to be done; ends the run when it is more than is left. Raises in Lua.
void charge(lua_State* L, uint64_t steps);

// Ends the run: every frame of the script gets one instruction, then raises again, so that no
// pcall swallows it. stop() raises at once; stop_soon() may be called from a signal handler and
// makes the next instruction raise.
[[noreturn]] void stop(lua_State* L);
void stop_soon(Budget& budget);
// Counts instructions as steps from now on (for runs without a watchdog).
void count_instructions(lua_State* L);
// Takes stop_soon and count_instructions back.
void clear_hook(Budget& budget);
// True for the value that stop() raises.
bool is_stop(lua_State* L, int index);

// A library function that may call back into the script; deeper than the bound raises. Also takes
// back what the function left in the scratch. Unwinding through Lua errors runs destructors.
class Nesting {
 public:
  explicit Nesting(lua_State* L, int deepest = limits::script_nesting_max);
  ~Nesting();
  Nesting(const Nesting&) = delete;

  // Where this function's part of the scratch begins.
  size_t scratch_start() const { return scratch_start_; }

 private:
  Budget& budget_;
  size_t scratch_start_;
};

}  // namespace mg::script

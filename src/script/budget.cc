#include "script/budget.h"

#include <cstdlib>

#include "base/clock.h"

namespace mg::script {
namespace {

// The value that ends a run; scripts never get hold of it, because pcall raises it on.
const char kStop = 0;

constexpr int kEveryEvent = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;

// Small enough that a hundred of the dearest instructions (joining strings of block_bytes_max)
// stay within a few milliseconds.
constexpr int kInstructionsPerCount = 100;

// Counting alone does not bound time: an instruction on a text of block_bytes_max costs as much as
// ten thousand others. No honest script comes near this multiple of its budget.
constexpr int64_t kCountedCpuFactor = 100;
constexpr uint64_t kStepsPerClockReading = 16 * kInstructionsPerCount;

// The innermost line of the script itself.
std::string place_of(lua_State* L) {
  lua_Debug frame;
  for (int level = 0; level < 4 && lua_getstack(L, level, &frame); ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline > 0)
      return std::string(frame.short_src) + ":" + std::to_string(frame.currentline);
  }
  return {};
}

void on_kill(lua_State* L, lua_Debug*) { stop(L); }

void on_count(lua_State* L, lua_Debug*) {
  Budget& budget = budget_of(L);
  const uint64_t before = budget.steps;
  charge(L, kInstructionsPerCount);
  const bool reads_clock = before / kStepsPerClockReading != budget.steps / kStepsPerClockReading;
  if (reads_clock && thread_cpu_ns() > budget.counted_end_cpu_ns) stop(L);
}

}  // namespace

void* allocate(void* data, void* block, size_t old_bytes, size_t new_bytes) {
  Budget& budget = *static_cast<Budget*>(data);
  const size_t held = block ? old_bytes : 0;
  if (new_bytes == 0) {
    budget.memory_bytes -= held;
    std::free(block);
    return nullptr;
  }
  const bool grows = new_bytes > held;
  if (grows && (new_bytes > budget.profile.block_bytes_max ||
                budget.memory_bytes - held + new_bytes > budget.memory_bytes_max)) {
    budget.memory_was_refused = true;
    return nullptr;
  }
  void* moved = std::realloc(block, new_bytes);
  if (!moved) return grows ? nullptr : block;
  budget.memory_bytes += new_bytes - held;
  if (budget.memory_bytes > budget.memory_bytes_peak)
    budget.memory_bytes_peak = budget.memory_bytes;
  return moved;
}

void charge(lua_State* L, uint64_t steps) {
  Budget& budget = budget_of(L);
  budget.steps += steps;
  if (budget.expired || budget.stopped || budget.steps > budget.steps_max()) stop(L);
}

void stop(lua_State* L) {
  Budget& budget = budget_of(L);
  if (!budget.stopped) budget.stopped_at = place_of(L);
  budget.stopped = true;
  lua_sethook(L, on_kill, kEveryEvent, 1);
  lua_pushlightuserdata(L, const_cast<char*>(&kStop));
  lua_error(L);
  std::abort();
}

void stop_soon(Budget& budget) {
  budget.expired = 1;
  lua_sethook(budget.state, on_kill, kEveryEvent, 1);
}

void count_instructions(lua_State* L) {
  Budget& budget = budget_of(L);
  budget.counted_end_cpu_ns = thread_cpu_ns() + kCountedCpuFactor * budget.cpu_ns();
  lua_sethook(L, on_count, LUA_MASKCOUNT, kInstructionsPerCount);
}

void clear_hook(Budget& budget) { lua_sethook(budget.state, nullptr, 0, 0); }

bool is_stop(lua_State* L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &kStop;
}

Nesting::Nesting(lua_State* L, int deepest)
    : budget_(budget_of(L)), scratch_start_(budget_.scratch.size()) {
  if (budget_.nesting >= deepest) luaL_error(L, "library functions nested too deep");
  ++budget_.nesting;
}

Nesting::~Nesting() {
  --budget_.nesting;
  budget_.scratch.resize(scratch_start_);
}

}  // namespace mg::script

#include "script/state.h"

#include <algorithm>

#include "base/assert.h"
#include "script/sandbox.h"
#include "script/watchdog.h"

namespace mg::script {
namespace {

// Room that a state which ran out of memory gets while it is cleaned up.
constexpr size_t kRecoveryBytes = 256 * limits::KiB;

// A scratch that grew past this is given back after the run.
constexpr size_t kScratchKeptBytes = 16 * limits::KiB;

int call_body(lua_State* L) {
  Budget& budget = budget_of(L);
  budget.body(L, budget.body_data);
  return 0;
}

int on_panic(lua_State*) {
  assertion_failed("Lua error outside a protected call", __FILE__, __LINE__);
}

int store_trampoline(lua_State* L) {
  lua_pushcfunction(L, call_body);
  *static_cast<int*>(lua_touserdata(L, 1)) = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int open_names(lua_State* L) {
  open_sandbox(L);
  return 0;
}

struct Piece {
  std::string_view bytes;
};

const char* read_piece(lua_State*, void* data, size_t* size) {
  auto& piece = *static_cast<Piece*>(data);
  *size = piece.bytes.size();
  const char* begin = piece.bytes.data();
  piece.bytes = {};
  return begin;
}

void load(lua_State* L, std::string_view bytes, const std::string& name, const char* mode) {
  Piece piece{bytes};
  if (lua_loadx(L, read_piece, &piece, name.c_str(), mode) != 0) lua_error(L);
}

// Whatever was raised, as bounded text.
std::string message_of(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) {
    size_t size;
    const char* text = lua_tolstring(L, index, &size);
    return std::string(text, std::min(size, limits::script_error_bytes_max));
  }
  return std::string("the script raised a ") + luaL_typename(L, index) + " instead of a message";
}

}  // namespace

Result<std::unique_ptr<State>> State::open(const Profile& profile, WatchSlot* slot) {
  std::unique_ptr<State> state(new State(profile, slot));
  state->lua_ = lua_newstate(allocate, &state->budget_);
  if (!state->lua_) return fail(Errc::too_large, "no memory for a script state");
  lua_State* L = state->lua_;
  state->budget_.state = L;
  lua_atpanic(L, on_panic);
  // Count hooks never fire in compiled code, so nothing compiled can be stopped.
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  for (const auto& [step, data] : {std::pair<lua_CFunction, void*>{open_names, nullptr},
                                   {store_trampoline, &state->trampoline_}})
    if (lua_cpcall(L, step, data) != 0)
      return fail(Errc::too_large, "opening a script state: " + message_of(L, -1));
  return state;
}

// A closure that LuaJIT could not finish for lack of memory is freed whole but reported eight bytes
// smaller for each upvalue it never got, so the count is exact only where memory never ran out.
State::~State() {
  if (lua_) lua_close(lua_);
  MG_ASSERT(budget_.memory_bytes == 0 || budget_.memory_was_refused);
}

void State::collect() {
  protect([](lua_State* L, void*) { lua_gc(L, LUA_GCCOLLECT, 0); }, nullptr);
  kept_bytes_ = budget_.memory_bytes;
}

// LuaJIT begins to collect when a state is half as large again as what it kept the last time, and
// does not collect before it gives up on an allocation. Where that half is more than the bound
// leaves, the garbage of many runs would fail a run that needs next to nothing.
bool State::is_littered() const {
  const size_t most = std::max(budget_.memory_bytes_max, kept_bytes_);
  return budget_.memory_bytes > kept_bytes_ + (most - kept_bytes_) / 2;
}

// After an out-of-memory error the garbage is still there. Collecting may itself need a little
// memory.
void State::recover_memory() {
  budget_.memory_bytes_max += kRecoveryBytes;
  collect();
  budget_.memory_bytes_max -= kRecoveryBytes;
  wants_collection_ = false;
}

Outcome State::protect(void (*body)(lua_State*, void*), void* data) {
  budget_.body = body;
  budget_.body_data = data;
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, trampoline_);
  const int status = lua_pcall(lua_, 0, 0, 0);
  if (__builtin_expect(status == 0, 1)) return {};
  return outcome_of(status);
}

Outcome State::outcome_of(int status) {
  Outcome outcome;
  if (is_stop(lua_, -1)) {
    outcome = {Ending::out_of_time,
               budget_.stopped_at + ": the budget of processor time or steps is spent"};
  } else if (status == LUA_ERRMEM) {
    outcome = {Ending::out_of_memory, "the memory budget is spent"};
    wants_collection_ = true;
    ++strikes_;
  } else {
    outcome = {Ending::error, message_of(lua_, -1)};
  }
  lua_settop(lua_, 0);
  budget_.nesting = 0;
  budget_.scratch.clear();
  if (wants_collection_ && !budget_.stopped && !budget_.expired) recover_memory();
  return outcome;
}

Run::Run(State& state, size_t shares) : state_(state) {
  Budget& budget = state.budget_;
  budget.shares = shares;
  budget.steps = 0;
  if (state.slot_) {
    state.slot_->begin([](void* b) { stop_soon(*static_cast<Budget*>(b)); }, &budget,
                       budget.cpu_ns());
  } else {
    count_instructions(state.lua_);
  }
}

Run::~Run() {
  Budget& budget = state_.budget_;
  // First the number, so that no signal can install the hook again behind our back.
  if (state_.slot_) state_.slot_->end();
  const bool stopped = budget.stopped || budget.expired;
  if (stopped || !state_.slot_) clear_hook(budget);
  budget.stopped = false;
  budget.expired = 0;
  budget.stopped_at.clear();
  if (budget.scratch.capacity() > kScratchKeptBytes) std::string().swap(budget.scratch);
  if (stopped) ++state_.strikes_;
  if (state_.wants_collection_ || state_.is_littered()) state_.recover_memory();
}

void load_text(lua_State* L, std::string_view text, const std::string& name) {
  load(L, text, "@" + name, "t");
}

void load_bytecode(lua_State* L, std::string_view bytecode, const std::string& name) {
  load(L, bytecode, "@" + name, "b");
}

std::string dump(lua_State* L) {
  std::string bytecode;
  const auto append = [](lua_State*, const void* data, size_t size, void* out) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
    return 0;
  };
  if (lua_dump(L, append, &bytecode) != 0) luaL_error(L, "cannot dump a function");
  return bytecode;
}

}  // namespace mg::script

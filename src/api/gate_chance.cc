// gate.hash and gate.random: choices that a replay repeats.
#include <cmath>

#include "api/call.h"
#include "api/gate.h"
#include "base/bytes.h"

namespace mg::api {
namespace {

constexpr double kMost = 9007199254740992.0;  // 2^53

// A number n as both functions take it: 1 to 2^53, whole.
uint64_t check_count(lua_State* L, int index) {
  const double n = luaL_checknumber(L, index);
  if (!(n >= 1 && n <= kMost) || std::floor(n) != n)
    luaL_error(L, "bad argument #%d (a whole number from 1 expected)", index);
  return static_cast<uint64_t>(n);
}

void push_pick(lua_State* L, SeededRng& rng, uint64_t count) {
  lua_pushnumber(L, static_cast<lua_Number>(rng.draw() % count) + 1);
}

// Depends on the text alone: the same text gets the same number in every request, on every
// worker, after every restart. The checksum is spread by one step of the generator.
int hash(lua_State* L) {
  size_t size;
  const char* text = luaL_checklstring(L, 1, &size);
  script::charge(L, size / 16);
  SeededRng rng(crc32c({text, size}));
  push_pick(L, rng, check_count(L, 2));
  return 1;
}

// Seeded by the request, and by the phase.
int random(lua_State* L) {
  SeededRng& rng = call_of(L).rng;
  if (lua_isnoneornil(L, 1)) {
    lua_pushnumber(L, rng.unit());
  } else {
    push_pick(L, rng, check_count(L, 1));
  }
  return 1;
}

constexpr GateFunction kFunctions[] = {{"", "hash", kAllPhases, hash},
                                       {"", "random", kAllPhases, random}};

}  // namespace

std::span<const GateFunction> chance_functions() { return kFunctions; }

}  // namespace mg::api

// Every function a script can reach, called with hostile arguments under a short deadline: none
// may hang, crash, or leave the state unusable.
#include <cstdlib>

#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// A step budget that never binds, as in a worker where the clock stops scripts first.
constexpr Profile kFuzzProfile{"fuzz", 16 * limits::MiB, 256 * limits::KiB, 3'000'000, 1'000'000};

// Collects the functions and the values once; then draws calls until it is stopped.
constexpr const char* kFuzz = R"LUA(
  local seed = ...
  local functions, seen = {}, {}
  local function walk(t)
    if seen[t] then return end
    seen[t] = true
    for _, v in pairs(t) do
      if type(v) == "function" then functions[#functions + 1] = v
      elseif type(v) == "table" then walk(v) end
    end
  end
  walk(_G)
  local long, digits = ("x"):rep(200000), ("1"):rep(200000)
  local deep = {}
  for i = 1, 1000 do deep = { x = deep } end
  local large, texts, holes = {}, {}, {}
  for i = 1, 7000 do large[i] = i end
  for i = 1, 2000 do texts[i] = digits end
  for i = 1, 3000 do holes["k" .. i] = 1 end
  for i = 1, 3000 do holes["k" .. i] = nil end
  local cycle = {}
  cycle[1], cycle.x = cycle, cycle
  local evil = setmetatable({}, {
    __index = function(_, k) return k end, __newindex = function() end,
    __call = function(...) return ... end, __concat = function() return "x" end,
    __lt = function() return true end, __le = function() return true end,
    __eq = function() return true end, __unm = function(a) return a end,
    __tostring = function() return long end, __len = function() return 1e9 end,
  })
  local function loop() while true do end end
  local function thrower() error(long) end
  local function id(...) return ... end
  local function recurse() return recurse() .. "" end
  local values = {
    0, 1, -1, 2, 3, 64, 255, 256, 1e3, 1e5, 1e9, -1e9, 2 ^ 31, -2 ^ 31, 2 ^ 32, 2 ^ 53, 1e308, -1e308,
    0 / 0, 1 / 0, -1 / 0, 0.5, "", "a", "%", "%1", ".*", "(.-)", "[a-", "%b()", "%f[a]", "^$", "\0",
    "x", "10", "0x10", "%s%d", "%99.99f", long, digits, ("("):rep(30) .. ("a*"):rep(30), {}, large,
    texts, holes, deep, evil, cycle, setmetatable({}, { __mode = "kv" }), id, thrower, loop, recurse,
    _G, string, true, false,
  }
  local count = #values + 1 -- one more for nil
  local function draw(n) seed = (seed * 16807) % 2147483647 return seed % n + 1 end
  while true do
    local f, n = functions[draw(#functions)], draw(5) - 1
    if draw(40) == 1 then n = 200 end
    local arguments = {}
    for i = 1, n do arguments[i] = values[draw(count)] end
    local ok, result = pcall(f, unpack(arguments, 1, n))
    if ok and result ~= nil and draw(4) == 1 then values[draw(count)] = result end
  end
)LUA";

}  // namespace

TEST_CASE("every library function takes any arguments") {
  const int scripts = std::getenv("MOONGATE_LONG") ? 20'000 : 200;
#ifdef MG_UNDER_TSAN
  WatchSlot* slot = nullptr;
#else
  Watchdog watchdog;
  WatchSlot own_slot(watchdog);
  WatchSlot* slot = &own_slot;
#endif
  int64_t worst = 0;
  size_t stopped = 0, out_of_memory = 0, other = 0;
  for (int seed = 1; seed <= scripts; ++seed) {
    Box box(kFuzzProfile, slot);
    const int64_t begin = thread_cpu_ns();
    const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
      load_text(L, kFuzz, "fuzz.lua");
      push_environment(L);
      lua_setfenv(L, -2);
      lua_pushinteger(L, seed);
      lua_call(L, 1, 0);
    });
    worst = std::max(worst, thread_cpu_ns() - begin);
    INFO("seed " << seed << ": " << outcome.what);
    switch (outcome.ending) {
      case Ending::out_of_time:
        ++stopped;
        break;
      case Ending::out_of_memory:
        ++out_of_memory;
        break;
      default:
        ++other;
    }
    REQUIRE_FALSE(outcome.done());
    REQUIRE(box.state().budget().nesting == 0);
    REQUIRE(box.state().budget().scratch.empty());
    REQUIRE(box.usable());
  }
  WARN(scripts << " scripts: " << stopped << " stopped, " << out_of_memory << " out of memory, "
               << other << " ended in an error; budget 3 ms, the longest took " << worst / 1000
               << " us");
}

#include "script/freeze.h"

#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// Runs `module`, freezes what it returns, and calls that (a function, or the table's `run`).
std::string call_frozen(Box& box, const std::string& module) {
  std::string result;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    load_text(L, module, "module.lua");
    push_environment(L);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    freeze(L, -1);
    if (is_frozen(L, -1)) lua_getfield(L, -1, "run");
    lua_call(L, 0, 1);
    result = lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1);
  });
  return outcome.done() ? result : outcome.what;
}

}  // namespace

TEST_CASE("a frozen table reads like a table") {
  Box box;
  CHECK(call_frozen(box, R"(
    local list = { "a", "b", "c" }
    local map = { x = 1, y = 2 }
    return function()
      local out = type(list) .. #list .. list[2] .. map.x .. tostring(map.z) .. table.concat(list)
      for i, v in ipairs(list) do out = out .. i .. v end
      local n = 0
      for k, v in pairs(map) do n = n + v end
      for k, v in pairs(list) do n = n + k end
      local a, b, c = unpack(list)
      return out .. n .. a .. b .. c .. rawget(map, "y") .. next(list)
    end)") == "table3b1nilabc1a2b3c9abc21");
}

TEST_CASE("a frozen table cannot be written by any way") {
  Box box;
  for (const char* write :
       {"t.x = 2", "t.new = 1", "t[1] = 5", "rawset(t, 'x', 2)", "table.insert(t, 1)",
        "table.remove(t)", "table.sort(t)", "setmetatable(t, {})", "t.inner.y = 2",
        "for k, v in pairs(t) do if k == 'inner' then v.y = 3 end end",
        "getmetatable(t).__index.x = 3", "next(t, nil) ; t[next(t)] = 1",
        "local _, hidden = pairs(t) hidden.x = 9", "local _, hidden = ipairs(t) hidden.x = 9"}) {
    INFO(write);
    const std::string module = std::string("local t = { 7, x = 1, inner = { y = 1 } } ") +
                               "return function() local ok = pcall(function() " + write +
                               " end) return tostring(ok) .. t.x .. t.inner.y .. t[1] .. #t end";
    CHECK(call_frozen(box, module) == "false1171");
  }
}

TEST_CASE("everything that hooks can reach is frozen") {
  Box box;
  // Through upvalues of upvalues, fields of fields, and closures made while loading.
  CHECK(call_frozen(box, R"(
    local deep = { list = {} }
    local function make() local hidden = { n = 0 } return function() hidden.n = hidden.n + 1 end end
    local count = make()
    local function helper() deep.list[1] = 1 end
    return { run = function()
      local a = pcall(helper)
      local b = pcall(count)
      return tostring(a) .. tostring(b)
    end })") == "falsefalse");
  // One table stays one table.
  CHECK(call_frozen(box,
                    "local a = {} local b = { a, a } "
                    "return function() return tostring(b[1] == a and b[2] == a) end") == "true");
  // Cycles end.
  CHECK(
      call_frozen(box, "local a = {} a.a = a return function() return tostring(a.a.a == a) end") ==
      "true");
}

TEST_CASE("tables made in a call are free, also with frozen metatables") {
  Box box;
  CHECK(call_frozen(box, R"(
    local Point = {}
    Point.__index = Point
    function Point.new(x) return setmetatable({ x = x }, Point) end
    function Point:double() return self.x * 2 end
    Point.__add = function(a, b) return Point.new(a.x + b.x) end
    return function()
      local p = Point.new(4)
      p.x = p.x + 1
      local q = p + Point.new(1)
      local same = getmetatable(p) == Point
      local guarded = pcall(function() getmetatable(p).double = nil end)
      return p:double() .. q.x .. tostring(same) .. tostring(guarded)
    end)") == "106truefalse");
}

TEST_CASE("operators of a frozen table's metatable go on working") {
  Box box;
  CHECK(call_frozen(box, R"(
    local v = setmetatable({ n = 2 }, {
      __call = function(self, k) return self.n * k end,
      __concat = function(a, b) return "joined" end,
      __index = function(self, k) return "made " .. k end,
    })
    return function() return v(21) .. (v .. "x") .. v.other end)") == "42joinedmade other");
}

TEST_CASE("what cannot be frozen is refused") {
  Box box;
  CHECK(call_frozen(box, "local k = {} local t = { [k] = 1 } return function() return t end")
            .find("a table as a key") != std::string::npos);
  CHECK(call_frozen(box, "local t = { [function() end] = 1 } return function() return t end")
            .find("a function as a key") != std::string::npos);
  CHECK(call_frozen(box, "local it = ('a b'):gmatch('%a') return function() return it() end")
            .find("iterator") != std::string::npos);
  CHECK(call_frozen(box, "local it, t, n = pairs({ 1 }) return function() return type(it) end") ==
        "function");
}

TEST_CASE("freezing a deep chain of tables takes no C stack") {
  Box box;
  CHECK(call_frozen(box,
                    "local t = {} for i = 1, 5000 do t = { t } end "
                    "return function() local n, u = 0, t while u[1] do u = u[1] n = n + 1 end "
                    "return n end") == "5000");
}

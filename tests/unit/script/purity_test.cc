#include "script/purity.h"

#include "box.h"
#include "script/freeze.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// The lines that assign to something that outlives a call, as "3 7".
std::string lines(const std::string& module) {
  Box box;
  std::string found;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    load_text(L, module, "module.lua");
    push_environment(L);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    freeze(L, -1);
    for (const Assignment& assignment : lasting_assignments(L, -1)) {
      CHECK(assignment.file == "module.lua");
      found += (found.empty() ? "" : " ") + std::to_string(assignment.line);
    }
  });
  REQUIRE(outcome.done());
  return found;
}

}  // namespace

TEST_CASE("an assignment to a local of the file is found, with its line") {
  CHECK(lines("local n = 0\nreturn { run = function()\n  n = n + 1\nend }") == "3");
  CHECK(lines("local n\nreturn { run = function() n = 'text' end }") == "2");
  CHECK(lines("local n\nreturn { run = function() n = nil end }") == "2");
  CHECK(lines("local n\nreturn { run = function() n = true end }") == "2");
  CHECK(lines("local n\nreturn { run = function() n = 7 end }") == "2");
  CHECK(lines("local n\nreturn { run = function() n = {} end }") == "2");
  CHECK(lines("local a, b\nreturn { run = function()\n a, b = 1, 2 end }").size() == 3);
}

TEST_CASE("however it is reached") {
  CHECK(lines("local n = 0\nlocal function bump() n = n + 1 end\n"
              "return { run = function() bump() end }") == "2");
  CHECK(lines("local n = 0\nreturn { run = function()\n  local inner = function() n = 1 end\n"
              "  return inner\nend }") == "3");
  CHECK(lines("local function make()\n  local n = 0\n  return function() n = n + 1 end\nend\n"
              "local count = make()\nreturn { run = function() return count() end }") == "3");
  CHECK(lines("local n = 0\nlocal t = setmetatable({}, { __index = function() n = n + 1 end })\n"
              "return { run = function() return t.x end }") == "2");
  CHECK(lines("local n = 0\nlocal t = { { deep = function() n = 1 end } }\n"
              "return { run = function() return t end }") == "2");
}

TEST_CASE("honest code is not") {
  CHECK(lines("local limit = 3\nreturn { run = function(c)\n  local n = 0\n"
              "  local function add() n = n + 1 end\n  add() add()\n  return n > limit\nend }") ==
        "");
  CHECK(
      lines(
          "local function fold(list, f)\n local acc = 0\n for _, v in ipairs(list) do\n"
          "  acc = f(acc, v)\n end\n return acc\nend\n"
          "return { run = function() return fold({ 1 }, function(a, b) return a + b end) end }") ==
      "");
  CHECK(lines("local total = 0\nfor i = 1, 10 do total = total + i end\n"
              "return { run = function() return total end }") == "");
  CHECK(lines("local even, odd\nfunction even(n) return n == 0 or odd(n - 1) end\n"
              "function odd(n) return n ~= 0 and even(n - 1) end\n"
              "return { run = function() return even(4) end }") == "");
  // A maker that is only used while loading leaves nothing behind.
  CHECK(lines("local n = 0\nlocal function fill() n = n + 1 return n end\nlocal a = fill()\n"
              "return { run = function() return a end }") == "");
  CHECK(lines("return { run = function()\n local function make() local n = 0\n"
              "  return function() n = n + 1 return n end end\n return make()()\nend }") == "");
}

TEST_CASE("constants of every kind are skipped over") {
  CHECK(lines("local n\nreturn { run = function()\n"
              "  local t = { 1, 2.5, 'x', true, false, nil, -7, 1e300, { a = 1, b = 'c' } }\n"
              "  local u = { x = 1.5, y = { z = 'long text of more than a few bytes' } }\n"
              "  local v = 123456789012 + 0.1\n  local f = function() return t, u, v end\n"
              "  n = 5\n  return f\nend }") == "7");
}

TEST_CASE("lines beyond a byte's worth are right") {
  // A function has at most 200 locals, so each has a block of its own.
  std::string blocks = "local n\nreturn { run = function()\n";
  for (int i = 0; i < 400; ++i) blocks += "  do local _ = " + std::to_string(i) + " end\n";
  CHECK(lines(blocks + "  n = 1\nend }") == "403");
}

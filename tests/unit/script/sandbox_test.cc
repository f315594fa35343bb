#include "script/sandbox.h"

#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

TEST_CASE("the sandbox has these names and no others") {
  Box box;
  const std::string list = box.result(R"(
    local names = {}
    local function walk(prefix, t)
      for name, value in pairs(t) do
        if name ~= "_G" then
          if type(value) == "table" then walk(prefix .. name .. ".", value)
          else names[#names + 1] = prefix .. name end
        end
      end
    end
    walk("", _G)
    table.sort(names)
    return #names .. ":" .. table.concat(names, " ", 1, 10)
  )");
  CHECK(list ==
        "74:assert bit.arshift bit.band bit.bnot bit.bor bit.bswap bit.bxor bit.lshift bit.rol "
        "bit.ror");
  for (const char* name :
       {"io",     "os",         "debug",    "ffi",    "jit",    "package",  "require",
        "load",   "loadstring", "loadfile", "dofile", "module", "newproxy", "collectgarbage",
        "gcinfo", "getfenv",    "setfenv",  "print",  "xpcall", "coroutine"}) {
    INFO(name);
    CHECK(box.result(std::string("return ") + name) == "nil");
    CHECK(box.result(std::string("return _G['") + name + "']") == "nil");
  }
  for (const char* name : {"string.dump", "table.foreach", "table.move", "math.random",
                           "math.randomseed", "string.gfind"})
    CHECK(box.result(std::string("return ") + name) == "nil");
}

TEST_CASE("globals and libraries are read-only") {
  Box box;
  CHECK(box.error("x = 1").find("cannot set the global 'x'") != std::string::npos);
  CHECK(box.error("_G.print = 1").find("cannot write 'print'") != std::string::npos);
  CHECK(box.error("string.rep = nil").find("read-only") != std::string::npos);
  CHECK(box.error("rawset(_G, 'x', 1)").find("table expected") != std::string::npos);
  CHECK(box.error("rawset(string, 'x', 1)").find("table expected") != std::string::npos);
  CHECK(box.error("setmetatable(_G, {})").find("table expected") != std::string::npos);
  CHECK(box.error("table.insert(_G, 1)").find("read-only") != std::string::npos);
  CHECK(box.error("table.sort(_G)").find("read-only") != std::string::npos);
  CHECK(box.error("getmetatable('').__index = {}") != "");
  CHECK(box.result("return getmetatable('')") == "nil");
  CHECK(box.result("return getmetatable(_G)") == "nil");
  CHECK(box.error("setmetatable('x', {})") != "");
  CHECK(box.result("local f = function() return rawset(1, 2, 3) end return pcall(f)") == "false");
  CHECK(box.result("return ('x'):rep(3)") == "xxx");
}

TEST_CASE("nothing shows an address") {
  Box box;
  CHECK(box.result("return tostring({}) .. tostring(print) .. tostring(pairs) .. tostring(_G)") ==
        "tablenilfunctiontable");
  CHECK(box.result("return string.format('%s %s %s', {}, pairs, nil)") == "table function nil");
  CHECK(box.error("return string.format('%p', {})").find("'%p'") != std::string::npos);
  CHECK(box.error("return string.format('%-10.3p', {})").find("'%p'") != std::string::npos);
  CHECK(box.result("return string.format('%%p %d', 3)") == "%p 3");
  CHECK(box.result(
            "return tostring(setmetatable({}, { __tostring = function() return 'no' end }))") ==
        "table");
  CHECK(box.error("error(setmetatable({}, { __tostring = function() return 'no' end }))") ==
        "the script raised a table instead of a message");
  CHECK(box.error("local t = {} ; return t < t").find("0x") == std::string::npos);
}

TEST_CASE("library functions do what Lua's do") {
  Box box;
  CHECK(box.result("local t = {1, 2, 4} table.insert(t, 3, 3) return table.concat(t, ',')") ==
        "1,2,3,4");
  CHECK(box.result("local t = {1, 2, 3} return table.remove(t) .. table.remove(t, 1) .. #t") ==
        "311");
  CHECK(box.result("return table.remove({})") == "nil");
  CHECK(box.result("local t = {3, 1, 2} table.sort(t) return table.concat(t)") == "123");
  CHECK(box.result("local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) "
                   "return table.concat(t)") == "321");
  CHECK(box.result("return table.maxn({ 1, 2, [10] = 3 })") == "10");
  CHECK(box.result("return select('#', unpack({1, 2, 3}, 2)) .. ''") == "2");
  CHECK(box.result("return select('#', unpack({}, 1, 7000)) .. ''") == "7000");
  CHECK(box.error("unpack({}, 1, 7001)").find("too many results") != std::string::npos);
  CHECK(box.error("unpack({}, 1, 1e300)").find("too many results") != std::string::npos);
  CHECK(box.result("return next({})") == "nil");
  CHECK(box.result("return ('abc'):upper() .. ('ABC'):lower() .. ('abc'):reverse()") ==
        "ABCabccba");
  CHECK(box.result("return string.char(72, 105)") == "Hi");
  CHECK(box.error("string.char('72')").find("number expected") != std::string::npos);
  CHECK(box.result("return math.max(1, 5, 3) .. math.min(4, 2)") == "52");
  CHECK(box.error("math.max('1')").find("number expected") != std::string::npos);
  CHECK(box.result("return bit.bor(1, 2, 4)") == "7");
  CHECK(box.result("return ('ab'):rep(3, '-')") == "ab-ab-ab");
  CHECK(box.result("return ('ab'):rep(0) .. ('ab'):rep(-1) .. (''):rep(1e9)").empty());
  CHECK(box.error("return ('ab'):rep(1e300)").find("too large") != std::string::npos);
  CHECK(box.result("return tonumber('0x10') .. tonumber('11', 2) .. type(tonumber('x'))") ==
        "163nil");
  CHECK(box.result("local n = 0 for _, v in ipairs({ 1, 2, nil, 4 }) do n = n + v end return n") ==
        "3");
  CHECK(box.result("return tostring(rawequal('a', 'a')) .. rawget({ x = 'y' }, 'x')") == "truey");
  CHECK(box.result("local t = setmetatable({}, { __index = { x = 1 } }) return t.x") == "1");
  CHECK(box.result("local m = { __metatable = 'locked' } local t = setmetatable({}, m) "
                   "return getmetatable(t) .. tostring(pcall(setmetatable, t, nil))") ==
        "lockedfalse");
}

TEST_CASE("pcall catches errors, and not the end of the budget") {
  Box box;
  CHECK(box.result("local ok, what = pcall(error, 'x', 0) return tostring(ok) .. what") ==
        "falsex");
  CHECK(box.result("return (select(2, pcall(function(a, b) return a + b end, 1, 2)))") == "3");
  const auto ran = box.run("while true do pcall(function() while true do end end) end");
  CHECK(ran.outcome.ending == Ending::out_of_time);
}

TEST_CASE("library functions nest as deep as the bound and no deeper") {
  Box box;
  const std::string nest =
      "local function f(n) if n == 0 then return 'x' end"
      " return (string.gsub('a', 'a', function() return f(n - 1) end)) end return f(";
  CHECK(box.result(nest + std::to_string(limits::script_nesting_max) + ")") == "x");
  CHECK(box.error(nest + std::to_string(limits::script_nesting_max + 1) + ")")
            .find("nested too deep") != std::string::npos);
  const std::string catching =
      "local function f(n) if n == 0 then return 'x' end"
      " local ok, r = pcall(f, n - 1) if not ok then error(r, 0) end return r end return f(";
  CHECK(box.result(catching + std::to_string(limits::script_pcall_nesting_max) + ")") == "x");
  CHECK(box.error(catching + std::to_string(limits::script_pcall_nesting_max + 1) + ")")
            .find("nested too deep") != std::string::npos);
  CHECK(box.usable());
}

TEST_CASE("errors inside callbacks leave nothing behind") {
  Box box;
  CHECK(box.result("for i = 1, 100 do pcall(string.gsub, 'abc', '.', function() error('x') end) "
                   "end return (string.gsub('abc', '.', '%0%0'))") == "aabbcc");
  CHECK(box.result("for i = 1, 100 do pcall(table.sort, { 3, 2, 1 }, function() error('x') end) "
                   "end local t = { 3, 2, 1 } table.sort(t) return t[1]") == "1");
  CHECK(box.state().budget().nesting == 0);
  CHECK(box.state().budget().scratch.empty());
}

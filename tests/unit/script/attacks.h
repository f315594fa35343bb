// Scripts that try to keep the thread, break the state or get out. None is expected to come to
// more than an error; what matters is that each ends in time and leaves a usable state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mg::script::test {

struct Attack {
  std::string_view name;
  std::string_view text;
};

inline const std::vector<Attack>& attacks() {
  static const std::vector<Attack> kAttacks = {
      {"empty loop", "while true do end"},
      {"counting loop", "local x = 0 for i = 1, 1e18 do x = x + i end"},
      {"goto", "::top:: goto top"},
      {"tail call", "local function f() return f() end f()"},
      {"deep recursion", "local function f() return 1 + f() end f()"},
      {"recursion through pcall", "local function f() pcall(f) end f()"},
      {"forking pcall", "local function f() pcall(f) pcall(f) pcall(f) end f()"},
      {"pcall swallows", "while true do pcall(function() while true do end end) end"},
      {"nested pcall swallows",
       "local function f(n) if n == 0 then while true do end end while true do pcall(f, n - 1) end "
       "end f(20)"},
      {"error in an error",
       "while true do pcall(error, setmetatable({}, { __tostring = error })) end"},
      {"repetition to memory", "local s = 'x' while true do s = s:rep(2) end"},
      {"huge repetition", "return ('x'):rep(2 ^ 53)"},
      {"repetition in a loop", "while true do local s = ('x'):rep(200000) end"},
      {"joining doubles", "local s = 'x' while true do s = s .. s end"},
      {"joining large texts",
       "local a = ('x'):rep(240000) local i = 0 while true do i = i + 1 local "
       "b = a .. i end"},
      {"joining, unrolled",
       "local a = ('x'):rep(120000) while true do local b = a .. 1 b = a .. 2 b "
       "= a .. 3 b = a .. 4 b = a .. 5 b = a .. 6 b = a .. 7 b = a .. 8 end"},
      {"tables without end", "local t = {} for i = 1, 1e9 do t[i] = {} end"},
      {"tables inside pcall",
       "while true do pcall(function() local t = {} for i = 1, 1e9 do t[i] = "
       "{ i } end end) end"},
      {"far index", "local t = {} t[2 ^ 31] = 1 for i = 1, 1e9 do t[i] = i end"},
      {"colliding keys", "local t = {} for i = 1, 1e9 do t[i * 2 ^ 40] = i end"},
      {"emptied table walked",
       "local t = {} for i = 1, 7000 do t['k' .. i] = 1 end for i = 1, 7000 do t['k' .. i] = nil "
       "end "
       "while true do next(t) next(t) next(t) next(t) end"},
      {"interned texts", "local t = {} for i = 1, 1e9 do t[i % 7000] = 'k' .. i end"},
      {"weak tables",
       "while true do local t = setmetatable({}, { __mode = 'k' }) for i = 1, 500 do t[{}] = i end "
       "end"},
      {"optional items", "return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')"},
      {"shortest items", "return (('a'):rep(50000)):match('.-.-.-.-b')"},
      {"longest items", "return (('a'):rep(5000)):match('.*.*.*b')"},
      {"replacing everything", "while true do (('a'):rep(100000)):gsub('.', 'bb') end"},
      {"iterating nothing", "for w in (('a'):rep(100000)):gmatch('a*a*b') do end"},
      {"unbalanced", "while true do (('('):rep(200000)):find('%b()') end"},
      {"references back", "return (('a'):rep(100000)):find('(.+)%1%1b')"},
      {"empty pattern", "while true do (('a'):rep(20000)):gsub('', 'bbbbb') end"},
      {"long replacement",
       "while true do pcall(string.gsub, ('a'):rep(1000), '.*', ('%0'):rep(2000)) "
       "end"},
      {"gsub in gsub", "local function f() return (string.gsub('a', 'a', f)) end f()"},
      {"sort in sort",
       "local function f(a, b) table.sort({ 1, 2, 3, 4 }, f) return false end table.sort({ 1, 2, 3 "
       "}, f)"},
      {"callback loops", "string.gsub('abc', '.', function() while true do end end)"},
      {"comparison loops",
       "local m = { __lt = function() while true do end end } table.sort({ setmetatable({}, m), "
       "setmetatable({}, m) })"},
      {"wrong order",
       "local t = {} for i = 1, 8000 do t[i] = i end table.sort(t, function() return "
       "true end)"},
      {"sorting one long text",
       "local s = ('x'):rep(200000) local t = {} for i = 1, 5000 do t[i] = s end table.sort(t)"},
      {"sorting without end",
       "local t = {} for i = 1, 8000 do t[i] = (i * 7919) % 8009 end while true do table.sort(t) "
       "t[1] "
       "= 9000 end"},
      {"comparing long texts",
       "local a, b = ('x'):rep(200000) .. 'a', ('x'):rep(200000) .. 'b' while true do local c = a "
       "< "
       "b end"},
      {"insert far away", "while true do pcall(table.insert, {}, -2 ^ 31, 1) end"},
      {"remove far away", "while true do pcall(table.remove, { 1, 2 }, -2 ^ 31) end"},
      {"insert in front", "local t = {} while true do table.insert(t, 1, 1) end"},
      {"concat with a long separator",
       "local t = {} for i = 1, 1000 do t[i] = 'x' end while true do pcall(table.concat, t, "
       "('y'):rep(200000)) end"},
      {"concat far range", "return table.concat({}, '', 1, 1e9)"},
      {"format wide", "while true do pcall(string.format, ('%99.99f'):rep(100), 1e308) end"},
      {"format long", "local a = ('x'):rep(120000) while true do local s = ('%s'):format(a) end"},
      {"unpack far", "while true do pcall(unpack, {}, 1, 1e8) end"},
      {"byte far", "while true do pcall(string.byte, ('x'):rep(200000), 1, -1) end"},
      {"many arguments",
       "local t = {} for i = 1, 6000 do t[i] = i end local function f(...) return "
       "select('#', ...) end while true do f(unpack(t)) end"},
      {"growing arguments", "local function f(...) return f(1, ...) end f()"},
      {"growing arguments, no tail", "local function f(...) f(1, ...) return 1 end f()"},
      {"digits as numbers",
       "local s = ('1'):rep(250000) while true do local x = s + 1 x = s * 2 end"},
      {"digits as bounds", "local s = ('1'):rep(250000) while true do for i = s, 1 do end end"},
      {"digits as many numbers",
       "local s = ('1'):rep(250000) local a = {} for i = 1, 6000 do a[i] = s end while true do "
       "pcall(math.max, unpack(a)) pcall(bit.bor, unpack(a)) pcall(string.char, unpack(a)) end"},
      {"digits as one number",
       "local s = ('1'):rep(250000) while true do tonumber(s) tonumber(s, 2) "
       "math.floor(s) string.sub(s, s, s) end"},
      {"index chain", "local t = {} setmetatable(t, { __index = t }) return t.x"},
      {"index recursion",
       "local t t = setmetatable({}, { __index = function(_, k) return t[k .. 'x'] "
       "end }) return t.x"},
      {"concat recursion",
       "local t t = setmetatable({}, { __concat = function(a, b) return a .. b end "
       "}) return t .. t"},
      {"equality recursion",
       "local m = {} m.__eq = function(a, b) return a == b end return setmetatable({}, m) == "
       "setmetatable({}, m)"},
      {"call chain", "local t = setmetatable({}, {}) getmetatable(t).__call = t return t()"},
      {"newindex chain", "local t = {} setmetatable(t, { __newindex = t }) t.x = 1"},
      {"pcall in index",
       "local t t = setmetatable({}, { __index = function(_, k) while true do pcall(function() "
       "return "
       "t[k] end) end end }) return t.x"},
      {"raising long texts", "while true do pcall(error, ('x'):rep(200000)) end"},
      {"raising tables", "local t = {} t.t = t error(t)"},
      {"returning depth", "local t = {} for i = 1, 1e5 do t = { t } end return t"},
      {"tostring trap",
       "return tostring(setmetatable({}, { __tostring = function() while true do end "
       "end }))"},
      {"format trap",
       "return ('%s'):format(setmetatable({}, { __tostring = function() while true do "
       "end end }))"},
      {"finalizer",
       "setmetatable({}, { __gc = function() while true do end end }) for i = 1, 1e5 do "
       "local t = {} end"},
      {"closures without end",
       "local f = function() end while true do local g = f f = function() "
       "return g end end"},
      {"error in a comparison",
       "for i = 1, 1e9 do pcall(table.sort, { 3, 2, 1 }, function() error('x')"
       " end) end"},
  };
  return kAttacks;
}

}  // namespace mg::script::test

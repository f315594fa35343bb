#include "script/pattern.h"

#include <cstdlib>

#include "base/rng.h"
#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// A profile in which the comparison with the stock matcher is never cut short.
constexpr Profile kRoomyProfile{"roomy", 64 * limits::MiB, 16 * limits::MiB, 1'000'000'000,
                                1'000'000'000'000};

// The same four searches, written once for both states.
constexpr const char* kSearches = R"(
  local s, p, r = ...
  local out = {}
  local function note(...)
    out[#out + 1] = select("#", ...)
    for i = 1, select("#", ...) do out[#out + 1] = tostring((select(i, ...))) end
  end
  local function try(f, ...)
    local results = { pcall(f, ...) }
    if results[1] then note(unpack(results, 2, 40)) else note("error") end
  end
  try(string.find, s, p)
  try(string.find, s, p, 3)
  try(string.find, s, p, -4)
  try(string.match, s, p)
  try(string.gsub, s, p, r)
  try(string.gsub, s, p, "<%0>", 2)
  try(string.gsub, s, p, function(a, b) return b end)
  try(function()
    local found = {}
    for a, b in string.gmatch(s, p) do
      found[#found + 1] = tostring(a) .. "/" .. tostring(b)
      if #found > 20 then break end
    end
    return table.concat(found, " ")
  end)
  return table.concat(out, "|")
)";

std::string random_text(SeededRng& rng, std::string_view alphabet, size_t size_max) {
  std::string text(rng.draw() % (size_max + 1), '\0');
  for (char& c : text) c = alphabet[rng.draw() % alphabet.size()];
  return text;
}

std::string random_pattern(SeededRng& rng) {
  static const std::string_view kItems[] = {
      "a",      "b",     "c",     ".",      "%a",    "%d",    "%s",    "%w",     "%p",     "%x",
      "%l",     "%u",    "%g",    "%c",     "%A",    "%D",    "%S",    "%W",     "%P",     "%G",
      "%%",     "%.",    "[abc]", "[^abc]", "[a-c]", "[%d_]", "[^%s]", "[]]",    "[^]]",   "[a-]",
      "[%a-z]", "[",     "]",     "%",      "(",     ")",     "()",    "(a",     "(.)",    "(%a+)",
      "(.-)",   "%1",    "%2",    "%b()",   "%bxy",  "%bb",   "%b",    "%f[%a]", "%f[%A]", "%f[a]",
      "%f",     "^",     "$",     "-",      "*",     "+",     "?",     "a*",     "b-",     ".-",
      ".*",     "[ab]+", "%s*",   "x",      "1",     " "};
  std::string pattern = rng.draw() % 6 == 0 ? "^" : "";
  for (size_t i = rng.draw() % 7; i-- > 0;) {
    pattern += kItems[rng.draw() % std::size(kItems)];
    if (rng.draw() % 4 == 0) pattern += "*+-?"[rng.draw() % 4];
  }
  if (rng.draw() % 8 == 0) pattern += "$";
  return pattern;
}

std::string replacement(SeededRng& rng) {
  static const std::string_view kParts[] = {"x", "%0", "%1", "%%", "", "yy", "%2", "-"};
  std::string text;
  for (size_t i = rng.draw() % 4; i-- > 0;) text += kParts[rng.draw() % std::size(kParts)];
  return text;
}

// Calls the searches loaded at registry reference `function`.
std::string search(lua_State* L, int function, const std::string& s, const std::string& p,
                   const std::string& r) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  for (const std::string* text : {&s, &p, &r}) lua_pushlstring(L, text->data(), text->size());
  if (lua_pcall(L, 3, 1, 0) != 0) lua_pushstring(L, "raised");
  std::string out = lua_tostring(L, -1);
  lua_settop(L, 0);
  return out;
}

}  // namespace

TEST_CASE("our matcher and LuaJIT's agree on random patterns") {
  const size_t cases = std::getenv("MOONGATE_LONG") ? 2'000'000 : 60'000;
  lua_State* stock = luaL_newstate();
  luaL_openlibs(stock);
  luaJIT_setmode(stock, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  REQUIRE(luaL_loadstring(stock, kSearches) == 0);
  const int stock_function = luaL_ref(stock, LUA_REGISTRYINDEX);

  Box box(kRoomyProfile);
  SeededRng rng(20261121);
  size_t different = 0, errors = 0;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    load_text(L, kSearches, "searches");
    push_environment(L);
    lua_setfenv(L, -2);
    const int function = luaL_ref(L, LUA_REGISTRYINDEX);
    for (size_t i = 0; i < cases && different < 5; ++i) {
      const std::string subject = random_text(rng, "aabbcc xy()1_.-\n%]Z\t", 24);
      const std::string pattern = random_pattern(rng), with = replacement(rng);
      const std::string ours = search(L, function, subject, pattern, with);
      const std::string theirs = search(stock, stock_function, subject, pattern, with);
      if (theirs.find("error") != std::string::npos) ++errors;
      if (ours == theirs) continue;
      ++different;
      WARN("subject '" << subject << "' pattern '" << pattern << "' with '" << with << "'\nours   "
                       << ours << "\ntheirs " << theirs);
    }
  });
  INFO(outcome.what);
  CHECK(outcome.done());
  CHECK(different == 0);
  WARN(cases << " patterns compared, " << errors << " of them malformed for some search");
  lua_close(stock);
}

TEST_CASE("patterns that backtrack for ever are stopped") {
  Box box;
  for (const char* hostile :
       {"string.find(('a'):rep(30000) .. 'b', ('a?'):rep(30) .. ('a'):rep(30) .. 'c')",
        "string.find(('a'):rep(20000), '.-.-.-.-b')", "(('a'):rep(5000)):match('.*.*.*.*b')",
        "(('a'):rep(100000)):gsub('a*b', '')", "string.find(('('):rep(200000), '%b()')",
        "string.find(('a'):rep(100000), '(.+)%1%1%1b')",
        "(('a'):rep(40)):find(('a-'):rep(20) .. 'b')"}) {
    INFO(hostile);
    CHECK(box.run(std::string("return ") + hostile).outcome.ending == Ending::out_of_time);
    CHECK(box.usable());
  }
}

TEST_CASE("a pattern may be as long as the bound and no longer") {
  Box box;
  const auto find = [&](size_t size) {
    return box.run("return string.find('b', ('a?'):rep(" + std::to_string(size / 2) + "))");
  };
  CHECK(find(limits::script_pattern_bytes_max).outcome.done());
  CHECK(find(limits::script_pattern_bytes_max + 2).outcome.what.find("pattern too long") !=
        std::string::npos);
  // Text without special characters is no pattern.
  CHECK(box.result("return string.find(('a'):rep(5000), ('a'):rep(4000))") == "1");
}

TEST_CASE("bounds of captures and depth") {
  Box box;
  CHECK(box.result("return select('#', string.find(('a'):rep(32), ('(a)'):rep(32)))") == "34");
  CHECK(box.error("return string.find(('a'):rep(33), ('(a)'):rep(33))").find("too many captures") !=
        std::string::npos);
  CHECK(box.error("return string.find('x', ('(()'):rep(80))") != "");
}

TEST_CASE("a replacement that ends in % is an error") {
  Box box;
  CHECK(box.error("return ('a'):gsub('a', 'x%')").find("invalid use of '%'") != std::string::npos);
  CHECK(box.error("return ('a'):gsub('a', '%2')").find("invalid capture index") !=
        std::string::npos);
  CHECK(box.error("return ('a'):gsub('a', function() return {} end)")
            .find("invalid replacement value") != std::string::npos);
}

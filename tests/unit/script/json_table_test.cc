#include "script/json_table.h"

#include "box.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// Through Lua and back; an error's text where it failed.
std::string round(const std::string& text) {
  Box box(kProtocolProfile);
  std::string out;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    push_json_library(L);
    push_json(L, text);
    append_json(L, -1, out, 1'000'000);
  });
  return outcome.done() ? out : "error: " + outcome.what;
}

// A script with `json`.
std::string run(const std::string& text) {
  Box box;
  std::string out;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    lua_newtable(L);
    push_json_library(L);
    lua_setfield(L, -2, "json");
    add_globals(L);
    load_text(L, text, "s.lua");
    push_environment(L);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    out = lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1);
  });
  return outcome.done() ? out : "error: " + outcome.what;
}

}  // namespace

TEST_CASE("nothing is lost on the way through Lua") {
  for (const char* same :
       {"[]", "{}", R"({"a":[],"b":{}})", "[null,1,null]", R"({"a":null})", "9007199254740992",
        "9007199254740993", "[9007199254740991,123456789012345678,18446744073709551615]",
        "-9223372036854775808", "[0.1,-0.0,3.141592653589793,1e-07]", "[true,false]",
        R"("text with \" and \\ and \n")", R"({"1":"a","2":"b"})", "[[],[[]],{}]",
        "1234567890123456"})
    CHECK(round(same) == same);
  CHECK(round(R"({"z":1,"a":2})") == R"({"a":2,"z":1})");
  CHECK(round("[1.0,1e3]") == "[1,1000]");
  CHECK(round(R"("\u00e9\ud83d\ude00")") == "\"\xc3\xa9\xf0\x9f\x98\x80\"");
  CHECK(round(R"("\u0000x")") == R"("\u0000x")");
  CHECK(round(R"({"a":1,"a":2})") == R"({"a":2})");
}

TEST_CASE("what is not JSON is refused") {
  for (const char* bad : {"", "[1,]", "{", "[NaN]", "[0x10]", "[01]", "nul", "[1] 2", "'x'",
                          "\"\xff\"", "{\"k\":\"\xff\"}", "18446744073709551616"}) {
    INFO(bad);
    CHECK(round(bad).find("error: ") == 0);
  }
}

TEST_CASE("depth is bounded both ways") {
  // A scalar inside counts as a level of simdjson's own.
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(round(nested(limits::json_depth_max - 1)) == nested(limits::json_depth_max - 1));
  CHECK(round(nested(limits::json_depth_max + 1)).find("error: ") == 0);
  const auto table = [](size_t depth) {
    return "local t = json.array({}) for i = 2, " + std::to_string(depth) +
           " do t = { t } end return json.encode(t)";
  };
  CHECK(run(table(limits::json_depth_max)) == nested(limits::json_depth_max));
  CHECK(run(table(limits::json_depth_max + 1)).find("nested too deep") != std::string::npos);
  CHECK(run("local t = {} t[1] = t return json.encode(t)").find("nested too deep") !=
        std::string::npos);
}

TEST_CASE("size is bounded") {
  CHECK(run("return #json.encode(('x'):rep(200000))") == "200002");
  CHECK(run("local s = ('x'):rep(200000) return json.encode({ s, s })").find("too large") !=
        std::string::npos);
}

TEST_CASE("scripts see null, arrays and large integers as such") {
  CHECK(run("return tostring(json.decode('null') == json.null)") == "true");
  CHECK(run("return tostring(json.decode('{\"a\":null}').a == nil)") == "false");
  CHECK(run("return json.encode({ a = json.null, b = json.array({}), c = {} })") ==
        R"({"a":null,"b":[],"c":{}})");
  CHECK(run("return tostring(json.decode('18446744073709551615'))") == "18446744073709551615");
  CHECK(
      run("return tostring(json.decode('9007199254740993') == json.decode('9007199254740993'))") ==
      "true");
  CHECK(run("return json.encode({ 1, 2.5, 'x', true })") == R"([1,2.5,"x",true])");
  CHECK(run("return json.encode({ 1 / 0 })").find("cannot be JSON") != std::string::npos);
  CHECK(run("return json.encode({ 0 / 0 })").find("cannot be JSON") != std::string::npos);
  CHECK(run("return json.encode({ f = pairs })").find("a function cannot be JSON") !=
        std::string::npos);
  CHECK(run("return json.encode({ [1.5] = 1 })").find("must be text") != std::string::npos);
  CHECK(run("return json.encode({ 1, x = 2 })").find("must be text") != std::string::npos);
  CHECK(run("return json.encode('\\255')") == "\"\xef\xbf\xbd\"");
  CHECK(run("return getmetatable(json.decode('[]')) == false and 'hidden'") == "hidden");
}

TEST_CASE("the JSON test suite is read as it says") {
  CORPUS_OR_SKIP(root);
  size_t accepted = 0, refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(root / "hostile" / "json" / "JSONTestSuite")) {
    const std::string name = entry.path().filename().string();
    const std::string result = round(mg::test::read_file(entry.path()));
    const bool error = result.find("error: ") == 0;
    INFO(name);
    if (name.starts_with("y_")) {
      CHECK_FALSE(error);
      ++accepted;
    } else if (name.starts_with("n_")) {
      CHECK(error);
      ++refused;
    }
  }
  CHECK(accepted > 90);
  CHECK(refused > 180);
}

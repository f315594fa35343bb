#include "script/value.h"

#include "box.h"
#include "script/freeze.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

namespace {

// What the script returned, read as a value; or the error of reading it.
struct Read {
  Value value;
  std::string error;
};

Read read(const std::string& text) {
  Box box(kProtocolProfile);
  Read read;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    load_text(L, text, "value.lua");
    push_environment(L);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    read.value = read_value(L, -1, "it");
  });
  if (!outcome.done()) read.error = outcome.what;
  return read;
}

std::string refused(const std::string& text) {
  const Read r = read(text);
  CHECK(r.error != "");
  return r.error;
}

}  // namespace

TEST_CASE("values read back what a script returned") {
  const Value v =
      read("return { 1, 2.5, 'three', { true }, name = 'n', nested = { deep = { 1 } } }").value;
  REQUIRE(v.table());
  CHECK(v.table()->list.size() == 4);
  CHECK(v.table()->list[0].integer() == 1);
  CHECK_FALSE(v.table()->list[1].integer());
  CHECK(*v.table()->list[1].number() == 2.5);
  CHECK(*v.table()->list[2].text() == "three");
  CHECK(*v.table()->list[3].table()->list[0].boolean());
  CHECK(*v["name"].text() == "n");
  CHECK(v["nested"]["deep"].table()->list[0].integer() == 1);
  CHECK(v["absent"]["deeper"].is_nil());
  CHECK(v["name"]["not a table"].is_nil());
  CHECK(v.table()->fields[0].name == "name");
  CHECK(read("return nil").value.is_nil());
  CHECK(read("return {}").value == Value(Table{}));
}

TEST_CASE("whole numbers are integers up to 2^53") {
  CHECK(read("return 9007199254740992").value.integer() == 9007199254740992);
  CHECK_FALSE(read("return 9007199254740994").value.integer());
  CHECK(read("return -9007199254740992").value.integer() == -9007199254740992);
  CHECK_FALSE(read("return 0.1").value.integer());
}

TEST_CASE("what is no data is refused with its place") {
  CHECK(refused("return { a = { b = { print or function() end } } }")
            .find("it.a.b[1] is a function") != std::string::npos);
  CHECK(refused("return { x = 0 / 0 }").find("it.x is not a finite number") != std::string::npos);
  CHECK(refused("return { x = { 1 / 0 } }").find("it.x[1] is not a finite number") !=
        std::string::npos);
  CHECK(refused("local t = { 1, 2, 3, 4, 5, 6, 7, 8 } t[2] = nil return t") != "");
  CHECK(refused("return { [1] = 1, [3] = 3 }").find("a key that is neither") != std::string::npos);
  CHECK(refused("return { [1.5] = 1 }").find("a key that is neither") != std::string::npos);
  CHECK(refused("return { [true] = 1 }").find("a key that is neither") != std::string::npos);
  CHECK(refused("return { [{}] = 1 }").find("a key that is neither") != std::string::npos);
  CHECK(refused("return { [''] = 1 }").find("empty key") != std::string::npos);
  CHECK(refused("local t = {} t.t = t return t").find("nested too deep") != std::string::npos);
}

TEST_CASE("no code of the script runs while it is read") {
  const Value v = read(
                      "return setmetatable({ x = 1 }, { __index = function() error('ran') end, "
                      "__len = function() return 1e9 end })")
                      .value;
  CHECK(v["x"].integer() == 1);
  CHECK(v.table()->fields.size() == 1);
}

TEST_CASE("values are as deep and as large as the bounds and no more") {
  const auto nested = [](size_t depth) {
    return "local t = 1 for i = 1, " + std::to_string(depth) + " do t = { t } end return t";
  };
  CHECK(read(nested(limits::script_value_depth_max)).error.empty());
  CHECK(refused(nested(limits::script_value_depth_max + 1)).find("nested too deep") !=
        std::string::npos);
  // The table itself counts as one.
  const auto large = [](size_t items) {
    return "local t = {} for i = 1, " + std::to_string(items) + " do t[i] = 1 end return t";
  };
  CHECK(read(large(limits::script_value_nodes_max - 1)).error.empty());
  CHECK(refused(large(limits::script_value_nodes_max)).find("too large") != std::string::npos);
}

TEST_CASE("a value pushed is the value read") {
  Box box;
  Table inner;
  inner.list = {Value(1), Value("two"), Value(false)};
  Table outer;
  outer.set("inner", inner);
  outer.set("a", 2.5);
  outer.set("a", 3.5);
  const Value value(outer);
  Value back, frozen;
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    push_value(L, value);
    back = read_value(L, -1, "it");
    freeze(L, -1);
    frozen = read_value(L, -1, "it");
  });
  CHECK(outcome.done());
  CHECK(back == value);
  CHECK(frozen == value);
  CHECK(*back["a"].number() == 3.5);
}

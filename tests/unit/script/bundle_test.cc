#include "script/bundle.h"

#include "box.h"
#include "script/hooks.h"

using namespace mg;
using namespace mg::script;

namespace {

// A host with two phases and one function of its own, that looks at no facts.
class TestLibrary final : public Library {
 public:
  void push_globals(lua_State* L) override {
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, [](lua_State* state) {
      lua_pushliteral(state, "from the host");
      return 1;
    });
    lua_setfield(L, -2, "word");
    lua_setfield(L, -2, "host");
  }
  void selftest(lua_State* L, int index, std::string_view module) override {
    tested.emplace_back(module);
    lua_getfield(L, index, "selftest");
    if (lua_isfunction(L, -1)) lua_call(L, 0, 0);
  }
  std::vector<std::string> tested;
};

constexpr std::string_view kPhases[] = {"first", "second"};

struct Builder {
  TestLibrary library;
  SourceTree tree;

  BundleRecipe recipe() {
    return {.module_folder = "rules",
            .chain_file = "chain.lua",
            .table_folder = "tables",
            .phases = kPhases,
            .library = library,
            .check_table = nullptr};
  }
  Builder& with(const std::string& path, const std::string& text) {
    tree.scripts.push_back({path, text});
    return *this;
  }
  BuildResult build() { return build_bundle(tree, recipe(), 7); }
  std::string problems() {
    const BuildResult result = build();
    CHECK((result.bundle == nullptr) == !result.problems.empty());
    return result.text();
  }
};

// Calls the hooks of a phase, noting what they return, until one returns "enough".
class NotingCall final : public HookCall {
 public:
  int push_arguments(lua_State* L, const Module&) override {
    lua_pushnumber(L, 5);
    return 1;
  }
  Next take_results(lua_State* L, const Module& module) override {
    seen += module.name + "=" + (lua_isstring(L, -2) ? lua_tostring(L, -2) : "nil") + " ";
    return lua_isstring(L, -1) ? Next::enough : Next::ask_on;
  }
  std::string seen;
};

constexpr const char* kTwice =
    "return { conf = { factor = { 'integer', default = 2 } }, first = function(conf, n) return n * "
    "conf.factor end }";

}  // namespace

TEST_CASE("a bundle is built, opened and called") {
  Builder builder;
  builder.with("rules/twice.lua", kTwice)
      .with("rules/word.lua",
            "return { first = function() return host.word(), 'enough' end, "
            "second = function() end }")
      .with("rules/unused.lua", "return { second = function() end }")
      .with("rules/chain.lua",
            "return { first = { { 'twice' }, { 'twice', conf = { factor = 3 } }, "
            "{ 'word' }, { 'twice' } } }")
      .with("tables/one.lua", "return { a = 1 }")
      .with("other/kept.lua", "return 1");
  builder.tree.data.push_back({"models.json", "{}"});
  const BuildResult result = builder.build();
  INFO(result.text());
  REQUIRE(result.bundle);
  CHECK(result.bundle->generation() == 7);
  CHECK(result.bundle->modules().size() == 4);
  CHECK(result.bundle->steps(0).size() == 4);
  CHECK(result.bundle->steps(1).empty());
  CHECK((*result.bundle->table("one"))["a"].integer() == 1);
  CHECK(result.bundle->table("two") == nullptr);
  CHECK(*result.bundle->data("models.json") == "{}");
  CHECK(result.bundle->data("other") == nullptr);
  CHECK(builder.library.tested == std::vector<std::string>{"twice", "word", "unused"});

  const BundleRecipe recipe = builder.recipe();
  auto hooks = Hooks::open(result.bundle, recipe, kPolicyProfile, nullptr);
  REQUIRE(hooks);
  CHECK((*hooks)->has(0));
  CHECK_FALSE((*hooks)->has(1));
  NotingCall call;
  Run run((*hooks)->state());
  size_t step = 0;
  const Outcome outcome = (*hooks)->call(run, 0, step, call);
  INFO(outcome.what);
  CHECK(outcome.done());
  CHECK(call.seen == "twice=10 twice=15 word=from the host ");
}

TEST_CASE("modules that may each be loaded may be loaded together") {
  Builder builder;
  std::string chain;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    // Three fifths of what one run may take.
    builder.with(std::string("rules/") + name + ".lua",
                 "for i = 1, 600000 do end return { first = function() end }");
    chain += std::string("{ '") + name + "' }, ";
  }
  builder.with("rules/chain.lua", "return { first = { " + chain + "} }");
  const BuildResult result = builder.build();
  INFO(result.text());
  REQUIRE(result.bundle);
  auto hooks = Hooks::open(result.bundle, builder.recipe(), kPolicyProfile, nullptr);
  CHECK(hooks);

  builder.with("rules/f.lua", "for i = 1, 1100000 do end return { first = function() end }");
  CHECK(builder.problems().find("budget") != std::string::npos);
}

TEST_CASE("a hook that fails is named, and the next can be asked") {
  Builder builder;
  builder.with("rules/bad.lua", "return { first = function(conf, n)\n  return n.x.y\nend }")
      .with("rules/twice.lua", kTwice)
      .with("rules/chain.lua", "return { first = { { 'twice' }, { 'bad' }, { 'twice' } } }");
  const BuildResult result = builder.build();
  REQUIRE(result.bundle);
  const BundleRecipe recipe = builder.recipe();
  auto hooks = Hooks::open(result.bundle, recipe, kPolicyProfile, nullptr);
  REQUIRE(hooks);
  NotingCall call;
  Run run((*hooks)->state());
  size_t step = 0;
  const Outcome outcome = (*hooks)->call(run, 0, step, call);
  CHECK(outcome.ending == Ending::error);
  CHECK(outcome.what.find("rules/bad.lua:2: attempt to index") == 0);
  CHECK(step == 1);
  CHECK((*hooks)->module(0, step).name == "bad");
  ++step;
  CHECK((*hooks)->call(run, 0, step, call).done());
  CHECK(call.seen == "twice=10 twice=10 ");
}

TEST_CASE("everything wrong is reported at once, with file and line") {
  Builder builder;
  const std::string text = builder.with("rules/syntax.lua", "return {\n  first = = 1\n}")
                               .with("rules/raises.lua", "\nerror('while loading')")
                               .with("rules/number.lua", "return 5")
                               .with("rules/global.lua", "\n\nleak = 1\nreturn {}")
                               .with("rules/typo.lua", "return { frist = function() end }")
                               .with("rules/fails.lua",
                                     "return { first = function() end, selftest "
                                     "= function()\n assert(false, 'no') end }")
                               .with("tables/bad.lua", "return { f = function() end }")
                               .with("rules/chain.lua",
                                     "return { first = { { 'absent' } }, third = "
                                     "{} }")
                               .problems();
  for (const char* expected :
       {"rules/syntax.lua:2: unexpected symbol", "rules/raises.lua:2: while loading",
        "rules/number.lua: the module must return a table, not a number",
        "rules/global.lua:3: cannot set the global 'leak'",
        "rules/typo.lua: the module's table has an unknown key 'frist'",
        "rules/typo.lua: the module has no hook", "rules/fails.lua:2: no",
        "tables/bad.lua: the table.f is a function",
        "rules/chain.lua: first: there is no module 'absent'",
        "rules/chain.lua: there is no phase 'third'"}) {
    INFO(expected << "\nin\n" << text);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE("modules say what they are, correctly") {
  const auto problem = [](const std::string& module) {
    Builder builder;
    return builder.with("rules/m.lua", module).with("rules/chain.lua", "return {}").problems();
  };
  CHECK(problem("return { name = 'm', first = function() end }") == "");
  CHECK(problem("return { name = 'n', first = function() end }").find("name must be \"m\"") !=
        std::string::npos);
  CHECK(problem("return { first = 1 }").find("first must be a function") != std::string::npos);
  CHECK(problem("return { first = function() end, selftest = 1 }").find("selftest must be") !=
        std::string::npos);
  CHECK(problem("return { first = function() end, [1] = 2 }").find("a key that is no name") !=
        std::string::npos);
  CHECK(problem("return { first = function() end, conf = { x = 1 } }").find("conf declares 'x'") !=
        std::string::npos);
  CHECK(problem("local n = 0\nreturn { first = function()\n n = n + 1 end }") ==
        "rules/m.lua:3: assigns to a local variable of the file: hooks keep nothing between calls");
  CHECK(problem("while true do end").find("budget") != std::string::npos);
}

TEST_CASE("confs are checked where the chain gives them") {
  const auto problem = [](const std::string& chain) {
    Builder builder;
    return builder.with("rules/twice.lua", kTwice).with("rules/chain.lua", chain).problems();
  };
  CHECK(problem("return { first = { { 'twice', conf = { factor = 4 } } } }") == "");
  CHECK(problem("return { first = { { 'twice', conf = { fator = 4 } } } }") ==
        "rules/chain.lua: first: twice: conf has an unknown key 'fator'");
  CHECK(problem("return { first = { { 'twice', config = {} } } }").find("unknown key 'config'") !=
        std::string::npos);
  CHECK(problem("return { first = { 'twice' } }").find("an entry is") != std::string::npos);
  CHECK(problem("return { first = { x = 1 } }").find("must be a list") != std::string::npos);
  CHECK(problem("return { second = { { 'twice' } } }").find("has no function second") !=
        std::string::npos);
  CHECK(problem("return { { 'twice' } }").find("it is no list") != std::string::npos);
  CHECK(problem("return nil").find("must return a table") != std::string::npos);
  Builder without;
  CHECK(without.with("rules/twice.lua", kTwice).problems() ==
        "rules/chain.lua: the file is missing");
}

TEST_CASE("nothing is kept between calls") {
  Builder builder;
  builder
      .with("rules/keeps.lua",
            "local cache = { n = 0 }\nreturn { first = function(conf)\n"
            "  local a = pcall(function() cache.n = cache.n + 1 end)\n"
            "  local b = pcall(function() conf.n = 1 end)\n"
            "  local c = pcall(function() _G.n = 1 end)\n"
            "  local d = pcall(function() n = 1 end)\n"
            "  local e = pcall(function() host.n = 1 end)\n"
            "  local f = pcall(function() string.n = 1 end)\n"
            "  return tostring(a or b or c or d or e or f) .. cache.n\nend }")
      .with("rules/chain.lua", "return { first = { { 'keeps' } } }");
  const BuildResult result = builder.build();
  INFO(result.text());
  REQUIRE(result.bundle);
  const BundleRecipe recipe = builder.recipe();
  auto hooks = Hooks::open(result.bundle, recipe, kPolicyProfile, nullptr);
  REQUIRE(hooks);
  for (int i = 0; i < 3; ++i) {
    NotingCall call;
    Run run((*hooks)->state());
    size_t step = 0;
    CHECK((*hooks)->call(run, 0, step, call).done());
    CHECK(call.seen == "keeps=false0 ");
  }
}

TEST_CASE("sources are as long as the bound and no longer") {
  const std::string head = "return { first = function() end } --";
  const auto problems = [&](size_t size) {
    Builder builder;
    return builder.with("rules/long.lua", head + std::string(size - head.size(), 'x'))
        .with("rules/chain.lua", "return {}")
        .problems();
  };
  CHECK(problems(limits::script_source_bytes_max) == "");
  CHECK(problems(limits::script_source_bytes_max + 1).find("has more than 65536 bytes") !=
        std::string::npos);
}

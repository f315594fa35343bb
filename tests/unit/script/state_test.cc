#include "script/state.h"

#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::Box;

TEST_CASE("a single block may be as large as the bound and no larger") {
  Box box;
  const size_t most = kPolicyProfile.block_bytes_max;
  Budget& budget = box.state().budget();
  void* block = allocate(&budget, nullptr, 0, most);
  REQUIRE(block);
  CHECK(allocate(&budget, block, most, most + 1) == nullptr);
  CHECK(allocate(&budget, nullptr, 0, most + 1) == nullptr);
  block = allocate(&budget, block, most, 16);
  REQUIRE(block);
  CHECK(allocate(&budget, block, 16, 0) == nullptr);
  // A string's header takes a little of its block.
  CHECK(box.result("return #(('x'):rep(" + std::to_string(most - 64) + "))") ==
        std::to_string(most - 64));
  CHECK_FALSE(box.run("return ('x'):rep(" + std::to_string(most + 1) + ")").outcome.done());
}

TEST_CASE("the memory of a state is bounded, exactly") {
  Box box;
  Budget& budget = box.state().budget();
  std::vector<std::pair<void*, size_t>> blocks;
  const size_t chunk = 128 * limits::KiB;
  while (budget.memory_bytes + chunk <= kPolicyProfile.memory_bytes_max)
    blocks.emplace_back(allocate(&budget, nullptr, 0, chunk), chunk);
  const size_t rest = kPolicyProfile.memory_bytes_max - budget.memory_bytes;
  CHECK(allocate(&budget, nullptr, 0, rest + 1) == nullptr);
  blocks.emplace_back(allocate(&budget, nullptr, 0, rest), rest);
  CHECK(blocks.back().first != nullptr);
  CHECK(budget.memory_bytes == kPolicyProfile.memory_bytes_max);
  for (const auto& [block, bytes] : blocks) allocate(&budget, block, bytes, 0);
}

TEST_CASE("running out of memory ends the run and leaves a usable state") {
  Box box;
  const auto ran = box.run("local t = {} for i = 1, 1e9 do t[i] = { i } end");
  CHECK(ran.outcome.ending == Ending::out_of_memory);
  CHECK(box.state().budget().memory_bytes_peak <=
        kPolicyProfile.memory_bytes_max + 256 * limits::KiB);
  CHECK(box.usable());
  CHECK(box.state().memory_bytes() < 512 * limits::KiB);
  CHECK(box.state().strikes() == 1);
  CHECK_FALSE(box.state().worn_out());
  box.run("local t = {} for i = 1, 1e9 do t[i] = { i } end");
  box.run("local t = {} for i = 1, 1e9 do t[i] = { i } end");
  CHECK(box.state().strikes() == limits::script_strikes_max);
  CHECK(box.state().worn_out());
}

TEST_CASE("what earlier scripts threw away is not held against the next one") {
  // The more a state keeps, the less room is left for garbage.
  for (const int kept_texts : {0, 4'000, 8'000, 12'000, 14'000}) {
    Box box;
    INFO(kept_texts << " texts kept");
    const std::string fill = "local kept, long = {}, ('x'):rep(200) for i = 1, " +
                             std::to_string(kept_texts) + " do kept[i] = long .. i end return kept";
    REQUIRE(Run(box.state())
                .call([&](lua_State* L) {
                  load_text(L, fill, "fill.lua");
                  lua_call(L, 0, 1);
                  luaL_ref(L, LUA_REGISTRYINDEX);
                })
                .done());
    for (int i = 0; i < 2000; ++i) {
      const auto ran = box.run("local t = {} for i = 1, 200 do t[i] = { i } end return #t");
      INFO("run " << i << ": " << ran.outcome.what);
      REQUIRE(ran.result == "200");
    }
    CHECK(box.state().strikes() == 0);
  }
}

TEST_CASE("without a watchdog a script is stopped by counting its instructions") {
  Box box;
  const auto ran = box.run("local n = 0\nwhile true do n = n + 1 end");
  CHECK(ran.outcome.ending == Ending::out_of_time);
  CHECK(ran.outcome.what == "script.lua:2: the budget of processor time or steps is spent");
  CHECK(box.state().strikes() == 1);
  CHECK(box.usable());
  // The same script stops at the same place every time.
  const std::string counting = "local n = 0 while true do n = n + 1 pcall(function() end) end";
  CHECK(box.run(counting).outcome.ending == Ending::out_of_time);
}

TEST_CASE("steps may be spent to the last one and no further") {
  Box box;
  const auto spend = [&](uint64_t steps) {
    return Run(box.state()).call([&](lua_State* L) { charge(L, steps); });
  };
  CHECK(spend(kPolicyProfile.steps_max).done());
  CHECK(spend(kPolicyProfile.steps_max + 1).ending == Ending::out_of_time);
  CHECK(spend(1).done());
}

TEST_CASE("all calls of one run share its budget") {
  Box box;
  Run run(box.state());
  CHECK(run.call([](lua_State* L) { charge(L, kPolicyProfile.steps_max); }).done());
  CHECK(run.call([](lua_State* L) { charge(L, 1); }).ending == Ending::out_of_time);
  CHECK(run.call([](lua_State*) {}).ending == Ending::out_of_time);
}

TEST_CASE("whatever a script raises becomes bounded text") {
  Box box;
  CHECK(box.error("error('no')") == "script.lua:1: no");
  CHECK(box.error("error({ code = 1 })") == "the script raised a table instead of a message");
  CHECK(box.error("error(nil)") == "the script raised a nil instead of a message");
  CHECK(box.error("error(('x'):rep(100000))").size() == limits::script_error_bytes_max);
  CHECK(box.error("local t = nil; return t.x").find("script.lua:1: attempt to index local 't'") ==
        0);
}

TEST_CASE("only text is loaded, and what dump made") {
  Box box;
  std::string bytecode;
  REQUIRE(Run(box.state())
              .call([&](lua_State* L) {
                load_text(L, "return 42", "x.lua");
                bytecode = dump(L);
              })
              .done());
  CHECK(bytecode.starts_with("\x1bLJ"));
  CHECK(box.run(bytecode).outcome.ending == Ending::error);
  double number = 0;
  const Outcome loaded = Run(box.state()).call([&](lua_State* L) {
    load_bytecode(L, bytecode, "x.lua");
    lua_call(L, 0, 1);
    number = lua_tonumber(L, -1);
  });
  CHECK(loaded.done());
  CHECK(number == 42);
}

TEST_CASE("C++ objects in the way of a Lua error are destroyed") {
  Box box;
  auto shared = std::make_shared<int>(1);
  const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
    const std::shared_ptr<int> held = shared;
    const std::string text(1000, 'x');
    luaL_error(L, "thrown past %d bytes", static_cast<int>(text.size()));
  });
  CHECK(outcome.what == "thrown past 1000 bytes");
  CHECK(shared.use_count() == 1);
}

TEST_CASE("a state is small") {
  Box box;
  box.state().collect();
  WARN("an empty state holds " << box.state().memory_bytes() << " bytes");
  CHECK(box.state().memory_bytes() < 64 * limits::KiB);
}

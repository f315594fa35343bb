#include "script/watchdog.h"

#include <atomic>
#include <thread>

#include "attacks.h"
#include "base/rng.h"
#include "box.h"

using namespace mg;
using namespace mg::script;
using mg::script::test::attacks;
using mg::script::test::Box;

namespace {

// Tests that only want many kills look often and give little.
constexpr int64_t kQuickLookNs = 50'000;
constexpr Profile kHastyProfile{"hasty", 4 * limits::MiB, 256 * limits::KiB, 20'000, 1'000'000'000};

// A steps budget that never binds, so that only time does.
constexpr Profile kTimedProfile{"timed", 4 * limits::MiB, 256 * limits::KiB, 5'000'000,
                                1'000'000'000'000};

// Only a kill meant for another state stops what has this much time.
constexpr Profile kPatientProfile{"patient", 4 * limits::MiB, 256 * limits::KiB, 60'000'000'000,
                                  1'000'000'000'000};

[[maybe_unused]] int64_t cpu_of(Box& box, const std::string& text, Ending expected) {
  const int64_t begin = thread_cpu_ns();
  const auto ran = box.run(text);
  const int64_t used = thread_cpu_ns() - begin;
  INFO(ran.outcome.what);
  CHECK(ran.outcome.ending == expected);
  return used;
}

}  // namespace

#ifndef MG_UNDER_TSAN

TEST_CASE("a script is stopped after its processor time, never before and not much later") {
  Watchdog watchdog;
  WatchSlot slot(watchdog);
  Box box(kTimedProfile, &slot);
  int64_t least = INT64_MAX, most = 0;
  for (int i = 0; i < 20; ++i) {
    const int64_t used = cpu_of(box, "while true do end", Ending::out_of_time);
    least = std::min(least, used);
    most = std::max(most, used);
  }
  CHECK(least >= kTimedProfile.cpu_ns);
  WARN("budget 5 ms, stopped after " << least / 1000 << " to " << most / 1000 << " us");
  CHECK(box.usable());
}

TEST_CASE("a script that waits for its processor is not charged for the wait") {
  Watchdog watchdog(kQuickLookNs);
  WatchSlot slot(watchdog);
  Box box(kTimedProfile, &slot);
  // More runs than fit in the budget, each well inside it, while another thread wants the same
  // processors.
  std::atomic<bool> done = false;
  std::vector<std::thread> busy;
  for (int i = 0; i < 4; ++i)
    busy.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {
      }
    });
  for (int i = 0; i < 300; ++i)
    CHECK(box.run("local n = 0 for i = 1, 20000 do n = n + i end return n").outcome.done());
  done = true;
  for (std::thread& thread : busy) thread.join();
}

TEST_CASE("every attack ends in time and leaves a usable state") {
  Watchdog watchdog;
  WatchSlot slot(watchdog);
  int64_t worst = 0;
  std::string_view worst_name;
  size_t stopped = 0, out_of_memory = 0, errors = 0, returned = 0;
  for (const auto& attack : attacks()) {
    INFO(attack.name);
    Box box(kPolicyProfile, &slot);
    const int64_t begin = thread_cpu_ns();
    const auto ran = box.run(std::string(attack.text));
    const int64_t used = thread_cpu_ns() - begin;
    if (used > worst) {
      worst = used;
      worst_name = attack.name;
    }
    switch (ran.outcome.ending) {
      case Ending::out_of_time:
        ++stopped;
        break;
      case Ending::out_of_memory:
        ++out_of_memory;
        break;
      case Ending::error:
        ++errors;
        break;
      case Ending::done:
        ++returned;
    }
    CHECK(box.usable());
    // Generous, because the machine that tests is shared and a sanitizer clears up on this thread's
    // time; it is seconds without a bound.
    CHECK(used < 250'000'000);
  }
  WARN(attacks().size() << " attacks: " << stopped << " stopped, " << out_of_memory
                        << " out of memory, " << errors << " errors, " << returned
                        << " returned; the longest took " << worst / 1000 << " us (" << worst_name
                        << ")");
}

TEST_CASE("ten thousand kills at random points leave nothing behind") {
  Watchdog watchdog(kQuickLookNs);
  WatchSlot slot(watchdog);
  SeededRng rng(7);
  const char* kWork = R"LUA(
    local seed = ...
    local t, s = {}, "abcabc"
    while true do
      seed = (seed * 16807) % 2147483647
      local pick = seed % 8
      if pick == 0 then pcall(function() for i = 1, 50 do t[i] = { i } end end)
      elseif pick == 1 then s = string.gsub("xyxy", ".", function(c) return c .. c end)
      elseif pick == 2 then pcall(table.sort, { 5, 3, 1, 4 }, function(a, b) return a < b end)
      elseif pick == 3 then s = (("ab"):rep(seed % 50)):upper():lower()
      elseif pick == 4 then pcall(string.find, s, "(%a+)-(%d*)")
      elseif pick == 5 then local m = setmetatable({}, { __index = function(_, k) return k end }) s = m.x
      elseif pick == 6 then pcall(pcall, error, { s })
      else t = {} s = table.concat({ s, "x", 1 }):sub(1, 20) end
    end)LUA";
  size_t kills = 0;
  for (int state = 0; state < 20; ++state) {
    Box box(kHastyProfile, &slot);
    std::string bytecode;
    REQUIRE(Run(box.state())
                .call([&](lua_State* L) {
                  load_text(L, kWork, "work.lua");
                  bytecode = dump(L);
                })
                .done());
    for (int i = 0; i < 500; ++i) {
      const auto seed = static_cast<lua_Integer>(rng.draw() % 2147483646 + 1);
      const Outcome outcome = Run(box.state()).call([&](lua_State* L) {
        load_bytecode(L, bytecode, "work.lua");
        push_environment(L);
        lua_setfenv(L, -2);
        lua_pushinteger(L, seed);
        lua_call(L, 1, 0);
      });
      if (outcome.ending == Ending::out_of_time) ++kills;
      REQUIRE(box.state().budget().nesting == 0);
      REQUIRE(box.state().budget().scratch.empty());
      REQUIRE(lua_gettop(box.state().lua()) == 0);
    }
    // Closing the state asserts that every byte came back.
  }
  CHECK(kills == 10'000);
}

#endif

TEST_CASE("four threads at once: every kill hits the right state") {
  Watchdog watchdog(kQuickLookNs);
  std::atomic<int> right = 0, wrong = 0;
  // Under ThreadSanitizer a signal arrives when the script next allocates, so all of these do.
  const auto work = [&](int number) {
    WatchSlot slot(watchdog);
    Box box(kHastyProfile, &slot);
    Box patient(kPatientProfile, &slot);
    SeededRng rng(static_cast<uint64_t>(number));
    for (int i = 0; i < 400; ++i) {
      const bool endless = rng.draw() % 2 == 0;
      Box& chosen = endless ? box : patient;
      const auto ran = chosen.run(
          endless ? "local n = 0 while true do n = n + 1 local s = ('x'):rep(10) .. n end"
                  : "local t = {} for i = 1, 50 do t[i] = i .. '' end return #t");
      const bool good = endless ? ran.outcome.ending == Ending::out_of_time
                                : ran.outcome.done() && ran.result == "50";
      ++(good ? right : wrong);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 1600);
  CHECK(wrong == 0);
}

TEST_CASE("the watchdog sleeps when nobody runs, and wakes for the next run") {
  Watchdog watchdog(kQuickLookNs);
  WatchSlot slot(watchdog);
  Box box(kHastyProfile, &slot);
  for (int i = 0; i < 20; ++i) {
    // Long enough for it to fall asleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    CHECK(box.run("while true do local s = 'x' .. tostring(1) end").outcome.ending ==
          Ending::out_of_time);
  }
}

TEST_CASE("without a watchdog every attack ends too") {
  size_t stopped = 0;
  for (const auto& attack : attacks()) {
    INFO(attack.name);
    Box box;
    if (box.run(std::string(attack.text)).outcome.ending == Ending::out_of_time) ++stopped;
    CHECK(box.usable());
  }
  WARN(attacks().size() << " attacks counted by instructions, " << stopped << " stopped");
}

// A sandbox state and what came of running a script in it, for the tests of this folder.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "base/assert.h"
#include "script/lua_value.h"
#include "script/sandbox.h"
#include "script/state.h"
#include "script/watchdog.h"

// ThreadSanitizer delivers a signal only when the thread next calls into the C library, so under
// it no signal stops a script that never allocates.
#if defined(__SANITIZE_THREAD__)
#define MG_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MG_UNDER_TSAN 1
#endif
#endif

namespace mg::script::test {

struct Ran {
  Outcome outcome;
  std::string result;  // what the script returned, as text
};

class Box {
 public:
  explicit Box(const Profile& profile = kPolicyProfile, WatchSlot* slot = nullptr) {
    auto opened = State::open(profile, slot);
    MG_ASSERT(opened);  // on any thread, which Catch2's own words are not for
    state_ = std::move(*opened);
  }

  State& state() { return *state_; }

  // Runs the text in an environment of its own, as a module is.
  Ran run(const std::string& text) {
    Ran ran;
    ran.outcome = Run(*state_).call([&](lua_State* L) {
      load_text(L, text, "script.lua");
      push_environment(L);
      lua_setfenv(L, -2);
      lua_call(L, 0, 1);
      std::string_view view;
      if (text_at(L, -1, view)) {
        ran.result = view.substr(0, 200);
      } else if (lua_type(L, -1) == LUA_TNUMBER) {
        ran.result = lua_tostring(L, -1);
      } else if (lua_type(L, -1) == LUA_TBOOLEAN) {
        ran.result = lua_toboolean(L, -1) ? "true" : "false";
      } else {
        ran.result = luaL_typename(L, -1);
      }
    });
    return ran;
  }

  // The result of a script that must end well.
  std::string result(const std::string& text) {
    const Ran ran = run(text);
    INFO(text);
    INFO(ran.outcome.what);
    CHECK(ran.outcome.done());
    return ran.result;
  }
  // The message of a script that must raise an error.
  std::string error(const std::string& text) {
    const Ran ran = run(text);
    INFO(text);
    CHECK(ran.outcome.ending == Ending::error);
    return ran.outcome.what;
  }

  // That one run of an honest script is stopped may be the machine's doing: a sanitizer clears up
  // for milliseconds on this thread's time. A state that is spoiled stops every one.
  bool usable() {
    Ran ran;
    for (int i = 0; i < 3; ++i) {
      ran = run("local t = {} for i = 1, 100 do t[i] = i .. '' end return #t");
      if (ran.outcome.ending != Ending::out_of_time) break;
    }
    INFO(ran.outcome.what);
    CHECK(ran.outcome.done());
    return ran.result == "100";
  }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mg::script::test

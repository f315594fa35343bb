// Lua's patterns, matched under the budget. The stock matcher can spend minutes inside one call,
// where no hook runs; this one pays for every step and stops when the run does. It accepts and
// finds what LuaJIT's does (tests/unit/script/pattern_test.cc compares them), with two bounds
// more: a pattern has at most script_pattern_bytes_max bytes, and matching nests at most as deep.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <string_view>

namespace mg::script {

// One pattern over one subject; both must stay alive, as must the Lua strings they view. Errors
// (malformed pattern, budget spent) are raised in Lua.
class Matcher {
 public:
  // A leading '^' is not looked at: callers strip it where it anchors.
  Matcher(lua_State* L, std::string_view subject, std::string_view pattern);
  // Pays for the steps not yet paid.
  void finish();

  // The end of the match that begins at `at`, or null. Captures are those of the last match.
  const char* match_at(const char* at);

  // Pushes capture `index` (from 0), a position as a number. Without any capture, 0 is the whole
  // match.
  void push_capture(int index, const char* begin, const char* end);
  // Pushes all captures, or the whole match when there is none and `whole` asks for it.
  enum class Whole : uint8_t { push, leave };
  int push_captures(const char* begin, const char* end, Whole whole);

 private:
  static constexpr int kCapturesMax = 32;
  static constexpr int kDepthMax = 200;
  static constexpr int kFuel = 1024;
  static constexpr ptrdiff_t kOpen = -1;
  static constexpr ptrdiff_t kPosition = -2;

  struct Capture {
    const char* begin;
    ptrdiff_t bytes;  // or kOpen, kPosition
  };

  void step() {
    if (--fuel_ == 0) refuel();
  }
  void refuel();
  const char* match(const char* s, const char* p);
  const char* match_items(const char* s, const char* p);
  const char* open_capture(const char* s, const char* p);
  const char* close_capture(const char* s, const char* p);
  const char* balanced(const char* s, const char* p);
  bool at_frontier(const char* s, const char* p, const char* item_end);
  const char* back_reference(const char* s, char digit);
  const char* longest_first(const char* s, const char* p, const char* item_end, ptrdiff_t least);
  const char* shortest_first(const char* s, const char* p, const char* item_end);
  const char* end_of_item(const char* p);
  bool matches_one(const char* s, const char* p, const char* item_end);
  bool in_set(unsigned char c, const char* p, const char* set_end);

  lua_State* L_;
  const char* subject_;
  const char* subject_end_;
  const char* pattern_;
  const char* pattern_end_;
  int fuel_ = kFuel;
  int depth_ = 0;
  int level_ = 0;
  std::array<Capture, kCapturesMax> captures_;
};

// True when the text has a character that means something in a pattern.
bool has_pattern_characters(std::string_view text);

}  // namespace mg::script

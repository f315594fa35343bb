#include <cstring>
#include <string_view>

#include "script/budget.h"
#include "script/handle.h"
#include "script/library.h"
#include "script/pattern.h"

namespace mg::script {
namespace {

std::string_view check_text(lua_State* L, int index) {
  size_t size;
  const char* text = luaL_checklstring(L, index, &size);
  return {text, size};
}

// Results are assembled in the budget's scratch, never in buffers on the C stack: a callback that
// calls back again would pile those up until the process dies.
void append(lua_State* L, std::string_view text) {
  Budget& budget = budget_of(L);
  if (budget.scratch.size() + text.size() > budget.profile.block_bytes_max)
    luaL_error(L, "resulting string too large");
  budget.scratch.append(text);
}

void push_assembled(lua_State* L, size_t start) {
  const std::string& scratch = budget_of(L).scratch;
  lua_pushlstring(L, scratch.data() + start, scratch.size() - start);
}

// The third argument of find and match as an offset, clamped as Lua 5.1 does.
size_t start_offset(lua_State* L, size_t size) {
  const lua_Integer given = luaL_optinteger(L, 3, 1);
  if (given > 0) return std::min(static_cast<size_t>(given) - 1, size);
  if (given < -static_cast<lua_Integer>(size)) return 0;
  return given == 0 ? 0 : size - static_cast<size_t>(-given);
}

int find_plain(lua_State* L, std::string_view subject, std::string_view wanted, size_t from) {
  charge(L, (subject.size() - from) / 16 + 1);
  const void* found = wanted.empty() ? subject.data() + from
                                     : memmem(subject.data() + from, subject.size() - from,
                                              wanted.data(), wanted.size());
  if (!found) {
    lua_pushnil(L);
    return 1;
  }
  const ptrdiff_t at = static_cast<const char*>(found) - subject.data();
  lua_pushinteger(L, at + 1);
  lua_pushinteger(L, at + static_cast<ptrdiff_t>(wanted.size()));
  return 2;
}

enum class Wanted : uint8_t { positions, captures };

int search(lua_State* L, Wanted wanted) {
  const std::string_view subject = check_text(L, 1);
  std::string_view pattern = check_text(L, 2);
  const size_t from = start_offset(L, subject.size());
  if (wanted == Wanted::positions && (lua_toboolean(L, 4) || !has_pattern_characters(pattern)))
    return find_plain(L, subject, pattern, from);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  Matcher matcher(L, subject, pattern);
  const char* const subject_end = subject.data() + subject.size();
  for (const char* at = subject.data() + from; at <= subject_end; ++at) {
    if (const char* end = matcher.match_at(at)) {
      matcher.finish();
      if (wanted == Wanted::captures) return matcher.push_captures(at, end, Matcher::Whole::push);
      lua_pushinteger(L, at - subject.data() + 1);
      lua_pushinteger(L, end - subject.data());
      return 2 + matcher.push_captures(at, end, Matcher::Whole::leave);
    }
    if (anchored) break;
  }
  matcher.finish();
  lua_pushnil(L);
  return 1;
}

int find(lua_State* L) { return search(L, Wanted::positions); }
int match(lua_State* L) { return search(L, Wanted::captures); }

// Where the next search of a gmatch begins. A userdata, so that freezing a module refuses an
// iterator kept in it: advancing would be memory between calls.
constexpr Kind kMatches{"gmatch iterator"};
struct Matches : Handle {
  size_t at = 0;
};

int next_match(lua_State* L) {
  size_t size, pattern_size;
  const char* subject = lua_tolstring(L, lua_upvalueindex(2), &size);
  const char* pattern = lua_tolstring(L, lua_upvalueindex(3), &pattern_size);
  Matches& matches = *handle_at<Matches>(L, lua_upvalueindex(1), kMatches);
  Matcher matcher(L, {subject, size}, {pattern, pattern_size});
  for (; matches.at <= size; ++matches.at) {
    const char* at = subject + matches.at;
    if (const char* end = matcher.match_at(at)) {
      matcher.finish();
      matches.at = static_cast<size_t>(end - subject) + (end == at ? 1 : 0);
      return matcher.push_captures(at, end, Matcher::Whole::push);
    }
  }
  matcher.finish();
  return 0;
}

int gmatch(lua_State* L) {
  check_text(L, 1);
  check_text(L, 2);
  lua_settop(L, 2);
  push_handle<Matches>(L, kMatches);
  lua_insert(L, 1);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// Appends a replacement text, in which %0 to %9 stand for captures.
void append_replacement(lua_State* L, Matcher& matcher, const char* begin, const char* end) {
  size_t size;
  const char* text = lua_tolstring(L, 3, &size);
  charge(L, size / 16);
  for (size_t i = 0; i < size; ++i) {
    if (text[i] != '%') {
      append(L, {text + i, 1});
    } else if (++i == size) {
      luaL_error(L, "invalid use of '%%' in replacement string");
    } else if (text[i] == '0') {
      append(L, {begin, static_cast<size_t>(end - begin)});
    } else if (text[i] >= '1' && text[i] <= '9') {
      matcher.push_capture(text[i] - '1', begin, end);
      size_t capture_size;
      const char* capture = lua_tolstring(L, -1, &capture_size);
      append(L, {capture, capture_size});
      lua_pop(L, 1);
    } else {
      append(L, {text + i, 1});
    }
  }
}

// The same with a table or function, whose answer may be false or nil to keep the match.
void append_answer(lua_State* L, Matcher& matcher, const char* begin, const char* end) {
  if (lua_type(L, 3) == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    lua_call(L, matcher.push_captures(begin, end, Matcher::Whole::push), 1);
  } else {
    matcher.push_capture(0, begin, end);
    lua_gettable(L, 3);
  }
  if (!lua_toboolean(L, -1)) {
    append(L, {begin, static_cast<size_t>(end - begin)});
  } else if (lua_isstring(L, -1)) {
    size_t size;
    const char* text = lua_tolstring(L, -1, &size);
    append(L, {text, size});
  } else {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

int gsub(lua_State* L) {
  const std::string_view subject = check_text(L, 1);
  std::string_view pattern = check_text(L, 2);
  const int kind = lua_type(L, 3);
  const bool is_text = kind == LUA_TSTRING || kind == LUA_TNUMBER;
  if (!is_text && kind != LUA_TFUNCTION && kind != LUA_TTABLE && kind != LUA_TUSERDATA)
    return luaL_error(L, "bad argument #3 to 'gsub' (string/function/table expected)");
  const lua_Number most = luaL_optnumber(L, 4, static_cast<lua_Number>(subject.size()) + 1);
  lua_settop(L, 3);
  const Nesting nesting(L);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  Matcher matcher(L, subject, pattern);
  const char* at = subject.data();
  const char* const subject_end = at + subject.size();
  lua_Integer count = 0;
  while (static_cast<lua_Number>(count) < most) {
    const char* end = matcher.match_at(at);
    if (end) {
      ++count;
      charge(L, 16);
      if (is_text) {
        append_replacement(L, matcher, at, end);
      } else {
        append_answer(L, matcher, at, end);
      }
    }
    if (end && end > at) {
      at = end;
    } else if (at < subject_end) {
      append(L, {at++, 1});
    } else {
      break;
    }
    if (anchored) break;
  }
  matcher.finish();
  append(L, {at, static_cast<size_t>(subject_end - at)});
  push_assembled(L, nesting.scratch_start());
  lua_pushinteger(L, count);
  return 2;
}

int rep(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const lua_Number times = luaL_checknumber(L, 2);
  size_t separator_size;
  const char* separator = luaL_optlstring(L, 3, "", &separator_size);
  const size_t unit = text.size() + separator_size;
  if (!(times >= 1) || unit == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  const size_t most = budget_of(L).profile.block_bytes_max;
  if (static_cast<lua_Number>(unit) * times > static_cast<lua_Number>(most))
    return luaL_error(L, "resulting string too large");
  const auto count = static_cast<size_t>(times);
  charge(L, unit * count / 16 + 1);
  const Nesting nesting(L);
  std::string& scratch = budget_of(L).scratch;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) scratch.append(separator, separator_size);
    scratch.append(text);
  }
  push_assembled(L, nesting.scratch_start());
  return 1;
}

int call_stock(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

// lower, upper, reverse: work in proportion to the text.
int convert(lua_State* L) {
  charge(L, check_text(L, 1).size() / 16 + 1);
  return call_stock(L);
}

// %p would show an address.
void refuse_pointers(lua_State* L, std::string_view format) {
  for (size_t i = format.find('%'); i != std::string_view::npos; i = format.find('%', i + 1)) {
    do ++i;
    while (i < format.size() && (std::strchr("-+ #0.", format[i]) || std::isdigit(format[i])));
    if (i < format.size() && format[i] == 'p') luaL_error(L, "invalid option '%%p' to 'format'");
  }
}

// Anything but text and numbers goes in as what tostring says, so that no metamethod runs and no
// address shows.
int format(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  refuse_pointers(L, text);
  uint64_t work = text.size();
  const int count = lua_gettop(L);
  for (int i = 2; i <= count; ++i) {
    const int type = lua_type(L, i);
    if (type == LUA_TSTRING) {
      work += lua_objlen(L, i);
    } else if (type != LUA_TNUMBER) {
      lua_pushvalue(L, lua_upvalueindex(2));
      lua_pushvalue(L, i);
      lua_call(L, 1, 1);
      lua_replace(L, i);
    }
  }
  charge(L, work / 16 + static_cast<uint64_t>(count));
  return call_stock(L);
}

// A long text as a number costs its length, and a call takes thousands of arguments.
int from_bytes(lua_State* L) {
  const int count = lua_gettop(L);
  for (int i = 1; i <= count; ++i)
    if (lua_type(L, i) != LUA_TNUMBER)
      return luaL_error(L, "bad argument #%d to 'char' (number expected, got %s)", i,
                        luaL_typename(L, i));
  charge(L, static_cast<uint64_t>(count) / 8 + 1);
  return call_stock(L);
}

}  // namespace

void open_string_functions(lua_State* L) {
  wrap_functions(
      L, {{"lower", convert}, {"upper", convert}, {"reverse", convert}, {"char", from_bytes}});
  set_functions(
      L, {{"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {"rep", rep}});
  lua_getfield(L, -1, "format");
  lua_pushliteral(L, "tostring");
  lua_rawget(L, LUA_GLOBALSINDEX);
  lua_pushcclosure(L, format, 2);
  lua_setfield(L, -2, "format");
}

}  // namespace mg::script

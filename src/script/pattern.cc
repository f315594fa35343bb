#include "script/pattern.h"

#include <cstring>

#include "script/budget.h"

namespace mg::script {
namespace {

bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
bool is_alpha(unsigned char c) { return is_lower(c) || is_upper(c); }
bool is_graph(unsigned char c) { return c > 0x20 && c < 0x7f; }

// The class a letter names, in lower case, or the letter itself. The same for every locale.
bool in_class_of(unsigned char c, unsigned char letter) {
  switch (letter) {
    case 'a':
      return is_alpha(c);
    case 'c':
      return c < 0x20 || c == 0x7f;
    case 'd':
      return is_digit(c);
    case 'g':
      return is_graph(c);
    case 'l':
      return is_lower(c);
    case 'p':
      return is_graph(c) && !is_alpha(c) && !is_digit(c);
    case 's':
      return c == ' ' || (c >= '\t' && c <= '\r');
    case 'u':
      return is_upper(c);
    case 'w':
      return is_alpha(c) || is_digit(c);
    case 'x':
      return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    case 'z':
      return c == 0;
    default:
      return false;
  }
}

bool names_class(unsigned char letter) {
  return letter != 0 && std::strchr("acdglpsuwxz", letter) != nullptr;
}

bool in_class(unsigned char c, unsigned char letter) {
  if (names_class(letter)) return in_class_of(c, letter);
  const auto lower = static_cast<unsigned char>(letter | 0x20);
  if (is_upper(letter) && names_class(lower)) return !in_class_of(c, lower);
  return c == letter;
}

unsigned char byte_at(const char* p) { return static_cast<unsigned char>(*p); }

}  // namespace

Matcher::Matcher(lua_State* L, std::string_view subject, std::string_view pattern)
    : L_(L),
      subject_(subject.data()),
      subject_end_(subject.data() + subject.size()),
      pattern_(pattern.data()),
      pattern_end_(pattern.data() + pattern.size()) {
  if (pattern.size() > limits::script_pattern_bytes_max) luaL_error(L, "pattern too long");
}

void Matcher::refuel() {
  fuel_ = kFuel;
  charge(L_, kFuel);
}

void Matcher::finish() {
  const int used = kFuel - fuel_;
  fuel_ = kFuel;
  charge(L_, static_cast<uint64_t>(used));
}

const char* Matcher::match_at(const char* at) {
  level_ = 0;
  depth_ = 0;
  return match(at, pattern_);
}

const char* Matcher::match(const char* s, const char* p) {
  if (++depth_ > kDepthMax) luaL_error(L_, "pattern too complex");
  const char* end = match_items(s, p);
  --depth_;
  return end;
}

const char* Matcher::match_items(const char* s, const char* p) {
  for (;;) {
    step();
    if (p == pattern_end_) return s;
    if (*p == '(') return open_capture(s, p);
    if (*p == ')') return close_capture(s, p);
    if (*p == '$' && p + 1 == pattern_end_) return s == subject_end_ ? s : nullptr;
    if (*p == '%' && p + 1 < pattern_end_) {
      if (p[1] == 'b') {
        if (!(s = balanced(s, p + 2))) return nullptr;
        p += 4;
        continue;
      }
      if (p[1] == 'f') {
        const char* set = p + 2;
        if (set >= pattern_end_ || *set != '[')
          luaL_error(L_, "missing '[' after '%%f' in pattern");
        p = end_of_item(set);
        if (!at_frontier(s, set, p)) return nullptr;
        continue;
      }
      if (is_digit(byte_at(p + 1))) {
        if (!(s = back_reference(s, p[1]))) return nullptr;
        p += 2;
        continue;
      }
    }
    const char* item_end = end_of_item(p);
    switch (item_end < pattern_end_ ? *item_end : '\0') {
      case '?':
        if (matches_one(s, p, item_end))
          if (const char* end = match(s + 1, item_end + 1)) return end;
        p = item_end + 1;
        continue;
      case '*':
        return longest_first(s, p, item_end, 0);
      case '+':
        return longest_first(s, p, item_end, 1);
      case '-':
        return shortest_first(s, p, item_end);
      default:
        if (!matches_one(s, p, item_end)) return nullptr;
        ++s;
        p = item_end;
    }
  }
}

const char* Matcher::open_capture(const char* s, const char* p) {
  if (level_ >= kCapturesMax) luaL_error(L_, "too many captures");
  const bool position = p + 1 < pattern_end_ && p[1] == ')';
  captures_[static_cast<size_t>(level_)] = {s, position ? kPosition : kOpen};
  ++level_;
  const char* end = match(s, p + (position ? 2 : 1));
  if (!end) --level_;
  return end;
}

const char* Matcher::close_capture(const char* s, const char* p) {
  int level = level_ - 1;
  while (level >= 0 && captures_[static_cast<size_t>(level)].bytes != kOpen) --level;
  if (level < 0) luaL_error(L_, "invalid pattern capture");
  Capture& capture = captures_[static_cast<size_t>(level)];
  capture.bytes = s - capture.begin;
  const char* end = match(s, p + 1);
  if (!end) capture.bytes = kOpen;
  return end;
}

const char* Matcher::balanced(const char* s, const char* p) {
  if (p + 1 >= pattern_end_) luaL_error(L_, "unbalanced pattern");
  if (s >= subject_end_ || *s != p[0]) return nullptr;
  int open = 1;
  while (++s < subject_end_) {
    step();
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      ++open;
    }
  }
  return nullptr;
}

bool Matcher::at_frontier(const char* s, const char* p, const char* item_end) {
  const unsigned char before = s == subject_ ? 0 : byte_at(s - 1);
  const unsigned char here = s == subject_end_ ? 0 : byte_at(s);
  return !in_set(before, p, item_end - 1) && in_set(here, p, item_end - 1);
}

const char* Matcher::back_reference(const char* s, char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= level_ || captures_[static_cast<size_t>(index)].bytes == kOpen)
    luaL_error(L_, "invalid capture index");
  const Capture& capture = captures_[static_cast<size_t>(index)];
  if (capture.bytes == kPosition || subject_end_ - s < capture.bytes) return nullptr;
  const auto bytes = static_cast<size_t>(capture.bytes);
  charge(L_, bytes / 16);
  return std::memcmp(capture.begin, s, bytes) == 0 ? s + bytes : nullptr;
}

const char* Matcher::longest_first(const char* s, const char* p, const char* item_end,
                                   ptrdiff_t least) {
  ptrdiff_t count = 0;
  while (matches_one(s + count, p, item_end)) ++count;
  for (; count >= least; --count)
    if (const char* end = match(s + count, item_end + 1)) return end;
  return nullptr;
}

const char* Matcher::shortest_first(const char* s, const char* p, const char* item_end) {
  for (;; ++s) {
    if (const char* end = match(s, item_end + 1)) return end;
    if (!matches_one(s, p, item_end)) return nullptr;
  }
}

const char* Matcher::end_of_item(const char* p) {
  if (*p == '%') {
    if (p + 1 == pattern_end_) luaL_error(L_, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p != '[') return p + 1;
  ++p;
  if (p < pattern_end_ && *p == '^') ++p;
  do {
    if (p == pattern_end_) luaL_error(L_, "malformed pattern (missing ']')");
    if (*p++ == '%' && p < pattern_end_) ++p;
  } while (p == pattern_end_ || *p != ']');
  return p + 1;
}

bool Matcher::matches_one(const char* s, const char* p, const char* item_end) {
  step();
  if (s >= subject_end_) return false;
  switch (*p) {
    case '.':
      return true;
    case '%':
      return in_class(byte_at(s), byte_at(p + 1));
    case '[':
      return in_set(byte_at(s), p, item_end - 1);
    default:
      return *s == *p;
  }
}

bool Matcher::in_set(unsigned char c, const char* p, const char* set_end) {
  const bool negated = p[1] == '^';
  if (negated) ++p;
  while (++p < set_end) {
    step();
    if (*p == '%') {
      if (in_class(c, byte_at(++p))) return !negated;
    } else if (p[1] == '-' && p + 2 < set_end) {
      if (byte_at(p) <= c && c <= byte_at(p + 2)) return !negated;
      p += 2;
    } else if (byte_at(p) == c) {
      return !negated;
    }
  }
  return negated;
}

void Matcher::push_capture(int index, const char* begin, const char* end) {
  if (index >= level_) {
    if (index != 0) luaL_error(L_, "invalid capture index");
    lua_pushlstring(L_, begin, static_cast<size_t>(end - begin));
    return;
  }
  const Capture& capture = captures_[static_cast<size_t>(index)];
  if (capture.bytes == kOpen) luaL_error(L_, "unfinished capture");
  if (capture.bytes == kPosition) {
    lua_pushinteger(L_, capture.begin - subject_ + 1);
  } else {
    lua_pushlstring(L_, capture.begin, static_cast<size_t>(capture.bytes));
  }
}

int Matcher::push_captures(const char* begin, const char* end, Whole whole) {
  const int count = level_ == 0 && whole == Whole::push ? 1 : level_;
  luaL_checkstack(L_, count, "too many captures");
  for (int i = 0; i < count; ++i) push_capture(i, begin, end);
  return count;
}

bool has_pattern_characters(std::string_view text) {
  return text.find_first_of("^$*+?.([%-") != std::string_view::npos;
}

}  // namespace mg::script

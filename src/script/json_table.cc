#include "script/json_table.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/json.h"
#include "script/budget.h"
#include "script/freeze.h"
#include "script/handle.h"
#include "script/lua_value.h"

namespace mg::script {
namespace {

namespace dom = simdjson::dom;

// An integer that a double would round.
constexpr Kind kInteger{"integer"};
struct Integer : Handle {
  char digits[24];
  size_t size;
};

constexpr int64_t kExactMax = int64_t{1} << 53;

// Addresses that stand for things: null itself, and registry keys of the two metatables.
const char kNull = 0;
const char kArrayKey = 0;
const char kIntegerKey = 0;

// The table on top becomes a registry entry, protected from scripts.
void keep_metatable(lua_State* L, const char* key) {
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushlightuserdata(L, const_cast<char*>(key));
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

template <class T>
void push_integer(lua_State* L, T value) {
  if (std::cmp_less_equal(value, kExactMax) && std::cmp_greater_equal(value, -kExactMax)) {
    lua_pushnumber(L, static_cast<lua_Number>(value));
    return;
  }
  auto& integer = push_handle<Integer>(L, kInteger);
  const auto end = std::to_chars(integer.digits, std::end(integer.digits), value).ptr;
  integer.size = static_cast<size_t>(end - integer.digits);
  push_registry(L, &kIntegerKey);
  lua_setmetatable(L, -2);
}

int integer_text(lua_State* L) {
  const auto* integer = handle_at<Integer>(L, 1, kInteger);
  if (!integer) return luaL_error(L, "an integer expected");
  lua_pushlstring(L, integer->digits, integer->size);
  return 1;
}

int integers_equal(lua_State* L) {
  const auto* a = handle_at<Integer>(L, 1, kInteger);
  const auto* b = handle_at<Integer>(L, 2, kInteger);
  lua_pushboolean(
      L, a && b && std::string_view(a->digits, a->size) == std::string_view(b->digits, b->size));
  return 1;
}

void push_element(lua_State* L, const dom::element& element);

void push_array(lua_State* L, const dom::array& array) {
  lua_createtable(L, static_cast<int>(array.size()), 0);
  push_registry(L, &kArrayKey);
  lua_setmetatable(L, -2);
  int i = 0;
  for (const dom::element item : array) {
    push_element(L, item);
    lua_rawseti(L, -2, ++i);
  }
}

void push_object(lua_State* L, const dom::object& object) {
  lua_createtable(L, 0, static_cast<int>(object.size()));
  for (const dom::key_value_pair field : object) {
    push_text(L, field.key);
    push_element(L, field.value);
    lua_rawset(L, -3);
  }
}

void push_element(lua_State* L, const dom::element& element) {
  luaL_checkstack(L, 6, "JSON");
  charge(L, 2);
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return push_array(L, element.get_array().value_unsafe());
    case dom::element_type::OBJECT:
      return push_object(L, element.get_object().value_unsafe());
    case dom::element_type::STRING:
      return push_text(L, element.get_string().value_unsafe());
    case dom::element_type::DOUBLE:
      return lua_pushnumber(L, element.get_double().value_unsafe());
    case dom::element_type::INT64:
      return push_integer(L, element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return push_integer(L, element.get_uint64().value_unsafe());
    case dom::element_type::BOOL:
      return lua_pushboolean(L, element.get_bool().value_unsafe());
    case dom::element_type::NULL_VALUE:
      return lua_pushlightuserdata(L, const_cast<char*>(&kNull));
  }
}

class Encoder {
 public:
  Encoder(lua_State* L, std::string& out, size_t bytes_max)
      : L_(L), out_(out), bytes_max_(out.size() + bytes_max) {}

  // The value is on top of the stack, and stays.
  void append(size_t depth) {
    luaL_checkstack(L_, 8, "JSON");
    charge(L_, 2);
    if (out_.size() > bytes_max_) luaL_error(L_, "the JSON is too large");
    switch (lua_type(L_, -1)) {
      case LUA_TNIL:
        out_.append("null");
        return;
      case LUA_TBOOLEAN:
        out_.append(lua_toboolean(L_, -1) ? "true" : "false");
        return;
      case LUA_TNUMBER:
        append_number(lua_tonumber(L_, -1));
        return;
      case LUA_TSTRING: {
        std::string_view text;
        text_at(L_, -1, text);
        charge(L_, text.size() / 16);
        if (out_.size() + text.size() > bytes_max_) luaL_error(L_, "the JSON is too large");
        append_json_string(out_, text);
        return;
      }
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L_, -1) != &kNull) break;
        out_.append("null");
        return;
      default:
        break;
    }
    if (const auto* integer = handle_at<Integer>(L_, -1, kInteger)) {
      out_.append(integer->digits, integer->size);
    } else if (depth == limits::json_depth_max) {
      luaL_error(L_, "the table is nested too deep, or in itself");
    } else if (push_table_at(L_, -1)) {
      append_table(depth);
      lua_pop(L_, 1);
    } else {
      luaL_error(L_, "a %s cannot be JSON", luaL_typename(L_, -1));
    }
    if (out_.size() > bytes_max_) luaL_error(L_, "the JSON is too large");
  }

 private:
  void append_number(double number) {
    if (!std::isfinite(number)) luaL_error(L_, "NaN and infinity cannot be JSON");
    if (number == 0 && std::signbit(number)) {
      out_.append("-0.0");
      return;
    }
    char digits[40];
    const bool whole =
        std::floor(number) == number && std::fabs(number) <= static_cast<double>(kExactMax);
    const auto end = whole ? std::to_chars(digits, std::end(digits), static_cast<int64_t>(number))
                           : std::to_chars(digits, std::end(digits), number);
    out_.append(digits, end.ptr);
  }

  void append_table(size_t depth) {
    const size_t size = lua_objlen(L_, -1);
    if (is_marked_array() || (size > 0 && has_only_items(size))) {
      out_.push_back('[');
      for (size_t i = 1; i <= size; ++i) {
        if (i > 1) out_.push_back(',');
        lua_rawgeti(L_, -1, static_cast<int>(i));
        append(depth + 1);
        lua_pop(L_, 1);
      }
      out_.push_back(']');
      return;
    }
    append_object(depth);
  }

  void append_object(size_t depth) {
    std::vector<std::string_view> keys;  // viewing strings that the table keeps alive
    lua_pushnil(L_);
    while (lua_next(L_, -2)) {
      std::string_view key;
      if (!text_at(L_, -2, key)) luaL_error(L_, "a key of a JSON object must be text");
      keys.push_back(key);
      lua_pop(L_, 1);
    }
    std::sort(keys.begin(), keys.end());
    charge(L_, keys.size() * 4);
    out_.push_back('{');
    for (size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) out_.push_back(',');
      append_json_string(out_, keys[i]);
      out_.push_back(':');
      push_text(L_, keys[i]);
      lua_rawget(L_, -2);
      append(depth + 1);
      lua_pop(L_, 1);
    }
    out_.push_back('}');
  }

  bool is_marked_array() {
    if (!lua_getmetatable(L_, -1)) return false;
    push_registry(L_, &kArrayKey);
    const bool marked = lua_rawequal(L_, -1, -2);
    lua_pop(L_, 2);
    return marked;
  }

  // No key besides 1 to size.
  bool has_only_items(size_t size) {
    size_t count = 0;
    lua_pushnil(L_);
    while (lua_next(L_, -2)) {
      lua_pop(L_, 1);
      if (++count > size || lua_type(L_, -1) != LUA_TNUMBER) {
        lua_pop(L_, 1);
        return false;
      }
    }
    return count == size;
  }

  lua_State* L_;
  std::string& out_;
  const size_t bytes_max_;
};

int decode(lua_State* L) {
  size_t size;
  const char* text = luaL_checklstring(L, 1, &size);
  push_json(L, {text, size});
  return 1;
}

int encode(lua_State* L) {
  luaL_checkany(L, 1);
  std::string out;
  append_json(L, 1, out, budget_of(L).profile.block_bytes_max);
  push_text(L, out);
  return 1;
}

int mark_array(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (lua_getmetatable(L, 1)) return luaL_error(L, "the table has a metatable already");
  push_registry(L, &kArrayKey);
  lua_setmetatable(L, 1);
  return 1;
}

}  // namespace

void push_json_library(lua_State* L) {
  luaL_checkstack(L, 8, "JSON");
  lua_newtable(L);
  keep_metatable(L, &kArrayKey);
  lua_newtable(L);
  lua_pushcfunction(L, integer_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, integers_equal);
  lua_setfield(L, -2, "__eq");
  keep_metatable(L, &kIntegerKey);

  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, decode);
  lua_setfield(L, -2, "decode");
  lua_pushcfunction(L, encode);
  lua_setfield(L, -2, "encode");
  lua_pushcfunction(L, mark_array);
  lua_setfield(L, -2, "array");
  lua_pushlightuserdata(L, const_cast<char*>(&kNull));
  lua_setfield(L, -2, "null");
}

void push_json(lua_State* L, std::string_view text) {
  charge(L, text.size() / 8 + 1);
  dom::parser parser;
  dom::element root;
  const auto allocated = parser.allocate(text.size(), limits::json_depth_max);
  const auto error =
      allocated ? allocated
                : parser.parse(text.data(), text.size(), /*realloc_if_needed=*/true).get(root);
  if (error) luaL_error(L, "invalid JSON: %s", simdjson::error_message(error));
  push_element(L, root);
}

void append_json(lua_State* L, int index, std::string& out, size_t bytes_max) {
  luaL_checkstack(L, 8, "JSON");
  lua_pushvalue(L, index);
  Encoder(L, out, bytes_max).append(0);
  lua_pop(L, 1);
}

}  // namespace mg::script

#include "script/lua_value.h"

#include <cmath>

#include "base/limits.h"
#include "script/budget.h"
#include "script/freeze.h"

namespace mg::script {
namespace {

// Where in the value the reader is, for messages; lives on the C++ stack of the recursion.
struct Place {
  const Place* above;
  std::string_view name;
  size_t number;  // used where the name is empty

  std::string text() const {
    const std::string before = above ? above->text() : "";
    if (name.empty()) return before + "[" + std::to_string(number) + "]";
    return above ? before + "." + std::string(name) : std::string(name);
  }
};

class Reader {
 public:
  explicit Reader(lua_State* L) : L_(L) {}

  Value read(const Place& place, size_t depth) {
    if (++nodes_ > limits::script_value_nodes_max) refuse(place, "is too large");
    if (depth > limits::script_value_depth_max) refuse(place, "is nested too deep");
    charge(L_, 1);
    switch (lua_type(L_, -1)) {
      case LUA_TNIL:
        return {};
      case LUA_TBOOLEAN:
        return lua_toboolean(L_, -1) != 0;
      case LUA_TNUMBER: {
        const double number = lua_tonumber(L_, -1);
        if (!std::isfinite(number)) refuse(place, "is not a finite number");
        return number;
      }
      case LUA_TSTRING: {
        size_t size;
        const char* text = lua_tolstring(L_, -1, &size);
        return std::string(text, size);
      }
      default:
        break;
    }
    luaL_checkstack(L_, 8, "reading a value");
    if (!push_table_at(L_, -1)) refuse(place, std::string("is a ") + luaL_typename(L_, -1));
    Value table = read_table(place, depth);
    lua_pop(L_, 1);
    return table;
  }

 private:
  Table read_table(const Place& place, size_t depth) {
    Table table;
    const size_t size = lua_objlen(L_, -1);
    for (size_t i = 1; i <= size; ++i) {
      lua_rawgeti(L_, -1, static_cast<int>(i));
      const Place item{&place, {}, i};
      if (lua_isnil(L_, -1)) refuse(item, "is missing: the list has a hole");
      table.list.push_back(read(item, depth + 1));
      lua_pop(L_, 1);
    }
    lua_pushnil(L_);
    while (lua_next(L_, -2)) {
      if (lua_type(L_, -2) == LUA_TSTRING) {
        size_t name_size;
        const char* name = lua_tolstring(L_, -2, &name_size);
        const std::string_view key(name, name_size);
        if (key.empty()) refuse(place, "has an empty key");
        table.set(key, read(Place{&place, key, 0}, depth + 1));
      } else if (!is_list_key(size)) {
        refuse(place, "has a key that is neither text nor part of a list");
      }
      lua_pop(L_, 1);
    }
    return table;
  }

  bool is_list_key(size_t size) {
    if (lua_type(L_, -2) != LUA_TNUMBER) return false;
    const double key = lua_tonumber(L_, -2);
    return key >= 1 && key <= static_cast<double>(size) && std::floor(key) == key;
  }

  [[noreturn]] void refuse(const Place& place, const std::string& why) {
    const std::string where = place.text();
    push_text(L_, std::string_view(where).substr(0, 200));
    push_text(L_, why);
    luaL_error(L_, "%s %s", lua_tostring(L_, -2), lua_tostring(L_, -1));
    std::abort();
  }

  lua_State* L_;
  size_t nodes_ = 0;
};

}  // namespace

Value read_value(lua_State* L, int index, std::string_view what) {
  luaL_checkstack(L, 8, "reading a value");
  lua_pushvalue(L, index);
  Value value = Reader(L).read(Place{nullptr, what, 0}, 0);
  lua_pop(L, 1);
  return value;
}

void push_value(lua_State* L, const Value& value) {
  luaL_checkstack(L, 4, "pushing a value");
  switch (value.type()) {
    case Value::Type::nil:
      lua_pushnil(L);
      return;
    case Value::Type::boolean:
      lua_pushboolean(L, *value.boolean());
      return;
    case Value::Type::number:
      lua_pushnumber(L, *value.number());
      return;
    case Value::Type::text:
      push_text(L, *value.text());
      return;
    case Value::Type::table:
      break;
  }
  const Table& table = *value.table();
  lua_createtable(L, static_cast<int>(table.list.size()), static_cast<int>(table.fields.size()));
  for (size_t i = 0; i < table.list.size(); ++i) {
    push_value(L, table.list[i]);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
  for (const Field& field : table.fields) {
    push_text(L, field.name);
    push_value(L, field.value);
    lua_rawset(L, -3);
  }
}

void push_text(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}

bool text_at(lua_State* L, int index, std::string_view& text) {
  if (lua_type(L, index) != LUA_TSTRING) return false;
  size_t size;
  const char* bytes = lua_tolstring(L, index, &size);
  text = {bytes, size};
  return true;
}

bool integer_at(lua_State* L, int index, int64_t least, int64_t most, int64_t& number) {
  if (lua_type(L, index) != LUA_TNUMBER) return false;
  const double given = lua_tonumber(L, index);
  // NaN fails both comparisons; past 2^53 a double no longer says which integer it means.
  if (!(given >= static_cast<double>(least) && given <= static_cast<double>(most)) ||
      std::fabs(given) > 9007199254740992.0 || std::floor(given) != given)
    return false;
  number = static_cast<int64_t>(given);
  return true;
}

}  // namespace mg::script

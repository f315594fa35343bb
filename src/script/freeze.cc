#include "script/freeze.h"

#include <cstring>

#include "script/budget.h"
#include "script/handle.h"

namespace mg::script {
namespace {

constexpr Kind kFrozen{"frozen table"};
// Registry key of the table from tables to their frozen forms, and of functions that were seen.
const char kForms = 0;

struct Frozen : Handle {};

int frozen_write(lua_State* L) {
  if (lua_type(L, 2) == LUA_TSTRING && lua_objlen(L, 2) <= 64)
    return luaL_error(L, "cannot write '%s': tables are read-only once the script is loaded",
                      lua_tostring(L, 2));
  return luaL_error(L, "cannot write: tables are read-only once the script is loaded");
}

int frozen_length(lua_State* L) {
  lua_getfenv(L, 1);
  lua_pushinteger(L, static_cast<lua_Integer>(lua_objlen(L, -1)));
  return 1;
}

// Metamethods that a frozen table takes along; reading and writing are its own.
bool is_kept_metamethod(const char* name) {
  for (const char* kept : {"__call", "__eq", "__lt", "__le", "__add", "__sub", "__mul", "__div",
                           "__mod", "__pow", "__unm", "__concat"})
    if (std::strcmp(name, kept) == 0) return true;
  return false;
}

// Freezing walks breadth first, with a list on the Lua stack, so that depth costs no C stack.
class Freezer {
 public:
  // `queue` and `forms` are stack positions of tables.
  Freezer(lua_State* L, int queue, int forms) : L_(L), queue_(queue), forms_(forms) {}

  // Replaces the value on top of the stack by its frozen form and queues what must be walked.
  // True when the value changed.
  bool replace_top() {
    if (lua_type(L_, -1) == LUA_TFUNCTION) {
      if (lua_iscfunction(L_, -1)) {
        refuse_iterator();
      } else if (!seen()) {
        enqueue();
      }
      return false;
    }
    if (lua_type(L_, -1) != LUA_TTABLE) return false;
    lua_pushvalue(L_, -1);
    lua_rawget(L_, forms_);
    if (lua_isnil(L_, -1)) {
      lua_pop(L_, 1);
      enqueue();
      push_form();
    }
    lua_replace(L_, -2);
    return true;
  }

  void walk() {
    for (int next = 1; next <= queued_; ++next) {
      charge(L_, 8);
      lua_rawgeti(L_, queue_, next);
      if (lua_type(L_, -1) == LUA_TTABLE) {
        walk_fields();
        walk_metatable();
      } else {
        walk_upvalues();
      }
      lua_pop(L_, 1);
    }
  }

 private:
  // Of the library's functions only iterators hold something of their own that changes: a
  // userdata that is no frozen table.
  void refuse_iterator() {
    if (lua_getupvalue(L_, -1, 1) == nullptr) return;
    if (lua_type(L_, -1) == LUA_TUSERDATA && !is_frozen(L_, -1))
      luaL_error(L_, "an iterator that has begun cannot be kept in a module");
    lua_pop(L_, 1);
  }

  bool seen() {
    lua_pushvalue(L_, -1);
    lua_rawget(L_, forms_);
    const bool known = !lua_isnil(L_, -1);
    lua_pop(L_, 1);
    if (known) return true;
    lua_pushvalue(L_, -1);
    lua_pushboolean(L_, 1);
    lua_rawset(L_, forms_);
    return false;
  }

  void enqueue() {
    lua_pushvalue(L_, -1);
    lua_rawseti(L_, queue_, ++queued_);
  }

  // The table is on top; pushes a new stand-in for it and remembers it.
  void push_form() {
    push_handle<Frozen>(L_, kFrozen);
    lua_pushvalue(L_, -2);
    lua_setfenv(L_, -2);
    lua_createtable(L_, 0, 4);
    lua_pushvalue(L_, -3);
    lua_setfield(L_, -2, "__index");
    lua_pushcfunction(L_, frozen_write);
    lua_setfield(L_, -2, "__newindex");
    lua_pushcfunction(L_, frozen_length);
    lua_setfield(L_, -2, "__len");
    lua_pushboolean(L_, 0);
    lua_setfield(L_, -2, "__metatable");
    lua_setmetatable(L_, -2);
    lua_pushvalue(L_, -2);
    lua_pushvalue(L_, -2);
    lua_rawset(L_, forms_);
  }

  void walk_fields() {
    const int table = lua_gettop(L_);
    lua_pushnil(L_);
    while (lua_next(L_, table)) {
      charge(L_, 1);
      const int key_type = lua_type(L_, -2);
      if (key_type == LUA_TTABLE || key_type == LUA_TFUNCTION)
        luaL_error(L_, "a %s as a key cannot be made read-only", lua_typename(L_, key_type));
      if (replace_top()) {
        lua_pushvalue(L_, -2);
        lua_insert(L_, -2);
        lua_rawset(L_, table);  // an existing key: the traversal goes on
      } else {
        lua_pop(L_, 1);
      }
    }
  }

  // The metatable itself is out of scripts' reach once its table is; what it holds is not. The
  // operators among it go over to the stand-in.
  void walk_metatable() {
    const int table = lua_gettop(L_);
    if (!lua_getmetatable(L_, table)) return;
    const int metatable = lua_gettop(L_);
    lua_pushvalue(L_, metatable);
    replace_top();
    lua_pop(L_, 1);
    push_frozen_form(L_, table);
    if (lua_getmetatable(L_, -1)) {
      lua_pushnil(L_);
      while (lua_next(L_, metatable)) {
        if (lua_type(L_, -2) == LUA_TSTRING && is_kept_metamethod(lua_tostring(L_, -2))) {
          lua_pushvalue(L_, -2);
          lua_insert(L_, -2);
          lua_rawset(L_, -4);
        } else {
          lua_pop(L_, 1);
        }
      }
    }
    lua_settop(L_, table);
  }

  void walk_upvalues() {
    const int function = lua_gettop(L_);
    for (int i = 1; lua_getupvalue(L_, function, i) != nullptr; ++i) {
      charge(L_, 1);
      if (replace_top()) {
        lua_setupvalue(L_, function, i);
      } else {
        lua_pop(L_, 1);
      }
    }
  }

  lua_State* L_;
  int queue_;
  int forms_;
  int queued_ = 0;
};

}  // namespace

// Weak, so that what only loading needed (a module's own table, its selftest) can go. A table whose
// stand-in is gone is out of every script's reach itself.
void open_freeze(lua_State* L) {
  lua_pushlightuserdata(L, const_cast<char*>(&kForms));
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "kv");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

void freeze(lua_State* L, int index) {
  if (index < 0) index += lua_gettop(L) + 1;
  luaL_checkstack(L, 16, "freezing");
  push_registry(L, &kForms);
  const int forms = lua_gettop(L);
  lua_newtable(L);
  Freezer freezer(L, forms + 1, forms);
  lua_pushvalue(L, index);
  if (freezer.replace_top()) {
    lua_replace(L, index);
  } else {
    lua_pop(L, 1);
  }
  freezer.walk();
  lua_settop(L, forms - 1);
}

bool is_frozen(lua_State* L, int index) { return handle_at<Frozen>(L, index, kFrozen) != nullptr; }

bool push_table_at(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TTABLE) {
    lua_pushvalue(L, index);
    return true;
  }
  if (!is_frozen(L, index)) return false;
  lua_getfenv(L, index);
  return true;
}

void thaw_argument(lua_State* L, int index) {
  if (!is_frozen(L, index)) return;
  lua_getfenv(L, index);
  lua_replace(L, index);
}

void push_frozen_form(lua_State* L, int index) {
  if (index < 0) index += lua_gettop(L) + 1;
  push_registry(L, &kForms);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  lua_replace(L, -2);
}

}  // namespace mg::script

// Userdata of the sandbox. Scripts cannot make any, so the first word of every userdata is ours
// and says what it is.
#pragma once

#include <lua.hpp>
#include <new>
#include <utility>

namespace mg::script {

// One static object per kind; its address is the kind.
struct Kind {
  const char* name;
};

struct Handle {
  const Kind* kind;
};

// Pushes what the registry has under the address of something static.
inline void push_registry(lua_State* L, const char* key) {
  lua_pushlightuserdata(L, const_cast<char*>(key));
  lua_rawget(L, LUA_REGISTRYINDEX);
}

// The payload when the value at `index` is a userdata of this kind, else null.
template <class T>
T* handle_at(lua_State* L, int index, const Kind& kind) {
  if (lua_type(L, index) != LUA_TUSERDATA) return nullptr;
  auto* handle = static_cast<Handle*>(lua_touserdata(L, index));
  return handle->kind == &kind ? static_cast<T*>(handle) : nullptr;
}

// Pushes a new userdata. T derives from Handle and needs no destructor: none would run.
template <class T>
T& push_handle(lua_State* L, const Kind& kind) {
  static_assert(std::is_trivially_destructible_v<T>);
  T* payload = new (lua_newuserdata(L, sizeof(T))) T{};
  payload->kind = &kind;
  return *payload;
}

}  // namespace mg::script

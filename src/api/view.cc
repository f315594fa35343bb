#include "api/view.h"

#include "script/lua_value.h"

namespace mg::api {
namespace {

constexpr script::Kind kView{"view"};
constexpr int64_t kExactMax = int64_t{1} << 53;

// Pushes a table from field names to their ViewField.
void push_field_names(lua_State* L, const ViewType& type) {
  lua_createtable(L, 0, static_cast<int>(type.fields.size()));
  for (const ViewField& f : type.fields) {
    lua_pushlightuserdata(L, const_cast<ViewField*>(&f));
    lua_setfield(L, -2, f.name);
  }
}

}  // namespace

void push_fact(lua_State* L, std::string_view text) {
  if (text.empty()) {
    lua_pushnil(L);
  } else {
    script::push_text(L, text);
  }
}

void push_fact(lua_State* L, bool truth) { lua_pushboolean(L, truth); }
void push_fact(lua_State* L, int number) { lua_pushnumber(L, number); }
void push_fact(lua_State* L, int64_t number) { lua_pushnumber(L, static_cast<lua_Number>(number)); }
void push_fact(lua_State* L, double number) { lua_pushnumber(L, number); }

void push_fact(lua_State* L, Texts texts) {
  lua_createtable(L, static_cast<int>(texts.size()), 0);
  for (size_t i = 0; i < texts.size(); ++i) {
    script::push_text(L, texts[i]);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
}

void push_fact(lua_State* L, Money amount) { script::push_text(L, to_text(amount)); }

void push_fact(lua_State* L, Rate rate) {
  if (rate.picos() <= kExactMax) {
    lua_pushnumber(L, static_cast<lua_Number>(rate.picos()));
  } else {
    script::push_text(L, to_text_per_million(rate) + "/M");
  }
}

void push_unless_zero(lua_State* L, int64_t number) {
  if (number == 0) {
    lua_pushnil(L);
  } else {
    push_fact(L, number);
  }
}

struct View::Payload : script::Handle {
  const void* facts = nullptr;
  const ViewType* type = nullptr;
  // Of nested views, in the order of their fields.
  View nested[kNestedMax];
  size_t nested_count = 0;
};

void View::open(lua_State* L, const ViewType& type) {
  luaL_checkstack(L, 8, "making views");
  payload_ = &script::push_handle<Payload>(L, kView);
  payload_->type = &type;
  lua_createtable(L, 0, 3);
  push_field_names(L, type);
  lua_pushcclosure(L, index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, write);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  reference_ = luaL_ref(L, LUA_REGISTRYINDEX);
  for (const ViewField& f : type.fields)
    if (f.nested) payload_->nested[payload_->nested_count++].open(L, *f.nested);
}

void View::push(lua_State* L, const void* facts) {
  payload_->facts = facts;
  lua_rawgeti(L, LUA_REGISTRYINDEX, reference_);
}

void View::close() {
  payload_->facts = nullptr;
  for (size_t i = 0; i < payload_->nested_count; ++i) payload_->nested[i].close();
}

int View::index(lua_State* L) {
  auto& payload = *static_cast<Payload*>(lua_touserdata(L, 1));
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  const auto* field = static_cast<const ViewField*>(lua_touserdata(L, -1));
  if (!field)
    return luaL_error(L, "%s has no field '%s'", payload.type->called,
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
  if (!payload.facts)
    return luaL_error(L, "%s was used outside the call it was given to", payload.type->called);
  if (field->push) {
    field->push(L, payload.facts);
    return 1;
  }
  size_t number = 0;
  for (const ViewField& f : payload.type->fields) {
    if (&f == field) break;
    if (f.nested) ++number;
  }
  payload.nested[number].push(L, field->inside(payload.facts));
  return 1;
}

void ItemViews::open(lua_State* L, const ViewType& type) {
  luaL_checkstack(L, 8, "making views");
  type_ = &type;
  lua_newtable(L);
  metatables_ = luaL_ref(L, LUA_REGISTRYINDEX);
  push_field_names(L, type);
  names_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void ItemViews::push_list(lua_State* L, const void* facts, size_t facts_bytes, size_t count) {
  facts_ = facts;
  facts_bytes_ = facts_bytes;
  count_ = count;
  lua_createtable(L, static_cast<int>(count), 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, metatables_);
  const int list = lua_gettop(L) - 1;
  for (size_t i = 0; i < count; ++i) {
    lua_newtable(L);
    lua_rawgeti(L, list + 1, static_cast<int>(i) + 1);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      push_metatable(L, i);
    }
    lua_setmetatable(L, -2);
    lua_rawseti(L, list, static_cast<int>(i) + 1);
  }
  lua_pop(L, 1);
}

// Its [1] is the item's position and its [2] says whose it is; no script can reach either.
void ItemViews::push_metatable(lua_State* L, size_t position) {
  lua_createtable(L, 2, 2);
  lua_pushinteger(L, static_cast<lua_Integer>(position));
  lua_rawseti(L, -2, 1);
  lua_pushlightuserdata(L, this);
  lua_rawseti(L, -2, 2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, names_);
  lua_pushinteger(L, static_cast<lua_Integer>(position));
  lua_pushlightuserdata(L, this);
  lua_pushcclosure(L, index, 3);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawgeti(L, LUA_REGISTRYINDEX, metatables_);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, static_cast<int>(position) + 1);
  lua_pop(L, 1);
}

const void* ItemViews::facts_at(size_t position) const {
  if (position >= count_) return nullptr;
  return static_cast<const std::byte*>(facts_) + position * facts_bytes_;
}

std::optional<size_t> ItemViews::position_of(lua_State* L, int index) const {
  if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return std::nullopt;
  lua_rawgeti(L, -1, 2);
  const bool ours = lua_type(L, -1) == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == this;
  lua_rawgeti(L, -2, 1);
  const auto position = static_cast<size_t>(lua_tointeger(L, -1));
  lua_pop(L, 3);
  return ours && position < count_ ? std::optional(position) : std::nullopt;
}

int ItemViews::index(lua_State* L) {
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  const auto* field = static_cast<const ViewField*>(lua_touserdata(L, -1));
  const auto& views = *static_cast<const ItemViews*>(lua_touserdata(L, lua_upvalueindex(3)));
  if (!field)
    return luaL_error(L, "%s has no field '%s'", views.type_->called,
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
  const void* facts = views.facts_at(static_cast<size_t>(lua_tointeger(L, lua_upvalueindex(2))));
  if (!facts)
    return luaL_error(L, "%s was used outside the call it was given to", views.type_->called);
  field->push(L, facts);
  if (field->kept) {
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
  }
  return 1;
}

int View::write(lua_State* L) {
  const auto& payload = *static_cast<const Payload*>(lua_touserdata(L, 1));
  return luaL_error(L, "%s is read-only", payload.type->called);
}

void push_as_table(lua_State* L, const ViewType& type, const void* facts) {
  luaL_checkstack(L, 8, "making a table");
  lua_createtable(L, 0, static_cast<int>(type.fields.size()));
  for (const ViewField& f : type.fields) {
    if (f.nested) {
      push_as_table(L, *f.nested, f.inside(facts));
    } else {
      f.push(L, facts);
    }
    lua_setfield(L, -2, f.name);
  }
}

}  // namespace mg::api

// How scripts see facts: a userdata (or, for items of a list, an empty table) whose fields are
// made when they are read. A phase that looks at two fields of a request pays for two. Views are
// made once a state and pointed at the facts of each call; outside it they answer with an error.
#pragma once

#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "api/facts.h"
#include "base/money.h"
#include "script/handle.h"

namespace mg::api {

struct ViewType;

// One field of a view. `facts` points at the struct that the view's type is about.
struct ViewField {
  const char* name;
  // Pushes exactly one value. Null where `nested` says what the field is.
  void (*push)(lua_State* L, const void* facts);
  const ViewType* nested = nullptr;
  // The nested facts inside ours.
  const void* (*inside)(const void* facts) = nullptr;
  // For items of a list: a table that becomes the item's own when it is first read, so that what a
  // script adds to it stays there.
  bool kept = false;
};

// A kind of view: its class in scripts/meta/gate.lua and its fields.
struct ViewType {
  const char* class_name;  // "gate.Request"
  const char* called;      // in messages: "req"
  std::span<const ViewField> fields;
};

// What scripts may see, one by one; the meta file and the tests walk them.
extern const ViewType kRequestView, kKeyView, kTenantView, kFeatureView, kConstraintView,
    kCandidateView, kLineView, kAttemptView, kFailureView, kProgressView, kRecordView;
std::span<const ViewType* const> view_types();

// Values as scripts get them. An empty text is nil.
void push_fact(lua_State* L, std::string_view text);
void push_fact(lua_State* L, bool truth);
void push_fact(lua_State* L, int number);
void push_fact(lua_State* L, int64_t number);
void push_fact(lua_State* L, double number);
void push_fact(lua_State* L, Texts texts);
// Amounts are text with nine decimals, exact.
void push_fact(lua_State* L, Money amount);
// A rate is its exact number of pico-USD per unit; past 2^53, where a Lua number would not be
// exact, the text "2.5/M".
void push_fact(lua_State* L, Rate rate);
template <class T>
void push_fact(lua_State* L, const std::optional<T>& maybe) {
  if (maybe) {
    push_fact(L, *maybe);
  } else {
    lua_pushnil(L);
  }
}
// For numbers whose zero means none.
void push_unless_zero(lua_State* L, int64_t number);

// ViewField for a plain member: field<&KeyFacts::id>("id").
template <class Facts, class Member>
Facts facts_of(Member Facts::*);
template <auto Member>
constexpr ViewField field(const char* name) {
  using Facts = decltype(facts_of(Member));
  return {name, [](lua_State* L, const void* facts) {
            push_fact(L, static_cast<const Facts*>(facts)->*Member);
          }};
}
template <auto Member>
constexpr ViewField field_unless_zero(const char* name) {
  using Facts = decltype(facts_of(Member));
  return {name, [](lua_State* L, const void* facts) {
            push_unless_zero(L, static_cast<const Facts*>(facts)->*Member);
          }};
}
template <auto Member>
constexpr ViewField nested_field(const char* name, const ViewType& type) {
  using Facts = decltype(facts_of(Member));
  return {name, nullptr, &type, [](const void* facts) -> const void* {
            return &(static_cast<const Facts*>(facts)->*Member);
          }};
}

// A view of one struct, as a userdata. Lives in one state.
class View {
 public:
  // Makes the userdata, and those of nested views, and keeps them for the life of the state.
  // Inside a protected call.
  void open(lua_State* L, const ViewType& type);
  // Pushes it, looking at these facts until it is closed.
  void push(lua_State* L, const void* facts);
  // From now on it answers with an error.
  void close();

 private:
  struct Payload;
  static constexpr size_t kNestedMax = 4;
  static int index(lua_State* L);
  static int write(lua_State* L);

  Payload* payload_ = nullptr;
  int reference_ = LUA_NOREF;
};

// Views of the items of a list, as tables that a script may write to: what it wrote is read back
// raw, every other field comes from the facts at the item's position.
class ItemViews {
 public:
  // Inside a protected call, once a state; this object must stay where it is.
  void open(lua_State* L, const ViewType& type);
  // Pushes a new list of one item for each of these facts, which must stay until close().
  template <class Facts>
  void push_list(lua_State* L, std::span<const Facts> facts) {
    push_list(L, facts.data(), sizeof(Facts), facts.size());
  }
  void close() { count_ = 0; }
  // The position (from 0) of the item at `index`, if it is one of ours.
  std::optional<size_t> position_of(lua_State* L, int index) const;

 private:
  void push_list(lua_State* L, const void* facts, size_t facts_bytes, size_t count);
  void push_metatable(lua_State* L, size_t position);
  const void* facts_at(size_t position) const;
  static int index(lua_State* L);

  const ViewType* type_ = nullptr;
  int metatables_ = LUA_NOREF;  // one per position, made when first needed
  int names_ = LUA_NOREF;
  const void* facts_ = nullptr;
  size_t facts_bytes_ = 0;
  size_t count_ = 0;
};

// Pushes a plain table with all fields of these facts, nested ones too. For selftests.
void push_as_table(lua_State* L, const ViewType& type, const void* facts);

}  // namespace mg::api

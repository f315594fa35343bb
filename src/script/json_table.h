// JSON as Lua data and back without losing what matters: an empty array stays an array, null stays
// apart from an absent field, and integers past 2^53 keep all their digits. What does change is
// the order of keys (sorted on the way out) and the spelling of numbers. For small values and for
// reading; bodies of clients are never sent through here and back.
#pragma once

#include <cstddef>
#include <lua.hpp>
#include <string>
#include <string_view>

namespace mg::script {

// Pushes the library: decode(text), encode(value), null, array(table) which marks an array. Once a
// state, inside a protected call; decode and push_json need it to have been called.
void push_json_library(lua_State* L);

// Pushes the value. Arrays are tables with a metatable of their own, null is json.null, and an
// integer that a Lua number cannot hold is a userdata that tostring turns into its digits. Text
// that is not JSON, nests deeper than json_depth_max, or holds an integer past 64 bits raises.
void push_json(lua_State* L, std::string_view text);

// Appends the value at `index`. Functions, NaN and infinity, cycles and depth past json_depth_max,
// keys that are neither text nor a list, and a result past `bytes_max` raise. Metatables other
// than the array's are not looked at.
void append_json(lua_State* L, int index, std::string& out, size_t bytes_max);

}  // namespace mg::script

// Values across the border: reading what a script returned, raw and bounded, without running any
// of its code; and building tables for it. For code inside a protected call; every error is
// raised in Lua.
#pragma once

#include <lua.hpp>
#include <string_view>

#include "script/value.h"

namespace mg::script {

// The value at `index` as data. Functions, userdata, numbers that are not finite, keys other than
// 1..n and text, depth and size past the bounds are errors that name the place below `what`
// ("conf.groups").
Value read_value(lua_State* L, int index, std::string_view what);

// Pushes a value as fresh tables.
void push_value(lua_State* L, const Value& value);

void push_text(lua_State* L, std::string_view text);
// The text at `index` if it is a string (a number is none), viewing Lua's memory.
bool text_at(lua_State* L, int index, std::string_view& text);
// True when the value at `index` is a number without fraction within [least, most].
bool integer_at(lua_State* L, int index, int64_t least, int64_t most, int64_t& number);

}  // namespace mg::script

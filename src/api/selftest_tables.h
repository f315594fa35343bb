// The tables that stand in for views in selftests: every field there is, with a value of its type.
#pragma once

#include <lua.hpp>

#include "api/facts.h"

namespace mg::api {

// Adds request, candidate, line, attempt, failure, progress and record to the table on top of the
// stack: functions that make a plain table from the fields they are given and defaults for the
// rest, and that refuse unknown fields, to write and to read.
void add_makers(lua_State* L);

// What the defaults of a request say.
const RequestFacts& sample_request();

}  // namespace mg::api

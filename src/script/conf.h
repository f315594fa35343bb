// What a module says about its settings, and checking a conf against it. A declaration is a table
// of fields; each is a list whose first entry names a type:
//   { "integer", min = 1, max = 100, default = 20 }       also "number"
//   { "string", one_of = { "a", "b" }, optional = true }
//   { "boolean", default = false }
//   { "money", default = "5.00" }                         decimal USD as text
//   { "network" }                                         an IP address or network
//   { "list", of = { "string" } }       { "map", of = { "integer" } }       { "any" }
// A field without default is required unless it is optional.
#pragma once

#include <string>
#include <vector>

#include "script/value.h"

namespace mg::script {

// Adds what is wrong with a declaration itself.
void check_declaration(const Value& declared, std::vector<std::string>& problems);

// The conf with defaults filled in. What is wrong is added to `problems`, each naming its field;
// the result counts only when nothing was added. An absent declaration (nil) takes any table. A
// nil conf is an empty one.
Value check_conf(const Value& declared, const Value& given, std::vector<std::string>& problems);

}  // namespace mg::script

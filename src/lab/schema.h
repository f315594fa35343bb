// JSON that satisfies a JSON schema, as far as tools and structured answers need one.
#pragma once

#include <string>
#include <string_view>

#include "lab/subject.h"

namespace simdjson::dom {
class element;
}

namespace mg::lab {

// What the request gives to fill a value with.
struct Material {
  const Subject& subject;
  std::string_view prompt;  // the last words of the user
};

// Understands type, enum, const, default, properties (all of them are given), items with minItems,
// minimum and maximum (also exclusive ones), minLength, maxLength, format, anyOf, oneOf and allOf
// (the first), and $ref into the schema itself. What it does not understand it ignores: pattern,
// multipleOf, conditions. A schema that asks for nothing gets a string. Schemas nest 32 deep at
// most; deeper ones end in null.
std::string value_by_schema(const simdjson::dom::element& schema, const Material& material,
                            uint64_t seed);

}  // namespace mg::lab

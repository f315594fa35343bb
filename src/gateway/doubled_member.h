// Members that stand twice in one object. Readers of JSON differ in which of the two they heed, so
// that one body would be two requests: a cheap one to who measures it, a dear one to who answers.
#pragma once

#include <optional>
#include <string_view>

namespace simdjson::dom {
class object;
}  // namespace simdjson::dom

namespace mg::gateway {

// The first name that stood in the object before, escapes undone: "typ\u0065" is "type".
std::optional<std::string_view> doubled_member(const simdjson::dom::object& object);

}  // namespace mg::gateway

// JSON documents as values, for the control plane only: commands, their answers, decision records
// read back. Members keep their order. Never on the path of a request.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mg {

using Json = nlohmann::ordered_json;

// Errors: invalid.
inline Result<Json> parse_json(std::string_view text) {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return fail(Errc::invalid, "not JSON");
  return value;
}

// Compact text; bytes that are not UTF-8 become U+FFFD.
inline std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mg

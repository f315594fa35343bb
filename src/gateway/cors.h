// Letting pages of some origins read answers (WHATWG Fetch, "CORS protocol").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace mg::gateway {

// Adds what lets a page of `origin` read the answer, where the configuration allows that origin.
void add_cors(http::Headers& headers, std::string_view origin,
              const std::vector<std::string>& allowed);

// The fields of the answer to a preflight; empty where the origin is not allowed.
http::Headers preflight_headers(std::string_view origin, const std::vector<std::string>& allowed);

}  // namespace mg::gateway

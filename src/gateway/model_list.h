// The models a key may use, as the OpenAI protocol lists them, with what they cost and hold. A
// model stands there under each of its names that the key may use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "directory/records.h"
#include "gateway/world.h"

namespace mg::gateway {

// {"object":"list","data":[...]}
std::string model_list(const World& world, const directory::ApiKey& key);

// One of them, by id or alias; nothing where the key may not use it.
std::optional<std::string> model_entry(const World& world, const directory::ApiKey& key,
                                       std::string_view name);

// A key's list of models has names (ids or aliases), or patterns in which '*' stands for anything.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace mg::gateway

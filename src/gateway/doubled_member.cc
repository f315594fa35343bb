#include "gateway/doubled_member.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <vector>

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// Up to this many members each name is compared with those before it, which allocates nothing and
// is quicker than anything else; nearly every object of a request is far smaller.
constexpr size_t kCompared = 16;

std::optional<std::string_view> doubled_of_many(const dom::object& object) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : object) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return *twice;
}

// A string_view that need not be set before it is used.
struct Name {
  const char* data;
  size_t size;
};

}  // namespace

std::optional<std::string_view> doubled_member(const dom::object& object) {
  std::array<Name, kCompared> names;
  size_t count = 0;
  for (const auto& [name, value] : object) {
    for (size_t i = 0; i < count; ++i)
      if (std::string_view(names[i].data, names[i].size) == name) return name;
    if (count == names.size()) return doubled_of_many(object);
    names[count++] = {name.data(), name.size()};
  }
  return std::nullopt;
}

}  // namespace mg::gateway

#include "lab/seed.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/text.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr std::array<std::string_view, 8> kDelivery = {
    "stream", "stream_options", "max_tokens", "max_completion_tokens",
    "n",      "best_of",        "metadata",   "user"};

uint64_t mix_value(uint64_t seed, const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::ARRAY:
      for (const dom::element item : dom::array(value)) seed = mix_value(mix(seed, 1), item);
      return seed;
    case dom::element_type::OBJECT:
      for (const auto& [key, member] : dom::object(value)) seed = mix_value(mix(seed, key), member);
      return seed;
    case dom::element_type::STRING:
      return mix(seed, std::string_view(value));
    case dom::element_type::INT64:
      return mix(seed, static_cast<uint64_t>(int64_t(value)));
    case dom::element_type::UINT64:
      return mix(seed, uint64_t(value));
    case dom::element_type::DOUBLE:
      return mix(seed, std::hash<double>()(double(value)));
    case dom::element_type::BOOL:
      return mix(seed, bool(value) ? 3 : 2);
    case dom::element_type::NULL_VALUE:
      return mix(seed, uint64_t{4});
  }
  return seed;
}

}  // namespace

uint64_t mix(uint64_t seed, std::string_view text) {
  return mix(seed, static_cast<uint64_t>(std::hash<std::string_view>()(text)));
}

uint64_t seed_of(const dom::object& request) {
  uint64_t seed = 0;
  for (const auto& [key, value] : request) {
    if (std::find(kDelivery.begin(), kDelivery.end(), key) != kDelivery.end()) continue;
    seed = mix_value(mix(seed, key), value);
  }
  return seed;
}

std::string made_up_id(std::string_view prefix, uint64_t seed, size_t digits) {
  const std::array<uint64_t, 2> numbers = {mix(seed, uint64_t{1}), mix(seed, uint64_t{2})};
  std::string id(prefix);
  id += to_hex({reinterpret_cast<const char*>(numbers.data()), sizeof numbers}).substr(0, digits);
  return id;
}

}  // namespace mg::lab

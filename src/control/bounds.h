// How long what operators call things may be. A name stands in records, logs and terminals: long
// enough for every use, short enough that no record of the store grows past its own bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mg::control {

inline constexpr size_t kNameBytesMax = 200;  // of a tenant, a key, a group, a tag, an address
inline constexpr size_t kTagsMax = 64;        // of one key, like the next two
inline constexpr size_t kKeyModelsMax = 256;
inline constexpr size_t kKeyNetworksMax = 256;
inline constexpr int64_t kRateMax = 1'000'000'000'000'000;  // per minute; what gate.limit counts to

}  // namespace mg::control

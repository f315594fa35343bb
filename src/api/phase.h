// The points of a request at which policies are asked, in the order they come.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mg::api {

enum class Phase : uint8_t { admit, route, quote, recover, disconnect, observe };

inline constexpr size_t kPhaseCount = 6;
inline constexpr std::array<std::string_view, kPhaseCount> kPhaseNames = {
    "admit", "route", "quote", "recover", "disconnect", "observe"};

constexpr std::string_view name(Phase phase) { return kPhaseNames[static_cast<size_t>(phase)]; }

}  // namespace mg::api

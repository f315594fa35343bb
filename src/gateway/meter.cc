#include "gateway/meter.h"

namespace mg::gateway {
namespace {

constexpr std::array<std::string_view, kMeterCount> kNames = {
    "input",     "cached_input", "cache_write",  "cache_write_1h", "output",
    "reasoning", "input_audio",  "output_audio", "input_image",    "output_image"};

}  // namespace

std::string_view name(Meter meter) { return kNames[static_cast<size_t>(meter)]; }

}  // namespace mg::gateway

#include "gateway/meter.h"

namespace mg::gateway {
namespace {

constexpr std::array<std::string_view, kMeterCount> kNames = {
    "input",     "cached_input", "cache_write",  "cache_write_1h", "output",
    "reasoning", "input_audio",  "output_audio", "input_image",    "output_image"};

constexpr std::array<Meter, kMeterCount> kParents = {
    Meter::input,  Meter::input, Meter::input,  Meter::cache_write, Meter::output,
    Meter::output, Meter::input, Meter::output, Meter::input,       Meter::output};

}  // namespace

std::string_view name(Meter meter) { return kNames[static_cast<size_t>(meter)]; }

Meter parent(Meter meter) { return kParents[static_cast<size_t>(meter)]; }

bool is_input(Meter meter) {
  while (parent(meter) != meter) meter = parent(meter);
  return meter == Meter::input;
}

}  // namespace mg::gateway

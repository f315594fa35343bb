// What is counted and priced. The counters of one request are disjoint: they add up to what the
// provider counted, and no token is in two of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mg::gateway {

enum class Meter : uint8_t {
  input,           // fresh input tokens
  cached_input,    // read from the provider's cache
  cache_write,     // written to it
  cache_write_1h,  // written to it for an hour
  output,
  reasoning,
  input_audio,
  output_audio,
  input_image,
  output_image,
};
inline constexpr size_t kMeterCount = 10;

// The names of data/models.json.
std::string_view name(Meter meter);

// Whose price a meter has where the catalogue gives it none; input and output are their own.
inline constexpr std::array<Meter, kMeterCount> kMeterParents = {
    Meter::input,  Meter::input, Meter::input,  Meter::cache_write, Meter::output,
    Meter::output, Meter::input, Meter::output, Meter::input,       Meter::output};
constexpr Meter parent(Meter meter) { return kMeterParents[static_cast<size_t>(meter)]; }

// True for meters of what the client sends; their sum chooses the price tier.
constexpr bool is_input(Meter meter) {
  return parent(parent(meter)) == Meter::input;  // the longest way has two steps
}

inline constexpr std::array<Meter, kMeterCount> kMeters = {
    Meter::input,       Meter::cached_input, Meter::cache_write, Meter::cache_write_1h,
    Meter::output,      Meter::reasoning,    Meter::input_audio, Meter::output_audio,
    Meter::input_image, Meter::output_image};

}  // namespace mg::gateway

// What a kind of script may use: memory, processor time, and work that is counted.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/limits.h"

namespace mg::script {

struct Profile {
  std::string_view name;
  size_t memory_bytes_max;
  // No single string, table part or stack may be larger: this bounds every primitive of the VM.
  size_t block_bytes_max;
  // Processor time of one run, all modules of a phase together.
  int64_t cpu_ns;
  // Work of library functions, and instructions where no watchdog counts time. One step is
  // roughly what one instruction costs.
  uint64_t steps_max;
};

// Operators' policies, in the workers.
inline constexpr Profile kPolicyProfile{"policy", 4 * limits::MiB, 256 * limits::KiB, 5'000'000,
                                        1'000'000};
// Resellers' scripts, in a process of their own.
inline constexpr Profile kAgentProfile{"agent", 4 * limits::MiB, 256 * limits::KiB, 2'000'000,
                                       400'000};
// Wire formats, which handle bodies.
inline constexpr Profile kProtocolProfile{"protocol", 64 * limits::MiB, 16 * limits::MiB,
                                          50'000'000, 10'000'000};

}  // namespace mg::script

// Cuts drawn from the input itself, so that an input that fails once fails again.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"

namespace mg::fuzz {

inline std::vector<size_t> some_cuts(std::string_view bytes) {
  SeededRng rng(crc32c(bytes));
  const uint64_t step_max = 1 + rng.draw() % 40;
  std::vector<size_t> cuts;
  for (size_t at = 1 + rng.draw() % step_max; at < bytes.size(); at += 1 + rng.draw() % step_max)
    cuts.push_back(at);
  return cuts;
}

}  // namespace mg::fuzz

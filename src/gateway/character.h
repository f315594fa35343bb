// What a character is, to the two models of tokens: its script beyond ASCII, how common it is among
// Han characters, and whether a string is in one of the fitted sets.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "gateway/token_ceiling_table.h"
#include "gateway/token_han_table.h"

namespace mg::gateway {

using ceiling::Script;

inline constexpr uint32_t kReplacement = 0xFFFD;

// The script of a code point from 0x80 on.
inline Script script_of(uint32_t code) {
  if (code >= 0x4E00 && code < 0xA000) return Script::han;
  const auto after = std::upper_bound(
      ceiling::kScriptStarts.begin(), ceiling::kScriptStarts.end(), code,
      [](uint32_t value, const ceiling::ScriptStart& start) { return value < start.first; });
  return (after - 1)->script;
}

// 0 (rare) to 3 (one token nearly everywhere), for any code point.
inline unsigned han_tier(uint32_t code) {
  if (code < 0x4E00 || code >= 0xA000) return 0;
  const uint32_t place = code - 0x4E00;
  return han::kTiers[place / 32] >> (place % 32 * 2) & 3;
}

// FNV-1a over code points; the sets are laid out for it.
inline constexpr uint32_t kHashSeed = 2166136261;
inline constexpr uint32_t hashed(uint32_t hash, uint32_t code) { return (hash ^ code) * 16777619; }

// Two probes into a Bloom filter whose size is a power of two.
inline bool in_set(std::span<const uint64_t> bits, uint32_t hash) {
  const int shift = 32 - 6 - std::countr_zero(bits.size());
  const uint32_t first = (hash * 0x9E3779B1u) >> shift;
  const uint32_t second = (hash * 0x85EBCA6Bu) >> shift;
  return (bits[first / 64] >> (first % 64) & bits[second / 64] >> (second % 64) & 1) != 0;
}

}  // namespace mg::gateway

// The only source of randomness: the system's for keys and ids, a seeded one where a run must be
// repeatable (simulation, and gate.random in policies).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mg {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::byte> out) = 0;
  uint64_t next();
};

// getrandom(2), through a buffer because ids are drawn for every request. One per thread.
// Aborts when the system has no randomness to give.
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::byte> out) override;
  ~SystemRng() override;

 private:
  std::byte buffer_[512];
  size_t unused_ = 0;
};

// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> out) override;
  uint64_t draw();
  // Uniform in [0, 1) with 53 bits.
  double unit();

 private:
  uint64_t state_;
};

}  // namespace mg

#include "base/rng.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace mg {

uint64_t Rng::next() {
  uint64_t value;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

SystemRng::~SystemRng() { explicit_bzero(buffer_, sizeof buffer_); }

void SystemRng::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    if (unused_ == 0) {
      const ssize_t n = getrandom(buffer_, sizeof buffer_, 0);
      if (n < 0 && errno == EINTR) continue;
      MG_ASSERT(n == ssize_t{sizeof buffer_});
      unused_ = sizeof buffer_;
    }
    const size_t n = out.size() < unused_ ? out.size() : unused_;
    std::byte* from = buffer_ + sizeof buffer_ - unused_;
    std::memcpy(out.data(), from, n);
    explicit_bzero(from, n);  // what was handed out must not stay behind
    unused_ -= n;
    out = out.subspan(n);
  }
}

uint64_t SeededRng::draw() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double SeededRng::unit() { return static_cast<double>(draw() >> 11) * 0x1.0p-53; }

void SeededRng::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const uint64_t value = draw();
    const size_t n = out.size() < sizeof value ? out.size() : sizeof value;
    std::memcpy(out.data(), &value, n);
    out = out.subspan(n);
  }
}

}  // namespace mg

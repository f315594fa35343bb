// Buffers for deciphering and enciphering, lent to one call at a time, so that an idle connection
// holds none of its own. Each thread has its own; a call inside a call gets another.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/limits.h"

namespace mg::tls {

class Scratch {
 public:
  Scratch();   // borrows
  ~Scratch();  // gives back
  Scratch(const Scratch&) = delete;

  std::span<char> plain() { return {buffers_->plain, sizeof buffers_->plain}; }
  std::string& ciphered() { return buffers_->ciphered; }

  struct Buffers {
    char plain[32 * limits::KiB];
    std::string ciphered;  // empty when borrowed
  };

 private:
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace mg::tls

#include "tls/scratch.h"

#include <vector>

namespace mg::tls {
namespace {

constexpr size_t kKept = 4;  // calls inside calls go no deeper in practice
constexpr size_t kCipheredBytesKept = 256 * limits::KiB;

thread_local std::vector<std::unique_ptr<Scratch::Buffers>> unused;

}  // namespace

Scratch::Scratch() {
  if (unused.empty()) {
    buffers_.reset(new Buffers);  // the bytes need no initial value
  } else {
    buffers_ = std::move(unused.back());
    unused.pop_back();
  }
}

Scratch::~Scratch() {
  buffers_->ciphered.clear();
  if (buffers_->ciphered.capacity() > kCipheredBytesKept) buffers_->ciphered.shrink_to_fit();
  if (unused.size() < kKept) unused.push_back(std::move(buffers_));
}

}  // namespace mg::tls

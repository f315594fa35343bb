#include "event/frame_memory.h"

#include <array>
#include <new>

namespace mg::event {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeeps = false;
#elif defined(__has_feature)
constexpr bool kKeeps = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kKeeps = true;
#endif

constexpr size_t kStepBytes = 32;
constexpr size_t kSizes = 128;       // up to 4 KiB; larger ones are not kept
constexpr size_t kKeptOfASize = 64;  // what a burst needed beyond that goes back to the heap

struct FreeFrame {
  FreeFrame* next;
};

class Frames {
 public:
  ~Frames() {
    for (Size& size : sizes_)
      while (void* frame = take(size)) ::operator delete(frame);
    closed_ = true;
  }

  void* take(size_t bytes) {
    const size_t at = index(bytes);
    if (at >= kSizes) return ::operator new(bytes);
    if (void* frame = take(sizes_[at])) return frame;
    return ::operator new((at + 1) * kStepBytes);
  }

  void give(void* frame, size_t bytes) {
    const size_t at = index(bytes);
    if (at >= kSizes || sizes_[at].count >= kKeptOfASize || closed_) {
      ::operator delete(frame);
      return;
    }
    sizes_[at].first = new (frame) FreeFrame{sizes_[at].first};
    ++sizes_[at].count;
  }

 private:
  struct Size {
    FreeFrame* first = nullptr;
    size_t count = 0;
  };

  static size_t index(size_t bytes) { return (bytes - 1) / kStepBytes; }
  static void* take(Size& size) {
    FreeFrame* frame = size.first;
    if (!frame) return nullptr;
    size.first = frame->next;
    --size.count;
    return frame;
  }

  std::array<Size, kSizes> sizes_{};
  bool closed_ = false;
};

thread_local Frames frames;

}  // namespace

void* take_frame(size_t bytes) { return kKeeps ? frames.take(bytes) : ::operator new(bytes); }

void give_frame(void* frame, size_t bytes) noexcept {
  if (kKeeps) {
    frames.give(frame, bytes);
  } else {
    ::operator delete(frame);
  }
}

}  // namespace mg::event

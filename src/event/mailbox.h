// The way between threads: a bounded queue whose consumer takes everything at once.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "base/limits.h"

namespace mg::event {

// post() from any thread; take() on the consumer's. `wake` is called after the first message since
// the last take, outside the lock, and tells the consumer to come (a Waker, a semaphore).
template <class T>
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> wake, size_t items_max = limits::mailbox_items_max)
      : wake_(std::move(wake)), items_max_(items_max) {}

  // False when the box is full: the caller keeps its message and says no to whoever asked.
  [[nodiscard]] bool post(T&& message) {
    {
      std::lock_guard lock(mutex_);
      if (items_.size() >= items_max_) return false;
      items_.push_back(std::move(message));
      if (items_.size() > 1) return true;
    }
    wake_();
    return true;
  }

  // For what must never be refused: the resolution of a hold, an answer to a waiting command. Its
  // number is bounded by what was admitted through post().
  void post_always(T&& message) {
    {
      std::lock_guard lock(mutex_);
      items_.push_back(std::move(message));
      if (items_.size() > 1) return;
    }
    wake_();
  }

  // Many at once, in order, with one wake-up; never refused (see post_always).
  void post_all(std::vector<T>& messages) {
    if (messages.empty()) return;
    {
      std::lock_guard lock(mutex_);
      const bool was_empty = items_.empty();
      for (T& message : messages) items_.push_back(std::move(message));
      messages.clear();
      if (!was_empty) return;
    }
    wake_();
  }

  bool empty() const {
    std::lock_guard lock(mutex_);
    return items_.empty();
  }

  // Moves everything into `out`, which must be empty; its memory is reused for the next round.
  void take(std::vector<T>& out) {
    std::lock_guard lock(mutex_);
    out.swap(items_);
  }

 private:
  std::function<void()> wake_;
  const size_t items_max_;
  mutable std::mutex mutex_;
  std::vector<T> items_;
};

}  // namespace mg::event

// The way between threads: a queue whose consumer takes everything at once. It refuses nothing: who
// sends is bounded. A worker has at most limits::ledger_commands_max unanswered commands, and a
// hold has one resolution; between the main thread and the workers each message is waited for.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace mg::event {

// post() from any thread; take() on the consumer's. `wake` is called after the first message since
// the last take, outside the lock, and tells the consumer to come (a Waker, a semaphore).
template <class T>
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void post(T&& message) {
    {
      std::lock_guard lock(mutex_);
      items_.push_back(std::move(message));
      if (items_.size() > 1) return;
    }
    wake_();
  }

  // Many at once, in order, with one wake-up.
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
  mutable std::mutex mutex_;
  std::vector<T> items_;
};

}  // namespace mg::event

// Where one client meets the other threads: its answers, and whether it waits for a commit.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "event/loop.h"
#include "event/mailbox.h"
#include "ledger/command.h"

namespace mg::ledger {

// Made by the client on its loop's thread; outlives it until the book has seen its last command.
class Port {
 public:
  Port(event::Loop& loop, std::function<void()> on_wake)
      : waker_(loop.make_waker(std::move(on_wake))), answers_([this] {
          if (!sending_.load()) wake();
        }) {}
  ~Port();  // with the answers nobody took

  // From any thread; nothing once the client is gone.
  void wake() {
    std::lock_guard lock(mutex_);
    if (waker_) waker_->wake();
  }
  // On the loop's thread, by the client as it goes.
  void close() {
    std::lock_guard lock(mutex_);
    waker_.reset();
  }

  event::Mailbox<Command*>& answers() { return answers_; }
  // On the client's thread, around its sending: what the book answers meanwhile, this thread takes
  // afterwards without having been woken.
  void set_sending(bool sending) { sending_.store(sending); }
  // The book's: answers of this round.
  std::vector<Command*>& round_answers() { return round_answers_; }
  // The lowest number somebody of this client waits for. Set before looking at what is durable, and
  // read after publishing it, so that one of the two sees the other.
  std::atomic<Seq>& awaited() { return awaited_; }

 private:
  std::mutex mutex_;
  std::unique_ptr<event::Waker> waker_;
  event::Mailbox<Command*> answers_;
  std::vector<Command*> round_answers_;
  std::atomic<Seq> awaited_{UINT64_MAX};
  std::atomic<bool> sending_{false};
};

}  // namespace mg::ledger

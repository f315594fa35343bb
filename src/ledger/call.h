// co_await for what is rare: runs a function on the book's thread, in its turn, and brings back the
// Result it returned. Internal to the client.
//   auto call = ask_book(*this, Call::Effect::reads, [name](Book& b) { return b.account(name); });
//   const auto account = co_await call;
#pragma once

#include <optional>
#include <utility>

#include "ledger/book.h"
#include "ledger/client.h"
#include "ledger/command.h"

namespace mg::ledger {

template <class Job>
class CallAwaiter {
 public:
  using Value = std::invoke_result_t<Job&, Book&>;

  CallAwaiter(Client& client, Call::Effect effect, Job job) {
    if (client.is_full()) {
      overloaded_.emplace(fail(Errc::overloaded, "too many commands of this worker wait"));
      return;
    }
    call_ = new Typed(effect, std::move(job));  // freed by whoever is last: see ~CallAwaiter
    client.send(*call_);
  }
  CallAwaiter(const CallAwaiter&) = delete;
  ~CallAwaiter() {
    if (!call_) return;
    if (call_->is_answered) {
      delete call_;
    } else {
      call_->is_abandoned = true;  // the client frees it when it comes back
    }
  }

  bool await_ready() const { return !call_ || call_->is_answered; }
  void await_suspend(std::coroutine_handle<> waiter) { call_->waiter = waiter; }
  Value await_resume() {
    if (!call_) return std::move(*overloaded_);
    return std::move(*call_->value);
  }

 private:
  struct Typed final : Call {
    Typed(Effect e, Job j) : Call(e), job(std::move(j)) {}
    void judge(Book& book) override {
      value.emplace(job(book));
      if constexpr (std::is_same_v<Value, Result<HoldCell*>>)
        if (*value) adopted = **value;
    }
    void fail(Error error) override { value.emplace(tl::unexpected(std::move(error))); }
    Job job;
    std::optional<Value> value;
  };

  Typed* call_ = nullptr;
  std::optional<Value> overloaded_;
};

template <class Job>
CallAwaiter<Job> ask_book(Client& client, Call::Effect effect, Job job) {
  return CallAwaiter<Job>(client, effect, std::move(job));
}

}  // namespace mg::ledger

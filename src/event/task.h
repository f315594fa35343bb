// Task<T>: a coroutine that starts when it is awaited and is cancelled when it is dropped.
//
// Dropping a Task destroys its frame, and with it every local: streams close, timers stop, holds
// resolve. A Task must not be dropped while it runs, that is, from inside its own call chain; the
// loop drops finished and cancelled tasks between turns (loop.h, Loop::spawn).
//
// A child that finishes without waiting lets its parent go on by await_suspend returning false,
// never by transfer: g++ 12 does not turn transfers into tail calls without optimisation or under
// sanitizers, and a million ready awaits would overflow the stack.
//
// Rules for g++ 12: coroutines are free or member functions with parameters by value or references
// that outlive them, never capturing lambdas; results of co_await go into named locals, and so does
// every function or aggregate with a destructor that a co_await expression would make a temporary
// of: this compiler destroys some of those twice.
// One thread: a Task is awaited, resumed and dropped on the thread of its loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace mg::event {

template <class T = void>
class Task;

namespace detail {

class PromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      if (promise.starting_) return;  // the parent looks at done() as soon as we return
      // The parent may drop this frame while it runs: nothing of it may be touched afterwards.
      if (promise.continuation_) promise.continuation_.resume();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  // None of ours throws; what a library throws (bad_alloc) ends the process.
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }

  // Runs the child until it waits or ends. True when it waits.
  bool start(std::coroutine_handle<> self, std::coroutine_handle<> parent) {
    continuation_ = parent;
    starting_ = true;
    self.resume();
    starting_ = false;
    return !self.done();
  }

 private:
  std::coroutine_handle<> continuation_;
  bool starting_ = false;
};

template <class T>
class Promise final : public PromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      drop();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { drop(); }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  bool done() const { return handle_ && handle_.done(); }

  // For the one who owns the outermost task (Loop::spawn, tests): runs it until it first waits.
  void start() {
    MG_ASSERT(handle_ && !handle_.done());
    handle_.promise().start(handle_, {});
  }
  // The value of a task that is done.
  T result() {
    MG_ASSERT(done());
    return handle_.promise().take();
  }
  void drop() {
    if (handle_) std::exchange(handle_, {}).destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle child;
      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> parent) {
        return child.promise().start(child, parent);
      }
      T await_resume() { return child.promise().take(); }
    };
    MG_ASSERT(handle_);
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace detail
}  // namespace mg::event

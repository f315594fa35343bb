// One thread's turn-taking: timers, work put off to the end of the turn, tasks nobody awaits, and
// wake-ups from other threads. UvLoop (uv_loop.h) is the real one; tests run the same gateway on a
// simulated one with a virtual clock.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "event/task.h"
#include "event/timer.h"

namespace mg::event {

class Loop;

// A link of an intrusive list; destroying it takes it out.
class Link {
 public:
  Link() = default;
  ~Link() { unlink(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  bool is_linked() const { return next_ != nullptr; }
  void unlink();

 private:
  friend class LinkList;
  Link* next_ = nullptr;
  Link* previous_ = nullptr;
};

class LinkList {
 public:
  LinkList();
  ~LinkList();
  LinkList(const LinkList&) = delete;
  bool empty() const { return head_.next_ == &head_; }
  void push_back(Link& link);
  Link* front() { return empty() ? nullptr : head_.next_; }
  Link* pop_front();
  // The link behind, or nullptr at the end.
  Link* next(Link& link) { return link.next_ == &head_ ? nullptr : link.next_; }
  // Moves everything of `other` here.
  void take(LinkList& other);

 private:
  Link head_;
};

// Something to run once, at the end of the present turn. Dropping it cancels it.
class Deferred : public Link {
 public:
  virtual void run() = 0;

 protected:
  ~Deferred() = default;
};

// Told at the end of every turn in which anything may have run: the place to send what was
// gathered in one go (commands to the book, decision records).
class TurnEnd : public Link {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

// Wakes the loop from any thread; its callback then runs on the loop's thread, once for any
// number of wake-ups before it. Destroy it on the loop's thread, after the last thread that wakes.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() = 0;
};

// Work for a pool thread: run() there, then done() back on the loop's thread. The loop owns it
// meanwhile, so that a task that no longer waits does not have to.
class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;
  virtual void done() = 0;
};

class Loop {
 public:
  explicit Loop(Clock& clock);
  virtual ~Loop();
  Loop(const Loop&) = delete;

  Clock& clock() { return clock_; }
  // The monotonic time of this turn: the clock is read once a turn, when first asked.
  int64_t now_ns() {
    if (now_is_stale_) {
      now_ns_ = clock_.monotonic_ns();
      now_is_stale_ = false;
    }
    return now_ns_;
  }
  TimerQueue& timers() { return timers_; }

  void defer(Deferred& work) { deferred_.push_back(work); }
  void at_turn_end(TurnEnd& hook) { turn_ends_.push_back(hook); }

  // Starts a task and owns it until it ends.
  void spawn(Task<> task);
  // Drops every spawned task that has not ended. Not from inside one of them.
  void cancel_spawned();
  size_t spawned() const { return spawned_count_; }

  virtual std::unique_ptr<Waker> make_waker(std::function<void()> callback) = 0;
  virtual void offload(std::unique_ptr<Work> work) = 0;

 protected:
  // For the implementations: what follows the callbacks of a turn (due timers, deferred work, the
  // hooks of its end, the frames of finished tasks), before the loop sleeps again.
  void end_turn();
  // False while something waits for the next turn: the loop must not sleep then.
  bool may_sleep() const { return deferred_.empty(); }

 private:
  struct Spawned;
  static Task<> drive(Loop* loop, Spawned* root, Task<> task);

  Clock& clock_;
  int64_t now_ns_ = 0;
  bool now_is_stale_ = true;
  TimerQueue timers_;
  LinkList deferred_;
  LinkList turn_ends_;
  LinkList running_;
  LinkList finished_;
  size_t spawned_count_ = 0;
};

// co_await sleep_ms(loop, 20);
class SleepAwaiter {
 public:
  SleepAwaiter(Loop& loop, int64_t delay_ms)
      : delay_ms_(delay_ms), timer_(Timer::calling<&SleepAwaiter::wake>(loop.timers(), this)) {}
  bool await_ready() const noexcept { return delay_ms_ <= 0; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    timer_.start_ms(delay_ms_);
  }
  void await_resume() const noexcept {}

 private:
  void wake() { waiter_.resume(); }
  int64_t delay_ms_;
  Timer timer_;
  std::coroutine_handle<> waiter_;
};
inline SleepAwaiter sleep_ms(Loop& loop, int64_t delay_ms) { return {loop, delay_ms}; }

// co_await next_turn(loop): lets everything else run first.
class TurnAwaiter final : public Deferred {
 public:
  explicit TurnAwaiter(Loop& loop) : loop_(loop) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    loop_.defer(*this);
  }
  void await_resume() const noexcept {}
  void run() override { waiter_.resume(); }

 private:
  Loop& loop_;
  std::coroutine_handle<> waiter_;
};
inline TurnAwaiter next_turn(Loop& loop) { return TurnAwaiter(loop); }

// A place where one coroutine waits until another part of the same loop says go. A call that
// comes before the wait is remembered.
class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;

  // Resumes the waiter before it returns, so the caller must not need its own object afterwards.
  void raise();
  bool is_awaited() const { return static_cast<bool>(waiter_); }
  // Forgets a call that nobody waited for.
  void reset() { raised_ = false; }

  class Awaiter {
   public:
    explicit Awaiter(Signal& signal) : signal_(signal) {}
    ~Awaiter() {
      if (waiting_) signal_.waiter_ = {};
    }
    bool await_ready() const noexcept { return signal_.raised_; }
    void await_suspend(std::coroutine_handle<> waiter) {
      MG_ASSERT(!signal_.waiter_);
      signal_.waiter_ = waiter;
      waiting_ = true;
    }
    void await_resume() noexcept {
      waiting_ = false;
      signal_.raised_ = false;
    }

   private:
    Signal& signal_;
    bool waiting_ = false;
  };
  Awaiter wait() { return Awaiter(*this); }

 private:
  std::coroutine_handle<> waiter_;
  bool raised_ = false;
};

// Runs a function in the pool and comes back with what it returned.
//   const auto hash_all = [bytes] { return hash(bytes); };
//   const Digest digest = co_await offloaded(loop, hash_all);
// A function that owns something (captures a string or a shared_ptr by value) must have a name, as
// here: g++ 12 destroys a temporary one twice when it stands inside a co_await.
template <class F>
class OffloadAwaiter {
 public:
  using Value = std::invoke_result_t<F>;
  OffloadAwaiter(Loop& loop, F function) : loop_(loop), function_(std::move(function)) {}
  ~OffloadAwaiter() {
    if (!job_) return;
    job_->owner = nullptr;
    job_->is_wanted.store(false, std::memory_order_relaxed);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    auto job = std::make_unique<Job>(this, std::move(function_));
    job_ = job.get();
    loop_.offload(std::move(job));
  }
  Value await_resume() { return std::move(*value_); }

 private:
  struct Job final : Work {
    Job(OffloadAwaiter* awaiter, F f) : owner(awaiter), function(std::move(f)) {}
    // Nobody pays for what is still in the queue when nobody waits for it any more.
    void run() override {
      if (is_wanted.load(std::memory_order_relaxed)) value.emplace(function());
    }
    void done() override {
      if (!owner) return;
      owner->job_ = nullptr;
      owner->value_ = std::move(value);
      owner->waiter_.resume();
    }
    OffloadAwaiter* owner;  // of the loop's thread
    std::atomic<bool> is_wanted{true};
    F function;
    std::optional<Value> value;
  };

  Loop& loop_;
  F function_;
  Job* job_ = nullptr;
  std::optional<Value> value_;
  std::coroutine_handle<> waiter_;
};
template <class F>
OffloadAwaiter<F> offloaded(Loop& loop, F function) {
  return OffloadAwaiter<F>(loop, std::move(function));
}

}  // namespace mg::event

// A loop that a test turns by hand, with a clock it sets. Wakers may be called from other threads;
// run_until sleeps for them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "event/loop.h"
#include "event/task.h"

namespace mg::test {

class ManualClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return monotonic_ns_; }
  int64_t wall_ms() override { return wall_ms_; }
  void advance_ms(int64_t ms) {
    monotonic_ns_ += ms * kNsPerMs;
    wall_ms_ += ms;
  }
  void jump_wall_ms(int64_t ms) { wall_ms_ += ms; }

 private:
  std::atomic<int64_t> monotonic_ns_{1'000 * kNsPerS};
  std::atomic<int64_t> wall_ms_{1'795'000'000'000};
};

class TestLoop final : public event::Loop {
 public:
  explicit TestLoop(Clock& clock) : Loop(clock) {}
  ~TestLoop() override { cancel_spawned(); }

  // One turn: what was woken, what was offloaded, then the end of the turn.
  void turn() {
    std::vector<std::unique_ptr<event::Work>> works;
    works.swap(works_);
    for (auto& work : works) {
      work->run();
      work->done();
    }
    std::vector<TestWaker*> woken;
    {
      std::lock_guard lock(mutex_);
      woken.swap(woken_);
      for (TestWaker* waker : woken) waker->is_woken = false;
    }
    for (TestWaker* waker : woken)
      if (waker->callback) waker->callback();
    end_turn();
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) turn();
  }

  // Turns until the condition holds; false when nothing happened for `patience_ms`.
  template <class Condition>
  bool run_until(Condition&& condition, int64_t patience_ms = 20'000) {
    while (!condition()) {
      turn();
      if (condition()) return true;
      if (!may_sleep() || !works_.empty()) continue;
      std::unique_lock lock(mutex_);
      if (!wake_cv_.wait_for(lock, std::chrono::milliseconds(patience_ms),
                             [this] { return !woken_.empty(); }))
        return false;
    }
    return true;
  }

  // Runs a task to its end and returns what it came to.
  template <class T>
  T run(event::Task<T> task) {
    task.start();
    if (!run_until([&] { return task.done(); })) std::abort();
    return task.result();
  }

  std::unique_ptr<event::Waker> make_waker(std::function<void()> callback) override {
    return std::make_unique<TestWaker>(*this, std::move(callback));
  }
  void offload(std::unique_ptr<event::Work> work) override { works_.push_back(std::move(work)); }

 private:
  struct TestWaker final : event::Waker {
    TestWaker(TestLoop& l, std::function<void()> c) : loop(l), callback(std::move(c)) {}
    ~TestWaker() override {
      std::lock_guard lock(loop.mutex_);
      std::erase(loop.woken_, this);
    }
    void wake() override {
      std::lock_guard lock(loop.mutex_);
      if (std::exchange(is_woken, true)) return;
      loop.woken_.push_back(this);
      loop.wake_cv_.notify_one();
    }
    TestLoop& loop;
    std::function<void()> callback;
    bool is_woken = false;
  };

  std::mutex mutex_;
  std::condition_variable wake_cv_;
  std::vector<TestWaker*> woken_;
  std::vector<std::unique_ptr<event::Work>> works_;
};

}  // namespace mg::test

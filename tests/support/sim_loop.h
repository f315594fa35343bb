// A loop without threads, sockets or waiting: turns are taken when a test asks, and time jumps to
// the next deadline when nothing else is left to do.
#pragma once

#include <deque>

#include "event/loop.h"
#include "support/virtual_clock.h"

namespace mg::test {

class SimLoop final : public event::Loop {
 public:
  explicit SimLoop(VirtualClock& clock) : Loop(clock), clock_(clock) {}
  ~SimLoop() override { cancel_spawned(); }

  // Something to run in a turn of its own, in order: an arriving packet, a wake-up.
  void post(std::function<void()> event) { events_.push_back(std::move(event)); }

  // One turn. False when there was nothing to do.
  bool turn() {
    const bool had_event = !events_.empty();
    if (had_event) {
      const std::function<void()> event = std::move(events_.front());
      events_.pop_front();
      event();
    }
    const bool busy = had_event || !may_sleep() || timers().next_ns() <= clock_.monotonic_ns();
    end_turn();
    return busy;
  }

  // Takes turns until nothing is left to do without time passing.
  void settle() {
    while (turn()) {
    }
  }

  // Takes turns, letting time pass from deadline to deadline, for that long at most.
  void run_for_ms(int64_t ms) {
    const int64_t end_ns = clock_.monotonic_ns() + ms * kNsPerMs;
    for (;;) {
      settle();
      const int64_t next = timers().next_ns();
      if (next > end_ns) break;
      clock_.advance_ns(std::max<int64_t>(0, next - clock_.monotonic_ns()));
    }
    clock_.advance_ns(end_ns - clock_.monotonic_ns());
    settle();
  }

  std::unique_ptr<event::Waker> make_waker(std::function<void()> callback) override {
    return std::make_unique<SimWaker>(*this, std::move(callback));
  }
  void offload(std::unique_ptr<event::Work> work) override {
    std::shared_ptr<event::Work> shared = std::move(work);
    post([shared] {
      shared->run();
      shared->done();
    });
  }

 private:
  class SimWaker final : public event::Waker {
   public:
    SimWaker(SimLoop& loop, std::function<void()> callback)
        : loop_(loop), callback_(std::make_shared<std::function<void()>>(std::move(callback))) {}
    void wake() override {
      loop_.post([weak = std::weak_ptr(callback_)] {
        if (const auto callback = weak.lock()) (*callback)();
      });
    }

   private:
    SimLoop& loop_;
    std::shared_ptr<std::function<void()>> callback_;
  };

  VirtualClock& clock_;
  std::deque<std::function<void()>> events_;
};

// Runs one task to its end on the simulated loop and returns its value; aborts if it never ends.
template <class T>
T finish(SimLoop& loop, event::Task<T> task) {
  loop.turn();  // so that the task begins with a fresh idea of now
  task.start();
  for (int i = 0; i < 1'000'000 && !task.done(); ++i) {
    if (!loop.turn()) loop.run_for_ms(1);
  }
  MG_ASSERT(task.done());
  return task.result();
}

}  // namespace mg::test

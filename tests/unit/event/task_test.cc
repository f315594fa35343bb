#include "event/task.h"

#include <catch2/catch.hpp>

#include "support/sim_loop.h"

using namespace mg;
using namespace mg::event;

namespace {

Task<int> ready(int value) { co_return value; }

Task<int> sum_of_ready(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int one = co_await ready(1);
    sum += one;
  }
  co_return sum;
}

struct Counted {
  explicit Counted(int& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  int& count_;
};

Task<int> three_waits(Loop& loop, int& alive, int depth) {
  const Counted here(alive);
  co_await sleep_ms(loop, 1);
  int below = 0;
  if (depth > 0) {
    const int value = co_await three_waits(loop, alive, depth - 1);
    below = value;
  }
  co_await next_turn(loop);
  co_await sleep_ms(loop, 1);
  co_return below + 1;
}

Task<> wait_for(Signal& signal, int& woken) {
  co_await signal.wait();
  ++woken;
}

}  // namespace

TEST_CASE("a million ready awaits use no stack") {
  Task<int> task = sum_of_ready(1'000'000);
  task.start();
  REQUIRE(task.done());
  CHECK(task.result() == 1'000'000);
}

TEST_CASE("a task that waits goes on where it was") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  int alive = 0;
  CHECK(test::finish(loop, three_waits(loop, alive, 3)) == 4);
  CHECK(alive == 0);
}

TEST_CASE("dropping a task cancels it at any point of waiting, and frees every frame") {
  for (int turns = 0; turns < 40; ++turns) {
    test::VirtualClock clock;
    test::SimLoop loop(clock);
    int alive = 0;
    {
      Task<int> task = three_waits(loop, alive, 3);
      task.start();
      for (int i = 0; i < turns && !task.done(); ++i) {
        clock.advance_ms(1);
        loop.turn();
      }
    }
    CHECK(alive == 0);
    loop.run_for_ms(100);  // nothing comes back for a frame that is gone
    CHECK(loop.timers().size() == 0);
  }
}

TEST_CASE("a signal is remembered once, and forgets a waiter that was dropped") {
  Signal signal;
  int woken = 0;
  signal.raise();
  Task<> first = wait_for(signal, woken);
  first.start();
  CHECK(first.done());
  {
    Task<> dropped = wait_for(signal, woken);
    dropped.start();
    CHECK(signal.is_awaited());
  }
  CHECK_FALSE(signal.is_awaited());
  Task<> second = wait_for(signal, woken);
  second.start();
  CHECK_FALSE(second.done());
  signal.raise();
  CHECK(second.done());
  CHECK(woken == 2);
}

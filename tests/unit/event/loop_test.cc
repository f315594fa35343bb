#include "event/loop.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "event/mailbox.h"
#include "event/uv_loop.h"
#include "support/sim_loop.h"

using namespace mg;
using namespace mg::event;

namespace {

struct Recorder {
  void fired() { order.push_back(next++); }
  std::vector<int> order;
  int next = 0;
};

struct Named {
  void fire() { log->push_back(name); }
  std::vector<char>* log;
  char name;
};

Task<> sleeper(Loop& loop, int64_t ms, int& done) {
  co_await sleep_ms(loop, ms);
  ++done;
}

Task<> offload_twice(UvLoop& loop, std::thread::id& seen, int& sum) {
  for (int i = 0; i < 2; ++i) {
    const int value = co_await offloaded(loop, [&seen] {
      seen = std::this_thread::get_id();
      return 21;
    });
    sum += value;
  }
  loop.stop();
}

Task<> offload_one(UvLoop& loop, std::function<int()> work, bool is_last = false) {
  [[maybe_unused]] const int value = co_await offloaded(loop, work);
  if (is_last) loop.stop();
}

struct Hook : TurnEnd {
  void on_turn_end() override { ++calls; }
  int calls = 0;
};

}  // namespace

TEST_CASE("timers fire in the order of their deadlines, equal ones in the order of arming") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  std::vector<char> log;
  Named a{&log, 'a'}, b{&log, 'b'}, c{&log, 'c'}, d{&log, 'd'};
  Timer ta = Timer::calling<&Named::fire>(loop.timers(), &a);
  Timer tb = Timer::calling<&Named::fire>(loop.timers(), &b);
  Timer tc = Timer::calling<&Named::fire>(loop.timers(), &c);
  Timer td = Timer::calling<&Named::fire>(loop.timers(), &d);
  ta.start_ms(30);
  tb.start_ms(10);
  tc.start_ms(10);
  td.start_ms(20);
  ta.start_ms(5);  // moved forward
  td.stop();
  loop.run_for_ms(100);
  CHECK(log == std::vector<char>{'a', 'b', 'c'});
  CHECK(loop.timers().size() == 0);
}

TEST_CASE("many timers keep their order under random arming and stopping") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  struct Node {
    void fire() {
      CHECK(*now >= due);
      if (last_due) CHECK(*last_due <= due);
      *last_due = due;
      ++*count;
    }
    int64_t due = 0;
    int64_t* now;
    int64_t* last_due;
    int* count;
  };
  int64_t now = 0, last_due = 0;
  int count = 0;
  std::vector<Node> nodes(500);
  std::vector<std::unique_ptr<Timer>> timers;
  uint64_t state = 5;
  for (Node& node : nodes) {
    node = {0, &now, &last_due, &count};
    timers.push_back(std::make_unique<Timer>(
        loop.timers(), [](void* n) { static_cast<Node*>(n)->fire(); }, &node));
  }
  for (size_t i = 0; i < 2000; ++i) {
    state = state * 6364136223846793005u + 1;
    const size_t at = state >> 33 % 500;
    nodes[at % 500].due = static_cast<int64_t>(state >> 50);
    timers[at % 500]->start_ms(nodes[at % 500].due);
    if (i % 7 == 0) timers[(at + 3) % 500]->stop();
  }
  const auto armed = static_cast<int>(loop.timers().size());
  now = 1 << 20;
  loop.run_for_ms(1 << 20);
  CHECK(count == armed);
}

TEST_CASE("a deadline can be moved both ways, cleared, and fires once") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  std::vector<char> log;
  Named a{&log, 'a'};
  Deadline deadline = Deadline::calling<&Named::fire>(loop.timers(), &a);
  deadline.set_ms(10);
  loop.run_for_ms(5);
  deadline.set_ms(10);  // later than the timer behind it
  loop.run_for_ms(6);
  CHECK(log.empty());
  loop.run_for_ms(4);
  CHECK(log.size() == 1);
  loop.run_for_ms(100);
  CHECK(log.size() == 1);
  deadline.set_ms(1000);
  deadline.set_ms(10);  // sooner
  loop.run_for_ms(10);
  CHECK(log.size() == 2);
  deadline.set_ms(10);
  deadline.clear();
  loop.run_for_ms(2000);
  CHECK(log.size() == 2);
  deadline.set_ms(0);
  loop.run_for_ms(0);
  CHECK(log.size() == 3);
}

TEST_CASE("spawned tasks end on their own, or all at once") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  int done = 0;
  loop.spawn(sleeper(loop, 0, done));
  loop.spawn(sleeper(loop, 10, done));
  loop.spawn(sleeper(loop, 1000, done));
  loop.run_for_ms(20);
  CHECK(done == 2);
  CHECK(loop.spawned() == 1);
  loop.cancel_spawned();
  CHECK(loop.spawned() == 0);
  loop.run_for_ms(2000);
  CHECK(done == 2);
}

TEST_CASE("libuv's loop sleeps until a deadline and not longer") {
  SystemClock clock;
  UvLoop loop(clock);
  int done = 0;
  loop.spawn(sleeper(loop, 20, done));
  struct Stop {
    void now() { loop->stop(); }
    UvLoop* loop;
  } stop{&loop};
  Timer end = Timer::calling<&Stop::now>(loop.timers(), &stop);
  end.start_ms(40);
  const int64_t before = clock.monotonic_ns();
  loop.run();
  const int64_t took_ms = (clock.monotonic_ns() - before) / kNsPerMs;
  CHECK(done == 1);
  CHECK(took_ms >= 40);
}

TEST_CASE("who is woken from a long sleep finds the time of waking, not that of falling asleep") {
  SystemClock clock;
  UvLoop loop(clock);
  struct Never {
    void now() { FAIL("the deadline is far away"); }
  } never;
  // Armed anew before each sleep, so that the loop has a wake-up to set.
  Timer far = Timer::calling<&Never::now>(loop.timers(), &never);
  far.start_ms(60'000);
  int64_t woken_ns = 0, seen_ns = 0;
  const auto waker = loop.make_waker([&] {
    seen_ns = loop.now_ns();
    loop.stop();
  });
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    woken_ns = clock.monotonic_ns();
    waker->wake();
  });
  loop.run();
  other.join();
  CHECK(seen_ns >= woken_ns);
}

TEST_CASE("work in the pool comes back to the loop") {
  SystemClock clock;
  UvLoop loop(clock);
  std::thread::id seen;
  int sum = 0;
  loop.spawn(offload_twice(loop, seen, sum));
  loop.run();
  CHECK(sum == 42);
  CHECK(seen != std::this_thread::get_id());
}

TEST_CASE("pool work nobody waits for any more is finished and forgotten") {
  SystemClock clock;
  UvLoop loop(clock);
  std::thread::id seen;
  int sum = 0;
  {
    Task<> task = offload_twice(loop, seen, sum);
    task.start();
  }
  CHECK(sum == 0);  // and the loop's destructor waits for the pool
}

TEST_CASE("messages of several threads arrive, all and in order") {
  SystemClock clock;
  UvLoop loop(clock);
  constexpr int kThreads = 3, kEach = 20'000;
  std::vector<int> next(kThreads, 0);
  int received = 0;
  std::unique_ptr<Mailbox<std::pair<int, int>>> box;
  const std::unique_ptr<Waker> waker = loop.make_waker([&] {
    std::vector<std::pair<int, int>> messages;
    box->take(messages);
    for (const auto& [thread, value] : messages) {
      if (next[static_cast<size_t>(thread)]++ != value) FAIL("out of order");
      ++received;
    }
    if (received == kThreads * kEach) loop.stop();
  });
  box = std::make_unique<Mailbox<std::pair<int, int>>>([&] { waker->wake(); });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&box, t] {
      for (int i = 0; i < kEach; ++i) box->post({t, i});
    });
  loop.run();
  for (std::thread& thread : threads) thread.join();
  CHECK(received == kThreads * kEach);
}

TEST_CASE("a mailbox wakes its consumer for the first message since it came") {
  int wakes = 0;
  Mailbox<int> box([&] { ++wakes; });
  box.post(1);
  box.post(2);
  std::vector<int> more{3, 4};
  box.post_all(more);
  CHECK(more.empty());
  CHECK(wakes == 1);
  std::vector<int> out;
  box.take(out);
  CHECK(out == std::vector<int>{1, 2, 3, 4});
  CHECK(box.empty());
  box.post_all(more);  // nothing
  CHECK(wakes == 1);
  box.post(5);
  CHECK(wakes == 2);
}

TEST_CASE("hooks at the end of a turn run once a turn, until they leave") {
  test::VirtualClock clock;
  test::SimLoop loop(clock);
  Hook hook;
  {
    Hook leaves;
    loop.at_turn_end(hook);
    loop.at_turn_end(leaves);
    loop.turn();
    CHECK(leaves.calls == 1);
  }
  loop.turn();
  CHECK(hook.calls == 2);
}

TEST_CASE("work in the pool's queue that nobody waits for any more is not done") {
  SystemClock clock;
  UvLoop loop(clock);
  std::atomic<int> blocked = 0, done = 0;
  std::atomic<bool> may_end = false;
  std::vector<Task<>> blockers;
  // More than the pool has threads, so that what follows has to queue.
  constexpr int kBlockers = 16;
  for (int i = 0; i < kBlockers; ++i) {
    blockers.push_back(offload_one(loop, [&] {
      ++blocked;
      while (!may_end) std::this_thread::yield();
      return 0;
    }));
    blockers.back().start();
  }
  Task<> dropped = offload_one(loop, [&] { return ++done; });
  dropped.start();
  Task<> wanted = offload_one(
      loop, [&] { return done += 10; }, true);
  wanted.start();
  CHECK(blocked < kBlockers);
  dropped.drop();
  may_end = true;
  loop.run();
  CHECK(done == 10);
}

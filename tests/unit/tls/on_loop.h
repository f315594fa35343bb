// Runs a coroutine on a real loop, with a limit, so that a test that hangs fails instead.
#pragma once

#include <catch2/catch.hpp>

#include "base/clock.h"
#include "event/uv_loop.h"

namespace mg::tls::test {

struct TestLoop {
  static constexpr int64_t kPatienceMs = 30'000;

  SystemClock clock;
  event::UvLoop uv{clock};
  bool ended = false;

  // Until the task ends. What it spawned and is still under way is dropped.
  void run(event::Task<> task) {
    ended = false;
    event::Timer limit = event::Timer::calling<&TestLoop::give_up>(uv.timers(), this);
    limit.start_ms(kPatienceMs);
    uv.spawn(until_end(this, std::move(task)));
    if (!ended) uv.run();
    limit.stop();
    uv.cancel_spawned();
    REQUIRE(ended);
  }

 private:
  static event::Task<> until_end(TestLoop* self, event::Task<> task) {
    co_await std::move(task);
    self->ended = true;
    self->uv.stop();
  }
  void give_up() { uv.stop(); }
};

// Collects what it is given; a coroutine can wait for so much, or for the end.
class Collector final : public event::ReadSink {
 public:
  std::string bytes;
  std::optional<Error> end;

  void on_bytes(std::string_view arrived) override {
    bytes.append(arrived);
    wake();
  }
  void on_read_end(Error error) override {
    end = std::move(error);
    wake();
  }
  // True when so many bytes are there, false when the end came first.
  event::Task<bool> until(size_t count) {
    while (bytes.size() < count && !end) co_await news_.wait();
    co_return bytes.size() >= count;
  }

 private:
  void wake() {
    if (news_.is_awaited()) news_.raise();
  }
  event::Signal news_;
};

}  // namespace mg::tls::test

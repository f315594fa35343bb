#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/limits.h"
#include "tls/engine.h"
#include "unit/tls/connected.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;
using event::Task;

namespace {

Task<> fail_handshake(event::Loop& loop, std::string first_words, bool leaves, Errc expected) {
  auto [a, b] = Pipe::make(loop);
  if (!first_words.empty()) REQUIRE(b->write(first_words));
  if (leaves) b->finish();
  const Result<std::unique_ptr<Stream>> stream =
      co_await tls::accept(loop, std::move(a), World::get().server, 50);
  REQUIRE(!stream);
  CHECK(stream.error().code == expected);
}

Task<> fail_to_connect(event::Loop& loop) {
  auto [a, b] = Pipe::make(loop);
  ClientSessions sessions;
  const Result<std::unique_ptr<Stream>> stream = co_await tls::connect(
      loop, std::move(a), World::get().trust, sessions, "localhost", "localhost:1", 50);
  REQUIRE(!stream);
  CHECK(stream.error().code == Errc::timeout);
}

Task<> refuse_name(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions, Pipe::Options(), "elsewhere.test");
  REQUIRE(!made.client);
  CHECK(made.client.error().code == Errc::refused);
  CHECK(!made.server);
  CHECK(sessions.size() == 0);
}

// Starts a handshake and everything after it, and drops it all after so many turns.
Task<> drop_after(event::Loop& loop, int turns) {
  auto [a, b] = Pipe::make(loop);
  ClientSessions sessions;
  Connected made;
  made.sessions = &sessions;
  Task<> accepting = accept_into(loop, std::move(a), made, World::get().server);
  Task<> connecting = connect_into(loop, std::move(b), made, "localhost");
  accepting.start();
  connecting.start();
  for (int turn = 0; turn < turns; ++turn) {
    if (turn % 4 == 3) {
      co_await event::sleep_ms(loop, 1);
    } else {
      co_await event::next_turn(loop);
    }
  }
  if (turns % 2) {
    accepting.drop();
    connecting.drop();
  } else {
    connecting.drop();
    accepting.drop();
  }
}

// A stream that delivers 10 KB on every turn for as long as it is read, beginning with `first`.
class Flood final : public event::Stream, private event::Deferred {
 public:
  Flood(event::Loop& loop, std::string first, size_t* delivered)
      : loop_(loop), next_(std::move(first)), delivered_(delivered) {}
  void read_start(event::ReadSink& sink) override {
    sink_ = &sink;
    if (!is_linked()) loop_.defer(*this);
  }
  void read_stop() override { unlink(); }
  using event::Stream::write;
  Result<> write(std::span<const std::string_view>) override { return {}; }
  size_t queued_bytes() const override { return 0; }
  void finish() override {}
  void abort() override {}
  SocketAddress peer() const override { return {}; }

 private:
  void run() override {
    loop_.defer(*this);
    const std::string now = std::exchange(next_, std::string(10'000, '\x17'));
    *delivered_ += now.size();
    sink_->on_bytes(now);
  }
  event::Loop& loop_;
  event::ReadSink* sink_ = nullptr;
  std::string next_;
  size_t* const delivered_;
};

Task<> flood(event::Loop& loop) {
  auto engine = Engine::client(World::get().trust, "localhost", nullptr);
  std::string hello;
  std::string_view nothing;
  REQUIRE(engine->handshake(nothing, hello));
  size_t delivered = 0;
  const Result<std::unique_ptr<Stream>> stream = co_await tls::accept(
      loop, std::make_unique<Flood>(loop, hello, &delivered), World::get().server, kTimeoutMs);
  REQUIRE(!stream);
  CHECK(stream.error().code == Errc::protocol);
  CHECK(delivered <= hello.size() + 2 * (limits::tls_handshake_bytes_max + 10'000));
}

// Holds every thread of the pool for a while, so that a handshake's step has to wait.
Task<> hold_pool(event::Loop& loop, std::shared_ptr<std::atomic<bool>> release) {
  const auto hold = [release] {
    while (!*release) std::this_thread::yield();
    return true;
  };
  [[maybe_unused]] const bool done = co_await event::offloaded(loop, hold);
}

Task<> keep_to_the_bound(event::Loop& loop, size_t more, bool reads_on) {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  for (int i = 0; i < 4; ++i) loop.spawn(hold_pool(loop, release));
  auto [a, b] = Pipe::make(loop, {1'000'000, 1'000'000});
  const Pipe& server_end = *a;
  Task<Result<std::unique_ptr<Stream>>> accepting =
      tls::accept(loop, std::move(a), World::get().server, kTimeoutMs);
  accepting.start();
  REQUIRE(b->write("x"));  // a first step, which waits for the pool
  for (int turn = 0; turn < 3; ++turn) co_await event::next_turn(loop);
  REQUIRE(b->write(std::string(more, 'x')));
  for (int turn = 0; turn < 3; ++turn) co_await event::next_turn(loop);
  CHECK(server_end.is_reading() == reads_on);
  *release = true;
  accepting.drop();
}

}  // namespace

TEST_CASE("handshakes that come to nothing end, and say why") {
  TestLoop loop;
  loop.run(fail_handshake(loop.uv, "", false, Errc::timeout));
  loop.run(fail_handshake(loop.uv, "\x16\x03\x01", false, Errc::timeout));
  loop.run(fail_handshake(loop.uv, "", true, Errc::closed));
  loop.run(fail_handshake(loop.uv, "\x16\x03", true, Errc::closed));
  loop.run(fail_handshake(loop.uv, "GET / HTTP/1.1\r\n\r\n", false, Errc::protocol));
  loop.run(fail_to_connect(loop.uv));
  loop.run(refuse_name(loop.uv));
}

TEST_CASE("a handshake can be dropped at every moment") {
  for (int turns = 0; turns < 60; ++turns) {
    TestLoop loop;
    loop.run(drop_after(loop.uv, turns));
  }
}

TEST_CASE("a flood during the handshake is left to the kernel") {
  TestLoop loop;
  loop.run(flood(loop.uv));
}

TEST_CASE("bytes kept during a handshake have a bound") {
  TestLoop loop;
  loop.run(keep_to_the_bound(loop.uv, limits::tls_handshake_bytes_max, true));
  loop.run(keep_to_the_bound(loop.uv, limits::tls_handshake_bytes_max + 1, false));
}

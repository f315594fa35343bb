#include "tls/stream.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/limits.h"
#include "base/rng.h"
#include "tls/engine.h"
#include "unit/tls/authority.h"
#include "unit/tls/on_loop.h"
#include "unit/tls/pipe.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;
using event::Task;

namespace {

constexpr int64_t kTimeoutMs = 20'000;

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + i / 251);
  return text;
}

// Both sides of one connection, made at the same time.
struct Connected {
  Result<std::unique_ptr<Stream>> server = fail(Errc::interrupted, "not done");
  Result<std::unique_ptr<Stream>> client = fail(Errc::interrupted, "not done");
  event::Signal both;
  int done = 0;
  ClientSessions* sessions = nullptr;
};

Task<> accept_into(event::Loop& loop, std::unique_ptr<event::Stream> inner, Connected& out,
                   std::shared_ptr<const ServerCredentials> credentials) {
  out.server = co_await tls::accept(loop, std::move(inner), std::move(credentials), kTimeoutMs);
  if (++out.done == 2) out.both.raise();
}

Task<> connect_into(event::Loop& loop, std::unique_ptr<event::Stream> inner, Connected& out,
                    std::string host) {
  out.client = co_await tls::connect(loop, std::move(inner), World::get().trust, *out.sessions,
                                     host, host + ":443", kTimeoutMs);
  if (++out.done == 2) out.both.raise();
}

Task<> join(event::Loop& loop, Connected& out, ClientSessions& sessions,
            Pipe::Options options = Pipe::Options(), std::string host = "localhost") {
  out.sessions = &sessions;
  auto [a, b] = Pipe::make(loop, options);
  loop.spawn(accept_into(loop, std::move(a), out, World::get().server));
  loop.spawn(connect_into(loop, std::move(b), out, std::move(host)));
  co_await out.both.wait();
}

// Sends back what it is sent, waiting for the other side where that is slow.
Task<> echo(event::Stream& stream, size_t count) {
  Collector received;
  stream.read_start(received);
  size_t sent = 0;
  while (sent < count) {
    const bool is_more = co_await received.until(1);
    if (!is_more) co_return;
    const std::string bytes = std::exchange(received.bytes, {});
    sent += bytes.size();
    const Result<> written = stream.write(bytes);
    if (!written) co_return;
    if (stream.queued_bytes() > 50'000) {
      stream.read_stop();
      const Result<> drained = co_await stream.drained();
      if (!drained) co_return;
      stream.read_start(received);
    }
  }
}

Task<> talk(event::Loop& loop, size_t piece_bytes) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions, {piece_bytes, 64'000});
  REQUIRE(made.client);
  REQUIRE(made.server);
  event::Stream& client = **made.client;
  const std::string text = pattern(piece_bytes < 100 ? 20'000 : 3'000'000);
  loop.spawn(echo(**made.server, text.size()));
  Collector received;
  client.read_start(received);
  for (size_t at = 0; at < text.size(); at += 40'000) {
    const Result<> written = client.write(std::string_view(text).substr(at, 40'000));
    REQUIRE(written);
    const Result<> drained = co_await client.drained();
    REQUIRE(drained);
  }
  const bool is_whole = co_await received.until(text.size());
  CHECK(is_whole);
  CHECK(received.bytes == text);
}

// Stops reading after every delivery, and starts again a turn later.
class Hesitant final : public event::ReadSink, private event::Deferred {
 public:
  Hesitant(event::Loop& loop, event::Stream& stream) : loop_(loop), stream_(stream) {
    stream_.read_start(*this);
  }
  std::string bytes;
  size_t deliveries = 0;

 private:
  void on_bytes(std::string_view arrived) override {
    bytes.append(arrived);
    ++deliveries;
    stream_.read_stop();
    loop_.defer(*this);
  }
  void on_read_end(Error) override {}
  void run() override { stream_.read_start(*this); }
  event::Loop& loop_;
  event::Stream& stream_;
};

Task<> read_with_pauses(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  const std::string text = pattern(500'000);
  REQUIRE((*made.server)->write(text));
  Hesitant slow(loop, **made.client);
  for (int turn = 0; turn < 10'000 && slow.bytes.size() < text.size(); ++turn)
    co_await event::next_turn(loop);
  CHECK(slow.bytes == text);
  CHECK(slow.deliveries > 10);
}

Task<> end_in_order(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  Collector at_server, at_client;
  REQUIRE((*made.client)->write("last words"));
  (*made.client)->finish();
  CHECK(!(*made.client)->write("too late"));
  (*made.server)->read_start(at_server);
  const bool all = co_await at_server.until(1000);
  CHECK(!all);
  CHECK(at_server.bytes == "last words");
  REQUIRE(at_server.end);
  CHECK(at_server.end->code == Errc::closed);
  // The other direction is still open.
  REQUIRE((*made.server)->write("answer"));
  (*made.client)->read_start(at_client);
  const bool answered = co_await at_client.until(6);
  CHECK(answered);
}

Task<> end_by_cut(event::Loop& loop, size_t lost_bytes) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  Collector at_client;
  (*made.client)->read_start(at_client);
  REQUIRE((*made.server)->write("half of it"));
  const bool came = co_await at_client.until(10);
  CHECK(came);
  if (lost_bytes > 0) (*made.server)->finish();
  made.server = fail(Errc::interrupted, "gone");  // with close_notify only where it was finished
  const bool more = co_await at_client.until(1000);
  CHECK(!more);
  REQUIRE(at_client.end);
  CHECK(at_client.end->code == (lost_bytes > 0 ? Errc::closed : Errc::protocol));
}

Task<> end_by_abort(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  Collector at_client;
  (*made.client)->read_start(at_client);
  (*made.server)->abort();
  CHECK(!(*made.server)->write("x"));
  const bool more = co_await at_client.until(1);
  CHECK(!more);
  REQUIRE(at_client.end);
  CHECK(at_client.end->code == Errc::io);
}

// What was sent right behind the handshake, and its end, wait for the first who reads.
Task<> read_late(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  REQUIRE((*made.client)->write("early"));
  (*made.client)->finish();
  for (int turn = 0; turn < 5; ++turn) co_await event::next_turn(loop);
  Collector at_server;
  (*made.server)->read_start(at_server);
  CHECK(at_server.bytes.empty());  // never from inside read_start
  const bool more = co_await at_server.until(1000);
  CHECK(!more);
  CHECK(at_server.bytes == "early");
  CHECK(at_server.end->code == Errc::closed);
}

Task<> write_to_nobody(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions, {1000, 1000});
  REQUIRE(made.client);
  REQUIRE((*made.client)->write(pattern(100'000)));
  CHECK((*made.client)->queued_bytes() > 0);
  made.server = fail(Errc::interrupted, "gone");
  const Result<> written = (*made.client)->write("more");
  CHECK(!written);
  const Result<> drained = co_await (*made.client)->drained();
  CHECK(!drained);
}

// Deadlines wake a writer that waits.
Task<> interrupt_later(event::Loop& loop, event::Stream& stream) {
  co_await event::sleep_ms(loop, 5);
  stream.interrupt_drain({Errc::timeout, "too slow"});
}
Task<> wait_in_vain(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions, {1000, 1000});
  REQUIRE(made.client);
  REQUIRE((*made.client)->write(pattern(100'000)));
  loop.spawn(interrupt_later(loop, **made.client));
  const Result<> drained = co_await (*made.client)->drained();
  REQUIRE(!drained);
  CHECK(drained.error().code == Errc::timeout);
}

// The sink ends the stream from inside a call of it.
struct Destroyer final : event::ReadSink {
  enum class When : uint8_t { bytes, end };
  Destroyer(std::unique_ptr<Stream> s, When w) : stream(std::move(s)), when(w) {}
  void on_bytes(std::string_view) override {
    if (when == When::bytes) stream.reset();
    ++calls;
  }
  void on_read_end(Error) override {
    stream.reset();
    ++calls;
  }
  std::unique_ptr<Stream> stream;
  const When when;
  int calls = 0;
};

Task<> destroy_inside(event::Loop& loop, Destroyer::When when) {
  Connected made;
  ClientSessions sessions;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  REQUIRE((*made.server)->write(pattern(100'000)));
  (*made.server)->finish();
  Destroyer destroyer(std::move(*made.client), when);
  destroyer.stream->read_start(destroyer);
  for (int turn = 0; turn < 20; ++turn) co_await event::next_turn(loop);
  CHECK(!destroyer.stream);
  CHECK(destroyer.calls >= 1);
}

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

Task<> resume(event::Loop& loop) {
  ClientSessions sessions;
  for (int i = 0; i < 3; ++i) {
    Connected made;
    co_await join(loop, made, sessions);
    REQUIRE(made.client);
    REQUIRE(made.server);
    Collector at_client;
    (*made.client)->read_start(at_client);
    REQUIRE((*made.server)->write("x"));
    const bool came = co_await at_client.until(1);
    CHECK(came);
    CHECK((*made.client)->was_resumed() == (i > 0));
    CHECK((*made.server)->was_resumed() == (i > 0));
    CHECK((*made.server)->server_name() == "localhost");
    CHECK(sessions.size() == 1);
  }
}

Task<> gather(event::Loop& loop) {
  Connected made;
  ClientSessions sessions;
  auto [a, b] = Pipe::make(loop);
  const Pipe& server_end = *a;
  made.sessions = &sessions;
  loop.spawn(accept_into(loop, std::move(a), made, World::get().server));
  loop.spawn(connect_into(loop, std::move(b), made, "localhost"));
  co_await made.both.wait();
  REQUIRE(made.server);
  Collector at_client;
  (*made.client)->read_start(at_client);
  const uint64_t before = server_end.written_bytes();
  const std::string_view pieces[] = {"c8\r\n", "data: 12345\n\n", "\r\n"};
  REQUIRE((*made.server)->write(pieces));
  constexpr uint64_t kRecordOverheadMax = 29 + 16;  // TLS 1.3 may pad
  CHECK(server_end.written_bytes() - before <= 19 + kRecordOverheadMax);
  const bool came = co_await at_client.until(19);
  CHECK(came);
  CHECK(at_client.bytes == "c8\r\ndata: 12345\n\n\r\n");
  // Sizes around the gathering buffer's, in every mixture.
  std::string expected;
  at_client.bytes.clear();
  for (size_t size : {1, 16'383, 16'384, 16'385, 32'767, 32'768, 32'769, 70'000, 0, 5}) {
    const std::string one = pattern(size), two = pattern(20'000);
    const std::string_view mixed[] = {two, one, "x", two};
    REQUIRE((*made.server)->write(mixed));
    expected += two + one + "x" + two;
  }
  const bool whole = co_await at_client.until(expected.size());
  CHECK(whole);
  CHECK(at_client.bytes == expected);
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

TEST_CASE("bytes pass both ways whole, however small the pieces they arrive in") {
  for (size_t piece : {1, 7, 1000, 100'000}) {
    TestLoop loop;
    loop.run(talk(loop.uv, piece));
  }
}

TEST_CASE("a reader may stop after every delivery and loses nothing") {
  TestLoop loop;
  loop.run(read_with_pauses(loop.uv));
}

TEST_CASE("an orderly end is told from a cut and from an abort") {
  TestLoop loop;
  loop.run(end_in_order(loop.uv));
  loop.run(end_by_cut(loop.uv, 0));
  loop.run(end_by_cut(loop.uv, 1));
  loop.run(end_by_abort(loop.uv));
}

TEST_CASE("what came before anyone read is not lost") {
  TestLoop loop;
  loop.run(read_late(loop.uv));
}

TEST_CASE("writers are told that nobody reads any more") {
  TestLoop loop;
  loop.run(write_to_nobody(loop.uv));
  loop.run(wait_in_vain(loop.uv));
}

TEST_CASE("a sink may destroy the stream from inside") {
  TestLoop loop;
  loop.run(destroy_inside(loop.uv, Destroyer::When::bytes));
  loop.run(destroy_inside(loop.uv, Destroyer::When::end));
}

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

TEST_CASE("the second connection to an origin resumes the first one's session") {
  TestLoop loop;
  loop.run(resume(loop.uv));
}

TEST_CASE("small pieces share a record, and pieces of every size arrive in order") {
  TestLoop loop;
  loop.run(gather(loop.uv));
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

#include "tls/stream.h"

#include <catch2/catch.hpp>

#include "unit/tls/connected.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;
using event::Task;

namespace {

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

// A connection on which the server says a byte, behind which a ticket has come. Whether it was
// resumed.
Task<bool> exchange_a_byte(event::Loop& loop, ClientSessions& sessions) {
  Connected made;
  co_await join(loop, made, sessions);
  REQUIRE(made.client);
  REQUIRE(made.server);
  Collector at_client;
  (*made.client)->read_start(at_client);
  REQUIRE((*made.server)->write("x"));
  const bool came = co_await at_client.until(1);
  CHECK(came);
  CHECK((*made.client)->was_resumed() == (*made.server)->was_resumed());
  CHECK((*made.server)->server_name() == "localhost");
  co_return (*made.server)->was_resumed();
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

enum class Leaving : uint8_t { in_order, by_abort };

Task<> connect_and_leave(event::Loop& loop, std::unique_ptr<event::Stream> inner, Connected& out,
                         Leaving how) {
  co_await connect_into(loop, std::move(inner), out, "localhost");
  REQUIRE(out.client);
  REQUIRE((*out.client)->was_resumed());
  REQUIRE((*out.client)->write("early"));
  how == Leaving::in_order ? (*out.client)->finish() : (*out.client)->abort();
}

// A resumed handshake ends with the client's word. What comes right behind it, and the end, are
// there before the server has read that word.
Task<> leave_with_the_last_word(event::Loop& loop, Leaving how) {
  ClientSessions sessions;
  co_await exchange_a_byte(loop, sessions);
  Connected made;
  made.sessions = &sessions;
  auto [a, b] = Pipe::make(loop);
  loop.spawn(accept_into(loop, std::move(a), made, World::get().server));
  loop.spawn(connect_and_leave(loop, std::move(b), made, how));
  co_await made.both.wait();
  REQUIRE(made.server);
  Collector at_server;
  (*made.server)->read_start(at_server);
  CHECK(at_server.bytes.empty());
  const bool more = co_await at_server.until(1000);
  CHECK(!more);
  CHECK(at_server.bytes == "early");
  CHECK(at_server.end->code == (how == Leaving::in_order ? Errc::closed : Errc::io));
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

Task<> resume(event::Loop& loop) {
  ClientSessions sessions;
  for (int i = 0; i < 3; ++i) {
    const bool was_resumed = co_await exchange_a_byte(loop, sessions);
    CHECK(was_resumed == (i > 0));
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

TEST_CASE("who leaves with the last word of the handshake is heard, and seen to leave") {
  TestLoop loop;
  loop.run(leave_with_the_last_word(loop.uv, Leaving::in_order));
  loop.run(leave_with_the_last_word(loop.uv, Leaving::by_abort));
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

TEST_CASE("the second connection to an origin resumes the first one's session") {
  TestLoop loop;
  loop.run(resume(loop.uv));
}

TEST_CASE("small pieces share a record, and pieces of every size arrive in order") {
  TestLoop loop;
  loop.run(gather(loop.uv));
}

// The listeners of a worker over the simulated network: who is let in, and who has to go.
#include "http/server.h"

#include <catch2/catch.hpp>

#include "tls/stream.h"
#include "unit/http/peer.h"
#include "unit/tls/authority.h"

using namespace mg;
using namespace mg::http;

namespace {

struct Greeter final : Handler {
  event::Task<> serve(ServerConnection& client) override {
    client.respond(200, {}, "hello");
    co_return;
  }
  void reject(ServerConnection& client, const ParseError& error) override {
    client.respond(error.status, {}, error.reason);
  }
};

struct Visitor final : event::ReadSink {
  explicit Visitor(std::unique_ptr<event::Stream> s) : stream(std::move(s)) {
    stream->read_start(*this);
  }
  void on_bytes(std::string_view bytes) override { received.append(bytes); }
  void on_read_end(Error) override { has_ended = true; }
  std::unique_ptr<event::Stream> stream;
  std::string received;
  bool has_ended = false;
};

struct ServerFixture {
  static constexpr size_t kHandshakes = 3;

  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  mg::test::SimSockets sockets{loop};
  ServerLimits limits;
  ServerCapacity capacity = [] {
    ServerCapacity small;
    small.handshakes_max = kHandshakes;
    return small;
  }();
  Server server{loop, sockets, limits, capacity};
  Greeter greeter;
  SocketAddress address;
  tls::ClientSessions sessions;
  std::vector<std::unique_ptr<Visitor>> silent;

  ServerFixture() {
    const SocketAddress any{*IpAddress::parse("127.0.0.1"), 0};
    address =
        server.listen(any, event::PortSharing::exclusive, greeter, tls::test::World::get().server)
            .value();
  }
  ~ServerFixture() {
    silent.clear();
    loop.cancel_spawned();
  }
  std::unique_ptr<event::Stream> connect() {
    return mg::test::finish(loop, sockets.connect(address, 1000)).value();
  }
  void add_silent(size_t count) {
    for (size_t i = 0; i < count; ++i) silent.push_back(std::make_unique<Visitor>(connect()));
    loop.settle();
  }
  // What one is answered who shakes hands and asks.
  std::string ask() {
    auto secure =
        mg::test::finish(loop, tls::connect(loop, connect(), tls::test::World::get().trust,
                                            sessions, "localhost", "localhost:1", 1000));
    if (!secure) return secure.error().what;
    Visitor visitor(std::move(*secure));
    CHECK(visitor.stream->write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    loop.settle();
    return visitor.received;
  }
};

}  // namespace

TEST_CASE("of too many handshakes the oldest makes room for the newcomer") {
  ServerFixture f;
  f.add_silent(ServerFixture::kHandshakes);
  for (const auto& visitor : f.silent) CHECK_FALSE(visitor->has_ended);
  CHECK(f.server.connections() == ServerFixture::kHandshakes);
  CHECK(f.ask().ends_with("hello"));
  CHECK(f.silent[0]->has_ended);
  CHECK_FALSE(f.silent[1]->has_ended);
  CHECK_FALSE(f.silent[2]->has_ended);
  // The one who shook hands waits no longer, and so there is room for one more.
  f.add_silent(1);
  CHECK_FALSE(f.silent[1]->has_ended);
  f.add_silent(1);
  CHECK(f.silent[1]->has_ended);
  CHECK_FALSE(f.silent[2]->has_ended);
}

TEST_CASE("a crowd that says nothing keeps nobody out") {
  ServerFixture f;
  for (int round = 0; round < 5; ++round) {
    f.add_silent(10 * ServerFixture::kHandshakes);
    CHECK(f.ask().ends_with("hello"));
  }
  f.loop.settle();
  CHECK(f.server.connections() <= ServerFixture::kHandshakes);
  f.loop.run_for_ms(f.capacity.handshake_timeout_ms + 10);
  CHECK(f.server.connections() == 0);
  CHECK(f.ask().ends_with("hello"));
}

TEST_CASE("a handshake that made room may have had a step in the pool") {
  ServerFixture f;
  const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);
  for (int turns = 0; turns < 6; ++turns) {
    Visitor talker(f.connect());
    CHECK(talker.stream->write(hello));
    for (int i = 0; i < turns; ++i) f.loop.turn();
    f.add_silent(ServerFixture::kHandshakes);
    CHECK(talker.has_ended);
  }
}

TEST_CASE("a drain lets in who has come already, but not for ever") {
  const auto is_open = [](ServerFixture& f) {
    return mg::test::finish(f.loop, f.sockets.connect(f.address, 1000)).has_value();
  };
  ServerFixture quiet, crowded;
  crowded.sockets.is_crowded = true;
  for (ServerFixture* f : {&quiet, &crowded}) f->loop.spawn(f->server.drain());
  CHECK(is_open(quiet));
  quiet.loop.run_for_ms(100);
  CHECK_FALSE(is_open(quiet));
  crowded.loop.run_for_ms(limits::last_call_ms_max - 1);
  CHECK(is_open(crowded));
  crowded.loop.run_for_ms(2);
  CHECK_FALSE(is_open(crowded));
}

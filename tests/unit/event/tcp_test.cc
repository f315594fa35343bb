#include "event/tcp.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

#include "support/temp_dir.h"

using namespace mg;
using namespace mg::event;

namespace {

const SocketAddress kAnyPort{*IpAddress::parse("127.0.0.1"), 0};

// Accepts one connection and does with it what the test says.
struct Server : AcceptSink, ReadSink {
  void on_accept(std::unique_ptr<Stream> accepted) override {
    stream = std::move(accepted);
    if (reads) stream->read_start(*this);
    if (on_connected) on_connected();
  }
  void on_bytes(std::string_view bytes) override {
    received.append(bytes);
    readings.push_back(bytes.size());
    if (echoes) CHECK(stream->write(bytes));
    if (on_received) on_received();
  }
  void on_read_end(Error error) override {
    end = error;
    if (on_end) on_end();
  }
  std::unique_ptr<Stream> stream;
  std::string received;
  std::vector<size_t> readings;
  std::optional<Error> end;
  bool reads = true;
  bool echoes = false;
  std::function<void()> on_connected, on_received, on_end;
};

struct Fixture {
  SystemClock clock;
  UvLoop loop{clock};
  UvSockets sockets{loop};
};

Task<> talk(Fixture& f, SocketAddress to, Server& client, size_t bytes) {
  Result<std::unique_ptr<Stream>> connected = co_await f.sockets.connect(to, 1000);
  REQUIRE(connected);
  client.stream = std::move(*connected);
  client.stream->read_start(client);
  const std::string payload(bytes, 'x');
  CHECK(client.stream->write(payload));
  const Result<> sent = co_await client.stream->drained();
  CHECK(sent);
  CHECK(client.stream->queued_bytes() == 0);
  client.stream->finish();
}

Task<> connect_only(Fixture& f, SocketAddress to, std::optional<Error>& failure) {
  Result<std::unique_ptr<Stream>> connected = co_await f.sockets.connect(to, 1000);
  if (!connected) failure = connected.error();
  f.loop.stop();
}

Task<> keep(Fixture& f, SocketAddress to, Server& client, std::optional<Error>& failure) {
  Result<std::unique_ptr<Stream>> connected = co_await f.sockets.connect(to, 1000);
  if (!connected) {
    failure = connected.error();
  } else {
    client.stream = std::move(*connected);
  }
}

}  // namespace

TEST_CASE("bytes go both ways and an orderly end is seen as one") {
  Fixture f;
  Server server, client;
  server.echoes = true;
  server.on_end = [&] { server.stream->finish(); };
  client.on_end = [&] { f.loop.stop(); };
  const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
  f.loop.spawn(talk(f, listener->address(), client, 3'000'000));
  f.loop.run();
  CHECK(client.received.size() == 3'000'000);
  REQUIRE(client.end);
  CHECK(client.end->code == Errc::closed);
  CHECK(server.stream->peer().ip.text() == "127.0.0.1");
}

TEST_CASE("a reader that does not read holds the writer back, and can be interrupted") {
  Fixture f;
  Server server, client;
  server.reads = false;
  const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
  struct Wait {
    static Task<> run(Fixture& fixture, SocketAddress to, Server& c, Result<>& outcome) {
      Result<std::unique_ptr<Stream>> connected = co_await fixture.sockets.connect(to, 1000);
      c.stream = std::move(*connected);
      const std::string payload(64 << 20, 'x');
      CHECK(c.stream->write(payload));
      CHECK(c.stream->queued_bytes() > 0);
      const Result<> sent = co_await c.stream->drained();
      outcome = sent;
      fixture.loop.stop();
    }
    void give_up() { client->stream->interrupt_drain({Errc::timeout, "slow"}); }
    Server* client;
  } wait{&client};
  Result<> outcome;
  Timer deadline = Timer::calling<&Wait::give_up>(f.loop.timers(), &wait);
  deadline.start_ms(50);
  f.loop.spawn(Wait::run(f, listener->address(), client, outcome));
  f.loop.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::timeout);
}

TEST_CASE("an abort is not taken for an orderly end") {
  Fixture f;
  Server server, client;
  server.on_received = [&] { server.stream->abort(); };
  client.on_end = [&] { f.loop.stop(); };
  const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
  f.loop.spawn(talk(f, listener->address(), client, 10));
  f.loop.run();
  REQUIRE(client.end);
  CHECK(client.end->code == Errc::io);
}

TEST_CASE("an abort behind bytes is one as well, and the bytes came first") {
  Fixture f;
  Server server, client;
  server.on_received = [&] {
    CHECK(server.stream->write("half an answer"));
    server.stream->abort();
  };
  client.on_end = [&] { f.loop.stop(); };
  const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
  f.loop.spawn(talk(f, listener->address(), client, 10));
  f.loop.run();
  CHECK(client.received == "half an answer");
  REQUIRE(client.end);
  CHECK(client.end->code == Errc::io);
}

TEST_CASE("one reading brings a loop's buffer at most") {
  for (const size_t bytes : {limits::read_buffer_bytes, limits::read_buffer_bytes + 1}) {
    Fixture f;
    Server server, client;
    server.on_end = [&] { f.loop.stop(); };
    const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
    f.loop.spawn(talk(f, listener->address(), client, bytes));
    f.loop.run();
    CHECK(server.received.size() == bytes);
    CHECK(*std::max_element(server.readings.begin(), server.readings.end()) <=
          limits::read_buffer_bytes);
    CHECK(server.readings.size() >=
          (bytes + limits::read_buffer_bytes - 1) / limits::read_buffer_bytes);
  }
}

TEST_CASE("a port nobody listens on refuses, one that is taken cannot be taken again") {
  Fixture f;
  Server server;
  auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, server);
  const SocketAddress taken = listener->address();
  const auto second = f.sockets.listen(taken, PortSharing::exclusive, server);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  listener.reset();
  std::optional<Error> failure;
  f.loop.spawn(connect_only(f, taken, failure));
  f.loop.run();
  REQUIRE(failure);
  CHECK(failure->code == Errc::refused);
}

TEST_CASE("of many who come at once so many are taken each turn, and all in the end") {
  for (const int64_t more : {0, 1}) {
    Fixture f;
    struct Crowd : AcceptSink, Deferred {
      void on_accept(std::unique_ptr<Stream> accepted) override {
        streams.push_back(std::move(accepted));
        ++turns.back();
        if (!is_linked()) loop->defer(*this);  // to run before the listener takes more
      }
      void run() override {
        turns.push_back(0);
        if (std::ssize(streams) >= expected) loop->stop();
      }
      UvLoop* loop = nullptr;
      int64_t expected = 0;
      std::vector<std::unique_ptr<Stream>> streams;
      std::vector<int64_t> turns{0};
    };
    Server clients[2 * limits::accepts_per_turn_max + 1];
    Crowd crowd;
    crowd.loop = &f.loop;
    crowd.expected = 2 * limits::accepts_per_turn_max + more;
    const auto listener = *f.sockets.listen(kAnyPort, PortSharing::exclusive, crowd);
    // All of these stand in the kernel's queue before the listener is looked at again.
    std::optional<Error> failure;
    for (int64_t i = 0; i < crowd.expected; ++i)
      f.loop.spawn(keep(f, listener->address(), clients[i], failure));
    f.loop.run();
    CHECK_FALSE(failure);
    REQUIRE(std::ssize(crowd.streams) == crowd.expected);
    CHECK(*std::max_element(crowd.turns.begin(), crowd.turns.end()) ==
          limits::accepts_per_turn_max);
  }
}

TEST_CASE("workers share a port") {
  Fixture f;
  Server one, two;
  const auto first = *f.sockets.listen(kAnyPort, PortSharing::between_workers, one);
  const auto second = f.sockets.listen(first->address(), PortSharing::between_workers, two);
  REQUIRE(second);
  CHECK((*second)->address() == first->address());
}

TEST_CASE("a connect that was dropped leaves nothing behind") {
  Fixture f;
  std::optional<Error> failure;
  Task<> task = connect_only(f, {*IpAddress::parse("127.0.0.1"), 9}, failure);
  task.start();
  task.drop();
  CHECK_FALSE(failure);  // and the loop's destructor finds no open handle
}

TEST_CASE("a local socket serves our own user") {
  Fixture f;
  Server server, client;
  server.echoes = true;
  const mg::test::TempDir folder;
  const std::string path = folder / "local.sock";
  {
    const auto listener = *f.sockets.listen_local(path, server);
    struct Wait {
      static Task<> run(Fixture& fixture, std::string at, Server& c) {
        Result<std::unique_ptr<Stream>> connected = co_await fixture.sockets.connect_local(at);
        REQUIRE(connected);
        c.stream = std::move(*connected);
        c.stream->read_start(c);
        CHECK(c.stream->write("hello"));
      }
    };
    client.on_received = [&] { f.loop.stop(); };
    f.loop.spawn(Wait::run(f, path, client));
    f.loop.run();
    CHECK(client.received == "hello");
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

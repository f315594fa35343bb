// What bodies may cost a worker: the time they may take, and the memory of all of them together.
#include <catch2/catch.hpp>

#include "http/server_connection.h"
#include "unit/http/peer.h"

using namespace mg;
using namespace mg::http;
using http::test::kHere;
using http::test::kThere;
using http::test::Peer;
using http::test::SimStream;

namespace {

constexpr size_t kFree = limits::body_bytes_uncounted;

// Reads a body and takes a while to answer; lets go of it before that where the path says so.
struct Reader final : Handler {
  explicit Reader(event::Loop& l) : loop(l) {}
  event::Task<> serve(ServerConnection& client) override {
    const bool lets_go = client.head().path() == "/let-go";
    Result<std::string> body = co_await client.read_body();
    if (!body) {
      errors.push_back(body.error().code);
      client.respond(400, {}, {});
      co_return;
    }
    bytes.push_back(body->size());
    if (lets_go) client.release_body();
    co_await event::sleep_ms(loop, 5000);
    client.respond(200, {}, {});
  }
  void reject(ServerConnection& client, const ParseError& error) override {
    client.respond(error.status, {}, error.reason);
  }
  event::Loop& loop;
  std::vector<Errc> errors;
  std::vector<size_t> bytes;  // of the bodies that came
};

struct Guest {
  std::unique_ptr<ServerConnection> connection;
  std::unique_ptr<Peer> client;
};

struct RoomFixture {
  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  ServerLimits limits;
  ServerShared shared{loop, limits, {}, Pressure::none, {}};
  Reader reader{loop};
  std::vector<std::unique_ptr<Guest>> guests;

  ~RoomFixture() {
    loop.cancel_spawned();
    guests.clear();
    CHECK(shared.bodies_bytes == 0);
  }
  Peer& enter(const std::string& head, size_t body_bytes) {
    SimStream::Pair pair = SimStream::make_pair(loop, kHere, kThere);
    auto guest = std::make_unique<Guest>();
    guest->connection = std::make_unique<ServerConnection>(shared, std::move(pair.far), reader);
    guest->client = std::make_unique<Peer>(std::move(pair.near));
    loop.spawn(guest->connection->run());
    guest->client->say(head + std::string(body_bytes, 'x'));
    loop.run_for_ms(1);
    guests.push_back(std::move(guest));
    return *guests.back()->client;
  }
  // One who announces so much and sends so much of it.
  Peer& post(size_t announced, size_t sent, const std::string& path = "/keep") {
    return enter("POST " + path + " HTTP/1.1\r\nhost: a\r\ncontent-length: " +
                     std::to_string(announced) + "\r\n\r\n",
                 sent);
  }
  Peer& post_chunk(size_t announced, size_t sent) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", announced);
    return enter(
        std::string("POST /keep HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n") + size,
        sent);
  }
  // So many bytes at a time, until there is an answer or so much time has passed.
  int64_t send_slowly(Peer& client, size_t bytes, int64_t every_ms, int64_t most_ms) {
    int64_t passed_ms = 0;
    for (; passed_ms < most_ms && client.received.empty(); passed_ms += every_ms) {
      client.say(std::string(bytes, 'x'));
      loop.run_for_ms(every_ms);
    }
    return passed_ms;
  }
};

}  // namespace

TEST_CASE("a body may come at the slowest rate for ever, and not slower") {
  constexpr size_t kRate = limits::body_bytes_per_s_min;
  {
    RoomFixture f;
    Peer& client = f.post(30'000'000, 0);
    CHECK(f.send_slowly(client, kRate, 1000, 3'600'000) == 3'600'000);
    CHECK(f.reader.errors.empty());
  }
  {
    RoomFixture f;
    Peer& client = f.post(30'000'000, 0);
    CHECK(f.send_slowly(client, kRate - kRate / 10, 1000, 3'600'000) < 400'000);
    CHECK(f.reader.errors == std::vector{Errc::timeout});
  }
}

TEST_CASE("a body that came fast may pause for its timeout, and earns no more than that") {
  RoomFixture f;
  Peer& client = f.post(10'000'000, 5'000'000);
  f.loop.run_for_ms(f.limits.body_timeout_ms - 100);
  client.say(std::string(1'000'000, 'x'));
  f.loop.run_for_ms(f.limits.body_timeout_ms - 100);
  CHECK(f.reader.errors.empty());
  client.say(std::string(1'000'000, 'x'));
  const int64_t held_ms = f.send_slowly(client, 1, 2000, 3'600'000);
  CHECK(held_ms >= f.limits.body_timeout_ms);
  CHECK(held_ms <= f.limits.body_timeout_ms + 4000);
  CHECK(f.reader.errors == std::vector{Errc::timeout});
}

TEST_CASE("bodies fill what there is for them to the byte, and one more finds no room") {
  for (const size_t past : {size_t{0}, size_t{1}}) {
    RoomFixture f;
    f.limits.bodies_bytes_max = 1'000'000;
    f.post(kFree + 600'000, kFree + 500'000);
    f.post(kFree + 500'000 + past, 0);
    CHECK(f.reader.errors == (past ? std::vector{Errc::overloaded} : std::vector<Errc>{}));
  }
  for (const size_t past : {size_t{0}, size_t{1}}) {  // what comes in chunks announces nothing
    RoomFixture f;
    f.limits.bodies_bytes_max = 1'000'000;
    f.post_chunk(2'000'000, kFree + 600'000);
    f.post_chunk(2'000'000, kFree + 400'000 + past);
    CHECK(f.reader.errors == (past ? std::vector{Errc::overloaded} : std::vector<Errc>{}));
    CHECK(f.shared.bodies_bytes == (past ? 600'000 : 1'000'000));
  }
}

TEST_CASE("who finds no room is told so at once and closed; small bodies are always taken") {
  RoomFixture f;
  f.limits.bodies_bytes_max = 1'000'000;
  f.post(kFree + 1'000'000, kFree + 999'999);
  Peer& large = f.post(kFree + 1'000'000, 100'000);
  CHECK(f.reader.errors == std::vector{Errc::overloaded});
  f.loop.run_for_ms(2000);
  CHECK(large.received.starts_with("HTTP/1.1 400"));
  CHECK(large.end);
  Peer& small = f.post(kFree, kFree);
  f.loop.run_for_ms(5000);
  CHECK(small.received.starts_with("HTTP/1.1 200"));
  CHECK(f.reader.bytes == std::vector{kFree});
  f.post(kFree + 1, kFree);  // the one byte that is left
  CHECK(f.reader.errors.size() == 1);
  f.post(kFree + 2, kFree);
  CHECK(f.reader.errors.size() == 2);
}

TEST_CASE("a body takes room until it is let go, or its request ends, or its client leaves") {
  RoomFixture f;
  f.limits.bodies_bytes_max = 1'000'000;
  f.post(kFree + 900'000, kFree + 900'000, "/let-go");
  CHECK(f.shared.bodies_bytes == 0);
  Peer& kept = f.post(kFree + 900'000, kFree + 900'000);
  CHECK(f.shared.bodies_bytes == 900'000);
  f.loop.run_for_ms(5000);
  CHECK(kept.received.starts_with("HTTP/1.1 200"));
  CHECK(f.shared.bodies_bytes == 0);
  Peer& leaver = f.post(kFree + 900'000, kFree + 800'000);
  CHECK(f.shared.bodies_bytes == 800'000);
  leaver.stream->abort();
  f.loop.run_for_ms(10);
  CHECK(f.shared.bodies_bytes == 0);
  Peer& slow = f.post(kFree + 900'000, kFree + 800'000);
  f.loop.run_for_ms(f.limits.body_timeout_ms + 10);
  CHECK(slow.received.starts_with("HTTP/1.1 400"));
  CHECK(f.shared.bodies_bytes == 0);
}

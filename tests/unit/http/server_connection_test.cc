// The server's end of HTTP over the simulated network: a client's raw bytes against
// ServerConnection.
#include <catch2/catch.hpp>

#include "base/text.h"
#include "http/server_connection.h"
#include "unit/http/peer.h"

using namespace mg;
using namespace mg::http;
using http::test::kHere;
using http::test::kThere;
using http::test::Peer;
using http::test::SimStream;

namespace {

// Answers by the path it is asked for.
struct Answers final : Handler, GoneSink {
  explicit Answers(event::Loop& l) : loop(l) {}
  event::Task<> serve(ServerConnection& client) override {
    const std::string path(client.head().path());
    seen.push_back(path);
    if (path == "/echo") {
      const Result<std::string> body = co_await client.read_body();
      body_error = body ? std::nullopt : std::optional(body.error().code);
      client.respond(body ? 200 : 400, {}, body ? *body : "no body");
    } else if (path == "/slow") {
      client.watch_gone(this);
      co_await event::sleep_ms(loop, 1000);
      client.watch_gone(nullptr);
      client.respond(200, {}, "late");
    } else if (path == "/stream") {
      client.begin(200, {});
      for (std::string_view piece : {"one", "two"}) {
        CHECK(client.write(std::span(&piece, 1)));
        co_await event::sleep_ms(loop, 10);
      }
      const std::string_view last = "three";
      client.finish(std::span(&last, 1));
    } else if (path == "/flood") {
      client.begin(200, {});
      const std::string block(64 * 1024, 'x');
      for (int i = 0; i < 100; ++i) {
        const std::string_view piece = block;
        const Result<> sent = client.write(std::span(&piece, 1));
        if (!sent) co_return;
        if (!client.is_backed_up()) continue;
        const Result<> drained = co_await client.drained();
        drain_error = drained ? std::nullopt : std::optional(drained.error().code);
        if (!drained) co_return;
      }
      client.finish();
    } else if (path == "/broken") {
      client.begin(200, {});
      const std::string_view piece = "some";
      CHECK(client.write(std::span(&piece, 1)));
      client.break_off("sorry");
    } else if (path == "/forget") {
      co_return;  // no answer at all
    } else {
      client.respond(200, {}, path);
    }
  }
  void reject(ServerConnection& client, const ParseError& error) override {
    rejected = error.status;
    client.respond(error.status, {}, error.reason);
  }
  void on_client_gone() override { ++gone; }

  event::Loop& loop;
  std::vector<std::string> seen;
  std::optional<Errc> body_error, drain_error;
  int rejected = 0;
  int gone = 0;
};

struct ServerFixture {
  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  ServerLimits limits;
  ServerShared shared{loop, limits, {}, Pressure::none, {}};
  Answers answers{loop};
  std::unique_ptr<ServerConnection> connection;
  std::unique_ptr<Peer> client;
  bool ended = false;

  ServerFixture() {
    SimStream::Pair pair = SimStream::make_pair(loop, kHere, kThere);
    connection = std::make_unique<ServerConnection>(shared, std::move(pair.far), answers);
    client = std::make_unique<Peer>(std::move(pair.near));
    loop.spawn(run());
  }
  ~ServerFixture() { loop.cancel_spawned(); }
  event::Task<> run() {
    co_await connection->run();
    ended = true;
    connection.reset();
  }
  std::string get(const std::string& path, const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nhost: a\r\n" + more + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& body,
                          const std::string& more = "") {
    return "POST " + path +
           " HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
           more + "\r\n" + body;
  }
  int answers_received() const {
    int count = 0;
    for (size_t at = 0; (at = client->received.find("HTTP/1.1 ", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
};

// Field names are written in whatever case the writer likes.
bool contains(const std::string& text, const std::string& part) {
  return to_lower(text).find(to_lower(part)) != std::string::npos;
}

}  // namespace

TEST_CASE("a connection serves one request after the other, and stays open") {
  ServerFixture f;
  f.client->say(f.get("/a"));
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, "HTTP/1.1 200 OK\r\n"));
  CHECK(contains(f.client->received, "\r\n\r\n/a"));
  f.client->say(f.get("/b"));
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, "\r\n\r\n/b"));
  CHECK_FALSE(f.client->end);
  CHECK(f.connection->is_idle());
}

TEST_CASE("pipelined requests are answered in order, also when they come byte by byte") {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{65536}}) {
    ServerFixture f;
    f.client->stream->piece_bytes = 65536;
    const std::string all = f.get("/slow") + ServerFixture::post("/echo", "hello") + f.get("/c");
    for (size_t at = 0; at < all.size(); at += piece) {
      f.client->say(all.substr(at, piece));
      f.loop.settle();
    }
    f.loop.run_for_ms(2000);
    CHECK(f.answers.seen == std::vector<std::string>{"/slow", "/echo", "/c"});
    const size_t late = f.client->received.find("late");
    const size_t hello = f.client->received.find("hello");
    CHECK(late < hello);
    CHECK(hello < f.client->received.find("/c"));
    CHECK(f.answers_received() == 3);
  }
}

TEST_CASE("what a client sends ahead is bounded") {
  ServerFixture f;
  std::string many = f.get("/slow");
  while (many.size() < 10 * limits::pipelined_bytes_max) many += f.get("/x");
  const size_t before = many.size();
  f.client->say(many);
  f.loop.run_for_ms(500);  // while /slow is served
  CHECK(f.client->stream->queued_bytes() > before / 2 - f.client->stream->window_bytes);
  f.loop.run_for_ms(2000);
  CHECK(f.client->stream->queued_bytes() == 0);  // and nothing was lost
  CHECK(f.answers.seen.size() > 1000);
}

TEST_CASE("a body comes with its length or in chunks, and is asked for where the client waits") {
  ServerFixture f;
  f.client->say(ServerFixture::post("/echo", std::string(300'000, 'b')));
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, std::string(300'000, 'b')));
  f.client->say(
      "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, "abcde"));
  f.client->received.clear();
  f.client->say(
      "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n"
      "expect: 100-continue\r\n\r\n");
  f.loop.run_for_ms(10);
  CHECK(f.client->received == kContinue);
  f.client->say("ok");
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, "\r\n\r\nok"));
}

TEST_CASE("a body at the limit is taken, one byte more is not") {
  for (const size_t size : {size_t{1000}, size_t{1001}}) {
    mg::test::VirtualClock clock;
    mg::test::SimLoop loop(clock);
    ServerLimits limits;
    limits.body_bytes_max = 1000;
    ServerShared shared{loop, limits, {}, Pressure::none, {}};
    Answers answers(loop);
    SimStream::Pair pair = SimStream::make_pair(loop, kHere, kThere);
    ServerConnection connection(shared, std::move(pair.far), answers);
    Peer client(std::move(pair.near));
    loop.spawn(connection.run());
    client.say(ServerFixture::post("/echo", std::string(size, 'x')));
    loop.run_for_ms(5000);
    if (size == 1000) {
      CHECK(contains(client.received, "200 OK"));
    } else {
      const bool refused_in_head = answers.rejected == 413;
      const bool refused_in_body = answers.body_error == Errc::too_large;
      CHECK((refused_in_head || refused_in_body));
      CHECK(client.end);
    }
    loop.cancel_spawned();
  }
}

TEST_CASE("what is no request is refused, and the connection ends") {
  ServerFixture f;
  f.client->say("GET / HTTP/1.1\r\n\r\n");  // no Host
  f.loop.run_for_ms(3000);
  CHECK(f.answers.rejected == 400);
  CHECK(contains(f.client->received, "HTTP/1.1 400"));
  CHECK(contains(f.client->received, "connection: close"));
  CHECK(f.client->end);
  CHECK(f.ended);
  CHECK(f.answers.seen.empty());
}

TEST_CASE("garbage behind a good request is refused after its answer") {
  ServerFixture f;
  f.client->say(f.get("/a") + "\x01garbage\r\n\r\n");
  f.loop.run_for_ms(3000);
  CHECK(contains(f.client->received, "\r\n\r\n/a"));
  CHECK(contains(f.client->received, "HTTP/1.1 400"));
  CHECK(f.ended);
}

TEST_CASE("streams are chunked for HTTP/1.1 and end with the connection for 1.0") {
  ServerFixture f;
  f.client->say(f.get("/stream"));
  f.loop.run_for_ms(100);
  CHECK(contains(f.client->received, "transfer-encoding: chunked"));
  CHECK(contains(f.client->received, "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"));
  CHECK_FALSE(f.client->end);
  ServerFixture old;
  old.client->say("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  old.loop.run_for_ms(3000);
  CHECK(contains(old.client->received, "\r\n\r\nonetwothree"));
  CHECK(old.client->end);
}

TEST_CASE("HEAD gets the fields of an answer and no body") {
  ServerFixture f;
  f.client->say("HEAD /abc HTTP/1.1\r\nhost: a\r\n\r\n");
  f.loop.run_for_ms(10);
  CHECK(contains(f.client->received, "content-length: 4"));
  CHECK(f.client->received.ends_with("\r\n\r\n"));
}

TEST_CASE("a client that leaves is noticed at once, by an end or by a break") {
  for (const bool orderly : {true, false}) {
    ServerFixture f;
    f.client->say(f.get("/slow"));
    f.loop.run_for_ms(10);
    if (orderly) {
      f.client->stream->finish();
    } else {
      f.client->stream->abort();
    }
    f.loop.settle();
    CHECK(f.answers.gone == 1);
    f.loop.run_for_ms(5000);
    CHECK(f.ended);
  }
}

TEST_CASE("an answer that breaks off does not end like one that is complete") {
  ServerFixture f;
  f.client->say(f.get("/broken"));
  f.loop.run_for_ms(3000);
  CHECK(contains(f.client->received, "some"));
  CHECK(contains(f.client->received, "sorry"));
  CHECK_FALSE(contains(f.client->received, "0\r\n\r\n"));
  CHECK(f.client->end);
}

TEST_CASE("a handler that forgets to answer costs the client its connection, not the server") {
  ServerFixture f;
  f.client->say(f.get("/forget"));
  f.loop.run_for_ms(10);
  CHECK(f.client->end);
  CHECK(f.ended);
}

TEST_CASE("idle connections, slow heads and slow bodies have their deadlines") {
  {
    ServerFixture f;
    f.loop.run_for_ms(f.limits.idle_timeout_ms - 10);
    CHECK_FALSE(f.client->end);
    f.loop.run_for_ms(2000);
    CHECK(f.client->end);
    CHECK(f.client->received.empty());
  }
  {
    ServerFixture f;
    f.client->say("GET / HT");
    f.loop.run_for_ms(f.limits.head_timeout_ms - 10);
    CHECK(f.client->received.empty());
    f.loop.run_for_ms(3000);
    CHECK(contains(f.client->received, "HTTP/1.1 408"));
    CHECK(f.client->end);
  }
  {
    ServerFixture f;
    f.client->say("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nsome");
    f.loop.run_for_ms(f.limits.body_timeout_ms + 2000);
    CHECK(f.answers.body_error == Errc::timeout);
    CHECK(f.client->end);
  }
}

TEST_CASE("a client that takes nothing is cut off after its deadline; one that is slow is not") {
  {
    ServerFixture f;
    f.client->say(f.get("/flood"));
    f.client->stream->read_stop();
    f.loop.settle();
    f.loop.run_for_ms(f.limits.write_timeout_ms + 1000);
    CHECK(f.answers.drain_error == Errc::timeout);
    CHECK(f.ended);
  }
  {
    ServerFixture f;
    f.client->stream->piece_bytes = 4096;
    f.client->say(f.get("/flood"));
    for (int i = 0; i < 4000; ++i) {  // 4 KiB every 20 ms: slower than any deadline for the whole
      f.client->stream->read_stop();
      f.loop.run_for_ms(20);
      f.client->stream->read_start(*f.client);
      f.loop.turn();
    }
    CHECK_FALSE(f.answers.drain_error);
  }
}

TEST_CASE("under pressure answers end their connection; drained ones end when idle") {
  ServerFixture f;
  f.shared.pressure = Pressure::no_keep_alive;
  f.client->say(f.get("/a"));
  f.loop.run_for_ms(3000);
  CHECK(contains(f.client->received, "connection: close"));
  CHECK(f.client->end);
  ServerFixture idle;
  idle.loop.run_for_ms(10);
  idle.connection->end_when_idle();
  idle.loop.run_for_ms(3000);
  CHECK(idle.client->end);
  ServerFixture busy;
  busy.client->say(busy.get("/slow"));
  busy.loop.run_for_ms(10);
  busy.connection->end_when_idle();
  busy.loop.run_for_ms(5000);
  CHECK(contains(busy.client->received, "late"));
  CHECK(busy.client->end);
}

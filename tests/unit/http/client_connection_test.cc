// The client's end of HTTP over the simulated network: ClientConnection against an upstream's raw
// bytes.
#include "http/client_connection.h"

#include <catch2/catch.hpp>

#include "unit/http/peer.h"

using namespace mg;
using namespace mg::http;
using http::test::kHere;
using http::test::kThere;
using http::test::Peer;
using http::test::SimStream;

namespace {

struct ClientFixture {
  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  std::unique_ptr<ClientConnection> connection;
  std::unique_ptr<Peer> upstream;
  std::string request_body = "{}";
  std::optional<Result<ResponseHead>> head;
  std::string body;
  std::optional<Errc> body_error;
  bool complete = false;
  event::Task<> task;

  ClientFixture() {
    SimStream::Pair pair = SimStream::make_pair(loop, kHere, kThere);
    connection = std::make_unique<ClientConnection>(loop, std::move(pair.near));
    upstream = std::make_unique<Peer>(std::move(pair.far));
  }
  event::Task<> exchange(int64_t pause_ms) {
    const std::string_view sent = request_body;
    const std::string request_head =
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(sent.size()) + "\r\n\r\n";
    connection->send(Method::post, request_head, std::span(&sent, 1));
    Result<ResponseHead> answer = co_await connection->read_head(1000);
    head.emplace(std::move(answer));
    if (!*head) co_return;
    for (;;) {
      const Result<std::span<const std::string_view>> pieces = co_await connection->read(500);
      if (!pieces) {
        body_error = pieces.error().code;
        co_return;
      }
      if (pieces->empty()) break;
      for (std::string_view piece : *pieces) body.append(piece);
      if (pause_ms) co_await event::sleep_ms(loop, pause_ms);
    }
    complete = true;
  }
  void start(int64_t pause_ms = 0) {
    loop.turn();
    task = exchange(pause_ms);
    task.start();
    loop.settle();
  }
};

}  // namespace

TEST_CASE("an answer arrives whole however it is cut, and the connection serves again") {
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1000}}) {
    ClientFixture f;
    for (int round = 0; round < 3; ++round) {
      f.body.clear();
      f.complete = false;
      f.start();
      const std::string answer = round % 2 ? "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
                                           : "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                             "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
      for (size_t at = 0; at < answer.size(); at += piece) {
        f.upstream->say(answer.substr(at, piece));
        f.loop.settle();
      }
      CHECK(f.body == "hello");
      CHECK(f.complete);
      CHECK(f.connection->is_reusable());
      f.connection->rest();
    }
  }
}

TEST_CASE("a reader that pauses gets every byte once, and holds the upstream back meanwhile") {
  ClientFixture f;
  f.start(50);
  std::string sent;
  f.upstream->say("HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n");
  for (int i = 0; sent.size() < 2'000'000; ++i) sent += std::to_string(i) + " ";
  sent.resize(2'000'000);
  f.upstream->say(sent);
  f.loop.run_for_ms(100);
  CHECK(f.body.size() < 500'000);
  CHECK(f.upstream->stream->queued_bytes() > 1'000'000);
  f.loop.run_for_ms(10'000);
  CHECK(f.body == sent);
  CHECK(f.complete);
}

TEST_CASE("an upstream that says nothing, or stops in the middle, costs its deadline") {
  ClientFixture silent;
  silent.start();
  silent.loop.run_for_ms(990);
  CHECK_FALSE(silent.head);
  silent.loop.run_for_ms(20);
  REQUIRE(silent.head);
  CHECK(silent.head->error().code == Errc::timeout);
  CHECK_FALSE(silent.connection->is_reusable());
  ClientFixture stalled;
  stalled.start();
  stalled.upstream->say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
  stalled.loop.run_for_ms(490);
  CHECK(stalled.body == "he");
  CHECK_FALSE(stalled.body_error);
  stalled.loop.run_for_ms(20);
  CHECK(stalled.body_error == Errc::timeout);
}

TEST_CASE("how an upstream ends the connection is told apart") {
  ClientFixture closed;
  closed.start();
  closed.upstream->stream->finish();
  closed.loop.settle();
  CHECK(closed.head->error().code == Errc::closed);  // not a byte came: safe to ask anew
  ClientFixture reset;
  reset.start();
  reset.upstream->stream->abort();
  reset.loop.settle();
  CHECK(reset.head->error().code == Errc::closed);  // the same, ruder
  ClientFixture reset_later;
  reset_later.start();
  reset_later.upstream->say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
  reset_later.loop.settle();
  reset_later.upstream->stream->abort();
  reset_later.loop.settle();
  CHECK(reset_later.body_error == Errc::io);
  ClientFixture cut;
  cut.start();
  cut.upstream->say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
  cut.loop.settle();
  cut.upstream->stream->finish();
  cut.loop.settle();
  CHECK(cut.body == "he");
  CHECK(cut.body_error == Errc::protocol);
  ClientFixture until_close;
  until_close.start();
  until_close.upstream->say("HTTP/1.0 200 OK\r\n\r\nall of it");
  until_close.loop.settle();
  until_close.upstream->stream->finish();
  until_close.loop.settle();
  CHECK(until_close.body == "all of it");
  CHECK(until_close.complete);
  CHECK_FALSE(until_close.connection->is_reusable());
}

TEST_CASE("more than one answer is never taken for an answer to something else") {
  ClientFixture f;
  f.start();
  const std::string answer = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";
  f.upstream->say(answer + answer);
  f.loop.settle();
  CHECK(f.body == "a");
  CHECK_FALSE(f.connection->is_reusable());
  ClientFixture later;
  later.start();
  later.upstream->say(answer);
  later.loop.settle();
  CHECK(later.connection->is_reusable());
  later.connection->rest();
  later.upstream->say(answer);
  later.loop.settle();
  CHECK_FALSE(later.connection->is_reusable());
}

TEST_CASE("a connection on which a request is still queued serves no other") {
  ClientFixture f;
  f.request_body.assign(1'000'000, 'x');
  f.upstream->stream->read_stop();
  f.start();
  f.upstream->say("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
  f.loop.settle();
  CHECK(f.body == "no");
  CHECK(f.complete);
  CHECK_FALSE(f.connection->is_reusable());
  f.upstream->stream->read_start(*f.upstream);
  f.loop.settle();
  CHECK(f.upstream->received.ends_with("xxx"));
  CHECK(f.connection->is_reusable());  // all of it went out after all
}

TEST_CASE("a wait can be ended from outside") {
  ClientFixture f;
  f.start();
  f.connection->interrupt({Errc::interrupted, "enough"});
  REQUIRE(f.head);
  CHECK(f.head->error().code == Errc::interrupted);
  ClientFixture in_body;
  in_body.start();
  in_body.upstream->say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
  in_body.loop.settle();
  in_body.connection->interrupt({Errc::interrupted, "enough"});
  CHECK(in_body.body_error == Errc::interrupted);
}

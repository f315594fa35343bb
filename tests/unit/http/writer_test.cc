#include "http/writer.h"

#include <catch2/catch.hpp>

#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;

TEST_CASE("a request head says its length once, whatever the fields claim") {
  Headers headers;
  headers.add("Content-Type", "application/json");
  headers.add("content-length", "99");
  headers.add("Transfer-Encoding", "chunked");
  headers.add("Connection", "close");
  std::string out;
  REQUIRE(write_request_head(out, Method::post, "/v1/x?y=1", "api.example.com:8443", headers,
                             Framing::length(5)));
  CHECK(out ==
        "POST /v1/x?y=1 HTTP/1.1\r\nHost: api.example.com:8443\r\n"
        "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n");
  const Found found = parse_requests(out + "hello");
  CHECK(found.complete == 1);
  CHECK(found.last_body == "hello");
}

TEST_CASE("a body is announced where the method usually has one") {
  std::string out;
  REQUIRE(write_request_head(out, Method::post, "/", "a", {}, Framing::none()));
  CHECK(out == "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  REQUIRE(write_request_head(out, Method::get, "/", "a", {}, Framing::none()));
  CHECK(out == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  out.clear();
  REQUIRE(write_request_head(out, Method::put, "/", "a", {}, Framing::chunked()));
  CHECK(out == "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("a prepared head is the head it would have been, whatever its length") {
  Headers headers;
  headers.add("accept", "text/event-stream");
  const auto prepared = PreparedHead::make(Method::post, "/v1/x", "a:81", headers);
  REQUIRE(prepared);
  for (uint64_t bytes : {uint64_t{0}, uint64_t{9}, uint64_t{1'024}, UINT64_MAX}) {
    std::string out;
    REQUIRE(
        write_request_head(out, Method::post, "/v1/x", "a:81", headers, Framing::length(bytes)));
    CHECK(prepared->with_length(bytes) == out);
  }
  CHECK(!PreparedHead::make(Method::post, "/a b", "a", headers));
  CHECK(!PreparedHead::make(Method::post, "/a", "a b", headers));
}

TEST_CASE("targets and hosts that say more than one thing are refused") {
  std::string out;
  for (std::string_view target : {"", "x", "/a b", "/a\r\nX: y", "http://b/", "/\x80", "*"})
    CHECK(!write_request_head(out, Method::get, target, "a", {}, Framing::none()));
  for (std::string_view host : {"", "a b", "a\r\nX: y", "u@a", "a/b", "a:99999"})
    CHECK(!write_request_head(out, Method::get, "/", host, {}, Framing::none()));
  CHECK(out.empty());
}

TEST_CASE("an answer's head is what the parser reads back") {
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  Headers headers;
  headers.add("Content-Type", "text/event-stream");
  std::string out;
  write_response_head(out, 200, headers, Framing::chunked(), Connection::keep_alive, date);
  CHECK(out ==
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  out.append(ChunkLine(3).view()).append("abc").append(kChunkEnd);
  out.append(ChunkLine(255).view()).append(std::string(255, 'x')).append(kChunkEnd);
  out.append(kLastChunk);
  const Found found = parse_response(out);
  CHECK(found.complete == 1);
  CHECK(found.last_body == "abc" + std::string(255, 'x'));
  CHECK(!found.closes);

  out.clear();
  write_response_head(out, 402, {}, Framing::none(), Connection::close, date);
  CHECK(out.find("402 Payment Required\r\n") != std::string::npos);
  CHECK(out.find("Content-Length: 0\r\nConnection: close\r\n\r\n") != std::string::npos);
  out.clear();
  write_response_head(out, 204, {}, Framing::length(5), Connection::keep_alive, date);
  CHECK(out.find("Content-Length") == std::string::npos);
  out.clear();
  write_response_head(out, 200, {}, Framing::until_close(), Connection::close, date);
  CHECK(out.find("Content-Length") == std::string::npos);
}

TEST_CASE("chunk lines are hexadecimal without zeros in front") {
  CHECK(ChunkLine(1).view() == "1\r\n");
  CHECK(ChunkLine(16).view() == "10\r\n");
  CHECK(ChunkLine(0xabcdef).view() == "abcdef\r\n");
  CHECK(ChunkLine(SIZE_MAX).view() == "ffffffffffffffff\r\n");
}

TEST_CASE("the date is made anew when the second changes") {
  HttpDate date;
  CHECK(date.at(784111777'000) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(784111777'999) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(784111778'000) == "Sun, 06 Nov 1994 08:49:38 GMT");
}

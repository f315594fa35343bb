#include "http/parser.h"

#include <catch2/catch.hpp>

#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;

namespace {

const std::string kStart = "POST /v1/x HTTP/1.1\r\nHost: a\r\n";
const std::string kChunkedStart = kStart + "Transfer-Encoding: chunked\r\n\r\n";

// The verdict must not depend on how the bytes arrive.
int status_of(const std::string& bytes, const ParseLimits& limits = {}) {
  const Found whole = parse_requests(bytes, {}, limits);
  for (size_t step : {1, 5, 1000}) {
    const Found cut = parse_requests(bytes, cuts_every(bytes.size(), step), limits);
    CHECK(cut.story == whole.story);
  }
  return whole.error_status;
}

int response_status_of(const std::string& bytes, Method asked = Method::post) {
  const Found whole = parse_response(bytes, asked);
  CHECK(parse_response(bytes, asked, cuts_every(bytes.size(), 1)).story == whole.story);
  return whole.error_status;
}

std::string fields(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += "A" + std::to_string(i) + ": b\r\n";
  return out;
}

}  // namespace

TEST_CASE("a request is a head, its body in place, and an end") {
  RequestParser parser;
  CHECK(parser.is_idle());
  const std::string bytes = kStart + "Content-Length: 5\r\n\r\nhelloGET";
  Parsed parsed = parser.feed(bytes);
  REQUIRE(parsed.event == ParseEvent::head);
  const RequestHead head = parser.take_head();
  CHECK(head.method == Method::post);
  CHECK(head.path() == "/v1/x");
  CHECK(head.host() == "a");
  CHECK(head.body == Framing::length(5));
  CHECK(head.keep_alive);
  std::string_view rest = std::string_view(bytes).substr(parsed.consumed);
  parsed = parser.feed(rest);
  REQUIRE(parsed.event == ParseEvent::body);
  CHECK(parsed.body == "hello");
  CHECK(parsed.body.data() == rest.data());  // no copy
  rest.remove_prefix(parsed.consumed);
  parsed = parser.feed(rest);
  REQUIRE(parsed.event == ParseEvent::complete);
  CHECK(parsed.consumed == 0);  // what follows is the next request's
  CHECK(rest == "GET");
  CHECK(parser.is_idle());
  CHECK(parser.feed("").event == ParseEvent::need_more);
  CHECK(parser.feed(rest).event == ParseEvent::need_more);
  CHECK(parser.is_in_head());
}

TEST_CASE("a request without body completes without further bytes") {
  RequestParser parser;
  REQUIRE(parser.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").event == ParseEvent::head);
  CHECK(parser.feed("").event == ParseEvent::complete);
  CHECK(parser.is_idle());
}

TEST_CASE("a chunked body yields its pieces and nothing else") {
  const Found found =
      parse_requests(kChunkedStart + "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n");
  CHECK(found.complete == 1);
  CHECK(found.last_body == "abc0123456789");
  CHECK(found.story.find("X-Sum") == std::string::npos);
}

TEST_CASE("the parser stays small, for there are thousands of them") {
  CHECK(sizeof(RequestParser) <= 384);
  CHECK(sizeof(ResponseParser) <= 384);
}

TEST_CASE("bounds on heads hold at their edge and not beyond") {
  const std::string end = "\r\n";
  SECTION("target") {
    const auto with_target = [&](size_t size) {
      return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(status_of(with_target(limits::target_bytes_max)) == 0);
    CHECK(status_of(with_target(limits::target_bytes_max + 1)) == 414);
    CHECK(status_of(with_target(limits::head_bytes_max)) == 414);
  }
  SECTION("head") {
    const auto with_head = [&](size_t size) {
      const std::string before = kStart + "X: ";
      return before + std::string(size - before.size() - 4, 'b') + "\r\n\r\n";
    };
    CHECK(with_head(limits::head_bytes_max).size() == limits::head_bytes_max);
    CHECK(status_of(with_head(limits::head_bytes_max)) == 0);
    CHECK(status_of(with_head(limits::head_bytes_max + 1)) == 431);
  }
  SECTION("fields") {
    CHECK(status_of(kStart + fields(limits::header_count_max - 1) + end) == 0);
    CHECK(status_of(kStart + fields(limits::header_count_max) + end) == 431);
  }
  SECTION("name") {
    const auto with_name = [&](size_t size) {
      return kStart + std::string(size, 'n') + ": 1\r\n\r\n";
    };
    CHECK(status_of(with_name(limits::header_name_bytes_max)) == 0);
    CHECK(status_of(with_name(limits::header_name_bytes_max + 1)) == 431);
  }
  SECTION("length digits") {
    const ParseLimits wide{limits::head_bytes_max, UINT64_MAX};
    const auto with_digits = [&](size_t count) {
      return kStart + "Content-Length: " + std::string(count, '9') + "\r\n\r\n";
    };
    CHECK(status_of(with_digits(limits::content_length_digits_max), wide) == 0);
    CHECK(status_of(with_digits(limits::content_length_digits_max + 1), wide) == 400);
  }
}

TEST_CASE("bounds on bodies hold at their edge and not beyond") {
  SECTION("body by length") {
    const ParseLimits small{limits::head_bytes_max, 10};
    CHECK(status_of(kStart + "Content-Length: 10\r\n\r\n0123456789", small) == 0);
    CHECK(status_of(kStart + "Content-Length: 11\r\n\r\n", small) == 413);
    const auto of = [](uint64_t n) {
      return kStart + "Content-Length: " + std::to_string(n) + "\r\n\r\n";
    };
    CHECK(status_of(of(limits::body_bytes_max)) == 0);
    CHECK(status_of(of(limits::body_bytes_max + 1)) == 413);
  }
  SECTION("body by chunks") {
    const ParseLimits small{limits::head_bytes_max, 10};
    CHECK(status_of(kChunkedStart + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", small) == 0);
    CHECK(status_of(kChunkedStart + "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n", small) == 413);
    CHECK(status_of(kChunkedStart + "ffffffffffffffff\r\n", small) == 413);
    CHECK(status_of(kChunkedStart + "10000000000000000\r\n", small) == 400);
  }
  SECTION("chunk framing") {
    // The first size line may fill the base allowance: digits, extension and its CRLF.
    const auto with_line = [&](size_t size) {
      return kChunkedStart + "1;" + std::string(size - 4, 'x') + "\r\nA\r\n0\r\n\r\n";
    };
    CHECK(status_of(with_line(limits::chunk_overhead_base_bytes)) == 0);
    CHECK(status_of(with_line(limits::chunk_overhead_base_bytes + 1)) == 400);
    const auto many = [&](size_t overhead) {
      std::string bytes = kChunkedStart;
      for (int i = 0; i < 1000; ++i) bytes += "1;" + std::string(overhead - 6, 'x') + "\r\nA\r\n";
      return bytes + "0\r\n\r\n";
    };
    CHECK(status_of(many(limits::chunk_overhead_bytes_max)) == 0);
    CHECK(status_of(many(limits::chunk_overhead_bytes_max + 2)) == 400);
  }
  SECTION("trailers") {
    const size_t used = std::string("1\r\n\r\n0\r\n").size();
    const size_t allowed = limits::chunk_overhead_base_bytes + 2 * limits::chunk_overhead_bytes_max;
    const auto with_trailers = [&](size_t size) {
      return kChunkedStart + "1\r\nA\r\n0\r\nX: " + std::string(size - used - 7, 'x') + "\r\n\r\n";
    };
    CHECK(status_of(with_trailers(allowed)) == 0);
    CHECK(status_of(with_trailers(allowed + 1)) == 400);
  }
}

TEST_CASE("bounds on answers hold at their edge and not beyond") {
  SECTION("interim answers") {
    const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    const auto after = [&](size_t count) {
      std::string bytes;
      for (size_t i = 0; i < count; ++i) bytes += interim;
      return bytes + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    };
    CHECK(response_status_of(after(limits::informational_heads_max)) == 0);
    CHECK(response_status_of(after(limits::informational_heads_max + 1)) == 502);
  }
  SECTION("an answer's head and body") {
    const auto with_head = [&](size_t size) {
      const std::string before = "HTTP/1.1 200 OK\r\nX: ";
      return before + std::string(size - before.size() - 4, 'b') + "\r\n\r\n";
    };
    CHECK(response_status_of(with_head(limits::upstream_head_bytes_max)) == 0);
    CHECK(response_status_of(with_head(limits::upstream_head_bytes_max + 1)) == 502);
    const auto of = [](uint64_t length) {
      return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
    };
    const ParseLimits real{limits::upstream_head_bytes_max, limits::answer_bytes_max};
    CHECK(parse_response(of(limits::answer_bytes_max), Method::get, {}, real).heads == 1);
    CHECK(parse_response(of(limits::answer_bytes_max + 1), Method::get, {}, real).heads == 0);
    const ParseLimits small{limits::head_bytes_max, 10};
    const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
    CHECK(parse_response(head + "0123456789", Method::get, {}, small).complete == 1);
    CHECK(parse_response(head + "0123456789a", Method::get, {}, small).is_refused());
  }
}

TEST_CASE("framing fields have one spelling in requests") {
  const auto with = [](const std::string& field) { return kStart + field + "\r\n\r\n"; };
  CHECK(status_of(with("Content-Length: 3") + "abc") == 0);
  CHECK(status_of(with("Content-Length:3") + "abc") == 0);
  CHECK(status_of(with("Content-Length: 0")) == 0);
  for (const char* wrong :
       {"Content-Length:  3", "Content-Length:\t3", "Content-Length: 3 ", "Content-Length: 03",
        "Content-Length: 00", "Content-Length: +3", "Content-Length: 3,3", "Content-Length: 0x3",
        "Content-Length:", "Content-Length: 3\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:",
        "Transfer-Encoding:  chunked", "Transfer-Encoding: chunked ", "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked"}) {
    CAPTURE(wrong);
    CHECK(status_of(with(wrong) + "abc") == 400);
  }
  CHECK(status_of(with("Transfer-Encoding: gzip")) == 501);
  CHECK(status_of(with("Transfer-Encoding: identity")) == 501);
  CHECK(status_of(with("transfer-encoding: CHUNKED") + "0\r\n\r\n") == 0);
  CHECK(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("each refusal has its status") {
  const auto line = [](const std::string& first) { return first + "\r\nHost: a\r\n\r\n"; };
  CHECK(status_of(line("TRACE / HTTP/1.1")) == 501);
  CHECK(status_of(line("CONNECT a:443 HTTP/1.1")) == 501);
  CHECK(status_of(line("PROPFIND / HTTP/1.1")) == 501);
  CHECK(status_of(line("get / HTTP/1.1")) == 400);
  CHECK(status_of(line("GET / HTTP/1.2")) == 505);
  CHECK(status_of(line("GET / HTTP/2.0")) == 505);
  CHECK(status_of(line("GET / HTTP/0.9")) == 505);
  CHECK(status_of(line("GET / HTTP/1.10")) == 400);
  CHECK(status_of(line("GET /")) == 400);
  CHECK(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  CHECK(status_of(line("GET http://a/ HTTP/1.1")) == 400);
  CHECK(status_of(line("OPTIONS * HTTP/1.1")) == 0);
  CHECK(status_of(line("GET * HTTP/1.1")) == 400);
  CHECK(status_of(kStart + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na") == 0);
  CHECK(status_of(kStart + "Expect: x\r\n\r\n") == 417);
  CHECK(status_of(kStart + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n") == 417);
  CHECK(status_of("GET / HTTP/1.0\r\nExpect: x\r\n\r\n") == 0);
  CHECK(status_of(kStart + "A_B: 1\r\n\r\n") == 400);
  CHECK(status_of(kStart + "A: \xc3\xa9\r\n\r\n") == 0);
  CHECK(status_of(kStart + "A: \xe9\r\n\r\n") == 400);
  CHECK(status_of(kStart + "A: \xed\xa0\x80\r\n\r\n") == 400);
  CHECK(status_of(line("GET /\xc3\xa9 HTTP/1.1")) == 400);
  CHECK(status_of(kStart + "Content-Type: a\r\nContent-Type: a\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na") == 400);
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  CHECK(status_of("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
  CHECK(status_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("chunk framing is held to its plainest form") {
  const auto status = [](const std::string& body) { return status_of(kChunkedStart + body); };
  CHECK(status("1;a=b\r\nA\r\n0\r\n\r\n") == 0);
  CHECK(status("1;a=\"b\"\r\nA\r\n0\r\n\r\n") == 0);
  CHECK(status("1;a;b\r\nA\r\n0;e\r\n\r\n") == 0);
  CHECK(status("0a\r\n0123456789\r\n00\r\n\r\n") == 0);
  for (const char* wrong : {"1 \r\nA\r\n0\r\n\r\n",
                            "1\t\r\nA\r\n0\r\n\r\n",
                            "1;\r\nA\r\n0\r\n\r\n",
                            "1; a\r\nA\r\n0\r\n\r\n",
                            "1;;a\r\nA\r\n0\r\n\r\n",
                            "1;a;;b=c\r\nA\r\n0\r\n\r\n",
                            "1;=b\r\nA\r\n0\r\n\r\n",
                            "1\r\nA\r\n0;;a\r\n\r\n",
                            " 1\r\nA\r\n0\r\n\r\n",
                            "0x1\r\nA\r\n0\r\n\r\n",
                            "1\nA\r\n0\r\n\r\n",
                            "1\r\nA\n0\r\n\r\n",
                            "1\r\nA0\r\n\r\n",
                            "1\r\nAB\r\n0\r\n\r\n",
                            "1\r\nAXY0\r\n\r\n",
                            "-1\r\nA\r\n0\r\n\r\n",
                            "+1\r\nA\r\n0\r\n\r\n",
                            "\r\nA\r\n0\r\n\r\n",
                            "1;a\x01\r\nA\r\n0\r\n\r\n",
                            "1;a\rb\r\nA\r\n0\r\n\r\n",
                            "1;a\nb\r\nA\r\n0\r\n\r\n",
                            "1\r\nA\r\n0\r\n\n",
                            "1\r\nA\r\n0\r\n X: y\r\n\r\n",
                            "1\r\nA\r\n0\r\nX\r\n\r\n",
                            "1\r\nA\r\n0\r\nContent-Length: 5\r\n\r\n",
                            "1\r\nA\r\n0\r\nhost: b\r\n\r\n",
                            "1\r\nA\r\n0\r\nX: a\rb\r\n\r\n",
                            "1\r\nA\r\n0\r\nX_Y: a\r\n\r\n"}) {
    CAPTURE(wrong);
    CHECK(status(wrong) == 400);
  }
}

TEST_CASE("keep-alive follows the version and the Connection field") {
  const auto closes = [](const std::string& version, const std::string& connection) {
    const std::string field = connection.empty() ? "" : "Connection: " + connection + "\r\n";
    return parse_requests("GET / HTTP/" + version + "\r\nHost: a\r\n" + field + "\r\n").closes;
  };
  CHECK(!closes("1.1", ""));
  CHECK(closes("1.1", "close"));
  CHECK(closes("1.1", "keep-alive, Close"));
  CHECK(closes("1.0", ""));
  CHECK(!closes("1.0", "Keep-Alive"));
  CHECK(closes("1.0", "keep-alive, close"));
}

TEST_CASE("an upgrade is not what follows") {
  const Found found = parse_requests(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(found.complete == 2);
  CHECK(response_status_of("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n") == 502);
}

TEST_CASE("pipelined requests are read one after the other") {
  std::string bytes;
  for (int i = 0; i < 50; ++i) {
    bytes += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    bytes += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  const Found whole = parse_requests(bytes);
  CHECK(whole.complete == 100);
  for (size_t step : {1, 3, 17})
    CHECK(parse_requests(bytes, cuts_every(bytes.size(), step)).story == whole.story);
}

TEST_CASE("whether a body follows an answer depends on what was asked and on the status") {
  const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
  CHECK(parse_response(with_length + "abc").last_body == "abc");
  CHECK(parse_response(with_length, Method::head).complete == 1);
  CHECK(parse_response(with_length, Method::get).is_refused());
  CHECK(parse_response("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n").complete == 1);
  CHECK(parse_response("HTTP/1.1 204 X\r\n\r\n").complete == 1);
  const Found until_close = parse_response("HTTP/1.1 200 OK\r\n\r\nabc");
  CHECK(until_close.complete == 1);
  CHECK(until_close.last_body == "abc");
  CHECK(until_close.closes);
  CHECK(parse_response("HTTP/1.1 200 OK\r\nX: \xc3\xa9\r\nx_y: 1\r\nContent-Length: 0\r\n\r\n")
            .complete == 1);
  for (const char* wrong :
       {"HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n", "HTTP/1.1 20 X\r\n\r\n",
        "HTTP/1.2 200 X\r\n\r\n", "HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 X\r\nA: b\r\n c\r\n\r\n", "\r\nHTTP/1.1 200 X\r\n\r\n",
        "HTTP/1.1 200 X\n\r\n", "HTTP/1.1  200 X\r\n\r\n"}) {
    CAPTURE(wrong);
    CHECK(response_status_of(wrong) == 502);
  }
}

TEST_CASE("a connection carries one answer after the other, and only those") {
  ResponseParser parser;
  CHECK(parser.feed("").event == ParseEvent::need_more);
  CHECK(parser.finish().event == ParseEvent::need_more);  // an idle connection may end
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    parser.expect(Method::get);
    CHECK(parser.is_idle());
    REQUIRE(parser.feed(answer).event == ParseEvent::head);
    CHECK(parser.take_head().status == 200);
    CHECK(parser.feed("").event == ParseEvent::complete);
  }
  CHECK(parser.feed("HTTP/1.1 200 OK\r\n").event == ParseEvent::error);
  CHECK(parser.finish().event == ParseEvent::error);

  ResponseParser cut;
  cut.expect(Method::get);
  CHECK(cut.is_idle());
  CHECK(cut.finish().event == ParseEvent::error);

  ResponseParser interim;
  interim.expect(Method::get);
  CHECK(interim.feed("HTTP/1.1 103 X\r\n\r\n").event == ParseEvent::need_more);
  CHECK(!interim.is_idle());  // it has begun to answer: not a connection that died unused
}

#include "http/head_rules.h"

#include <catch2/catch.hpp>

using namespace mg::http;

TEST_CASE("a Host is a name or an address, with a port in range") {
  for (std::string_view good :
       {"a", "example.com", "EXAMPLE.com:80", "127.0.0.1:65535", "[::1]", "[2001:db8::1]:443",
        "xn--bcher-kva.example", "my_service:8080", "localhost:1"})
    CHECK(is_host(good));
  for (std::string_view bad : {"",       ":80", "a:",   "a:0", "a:65536", "a:080000",    "a:-1",
                               "a b",    "u@a", "a/b",  "a,b", "[::1",    "[127.0.0.1]", "[::1]x",
                               "[::1]:", "[]",  "a\\b", "a?b", "a%41",    "::1",         "a:1:2"})
    CHECK(!is_host(bad));
  CHECK(is_host(std::string(253, 'a')));
  CHECK(!is_host(std::string(254, 'a')));
}

TEST_CASE("a target is a path in visible ASCII with whole escapes") {
  for (std::string_view good : {"/", "/a?b=c", "/%20%7E%c3%A9", "/a:b@c|d{e}\"", "//x", "/a%2f.."})
    CHECK(is_target(Method::get, good));
  for (std::string_view bad : {"", "a", "*", "http://a/", "/a b", "/a#b", "/a\\b", "/%", "/%4",
                               "/%zz", "/%00", "/%0d%0a", "/%7f", "/\x80", "/\x01", "/a%1fb"})
    CHECK(!is_target(Method::get, bad));
  CHECK(is_target(Method::options, "*"));
  CHECK(!is_target(Method::options, "**"));
}

TEST_CASE("start lines have one spelling") {
  CHECK(is_request_line("GET / HTTP/1.1\r\nHost", Method::get, "/", 1));
  CHECK(is_request_line("GET / HTTP/1.0\r\n", Method::get, "/", 0));
  for (std::string_view bad : {"GET  / HTTP/1.1\r\n", "GET\t/ HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n",
                               "GET /  HTTP/1.1\r\n", "GET / http/1.1\r\n", "GET / HTTP/1.0\r\n",
                               "GET / HTTP/1.1\n", "POST / HTTP/1.1\r\n", "GET /"})
    CHECK(!is_request_line(bad, Method::get, "/", 1));
  CHECK(is_status_line("HTTP/1.1 200 OK\r\n", 1, 200));
  CHECK(is_status_line("HTTP/1.0 204\r\n", 0, 204));
  for (std::string_view bad : {"HTTP/1.1  200 OK\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1 2000\r\n",
                               "HTTP/1.0 200 OK\r\n", "HTTP/1.1 20", "HTTP/2.0 200 OK\r\n"})
    CHECK(!is_status_line(bad, 1, 200));
}

TEST_CASE("only ASCII is ASCII, at every place of a word") {
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      CHECK(is_ascii(text));
      text[at] = '\x80';
      CHECK(!is_ascii(text));
    }
  }
}

TEST_CASE("trailers that would change what came before are forbidden") {
  for (std::string_view name : {"Content-Length", "TRANSFER-ENCODING", "host", "Authorization",
                                "content-type", "If-Match", "Cookie", "X-Forwarded-For", "TE"})
    CHECK(is_forbidden_trailer(name));
  for (std::string_view name : {"X-Checksum", "ETag", "Server-Timing", "Digest", "Content"})
    CHECK(!is_forbidden_trailer(name));
}

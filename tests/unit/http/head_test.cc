#include "http/head.h"

#include <catch2/catch.hpp>

using namespace mg;
using namespace mg::http;

TEST_CASE("methods are exact") {
  for (std::string_view text : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const auto method = parse_method(text);
    REQUIRE(method);
    CHECK(name(*method) == text);
  }
  for (std::string_view text : {"get", "Get", "TRACE", "CONNECT", "", "GETS"})
    CHECK(!parse_method(text));
}

TEST_CASE("a target falls into path and query at the first question mark") {
  CHECK(RequestHead::make(Method::get, "/a/b?x=1?y").path() == "/a/b");
  CHECK(RequestHead::make(Method::get, "/a/b?x=1?y").query() == "x=1?y");
  CHECK(RequestHead::make(Method::get, "/a").query().empty());
  CHECK(RequestHead::make(Method::get, "/?").path() == "/");
  CHECK(RequestHead::make(Method::options, "*").path() == "*");
  RequestHead head = RequestHead::make(Method::get, "/a");
  head.headers.add("Host", "example.com");
  CHECK(head.host() == "example.com");
  CHECK(head.target() == "/a");
}

TEST_CASE("dates are written and read in the one form") {
  CHECK(format_http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT") == 253402300799);
  for (std::string_view wrong :
       {"Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "", "120",
        "Sun, 06 Xyz 1994 08:49:37 GMT", "Sun; 06 Nov 1994 08:49:37 GMT"})
    CHECK(!parse_http_date(wrong));
}

TEST_CASE("statuses have their registered phrases") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(402) == "Payment Required");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(511) == "Network Authentication Required");
  CHECK(reason_phrase(100) == "Continue");
  CHECK(reason_phrase(299).empty());
  CHECK(reason_phrase(0).empty());
}

#include "base/calendar.h"

#include <catch2/catch.hpp>

using namespace mg;

TEST_CASE("a date of HTTP is read as its sender meant it, and nothing else is") {
  CHECK(parse_http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT") == 784'111'777'000);
  CHECK(parse_http_date_ms("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_http_date_ms("Sat, 29 Feb 2020 23:59:59 GMT") == 1'583'020'799'000);
  for (const char* text :
       {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37", "1994-11-06T08:49:37Z",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 2020 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun Nov  6 08:49:37 1994", "Sunday, 06-Nov-94 08:49:37 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date_ms(text));
  }
}

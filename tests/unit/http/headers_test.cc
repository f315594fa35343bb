#include "http/headers.h"

#include <catch2/catch.hpp>

using namespace mg;
using namespace mg::http;

TEST_CASE("names are found whatever their case, values in their order") {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("X-Key", "1");
  headers.add("accept", "b");
  CHECK(headers.size() == 3);
  CHECK(headers.find("ACCEPT") == "a");
  CHECK(headers.count("accept") == 2);
  CHECK(headers.joined("Accept") == "a, b");
  CHECK(headers.joined("none").empty());
  CHECK(!headers.find("accep"));
  CHECK(headers[1].name == "X-Key");
  CHECK(headers[1].value == "1");
  CHECK(headers[2].name == "accept");
  CHECK(headers[2].value == "b");
}

TEST_CASE("setting and removing leave the other fields alone") {
  Headers headers;
  headers.add("a", "1");
  headers.add("b", "2");
  headers.add("A", "3");
  const Headers::Stored kept = headers.keep("/target");
  headers.set("a", "4");
  CHECK(headers.count("a") == 1);
  CHECK(headers.find("a") == "4");
  CHECK(headers.find("b") == "2");
  CHECK(headers.remove("B") == 1);
  CHECK(headers.remove("b") == 0);
  CHECK(headers.size() == 1);
  CHECK(headers.stored(kept) == "/target");
  headers.clear();
  CHECK(headers.empty());
}

TEST_CASE("a field that would split a message is refused") {
  Headers headers;
  for (std::string_view value : {"a\r\nX: y", "a\nb", "a\rb", "\x01", "\x7f"}) {
    const auto added = headers.add_checked("x", value);
    REQUIRE(!added);
    CHECK(added.error().code == Errc::invalid);
  }
  CHECK(!headers.add_checked("x", std::string_view("a\0b", 3)));
  for (std::string_view name : {"", "a b", "a:", "a\r\n", "\xc3\xa9", "a\t", "(a)"})
    CHECK(!headers.add_checked(name, "1"));
  CHECK(headers.empty());
  CHECK(headers.add_checked("x", "tab\tand \xc3\xa9").has_value());
  CHECK(headers.size() == 1);
}

TEST_CASE("tokens are whole elements of the list") {
  Headers headers;
  headers.add("Connection", "Upgrade ,, keep-alive");
  headers.add("connection", "CLOSE");
  CHECK(headers.has_token("connection", "close"));
  CHECK(headers.has_token("connection", "keep-alive"));
  CHECK(headers.has_token("connection", "upgrade"));
  CHECK(!headers.has_token("connection", "keep"));
  CHECK(!headers.has_token("connection", ""));
  CHECK(!headers.has_token("other", "close"));
}

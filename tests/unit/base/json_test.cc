#include "base/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace mg;

TEST_CASE("every byte at every place of a word becomes JSON that reads back the same") {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t before = 0; before < 18; ++before) {
      for (const size_t after : {0u, 1u, 7u, 8u}) {
        const std::string text =
            std::string(before, 'a') + static_cast<char>(byte) + std::string(after, 'z');
        INFO("byte " << byte << " after " << before << " and before " << after);
        const auto read = nlohmann::json::parse(json_string(text), nullptr, false);
        REQUIRE_FALSE(read.is_discarded());
        const std::string expected =
            byte < 0x80 ? text
                        : std::string(before, 'a') + "\xEF\xBF\xBD" + std::string(after, 'z');
        REQUIRE(read.get<std::string>() == expected);
      }
    }
  }
}

TEST_CASE("text beyond ASCII is kept, and stray bytes in it become U+FFFD") {
  CHECK(json_string("grüße 中文 🙂") == "\"grüße 中文 🙂\"");
  CHECK(json_string("a\xC3") == "\"a\xEF\xBF\xBD\"");
  CHECK(json_string("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("members are separated and named, whatever their names hold") {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("plain", 1);
  json.field("with \"quotes\"\n", "x");
  json.key("list");
  json.begin_array();
  json.value(true);
  json.null();
  json.end_array();
  json.end_object();
  CHECK(out == "{\"plain\":1,\"with \\\"quotes\\\"\\n\":\"x\",\"list\":[true,null]}");
}

TEST_CASE("names written out beforehand read the same as others") {
  const auto written = [](auto write) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    write(json);
    json.end_object();
    return out;
  };
  CHECK(written([](JsonWriter& json) {
          json.field<"first">(1);
          json.field("second", "x");
          json.field<"third">(std::string("y"));
          json.key("inner");
          json.begin_object();
          json.field<"a">(true);
          json.end_object();
          json.field<"last">(false);
        }) == written([](JsonWriter& json) {
          json.field("first", 1);
          json.field("second", "x");
          json.field("third", std::string("y"));
          json.key("inner");
          json.begin_object();
          json.field("a", true);
          json.end_object();
          json.field("last", false);
        }));
}

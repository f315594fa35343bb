#include "base/label.h"

#include <catch2/catch.hpp>
#include <string>

using namespace mg;

TEST_CASE("a label has a bounded size and no control characters") {
  CHECK(is_label("Müller & Söhne, \"Zürich\" \\", 200));
  CHECK(is_label(std::string(200, 'x'), 200));
  CHECK_FALSE(is_label(std::string(201, 'x'), 200));
  CHECK_FALSE(is_label("", 200));
  for (const std::string wrong : {"a\nb", "a\r", "\tb", "\x1b[2J", "a\x7f", "\xc2\x80", "\xc2\x9f"})
    CHECK_FALSE(is_label(wrong, 200));
  CHECK_FALSE(is_label(std::string("a\0b", 3), 200));
  CHECK(is_label("\xc2\xa0", 200));      // a space that does not break
  CHECK(is_label("\xe2\x80\x9f", 200));  // the bytes of C1 inside another character
}

TEST_CASE("what a terminal would obey is written out") {
  CHECK(visible("Müller \xc2\xa0 \xe2\x80\x9f \\u001b") == "Müller \xc2\xa0 \xe2\x80\x9f \\u001b");
  CHECK(visible("\x1b[2J\r\n\t") == "\\u001b[2J\\u000d\\u000a\\u0009");
  CHECK(visible(std::string("a\0\x7f", 3)) == "a\\u0000\\u007f");
  CHECK(visible("\xc2\x80x\xc2\x9f") == "\\u0080x\\u009f");
  CHECK(visible("\xc2\xc2\x85") == "\xc2\\u0085");
  CHECK(visible("").empty());
}

TEST_CASE("a plain label needs no quoting") {
  CHECK(is_plain_label("openai-main.eu_1:b", 64));
  CHECK(is_plain_label(std::string(64, 'a'), 64));
  CHECK_FALSE(is_plain_label(std::string(65, 'a'), 64));
  for (const char* wrong : {"", "a b", "a\"b", "a/b", "a\n", "ä", "a,b", "a\\b"})
    CHECK_FALSE(is_plain_label(wrong, 64));
}

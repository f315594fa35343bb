#include "tls/base64.h"

#include <catch2/catch.hpp>

using namespace mg::tls;

TEST_CASE("base 64 of RFC 4648, both ways") {
  const std::pair<const char*, const char*> kRows[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : kRows) {
    CHECK(base64_encode(plain) == text);
    CHECK(base64_decode(text) == plain);
  }
  for (size_t size = 0; size < 300; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i * 7 + size));
    CHECK(base64_decode(base64_encode(bytes)) == bytes);
  }
}

TEST_CASE("other spellings are refused") {
  for (const char* wrong : {"Zg", "Zg=", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Z g==", "Zg==Zg==",
                            "Zm9v\r\nYg==", "====", "Zg-_", "Zm9v=", "\xff\xff\xff\xff"})
    CHECK(!base64_decode(wrong));
}

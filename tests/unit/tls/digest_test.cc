#include "tls/digest.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::tls;

TEST_CASE("SHA-256 of known texts, whole and in pieces") {
  // FIPS 180-2, appendix B.
  CHECK(sha256("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 hash;
  for (int i = 0; i < 1'000'000; i += 1000) hash.add(std::string(1000, 'a'));
  CHECK(hash.finish().hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(sha256("a") != sha256("b"));
}

TEST_CASE("HMAC-SHA256 agrees with Wycheproof") {
  CORPUS_OR_SKIP(corpus);
  const auto vectors = nlohmann::json::parse(
      mg::test::read_file(corpus / "hostile" / "crypto" / "wycheproof" / "hmac_sha256_test.json"));
  int valid = 0, invalid = 0;
  for (const auto& group : vectors["testGroups"]) {
    const size_t tag_bytes = group["tagSize"].get<size_t>() / 8;
    for (const auto& test : group["tests"]) {
      const std::string key = *from_hex(test["key"].get<std::string>());
      const std::string text = *from_hex(test["msg"].get<std::string>());
      const std::string tag = *from_hex(test["tag"].get<std::string>());
      CAPTURE(test["tcId"].get<int>(), test["comment"].get<std::string>());
      const Digest digest = hmac_sha256(key, text);
      const bool agrees = equal_in_constant_time(digest.view().substr(0, tag_bytes), tag);
      const bool is_valid = test["result"] == "valid";
      CHECK(agrees == is_valid);
      ++(is_valid ? valid : invalid);
    }
  }
  CHECK(valid > 50);
  CHECK(invalid > 50);
  std::printf("wycheproof hmac_sha256: valid=%d invalid=%d\n", valid, invalid);
}

#include "tls/aead.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::tls;

TEST_CASE("AES-256-GCM agrees with Wycheproof") {
  CORPUS_OR_SKIP(corpus);
  const auto vectors = nlohmann::json::parse(
      mg::test::read_file(corpus / "hostile" / "crypto" / "wycheproof" / "aes_gcm_test.json"));
  int valid = 0, invalid = 0, other_sizes = 0;
  for (const auto& group : vectors["testGroups"]) {
    const bool is_ours =
        group["keySize"] == 256 && group["ivSize"] == 96 && group["tagSize"] == 128;
    if (!is_ours) {
      other_sizes += static_cast<int>(group["tests"].size());
      continue;
    }
    for (const auto& test : group["tests"]) {
      const auto bytes = [&](const char* name) { return *from_hex(test[name].get<std::string>()); };
      CAPTURE(test["tcId"].get<int>(), test["comment"].get<std::string>());
      AeadKey key(bytes("key"));
      const std::string sealed = bytes("ct") + bytes("tag");
      const auto opened = key.open(bytes("iv"), bytes("aad"), sealed);
      if (test["result"] == "valid") {
        REQUIRE(opened);
        CHECK(*opened == bytes("msg"));
        CHECK(key.seal(bytes("iv"), bytes("aad"), bytes("msg")) == sealed);
        ++valid;
      } else {
        REQUIRE(!opened);
        CHECK(opened.error().code == Errc::invalid);
        ++invalid;
      }
    }
  }
  CHECK(valid >= 30);
  CHECK(invalid >= 10);
  std::printf("wycheproof aes_gcm: valid=%d invalid=%d, of other sizes (not offered)=%d\n", valid,
              invalid, other_sizes);
}

TEST_CASE("a sealed secret opens only whole, under its key, for its record") {
  Keyring keys;
  SystemRng rng;
  REQUIRE(keys.add(7, std::string(kAeadKeyBytes, 'k')));
  const std::string sealed = keys.seal("sk-secret", "channel:a", rng);
  CHECK(Keyring::key_id_of(sealed) == 7u);
  CHECK(sealed.size() == 4 + kAeadNonceBytes + 9 + kAeadTagBytes);
  CHECK(sealed.find("secret") == std::string::npos);
  CHECK(keys.open(sealed, "channel:a").value() == "sk-secret");
  CHECK(keys.open(sealed, "channel:b").error().code == Errc::invalid);
  CHECK(keys.open(sealed, "").error().code == Errc::invalid);
  for (size_t i = 0; i < sealed.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      CHECK(!keys.open(changed, "channel:a"));
    }
  }
  for (size_t size = 0; size < sealed.size(); ++size)
    CHECK(!keys.open(sealed.substr(0, size), "channel:a"));
  CHECK(!keys.open(sealed + "x", "channel:a"));
  CHECK(keys.open(keys.seal("", "x", rng), "x").value().empty());
}

TEST_CASE("every sealing draws a nonce of its own") {
  Keyring keys;
  SystemRng rng;
  REQUIRE(keys.add(1, std::string(kAeadKeyBytes, 'k')));
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) nonces.insert(keys.seal("x", "", rng).substr(4, kAeadNonceBytes));
  CHECK(nonces.size() == 1000);
}

TEST_CASE("keys are replaced one after the other") {
  Keyring keys;
  SystemRng rng;
  CHECK(keys.add(1, "short").error().code == Errc::invalid);
  REQUIRE(keys.add(1, std::string(kAeadKeyBytes, 'a')));
  CHECK(keys.add(1, std::string(kAeadKeyBytes, 'b')).error().code == Errc::conflict);
  const std::string old = keys.seal("x", "r", rng);
  REQUIRE(keys.add(2, std::string(kAeadKeyBytes, 'b')));
  CHECK(keys.sealing_key_id() == 2u);
  CHECK(Keyring::key_id_of(keys.seal("x", "r", rng)) == 2u);
  CHECK(keys.open(old, "r").value() == "x");
  CHECK(keys.remove(2).error().code == Errc::conflict);
  REQUIRE(keys.remove(1));
  CHECK(keys.remove(1).error().code == Errc::not_found);
  CHECK(keys.open(old, "r").error().code == Errc::not_found);
}

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/corpus.h"
#include "tls/mbedtls.h"

using namespace mg;
using namespace mg::tls;

namespace {

// As the library's own layer for records calls it: through the cipher that a name stands for, and
// in place.
class Records {
 public:
  explicit Records(const std::string& key) {
    make_ready();
    mbedtls_cipher_init(&cipher_);
    const auto* kind = mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_CHACHA20_POLY1305);
    REQUIRE(mbedtls_cipher_setup(&cipher_, kind) == 0);
    REQUIRE(mbedtls_cipher_setkey(&cipher_, bytes_of(key), 256, MBEDTLS_ENCRYPT) == 0);
  }
  ~Records() { mbedtls_cipher_free(&cipher_); }

  std::string seal(const std::string& nonce, const std::string& bound, const std::string& plain) {
    std::string record = plain + std::string(kTagBytes, '\0');
    size_t written = 0;
    REQUIRE(mbedtls_cipher_auth_encrypt_ext(&cipher_, bytes_of(nonce), nonce.size(),
                                            bytes_of(bound), bound.size(), bytes_of(record),
                                            plain.size(), writable(record), record.size(), &written,
                                            kTagBytes) == 0);
    CHECK(written == record.size());
    return record;
  }
  std::optional<std::string> open(const std::string& nonce, const std::string& bound,
                                  std::string record) {
    size_t written = 0;
    const int status = mbedtls_cipher_auth_decrypt_ext(
        &cipher_, bytes_of(nonce), nonce.size(), bytes_of(bound), bound.size(), bytes_of(record),
        record.size(), writable(record), record.size(), &written, kTagBytes);
    if (status != 0) {
      CHECK(status == MBEDTLS_ERR_CIPHER_AUTH_FAILED);
      return std::nullopt;
    }
    return record.substr(0, written);
  }

 private:
  static constexpr size_t kTagBytes = 16;
  static unsigned char* writable(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
  }
  mbedtls_cipher_context_t cipher_;
};

}  // namespace

TEST_CASE("ChaCha20-Poly1305 of records agrees with Wycheproof") {
  CORPUS_OR_SKIP(corpus);
  const auto vectors = nlohmann::json::parse(mg::test::read_file(
      corpus / "hostile" / "crypto" / "wycheproof" / "chacha20_poly1305_test.json"));
  int valid = 0, invalid = 0, other_sizes = 0;
  for (const auto& group : vectors["testGroups"]) {
    if (group["ivSize"] != 96) {
      other_sizes += static_cast<int>(group["tests"].size());
      continue;
    }
    for (const auto& test : group["tests"]) {
      const auto bytes = [&](const char* name) { return *from_hex(test[name].get<std::string>()); };
      CAPTURE(test["tcId"].get<int>(), test["comment"].get<std::string>());
      Records records(bytes("key"));
      const std::string sealed = bytes("ct") + bytes("tag");
      const auto opened = records.open(bytes("iv"), bytes("aad"), sealed);
      if (test["result"] == "valid") {
        REQUIRE(opened);
        CHECK(*opened == bytes("msg"));
        CHECK(records.seal(bytes("iv"), bytes("aad"), bytes("msg")) == sealed);
        ++valid;
      } else {
        CHECK_FALSE(opened);
        ++invalid;
      }
    }
  }
  CHECK(valid >= 200);
  CHECK(invalid >= 50);
  std::printf("wycheproof chacha20_poly1305: valid=%d invalid=%d, of other sizes=%d\n", valid,
              invalid, other_sizes);
}

TEST_CASE("a record of every size comes back, and not when a bit of it differs") {
  Records records(std::string(32, 'k'));
  const std::string nonce(12, 'n');
  for (size_t size = 0; size <= 1200; size += size < 300 ? 1 : 37) {
    CAPTURE(size);
    std::string plain(size, 'x');
    for (size_t i = 0; i < size; ++i) plain[i] = static_cast<char>(i * 7);
    std::string sealed = records.seal(nonce, "bound", plain);
    CHECK(records.open(nonce, "bound", sealed) == plain);
    CHECK_FALSE(records.open(nonce, "other", sealed));
    const size_t at = size * 5 % sealed.size();
    sealed[at] = static_cast<char>(sealed[at] ^ 1);
    CHECK_FALSE(records.open(nonce, "bound", sealed));
  }
}

TEST_CASE("the library's own calls for ChaCha20-Poly1305 come to us") {
  for (const char* name :
       {"mbedtls_chachapoly_encrypt_and_tag", "mbedtls_chachapoly_auth_decrypt"}) {
    CAPTURE(name);
    Dl_info found{}, ours{};
    void* const symbol = dlsym(RTLD_DEFAULT, name);
    REQUIRE(symbol);
    REQUIRE(dladdr(symbol, &found) != 0);
    REQUIRE(dladdr(reinterpret_cast<void*>(&make_chachapoly_ready), &ours) != 0);
    CHECK(std::string(found.dli_fname) == ours.dli_fname);
  }
}

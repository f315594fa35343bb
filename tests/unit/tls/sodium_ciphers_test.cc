#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

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
  Records(mbedtls_cipher_type_t type, const std::string& key) {
    make_ready();
    mbedtls_cipher_init(&cipher_);
    REQUIRE(mbedtls_cipher_setup(&cipher_, mbedtls_cipher_info_from_type(type)) == 0);
    REQUIRE(mbedtls_cipher_setkey(&cipher_, bytes_of(key), static_cast<int>(key.size() * 8),
                                  MBEDTLS_ENCRYPT) == 0);
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

mbedtls_cipher_type_t gcm_of(size_t key_bytes) {
  if (key_bytes == 16) return MBEDTLS_CIPHER_AES_128_GCM;
  return key_bytes == 24 ? MBEDTLS_CIPHER_AES_192_GCM : MBEDTLS_CIPHER_AES_256_GCM;
}

struct Tally {
  int valid = 0, invalid = 0, refused_nonces = 0;
};

// Every vector of the file, through the cipher that `type_of` names for the key's size. A nonce of
// a size that the cipher has none of counts as refused.
template <typename TypeOf>
Tally try_vectors(const std::filesystem::path& corpus, const std::string& file, TypeOf type_of) {
  const auto vectors = nlohmann::json::parse(
      mg::test::read_file(corpus / "hostile" / "crypto" / "wycheproof" / file));
  Tally tally;
  for (const auto& group : vectors["testGroups"]) {
    for (const auto& test : group["tests"]) {
      const auto bytes = [&](const char* name) { return *from_hex(test[name].get<std::string>()); };
      CAPTURE(test["tcId"].get<int>(), test["comment"].get<std::string>());
      const std::string key = bytes("key"), nonce = bytes("iv");
      const auto type = type_of(key.size());
      if (nonce.empty() || nonce.size() > MBEDTLS_MAX_IV_LENGTH ||
          (type == MBEDTLS_CIPHER_CHACHA20_POLY1305 && nonce.size() != 12)) {
        ++tally.refused_nonces;
        continue;
      }
      Records records(type, key);
      const std::string sealed = bytes("ct") + bytes("tag");
      const auto opened = records.open(nonce, bytes("aad"), sealed);
      if (test["result"] == "valid") {
        REQUIRE(opened);
        CHECK(*opened == bytes("msg"));
        CHECK(records.seal(nonce, bytes("aad"), bytes("msg")) == sealed);
        ++tally.valid;
      } else {
        CHECK_FALSE(opened);
        ++tally.invalid;
      }
    }
  }
  std::printf("wycheproof %s, as records: valid=%d invalid=%d, of other nonces=%d\n", file.c_str(),
              tally.valid, tally.invalid, tally.refused_nonces);
  return tally;
}

}  // namespace

TEST_CASE("ChaCha20-Poly1305 of records agrees with Wycheproof") {
  CORPUS_OR_SKIP(corpus);
  const Tally tally = try_vectors(corpus, "chacha20_poly1305_test.json",
                                  [](size_t) { return MBEDTLS_CIPHER_CHACHA20_POLY1305; });
  CHECK(tally.valid >= 200);
  CHECK(tally.invalid >= 50);
}

TEST_CASE("AES-GCM of records agrees with Wycheproof, whoever does it") {
  CORPUS_OR_SKIP(corpus);
  const Tally tally = try_vectors(corpus, "aes_gcm_test.json", gcm_of);
  CHECK(tally.valid >= 150);
  CHECK(tally.invalid >= 50);
}

TEST_CASE("a record of every size comes back, and not when a bit of it differs") {
  const auto type = GENERATE(MBEDTLS_CIPHER_CHACHA20_POLY1305, MBEDTLS_CIPHER_AES_256_GCM,
                             MBEDTLS_CIPHER_AES_128_GCM);
  Records records(type, std::string(type == MBEDTLS_CIPHER_AES_128_GCM ? 16 : 32, 'k'));
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

#if MBEDTLS_VERSION_MAJOR < 3
TEST_CASE("what libsodium seals, the library's pieces open, and the other way round") {
  make_ready();
  const std::string key(32, 'k'), nonce(12, 'n'), bound = "bound";
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  REQUIRE(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, bytes_of(key), 256) == 0);
  for (const size_t size : {0u, 1u, 16u, 127u, 128u, 1000u}) {
    CAPTURE(size);
    const std::string plain(size, 'p');
    std::vector<unsigned char> whole(size + 1), pieces(size + 1);
    unsigned char tag[16] = {}, tag_of_pieces[16] = {};
    REQUIRE(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, size, bytes_of(nonce), 12,
                                      bytes_of(bound), bound.size(), bytes_of(plain), whole.data(),
                                      sizeof tag, tag) == 0);
    REQUIRE(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, bytes_of(nonce), 12, bytes_of(bound),
                               bound.size()) == 0);
    REQUIRE(mbedtls_gcm_update(&gcm, size, bytes_of(plain), pieces.data()) == 0);
    REQUIRE(mbedtls_gcm_finish(&gcm, tag_of_pieces, sizeof tag_of_pieces) == 0);
    CHECK(whole == pieces);
    CHECK(std::equal(tag, tag + sizeof tag, tag_of_pieces));

    // A shorter tag is the library's to look at, and so is turning a mode round.
    std::vector<unsigned char> opened(size + 1);
    CHECK(mbedtls_gcm_auth_decrypt(&gcm, size, bytes_of(nonce), 12, bytes_of(bound), bound.size(),
                                   tag, 12, whole.data(), opened.data()) == 0);
    CHECK(std::string(opened.begin(), opened.end() - 1) == plain);
    tag[0] ^= 1;
    CHECK(mbedtls_gcm_auth_decrypt(&gcm, size, bytes_of(nonce), 12, bytes_of(bound), bound.size(),
                                   tag, 16, whole.data(),
                                   opened.data()) == MBEDTLS_ERR_GCM_AUTH_FAILED);
    CHECK(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_DECRYPT, size, bytes_of(nonce), 12,
                                    bytes_of(bound), bound.size(), whole.data(), opened.data(),
                                    sizeof tag, tag) == 0);
    CHECK(std::string(opened.begin(), opened.end() - 1) == plain);
  }
  mbedtls_gcm_free(&gcm);
}
#endif

TEST_CASE("the library's own calls for records and X25519 come to us") {
  std::vector<const char*> names = {"mbedtls_chachapoly_encrypt_and_tag",
                                    "mbedtls_chachapoly_auth_decrypt"};
#if MBEDTLS_VERSION_MAJOR < 3
  names.insert(names.end(), {"mbedtls_gcm_crypt_and_tag", "mbedtls_gcm_auth_decrypt",
                             "mbedtls_ecdh_gen_public", "mbedtls_ecdh_compute_shared"});
#endif
  for (const char* name : names) {
    CAPTURE(name);
    Dl_info found{}, ours{};
    void* const symbol = dlsym(RTLD_DEFAULT, name);
    REQUIRE(symbol);
    REQUIRE(dladdr(symbol, &found) != 0);
    REQUIRE(dladdr(reinterpret_cast<void*>(&make_sodium_ready), &ours) != 0);
    CHECK(std::string(found.dli_fname) == ours.dli_fname);
  }
}

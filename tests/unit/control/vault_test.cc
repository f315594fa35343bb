#include "control/vault.h"

#include <catch2/catch.hpp>

#include "tls/base64.h"

using namespace mg;
using namespace mg::control;

namespace {

std::string master_key(char byte) { return tls::base64_encode(std::string(32, byte)); }

}  // namespace

TEST_CASE("a secret is opened as it was sealed, and never stands there in plain") {
  SeededRng rng(1);
  auto vault = Vault::open(master_key('a'));
  REQUIRE(vault);
  CHECK(vault->has_key());
  const auto sealed = vault->seal("main", "sk-very-secret", 17, rng);
  REQUIRE(sealed);
  CHECK(sealed->name == "main");
  CHECK(sealed->created_ms == 17);
  CHECK(directory::encode(*sealed).find("sk-very-secret") == std::string::npos);
  CHECK(vault->unseal(*sealed).value() == "sk-very-secret");
  // Another nonce, and so other bytes, each time.
  CHECK(vault->seal("main", "sk-very-secret", 17, rng)->sealed_hex != sealed->sealed_hex);
}

TEST_CASE("what was changed, renamed or sealed by another key is not opened") {
  SeededRng rng(1);
  auto vault = Vault::open(master_key('a'));
  const directory::SealedSecret sealed = *vault->seal("main", "sk-very-secret", 17, rng);
  for (size_t i = 8; i < sealed.sealed_hex.size(); ++i) {
    directory::SealedSecret changed = sealed;
    changed.sealed_hex[i] = changed.sealed_hex[i] == '0' ? '1' : '0';
    REQUIRE_FALSE(vault->unseal(changed));
    CHECK(vault->unseal(changed).error().code == Errc::invalid);
  }
  directory::SealedSecret renamed = sealed, cut = sealed, garbage = sealed;
  renamed.name = "other";
  cut.sealed_hex.resize(20);
  garbage.sealed_hex = "xyz";
  for (const auto& secret : {renamed, cut, garbage})
    CHECK(vault->unseal(secret).error().code == Errc::invalid);
  auto other = Vault::open(master_key('b'));
  CHECK(other->unseal(sealed).error().code == Errc::not_found);
  auto none = Vault::open("");
  REQUIRE(none);
  CHECK_FALSE(none->has_key());
  CHECK(none->unseal(sealed).error().code == Errc::unavailable);
  CHECK(none->seal("x", "y", 0, rng).error().code == Errc::unavailable);
}

TEST_CASE("a new master key seals from now on, and the old one still opens") {
  SeededRng rng(1);
  auto vault = Vault::open(master_key('a'));
  const auto old_secret = *vault->seal("main", "one", 0, rng);
  REQUIRE(vault->use_new_key(master_key('b')));
  const auto new_secret = *vault->seal("main", "two", 0, rng);
  CHECK(new_secret.master_key_id != old_secret.master_key_id);
  CHECK(vault->unseal(old_secret).value() == "one");
  CHECK(vault->unseal(new_secret).value() == "two");
  CHECK(Vault::open(master_key('b'))->unseal(new_secret).value() == "two");
  CHECK(vault->use_new_key(master_key('b')).error().code == Errc::conflict);
}

TEST_CASE("a master key is 32 bytes in base 64") {
  CHECK(Vault::open(" " + master_key('a') + " "));
  for (const std::string& wrong :
       {std::string("short"), tls::base64_encode(std::string(31, 'a')),
        tls::base64_encode(std::string(33, 'a')), std::string(44, '!')}) {
    INFO(wrong);
    const auto vault = Vault::open(wrong);
    REQUIRE_FALSE(vault);
    CHECK(vault.error().code == Errc::invalid);
  }
}

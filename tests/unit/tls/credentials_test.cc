#include "tls/credentials.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/calendar.h"
#include "base/limits.h"
#include "tls/sessions.h"
#include "unit/tls/authority.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;

TEST_CASE("certificates say for whom they are, and until when") {
  World& world = World::get();
  CHECK(world.server->names() ==
        std::vector<std::string>{"localhost", "example.test", "*.wild.test"});
  CHECK(world.server->expires_wall_ms() == parse_time_ms("2045-12-31T23:59:59Z"));

  CertificateSpec soon{"soon.test", {"soon.test"}, {}};
  soon.until = "20300601120000";
  const auto both = ServerCredentials::load(
      {world.p256, world.files("soon", issue(soon, &world.authority))}, world.tickets);
  REQUIRE(both);
  CHECK((*both)->expires_wall_ms() == parse_time_ms("2030-06-01T12:00:00Z"));
  CHECK((*both)->names().size() == 4);

  // A chain ends with the first of its certificates.
  CertificateSpec middle{"Middle", {}, {}, KeyKind::p256, true};
  middle.until = "20290101000000";
  const Issued above = issue(middle, &world.authority);
  const auto chain = ServerCredentials::load(
      {world.files("chain", issue(world.usual(), &above), above.cert_pem)}, nullptr);
  REQUIRE(chain);
  CHECK((*chain)->expires_wall_ms() == parse_time_ms("2029-01-01T00:00:00Z"));

  // ... and begins with the last.
  CertificateSpec later{"later.test", {"later.test"}, {}};
  later.from = "20400601120000";
  const auto future = ServerCredentials::load(
      {world.p256, world.files("later", issue(later, &world.authority))}, nullptr);
  REQUIRE(future);
  CHECK((*future)->begins_wall_ms() == parse_time_ms("2040-06-01T12:00:00Z"));
  CHECK(world.server->begins_wall_ms() == parse_time_ms("2025-01-01T00:00:00Z"));

  // Without alternative names the common name counts; expired ones load all the same.
  CertificateSpec old{"Old.Test", {}, {}};
  old.until = "20250201000000";
  const auto expired =
      ServerCredentials::load({world.files("old", issue(old, &world.authority))}, nullptr);
  REQUIRE(expired);
  CHECK((*expired)->names() == std::vector<std::string>{"old.test"});
}

TEST_CASE("what cannot be loaded is named, with the reason") {
  World& world = World::get();
  const auto error_of = [&](CertificateFiles files) {
    const auto loaded = ServerCredentials::load({files}, world.tickets);
    REQUIRE(!loaded);
    return loaded.error();
  };
  const std::string garbage = world.folder.write("garbage.pem", "no certificate");
  const std::string missing = world.folder.path("missing.pem");
  const CertificateFiles other = world.files("other", issue(world.usual(), &world.authority));

  CHECK(error_of({missing, world.p256.key}).code == Errc::not_found);
  CHECK(error_of({missing, world.p256.key}).what.find(missing) != std::string::npos);
  CHECK(error_of({world.p256.cert, missing}).code == Errc::not_found);
  CHECK(error_of({world.p256.cert, missing}).what.find(missing) != std::string::npos);
  CHECK(error_of({garbage, world.p256.key}).code == Errc::invalid);
  CHECK(error_of({world.p256.cert, garbage}).code == Errc::invalid);
  CHECK(error_of({world.p256.cert, other.key}).code == Errc::invalid);
  CHECK(error_of({world.p256.cert, other.key}).what.find(other.key) != std::string::npos);
  CHECK(ServerCredentials::load({}, world.tickets).error().code == Errc::invalid);

  // Half a file, as a writer that is not done leaves it.
  const Issued issued = issue(world.usual(), &world.authority);
  const std::string half =
      world.folder.write("half.pem", issued.cert_pem + issued.cert_pem.substr(0, 300));
  CHECK(
      !ServerCredentials::load({{half, world.folder.write("half.key", issued.key_pem)}}, nullptr));

  CHECK(TrustStore::load(missing).error().code == Errc::not_found);
  CHECK(TrustStore::load(garbage).error().code == Errc::invalid);
  CHECK(TrustStore::load(garbage).error().what.find(garbage) != std::string::npos);
  CHECK(!TrustStore::load(world.folder.write("empty.pem", "")));
}

TEST_CASE("a folder, a pipe and a file past the bound are named, and nothing waits for them") {
  World& world = World::get();
  const std::string pipe = world.folder.path("pipe.pem");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string folder = world.folder.path("folder.pem");
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  for (const auto& [path, why] : {std::pair(folder, "is a folder"), {pipe, "is no regular file"}}) {
    for (const CertificateFiles& files :
         {CertificateFiles{path, world.p256.key}, {world.p256.cert, path}}) {
      const auto loaded = ServerCredentials::load({files}, world.tickets);
      REQUIRE(!loaded);
      CHECK(loaded.error().code == Errc::invalid);
      CHECK(loaded.error().what.find(path + " " + why) != std::string::npos);
    }
    const auto trust = TrustStore::load(path);
    REQUIRE(!trust);
    CHECK(trust.error().what.find(path + " " + why) != std::string::npos);
  }
  const std::string authority = world.authority.cert_pem;
  const auto padded = [&](size_t bytes) {
    return world.folder.write("long.pem", authority + std::string(bytes - authority.size(), '\n'));
  };
  CHECK(TrustStore::load(padded(limits::pem_bytes_max)));
  CHECK(TrustStore::load(padded(limits::pem_bytes_max + 1)).error().code == Errc::too_large);
}

TEST_CASE("the system's authorities load, and every load is a generation of its own") {
  const std::string system(kSystemTrustFile);
  if (!std::filesystem::exists(system)) {
    WARN("no list of authorities on this system");
    return;
  }
  const auto first = TrustStore::load(system);
  const auto second = TrustStore::load(system);
  REQUIRE(first);
  REQUIRE(second);
  CHECK((*first)->authorities() > 100);
  CHECK((*first)->generation() != (*second)->generation());
}

TEST_CASE("sessions are kept per origin, one each, up to a bound") {
  ClientSessions sessions;
  CHECK(!sessions.find("a:443", 1));
  for (size_t i = 0; i < limits::tls_sessions_max; ++i)
    sessions.keep("host" + std::to_string(i) + ":443", 1, nullptr);
  CHECK(sessions.size() == limits::tls_sessions_max);
  sessions.keep("host0:443", 2, nullptr);
  CHECK(sessions.size() == limits::tls_sessions_max);
  sessions.keep("one-more:443", 1, nullptr);
  CHECK(sessions.size() == 1);
  sessions.forget("one-more:443");
  CHECK(sessions.size() == 0);
}

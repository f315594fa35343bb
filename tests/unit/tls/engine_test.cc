#include "tls/engine.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "unit/tls/authority.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;

namespace {

struct Pair {
  std::unique_ptr<Engine> client;
  std::unique_ptr<Engine> server;
  std::string to_client, to_server;  // ciphered bytes under way
};

// Feeds an engine what is under way to it, at most `step` bytes at a time.
Result<Engine::Handshake> step_of(Engine& engine, std::string& in, std::string& out, size_t step) {
  Result<Engine::Handshake> outcome = Engine::Handshake::wants_input;
  do {
    std::string piece = in.substr(0, step);
    std::string_view rest = piece;
    outcome = engine.handshake(rest, out);
    in.erase(0, piece.size() - rest.size());
  } while (outcome && *outcome == Engine::Handshake::wants_input && !in.empty());
  return outcome;
}

struct Outcome {
  Result<> client, server;
  explicit operator bool() const { return client && server; }
};

// Until both are done or one fails.
Outcome shake(Pair& pair, size_t step = 100'000) {
  bool client_done = false, server_done = false;
  for (int turn = 0; turn < 50 && !(client_done && server_done); ++turn) {
    if (!client_done) {
      const auto outcome = step_of(*pair.client, pair.to_client, pair.to_server, step);
      if (!outcome) return {tl::unexpected(outcome.error()), {}};
      client_done = *outcome == Engine::Handshake::done;
    }
    if (!server_done) {
      const auto outcome = step_of(*pair.server, pair.to_server, pair.to_client, step);
      if (!outcome) return {{}, tl::unexpected(outcome.error())};
      server_done = *outcome == Engine::Handshake::done;
    }
  }
  if (!client_done || !server_done) return {fail(Errc::timeout, "no end"), {}};
  return {};
}

Pair between(std::shared_ptr<const ServerCredentials> server, const std::string& host,
             std::shared_ptr<const TrustStore> trust = World::get().trust,
             std::shared_ptr<const Session> session = nullptr) {
  return {Engine::client(std::move(trust), host, std::move(session)),
          Engine::server(std::move(server)), "", ""};
}

std::string read_all(Engine& engine, std::string& in, std::string& out) {
  std::string all;
  char plain[1000];
  std::string_view rest = in;
  for (;;) {
    const auto read = engine.read(rest, plain, out);
    REQUIRE(read);
    if (*read == 0) break;
    all.append(plain, *read);
  }
  in.assign(rest);
  return all;
}

void check_talk(Pair& pair) {
  for (size_t size : {0, 1, 100, 16'384, 16'385, 100'000}) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31);
    const auto written = pair.client->write(text, pair.to_server);
    CAPTURE(size, written ? "" : written.error().what);
    REQUIRE(written);
    CHECK(read_all(*pair.server, pair.to_server, pair.to_client) == text);
    REQUIRE(pair.server->write(text, pair.to_client));
    CHECK(read_all(*pair.client, pair.to_client, pair.to_server) == text);
  }
}

Error refusal(std::shared_ptr<const ServerCredentials> server, const std::string& host,
              std::shared_ptr<const TrustStore> trust = World::get().trust) {
  Pair pair = between(std::move(server), host, std::move(trust));
  const Outcome outcome = shake(pair);
  REQUIRE(!outcome.client);
  return outcome.client.error();
}

}  // namespace

TEST_CASE("every kind of chain shakes hands and talks") {
  World& world = World::get();
  for (KeyKind kind : {KeyKind::p256, KeyKind::p384, KeyKind::rsa2048}) {
    const Issued above = issue({"Middle", {}, {}, kind, true}, &world.authority);
    const auto server =
        ServerCredentials::load(
            {world.files("any", issue(world.usual(kind), &above), above.cert_pem)}, world.tickets)
            .value();
    Pair pair = between(server, "example.test");
    const Outcome outcome = shake(pair);
    REQUIRE(outcome);
    const std::string suite(pair.client->cipher_suite());
    const bool is_modern = pair.client->version() == "TLSv1.3";
    CHECK((is_modern || pair.client->version() == "TLSv1.2"));
    CHECK((is_modern || suite.find("ECDHE") != std::string::npos));
    CHECK((suite.find("GCM") != std::string::npos || suite.find("CHACHA20") != std::string::npos));
    CHECK(pair.server->cipher_suite() == suite);
    CHECK(pair.server->server_name() == "example.test");
    CHECK(!pair.client->was_resumed());
    CHECK(!pair.server->was_resumed());
    check_talk(pair);
  }
}

TEST_CASE("a handshake goes through byte by byte") {
  Pair pair = between(World::get().server, "localhost");
  REQUIRE(shake(pair, 1));
  check_talk(pair);
}

TEST_CASE("names are matched as certificates mean them") {
  World& world = World::get();
  for (const char* host : {"example.test", "localhost", "a.wild.test", "127.0.0.1"}) {
    CAPTURE(host);
    Pair pair = between(world.server, host);
    CHECK(shake(pair));
  }
  // An address is no server name.
  Pair by_address = between(world.server, "127.0.0.1");
  REQUIRE(shake(by_address));
  CHECK(by_address.server->server_name().empty());
  for (const char* host : {"other.test", "wild.test", "a.b.wild.test", "127.0.0.2", "::1",
                           "example.test.evil", "xexample.test"}) {
    CAPTURE(host);
    const Error error = refusal(world.server, host);
    CHECK(error.code == Errc::refused);
  }
}

TEST_CASE("certificates that prove nothing are refused, with the reason") {
  World& world = World::get();
  const auto reason = [&](const CertificateSpec& spec, const Issued* by) {
    const auto server =
        ServerCredentials::load({world.files("bad", issue(spec, by))}, world.tickets).value();
    const Error error = refusal(server, "example.test");
    CHECK(error.code == Errc::refused);
    return error.what;
  };
  CertificateSpec expired = world.usual(), future = world.usual(), elsewhere = world.usual();
  expired.until = "20250201000000";
  future.from = "20400101000000";
  elsewhere.dns = {"elsewhere.test"};
  CHECK(reason(expired, &world.authority).find("expired") != std::string::npos);
  CHECK(reason(future, &world.authority).find("future") != std::string::npos);
  CHECK(reason(elsewhere, &world.authority).find("expected CN") != std::string::npos);
  CHECK(reason(world.usual(), nullptr).find("not correctly signed") != std::string::npos);
  CHECK(reason(world.usual(), &world.stranger).find("not correctly signed") != std::string::npos);
  // Someone with an ordinary certificate is no authority.
  const Issued leaf = issue(world.usual(), &world.authority);
  const auto forged = ServerCredentials::load(
      {world.files("forged", issue(world.usual(), &leaf), leaf.cert_pem)}, nullptr);
  CHECK(refusal(forged.value(), "example.test").code == Errc::refused);
}

TEST_CASE("the name asked for decides which certificate answers") {
  World& world = World::get();
  const auto both = ServerCredentials::load(
      {world.p256,
       world.files("second",
                   issue({"second.test", {"second.test", "*.second.test"}, {}}, &world.authority))},
      world.tickets);
  REQUIRE(both);
  for (const char* host : {"example.test", "second.test", "x.second.test", "SECOND.test"}) {
    CAPTURE(host);
    Pair pair = between(*both, host);
    CHECK(shake(pair));
  }
  // Nobody's name gets the first one, which is then not the right one.
  CHECK(refusal(*both, "third.test").code == Errc::refused);
}

TEST_CASE("a session is resumed, also over a reload of the certificate") {
  World& world = World::get();
  Pair first = between(world.server, "localhost");
  REQUIRE(shake(first));
  check_talk(first);  // TLS 1.3 sends its tickets now
  const auto session = first.client->take_session();
  REQUIRE(session);
  CHECK(!first.client->take_session());

  Pair second = between(world.server, "localhost", world.trust, session);
  REQUIRE(shake(second));
  CHECK(second.client->was_resumed());
  CHECK(second.server->was_resumed());
  check_talk(second);

  const auto reloaded =
      ServerCredentials::load({world.files("new", issue(world.usual(), &world.authority))},
                              world.tickets)
          .value();
  Pair third = between(reloaded, "localhost", world.trust, session);
  REQUIRE(shake(third));
  CHECK(third.client->was_resumed());

  // Tickets of others are worth nothing, and do no harm.
  const auto foreign = ServerCredentials::load({world.p256}, TicketKeys::make().value()).value();
  Pair fourth = between(foreign, "localhost", world.trust, session);
  REQUIRE(shake(fourth));
  CHECK(!fourth.client->was_resumed());
  CHECK(!fourth.server->was_resumed());
  check_talk(fourth);
}

TEST_CASE("old connections keep the certificate they began with") {
  World& world = World::get();
  auto old = world.serve(world.usual(), world.authority);
  Pair pair = between(old, "localhost");
  REQUIRE(shake(pair));
  old.reset();  // a reload replaced it everywhere else
  check_talk(pair);
}

TEST_CASE("keys of tickets are forgotten after their time") {
  World& world = World::get();
  const auto server = ServerCredentials::load({world.p256}, TicketKeys::make(1).value()).value();
  Pair first = between(server, "localhost");
  REQUIRE(shake(first));
  check_talk(first);
  const auto session = first.client->take_session();
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  Pair second = between(server, "localhost", world.trust, session);
  REQUIRE(shake(second));
  CHECK(!second.server->was_resumed());
}

TEST_CASE("an end is told from a cut") {
  World& world = World::get();
  Pair pair = between(world.server, "localhost");
  REQUIRE(shake(pair));
  REQUIRE(pair.client->write("last words", pair.to_server));
  pair.client->close(pair.to_server);
  std::string_view in = pair.to_server;
  char plain[100];
  CHECK(pair.server->read(in, plain, pair.to_client).value() == 10);
  const auto end = pair.server->read(in, plain, pair.to_client);
  REQUIRE(!end);
  CHECK(end.error().code == Errc::closed);
}

TEST_CASE("a changed byte is an error, and the peer is told") {
  World& world = World::get();
  for (size_t at : {0, 3, 7, 20, 30}) {
    Pair pair = between(world.server, "localhost");
    REQUIRE(shake(pair));
    read_all(*pair.client, pair.to_client, pair.to_server);
    REQUIRE(pair.client->write("attack at dawn", pair.to_server));
    pair.to_server[at] = static_cast<char>(pair.to_server[at] ^ 0x40);
    std::string_view in = pair.to_server;
    char plain[100];
    const auto read = pair.server->read(in, plain, pair.to_client);
    if (read && *read == 0) continue;  // a length that grew: the rest is still awaited
    REQUIRE(!read);
    CHECK(read.error().code == Errc::protocol);
    if (at >= 5) CHECK(!pair.to_client.empty());  // behind the header: an alert
  }
}

TEST_CASE("what is no TLS at all is refused at once") {
  for (std::string_view text :
       {std::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string_view("\0\0\0\0\0\0\0", 7), std::string_view("SSH-2.0-x\r\n"),
        std::string_view("\x16\x03\x01\xff\xff", 5)}) {
    auto engine = Engine::server(World::get().server);
    std::string out;
    const auto outcome = engine->handshake(text, out);
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Errc::protocol);
  }
}

TEST_CASE("text that does not fit waits for the next call") {
  Pair pair = between(World::get().server, "localhost");
  REQUIRE(shake(pair));
  REQUIRE(pair.client->write("0123456789", pair.to_server));
  std::string_view in = pair.to_server;
  char plain[4];
  CHECK(pair.server->read(in, plain, pair.to_client).value() == 4);
  CHECK(pair.server->has_plain());
  CHECK(pair.server->read(in, plain, pair.to_client).value() == 4);
  CHECK(pair.server->read(in, plain, pair.to_client).value() == 2);
  CHECK(!pair.server->has_plain());
  CHECK(pair.server->read(in, plain, pair.to_client).value() == 0);
}

// Handshakes a second, microseconds per record, bytes per connection; single-threaded, in memory,
// both sides together where not said otherwise. Prints figures, judges nothing.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "base/clock.h"
#include "tls/engine.h"
#include "unit/tls/authority.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;

namespace {

SystemClock system_clock;

struct Ends {
  std::unique_ptr<Engine> client, server;
  std::string to_client, to_server;
  int64_t server_ns = 0;  // time spent on the server's side

  void shake() {
    bool client_done = false, server_done = false;
    while (!client_done || !server_done) {
      if (!client_done) client_done = step(*client, to_client, to_server);
      const int64_t start_ns = system_clock.monotonic_ns();
      if (!server_done) server_done = step(*server, to_server, to_client);
      server_ns += system_clock.monotonic_ns() - start_ns;
    }
  }
  static bool step(Engine& engine, std::string& in, std::string& out) {
    std::string_view rest = in;
    const auto outcome = engine.handshake(rest, out);
    if (!outcome) std::abort();
    in.assign(rest);
    return *outcome == Engine::Handshake::done;
  }
  void pass(std::string_view text) {
    if (!server->write(text, to_client)) std::abort();
    char plain[20'000];
    std::string_view rest = to_client;
    while (client->read(rest, plain, to_server).value() > 0) {
    }
    to_client.clear();
  }
};

Ends connect(const std::shared_ptr<const ServerCredentials>& server,
             std::shared_ptr<const Session> session = nullptr) {
  return {Engine::client(World::get().trust, "localhost", std::move(session)),
          Engine::server(server), "", ""};
}

void bench_handshakes(const char* what, KeyKind kind) {
  World& world = World::get();
  const auto server = world.serve(world.usual(kind), world.authority);
  constexpr int kFull = 100, kResumed = 1000;
  int64_t server_ns = 0;
  for (int i = 0; i < kFull; ++i) {
    Ends ends = connect(server);
    ends.shake();
    server_ns += ends.server_ns;
  }
  std::printf("%-10s full handshakes: %6.0f /s on the server\n", what, kFull * 1e9 / server_ns);
  Ends first = connect(server);
  first.shake();
  first.pass("x");
  const auto session = first.client->take_session();
  server_ns = 0;
  const int64_t start_ns = system_clock.monotonic_ns();
  for (int i = 0; i < kResumed; ++i) {
    Ends ends = connect(server, session);
    ends.shake();
    if (!ends.server->was_resumed()) std::abort();
    server_ns += ends.server_ns;
  }
  std::printf("%-10s resumed handshakes: %6.0f /s on the server, %.0f /s for both sides\n", what,
              kResumed * 1e9 / server_ns,
              kResumed * 1e9 / (system_clock.monotonic_ns() - start_ns));
}

void bench_records() {
  Ends ends = connect(World::get().server);
  ends.shake();
  std::printf("%s, %s\n", std::string(ends.client->version()).c_str(),
              std::string(ends.client->cipher_suite()).c_str());
  for (size_t size : {200, 1000, 16'000}) {
    const std::string text(size, 'x');
    constexpr int kTimes = 2000;
    std::string out;
    const int64_t start_ns = system_clock.monotonic_ns();
    for (int i = 0; i < kTimes; ++i) {
      if (!ends.server->write(text, out)) std::abort();
    }
    const int64_t written_ns = system_clock.monotonic_ns();
    char plain[20'000];
    std::string_view rest = out;
    while (ends.client->read(rest, plain, ends.to_server).value() > 0) {
    }
    const int64_t read_ns = system_clock.monotonic_ns();
    std::printf("record of %5zu B: %5.2f us to encipher, %5.2f us to decipher\n", size,
                double(written_ns - start_ns) / kTimes / 1000,
                double(read_ns - written_ns) / kTimes / 1000);
  }
}

void bench_memory() {
  constexpr int kConnections = 200;
  const auto server = World::get().server;
  // The client's half is freed again each time, so that only the server's remains.
  std::vector<std::unique_ptr<Engine>> kept;
  kept.reserve(kConnections);
  { connect(server).shake(); }
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < kConnections; ++i) {
    Ends ends = connect(server);
    ends.shake();
    kept.push_back(std::move(ends.server));
  }
  std::printf("memory of a server connection: %.1f KB\n",
              double(mallinfo2().uordblks - before) / kConnections / 1024);
}

}  // namespace

int main() {
  World::get();
  bench_records();
  bench_handshakes("P-256", KeyKind::p256);
  bench_handshakes("RSA-2048", KeyKind::rsa2048);
  bench_memory();
}

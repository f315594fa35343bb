// Our server against other people's clients: openssl, curl, Python.
#include <catch2/catch.hpp>

#include "tls/mbedtls.h"
#include "unit/tls/authority.h"
#include "unit/tls/server.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;
using event::Task;

namespace {

std::string s_client(const TestServer& server, const std::string& options) {
  return "printf 'GET /info HTTP/1.1\\r\\n\\r\\n' | openssl s_client -ign_eof -connect 127.0.0.1:" +
         server.port() + " -CAfile " + World::get().authority_file + " -verify_return_error " +
         options;
}

Task<> accept_and_refuse(event::UvLoop& loop) {
  struct Row {
    const char* options;
    const char* expected;  // in what openssl prints
    bool is_served;
  };
  const Row kRows[] = {
      {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
       "ECDHE-ECDSA-AES256-GCM-SHA384",
       has_quick_gcm() ? "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"
                       : "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305",
       true},
      {"-tls1_2", "TLSv1.2", true},
      {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", true},
      {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", true},
      {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305", true},
      {"-tls1_2 -curves X25519:P-256", "X25519", true},
      {"-tls1_2 -curves P-256", "prime256v1", true},
      {"-servername example.test -alpn h2,http/1.1", "ALPN protocol: http/1.1", true},
      {"-tls1_1 -cipher ALL:@SECLEVEL=0", "alert", false},
      {"-tls1 -cipher ALL:@SECLEVEL=0", "alert", false},
      {"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0", "alert", false},
      {"-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", "alert", false},
      {"-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM", "alert", false},
      {"-tls1_2 -cipher AES128-GCM-SHA256", "alert", false},
      {"-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", "alert", false},
      {"-tls1_2 -curves P-521", "alert", false},
      {"-tls1_2 -curves P-384", "alert", false},
      {"-alpn h2", "no application protocol", false},
  };
  TestServer server(loop, World::get().server);
  for (const Row& row : kRows) {
    const int shaken = server.shaken();
    const std::string output = co_await shell(loop, s_client(server, row.options));
    CAPTURE(row.options, output);
    CHECK(has(output, row.expected));
    CHECK((server.shaken() == shaken + 1) == row.is_served);
    CHECK(has(output, "version=TLS") == row.is_served);
  }
}

Task<> other_key_kinds(event::UvLoop& loop) {
  World& world = World::get();
  TestServer server(loop, world.server);
  for (KeyKind kind : {KeyKind::p384, KeyKind::rsa2048}) {
    server.credentials = world.serve(world.usual(kind), world.authority);
    const std::string output = co_await shell(loop, s_client(server, "-tls1_2"));
    CAPTURE(output);
    CHECK(has(output, "version=TLSv1.2"));
    CHECK(has(output, kind == KeyKind::rsa2048 ? "ECDHE-RSA" : "ECDHE-ECDSA"));
  }
  // With RSA the curve is that of the key exchange alone.
  for (const char* curve : {"X25519", "P-256", "P-384", "P-521", "X448"}) {
    const std::string output =
        co_await shell(loop, s_client(server, std::string("-tls1_2 -curves ") + curve));
    CAPTURE(curve, output);
    const bool is_ours = curve == std::string("X25519") || curve == std::string("P-256");
    CHECK(has(output, "version=TLSv1.2") == is_ours);
  }
}

Task<> names_and_reload(event::UvLoop& loop) {
  World& world = World::get();
  const CertificateFiles second =
      world.files("s", issue({"second.test", {"second.test"}, {}}, &world.authority));
  TestServer server(loop, ServerCredentials::load({world.p256, second}, world.tickets).value());
  std::string output = co_await shell(loop, s_client(server, "-servername second.test"));
  CHECK(has(output, "CN = second.test"));
  CHECK(has(output, "name=second.test"));
  output = co_await shell(loop, s_client(server, "-servername localhost"));
  CHECK(has(output, "CN = example.test"));
  output = co_await shell(loop, s_client(server, "-noservername"));
  CHECK(has(output, "CN = example.test"));
  server.credentials = world.serve({"reloaded.test", {"localhost"}, {}}, world.authority);
  output = co_await shell(loop, s_client(server, "-servername localhost"));
  CHECK(has(output, "CN = reloaded.test"));
}

Task<> tickets(event::UvLoop& loop) {
  World& world = World::get();
  TestServer server(loop, world.server);
  const std::string file = world.folder.path("session.pem");
  std::string output = co_await shell(loop, s_client(server, "-tls1_2 -sess_out " + file));
  CHECK(has(output, "resumed=0"));
  for (int i = 0; i < 5; ++i) {
    // Over a reload too: the keys of tickets are the process's.
    server.credentials = world.serve(world.usual(), world.authority);
    output = co_await shell(loop, s_client(server, "-tls1_2 -sess_in " + file));
    CAPTURE(output);
    CHECK(has(output, "Reused, TLSv1.2"));
    CHECK(has(output, "resumed=1"));
  }
}

Task<> no_renegotiation(event::UvLoop& loop) {
  TestServer server(loop, World::get().server);
  const std::string output = co_await shell(
      loop, "(sleep 0.3; echo R; sleep 0.5) | openssl s_client -tls1_2 -connect 127.0.0.1:" +
                server.port());
  CHECK(has(output, "RENEGOTIATING"));
  CHECK(has(output, "no renegotiation"));
  CHECK(server.shaken() == 1);
}

Task<> curl(event::UvLoop& loop) {
  World& world = World::get();
  TestServer server(loop, world.server);
  const std::string base = "curl -sS --cacert " + world.authority_file +
                           " --resolve example.test:" + server.port() + ":127.0.0.1 ";
  const std::string url = "https://example.test:" + server.port();
  std::string output = co_await shell(loop, base + url + "/info");
  CHECK(has(output, "resumed=0 name=example.test"));
  output = co_await shell(loop, base + url + "/big | tr -d b | wc -c");
  CHECK(output == "0\n");
  output = co_await shell(loop, base + url + "/big | wc -c");
  CHECK(output == std::to_string(TestServer::kBigBytes) + "\n");
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + ",";
  const std::string file = world.folder.write("upload", text);
  output = co_await shell(loop, base + "-H 'Expect:' --data-binary @" + file + " " + url +
                                    "/echo | cmp - " + file + " && echo same");
  CHECK(output == "same\n");
  output = co_await shell(loop, "curl -sS --cacert " + world.stranger_file +
                                    " https://localhost:" + server.port() + "/info");
  CHECK(has(output, "SSL certificate problem"));
}

// How much processor time one turn of the loop takes at most, and how late a timer is.
class StallWatch {
 public:
  explicit StallWatch(event::Loop& loop)
      : timer_(event::Timer::calling<&StallWatch::tick>(loop.timers(), this)) {
    tick();
  }
  int64_t worst_cpu_ms() const { return worst_cpu_ns_ / kNsPerMs; }
  int ticks() const { return ticks_; }

 private:
  void tick() {
    const int64_t now_ns = thread_cpu_ns();
    if (ticks_++ > 0) worst_cpu_ns_ = std::max(worst_cpu_ns_, now_ns - last_ns_);
    last_ns_ = now_ns;
    timer_.start_ms(1);
  }
  event::Timer timer_;
  int64_t last_ns_ = 0;
  int64_t worst_cpu_ns_ = 0;
  int ticks_ = 0;
};

constexpr const char* kBurst = R"(
import asyncio, ssl, sys
port, ca, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ctx = ssl.create_default_context(cafile=ca)
async def one():
    r, w = await asyncio.open_connection('127.0.0.1', port, ssl=ctx, server_hostname='localhost')
    w.write(b'GET /info HTTP/1.1\r\n\r\n')
    text = await r.read()
    w.close()
    return b'resumed=0' in text
async def main():
    done = await asyncio.gather(*[one() for _ in range(count)])
    print('served', sum(done))
asyncio.run(main())
)";

Task<> burst(event::UvLoop& loop) {
  World& world = World::get();
  TestServer server(loop, world.server);
  const std::string script = world.folder.write("burst.py", kBurst);
  StallWatch watch(loop);
  const std::string output = co_await shell(
      loop, "python3 " + script + " " + server.port() + " " + world.authority_file + " 200");
  CAPTURE(output);
  CHECK(has(output, "served 200"));
  CHECK(server.shaken() == 200);
  CHECK(watch.ticks() > 10);
  std::printf("200 handshakes at once: longest turn of the loop %lld ms of processor time\n",
              static_cast<long long>(watch.worst_cpu_ms()));
  // Done inline, the burst would cost the loop 600 ms and more in one go.
  CHECK(watch.worst_cpu_ms() < 100);
}

}  // namespace

TEST_CASE("versions, suites, curves and protocols are accepted or refused as meant") {
  TestLoop loop;
  loop.run(accept_and_refuse(loop.uv));
  loop.run(other_key_kinds(loop.uv));
}

TEST_CASE("a certificate is chosen by name and replaced in place") {
  TestLoop loop;
  loop.run(names_and_reload(loop.uv));
}

TEST_CASE("clients resume by ticket, five times of five") {
  TestLoop loop;
  loop.run(tickets(loop.uv));
}

TEST_CASE("nobody renegotiates") {
  TestLoop loop;
  loop.run(no_renegotiation(loop.uv));
}

TEST_CASE("curl up- and downloads megabytes unchanged") {
  TestLoop loop;
  loop.run(curl(loop.uv));
}

TEST_CASE("two hundred handshakes at once do not stall the loop") {
  TestLoop loop;
  loop.run(burst(loop.uv));
}

// Our client against another implementation's server: OpenSSL, through Python's ssl module.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "support/corpus.h"
#include "tls/mbedtls.h"
#include "unit/tls/authority.h"
#include "unit/tls/server.h"

using namespace mg;
using namespace mg::tls;
using namespace mg::tls::test;
using event::Task;

namespace {

// Serves connections until its standard input ends; says per connection what it saw.
constexpr const char* kServer = R"(
import socket, ssl, sys, threading, os
cert, key, options, port_file = sys.argv[1:5]
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ctx.load_cert_chain(cert, key)
o = dict(x.split('=') for x in options.split(',') if x)
versions = {'1.1': ssl.TLSVersion.TLSv1_1, '1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}
ctx.minimum_version = ssl.TLSVersion.TLSv1
if 'ciphers' in o: ctx.set_ciphers(o['ciphers'] + ':@SECLEVEL=0')
if 'max' in o: ctx.maximum_version = versions[o['max']]
if 'min' in o: ctx.minimum_version = versions[o['min']]
if 'curve' in o: ctx.set_ecdh_curve(o['curve'])
if 'alpn' in o: ctx.set_alpn_protocols([o['alpn']])
listener = socket.create_server(('127.0.0.1', 0))
with open(port_file + '.new', 'w') as f: f.write(str(listener.getsockname()[1]))
os.rename(port_file + '.new', port_file)
def serve(raw):
    try:
        conn = ctx.wrap_socket(raw, server_side=True)
        conn.recv(10000)
        conn.sendall(('%s reused=%d' % (conn.version(), conn.session_reused)).encode())
        if 'cut' in o: conn.shutdown(socket.SHUT_RDWR); conn.close()
        else: conn.unwrap().close()
    except Exception as e: pass
def loop():
    while True: serve(listener.accept()[0])
threading.Thread(target=loop, daemon=True).start()
sys.stdin.read()
)";

class PythonServer {
 public:
  PythonServer(const CertificateFiles& files, const std::string& options) {
    World& world = World::get();
    const std::string script = world.folder.write("server.py", kServer);
    port_file_ = world.folder.path("port-" + std::to_string(++count()));
    pipe_ = ::popen(("exec python3 " + script + " " + files.cert + " " + files.key + " '" +
                     options + "' " + port_file_ + " 2>/dev/null")
                        .c_str(),
                    "w");
    for (int i = 0; i < 1000 && !std::filesystem::exists(port_file_); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    port = static_cast<uint16_t>(std::stoi("0" + mg::test::read_file(port_file_)));
    REQUIRE(port != 0);
  }
  ~PythonServer() { ::pclose(pipe_); }
  uint16_t port = 0;

 private:
  static int& count() {
    static int last = 0;
    return last;
  }
  FILE* pipe_;
  std::string port_file_;
};

struct Answer {
  std::string text;
  std::optional<Error> failure;  // of the handshake
  std::optional<Error> end;
  bool was_resumed = false;
};
Task<Answer> ask(event::UvLoop& loop, uint16_t port, ClientSessions& sessions,
                 std::string host = "localhost") {
  event::UvSockets sockets(loop);
  Answer answer;
  Result<std::unique_ptr<event::Stream>> tcp =
      co_await sockets.connect({IpAddress::v4({127, 0, 0, 1}), port}, 5000);
  REQUIRE(tcp);
  const std::string origin = host + ":" + std::to_string(port);
  Result<std::unique_ptr<Stream>> made = co_await tls::connect(
      loop, std::move(*tcp), World::get().trust, sessions, host, origin, 5000);
  if (!made) {
    answer.failure = made.error();
    co_return answer;
  }
  Collector received;
  (*made)->read_start(received);
  REQUIRE((*made)->write("hello"));
  const bool endless = co_await received.until(100'000);
  CHECK(!endless);
  answer.text = received.bytes;
  answer.end = received.end;
  answer.was_resumed = (*made)->was_resumed();
  co_return answer;
}

Task<> reach_and_refuse(event::UvLoop& loop) {
  World& world = World::get();
  const auto files = [&](KeyKind kind) {
    return world.files("py", issue(world.usual(kind), &world.authority));
  };
  const CertificateFiles p256 = files(KeyKind::p256), p384 = files(KeyKind::p384),
                         rsa = files(KeyKind::rsa2048);
  constexpr bool kHas13 = MBEDTLS_VERSION_MAJOR >= 3;
  struct Row {
    CertificateFiles files;
    std::string options;
    bool is_reached;
  };
  const std::vector<Row> rows = {
      {p256, "", true},
      {p256, "max=1.2", true},
      {p384, "max=1.2", true},
      {rsa, "max=1.2", true},
      {p256, "max=1.2,curve=prime256v1", true},
      {p256, "max=1.2,curve=secp384r1", true},
      {p256, "alpn=http/1.1", true},
      {p256, "alpn=h2", true},  // it names no protocol then, and speaks HTTP/1.1
      {p256, "min=1.3", kHas13},
      {p256, "max=1.1,ciphers=ALL", false},
      {p256, "max=1.2,curve=secp521r1", false},
      {p256, "max=1.2,ciphers=ECDHE-ECDSA-AES128-SHA256", false},
      {rsa, "max=1.2,ciphers=AES128-GCM-SHA256", false},
      {rsa, "max=1.2,ciphers=ECDHE-RSA-AES256-SHA", false},
  };
  for (const Row& row : rows) {
    PythonServer server(row.files, row.options);
    ClientSessions sessions;
    const Answer answer = co_await ask(loop, server.port, sessions);
    CAPTURE(row.options, answer.text, answer.failure ? answer.failure->what : "");
    CHECK(!answer.failure == row.is_reached);
    CHECK(has(answer.text, "TLSv1.") == row.is_reached);
    if (answer.failure) CHECK(answer.failure->code == Errc::protocol);
    if (answer.end) CHECK(answer.end->code == Errc::closed);
  }
}

Task<> refuse_certificates(event::UvLoop& loop) {
  World& world = World::get();
  CertificateSpec expired = world.usual(), elsewhere = world.usual();
  expired.until = "20250201000000";
  elsewhere.dns = {"elsewhere.test"};
  elsewhere.addresses = {"127.0.0.9"};
  const std::vector<Issued> bad = {issue(expired, &world.authority),
                                   issue(elsewhere, &world.authority), issue(world.usual()),
                                   issue(world.usual(), &world.stranger)};
  for (const Issued& issued : bad) {
    PythonServer server(world.files("py-bad", issued), "");
    ClientSessions sessions;
    for (const char* host : {"localhost", "127.0.0.1"}) {
      const Answer answer = co_await ask(loop, server.port, sessions, host);
      REQUIRE(answer.failure);
      CHECK(answer.failure->code == Errc::refused);
    }
  }
  PythonServer server(world.p256, "");
  ClientSessions sessions;
  const Answer by_address = co_await ask(loop, server.port, sessions, "127.0.0.1");
  CHECK(!by_address.failure);
}

Task<> resume_sessions(event::UvLoop& loop) {
  PythonServer server(World::get().p256, "max=1.2");
  ClientSessions sessions;
  for (int i = 0; i < 4; ++i) {
    const Answer answer = co_await ask(loop, server.port, sessions);
    CHECK(has(answer.text, i == 0 ? "reused=0" : "reused=1"));
    CHECK(answer.was_resumed == (i > 0));
  }
}

Task<> tell_a_cut(event::UvLoop& loop) {
  PythonServer server(World::get().p256, "cut=1");
  ClientSessions sessions;
  const Answer answer = co_await ask(loop, server.port, sessions);
  CHECK(has(answer.text, "TLSv1."));
  REQUIRE(answer.end);
  CHECK(answer.end->code == Errc::protocol);
}

}  // namespace

TEST_CASE("upstreams are reached or refused by what they speak") {
  TestLoop loop;
  loop.run(reach_and_refuse(loop.uv));
}

TEST_CASE("upstreams with certificates that prove nothing are refused") {
  TestLoop loop;
  loop.run(refuse_certificates(loop.uv));
}

TEST_CASE("sessions of upstreams are resumed") {
  TestLoop loop;
  loop.run(resume_sessions(loop.uv));
}

TEST_CASE("an upstream that just closes is told from one that ends") {
  TestLoop loop;
  loop.run(tell_a_cut(loop.uv));
}

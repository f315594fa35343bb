// Bounds on connections and on what waits in them, at their edge and one past it.
#include "base/limits.h"

#include <catch2/catch.hpp>

#include "http/pool.h"
#include "http/server.h"
#include "unit/http/peer.h"
#include "unit/tls/authority.h"

using namespace mg;
using namespace mg::http;
using http::test::Peer;
using http::test::SimStream;

namespace {

// A server as it comes, whose handler a test gives.
struct Scene final : Handler {
  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  mg::test::SimSockets sockets{loop};
  ServerLimits limits;
  Server server{loop, sockets, limits, ServerCapacity{}};
  SocketAddress address;
  std::function<void(ServerConnection&, const std::string& body)> answer;
  std::vector<std::unique_ptr<Peer>> guests;

  explicit Scene(std::shared_ptr<const tls::ServerCredentials> credentials = nullptr) {
    const SocketAddress any{*IpAddress::parse("127.0.0.1"), 0};
    address =
        server.listen(any, event::PortSharing::exclusive, *this, std::move(credentials)).value();
  }
  ~Scene() {
    guests.clear();
    loop.cancel_spawned();
  }
  event::Task<> serve(ServerConnection& client) override {
    const Result<std::string> body = co_await client.read_body();
    REQUIRE(body);
    answer(client, *body);
  }
  void reject(ServerConnection&, const ParseError&) override {}

  Peer& enter(std::string_view first_words = "") {
    auto stream = mg::test::finish(loop, sockets.connect(address, 1000)).value();
    auto* plain = dynamic_cast<SimStream*>(stream.release());
    guests.push_back(std::make_unique<Peer>(std::unique_ptr<SimStream>(plain)));
    if (!first_words.empty()) guests.back()->say(first_words);
    loop.settle();
    return *guests.back();
  }
  size_t ended() const {
    size_t count = 0;
    for (const auto& guest : guests) count += guest->end ? 1 : 0;
    return count;
  }
};

// Not between two requests, so that nobody sends it away for being idle.
const char* const kHalfAHead = "GET / HTTP/1.1\r\nhost: a\r\n";

}  // namespace

TEST_CASE("a worker has so many connections, and turns one more away") {
  Scene scene;
  for (size_t i = 0; i < limits::connections_max; ++i) scene.enter(kHalfAHead);
  CHECK(scene.server.connections() == limits::connections_max);
  CHECK(scene.ended() == 0);
  CHECK(scene.enter().end);
  CHECK(scene.server.connections() == limits::connections_max);
  CHECK(scene.ended() == 1);
  scene.guests.front()->stream->abort();
  scene.loop.settle();
  CHECK_FALSE(scene.enter(kHalfAHead).end);  // there is room for one again
}

TEST_CASE("so many handshakes are under way at once; one more, and the oldest goes") {
  Scene scene(tls::test::World::get().server);
  for (size_t i = 0; i < limits::handshakes_max; ++i) scene.enter();
  CHECK(scene.ended() == 0);
  scene.enter();
  CHECK(scene.ended() == 1);
  CHECK(scene.guests.front()->end);
}

TEST_CASE("what waits for a client is too much from one byte past its bound") {
  Scene scene;
  size_t looks = 0;
  scene.answer = [&](ServerConnection& client, const std::string&) {
    const SimStream& pipe = *scene.guests.back()->stream;
    const auto write = [&](size_t bytes) {
      const std::string block(bytes, 'x');
      const std::string_view piece = block;
      CHECK(client.write(std::span(&piece, 1)));
    };
    client.begin(200, {});
    write(1);  // and the head before it
    write(pipe.window_bytes + limits::queue_bytes_high - pipe.unread_bytes());
    CHECK_FALSE(client.is_backed_up());
    write(1);
    CHECK(client.is_backed_up());
    ++looks;
    client.finish();
  };
  Peer& guest = scene.enter();
  guest.stream->read_stop();
  guest.say("GET / HTTP/1.0\r\n\r\n");  // an answer without chunks: every byte is ours
  scene.loop.settle();
  CHECK(looks == 1);
}

TEST_CASE("a body whose length was said comes with room behind it for the reader of JSON") {
  for (const size_t bytes : {size_t{1000}, limits::read_buffer_bytes}) {
    Scene scene;
    size_t room = 0;
    scene.answer = [&](ServerConnection& client, const std::string& body) {
      CHECK(body.size() == bytes);
      room = body.capacity() - body.size();
      client.respond(200, {}, "");
    };
    scene.enter("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: " + std::to_string(bytes) +
                "\r\n\r\n" + std::string(bytes, 'b'));
    CHECK(room >= limits::json_padding_bytes);
  }
}

namespace {

// An upstream that says what it is told to.
struct Upstream final : event::AcceptSink {
  void on_accept(std::unique_ptr<event::Stream> stream) override {
    auto* plain = dynamic_cast<SimStream*>(stream.release());
    guests.push_back(std::make_unique<Peer>(std::unique_ptr<SimStream>(plain)));
  }
  size_t ended() const {
    size_t count = 0;
    for (const auto& guest : guests) count += guest->end ? 1 : 0;
    return count;
  }
  std::vector<std::unique_ptr<Peer>> guests;
};

struct NoNames final : event::Resolver {
  event::Task<Result<std::vector<IpAddress>>> resolve(std::string name, int64_t) override {
    co_return fail(Errc::not_found, name);
  }
};

}  // namespace

TEST_CASE("so many connections to an origin are kept open, and the others closed") {
  mg::test::VirtualClock clock;
  mg::test::SimLoop loop{clock};
  mg::test::SimSockets sockets{loop};
  NoNames names;
  Upstream upstreams[2];
  std::vector<std::unique_ptr<event::Listener>> listeners;
  std::vector<Destination> destinations;
  for (uint16_t i = 0; i < 2; ++i) {
    const auto port = static_cast<uint16_t>(9001 + i);
    listeners.push_back(*sockets.listen({*IpAddress::parse("127.0.0.1"), port},
                                        event::PortSharing::exclusive, upstreams[i]));
    const BaseUrl base = *parse_base_url("http://127.0.0.1:" + std::to_string(port));
    destinations.push_back(
        Destination::make(base.origin, {PrivateAddresses::allow, PlainHttp::refuse}, nullptr));
  }
  Pool pool(loop, sockets, names);
  // One exchange, after which the connection can be used again.
  const auto exchange = [](const Lease& lease) -> event::Task<Result<>> {
    lease->send(Method::post, "POST / HTTP/1.1\r\nhost: a\r\n\r\n", {});
    MG_CO_TRY(const ResponseHead head, co_await lease->read_head(1000));
    MG_CO_TRY(const auto rest, co_await lease->read(1000));
    co_return head.status == 200 && rest.empty() ? Result<>() : fail(Errc::protocol, "no answer");
  };
  std::vector<Lease> leases;
  const auto connect = [&](size_t origin, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      auto lease = mg::test::finish(loop, pool.connect(destinations[origin], 1000));
      REQUIRE(lease);
      upstreams[origin].guests.back()->say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      REQUIRE(mg::test::finish(loop, exchange(*lease)));
      leases.push_back(std::move(*lease));
    }
  };
  connect(0, limits::idle_upstreams_max + 1);
  connect(1, 1);
  leases.pop_back();  // another origin has a list of its own
  CHECK(pool.idle() == 1);
  leases.erase(leases.begin());
  CHECK(pool.idle() == 2);
  while (leases.size() > 1) leases.pop_back();
  loop.settle();
  CHECK(pool.idle() == 1 + limits::idle_upstreams_max);
  CHECK(upstreams[0].ended() == 0);
  leases.clear();
  loop.settle();
  CHECK(pool.idle() == 1 + limits::idle_upstreams_max);
  CHECK(upstreams[0].ended() == 1);
  size_t taken = 0;
  while (auto lease = pool.take_idle(destinations[0])) {
    leases.push_back(std::move(*lease));
    ++taken;
  }
  CHECK(taken == limits::idle_upstreams_max);
  leases.clear();
}

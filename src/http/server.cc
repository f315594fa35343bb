#include "http/server.h"

#include <algorithm>

#include "base/log.h"
#include "tls/stream.h"

namespace mg::http {
namespace {

// While draining: how often it is asked whether somebody waits to be let in, or anybody is left.
constexpr int64_t kLastCallMs = 25;
constexpr int64_t kLookMs = 10;

}  // namespace

// A listener, with what its connections need.
class Server::Door final : public event::AcceptSink {
 public:
  Door(Server& owner, Handler& serves, std::shared_ptr<const tls::ServerCredentials> shown)
      : server(owner), handler(serves), credentials(std::move(shown)) {}
  void on_accept(std::unique_ptr<event::Stream> stream) override {
    server.shared_.loop.spawn(server.receive(*this, std::move(stream)));
  }
  Server& server;
  Handler& handler;
  std::shared_ptr<const tls::ServerCredentials> credentials;
  std::unique_ptr<event::Listener> listener;
  event::LinkList handshakes;  // under way, the oldest at the front
  size_t handshake_count = 0;
};

// A handshake under way. Its task can be dropped at any time from outside.
class Server::Handshake final : public event::Link {
 public:
  explicit Handshake(Door& door) : door_(door) {
    door_.handshakes.push_back(*this);
    ++door_.handshake_count;
  }
  ~Handshake() { leave(); }
  Handshake(const Handshake&) = delete;

  // Until it succeeds, fails, or has to make room.
  event::Task<> run(event::Loop& loop, std::unique_ptr<event::Stream> plain, int64_t timeout_ms) {
    task_ = shake(loop, std::move(plain), timeout_ms);
    task_.start();
    co_await over_.wait();
    co_await event::next_turn(loop);  // it is our task that may have woken us
  }
  void make_room() {
    leave();
    task_.drop();
    over_.raise();
  }
  std::unique_ptr<event::Stream> secure;  // when it succeeded

 private:
  event::Task<> shake(event::Loop& loop, std::unique_ptr<event::Stream> plain, int64_t timeout_ms) {
    Result<std::unique_ptr<tls::Stream>> made =
        co_await tls::accept(loop, std::move(plain), door_.credentials, timeout_ms);
    if (made) secure = std::move(*made);
    leave();
    over_.raise();
  }
  void leave() {
    if (is_linked()) --door_.handshake_count;
    unlink();
  }

  Door& door_;
  event::Task<> task_;
  event::Signal over_;
};

// Counts a connection for as long as its task lives, and lets the server find it.
class Server::Guest final : public event::Link {
 public:
  explicit Guest(Server& server) : server_(server) {
    ++server_.connections_;
    server_.guests_.push_back(*this);
    server_.update_pressure();
  }
  ~Guest() {
    unlink();
    --server_.connections_;
    server_.update_pressure();
  }
  Guest(const Guest&) = delete;
  ServerConnection* connection = nullptr;  // once TLS stands

 private:
  Server& server_;
};

Server::Server(event::Loop& loop, event::Sockets& sockets, const ServerLimits& server_limits,
               const ServerCapacity& capacity)
    : shared_{loop, server_limits, {}, Pressure::none, {}},
      sockets_(sockets),
      capacity_(capacity) {}

Server::~Server() { MG_ASSERT(connections_ == 0); }

Result<SocketAddress> Server::listen(const SocketAddress& address, event::PortSharing sharing,
                                     Handler& handler,
                                     std::shared_ptr<const tls::ServerCredentials> credentials) {
  auto door = std::make_unique<Door>(*this, handler, std::move(credentials));
  MG_TRY(door->listener, sockets_.listen(address, sharing, *door));
  const SocketAddress bound = door->listener->address();
  doors_.push_back(std::move(door));
  return bound;
}

void Server::set_credentials(size_t listener,
                             std::shared_ptr<const tls::ServerCredentials> credentials) {
  doors_.at(listener)->credentials = std::move(credentials);
}

event::Task<> Server::receive(Door& door, std::unique_ptr<event::Stream> stream) {
  if (connections_ >= capacity_.connections_max) co_return;  // closed: nothing left to answer with
  Guest guest(*this);
  if (door.credentials) {
    std::unique_ptr<event::Stream> secure = co_await shake_hands(door, std::move(stream));
    if (!secure) co_return;
    stream = std::move(secure);
  }
  ServerConnection connection(shared_, std::move(stream), door.handler);
  guest.connection = &connection;
  co_await connection.run();
}

// Those who say nothing grow old: were it the newcomer who has to go, a thousand silent connections
// would keep everybody out.
event::Task<std::unique_ptr<event::Stream>> Server::shake_hands(
    Door& door, std::unique_ptr<event::Stream> stream) {
  if (door.handshake_count >= capacity_.handshakes_max)
    static_cast<Handshake*>(door.handshakes.front())->make_room();
  Handshake handshake(door);
  co_await handshake.run(shared_.loop, std::move(stream), capacity_.handshake_timeout_ms);
  co_return std::move(handshake.secure);
}

void Server::update_pressure() {
  const auto at_least = [&](size_t percent) {
    return connections_ * 100 >= capacity_.connections_max * percent;
  };
  Pressure pressure = Pressure::none;
  if (draining_ || at_least(capacity_.no_keep_alive_percent)) pressure = Pressure::no_keep_alive;
  if (at_least(capacity_.refuse_percent)) pressure = Pressure::refuse;
  if (at_least(capacity_.shed_percent)) pressure = Pressure::shed;
  if (pressure == Pressure::shed && shared_.pressure != Pressure::shed) {
    log_warning("overloaded", {{"connections", std::to_string(connections_)}});
    shared_.pressure = pressure;
    shed_idle();
  }
  shared_.pressure = pressure;
}

template <class Which>
void Server::end_connections(Which which) {
  for (event::Link* link = guests_.front(); link;) {
    event::Link* next = guests_.next(*link);  // an idle one may be gone when end_when_idle returns
    ServerConnection* connection = static_cast<Guest*>(link)->connection;
    if (connection && which(*connection)) connection->end_when_idle();
    link = next;
  }
}

void Server::shed_idle() {
  end_connections([](const ServerConnection& connection) { return connection.is_idle(); });
}

bool Server::has_more() const {
  return std::any_of(doors_.begin(), doors_.end(),
                     [](const auto& door) { return door->listener->has_more(); });
}

event::Task<> Server::drain() {
  draining_ = true;
  update_pressure();
  const int64_t last_call_ns = shared_.loop.now_ns() + limits::last_call_ms_max * kNsPerMs;
  do {
    co_await event::sleep_ms(shared_.loop, kLastCallMs);
  } while (has_more() && shared_.loop.now_ns() < last_call_ns);
  for (const auto& door : doors_) door->listener.reset();
  // The last to be let in look idle until what they sent has been read.
  co_await event::sleep_ms(shared_.loop, kLastCallMs);
  end_connections([](const ServerConnection&) { return true; });
  while (connections_ > 0) co_await event::sleep_ms(shared_.loop, kLookMs);
}

}  // namespace mg::http

#include "http/server.h"

#include "base/log.h"
#include "tls/stream.h"

namespace mg::http {

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
  size_t handshakes = 0;
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
    if (door.handshakes >= capacity_.handshakes_max) co_return;
    struct Shaking {
      explicit Shaking(size_t& counter) : count(counter) { ++count; }
      ~Shaking() { --count; }
      size_t& count;
    };
    const Shaking shaking(door.handshakes);
    Result<std::unique_ptr<tls::Stream>> secure = co_await tls::accept(
        shared_.loop, std::move(stream), door.credentials, capacity_.handshake_timeout_ms);
    if (!secure) co_return;
    stream = std::move(*secure);
  }
  ServerConnection connection(shared_, std::move(stream), door.handler);
  guest.connection = &connection;
  co_await connection.run();
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

void Server::drain() {
  draining_ = true;
  update_pressure();
  for (const auto& door : doors_) door->listener.reset();
  end_connections([](const ServerConnection&) { return true; });
}

}  // namespace mg::http

// The listeners of one worker and the connections they brought: accepting, TLS, how much is too
// much, and going home.
#pragma once

#include <memory>
#include <vector>

#include "http/server_connection.h"
#include "tls/credentials.h"

namespace mg::http {

// What one worker carries before it begins to say no, a step at a time: no keep-alive, then no new
// requests, then no idle connections.
struct ServerCapacity {
  size_t connections_max = limits::connections_max;  // beyond: accepted and closed
  size_t handshakes_max = limits::handshakes_max;    // at once, per listener: the oldest goes
  int64_t handshake_timeout_ms = 10'000;
  // Parts of connections_max, in percent, at which each step begins.
  size_t no_keep_alive_percent = 80;
  size_t refuse_percent = 90;
  size_t shed_percent = 95;
};

class Server {
 public:
  // `limits` must outlive the server.
  Server(event::Loop& loop, event::Sockets& sockets, const ServerLimits& server_limits,
         const ServerCapacity& capacity);
  ~Server();
  Server(const Server&) = delete;

  // Plain text where `credentials` is empty. The handler serves every request that comes in here.
  // Returns the address that was bound. Errors: conflict, io.
  Result<SocketAddress> listen(const SocketAddress& address, event::PortSharing sharing,
                               Handler& handler,
                               std::shared_ptr<const tls::ServerCredentials> credentials);
  // New connections of that listener (in the order of listen()) use these from now on.
  void set_credentials(size_t listener, std::shared_ptr<const tls::ServerCredentials> credentials);

  // Takes who has come already, stops accepting, and ends idle connections; those that serve end
  // after their answer. Over when the last one is gone.
  event::Task<> drain();
  size_t connections() const { return connections_; }

 private:
  class Door;
  class Handshake;
  class Guest;

  event::Task<> receive(Door& door, std::unique_ptr<event::Stream> stream);
  event::Task<std::unique_ptr<event::Stream>> shake_hands(Door& door,
                                                          std::unique_ptr<event::Stream> stream);
  void update_pressure();
  void shed_idle();
  bool has_more() const;
  template <class Which>
  void end_connections(Which which);

  ServerShared shared_;
  event::Sockets& sockets_;
  const ServerCapacity capacity_;
  std::vector<std::unique_ptr<Door>> doors_;
  event::LinkList guests_;
  size_t connections_ = 0;
  bool draining_ = false;
};

}  // namespace mg::http
